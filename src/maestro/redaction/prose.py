"""Secrets in sentences: the password for user bob is ..., log in with the password ..."""

from __future__ import annotations

import re

from . import values
from .lazy import Lazy
from .spans import Span

_PROSE = Lazy(
    r"(?P<about> {1,2}(?:for|of|on|to)(?: [\w.@'\"`/-]{1,40}){1,7}?|,? \([\w .@-]{1,40}\))?"
    r"(?: {1,2}(?:(?:(?:has been|was|is|were) )?(?:re)?(?:set|changed|updated|generated) (?:to|as)|will be|becomes"
    r"|(?:is|was|has been) (?:generated|created|set) for [^\s:]{1,80}(?=:)"
    r"|is|was|now|are)(?: now)?:?|(?(about)(?: ?(?::|=>?|->|→))|(?: ->| →))) {1,2}"
    r"([\"'`]?)([^\s\"'`]{4,200})"
)
_GIVEN = Lazy(r"(?i)\b(?:with|using|and|use|has|got)(?: the| a| this| my| your| new)? \Z")
_SPOKEN = Lazy(r" {1,2}([\"'`]?)([^\s\"'`]{6,200})")
# What stands in a sentence about a password, or is a time, an amount, a flag.
_ADVERB = Lazy(
    r"(?i:sha|md5|scram|bcrypt|argon2|pbkdf2|aes|v\d)\S*|[a-z]+(?:-[a-z]+)*|\W+|[\d.,:]{1,5}\)?|\d+(?:ms|s|m|h|d|%)"
    r"|\w*['\u2019](?:t|s|re)|--?[a-z][\w-]*|https?:.*|[A-Z]{2,12}|\d{4}-\d\d-\d\d.*|[a-z]+\([^()]*\)"
)
_VERSION = re.compile(r"v?\d+(?:\.\d+)+")


def find(text: str, start: int, end: int, name: str) -> list[Span]:
    """Return the span of a value in a sentence about the name at ``start`` to ``end``."""
    match = _PROSE.match(text, end)
    quote, first, last = (match.group(2), *match.span(3)) if match else ("", 0, 0)
    if not match and name.lower() in ("password", "passphrase"):
        match = _SPOKEN.match(text, end)
        if not match or not _GIVEN.search(text[max(0, start - 20) : start]):
            return []
        quote, first, last = match.group(1), *match.span(2)
        if not (quote or looks_made(text[first:last].rstrip(".,;:)"))):
            return []
    value = re.split(r"\\+[nrt\"']", text[first:last])[0].rstrip(".,;:") if match else ""
    if value.endswith(")") and "(" not in value:
        value = value.rstrip(").,;:")
    if (
        len(value) < 4
        or values.is_harmless(value)
        or text[first - 1 : first] == "("
        or not (looks_made(value) or (quote and text.startswith(quote, first + len(value))))
        or _ADVERB.fullmatch(value)
    ):
        return []
    return [(first, first + len(value))]


def is_made(value: str) -> bool:
    """Tell a password from a word, a version, a time, an amount."""
    harmless = values.is_harmless(value) or _ADVERB.fullmatch(value) or _VERSION.match(value)
    return looks_made(value) and not harmless


def looks_made(value: str) -> bool:
    """Tell a password from a word of a sentence."""
    return bool(re.search(r"\d|[^\w\s.,-]|[a-z][A-Z]", value))
