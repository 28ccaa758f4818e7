"""What went wrong, said once: hosts that failed alike together, and nothing twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_NAMES = 6  # hosts named one by one
LINES = 20  # of what a program wrote
# What is left of a template, or what Ansible says in the place of one that failed.
_TEMPLATE = re.compile(r"\{[{%#].*?[}%#]\}|<< error.*?>>")
# Numbers, and ids of containers; a release has an id that makes a difference.
_NUMBER = re.compile(r"(\d{8}T\d{6}Z-\w+)|\d+(?:\.\d+)?|\b[0-9a-f]{12,64}\b")
# What Ansible puts before the message of an action.
_WRAPPING = re.compile(r"^(Task failed: |Action failed: |Module failed: )+")


def names(hosts: Sequence[str]) -> str:
    """Hosts as a line has them."""
    if len(hosts) <= MOST_NAMES:
        return ", ".join(hosts)
    return f"{', '.join(hosts[: MOST_NAMES - 1])} and {len(hosts) - MOST_NAMES + 1} more"


def plain_name(name: str) -> str:
    """A task's name without a template that nobody filled in."""
    return " ".join(_TEMPLATE.sub("", name).split())


def reason(result: Mapping[str, Any]) -> str:
    """Why a task failed, from its result: its message, and what a program wrote."""
    items = [
        f"{_label(item)}: {reason(item)}" if _label(item) else reason(item)
        for item in result.get("results") or ()
        if isinstance(item, Mapping) and (item.get("failed") or item.get("unreachable"))
    ]
    if items:
        return "\n".join(dict.fromkeys(items))
    said = _text(result.get("msg")) or "it failed without a word"
    parts = [_WRAPPING.sub("", said)]
    for key in ("stderr", "module_stderr", "stdout", "module_stdout"):
        written = _text(result.get(key)).strip()
        if written and written not in said:
            parts += [f"    {line}" for line in written.splitlines()[-LINES:]]
            break
    return "\n".join(parts)


def _text(value: Any) -> str:
    """A message as text; a list of them line by line."""
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    text = "" if value is None else str(value)
    # A message that went through another program has its line ends written out.
    return text.replace("\\r\\n", "\n").replace("\\n", "\n") if "\n" not in text else text


def _label(item: Mapping[str, Any]) -> str:
    label = item.get("_ansible_item_label", item.get("item", ""))
    return label if isinstance(label, str) else ""


@dataclass
class Told:
    """What was said so far, so that it is not said again."""

    _said: list[str] = field(default_factory=list)
    _hosts: int = 0

    def news(self, failures: Mapping[str, str]) -> list[tuple[list[str], str]]:
        """Hosts and what is wrong with them, by what is new; ``failures`` are texts by host.

        Texts that differ only in the host's name, in numbers, or in what a program wrote (its
        lines are indented) are alike: the first host's stands for them.
        """
        grouped: dict[str, tuple[list[str], str]] = {}
        for host, text in failures.items():
            new = self._new(text)
            if new:
                grouped.setdefault(_gist(new, host), ([], new))[0].append(host)
        for text in failures.values():
            self.heard(text)
        self._hosts += len(failures)
        return list(grouped.values())

    @property
    def anything(self) -> bool:
        """Whether a host has said why it failed."""
        return self._hosts > 0

    def heard(self, text: str) -> None:
        """Count a text as said."""
        text = text.strip()
        if text and text not in self._said:
            # The longest first: one may be a part of another.
            self._said = sorted([*self._said, text], key=len, reverse=True)

    def _new(self, text: str) -> str:
        for said in self._said:
            text = text.replace(said, "")
        return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def _gist(text: str, host: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("    ")]
    named = re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "HOST", "\n".join(lines))
    return _NUMBER.sub(lambda match: match[1] or "N", named)


def indented(text: str) -> str:
    """A text under its heading."""
    return "\n".join(f"  {line}" if line.strip() else "" for line in text.splitlines())


def listed(things: Iterable[str], most: int = 8) -> str:
    """Services as a line has them."""
    found = list(dict.fromkeys(things))
    more = len(found) - most
    return ", ".join(found[:most]) + (f" and {more} more" if more > 0 else "")
