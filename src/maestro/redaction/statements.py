"""Secrets in statements of databases: what follows IDENTIFIED BY, SET PASSWORD, ``db.auth(``."""

from __future__ import annotations

import re

from . import values
from .spans import Span

_QUOTED = r"(?:[nNeE]?'((?:[^'\n]|''){1,512})'|\"([^\"\n]{1,512})\")"
# A word of the statement, and the statement with its secrets in groups.
_STATEMENTS = [
    (
        "identified",
        rf"identified(?:\s+with\s+\S{{1,60}})?\s+(?:by|as)(?:\s+password)?\s+{_QUOTED}",
    ),
    (
        "identified",
        r"(?:alter|create)\s+user\s+\S{1,80}\s+identified\s+by\s+(?!values\b|password\b)([\w$#]{3,64})(?=[\s;]|\Z)",
    ),
    ("password", rf"set\s+password(?:\s+for\s+\S{{1,80}})?\s*(?:=|to)\s*{_QUOTED}"),
    ("password", rf"set\s+password\s+from\s+{_QUOTED}\s+to\s+{_QUOTED}"),
    ("sp_", rf"sp_addlogin\s+{_QUOTED}\s*,\s*{_QUOTED}"),
    ("pragma", rf"pragma\s+(?:re)?key\s*=\s*{_QUOTED}"),
    ("attach", rf"attach\s+(?:database\s+)?\S{{1,200}}\s+as\s+\w+\s+key\s+{_QUOTED}"),
    ("auth", rf"\bauth\(\s*['\"][^'\"\n]{{1,80}}['\"]\s*,\s*{_QUOTED}\s*[,)]"),
    ("auth", r"(?:\d|\])> ?auth (?:\S{1,80} )?(\S+)"),
    ("changeuserpassword", rf"changeuserpassword\(\s*['\"][^'\"\n]{{1,80}}['\"]\s*,\s*{_QUOTED}"),
]
_compiled: dict[str, re.Pattern[str]] = {}


def find_statements(text: str, low: str, vocabulary: str, spans: list[Span]) -> None:
    """Add the spans of the secrets in statements; ``vocabulary`` are the words of ``low``."""
    for word, shape in _STATEMENTS:
        if word.rstrip("_") not in vocabulary or not _may_be(low, word):
            continue
        pattern = _compiled.get(shape) or re.compile(shape, re.IGNORECASE)
        _compiled[shape] = pattern
        for match in pattern.finditer(text):
            for group in range(1, (match.re.groups or 0) + 1):
                value = match.group(group)
                named = word == "sp_" and group < 3
                if value and not named and not values.is_harmless(value, quoted=True):
                    spans.append(match.span(group))


def _may_be(low: str, word: str) -> bool:
    if word == "password":
        return "set password" in low
    return word != "auth" or "auth(" in low or "> auth" in low
