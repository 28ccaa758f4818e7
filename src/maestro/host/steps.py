"""The steps of a play on a host: what each of Maestro's modules does there.

A module runs one of them, and so does the host's own program (`agent`), which needs nothing
sent but the parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import beginning, lease, looking, naming
from .layout import Layout
from .looking import Answer

# A step loads what it needs when it is taken: what the others need would cost more time than
# most of them take.


@dataclass(frozen=True)
class Step:
    """``arguments`` are an Ansible argument spec.

    A ``leased`` step keeps the lease for as long as it works, with ``check`` among its
    parameters, which raises when the lease was lost; after the ``last`` it is given back.
    A step that only ``reads`` runs in check mode too.
    """

    work: Callable[[Layout, dict[str, Any]], Answer]
    arguments: Mapping[str, Mapping[str, Any]]
    leased: bool = False
    last: bool = False
    reads: bool = False

    def specification(self) -> dict[str, dict[str, Any]]:
        """All its parameters."""
        shared = {"root": {"type": "path", "required": True}}
        if "request" not in self.arguments or self.leased:
            shared["stack"] = {"type": "str", "required": True}
        if self.leased:
            shared["lease"] = {"type": "str", "required": True}
        return {**shared, **{name: dict(given) for name, given in self.arguments.items()}}


def take(name: str, params: dict[str, Any]) -> Answer:
    """Do a step with checked parameters; one that fails answers ``failed`` and ``msg``."""
    step = STEPS[name]
    stack = params["stack"] if "stack" in params else params["request"]["stack"]
    try:
        # Without a name a step is about all stacks.
        _ = stack and naming.stack(stack)
    except MaestroError as error:
        return {"failed": True, "msg": str(error)}
    layout = Layout(Path(params["root"]), stack)
    try:
        if step.leased:
            from . import approval

            with lease.kept(layout, params["lease"]) as check:
                approval.step(layout, name, params, params["lease"])
                answer = step.work(layout, {**params, "check": check})
                approval.done(layout, name, params["lease"])
        else:
            answer = step.work(layout, params)
        if step.last:
            lease.release(layout, params["lease"])
    except MaestroError as error:
        problem = error
    except OSError as error:
        problem = MaestroError(
            f"{error.strerror}: {error.filename}" if error.strerror else str(error),
            fix="check the disk and the permissions of this path on the host",
        )
    else:
        return answer
    _remember(layout, step, params, str(problem))
    return {"failed": True, "msg": str(problem)}


def _remember(layout: Layout, step: Step, params: Mapping[str, Any], message: str) -> None:
    """Keep in the history why a run was refused, or what failed in it."""
    from . import journal

    if params.get("claim") and params["state"] == "acquired":
        journal.note(layout, params["claim"], journal.REFUSED, message)
    elif step.leased and (found := lease.read(layout)) and found.token == params["lease"]:
        journal.note(layout, asdict(found), journal.FAILED, message)


# Bringing a release in


def _pull(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import approval, images
    from .login import Login

    approval.pulled(layout, params)
    login = json.loads(params["payload"])["login"]
    pulled = images.pull(params["images"], Login(**login) if login else None)
    images.note(layout, pulled)
    return {"changed": bool(pulled), "pulled": pulled}


def _stage(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import release, secrets, userns

    remap = userns.here()
    secrets.complete(layout, params["secrets"], remap)
    release.stage(
        layout, params["release"], params["compose"], params["configs"], params["reading"], remap
    )
    return {"changed": True}


def _secrets(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import secrets, userns

    values = json.loads(params["payload"])["secrets"]
    written = secrets.write(layout, params["files"], values, userns.here())
    return {"changed": bool(written), "written": written}


def _migrate(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import migrate

    output = migrate.migrate(
        layout, params["release"], params["services"], params["migrations"], params["check"]
    )
    return {"changed": bool(params["migrations"]), "output": output}


def _up(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import edge_requests, roll
    from .aim import Aim

    answered = edge_requests.watched(layout.stack)
    aim = Aim(params["release"], params["services"], params["routes"], params["kind"])
    way = roll.Roll(
        layout,
        aim,
        params["timeout"],
        recreate=frozenset(params["recreate"]),
        with_canary=params["canary"],
        check=params["check"],
        apart=params["together"],
        settle=params["settle"],
    )
    done = roll.up(
        way,
        params["levels"],
        params["remove_first"],
        params["networks"],
        joined=params["together"],
    )
    return {"changed": any(done.values()), **done, **answered()}


def _smoke(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import smoke

    passed = smoke.check(layout, params["release"], params["checks"])
    return {"changed": False, "passed": passed}


def _commit(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import adoption, images, jobs, journal, recovery, release, roll, settle
    from .aim import Aim
    from .engine import Engine
    from .nameless import note, sweep

    taken = lease.beat(layout, params["lease"])
    manifest = params["manifest"]
    aim = Aim(params["release"], manifest["services"], kind=params["kind"])
    settle.last_look(layout, Engine(), aim, taken.acquired)
    release.commit(layout, params["release"], manifest)
    recovery.clear(layout)
    images.settle(layout)
    mine = lease.disarm(layout, params["lease"])
    journal.note(layout, {**asdict(mine), "release": params["release"]}, journal.DONE)
    way = roll.Roll(layout, aim, params["timeout"])
    note(layout, way.engine)
    jobs.remember(layout, way.engine, manifest["services"])
    removed = way.leaving.remove(params["remove"])
    adoption.forget(layout, way.engine)
    sweep(layout, way.engine)
    return {"changed": True, "removed": removed}


def _finish(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import anew, identity, release
    from .engine import Engine

    here = identity.read()
    # Of a host that asks for approvals nobody takes the way back: it is in no plan.
    keep = max(params["keep"], 2) if here and here.approval else params["keep"]
    unused = anew.tidy(layout, Engine(), release.committed(layout))
    dropped = release.prune(layout, keep)
    return {"changed": bool(dropped or unused), "dropped": dropped, "networks": unused}


def _remove(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import journal, removal

    mine = lease.read(layout)
    removed = removal.remove(layout, params["lease"], params["volumes"], params["timeout"])
    if mine:
        journal.note(layout, asdict(mine), journal.DONE, "\n".join(removed))
    return {"changed": bool(removed), "removed": removed}


def _put_back(layout: Layout, params: dict[str, Any]) -> Answer:
    from . import journal, recovery
    from .put_back import put_back

    found, result, why = lease.read(layout), journal.PUT_BACK, ""
    try:
        done = put_back(
            layout,
            params["release"],
            params["timeout"],
            params["serves"],
            params["check"],
            settling=params["settle"],
        )
    except recovery.Incomplete as problem:
        # The host goes on trying by itself, and does not hold the lease meanwhile.
        recovery.note(layout, problem.release, params["timeout"], problem.problems)
        done = {"serves": problem.release, "restored": problem.restored, "problem": str(problem)}
        result, why = journal.FAILED, f"not restored completely: {problem}"
    if found:
        journal.note(layout, asdict(found), result, why)
    return {"changed": bool(done["restored"]), "problem": "", **done}


_TEXT = {"type": "str", "required": True}
_ANY_TEXT = {"type": "str", "default": ""}
_TEXTS = {"type": "list", "elements": "str", "required": True}
_FACTS = {"type": "dict", "required": True}
_ITEMS = {"type": "list", "elements": "dict", "required": True}
_SECONDS = {"type": "float", "required": True}
_KIND = {"type": "str", "default": "update", "choices": ["update", "rollback"]}
_WAIT = {"type": "float", "default": 0}
# Runs whose process is gone, as the machine says that they ran on, see `play.runs`.
_DEAD = {"type": "list", "elements": "str", "default": []}
_PAYLOAD = {"type": "str", "required": True, "no_log": True}

STEPS: dict[str, Step] = {
    "state": Step(
        looking.read_state,
        {
            "request": _FACTS,
            "resolve": {"type": "bool", "required": True},
            "wait": _WAIT,
            "dead": _DEAD,
            "payload": _PAYLOAD,
        },
        reads=True,
    ),
    "history": Step(
        looking.read_history,
        {
            "to": {"type": "str", "default": ""},
            "wait": _WAIT,
            "dead": _DEAD,
            "payload": {"type": "str", "default": "", "no_log": True},
        },
        reads=True,
    ),
    "verified": Step(looking.read_verified, {}, reads=True),
    # Without a stack: all of them.
    "overview": Step(
        looking.read_overview,
        {"stack": _ANY_TEXT, "security": {"type": "bool", "default": False}},
        reads=True,
    ),
    "checkup": Step(
        looking.read_checkup,
        {"stack": _ANY_TEXT, "registry": _ANY_TEXT, "payload": _PAYLOAD},
        reads=True,
    ),
    "journal": Step(
        looking.read_journal,
        {"stack": _ANY_TEXT, "last": {"type": "int", "default": 50}},
        reads=True,
    ),
    "note": Step(looking.note_refusal, {"claim": _FACTS, "reason": _TEXT}),
    "logs": Step(
        looking.read_logs,
        {
            "services": _TEXTS,
            "since": _TEXT,
            "tail": _TEXT,
            "timestamps": {"type": "bool", "default": False},
        },
        reads=True,
    ),
    "execute": Step(
        looking.execute,
        {
            "service": _TEXT,
            "argv": _TEXTS,
            "seconds": {"type": "float", "default": 60},
            "by": _ANY_TEXT,
        },
    ),
    "lease": Step(
        beginning.use_lease,
        {
            "state": {"type": "str", "required": True, "choices": ["acquired", "released"]},
            "claim": {"type": "dict", "default": {}},
            "expect": {"type": "dict", "default": {}},
            "token": {"type": "str", "default": "", "no_log": False},
        },
    ),
    # About the host itself, and no stack of it.
    "identity": Step(
        beginning.be_told,
        {
            "stack": _ANY_TEXT,
            "state": {
                "type": "str",
                "default": "present",
                "choices": ["asked", "present", "allowed", "ended"],
            },
            "what": _ANY_TEXT,
            "token": {"type": "str", "default": "", "no_log": False},
            "settings": {"type": "dict", "default": {}},
            "approval": {"type": "dict", "default": {}},
            "by": _ANY_TEXT,
        },
        reads=True,  # the action plugin writes nothing in check mode
    ),
    "recover": Step(beginning.recover, {}),
    "pull": Step(_pull, {"request": _FACTS, "images": _TEXTS, "payload": _PAYLOAD}),
    "stage": Step(
        _stage,
        {
            "release": _TEXT,
            "compose": _TEXT,
            "configs": _FACTS,
            "secrets": {"type": "list", "elements": "dict", "default": [], "no_log": False},
            "reading": {"type": "dict", "default": {}},
        },
        leased=True,
    ),
    "secrets": Step(
        _secrets, {"request": _FACTS, "files": _ITEMS, "payload": _PAYLOAD}, leased=True
    ),
    "migrate": Step(
        _migrate, {"release": _TEXT, "services": _FACTS, "migrations": _ITEMS}, leased=True
    ),
    "up": Step(
        _up,
        {
            "release": _TEXT,
            "services": _FACTS,
            "routes": _ITEMS,
            "kind": _KIND,
            "together": {"type": "bool", "default": False},
            "levels": {"type": "list", "elements": "list", "required": True},
            "recreate": _TEXTS,
            "remove_first": _TEXTS,
            "networks": {"type": "list", "elements": "str", "default": []},
            "canary": {"type": "bool", "default": False},
            "timeout": _SECONDS,
            "settle": {"type": "float", "default": 10},
        },
        leased=True,
    ),
    "smoke": Step(_smoke, {"release": _TEXT, "checks": _ITEMS}, leased=True),
    "commit": Step(
        _commit,
        {
            "release": _TEXT,
            "manifest": _FACTS,
            "remove": _TEXTS,
            "kind": _KIND,
            "timeout": _SECONDS,
        },
        leased=True,
    ),
    "finish": Step(_finish, {"keep": {"type": "int", "required": True}}, leased=True, last=True),
    "removal": Step(looking.read_removal, {"dead": _DEAD}, reads=True),
    "remove": Step(_remove, {"volumes": _TEXTS, "timeout": _SECONDS}, leased=True, last=True),
    "put_back": Step(
        _put_back,
        {
            "release": _TEXT,
            "serves": _TEXT,
            "timeout": _SECONDS,
            "settle": {"type": "float", "default": 5},
        },
        leased=True,
        last=True,
    ),
}
