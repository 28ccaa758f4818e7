"""What is checked once, before any play: that a run is what was meant by its command line.

A variable given with `-e` that nothing reads is ignored by Ansible: `-e stak=app` would deploy the
default stack. So each must be known: to a role, to a playbook, or to the user's own inventory.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ..errors import MaestroError
from ..host import naming
from .approval import from_outside
from .values import checked

Option = dict[str, Any]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_JUDGED = ("type", "choices", "elements")  # of an option, for its value on a command line
_SHORT = re.compile(r"^(\w+): \"\{\{ (\w+) \| default\(.*\) \}\}\"$", re.MULTILINE)
_READ = re.compile(r"\b([a-z_][a-z0-9_]*)\s*(?:\||is)\s*(?:default\b|defined\b|not defined\b)")
_KEY = re.compile(r"^([A-Za-z_]\w*):", re.MULTILINE)
_TEMPLATE = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]\w*")


# What is a name, or several with commas between, wherever it is given.
NAMES: dict[str, Callable[[str], Any]] = {
    "stack": naming.stack,
    "maestro_stack": lambda value: naming.stack(value, "-e maestro_stack"),
    "version": naming.version,
    "to": lambda value: naming.part(value, "a release", "-e to"),
    "promote": lambda value: naming.part(value, "an environment", "-e promote"),
    "secret": lambda value: naming.part(value, "a secret", "-e secret"),
    "service": lambda value: naming.part(value, "a service", "-e service"),
    "volumes": lambda value: naming.part(value, "a volume", "-e volumes"),
    "images_host": lambda value: naming.part(value, "a host", "-e images_host"),
}
NAMES |= {
    **{f"{role}_stack": NAMES["stack"] for role in ("deploy", "images", "edge_maintenance")},
    # The role images says by itself what a version is, and how one is built.
    "deploy_version": NAMES["version"],
    "deploy_back_to": NAMES["to"],
}
SEVERAL = ("secret", "service", "volumes")
# What is asked for by these names, by the playbooks that read them.
READ_BY: dict[str, tuple[str, ...]] = {
    "version": ("deploy.yml", "plan.yml", "fetch.yml", "images.yml", "rotate_secrets.yml"),
    "promote": ("deploy.yml", "plan.yml", "fetch.yml"),
    "to": ("rollback.yml",),
    "accept_schema": ("rollback.yml",),
    "secret": ("rotate_secrets.yml",),
    "service": ("logs.yml",),
    "volumes": ("remove.yml",),
    "maintenance": ("maintenance.yml",),
}
# Those that change a stack: a name that they do not read was meant to change something else.
CHANGING = ("deploy.yml", "rollback.yml", "rotate_secrets.yml", "remove.yml", "maintenance.yml")


class Known:
    """The variables that are read, by name, with what their specification says.

    ``root`` holds the roles and playbooks, ``project`` the user's own playbooks and group_vars.
    """

    def __init__(self, root: Path, project: Path | None = None) -> None:
        self._root = root
        self._project = project or root

    @cached_property
    def options(self) -> dict[str, Option]:
        """Every option of every role; and the short names that stand for one on a command line."""
        found: dict[str, Option] = {}
        for path in sorted(self._root.glob("roles/*/meta/argument_specs.yml")):
            loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 -- a SafeLoader
            for entry in loaded["argument_specs"].values():
                found |= entry.get("options") or {}
        short = {
            match[2]: found.get(match[1], {"type": "raw"})
            for path in self._root.glob("roles/*/defaults/main.yml")
            for match in _SHORT.finditer(path.read_text(encoding="utf-8"))
        }
        return {**short, **found}

    @cached_property
    def others(self) -> set[str]:
        """What group_vars set, and what a role or playbook reads without a specification."""
        found: set[str] = set()
        own = [*self._project.glob("group_vars/*.yml")]
        for path in (*own, *self._root.glob("roles/*/vars/*.yml")):
            found.update(_KEY.findall(path.read_text(encoding="utf-8")))
        own += self._project.glob("*.yml")
        for pattern in ("roles/*/*/*.yml", "playbooks/*.yml"):
            own += self._root.glob(pattern)
        for path in own:
            found.update(_READ.findall(path.read_text(encoding="utf-8")))
        return found


def problems(
    extra: Mapping[str, Any], known: Known, elsewhere: Callable[[], Iterable[Mapping[str, Any]]]
) -> list[MaestroError]:
    """What is wrong with the variables of a command line.

    ``elsewhere`` gives the variables of the inventory's hosts, without those of the command line;
    it is asked only about a name that nothing of ours knows.
    """
    found = from_outside(extra)
    refused = {problem.where for problem in found}
    unknown: list[str] = []
    for name, value in extra.items():
        if f"-e {name}" in refused:
            continue
        if name not in known.options and not name.startswith("ansible_"):
            unknown.append(name)
        try:
            _check(name, value, known.options.get(name, {"type": "raw"}))
        except MaestroError as problem:
            found.append(problem)
    unknown = [name for name in unknown if name not in known.others]
    if unknown:
        mentioned = {
            word for variables in elsewhere() for word in (*map(str, variables), *_used(variables))
        }
        found += [_unknown(name, known) for name in unknown if name not in mentioned]
    return found


def unread(extra: Mapping[str, Any], playbooks: Iterable[str]) -> list[MaestroError]:
    """Variables that ask for something which none of the run's ``playbooks`` does.

    ``rollback.yml -e version=v1`` would go back to the release before, whichever it is.
    """
    run = sorted(playbooks)
    return [
        MaestroError(
            f"{', '.join(run)} does not read this variable",
            where=f"-e {name}",
            fix=_READ_OTHERWISE.get((run[0], name), f"it is for {_listed(READ_BY[name])}"),
        )
        for name, value in extra.items()
        if name in READ_BY
        and str(value).strip()
        and run
        and set(run) <= set(CHANGING)
        and not set(run) & set(READ_BY[name])
    ]


_READ_OTHERWISE = {
    ("rollback.yml", "version"): "name the release to roll back to: -e to=RELEASE "
    "(maestro.stacks.history shows them), or deploy the version: deploy.yml -e version=TAG"
}


def overridden(root: Path, groups: Iterable[tuple[str, Mapping[str, Any]]]) -> list[MaestroError]:
    """Variables of groups in an inventory's own file that are ignored without a word.

    Ansible lets `group_vars/all.yml` beside the playbook count more than those.
    https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_variables.html
    """
    found: dict[tuple[str, str], MaestroError] = {}
    for group, given in groups:
        # What is said last counts.
        for file in ("all.yml", f"{group}.yml") if given else ():
            path = root / "group_vars" / file
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            values = yaml.load(text, Loader=_PLAIN)  # noqa: S506 -- a safe one
            if not isinstance(values, dict):
                continue  # empty, encrypted as a whole, or for Ansible to refuse
            for name in given:
                if name in values and not _same(values[name], given[name]):
                    found[group, name] = MaestroError(
                        f"the inventory sets it for the group {group}, and group_vars/{file} "
                        "counts more: it would be ignored",
                        where=name,
                        fix=f"move it to group_vars/{group}.yml, or set it for each host",
                    )
    return list(found.values())


# Reads files of variables; what is encrypted there is no value that can be compared.
_PLAIN: Any = type("_Plain", (_LOADER,), {})
_PLAIN.add_multi_constructor("!", lambda *_: None)


def _same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: an inventory in the INI format gives text."""
    if one == other:
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        words = [str(value).strip().lower() for value in (one, other)]
        return any(all(word in meaning for word in words) for meaning in _BOOLEANS)
    return all(isinstance(value, str | int | float) for value in (one, other)) and (
        str(one) == str(other)
    )


# https://docs.ansible.com/ansible/latest/reference_appendices/YAMLSyntax.html
_BOOLEANS = (("true", "yes", "on", "1", "y", "t"), ("false", "no", "off", "0", "n", "f"))


def converted(extra: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """Those of the variables that are text and mean a number, a boolean or a list, as these."""
    kinds = ("bool", "int", "float", "list")
    return {
        name: checked(value, option, name)
        for name, value in extra.items()
        if (option := known.options.get(name, {})).get("type") in kinds
        and isinstance(value, str)
        and "{{" not in value
    }


def _check(name: str, value: Any, option: Option) -> None:
    if "{{" in str(value):
        return
    plain: Option = {key: option[key] for key in _JUDGED if key in option}
    if plain.get("type") not in ("raw", "path"):
        checked(value, plain, name)
    if name in NAMES:
        # Without one, it is the default or all of them.
        for part in str(value).split(",") if name in SEVERAL else [value]:
            if str(part).strip(" "):
                NAMES[name](str(part).strip(" "))


def _unknown(name: str, known: Known) -> MaestroError:
    # The short names are what a command line is meant for.
    short = [each for each in known.options if "_" not in each]
    close = difflib.get_close_matches(name, short, n=1, cutoff=0.6) or difflib.get_close_matches(
        name, [*known.options, *known.others], n=1, cutoff=0.7
    )
    hint = f"did you mean {close[0]}? " if close else ""
    if name.isupper():
        hint = f"a value for ${{{name}}} of a stack goes into maestro_stack_variables. "
    return MaestroError(
        "nothing reads this variable",
        where=f"-e {name}",
        fix=f"{hint}A variable of your own must be set or used in your inventory or group_vars",
    )


def _used(value: Any) -> Iterable[str]:
    """The names in the templates of an inventory's variables."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _used(inner)
    elif isinstance(value, str):
        for template in _TEMPLATE.findall(value):
            yield from _WORD.findall(template)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
