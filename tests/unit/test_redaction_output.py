"""A leak audit: secrets go through every channel of ansible-playbook and none comes out."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

PROJECT = Path(__file__).resolve().parents[2]
AUDIT = PROJECT / "tests/redaction/audit"
PASSWORD = "a-password-of-the-test's-own-vault"
TOOL = Path(sys.executable).parent
# From 2.22 on ansible-core masks what came out of a vault as well, ordinary words included.
MASKS_ITSELF = importlib.util.find_spec("ansible.module_utils.secrets") is not None


@dataclass
class Run:
    """What one run of the play left behind."""

    code: int
    stdout: str
    stderr: str
    log: str
    report: str
    jobs: str

    @property
    def everything(self) -> str:
        return f"{self.stdout}\n{self.stderr}\n{self.log}\n{self.report}\n{self.jobs}"


def sentinels() -> dict[str, str]:
    """Values that stand nowhere else."""
    mark = secrets.token_hex(8)
    return {
        "audit_first": f"S1-{mark}/é+\"x'",
        "audit_second": f"S2{mark}$z&w",
        "audit_third": f"S3-{mark}",
        "audit_lines": f"L1-{mark} one\nL2-{mark} two\nL3-{mark} three",
        "audit_word": "production",
    }


HARMLESS = {
    "audit_first": "blue",
    "audit_second": 'a value, plainly "harmless" & 100% so',
    "audit_third": "enabled",
    "audit_lines": "one\ntwo\nthree",
    "audit_word": "production",
}


def _vault(text: str) -> str:
    vault = VaultLib([("default", VaultSecret(PASSWORD.encode()))])
    return str(vault.encrypt(text), "ascii")


def _play(
    directory: Path, values: dict[str, str], *options: str, redact: bool, vaulted: bool = True
) -> Run:
    directory.mkdir()
    home = directory / "home"
    home.mkdir()
    content = json.dumps({**values, "audit_third": "{{ lookup('env', 'AUDIT_THIRD') }}"})
    source = directory / "values.yml"
    source.write_text(_vault(content) if vaulted else content)
    (directory / "key").write_text(PASSWORD)
    empty = directory / "empty"
    empty.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_ASYNC_DIR": str(directory / "jobs"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        "COLUMNS": "80",
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_CALLBACKS_ENABLED": "maestro.stacks.output,junit" if redact else "junit",
        "ANSIBLE_ACTION_PLUGINS": str(AUDIT / "action_plugins"),
        "ANSIBLE_ROLES_PATH": str(AUDIT / "roles"),
        "ANSIBLE_LOG_PATH": str(directory / "log"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        "ANSIBLE_DISPLAY_TRACEBACK": "always",
        "JUNIT_OUTPUT_DIR": str(directory / "junit"),
        "AUDIT_THIRD": values["audit_third"],
    }
    done = subprocess.run(
        [
            TOOL / "ansible-playbook", AUDIT / "play.yml", "-i", "localhost,", "-c", "local", "-vvv", "--diff",
            "--vault-password-file", directory / "key",
            "-e", json.dumps({
                "audit_values": str(source), "audit_directory": str(home),
                "ansible_python_interpreter": sys.executable,
            }),
            *options,
        ],
        env=environment, capture_output=True, text=True, check=False, cwd=PROJECT, timeout=120,
    )  # fmt: skip
    jobs = [path.read_text() for path in (directory / "jobs").glob("*")]
    return Run(
        done.returncode,
        done.stdout,
        done.stderr,
        (directory / "log").read_text(),
        "".join(path.read_text() for path in (directory / "junit").glob("*.xml")),
        "\n".join(jobs),
    )


def _traces(text: str, values: dict[str, str]) -> list[str]:
    """Return what is left of the sentinels: their marks, raw or encoded, wherever they stand."""
    found = []
    squeezed = re.sub(r"\s+", "", text)
    for name, value in values.items():
        if name == "audit_word":
            continue
        for line in value.splitlines():
            mark = re.search(r"[0-9a-f]{16}", line)
            assert mark is not None
            raw = mark.group().encode()
            forms = [raw.decode(), raw.hex()]
            forms += [base64.b64encode(b"\0" * lead + raw).decode()[4:-4] for lead in range(3)]
            found += [f"{name}: {form}" for form in forms if form in text or form in squeezed]
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("measured")
@pytest.mark.requirement("T7.4", "C9")
def test_no_secret_comes_out_of_any_channel(tmp_path: Path) -> None:
    """The play succeeds in every way first, and then fails in every way."""
    values = sentinels()
    run = _play(tmp_path / "run", values, redact=True)
    assert run.code == 2, run.stdout + run.stderr
    assert "Fail with ***" in run.stdout, "the play must come to its last task"
    for channel in ("stdout", "stderr", "log", "report"):
        text = getattr(run, channel)
        assert _traces(text, values) == [], channel
        assert "***" in text, channel
    assert run.jobs == ""
    if not MASKS_ITSELF:
        assert "production" in run.stdout, "a word that is no secret must stay"


def _normal(text: str) -> list[str]:
    """Return the lines of an output without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]?\d*", "TIME", text)
    text = re.sub(r"\d:\d\d:\d\d\.\d+", "DELTA", text)
    text = re.sub(r"/[^ ,'\"\n]*test_harmless[^/ ,'\"\n]*/(?:plain|redacted)", "DIR", text)
    text = re.sub(
        r"\b[j0-9][0-9.]{4,}\b|\b\d{3,}-\d{3,}\b|\bp=\d+\b|tmp\w+|payload_\w+|\bj\d+\.\d+\b",
        "N",
        text,
    )
    text = re.sub(r"([/ ])\.[a-z0-9_]{8}\b", r"\1N", text)
    text = re.sub(r"ansible-(?:local|tmp)-[\w.-]+|time=\"[\d.]+\"|timestamp=\"[^\"]*\"", "N", text)
    ours = ("maestro.stacks.output", "Skipping callback")
    return [line for line in text.splitlines() if not any(word in line for word in ours)]


@pytest.mark.slow
def test_harmless_output_is_changed_in_nothing(tmp_path: Path) -> None:
    # A job in the background says what a command says, and takes a fifth of the play's time.
    jobless = ("--skip-tags", "background")
    plain = _play(tmp_path / "plain", HARMLESS, *jobless, redact=False, vaulted=False)
    redacted = _play(tmp_path / "redacted", HARMLESS, *jobless, redact=True, vaulted=False)
    assert plain.code == redacted.code == 2
    for channel in ("stdout", "stderr", "log", "report"):
        # Each of them carries the values, or the audit would prove nothing.
        assert HARMLESS["audit_second"][:16] in getattr(plain, channel), channel
    assert _normal(redacted.stdout) == _normal(plain.stdout)
    assert _normal(redacted.stderr) == _normal(plain.stderr)


@pytest.mark.requirement("T7.4", "C9")
def test_what_was_decrypted_before_plugins_were_loaded_is_masked(tmp_path: Path) -> None:
    """Extra variables and those of a role come out of the vault before any plugin is there."""
    mark = secrets.token_hex(8)
    files = {
        "extra.yml": f"in_extra: E1-{mark}-x\nword: production\n",
        "roles/one/vars/main.yml": f"in_role: R1-{mark}-x\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(_vault(text))
    (tmp_path / "key").write_text(PASSWORD)
    tasks = [{"ansible.builtin.debug": {"msg": "{{ in_extra }} {{ in_role }} on {{ word }}"}}]
    (tmp_path / "roles/one/tasks").mkdir()
    (tmp_path / "roles/one/tasks/main.yml").write_text(json.dumps(tasks))
    play = [{"hosts": "localhost", "gather_facts": False, "roles": ["one"]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [TOOL / "ansible-playbook", tmp_path / "play.yml", "-i", "localhost,", "-c", "local", "-e",
         f"@{tmp_path}/extra.yml"],
        env=kept | {
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "key"),
        },
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert mark not in done.stdout
    # Ansible 2.22 masks the plain word of a vault by itself.
    assert "*** *** on production" in done.stdout or MASKS_ITSELF
