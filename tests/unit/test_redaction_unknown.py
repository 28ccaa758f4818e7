"""Secrets nobody named are masked by format, place, key and command; the rest stays to the letter."""

from __future__ import annotations

import pytest
from redaction import cases

from maestro.redaction import Redactor
from maestro.redaction.keys import is_secret

REDACTOR = Redactor()


@pytest.mark.requirement("C9")
@pytest.mark.parametrize(
    "case", cases.TOKENS + cases.PLACES + cases.FIELDS + cases.COMMANDS + cases.LINES
)
def test_a_secret_is_masked_and_nothing_else(case: str) -> None:
    before, after = cases.expected(case)
    assert REDACTOR.text(before) == after
    assert REDACTOR.text(after) == after


@pytest.mark.parametrize("text", cases.HARMLESS)
def test_harmless_text_stays_to_the_letter(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize("text", cases.HARMLESS)
def test_harmless_text_stays_beside_a_known_secret(text: str) -> None:
    redactor = Redactor(["an-unrelated-Secret-1", "zzzz9"])
    assert redactor.text(text) == text


def test_a_whole_log_of_harmless_lines_stays() -> None:
    text = (
        "\n".join(
            line
            for line in cases.HARMLESS
            if "\n" not in line and not line.rstrip().endswith((":", "|", "="))
        )
        + "\n"
    )
    assert REDACTOR.text(text) == text


def test_without_the_unknown_only_known_secrets_are_masked() -> None:
    assert (
        Redactor(["known-secret"], unknown=False).text("password=x known-secret")
        == "password=x ***"
    )


@pytest.mark.parametrize(
    "name",
    """password DB_PASSWORD db.password dbPassword postgres_password_old API_KEY apiKey x-api-key token
    access_token clientSecret client-secret SECRET_KEY_BASE private_key ssh_private_key passphrase PGPASSWORD
    MYSQL_PWD smtp_pass REDIS_AUTH_TOKEN aws_secret_access_key jwtSecret credentials encryption_key
    dbpassword secret_value password2 TOKEN_PROD refreshToken sessionToken --password webhook_secret""".split(),
)
def test_these_names_hold_a_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    """password_file token_url secretName max_tokens key keyboard monkey author public_key primary_key
    tokenizer passenger secretary password_policy token_type secret_names cache_key key_id compass
    authorized_keys next_page_token is_secret has_password require_password PASSWORD_FILE token_ttl
    passwordless access_key_id_count secretKeyRef existingSecret user name path""".split(),
)
def test_these_names_hold_none(name: str) -> None:
    assert not is_secret(name)
