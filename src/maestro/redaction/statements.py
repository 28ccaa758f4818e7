"""Secrets in statements of databases: what follows IDENTIFIED BY, SET PASSWORD, ``db.auth(``."""

from __future__ import annotations

import re

from . import values
from .spans import Span

_QUOTED = r"(?:[nNeE]?'((?:[^'\n]|''){1,512})'|\"([^\"\n]{1,512})\")"
# A line that a client sent, and what it sent last
_SENT = r"(?:(?:^|\n)[ \t]*(?:[<*-]*>|c:)|'|\") ?"
# What tells a dialogue of FTP, POP3 or SMTP: lines of it before and after. Test runners print PASS.
_DIALOGUE = r"(?:[<*-]*>|c:) ?(?:user|helo|ehlo|lhlo|apop|capa|auth tls) ?\S|(?:<[<*-]*|s:) ?(?:\+ok|-err|[2-5]\d\d[ -])"
_BEFORE = (
    rf"(?:(?:^|\n)[ \t]*(?:{_DIALOGUE})[^\n]{{0,255}}(?:\n[^\n]{{0,255}}){{0,4}}?\n[ \t]*[<*-]*> ?)"
)
_AFTER = rf"(?=[ \t\r]*\n[ \t]*(?:{_DIALOGUE}))"
_QUOTED_CALL = r"(?:send|sent|put|cmd|write|command)\w{0,8}\W{1,6}b?['\"]"
_WORD = r"([^\s'\"]{4,})(?=\s|\\r|['\"]|\Z)"
# By a word of the statement: what else is in a text with it (capitals: as they are), and the
# statement with its secrets in groups.
_STATEMENTS: dict[str, list[tuple[str, str]]] = {
    "identified": [
        ("", rf"identified(?:\s+with\s+\S{{1,60}})?\s+(?:by|as)(?:\s+password)?\s+{_QUOTED}"),
        (
            "",
            r"(?:alter|create)\s+user\s+\S{1,80}\s+identified\s+by\s+(?!values\b|password\b)([\w$#]{3,64})(?=[\s;]|\Z)",
        ),
    ],
    "password": [
        ("set password", rf"set\s+password(?:\s+for\s+\S{{1,80}})?\s*(?:=|to)\s*{_QUOTED}"),
        ("set password", rf"set\s+password\s+from\s+{_QUOTED}\s+to\s+{_QUOTED}"),
    ],
    "sp": [("sp_addlogin", rf"sp_addlogin\s+{_QUOTED}\s*,\s*{_QUOTED}")],
    "pragma": [("", rf"pragma\s+(?:re)?key\s*=\s*{_QUOTED}")],
    "attach": [("", rf"attach\s+(?:database\s+)?\S{{1,200}}\s+as\s+\w+\s+key\s+{_QUOTED}")],
    "changeuserpassword": [
        ("", rf"changeuserpassword\(\s*['\"][^'\"\n]{{1,80}}['\"]\s*,\s*{_QUOTED}")
    ],
    "auth": [
        ("auth(", rf"\bauth\(\s*['\"][^'\"\n]{{1,80}}['\"]\s*,\s*{_QUOTED}\s*[,)]"),
        ("> auth", r"(?:\d|\])> ?auth (?:\S{1,80} )?(\S+)"),
        # What MONITOR of Redis shows
        (
            '"auth"',
            r"\"auth\"(?: \"[^\"\n]{1,80}\")? \"([^\"\n]{1,512})\"(?= *(?:\"setname|\r?\n|\Z))",
        ),
        # The trace of a mail or file transfer
        ("auth plain ", r"\bauth plain ([A-Za-z0-9+/]{8,}={0,2})"),
        ("auth login ", r"\bauth login ([A-Za-z0-9+/]{8,}={0,2})"),
        ("auth xoauth2 ", r"\bauth xoauth2 ([A-Za-z0-9+/]{8,}={0,2})"),
    ],
    "pass": [
        ("PASS ", rf"(?:(?:^|\n)[ \t]*(?:[<*-]*[*-]+>|c:) ?|{_QUOTED_CALL})pass {_WORD}"),
        ("PASS ", rf"{_BEFORE}pass {_WORD}"),
        ("PASS ", rf"(?:^|\n)[ \t]*[<*-]*> ?pass {_WORD}{_AFTER}"),
        ("PASS ", r"['\"]pass ([^\s'\"]{4,}?)(?=\\r)"),
    ],
    "login": [
        (" LOGIN ", rf"{_SENT}\w{{1,10}} login (?:\"[^\"\n]{{1,80}}\"|\S{{1,80}}) \"?{_WORD}")
    ],
    "oracle": [("jdbc:oracle:", r"jdbc:oracle:\w{1,10}:[\w$#.-]{1,128}/([^\s\"'@]{1,128})@")],
    # What Vault, Elasticsearch and Nomad print once
    "unseal": [("unseal key ", r"\bunseal key \d{1,2}: {1,8}(\S{16,})")],
    "recovery": [("recovery key ", r"\brecovery key \d{1,2}: {1,8}(\S{16,})")],
    "successfully": [("new value:", r"successfully reset\.\s{1,8}new value: {1,4}(\S+)")],
    "secret": [
        (
            "secret id ",
            r"\bsecret id {1,12}[=:] {1,4}([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
        )
    ],
}
_compiled: dict[str, re.Pattern[str]] = {}


def find_statements(text: str, low: str, vocabulary: str, spans: list[Span]) -> None:
    """Add the spans of the secrets in statements; ``vocabulary`` are the words of ``low``."""
    for word, statements in _STATEMENTS.items():
        if word not in vocabulary:
            continue
        for mark, shape in statements:
            if mark in (text if mark.isupper() else low):
                _find(text, word, shape, spans)


def _find(text: str, word: str, shape: str, spans: list[Span]) -> None:
    pattern = _compiled.get(shape) or re.compile(shape, re.IGNORECASE)
    _compiled[shape] = pattern
    for match in pattern.finditer(text):
        for group in range(1, (match.re.groups or 0) + 1):
            value = match.group(group)
            named = word == "sp" and group < 3
            if value and not named and not values.is_harmless(value, quoted=True):
                spans.append(match.span(group))
