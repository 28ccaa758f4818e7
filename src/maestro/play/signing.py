"""The keys that an environment asks images to be signed by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import MaestroError
from ..host.signed import SETTING
from . import local_images

_BEGINNING = "-----BEGIN PUBLIC KEY-----"


def keys(said: Any, project: Path, images: str = "") -> list[str]:
    """Public keys (PEM) from a file's path, the text of a key, or a list of these.

    ``images`` is how images come to the hosts. `MaestroError` on anything else: what cannot be
    read must not mean that nobody has to sign.
    """
    values = said if isinstance(said, list) else [said] if said else []
    if values and images == local_images.SSH:
        raise MaestroError(
            "images that come over SSH have no signature, and the environment asks for one",
            where=SETTING,
            fix="push them to a registry and sign them there, or remove the setting",
        )
    return [_key(value, project) for value in values]


def _key(value: Any, project: Path) -> str:
    if not isinstance(value, str) or not value.strip():
        raise MaestroError("this is no key", where=SETTING, fix="write the path of cosign.pub")
    text = value
    if _BEGINNING not in text:
        try:
            text = (project / Path(value).expanduser()).read_text(encoding="ascii")
        except (OSError, UnicodeError, ValueError):
            raise MaestroError(
                "the key cannot be read",
                where=f"{SETTING}: {value.strip()[:200]}",
                fix="write the path of cosign.pub, from the directory of ansible.cfg",
            ) from None
    if not text.strip().startswith(_BEGINNING):
        raise MaestroError(
            "this is no public key",
            where=f"{SETTING}: {value.strip()[:200] if text is not value else 'the text'}",
            fix=f"its first line is {_BEGINNING}: cosign public-key --key KEY writes one",
        )
    return text.strip() + "\n"
