"""Other ways to read the same text: without colours, without line breaks, without escapes.

A secret that was coloured, wrapped or escaped stands in one of these views as it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from .spans import View

# ECMA-48 control sequences (colours, cursor), operating system commands (titles, links), and the
# characters that print nothing.
INVISIBLE = re.compile(
    "\x1b(?:\\[[0-?]{0,64}[ -/]{0,8}[@-~]|\\][^\x07\x1b\n]{0,512}(?:\x07|\x1b\\\\)|[@-Z\\\\-_=>()][0B]?)"
    "|[\u200b\u200c\u200d\u2060\ufeff\u00ad]"
)
_INVISIBLE_MARKS = ("\x1b", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad")

# A line break with what stands around it when a value was wrapped, indented, quoted or prefixed
# (`> `, `# `, and the `service-1  | ` of `docker compose logs`).
JOINT = re.compile(
    r"\\?\r?\n[ \t]{0,200}(?:(?:[#>|]|[A-Za-z0-9][\w.-]{0,60} {1,40}\|)[ \t]{0,40})?"
)
# What may be gone or doubled where a value with blanks was wrapped.
_BLANKS = str.maketrans("", "", " \t#>|")
_SQUEEZED = re.compile(JOINT.pattern + r"|[ \t#>|]+")


def _utf8(lead: str, digits: tuple[str, str, str, str, str]) -> str:
    """Return a pattern of one character of UTF-8, each byte escaped behind ``lead``."""
    two, three, four, more, other = (lead + digit for digit in digits)
    return f"{two}{more}|{three}(?:{more}){{2}}|{four}(?:{more}){{3}}|{other}"


_H = "[0-9a-fA-F]"
_PERCENT = (f"[cCdD]{_H}", f"[eE]{_H}", f"[fF]{_H}", f"[89abAB]{_H}", f"[89a-fA-F]{_H}")
_OCTAL = ("0?3[0-3][0-7]", "0?3[45][0-7]", "0?36[0-7]", "0?2[0-7][0-7]", "0?[23][0-7][0-7]")
_UTF8_HEX, _UTF8_OCTAL = _utf8(r"\\+x", _PERCENT), _utf8(r"\\+", _OCTAL)
_ESCAPE = re.compile(
    rf"\\+u[dD][89abAB]{_H}{{2}}\\+u[dD][c-fC-F]{_H}{{2}}"
    rf"|\\+(?:u\{{{_H}{{1,6}}\}}|u{_H}{{4}}|U{_H}{{8}}|x[0-7]{_H})"
    rf"|{_UTF8_HEX}|{_UTF8_OCTAL}"
    rf"|\\+(?:0[0-3][0-7]{{2}}|[01]?[0-7]{{2}}|.)"
    rf"|%[0-7]{_H}|{_utf8('%', _PERCENT)}"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});"
    r"|\$\$"
)
_SIMPLE = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "0": "\0",
}
_memory: dict[str, str] = {}


def _bytes_to_text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _decode(token: str) -> str:
    """Return what one escape stands for; what is none comes back as it is."""
    if token[0] == "%":
        return _bytes_to_text(bytes.fromhex(token.replace("%", "")))
    if token[0] == "&":
        return html.unescape(token)
    if token[0] == "$":
        return "$"
    # Two backslashes stand for one; an escape inside an escaped string has a row of them.
    body = token.lstrip("\\")
    depth = len(token) - len(body)
    if not body:
        return "\\" * ((depth + 1) // 2)
    if depth % 2 == 0:
        return "\\" * (depth // 2) + token[depth:]
    lead = "\\" * (depth // 2)
    kind = body[0]
    if kind in "uU" and len(body) > 1:
        codes = [
            int(code.strip("{}"), 16) for code in re.findall(r"[uU](\{?[0-9a-fA-F]+\}?)", body)
        ]
        if len(codes) == 2:
            return lead + chr(0x10000 + ((codes[0] - 0xD800) << 10) + (codes[1] - 0xDC00))
        return lead + (chr(codes[0]) if codes[0] < 0x110000 else body)
    if kind == "x" and len(body) > 2:
        return lead + _bytes_to_text(
            bytes(int(pair, 16) for pair in re.findall(r"x([0-9a-fA-F]{2})", body))
        )
    if kind in "01234567" and len(body) > 1:
        return lead + _bytes_to_text(
            bytes(int(code, 8) & 255 for code in re.findall(r"[0-7]+", body))
        )
    return lead + _SIMPLE.get(body, body)


def _decode_match(match: re.Match[str]) -> str:
    token = match.group()
    known = _memory.get(token)
    if known is None:
        known = _decode(token)
        if len(_memory) < 4096:
            _memory[token] = known
    return known


def visible(text: str) -> View | None:
    """Return the text without colour codes and invisible characters, or None when it has none."""
    if text.isascii():
        if "\x1b" not in text:
            return None
    elif not any(mark in text for mark in _INVISIBLE_MARKS):
        return None
    view = View(text, INVISIBLE, "")
    return view if view.text != text else None


def join(text: str) -> str:
    """Return the text without its line breaks and what surrounds them."""
    return JOINT.sub("", text) if "\n" in text else text


def lines(text: str) -> list[str]:
    """Return the lines of a text without what surrounds their breaks."""
    if "\n" not in text:
        return []
    if "|" in text or "\n>" in text or "\n#" in text or "\\\n" in text:
        return JOINT.split(text)
    return [line.strip() for line in text.split("\n")]


def squeeze(text: str) -> str:
    """Return the text without its line breaks, what surrounds them, and blanks."""
    return join(text).translate(_BLANKS)


def squeezed(text: str) -> View:
    """Return the view of `squeeze`."""
    return View(text, _SQUEEZED, "")


def unescape(text: str) -> str:
    """Return the text with one layer of escapes taken off."""
    return _ESCAPE.sub(_decode_match, text)


def unescaped(text: str) -> View:
    """Return the view of `unescape`."""
    return View(text, _ESCAPE, _decode_match)


def joined(text: str) -> View | None:
    """Return the view of `join`, or None when there is nothing to join."""
    return View(text, JOINT, "") if "\n" in text else None


def has_escapes(text: str) -> bool:
    """Tell whether the text may hold an escape at all."""
    return "\\" in text or "%" in text or "$$" in text or ("&" in text and ";" in text)


def readings(text: str, rounds: int = 3) -> Iterator[View]:
    """Yield the joined view and then each view with one more layer of escapes taken off."""
    parent: View | None = joined(text)
    if parent is not None:
        yield parent
    for _ in range(rounds):
        current = parent.text if parent else text
        if not has_escapes(current):
            return
        view = View(current, _ESCAPE, _decode_match, parent)
        if view.text == current:
            return
        parent = view
        if "\n" in view.text:
            parent = View(view.text, JOINT, "", view)
        yield parent
