"""Settings: what is read, what is refused, and what is never shown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from app.config import Settings
from pydantic import ValidationError
from pydantic_settings import BaseSettings

HOME = Path(__file__).parents[1]


def start(code: str = "import app.config", **environment: str) -> subprocess.CompletedProcess[str]:
    """A process with an environment of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=HOME,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_defaults_where_nothing_is_set() -> None:
    """An empty environment is a development environment."""
    assert issubclass(Settings, BaseSettings)
    done = start(
        "from app.config import settings; print(settings.REDIS_PORT, settings.DATABASE_URL)"
    )
    assert done.stdout.split() == ["6379", "sqlite:///data/app.db"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("REDIS_PORT", "abc", "valid integer"),
        ("REDIS_PORT", "70000", "less than or equal to 65535"),
        ("NODE_MODE", "BOTH", "'CORE' or 'WORKER'"),
        ("REDIS_URL", "http://s3cret-host", "redis://"),
        ("REDIS_URL", "redis://h:s3cret", "redis://"),
        ("REDIS_DSN", "redis://h:70000", "redis://"),
        ("ELASTICSEARCH_URL", "es:9200", "http://"),
        ("OLLAMA_URL", "http://h:s3cret", "http://"),
        ("NEO4J_URL", "http://h", "bolt://"),
        ("CORS_ORIGINS", "https://a.test,localhost:5173", "https://HOST"),
        ("CORS_ORIGINS", "https://a.test/page", "https://HOST"),
        ("FALLBACK_CHAINS", "chat=openai:gpt", "one of the providers"),
        ("FALLBACK_CHAINS", "quick=groq:m", "name chat"),
        ("LLM_TIMEOUT", "0", "greater than 0"),
        ("UPLOAD_MAX_BYTES", "1", "greater than or equal"),
    ],
)
def test_a_wrong_value_names_the_variable_and_the_reason(
    name: str, value: str, reason: str
) -> None:
    """And not the value."""
    done = start(**{name: value})
    assert done.returncode != 0
    assert name in done.stderr and reason in done.stderr
    assert "s3cret" not in done.stderr and "Traceback" not in done.stderr


def test_all_wrong_variables_are_told_at_once() -> None:
    """One start, all mistakes."""
    done = start(REDIS_PORT="x", NODE_MODE="y")
    assert "REDIS_PORT" in done.stderr and "NODE_MODE" in done.stderr


@pytest.mark.parametrize(
    "origins", ["*", "https://a.example,http://localhost:5173", "http://127.0.0.1:5173"]
)
def test_open_origins_are_refused_in_production(origins: str) -> None:
    """What a developer's machine allows must not reach production."""
    done = start(ENVIRONMENT="production", CORS_ORIGINS=origins)
    assert done.returncode != 0 and "CORS_ORIGINS" in done.stderr


@pytest.mark.parametrize(
    ("environment", "origins"),
    [
        ({}, ["http://localhost:5173"]),
        ({"CORS_ORIGINS": ""}, []),
        ({"ENVIRONMENT": "production"}, []),
        ({"ENVIRONMENT": "staging", "CORS_ORIGINS": ""}, []),
        ({"ENVIRONMENT": "production", "CORS_ORIGINS": "https://a.example"}, ["https://a.example"]),
    ],
)
def test_origins_that_are_not_set(environment: dict[str, str], origins: list[str]) -> None:
    """A developer's page by default, and nobody's elsewhere."""
    code = "from app.config import settings; print(settings.get_cors_origins_list())"
    assert start(code, **environment).stdout.strip() == str(origins)


def test_a_secret_comes_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line end at its end is not part of it; both at once are refused."""
    file = tmp_path / "key"
    file.write_text("from-file\n")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(file))
    assert Settings().REDIS_PASSWORD.get_secret_value() == "from-file"
    both = start(REDIS_PASSWORD="canary-in-env", REDIS_PASSWORD_FILE=str(file))
    assert both.returncode != 0 and "REDIS_PASSWORD" in both.stderr and "canary" not in both.stderr
    missing = start(REDIS_PASSWORD_FILE="/nowhere/key")
    assert (
        missing.returncode != 0
        and "REDIS_PASSWORD_FILE" in missing.stderr
        and "/nowhere/key" in missing.stderr
    )
    assert start(REDIS_PASSWORD_FILE="").returncode == 0


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"REDIS_URL": "redis://x:1", "REDIS_HOST": "h", "REDIS_PASSWORD": "p"}, "redis://x:1/0"),
        ({"REDIS_URL": "redis://x:1/7", "REDIS_DSN": "rediss://u:p@y:2"}, "redis://x:1/0"),
        ({"REDIS_DSN": "rediss://u:p@y:2"}, "rediss://u:p@y:2/0"),
        ({"REDIS_DSN": "rediss://u:p@y:2/3?x=1"}, "rediss://u:p@y:2/0?x=1"),
        (
            {"REDIS_HOST": "h", "REDIS_PORT": 6380, "REDIS_PASSWORD": "p@ss"},
            "redis://:p%40ss@h:6380/0",
        ),
        ({"REDIS_HOST": "h"}, "redis://h:6379/0"),
        ({"REDIS_HOST": "::1"}, "redis://[::1]:6379/0"),
    ],
)
def test_the_address_of_redis(values: dict[str, object], url: str) -> None:
    """REDIS_URL, REDIS_DSN, parts: in this order, and the number of the database always ours."""
    settings = Settings(**values)
    assert settings.get_redis_url() == settings.get_redis_url(db=0) == url
    assert settings.get_redis_url(db=1) == url.replace("/0", "/1")


@pytest.mark.parametrize("provider", ["GROQ", "GEMINI"])
def test_the_keys_of_a_provider(provider: str) -> None:
    """In their order, without doubles, empty ones and placeholders."""
    name = f"{provider}_API_KEY"
    values = {
        name: "k1",
        f"{name}_BACKUP": " ",
        f"{name}_2": "k2,k3\nk1",
        f"{name}_3": "none",
        f"{name}_4": "k4",
    }
    settings = Settings(**values)
    get = settings.get_groq_api_keys if provider == "GROQ" else settings.get_gemini_api_keys
    assert get() == ["k1", "k2", "k3", "k4"]
    assert (Settings().get_groq_api_keys(), Settings().get_gemini_api_keys()) == ([], [])


@pytest.mark.parametrize(
    ("text", "origins"),
    [(" http://a , http://b,", ["http://a", "http://b"]), ("", []), ("http://a/", ["http://a"])],
)
def test_origins(text: str, origins: list[str]) -> None:
    """Commas separate them."""
    assert Settings(CORS_ORIGINS=text).get_cors_origins_list() == origins


def test_an_error_in_the_code_shows_no_value(given: Callable[..., Settings]) -> None:
    """Pydantic would show what it was given."""
    with pytest.raises(ValidationError) as caught:
        given(REDIS_PORT="canary")
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(given(REDIS_PASSWORD="canary"))
