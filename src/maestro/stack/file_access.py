"""Owner and mode that a service's long form asks for, of a secret or a config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Entry

_OCTAL = re.compile(r"^(0o?)?[0-7]{1,4}\Z")
_HIGHEST = 0o777
# As a mode these would be 0620, 0670, 0674 and 0764, which nobody gives to what is read only.
_WRITTEN_OCTAL = (400, 440, 444, 500)
_READ = 0o444


@dataclass(frozen=True)
class Said:
    """``None`` is what the file says nothing about."""

    uid: int | None
    gid: int | None
    mode: int | None


def said(item: Entry, place: str) -> Said:
    """``uid``, ``gid`` and ``mode`` of one entry; `MaestroError` for what no host can make.

    Compose 2.26 writes a mode as a number, newer ones as octal text. A mode in quotes ("0440") is
    octal for the newer ones, and for 2.26 a number to the base of ten: both get what was written.
    """
    return Said(_number(item, "uid", place), _number(item, "gid", place), _mode(item, place))


def _number(item: Entry, key: str, place: str) -> int | None:
    found = item.get(key)
    if found is None or found == "":
        return None
    if not (str(found).isascii() and str(found).isdigit() and int(str(found)) < 2**32 - 1):
        raise MaestroError(
            f"found {found!r}",
            where=f"{place}.{key}",
            fix=f'write a number, such as `{key}: "1000"`: names are only known inside the image',
        )
    return int(str(found))


def _mode(item: Entry, place: str) -> int | None:
    found = item.get("mode")
    if found is None:
        return None
    number = -1
    if isinstance(found, int):
        number = found
    elif _OCTAL.match(str(found)):
        number = int(str(found).removeprefix("0o"), 8)
    digits = str(number)
    if (number > _HIGHEST or number in _WRITTEN_OCTAL) and _OCTAL.match(digits):
        number = int(digits, 8)
    if not (0 <= number <= _HIGHEST and number & _READ):
        raise MaestroError(
            f"found {found!r}",
            where=f"{place}.mode",
            fix="write an octal mode between 0001 and 0777 that somebody may read, such as 0440",
        )
    return number
