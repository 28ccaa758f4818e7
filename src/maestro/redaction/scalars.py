"""How long a value is that stands behind a name: a quoted one, a bare one, a list, a block of YAML."""

from __future__ import annotations

import re

from . import values
from .lazy import Lazy
from .spans import Span

_LONGEST_VALUE = 1024  # characters that are looked at; a longer value is masked to its end
_OPEN = re.compile(r"\\*(?:\"\"\"|'''|[\"'`])")
_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?[ \t]*(?:#[^\n]*)?\r?\n")
_COMMENT = re.compile(r"[ \t]+(?:#|//|;)[ \t].*\Z|[ \t]+#\S.*\Z")
_CUT = Lazy(
    r"[,;&|](?=\s|\Z|\\*[\"']|[\w.\[\]-]{1,80}\\*[\"']?\s?(?:[=:]|%3[dD])|[)}\]])|[)\]}](?=[\s,;:)}\]]|\Z)|%26|\\+[nrt\"']|&(?:amp|quot|lt|gt|#\d+);"
)
_PROGRAM = Lazy(
    r"(?:psql|pg_\w+|createdb|mysql\w*|mariadb\w*|redis-cli|restic|borg|docker|podman|kubectl|helm|terraform|ansible\S*|curl|wget"
    r"|python\S*|node|npm|yarn|go|cargo|make|bash|sh|env|sudo|exec|java|ruby|php|perl|cmd|run|bin\S*|vault|aws|gcloud|az|git|ssh\S*)\b"
)
_INLINE = re.compile(r"[,;]\s+[\"']?[A-Za-z_][\w.-]{0,60}[\"']?\s?[:=]")
_NOTE = Lazy(r"(?<=\S)\s+\((?:[A-Za-z']+[ ,]+)+[A-Za-z']+[.!]?\)\Z")
_QUERY = re.compile(r"https?://[^\s\"']*[?&][\w.-]*=\Z")
_NO_WORD = re.compile(r"\S*[\d!@#$%^&*+/]\S*")
_RUN = re.compile(r"[^\s\"'<>`,;&]*")
_NEXT = re.compile(r"[ \t]*\r?\n([ \t]*)(?=\S)")


def _indent(text: str, at: int) -> int:
    """Return the indentation of the line that holds ``at``."""
    begin = text.rfind("\n", 0, at) + 1
    width = 0
    while begin + width < len(text) and text[begin + width] in " \t-":
        if text[begin + width] == "-" and text[begin + width + 1 : begin + width + 2] != " ":
            break
        width += 1
    return width


def block(text: str, start: int, at: int) -> list[Span] | None:
    """A block scalar of YAML: every following line that is indented deeper than its key.

    None where no block begins at ``at``.
    """
    head = _BLOCK.match(text, at)
    if not head:
        return None
    at = head.end()
    outer = _indent(text, start)
    spans: list[Span] = []
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        body = text[at:stop]
        stripped = body.strip()
        if stripped:
            width = len(body) - len(body.lstrip(" \t"))
            if width <= outer:
                break
            if not values.is_harmless(stripped, quoted=True) and not stripped.startswith(
                ("-----BEGIN", "-----END")
            ):
                spans.append((at + width, at + width + len(stripped)))
        at = stop + 1
    return spans


def next_line(text: str, start: int, at: int, name: str, separator: str) -> list[Span]:
    """A value on the line after its key."""
    match = _NEXT.match(text, at)
    if not match or not separator:
        return []
    begin = match.end()
    if _OPEN.match(text, begin):
        if len(match.group(1)) < _indent(text, start):
            return []
        return scalar(text, begin, name, line=False)
    stop = text.find("\n", begin)
    value = text[begin : stop if stop >= 0 else len(text)].strip()
    if (
        len(match.group(1)) <= _indent(text, start)
        or " " in value
        or value[:1] in "-#{["
        or re.search(r":(\s|$)|=", value)
    ):
        return []
    return [(begin, begin + len(value))] if not values.is_harmless(value, name) else []


def scalar(text: str, at: int, name: str, *, line: bool, separator: str = ":") -> list[Span]:
    """Return the span of a scalar: quoted to its closing quote, bare to the end of line or word."""
    opened = _OPEN.match(text, at)
    if opened:
        quote = opened.group()
        first = opened.end()
        last = closing(text, first, quote)
        value = text[first:last]
        if not value or values.is_harmless(value, name, quoted=True):
            return []
        return [(first, last)]
    if text[at : at + 1] == "[":
        return _list(text, at, name)
    if text[at : at + 1] == "{" and text[at : at + 2] != "{{":
        return []
    stop = text.find("\n", at, at + _LONGEST_VALUE)
    stop = min(len(text), at + _LONGEST_VALUE) if stop < 0 else stop
    rest = text[at:stop].rstrip("\r")
    whole = _COMMENT.sub("", rest).rstrip()
    if values.is_harmless(whole, name) or values.is_count(whole, name):
        return []
    if call := values.literal_call(rest):
        value = call
    elif line and (separator != ":" or _is_yaml(text, at)):
        value = _line_value(whole, separator)
    else:
        value = _word(rest, prose=separator != "=" or text[at - 1] in " \t")
    if "#" in value and _QUERY.search(text[max(0, at - 300) : at]):
        value = value[: value.index("#")]
    if not value or values.is_harmless(value, name):
        return []
    end = at + len(value)
    if end == at + _LONGEST_VALUE and (more := _RUN.match(text, end)):
        end = more.end()
    return [(at, end)]


def _is_yaml(text: str, at: int) -> bool:
    return text[at - 1] in " \t:"


def _line_value(whole: str, separator: str) -> str:
    """The value of a line that is an assignment and nothing else."""
    if " " not in whole and "\t" not in whole:
        cut = _CUT.search(whole)
        if (
            cut
            and re.match(r"[,;&]?\s*[\w.-]+\\*[\"']?=", whole[cut.start() :].lstrip("&;,"))
            and cut.start()
        ):
            return whole[: cut.start()]
        return whole.rstrip(",;") or whole
    inline = _INLINE.search(whole)
    if inline and inline.start():
        return whole[: inline.start()]
    if separator == "=" and values.is_sentence(whole):
        return whole.split(None, 1)[0]
    if values.is_sentence(whole) and whole.split(None, 1)[0].strip("\"',.:").isalpha():
        return ""
    if noted := _NOTE.search(whole):
        return whole[: noted.start()]
    rest = whole.split(None, 1)[1]
    if re.search(r"(?:\A|\s)(?:[\w.-]+=\S|[-./|&>])", rest) or _PROGRAM.match(rest):
        # More assignments on the same line, or an environment in front of a command.
        return whole.split(None, 1)[0] if separator == "=" else _word(whole)
    return whole


def _word(rest: str, *, prose: bool = True) -> str:
    """The value that stands in the middle of a line: one word, without what closes the place.

    With ``prose`` it may be the beginning of a sentence, which is no value.
    """
    if prose and values.is_sentence(rest[:200]) and not _NO_WORD.match(rest):
        return ""
    match = re.match(r"[^\s\"'<>`]+", rest)
    if not match:
        return ""
    value = match.group()
    for cut in _CUT.finditer(value):
        if cut.start() and value[: cut.start()].count("{") <= value[: cut.start()].count("}"):
            value = value[: cut.start()]
            break
    return value.rstrip(",;") if len(value) > 1 else ""


def closing(text: str, first: int, quote: str) -> int:
    """Return where a quoted value ends: before the same quote with the same backslashes before it."""
    depth = len(quote) - len(quote.lstrip("\\"))
    mark = quote[depth:]
    at = first
    while True:
        at = text.find(mark, at)
        if at < 0 or at > first + 8 * _LONGEST_VALUE:
            stop = text.find("\n", first, at if at >= 0 else len(text))
            if stop >= 0 or at < 0:
                return stop if stop >= 0 else len(text)
        slashes = 0
        while at - slashes > first and text[at - slashes - 1] == "\\":
            slashes += 1
        if (
            mark == "'"
            and not depth
            and text.startswith("''", at)
            and text[at + 2 : at + 3].isalnum()
        ):
            at += 2
            continue
        if (
            slashes <= depth
            and (slashes == depth or not depth)
            and not (depth == 0 and slashes % 2)
        ):
            return at - depth
        if depth and slashes < depth:
            return at - slashes
        at += len(mark)


def _list(text: str, at: int, name: str) -> list[Span]:
    """Strings in brackets."""
    close = text.find("]", at, at + 4096)
    if close < 0:
        return []
    spans = []
    for match in re.finditer(r"\"([^\"\n]*)\"|'([^'\n]*)'", text[at:close]):
        group = 1 if match.group(1) is not None else 2
        if match.group(group) and not values.is_harmless(match.group(group), name, quoted=True):
            spans.append((at + match.start(group), at + match.end(group)))
    return spans
