"""The four sources of secrets, each with the real program behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pyrage
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultEditor, VaultLib, VaultSecret

from maestro.errors import MaestroError
from maestro.secrets.source import Found, Secrets, value_problem
from maestro.secrets.sources import SOURCES, open_source

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
SENTINEL = "s3ntinel-Zürich-/+='\"$(x)"
GOOD = {
    "db_password": SENTINEL,
    "pem": "-----BEGIN KEY-----\nabc\ndef\n-----END KEY-----\n",
    "unicode": "пароль 🔑 şifre",
    "spaces": "  kept as they are  ",
}


def loader_with(*passwords: str) -> DataLoader:
    loader = DataLoader()
    loader.set_vault_secrets([("default", VaultSecret(p.encode())) for p in passwords])
    return loader


def text_of(error: BaseException) -> str:
    """Everything an error can show: its text, its repr, and every error chained to it."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))


class Vault:
    """Writes files as ansible-vault does and reads them through Ansible's loader."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.password = root / "password"
        self.password.write_text("correct horse\n")

    def write(self, values: object, name: str = "jessy") -> Path:
        path = self.root / "secrets/staging" / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
        # What `ansible-vault encrypt` calls: the program needs half a second to start.
        secret = VaultSecret(self.password.read_bytes().strip())
        VaultEditor(VaultLib([("default", secret)])).encrypt_file(str(path), secret)
        return path

    def source(self, stack: str = "jessy", password: str = "correct horse", **settings: object):
        return open_source(
            {"source": "vault", **settings},
            environment="staging",
            stack=stack,
            root=self.root,
            loader=loader_with(password),
            environ={},
        )


class Sops(Vault):
    """The same with the real sops and an age key."""

    def __init__(self, root: Path) -> None:
        self.root = root
        identity = pyrage.x25519.Identity.generate()
        self.recipient = str(identity.to_public())
        self.key = root / "age.key"
        self.key.write_text(f"{identity}\n")

    def write(self, values: object, name: str = "jessy") -> Path:
        path = self.root / "secrets/staging" / f"{name}.sops.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
        command = [BIN / "sops", "encrypt", "--age", self.recipient, "--in-place", path]
        subprocess.run(command, check=True, capture_output=True)
        return path

    def source(self, stack: str = "jessy", **settings: object):
        return open_source(
            {"source": "sops", **settings}, environment="staging", stack=stack, root=self.root
        )


class Directory(Vault):
    """One private file per secret."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, values: dict[str, str], name: str = "jessy") -> Path:
        folder = self.root / "secrets/staging" / name
        folder.mkdir(parents=True, exist_ok=True)
        for key, value in values.items():
            (folder / key).write_text(f"{value}\n")
            (folder / key).chmod(0o600)
        return folder

    def source(self, stack: str = "jessy", **settings: object):
        return open_source(
            {"source": "directory", **settings}, environment="staging", stack=stack, root=self.root
        )


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path)


@pytest.fixture
def sops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sops:
    kind = Sops(tmp_path)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(kind.key))
    monkeypatch.setenv("HOME", str(tmp_path))  # no key of this machine's user helps
    monkeypatch.delenv("SOPS_AGE_KEY", raising=False)
    return kind


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


@pytest.fixture(params=["vault", "sops", "directory"])
def files(request: pytest.FixtureRequest) -> Vault:
    return request.getfixturevalue(request.param)


def test_every_value_comes_back_as_it_was_stored(files: Vault) -> None:
    files.write(GOOD)
    read = files.source().read(GOOD)
    assert read == GOOD
    assert all(type(value) is str for value in read.values())


def test_only_what_was_asked_for_is_returned(files: Vault) -> None:
    files.write(GOOD)
    assert files.source().read(["pem"]) == {"pem": GOOD["pem"]}
    assert files.source().names() == sorted(GOOD)


def test_the_environments_own_file_is_read_and_the_stacks_wins(files: Vault) -> None:
    files.write({"registry_password": "of-the-environment", "token": "general"}, "common")
    files.write({"token": "of-jessy"})
    assert files.source().read(["registry_password", "token"]) == {
        "registry_password": "of-the-environment",
        "token": "of-jessy",
    }
    assert files.source(stack="common").read(["token"]) == {"token": "general"}
    # A stack without a file of its own has the environment's.
    assert files.source(stack="other").read(["token"]) == {"token": "general"}


def test_all_missing_names_come_in_one_error_with_the_way_to_add_each(files: Vault) -> None:
    files.write({"there": SENTINEL})
    with pytest.raises(MaestroError) as caught:
        files.source().read(["there", "c_key", "a_key", "b_key"])
    lines = str(caught.value).splitlines()
    assert "missing secrets: a_key, b_key, c_key" in lines[0]
    assert "secrets/staging/jessy" in lines[0]
    for name, line in zip(["a_key", "b_key", "c_key"], lines[-3:], strict=True):
        assert name in line
    assert SENTINEL not in text_of(caught.value)


def test_nothing_asked_reads_nothing_and_needs_no_file(files: Vault) -> None:
    assert files.source().read([]) == {}
    with pytest.raises(MaestroError, match="missing secret: token"):
        files.source().read(["token"])


def test_path_moves_the_directory(files: Vault) -> None:
    files.write({"token": "moved"})
    (files.root / "secrets").rename(files.root / "elsewhere")
    assert files.source(path="elsewhere").read(["token"]) == {"token": "moved"}
    assert files.source(path=str(files.root / "elsewhere")).names() == ["token"]


def test_values_that_are_no_text_are_refused_by_name(vault: Vault) -> None:
    vault.write("number: 12\nyes_no: true\nnothing:\nblank: '  '\nlist: [a]\nnul: \"a\\0b\"\n")
    source = vault.source()
    names = ["number", "yes_no", "nothing", "blank", "list", "nul"]
    with pytest.raises(MaestroError) as caught:
        source.read([*names, "absent"])
    text = str(caught.value)
    for name in names:
        assert f"secrets/staging/jessy.yml: the secret {name} " in text
    assert "missing secret: absent" in text
    assert {state.name: bool(state.problem) for state in source.states()} == dict.fromkeys(
        names, True
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"- {SENTINEL}\n", "holds a list, not a mapping"),
        (f"{SENTINEL}\n", "holds a str, not a mapping"),
        ("a: 'never closed " + SENTINEL.replace("'", "") + "\n", "not a valid YAML mapping"),
        ("a: *s3ntinel_anchor\n", "not a valid YAML mapping"),
        (f"? {{{SENTINEL!r}: 1}}\n: 2\n", "not a valid YAML mapping"),
        ("twice: a\ntwice: b\n", "not a valid YAML mapping"),
        ("s3ntinel key: x\n", "a key that cannot name a secret"),
        ("-s3ntinel: x\n", "a key that cannot name a secret"),
        ("1: x\n", "a key that cannot name a secret"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_without_a_word_of_it(
    vault: Vault, content: str, expected: str
) -> None:
    vault.write(content)
    with pytest.raises(MaestroError, match=expected) as caught:
        vault.source().read(["a"])
    assert caught.value.where == "secrets/staging/jessy.yml"
    assert caught.value.fix
    assert "s3ntinel" not in text_of(caught.value)


def test_an_empty_file_holds_nothing(vault: Vault) -> None:
    vault.write("# nothing yet\n")
    assert vault.source().names() == []


def test_a_wrong_vault_password_is_told_apart_from_none(vault: Vault) -> None:
    vault.write(GOOD)
    wrong = vault.source(password="wrong")
    with pytest.raises(MaestroError, match="no vault password is set"):
        wrong.read(["pem"])
    (vault.root / ".vault-password").write_text("wrong")
    with pytest.raises(MaestroError, match="the vault password given does not open it") as caught:
        wrong.read(["pem"])
    assert "--vault-password-file" in str(caught.value)


def test_a_vault_file_in_the_clear_is_refused(vault: Vault) -> None:
    path = vault.write(GOOD)
    path.write_text(yaml.safe_dump(GOOD))
    with pytest.raises(MaestroError, match="is not encrypted") as caught:
        vault.source().read(["pem"])
    assert caught.value.fix == "ansible-vault encrypt secrets/staging/jessy.yml"


def test_a_vault_file_that_is_not_utf8_or_not_readable_is_refused(vault: Vault) -> None:
    path = vault.write(GOOD)
    path.unlink()
    path.mkdir()
    with pytest.raises(MaestroError, match="cannot be read: Is a directory"):
        vault.source().names()
    path.rmdir()
    secret = VaultSecret(b"correct horse")
    path.write_bytes(VaultLib().encrypt(b"a: \xff\xfe\n", secret=secret))
    with pytest.raises(MaestroError, match="not a valid YAML mapping"):
        vault.source().names()


def test_the_loader_that_ansible_was_started_with_is_used(vault: Vault) -> None:
    """`--vault-password-file` of a real play reaches the source."""
    vault.write({"token": SENTINEL})
    plugins = vault.root / "action_plugins"
    plugins.mkdir()
    (plugins / "count_secrets.py").write_text(
        "from pathlib import Path\n"
        "from ansible.plugins.action import ActionBase\n"
        "from maestro.secrets.sources import open_source\n"
        "class ActionModule(ActionBase):\n"
        "    def run(self, tmp=None, task_vars=None):\n"
        "        source = open_source({}, environment='staging', stack='jessy',\n"
        f"            root=Path({str(vault.root)!r}), loader=self._loader)\n"
        "        return {'lengths': {k: len(v) for k, v in source.read(['token']).items()}}\n"
    )
    play = vault.root / "play.yml"
    play.write_text(
        json.dumps(
            [{"hosts": "localhost", "gather_facts": False, "tasks": [{"count_secrets": {}}]}]
        )
    )
    command = [BIN / "ansible-playbook", "-vvv", play, "--vault-password-file", vault.password]
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        text=True,
        cwd=vault.root,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'"token": {len(SENTINEL)}' in done.stdout
    assert SENTINEL not in done.stdout + done.stderr


def test_sops_says_which_key_is_missing_without_its_own_words(
    sops: Sops, monkeypatch: pytest.MonkeyPatch
) -> None:
    sops.write(GOOD)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", "/nonexistent/key")
    with pytest.raises(MaestroError, match="none of the keys here opens it") as caught:
        sops.source().read(["pem"])
    assert "SOPS_AGE_KEY_FILE" in caught.value.fix


def test_sops_refuses_a_file_in_the_clear(sops: Sops) -> None:
    path = sops.write(GOOD)
    path.write_text(yaml.safe_dump(GOOD))
    with pytest.raises(MaestroError, match="is not encrypted") as caught:
        sops.source().read(["pem"])
    assert caught.value.fix == "sops encrypt --in-place secrets/staging/jessy.sops.yml"
    assert SENTINEL not in text_of(caught.value)


def test_sops_refuses_a_file_that_was_changed(sops: Sops) -> None:
    path = sops.write(GOOD)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("pem:")]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(MaestroError, match="was changed after it was encrypted"):
        sops.source().read(["unicode"])


def test_sops_refuses_a_file_that_is_no_yaml(sops: Sops) -> None:
    path = sops.write(GOOD)
    path.write_text(f"{{ {SENTINEL}: [\n")
    with pytest.raises(MaestroError, match="cannot be decrypted by sops") as caught:
        sops.source().read(["unicode"])
    assert SENTINEL not in text_of(caught.value)


def test_sops_that_is_not_installed_is_named(
    sops: Sops, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sops.write(GOOD)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MaestroError, match="sops is needed"):
        sops.source().read(["unicode"])
    (tmp_path / "sops").symlink_to(BIN / "sops")
    assert sops.source().read(["unicode"]) == {"unicode": GOOD["unicode"]}


def source_of(environ: dict[str, str]):
    return open_source(
        {"source": "environment"},
        environment="staging",
        stack="jessy",
        root=Path("/nonexistent"),
        environ=environ,
    )


def test_environment_variables_are_read_by_their_upper_case_name() -> None:
    environ = {f"MAESTRO_SECRET_{name.upper()}": value for name, value in GOOD.items()}
    noise = {"MAESTRO_SECRET_lower": "x", "MAESTRO_SECRET_": "x", "OTHER": "x"}
    source = source_of(environ | noise)
    assert source.read(GOOD) == GOOD
    assert source.names() == sorted(GOOD)


def test_environment_names_the_variables_to_set() -> None:
    with pytest.raises(MaestroError) as caught:
        source_of({"MAESTRO_SECRET_EMPTY": ""}).read(["one", "two", "empty"])
    text = str(caught.value)
    assert "missing secrets: one, two" in text
    assert "set the environment variable MAESTRO_SECRET_ONE" in text
    assert "MAESTRO_SECRET_EMPTY: the secret empty is empty" in text


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_SECRET_TOKEN", "from-the-process")
    source = open_source(
        {"source": "environment"}, environment="staging", stack="jessy", root=Path()
    )
    assert source.read(["token"]) == {"token": "from-the-process"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_directory_refuses_files_that_others_may_use(directory: Directory, mode: int) -> None:
    folder = directory.write({"one": "1", "two": "2", "three": "3"})
    (folder / "one").chmod(mode)
    (folder / "two").chmod(mode)
    with pytest.raises(MaestroError) as caught:
        directory.source().read(["three"])
    assert "chmod 600 secrets/staging/jessy/one" in str(caught.value)
    assert "chmod 600 secrets/staging/jessy/two" in str(caught.value)


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        (b"plain", "plain"),
        (b"plain\n", "plain"),
        (b"plain\r\n", "plain"),
        (b"plain\n\n", "plain\n"),
        (b" a \n b \n", " a \n b "),
    ],
)
def test_directory_takes_one_newline_off_the_end(
    directory: Directory, stored: bytes, value: str
) -> None:
    folder = directory.write({"token": "x"})
    (folder / "token").write_bytes(stored)
    assert directory.source().read(["token"]) == {"token": value}


@pytest.mark.parametrize("stored", [b"\xff\xfe\x00", b"a\0b", b"\x80"])
def test_directory_refuses_bytes_that_are_no_text(directory: Directory, stored: bytes) -> None:
    folder = directory.write({"token": "x"})
    (folder / "token").write_bytes(stored)
    with pytest.raises(MaestroError, match="is binary: store it encoded"):
        directory.source().read(["token"])


def test_directory_ignores_what_is_no_secret(directory: Directory) -> None:
    folder = directory.write({"token": "x"})
    (folder / ".gitignore").write_text("*")
    (folder / "token~").write_text("old")
    (folder / "folder").mkdir()
    assert directory.source().names() == ["token"]


@pytest.mark.parametrize("name", ["db-password", "DB_PASSWORD", "1password.key", "_token"])
def test_a_name_is_what_compose_takes(vault: Vault, directory: Directory, name: str) -> None:
    vault.write(f"{name}: x\n")
    directory.write({name: "x"})
    variable = "MAESTRO_SECRET_" + name.upper().replace("-", "_").replace(".", "_")
    environment = source_of({variable: "x"})
    for source in (vault.source(), directory.source(), environment):
        assert source.read([name]) == {name: "x"}
    with pytest.raises(MaestroError, match=f"set the environment variable {variable}"):
        source_of({}).read([name])


@pytest.mark.parametrize("name", ["-a", ".a", "a/b", "", "a b", "../x", "a\n"])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(MaestroError, match="cannot name a secret"):
        source_of({}).read([name])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"source": "vualt"}, "no source 'vualt'"),
        ({"source": None}, "no source None"),
        ({"sorce": "vault"}, "unknown key 'sorce'"),
        ({"source": "environment", "path": "x"}, "has no path"),
    ],
)
def test_settings_that_are_wrong_are_refused(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(MaestroError, match=expected) as caught:
        open_source(settings, environment="staging", stack="jessy", root=Path())
    if "source" in settings and "path" not in settings:
        assert all(source in caught.value.fix for source in SOURCES)


@pytest.mark.parametrize("name", ["../etc", "a/b", "", ".hidden"])
def test_names_cannot_leave_the_directory(name: str) -> None:
    for environment, stack in (("staging", name), (name, "jessy")):
        with pytest.raises(MaestroError, match="cannot name a"):
            open_source({}, environment=environment, stack=stack, root=Path())


def test_vault_needs_the_loader() -> None:
    with pytest.raises(TypeError, match="DataLoader"):
        open_source(None, environment="staging", stack="jessy", root=Path())


def test_nothing_shows_a_value() -> None:
    values = Secrets({"token": SENTINEL})
    shown = [repr(values), str(values), f"{values}", repr(Found(SENTINEL, "x"))]
    assert all(SENTINEL not in text for text in shown)
    assert repr(values) == "<Secrets token (values hidden)>"
    assert repr(Secrets()) == "<Secrets none (values hidden)>"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "has no value"),
        (5, "is a int and not text"),
        ("", "is empty"),
        ("\n\t ", "is empty"),
        ("a\0", "is binary"),
        ("\udcff", "is binary"),
        ("x", ""),
        ("a\nb\n", ""),
    ],
)
def test_what_is_wrong_with_a_value(value: object, expected: str) -> None:
    assert value_problem(value).startswith(expected)
    assert bool(value_problem(value)) is bool(expected)
