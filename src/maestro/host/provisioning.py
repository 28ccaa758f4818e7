"""What the roles that provision a host do there by a module: its Engine's daemon and its edge.

No program of the host takes these: a play runs them where there is none yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import raise_all
from . import approval, daemon, edge, edge_image, edge_proxy
from . import daemon_containers as containers
from .engine import Engine
from .layout import Layout

Answer = dict[str, Any]
_TEXT = {"type": "str", "required": True}
_NUMBER = {"type": "int", "required": True}

DAEMON: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "default": "present", "choices": ["asked", "present", "running"]},
    "content": {"type": "str", "default": ""},
    "timeout": {"type": "float", "default": 60},
    "accept_other_data": {"type": "bool", "default": False},
    "running": {"type": "list", "elements": "dict", "default": []},
}
EDGE: dict[str, dict[str, Any]] = {
    "root": {"type": "path", "required": True},
    "image": _TEXT,
    "uid": _NUMBER,
    "grace": _NUMBER,
    "static": _TEXT,
    "dynamic": _TEXT,
    "settings": {"type": "dict", "required": True},
    "memory": {"type": "int", "default": 1024},
    "metrics_password": {"type": "str", "default": "", "no_log": True},
    "acme_environment": {"type": "dict", "default": {}, "no_log": True},
}
EDGE_IMAGE: dict[str, dict[str, Any]] = {
    "image": _TEXT,
    "again": {"type": "bool", "default": False},
}
MAINTENANCE: dict[str, dict[str, Any]] = {
    "root": {"type": "path", "required": True},
    "stack": _TEXT,
    "on": {"type": "bool", "required": True},
    "by": {"type": "str", "default": ""},
    "approval": {"type": "dict", "default": {}},
}


def run_daemon(given: Mapping[str, Any], check: bool) -> Answer:  # noqa: FBT001 -- of all modules
    """Have the Engine run with a daemon.json, see `daemon`."""
    engine = Engine()
    wish = daemon.Wish(given["content"], given["timeout"], given["accept_other_data"])
    if given["state"] == "running":
        ran = [containers.Running(**item) for item in given["running"]]
        if ran and not check:
            approval.provisioned("what the Engine runs")
        started = [] if check else containers.keep_running(engine, ran, kept=False)
        return {"changed": bool(started), "started": started}
    if given["state"] == "asked" or check:
        if given["content"]:
            raise_all(daemon.problems(wish, daemon.look(), engine))
        before = Path(daemon.FILE).read_text() if daemon.FILE.exists() else ""
        changed = given["state"] == "present" and before != wish.text
        there = [vars(item) for item in containers.running_or_none(engine)]
        return {"changed": changed, "running": there, "diff": _diff(before, wish, changed=changed)}
    approval.provisioned("the Engine")
    done = daemon.apply(wish, daemon.look(), engine)
    diff = _diff(done.before, wish, changed=done.before != wish.text)
    return {"changed": done.changed, "started": done.started, "diff": diff}


def run_edge(given: Mapping[str, Any], check: bool) -> Answer:  # noqa: FBT001 -- of all modules
    """Have the wanted edge running, see `edge_proxy`."""
    wish = edge_proxy.Wish(**{name: value for name, value in given.items() if name != "root"})
    if not check:
        approval.provisioned("the edge")
    diff = edge_proxy.configure(wish, check=check)
    if not check:
        # Other settings make other routes out of the same assignment.
        edge.sync(Path(given["root"]))
    changed = edge_proxy.ensure(wish, check=check)
    return {"changed": changed or bool(diff), "diff": diff}


def find_edge_image(given: Mapping[str, Any], check: bool) -> Answer:  # noqa: FBT001 -- of all modules
    """Find the digest of the edge's image, see `edge_image`."""
    found = edge_image.resolve(given["image"], check=True)
    if not check and (given["again"] or "@" not in found):
        approval.provisioned("the edge")
        found = edge_image.resolve(given["image"], again=given["again"])
    return {"changed": False, "image": found}


def maintain(given: Mapping[str, Any], check: bool) -> Answer:  # noqa: FBT001 -- of all modules
    """Switch the maintenance page of a stack on or off, see `edge.maintain`."""
    layout = Layout(Path(given["root"]), given["stack"])
    on, by = bool(given["on"]), str(given["by"])
    changed = edge.maintain(layout, on=on, check=True)
    if changed and not check:
        asked = {"operation": "maintenance", "stack": layout.stack, "settings": {"on": on}}
        found = approval.once(given["approval"], by, asked)
        edge.maintain(layout, on=on, by=by, approved=found.record if found else {})
    return {"changed": changed}


def _diff(before: str, wish: daemon.Wish, *, changed: bool) -> dict[str, str]:
    if not changed:
        return {}
    path = str(wish.file)
    texts = {"before": before, "after": wish.text}
    return {**texts, "before_header": path, "after_header": path}
