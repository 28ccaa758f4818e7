"""The command maestro secrets, run as a user runs it.

Most tests call it in this process: the program itself needs half a second to start. See `Project`.
"""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import yaml
from ansible import constants
from ansible.config.manager import ConfigManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret

from maestro.cli import maestro_secrets
from maestro.errors import MaestroError
from maestro.secrets.vault_file import with_values

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("measured")]

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
SENTINEL = "s3ntinel-value"


class Project:
    """A project of its own with the real password script, and the command run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("ANSIBLE_", "MAESTRO_"))
        }
        (root / "scripts").mkdir()
        script = root / "scripts/vault-password"
        script.write_bytes((ROOT / "scripts/vault-password").read_bytes())
        script.chmod(0o755)
        (root / "ansible.cfg").write_text(
            "[defaults]\nvault_password_file=scripts/vault-password\n"
        )

    def run(self, *words: str, stdin: str = "", status: int = 0) -> str:
        """What the command says, called here with the project's own settings of Ansible."""
        settings = ConfigManager(str(self.root / "ansible.cfg"))
        password = settings.get_config_value("DEFAULT_VAULT_PASSWORD_FILE")
        said = io.StringIO()
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()))
        with (
            contextlib.chdir(self.root),
            mock.patch.dict(os.environ, self.environ, clear=True),
            mock.patch.object(constants, "DEFAULT_VAULT_PASSWORD_FILE", password),
            mock.patch.object(sys, "stdin", given),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            try:
                ended = maestro_secrets.main(words)
            except SystemExit as end:
                ended = int(end.code or 0)
        assert ended == status, said.getvalue()
        return said.getvalue()

    def start(self, *words: str, stdin: str = "", status: int = 0) -> str:
        """The same by the program, in a process of its own."""
        command = [BIN / "maestro", "secrets", *words]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.root,
            env=self.environ,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def password(self) -> str:
        return (self.root / ".vault-password").read_text().strip()

    def text(self, name: str = "jessy") -> str:
        loader = DataLoader()
        loader.set_vault_secrets([("default", VaultSecret(self.password().encode()))])
        return str(loader.get_text_file_contents(str(self.file(name))))

    def values(self, name: str = "jessy") -> dict[str, str]:
        return yaml.safe_load(self.text(name))

    def file(self, name: str = "jessy") -> Path:
        return self.root / f"secrets/staging/{name}.yml"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


JESSY = ("--environment", "staging", "--stack", "jessy")


def test_init_makes_random_encrypted_private_secrets(project: Project) -> None:
    project.start("init", *JESSY, "db_password", "api_token")
    values = project.values()
    assert set(values) == {"db_password", "api_token"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in values.values())
    assert len(set(values.values())) == 2
    assert project.file().read_text().startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    modes = {
        str(path.relative_to(project.root)): oct(path.stat().st_mode & 0o777)
        for path in (project.root / "secrets", *(project.root / "secrets").rglob("*"))
    }
    assert modes == {
        "secrets": "0o700",
        "secrets/staging": "0o700",
        "secrets/staging/jessy.yml": "0o600",
    }
    assert (project.root / ".vault-password").stat().st_mode & 0o777 == 0o600


def test_init_again_changes_no_byte(project: Project) -> None:
    project.run("init", *JESSY, "db_password")
    before = project.file().read_bytes(), project.password()
    assert (
        project.run("init", *JESSY, "db_password")
        == "kept  db_password in secrets/staging/jessy.yml\n"
    )
    assert (project.file().read_bytes(), project.password()) == before


def test_init_adds_what_is_missing_and_keeps_the_rest(project: Project) -> None:
    project.run("init", "--environment", "staging", "registry_password")
    project.run("init", *JESSY, "db_password")
    old = project.values()["db_password"]
    shown = project.run("init", *JESSY, "db_password", "api_token", "registry_password")
    assert project.values()["db_password"] == old
    assert set(project.values()) == {"db_password", "api_token"}
    assert "made  api_token in secrets/staging/jessy.yml" in shown
    assert "kept  registry_password in secrets/staging/common.yml" in shown
    assert set(project.values("common")) == {"registry_password"}


def test_init_without_names_takes_those_the_stacks_services_read(project: Project) -> None:
    folder = project.root / "docker/jessy"
    folder.mkdir(parents=True)
    (folder / "compose.yaml").write_text(
        "services:\n  db: {image: x, secrets: [db_password]}\n"
        "secrets:\n  db_password: {file: x}\n  only_for_builds: {file: x}\n"
    )
    (folder / "compose.staging.yaml").write_text(
        "services:\n  web: {secrets: [{source: api_token, target: t}]}\n"
    )
    project.run("init", *JESSY)
    assert set(project.values()) == {"db_password", "api_token"}
    shown = project.run("init", "--environment", "staging", "--stack", "jesy", status=1)
    assert "docker/jesy/compose.yaml: no names were given" in shown
    assert "jessy" in shown
    assert "no names were given" in project.run("init", "--environment", "staging", status=1)


def test_set_of_the_same_value_changes_no_byte(project: Project) -> None:
    project.run("set", *JESSY, "token", stdin="x\n")
    before = project.file().read_bytes()
    assert (
        project.run("set", *JESSY, "token", stdin="x")
        == "same  token in secrets/staging/jessy.yml\n"
    )
    assert project.file().read_bytes() == before


def test_ansible_itself_opens_what_init_made(project: Project) -> None:
    project.run("init", *JESSY, "db_password")
    command = [BIN / "ansible-vault", "view", project.file()]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=project.root, env=project.environ, check=True
    )
    assert yaml.safe_load(done.stdout) == project.values()


def test_list_shows_names_and_never_a_value(project: Project) -> None:
    project.run("init", *JESSY, "db_password", "api_token")
    project.run("init", "--environment", "staging", "registry_password")
    shown = project.start("list", *JESSY)
    assert [line.split()[0] for line in shown.splitlines()] == [
        "api_token",
        "db_password",
        "registry_password",
    ]
    assert shown.count("********") == 3
    for value in [*project.values().values(), *project.values("common").values()]:
        assert value not in shown


def test_list_reads_every_source(project: Project) -> None:
    project.environ["MAESTRO_SECRET_TOKEN"] = SENTINEL
    project.environ["MAESTRO_SECRET_BLANK"] = ""
    shown = project.run("list", *JESSY, "--source", "environment")
    assert "token  ********  MAESTRO_SECRET_TOKEN  ok" in shown
    assert "blank  ********  MAESTRO_SECRET_BLANK  !! is empty" in shown
    assert SENTINEL not in shown
    folder = project.root / "files/staging/jessy"
    folder.mkdir(parents=True)
    (folder / "token").write_text(SENTINEL)
    (folder / "token").chmod(0o600)
    shown = project.run("list", *JESSY, "--source", "directory", "--path", "files")
    assert shown == "token  ********  files/staging/jessy/token  ok\n"
    assert project.run("list", *JESSY, "--source", "sops") == "no secrets\n"


def test_set_reads_standard_input_and_keeps_the_rest(project: Project) -> None:
    project.run("init", *JESSY, "db_password", "api_token")
    old = project.values()
    pem = "-----BEGIN-----\n\tż: \"'\\\n-----END-----\n"
    shown = project.start("set", *JESSY, "api_token", stdin=pem + "\n")
    assert shown == "set   api_token in secrets/staging/jessy.yml\n"
    assert project.values() == {"db_password": old["db_password"], "api_token": pem}


def test_set_asks_twice_at_a_terminal_without_echo(project: Project) -> None:
    project.run("init", *JESSY, "db_password")
    status, shown = at_terminal(project, ["set", *JESSY, "api_token"], [SENTINEL, SENTINEL])
    assert status == 0, shown
    assert project.values()["api_token"] == SENTINEL
    assert SENTINEL not in shown
    status, shown = at_terminal(project, ["set", *JESSY, "api_token"], ["one-1", "two-2"])
    assert status == 1
    assert "the two differ" in shown
    assert project.values()["api_token"] == SENTINEL


def at_terminal(project: Project, words: list[str], answers: list[str]) -> tuple[int, str]:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.root)
        os.execve(BIN / "maestro", ["maestro", "secrets", *words], project.environ)
    shown = b""
    waiting = list(answers)
    while True:
        try:
            data = os.read(terminal, 1024)
        except OSError:  # the terminal closes with its process
            break
        if not data:
            break
        shown += data
        if data.endswith(b": ") and waiting:
            os.write(terminal, waiting.pop(0).encode() + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.parametrize("value", ["", "\n", "  \n", "a\0b"])
def test_set_refuses_what_can_be_no_value(project: Project, value: str) -> None:
    project.run("init", *JESSY, "token")
    before = project.file().read_bytes()
    assert "nothing was changed" in project.run("set", *JESSY, "token", stdin=value, status=1)
    assert project.file().read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["set", *JESSY, "token", SENTINEL],
        ["set", *JESSY, f"token={SENTINEL}"],
        ["set", *JESSY, "token", f"--{SENTINEL}"],
        ["init", *JESSY, f"TOKEN={SENTINEL}"],
    ],
)
def test_a_value_on_the_command_line_is_refused_and_not_repeated(
    project: Project, words: list[str]
) -> None:
    assert SENTINEL not in project.run(*words, status=2)
    assert not (project.root / "secrets").exists()


def test_a_lost_password_is_not_replaced_by_a_new_one(project: Project) -> None:
    project.run("init", *JESSY, "token")
    (project.root / ".vault-password").unlink()
    for words in (["init", *JESSY, "more"], ["list", *JESSY], ["set", *JESSY, "token"]):
        assert "there are encrypted files" in project.run(*words, stdin="x", status=1)
    assert not (project.root / ".vault-password").exists()


def test_files_of_another_source_need_no_vault_password(project: Project) -> None:
    project.file().parent.mkdir(parents=True)
    project.file("jessy.sops").write_text("token: ENC[x]\nsops: {}\n")
    project.run("init", *JESSY, "token")
    assert set(project.values()) == {"token"}


def test_list_before_init_says_what_to_run(project: Project) -> None:
    assert "run: .venv/bin/maestro secrets init" in project.start("list", *JESSY, status=1)


def test_a_wrong_password_is_told_before_a_value_is_asked(project: Project) -> None:
    project.run("init", *JESSY, "token")
    before = project.file().read_bytes()
    project.environ["MAESTRO_VAULT_PASSWORD"] = "another"
    for words in (["set", *JESSY, "token"], ["init", *JESSY, "more"], ["list", *JESSY]):
        assert "does not open it" in project.run(*words, stdin="x", status=1)
    assert project.file().read_bytes() == before


def test_a_password_that_others_can_read_is_refused(project: Project) -> None:
    project.run("init", *JESSY, "token")
    (project.root / ".vault-password").chmod(0o644)
    assert "chmod 600 .vault-password" in project.run("list", *JESSY, status=1)


def test_another_password_file_is_used_when_named(project: Project) -> None:
    (project.root / "mine").write_text("my own\n")
    mine = ("--vault-password-file", "mine")
    project.run("init", *JESSY, *mine, "token")
    assert "token" in project.run("list", *JESSY, *mine)
    assert not (project.root / ".vault-password").exists()
    gone = ("--vault-password-file", "gone")
    assert "the vault password cannot be read" in project.run("list", *JESSY, *gone, status=1)


def test_a_password_in_the_environment_needs_no_file(project: Project) -> None:
    project.environ["MAESTRO_VAULT_PASSWORD"] = "from the environment"
    project.run("init", *JESSY, "token")
    assert not (project.root / ".vault-password").exists()
    assert "token" in project.run("list", *JESSY)


def test_the_project_is_found_from_a_folder_inside_it(project: Project, tmp_path: Path) -> None:
    inside = project.root / "docs/deep"
    inside.mkdir(parents=True)
    assert maestro_secrets.find_root(inside) == project.root
    with pytest.raises(MaestroError, match=r"no ansible\.cfg here or above"):
        maestro_secrets.find_root(Path("/"))


def test_nothing_is_left_beside_the_files(project: Project) -> None:
    project.run("init", *JESSY, "token")
    project.run("set", *JESSY, "token", stdin=SENTINEL)
    left = {str(p.relative_to(project.root)) for p in project.root.rglob("*") if p.is_file()}
    assert left == {
        "ansible.cfg",
        "scripts/vault-password",
        ".vault-password",
        "secrets/staging/jessy.yml",
    }


VALUES = [
    "plain",
    "two\nlines\n",
    "ż🔑\x7f\x85\u2028",
    "'\"\\#:{}[]",
    "- no",
    "yes",
    "12",
    "x" * 500,
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "---\n",
        "# a comment\ntoken: old\nother: kept\n",
        "other: kept\ntoken: |\n  several\n  lines\nlast: kept\n",
        "token: >-\n  folded\n  text",
        "token: 'old'  # a comment\n",
        "other: kept",
        "{token: old, other: kept}\n",
        "{other: kept}\n",
    ],
)
def test_setting_a_value_keeps_every_other_line(text: str, value: str) -> None:
    old = yaml.safe_load(text) or {}
    new = with_values(text, {"token": value}, "x")
    assert yaml.safe_load(new) == {**old, "token": value}
    assert new.count("# a comment") == text.count("# a comment")
