"""The steps of a play that look at a host and change nothing of a stack, see `steps`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import identity, lease
from .layout import Layout

# As in `steps`: a step loads what it needs when it is taken.

Answer = dict[str, Any]


def read_state(layout: Layout, params: dict[str, Any]) -> Answer:
    """What a deploy is decided on."""
    from . import state
    from .login import Login

    request, given = params["request"], json.loads(params["payload"])
    asked = state.Request(
        stack=request["stack"],
        root=params["root"],
        files=request["files"],
        compose_files=request["compose_files"],
        version=request["version"],
        variables=request["variables"],
        resolve=params["resolve"],
        login=Login(**given["login"]) if given["login"] else None,
        secrets=given["secrets"],
        env_files=tuple(request.get("env_files") or ()),
        signed_by=tuple(request.get("signed_by") or ()),
        verified=(request.get("promoted") or {}).get("images") or {},
    )
    lease.expire(layout, params["dead"])
    lease.wait(layout, params["wait"])
    return {"changed": False, **state.read(asked), **itself(layout, given["secrets"])}


def read_history(layout: Layout, params: dict[str, Any]) -> Answer:
    """What a rollback and a rotation are decided on."""
    from . import history

    values = json.loads(params["payload"])["secrets"] if params["payload"] else {}
    lease.expire(layout, params["dead"])
    lease.wait(layout, params["wait"])
    found = history.read(layout, params["to"], values=values)
    return {"changed": False, **found, **itself(layout, values)}


def itself(layout: Layout, values: Mapping[str, str]) -> Answer:
    """What a plan needs to know of the host itself: who approves here, and its fingerprints."""
    return {
        "identity": identity.facts(layout.root),
        "fingerprints": identity.fingerprints(values),
    }


def read_overview(layout: Layout, params: dict[str, Any]) -> Answer:
    """What a status is made of."""
    from . import engine, overview, runtime

    here = engine.Engine()
    looker = runtime.Looker(here) if params["security"] else None
    if not params["stack"]:
        return {"changed": False, **overview.everything(layout.root, here, looker)}
    return {"changed": False, **overview.read(layout, here, looker)}


def read_checkup(layout: Layout, params: dict[str, Any]) -> Answer:
    """How the host is, for `maestro doctor`."""
    from . import checkup
    from .login import Login

    given = json.loads(params["payload"])["login"]
    login = Login(**given) if given else None
    return {"changed": False, "facts": checkup.read(layout.root, params["registry"], login)}


def read_verified(layout: Layout, _params: dict[str, Any]) -> Answer:
    """What this host has verified, for another environment."""
    from . import verified

    return {"changed": False, **verified.read(layout)}


def read_journal(layout: Layout, params: dict[str, Any]) -> Answer:
    """What happened to stacks, the newest last."""
    from . import journal

    names = [params["stack"]] if params["stack"] else journal.stacks(layout.root)
    found = [
        event for name in names for event in journal.read(Layout(layout.root, name), params["last"])
    ]
    found.sort(key=lambda event: str(event["at"]))
    return {"changed": False, "events": found[-params["last"] :]}


def note_refusal(layout: Layout, params: dict[str, Any]) -> Answer:
    """Keep in the history that a run was refused."""
    from . import journal, mask

    message = mask.redactor(layout).text(params["reason"])
    journal.note(layout, params["claim"], journal.REFUSED, message)
    return {"changed": False}


def read_logs(layout: Layout, params: dict[str, Any]) -> Answer:
    """What services wrote."""
    from . import logs

    asked = (params["services"], params["since"], params["tail"])
    text = logs.read(layout, *asked, timestamps=params["timestamps"])
    return {"changed": False, "text": text}


def read_removal(layout: Layout, params: dict[str, Any]) -> Answer:
    """What a removal is decided on."""
    from . import removal

    lease.expire(layout, params["dead"])
    return {"changed": False, **removal.read(layout), **itself(layout, {})}


def execute(layout: Layout, params: dict[str, Any]) -> Answer:
    """Run a command in a container: Maestro changes nothing, what the command does is its own."""
    from . import command

    asked = (params["service"], params["argv"], params["seconds"], params["by"])
    ended = command.run(layout, *asked)
    return {"changed": True, "rc": ended.code, "text": ended.text}
