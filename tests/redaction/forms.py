"""The forms a secret takes on its way through programs: what each program would show of it."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import unicodedata
import urllib.parse
from collections.abc import Callable


def _ansi_c(text: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in text.encode())


def _go(text: str) -> str:
    dumped = json.dumps(text, ensure_ascii=False)
    for char in "<>&":
        dumped = dumped.replace(char, f"\\u{ord(char):04x}")
    return dumped[1:-1]


def _lower_escapes(text: str) -> str:
    parts = text.split("%")
    return parts[0] + "".join("%" + part[:2].lower() + part[2:] for part in parts[1:])


def _wrapped(width: int) -> Callable[[str], str]:
    def wrap(text: str) -> str:
        encoded = base64.b64encode(text.encode() * 4).decode()
        return "\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))

    return wrap


FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda s: s,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 after one byte": lambda s: base64.b64encode(b"u" + s.encode()).decode(),
    "base64 after two bytes": lambda s: base64.b64encode(b"u:" + s.encode()).decode(),
    "base64 in the middle": lambda s: base64.b64encode(b"ab:" + s.encode() + b"\nz").decode(),
    "base64 url-safe": lambda s: base64.urlsafe_b64encode(b"?" + s.encode()).decode(),
    "base64 unpadded": lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
    "base64 wrapped at 64": _wrapped(64),
    "base64 wrapped at 76": _wrapped(76),
    "base64 twice": lambda s: base64.b64encode(base64.b64encode(b"a:" + s.encode())).decode(),
    "base64 of json": lambda s: base64.b64encode(json.dumps(s)[1:-1].encode()).decode(),
    "base64 of a url": lambda s: base64.b64encode(urllib.parse.quote(s, safe="").encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "hex upper": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex with blanks": lambda s: s.encode().hex(" "),
    "hex escapes": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "numbers": lambda s: str(list(s.encode())),
    "url": lambda s: urllib.parse.quote(s, safe=""),
    "url lower": lambda s: _lower_escapes(urllib.parse.quote(s, safe="")),
    "url form": urllib.parse.quote_plus,
    "url keeping the slash": urllib.parse.quote,
    "url twice": lambda s: urllib.parse.quote(urllib.parse.quote(s)),
    "json": lambda s: json.dumps(s)[1:-1],
    "json unicode": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "json slashes": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "json go": _go,
    "json twice": lambda s: json.dumps(json.dumps(s)),
    "json three times": lambda s: json.dumps(json.dumps(json.dumps(s))),
    "json all escaped": lambda s: re.sub("....", r"\\u\g<0>", s.encode("utf-16-be").hex()),
    "xml": html.escape,
    "xml numbers": lambda s: "".join(f"&#{ord(char)};" for char in s),
    "xml hex": lambda s: "".join(f"&#x{ord(char):X};" for char in s),
    "shell": shlex.quote,
    "shell double quotes": lambda s: s.replace("'", "'\"'\"'"),
    "shell backslashes": lambda s: "".join(c if c.isalnum() else "\\" + c for c in s),
    "compose dollars": lambda s: s.replace("$", "$$"),
    "ansi-c": lambda s: s.replace("\\", "\\\\").replace("'", "\\'"),
    "octal": _ansi_c,
    "octal short": lambda s: "".join(f"\\{byte:o}" for byte in s.encode()),
    "octal of printf": lambda s: "".join(f"\\0{byte:o}" for byte in s.encode()),
    "yaml single quotes": lambda s: s.replace("'", "''"),
    "csv": lambda s: s.replace('"', '""'),
    "python repr": repr,
    "python ascii": ascii,
    "python bytes": lambda s: repr(s.encode()),
    "NFD": lambda s: unicodedata.normalize("NFD", s),
    "url NFD": lambda s: urllib.parse.quote(unicodedata.normalize("NFD", s)),
    "coloured": "\x1b[31m".join,
    "half coloured": lambda s: s[:5] + "\x1b[0m\x1b[1;32m" + s[5:],
    "hard wrapped": lambda s: "\n".join(s[at : at + 5] for at in range(0, len(s), 5)),
    "wrapped at its blank": lambda s: s.replace(" ", "\n"),
    "wrapped and indented": lambda s: s[:7] + "\r\n      " + s[7:],
    "wrapped behind a prefix": lambda s: s[:7] + "\nservice-1  | " + s[7:],
    "zero width": "\u200b".join,
}
