"""The forms a known secret takes on its way through programs.

What escapes single characters (JSON, URL, XML, shell, octal, ...) needs no form here: the text is
read through `views`, where such a secret stands as it is. Here are the forms that change a value as
a whole.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import unicodedata
from binascii import b2a_base64
from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote

from .lazy import Lazy
from .views import INVISIBLE, join, unescape

# A form: the text to look for, and how many characters of the same alphabet that are determined
# only in part stand before and after it.
Form = tuple[str, int, int]

_GAPS = re.compile(r"(?<=\S)(?:[ \t]+[#>|]?|[#>|])[ \t]*(?=\S)")
_MOST_GAPS = 12
# Shorter ones would be found where the secret is not.
_LONG_ENOUGH = 7
_LONG_WORD = 12
_PIECE = 16
_PEM = Lazy(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\s*(?P<body>[A-Za-z0-9+/=\s]{64,})\s*-----END")
_WORDED = re.compile(r"[A-Za-z][a-z]{3}")
_TO_URL = str.maketrans("+/", "-_")


def _base64_cores(raw: bytes, *, shortest: int = 6, url: bool = True) -> list[Form]:
    """Return what is always the same of base64 wherever the value begins in what is encoded.

    Base64 turns 3 bytes into 4 characters. A value that begins at byte 0, 1 or 2 of such a group
    has three encodings; characters at the edges depend in part on the neighbours and are left out
    of the core, but are masked with it.
    """
    cores: list[Form] = []
    for lead in (0, 1, 2):
        encoded = b2a_base64(b"\0" * lead + raw, newline=False).decode()
        first = (lead * 4 + 2) // 3  # characters that also hold bits of the bytes before
        last, more = divmod((lead + len(raw)) * 8, 6)
        core = encoded[first:last]
        if len(core) < shortest:
            continue
        before, after = (1 if lead else 0), (1 if more else 0)
        cores.append((core, before, after))
        if url and ("+" in core or "/" in core):
            cores.append((core.translate(_TO_URL), before, after))
    return cores


def _base64_lines(raw: bytes) -> Iterator[Form]:
    """Yield the lines of wrapped base64, which may stand apart, each behind a prefix."""
    encoded = base64.b64encode(raw).decode().rstrip("=")
    for width in (64, 76):
        for start in range(0, len(encoded), width):
            line = encoded[start : start + width]
            if len(line) >= 16:
                yield line, 0, 2


def pieces_of_key(text: str) -> Iterator[Form]:
    """Yield the pieces of a PEM key's base64, and of the base64 of it all, for lines of any width.

    A line of 31 characters or more holds one of them whole; the rest of the line goes with it.
    The first and the last line, which all keys share, are left out.
    """
    match = _PEM.search(text)
    if not match:
        return
    size = _PIECE
    body = "".join(match.group("body").split())
    encoded = base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
    first, last = (match.start("body") + 2) // 3 * 4, match.end("body") // 3 * 4
    for whole, begin, end in ((body, 0, len(body)), (encoded, first, last)):
        for at in range(begin, end - size + 1, size):
            yield whole[at : at + size], size - 1, size - 1
        # A last line may be too short for one.
        yield whole[end - 10 : end].rstrip("="), 2 * size, size


def _quoted(text: str) -> Iterator[str]:
    """Yield the text as quoting by doubling or by closing and opening again leaves it."""
    if "'" in text:
        for double in ("''", "'\\''", "'''", "'\"'\"'"):
            yield text.replace("'", double)
    if '"' in text:
        yield text.replace('"', '""')
    if " " in text:
        yield text.replace(" ", "+")


def spellings(text: str) -> list[str]:
    """Return the spellings of a text: as it is, composed, decomposed, quoted, unescaped, unwrapped."""
    found = dict.fromkeys((text, INVISIBLE.sub("", text)))
    if not text.isascii():
        for form in ("NFC", "NFD"):
            found[unicodedata.normalize(form, text)] = None
        # Read in the wrong one of the two: UTF-8 as Latin-1, and the other way.
        for reading in (("utf-8", "latin-1"), ("latin-1", "utf-8")):
            with contextlib.suppress(UnicodeError):
                found[text.encode(reading[0]).decode(reading[1])] = None
    for spelling in list(found):
        for quoted in _quoted(spelling):
            found[quoted] = None
        if "\\" in spelling or "%" in spelling or "&" in spelling or "$$" in spelling:
            bare = spelling
            for _ in range(3):
                bare = unescape(bare)
                found[bare] = None
    for spelling in list(found):
        if "\n" in spelling:
            found[join(spelling)] = None
        else:
            # Wrapped there, it lacks what is taken for a line's beginning when lines are joined.
            for gap in islice(_GAPS.finditer(spelling), _MOST_GAPS):
                found[spelling[: gap.start()] + spelling[gap.end() :]] = None
        # At the beginning of a line, what looks like the line's prefix is gone as well; so is the
        # last character where it came onto the next line alone.
        bares = []
        if "|" in spelling or spelling[:1] in ("#", ">"):
            bares.append(join("\n" + spelling))
        if spelling[-1:] in ("#", ">", "|"):
            bares.append(spelling[:-1])
        found |= dict.fromkeys(bare for bare in bares if len(bare) >= _LONG_ENOUGH)
    return [spelling for spelling in found if spelling]


def cases(text: str) -> Iterator[str]:
    """Yield a value in the other case: headers, names of hosts and keys of maps change it.

    A short word of letters alone would be found where the secret is not.
    """
    if text.isalpha() and len(text) < _LONG_WORD:
        return
    yield text.lower()
    yield text.upper()
    if len(text) < 16 or _WORDED.search(text):
        # Of words, as a header or a heading is written.
        yield text.title()
        yield text.capitalize()
        yield "-".join(part.capitalize() for part in text.split("-"))


def _wide(text: str) -> list[Form]:
    """Return the base64 of UTF-16, as PowerShell takes a command.

    With the other byte first, all but the outermost zero is the same one byte later.
    """
    raw = text.encode("utf-16-le", "surrogatepass")
    return _base64_cores(raw[:-1] if raw[-1:] == b"\0" else raw, shortest=12, url=False)


def encode(text: str) -> bytes:
    """Return the bytes of a text, also of one that was made from bytes that are no UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _escaped(text: str) -> Iterator[str]:
    """Yield a text as JSON, a form and a file of Windows have it."""
    if text.isascii() and text.isalnum():
        return
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield quote(text, safe="", errors="surrogatepass")
    yield text.replace("\n", "\r\n")


def _compositions(text: str) -> set[str]:
    """Return a text, composed and decomposed."""
    if text.isascii():
        return {text}
    return {text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD"))}


def numbers(text: str) -> Iterator[Form]:
    """Yield the bytes of a value as hexadecimal and as decimal numbers, as dumps and lists show them."""
    for each in _compositions(text):
        raw = encode(each)
        for spread in (raw.hex(), raw.hex(" "), raw.hex(":")):
            yield spread, 0, 0
            yield spread.upper(), 0, 0
        decimals = [str(byte) for byte in raw]
        for glue in (", ", ",", " "):
            yield glue.join(decimals), 0, 0


def encodings(text: str) -> Iterator[Form]:
    """Yield the base64 forms of a value of 4 or more bytes, and the forms of it escaped."""
    texts = _compositions(text)
    escaped = {variant for each in texts for variant in _escaped(each)} - texts
    for each in escaped:
        # Inside of what was encoded, a value may be escaped: JSON in base64, a URL in hexadecimal.
        yield from _base64_cores(encode(each), shortest=12)
        yield encode(each).hex(), 0, 0
    for each in texts:
        raw = encode(each)
        cores = _base64_cores(raw)
        yield from cores
        if len(raw) > 48:
            yield from _base64_lines(raw)
        if len(raw) >= 8:
            # A value in base64 that was encoded again, as in a Kubernetes secret of a Docker login.
            for inner, _, _ in cores:
                yield from _base64_cores(inner.encode(), shortest=12, url=False)
        yield from _wide(each)
