"""The rooms of src/maestro: who may import whom, what is pure, and what travels to hosts."""

from __future__ import annotations

import ast
import io
import re
import zipfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from maestro.play import agent_archive

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/maestro"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts): path
    for path in sorted(SOURCE.rglob("*.py"))
}

# What each room may import, besides itself and the modules beside the rooms (errors).
MAY_IMPORT: dict[str, set[str]] = {
    "redaction": set(),
    "host": {"redaction"},
    "stack": {"host", "redaction"},
    "release": {"host", "stack"},
    "secrets": set(),
    "plan": {"host", "stack", "release", "secrets"},
    "report": {"host", "stack", "release", "plan"},
    "play": {"redaction", "host", "stack", "release", "secrets", "plan", "report"},
    "machine": set(),
    "cli": {"redaction", "host", "stack", "secrets", "plan", "play", "report"},
}
# Rooms in which nothing touches the world: data in, data out.
PURE = ("plan", "release", "report")
# The only modules of stack/ that read a disk. A pure room takes what they found, never them.
READERS = {"stack.directory", "stack.files", "stack.program_text"}
WORLD = {
    *("ansible", "ansible_collections", "asyncio", "fcntl", "getpass", "http"),
    *("importlib", "multiprocessing", "os", "pathlib", "platform", "random", "secrets", "select"),
    *("shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time"),
    *("urllib.request", "uuid"),
}
CALLS = {"open", "input", "print", "__import__", "exec", "eval"}
CLOCK = {"now", "today", "utcnow"}  # of datetime, whose other methods only read a text
# What touches the world where its room does not: (module, import) and why that does no harm.
EXCEPTIONS = {
    ("plan.deploy", "pathlib"): "names a directory on a host and reads nothing",
    ("report.tables", "now"): "says how long ago something was",
    ("stack.smoke", "importlib"): "reads the schema, which is a part of the package",
}
# Ansible outside of play/, and why.
WITH_ANSIBLE = {
    "cli.maestro_secrets": "takes the same settings and passwords as Ansible's own commands",
    "secrets.encrypted": "the format of Vault files is Ansible's, SOPS comes with a collection",
    "secrets.vault_file": "the format of Vault files is Ansible's",
}
# What the deciding rooms take from modules of host/ that touch the world: records, constants, and
# functions of their arguments alone.
FROM_HOST = {
    "host.address": {"ELSEWHERE"},
    "host.borrowed": {"MODES", "NETWORK", "VOLUMES"},
    "host.carried": {"files", "paths", "reference", "renamed"},
    "host.checkup": {"UNITS"},
    "host.compose": {"SURROUNDINGS"},
    "host.drift": {"digest"},
    "host.files": {"File", "digests", "for_all"},
    "host.folder": {"Folder", "each"},
    "host.holds": {
        *("ADDRESS", "Clash", "Hold", "Holder", "Need", "PATH", "VOLUME", "clash", "dump"),
        *("in_the_way", "load", "mounted", "of_service", "writes_data"),
        "real",  # with a table of a host's links, never with the disk of this machine
    },
    "host.incoming": {"is_sent"},
    "host.jobs": {"Job"},
    "host.layout": {"Layout"},
    "host.life": {"moment"},
    "host.neighbours": {"Neighbour", "of"},
    "host.ports": {"ANY4", "ANY6", "EDGE", "EDGE_PORTS", "PROGRAM", "Taken"},
    "host.removal": {"Found"},
    "host.resources": {"Network", "Resources", "Volume"},
    "host.secret_files": {"SecretFile"},
    "host.settle": {"WATCH"},
    "host.userns": {"Remap", "of_host"},
}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


class Import(NamedTuple):
    """One name that a module imports; ``module`` is ours without ``maestro``, or another's."""

    module: str
    name: str
    ours: bool


@cache
def imports(module: str) -> list[Import]:
    """Everything a module imports, for types and inside functions as well."""
    package = module.split(".")[:-1]
    found = []
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, "", ours=False) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert not (node.module or "").startswith("maestro"), f"{module}: import it relatively"
            found += [Import(node.module or "", alias.name, ours=False) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
            where = ".".join(filter(None, base))
            for alias in node.names:
                whole = f"{where}.{alias.name}" if where else alias.name
                is_module = whole in MODULES
                found.append(
                    Import(
                        whole if is_module else where, "" if is_module else alias.name, ours=True
                    )
                )
    return found


def room(module: str) -> str:
    """The room a module is in; empty for those beside the rooms."""
    return module.split(".", maxsplit=1)[0] if "." in module else ""


def in_rooms(*rooms: str) -> list[str]:
    return [name for name in MODULES if room(name) in rooms]


@cache
def world(module: str) -> set[str]:
    """What of the world a module touches by itself."""
    names = {item.module for item in imports(module) if not item.ours}
    found = {
        word for name in names for word in WORLD if name == word or name.startswith(f"{word}.")
    }
    functions = [node.func for node in ast.walk(tree(module)) if isinstance(node, ast.Call)]
    called = {function.id for function in functions if isinstance(function, ast.Name)}
    methods = {function.attr for function in functions if isinstance(function, ast.Attribute)}
    return found | (called & CALLS) | (methods & CLOCK)


def test_every_module_is_in_a_room() -> None:
    rooms = {room(name) for name in MODULES} - {""}
    assert rooms == set(MAY_IMPORT)
    beside = {name for name in MODULES if not room(name)} - {"__init__"}
    assert beside <= {"errors", "records"}, "a module beside the rooms is for all of them"


@pytest.mark.parametrize("name", ["", *MAY_IMPORT])
def test_a_room_imports_only_the_rooms_below_it(name: str) -> None:
    allowed = {"", name, *MAY_IMPORT.get(name, ())}
    wrong = [
        f"{module} imports {item.module}"
        for module in in_rooms(name)
        for item in imports(module)
        if item.ours and room(item.module) not in allowed
    ]
    assert wrong == []


def test_rooms_have_no_circle() -> None:
    order: list[str] = []
    while len(order) < len(MAY_IMPORT):
        ready = [name for name, below in MAY_IMPORT.items() if below <= set(order)]
        new = [name for name in ready if name not in order]
        assert new, set(MAY_IMPORT) - set(order)
        order += new


def test_a_rooms_face_is_a_docstring() -> None:
    """What is imported of a room is loaded, and nothing else of it."""
    for name in set(MAY_IMPORT) - {"redaction"}:
        (text,) = ast.parse((SOURCE / name / "__init__.py").read_text()).body
        assert isinstance(text, ast.Expr), name
        assert isinstance(text.value, ast.Constant), name


def test_what_decides_asks_neither_clock_nor_disk_nor_network() -> None:
    touched = {
        (module, what)
        for module in [*in_rooms(*PURE, "stack"), "secrets.renewal"]
        if module not in READERS
        for what in world(module)
    }
    assert touched == set(EXCEPTIONS)


def test_what_decides_takes_only_facts_from_what_reads_a_host() -> None:
    taken: dict[str, set[str]] = {}
    for module in in_rooms(*PURE, "stack"):
        for item in imports(module):
            if item.ours and room(item.module) == "host" and reaches_the_world(item.module):
                names = {item.name} if item.name else used(module, item.module)
                taken.setdefault(item.module, set()).update(names)
    assert taken == FROM_HOST


def used(module: str, of: str) -> set[str]:
    """What a module uses of another that it imports whole."""
    local = of.rpartition(".")[2]
    return {
        node.attr
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == local
    }


@cache
def reaches_the_world(module: str) -> bool:
    """Whether a module of host/ touches the world, by itself or by what it imports."""
    seen, left = set(), [module]
    while left:
        name = left.pop()
        if world(name):
            return True
        seen.add(name)
        left += [
            item.module
            for item in imports(name)
            if item.ours and room(item.module) == "host" and item.module not in seen
        ]
    return False


def test_what_decides_reads_no_files_of_a_stack() -> None:
    wrong = [
        f"{module} imports {item.module}"
        for module in in_rooms(*PURE)
        for item in imports(module)
        if item.module in READERS
    ]
    assert wrong == []


def test_a_plan_knows_names_of_secrets_and_no_source_of_values() -> None:
    taken = {
        item.module
        for module in in_rooms("plan")
        for item in imports(module)
        if item.ours and room(item.module) == "secrets"
    }
    assert taken == {"secrets.renewal"}


def test_ansible_is_imported_in_one_room() -> None:
    found = {
        module
        for module in MODULES
        if room(module) != "play" and world(module) & {"ansible", "ansible_collections"}
    }
    assert found == set(WITH_ANSIBLE)


def test_hosts_get_what_runs_on_hosts() -> None:
    with zipfile.ZipFile(io.BytesIO(agent_archive.build())) as archive:
        names = archive.namelist()
    assert "maestro/host/agent.py" in names
    rooms = {name.split("/")[1] for name in names if name.startswith("maestro/")}
    assert rooms == {"__init__.py", "errors.py", "host", "redaction"}


def test_the_hosts_program_has_what_it_loads_and_no_more() -> None:
    loaded, left = {"host.__init__"}, ["host.agent"]
    while left:
        loaded.add(name := left.pop())
        left += [
            item.module
            for item in imports(name)
            if item.ours and room(item.module) == "host" and item.module not in loaded
        ]
    with zipfile.ZipFile(io.BytesIO(agent_archive.build())) as archive:
        names = [name for name in archive.namelist() if name.startswith("maestro/host/")]
    brought = {
        name.removeprefix("maestro/").removesuffix(".py").replace("/", ".") for name in names
    }
    assert brought == loaded


def test_how_containers_are_exchanged_is_decided_without_touching_them() -> None:
    assert not reaches_the_world("host.exchange")


def test_modules_carry_what_runs_on_hosts() -> None:
    """What a module of Ansible imports goes to the host with it."""
    carried = {}
    for path in [*(ROOT / "library").glob("*.py"), *(ROOT / "module_utils").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            said = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if said.startswith("ansible_collections.maestro.stacks.plugins.module_utils.maestro."):
                carried.setdefault(path.stem, set()).add(said.split(".")[6])
    # This one runs on the machine that has the lab, and on no other.
    assert carried.pop("lab_info") == {"machine"}
    assert set.union(*carried.values()) == {"errors", "host"}


def test_the_records_are_loaded_for_their_types_alone() -> None:
    """The host's own program has no `records`, and they cost the start of each worker nothing.

    Who is given a record as a value asks it for its keys, see `play.controller.whole`.
    """
    loaded = [
        module
        for module in MODULES
        for node in tree(module).body
        if isinstance(node, ast.ImportFrom) and node.level == len(module.split("."))
        if "records" in (node.module or " ".join(alias.name for alias in node.names)).split()
    ]
    assert loaded == []


# Where JSON or YAML comes in, and is anything.
BORDERS = {("plan.document", "of")}


def test_what_decides_has_names_for_its_data() -> None:
    """A signature says which record it takes, and not that it takes a mapping of anything."""
    nameless = {
        (module, node.name)
        for module in in_rooms("plan", "release", "stack")
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef)
        for part in [*node.args.args, *node.args.kwonlyargs, node]
        for said in [part.returns if isinstance(part, ast.FunctionDef) else part.annotation]
        if said and re.search(r"(?:dict|Mapping)\[str, Any\]", ast.unparse(said))
    }
    assert nameless == BORDERS
