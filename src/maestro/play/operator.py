"""Who gave the command: a person, as far as this machine knows, and not its account alone."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

LONGEST = 100
# Who started a CI job, by the variables that these systems set:
# https://docs.github.com/actions/reference/workflows-and-actions/variables,
# https://docs.gitlab.com/ci/variables/predefined_variables/,
# https://buildkite.com/docs/pipelines/configure/environment-variables,
# https://circleci.com/docs/variables/, https://docs.drone.io/pipeline/environment/reference/
ACTORS = (
    "GITHUB_TRIGGERING_ACTOR",
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "GITEA_ACTOR",
    "FORGEJO_ACTOR",
    "BUILDKITE_BUILD_CREATOR_EMAIL",
    "CIRCLE_USERNAME",
    "DRONE_BUILD_TRIGGER",
    "BUILD_USER_ID",
)
KEYS = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub", "id_ed25519_sk.pub")


def who(directory: Path | None = None) -> str:
    """The operator: ``ada@example.org (root@laptop)``, or the account where nobody said more."""
    account = f"{_user()}@{socket.gethostname()}"
    person = named(os.environ, lambda: _git(directory), _key_comment)
    return account if person in ("", account) else f"{person} ({account})"


def named(environment: Mapping[str, str], git: Callable[[], str], key: Callable[[], str]) -> str:
    """A person's name: said by hand, or the CI's actor, or of git, or an SSH key's comment."""
    if said := _clean(environment.get("MAESTRO_OPERATOR", "")):
        return said
    for name in ACTORS:
        if actor := _clean(environment.get(name, "")):
            return actor
    if environment.get("CI", "").lower() in ("", "0", "false"):
        return _clean(git()) or _clean(key())
    return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _git(directory: Path | None) -> str:
    where = ["-C", str(directory)] if directory else []
    for name in ("user.email", "user.name"):
        try:
            done = subprocess.run(  # noqa: S603 -- an argument list, no shell
                ["git", *where, "config", "--get", name],  # noqa: S607 -- git as the user has it
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            return ""
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout
    return ""


def _key_comment() -> str:
    """The comment of the user's own key, where it is more than the account it was made with."""
    for name in KEYS:
        try:
            words = (Path.home() / ".ssh" / name).read_text(encoding="utf-8").split(None, 2)
        except (OSError, UnicodeDecodeError, RuntimeError):
            continue
        if len(words) > 2:
            return words[2]
    return ""


def _clean(text: str) -> str:
    """One short line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST]
