"""``${VARIABLE}`` as Compose fills it in, for what must be known before a host reads the file.

Compose itself reads the whole; here only paths, profiles and the names of secrets are filled in.
Source: https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_OPERATORS = (":-", ":+", ":?", "-", "+", "?")
_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*[=:]\s?(.*)$", re.ASCII)
_DEEPEST = 20  # of defaults inside defaults


@dataclass(frozen=True)
class Use:
    """One place where a text names a variable: ``operator`` and ``rest`` as in ``${NAME:-rest}``.

    ``inside`` says that it stands in another one's default.
    """

    name: str
    operator: str
    rest: str
    start: int
    end: int

    @property
    def optional(self) -> bool:
        """Whether it does without a value."""
        return self.operator in (":-", "-", ":+", "+")


class Missing(Exception):
    """A variable without a value and without a default."""

    def __init__(self, use: Use) -> None:
        super().__init__(use.name)
        self.use = use


def uses(text: str) -> Iterator[Use]:
    """Every variable a text names at its own level, in order; ``$$`` is a literal dollar."""
    at = 0
    while (at := text.find("$", at)) >= 0:
        if text[at + 1 : at + 2] == "$":
            at += 2
            continue
        found = _braced(text, at) if text[at + 1 : at + 2] == "{" else _bare(text, at)
        if found is None:
            at += 1
            continue
        yield found
        at = found.end


def fill(text: str, values: Mapping[str, str], depth: int = 0) -> str:
    """The text with its variables filled in; raises `Missing`."""
    parts, at = [], 0
    for use in uses(text):
        parts += [text[at : use.start].replace("$$", "$"), _value(use, values, depth)]
        at = use.end
    return "".join([*parts, text[at:].replace("$$", "$")])


def _value(use: Use, values: Mapping[str, str], depth: int) -> str:
    value = values.get(use.name)
    there = value is not None and (bool(value) or not use.operator.startswith(":"))
    if use.operator.endswith("+"):
        return fill(use.rest, values, depth + 1) if there and depth < _DEEPEST else ""
    if there:
        return str(value)
    if use.operator.endswith("-"):
        return fill(use.rest, values, depth + 1) if depth < _DEEPEST else use.rest
    raise Missing(use)


def _bare(text: str, at: int) -> Use | None:
    match = _NAME.match(text, at + 1)
    return Use(match[0], "", "", at, match.end()) if match else None


def _braced(text: str, at: int) -> Use | None:
    match = _NAME.match(text, at + 2)
    if not match:
        return None
    end = _closing(text, match.end())
    if end < 0:
        return None
    rest = text[match.end() : end]
    operator = next((sign for sign in _OPERATORS if rest.startswith(sign)), "")
    if rest and not operator:
        return None
    return Use(match[0], operator, rest[len(operator) :], at, end + 1)


def _closing(text: str, at: int) -> int:
    """Where the brace ends that is open at ``at``; -1 when it does not."""
    depth = 0
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
            at += 2
            continue
        if text[at] == "}":
            if not depth:
                return at
            depth -= 1
        at += 1
    return -1


def dotenv(text: str, given: Mapping[str, str]) -> dict[str, str]:
    """The values of an ``.env`` file, by the rules of Compose's own reader.

    ``given`` are values that count more, and that the file may refer to. A value over several
    lines is read to its closing quote.
    """
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        match = _LINE.match(line)
        if line.lstrip().startswith("#") or not match:
            continue
        name, value = match[1], match[2].strip()
        if value[:1] in ("'", '"'):
            quote, body = value[0], value[1:]
            while (end := _quoted_end(body, quote)) < 0:
                more = next(lines, None)
                if more is None:
                    end = len(body)
                    break
                body += "\n" + more
            value = body[:end]
            if quote == "'":
                found[name] = value
                continue
            value = value.replace('\\"', '"').replace("\\n", "\n")
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].rstrip()
        try:
            found[name] = fill(value, {**found, **given})
        except Missing:
            found[name] = ""
    return found


def _quoted_end(body: str, quote: str) -> int:
    at = 0
    while at < len(body):
        if body[at] == "\\" and quote == '"':
            at += 2
            continue
        if body[at] == quote:
            return at
        at += 1
    return -1
