"""Secrets in files of a known shape: Docker's config.json, Kubernetes secrets, .pgpass, htpasswd."""

from __future__ import annotations

import re

from . import rules, values
from .lazy import Lazy
from .spans import Span

_AUTH = Lazy(
    r"\"auth\\*\"\s{0,8}:\s{0,8}\\*\"([A-Za-z0-9+/_-]{8,}={0,2})\\*\"|\b_?auth(?:: |\s?=\s?)[\"']?([A-Za-z0-9+/_-]{8,}={0,2})[\"']?"
)
_PGPASS = re.compile(
    r"(?m)(?:^|(?<=\s)|(?<=\| ))(?:[\w.*-]{1,255}|\\:):(?:543\d|6432|\*):(?:[\w.*-]{1,128}):(?:[\w.*@-]{1,128}):((?:[^\s:\\]|\\[:\\]){1,512})$"
)
_SHADOW = re.compile(r"(?m)^[a-z_][\w.-]{0,32}:([^\s:*!]{13,}):\d*:\d*:\d*:")
# A map of Postfix: `[smtp.example.com]:587 user:password`
_MAIL_MAP = re.compile(
    r"(?m)^\[(?=[^\]\s]*\.)[\w.-]{1,255}\]:(?:\d{1,5}|smtps?|submissions?)[ \t]+[^\s:]{1,255}:(\S[^\n]{0,255}?)[ \t]*$"
)
_SECRET_DATA = Lazy(r"(?m)^([ \t]*)\\?\"?(?:data|stringData)\\?\"?:[ \t]*(?:\{[ \t]*)?$")
_ENTRY = Lazy(
    r"([ \t]*)\"?([\w.-]{1,253})\"?:[ \t]+(?:\"([^\"\n]+)\"|'([^'\n]+)'|([^\s\"'|>{#][^\n]*?))[ \t]*,?[ \t]*$"
)
_SECRET_JSON = Lazy(r"\"(?:data|stringData)\\*\"\s{0,8}:\s{0,8}\{([^{}]{1,20000})\}")
_JSON_STRING = re.compile(r":\s{0,8}\\*\"((?:[^\"\\]|\\[^\"])+)\\*\"")


def find_files(text: str, low: str, heads: set[str], spans: list[Span]) -> None:
    """Add the spans of secrets in files of a known shape; ``heads`` are the beginnings of words."""
    if "aut" in heads:
        for match in _AUTH.finditer(text):
            group = 1 if match.group(1) else 2
            if rules.is_login(match.group(group)):
                spans.append(match.span(group))
    if ":543" in text or ":*:" in text or ":6432:" in text:
        spans.extend(
            match.span(1)
            for match in _PGPASS.finditer(text)
            if not values.is_harmless(match.group(1))
        )
    if "$" in text and "::" in text:
        spans.extend(match.span(1) for match in _SHADOW.finditer(text) if "$" in match.group(1))
    if "]:" in text:
        spans.extend(
            match.span(1)
            for match in _MAIL_MAP.finditer(text)
            if not values.is_harmless(match.group(1), quoted=True)
        )
    if "kin" in heads and "secret" in low:
        _kubernetes(text, spans)


def _kubernetes(text: str, spans: list[Span]) -> None:
    for document in re.finditer(r"(?s)(?:\A|(?<=\n---))(.*?)(?=\n---|\Z)", text):
        body = document.group(1)
        if not re.search(r"kind\\*\"?:\s{0,8}\\*\"?Secret\b(?!\w)", body):
            continue
        shift = document.start(1)
        for match in _SECRET_DATA.finditer(body):
            _entries(body, match.end() + 1, len(match.group(1)), shift, spans)
        for match in _SECRET_JSON.finditer(body):
            for entry in _JSON_STRING.finditer(match.group(1)):
                start = shift + match.start(1)
                spans.append((start + entry.start(1), start + entry.end(1)))


def _entries(body: str, at: int, outer: int, shift: int, spans: list[Span]) -> None:
    while at < len(body):
        stop = body.find("\n", at)
        stop = len(body) if stop < 0 else stop
        line = body[at:stop]
        if line.strip():
            if len(line) - len(line.lstrip()) <= outer:
                return
            match = _ENTRY.match(line)
            if match:
                group = next(number for number in (3, 4, 5) if match.group(number) is not None)
                if not values.is_harmless(match.group(group), quoted=group != 5):
                    spans.append((shift + at + match.start(group), shift + at + match.end(group)))
            elif not line.rstrip().endswith(("|", ">", "|-", ">-", "{", "}")):
                bare = line.strip()
                start = shift + at + line.index(bare)
                spans.append((start, start + len(bare)))
        at = stop + 1
