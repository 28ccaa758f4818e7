"""What a release records and no container shows: its checks, and how services are exchanged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..release.render import Rendered
from ..stack import smoke
from .records import Setting

if TYPE_CHECKING:
    from ..records import Check, Entry, Extension, Serving

# Facts of a service in a manifest that shape none of its containers, and how a plan calls them.
_FACTS = {
    "exchange": "rules of update and rollback",
    "job": "rules of the job",
    "throw_away": "throw_away",
}
# The same of a service in a release's Compose file.
_KEYS = {"depends_on": "depends_on"}


def changes(state: Serving, rendered: Rendered, extension: Extension) -> list[Setting]:
    """What of it differs from the release that serves, as a plan shows it; nothing where none does.

    ``state`` is the answer of `host.state.read`. What an older manifest does not record has not
    changed.
    """
    manifest = state["release"]
    found: list[Setting] = []
    if "smoke" in manifest:
        found += _checks(manifest["smoke"] or [], extension.get("smoke") or [])
    recorded = manifest.get("services") or {}
    services = state["file"].get("services") or {}
    for name, facts in sorted(rendered.services.items()):
        before: Entry = recorded.get(name) or {}
        what = [shown for key, shown in _FACTS.items() if _differs(key, before, facts)]
        after = rendered.compose["services"][name]
        what += [
            shown
            for key, shown in _KEYS.items()
            if name in services and _text(services[name].get(key)) != _text(after.get(key))
        ]
        found += [Setting(name, keys=tuple(what))] if what else []
    return found


def _differs(key: str, before: Entry, after: Entry) -> bool:
    """Whether a fact changed, as far as the older manifest records it."""
    if key not in before:
        # A service that is no job has no such fact; a manifest with rules knows of jobs.
        return key == "job" and key in after and "exchange" in before
    old, new = before[key], after.get(key)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        new = {name: value for name, value in new.items() if name in old}
    return _text(old) != _text(new)


def _checks(old: Iterable[Check], new: Iterable[Check]) -> Iterable[Setting]:
    """Smoke checks that came, left or changed; a change of their order counts as none."""
    before, after = ({_text(item): item for item in items} for items in (old, new))
    gone = [_name(item) for text, item in before.items() if text not in after]
    for text, item in after.items():
        if text in before:
            continue
        name = _name(item)
        if name in gone:
            gone.remove(name)
            yield Setting(f"check {name}")
        else:
            yield Setting(f"check {name}", "new")
    yield from (Setting(f"check {name}", "removed") for name in gone)


def _name(item: Check) -> str:
    """What a check is called, or what it asks: no header and no query, they may hold a password."""
    if item.get("name"):
        return str(item["name"])
    where, spec = next(iter(smoke.asked([item])), ("without a name", {}))
    kind = where.rpartition(".")[2]
    place = spec.get("service") or spec.get("host") or ("the edge" if spec.get("edge") else "")
    port = f":{spec['port']}" if "port" in spec else ""
    path = str(spec.get("path", "")).partition("?")[0]
    return f"{kind} {place}{port}{path}"


def _text(value: Any) -> str:
    """The same for what JSON writes alike: a manifest has lists where a release has tuples."""
    return json.dumps(value, sort_keys=True)
