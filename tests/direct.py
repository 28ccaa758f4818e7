"""Deploys on a real host without a playbook: the same decisions and the same steps, in a second.

What Ansible adds (variables, tasks, output) has tests of its own. Here a stack's files are read,
the host's own program answers over SSH, the plan is decided, and the steps of
`maestro.play.course` are taken in their order. A failure puts the old release back.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from e2e import lab
from stepper import Stepper

from maestro import records
from maestro.errors import MaestroError
from maestro.host.layout import AGENT
from maestro.host.steps import STEPS
from maestro.plan import deploy, describe, removal, rollback, rollout, rotation, wanted
from maestro.play import agent_archive, controller, host_variables, parts
from maestro.secrets import renewal
from maestro.stack import files as stack

ROOT = "/opt/maestro"
REGISTRY = "registry.test:5000"
IMAGE = f"{REGISTRY}/gallery:1"  # python3, postgres, redis, busybox: see tests/gallery/image


class NotPutBack(MaestroError):
    """A deploy failed, and so did putting the old release back; ``what`` says both."""


class Vanished(Exception):
    """The controller is gone: nobody takes the next step."""


@dataclass
class Direct:
    """Deploys stacks that stand in ``directory`` to one host of the lab."""

    host: str
    directory: Path
    environment: str = "staging"
    timeout: float = 30
    settle: float = 2  # the default of the role is 10
    values: dict[str, str] = field(default_factory=dict)  # of secrets, by name
    variables: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)  # what `-e` adds to a request
    profiles: frozenset[str] = frozenset()
    limit: float = 60  # seconds after which the lease of a deploy that vanished expires
    vanishes: str = ""  # the step after which it does, see `vanish`

    def __post_init__(self) -> None:
        self.stepper = Stepper(self.host)
        self.install()

    def install(self) -> None:
        """Give the host the program of this checkout, as the role host_agent does."""
        if lab.ssh(self.host, f"sha256sum < {AGENT}", check=False).split()[:1] == [
            agent_archive.digest()
        ]:
            return
        subprocess.run(
            [
                *("ssh", "-F", ".lab/ssh_config", self.host),
                (
                    f"cat > {AGENT}.new && chmod 755 {AGENT}.new && mv {AGENT}.new {AGENT} && "
                    "systemctl restart maestro-agent"
                ),
            ],
            cwd=lab.PROJECT,
            input=agent_archive.build(),
            check=True,
        )

    def write(self, name: str, compose: str | Mapping[str, Any], **files: str | bytes) -> None:
        """Write a stack's compose.yaml and other files; ``__`` in a name stands for a dot."""
        home = self.directory / name
        home.mkdir(parents=True, exist_ok=True)
        text = compose if isinstance(compose, str) else yaml.safe_dump(dict(compose))
        (home / "compose.yaml").write_text(text)
        for file, content in files.items():
            path = home / file.replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def step(self, name: str, **params: Any) -> dict[str, Any]:
        """Take one step on the host; `MaestroError` when it fails."""
        given = STEPS[name].specification()
        defaults = {key: fact["default"] for key, fact in given.items() if "default" in fact}
        answer = self.stepper.take(name, {"root": ROOT, **defaults, **params})
        if answer.get("failed"):
            raise MaestroError(str(answer["msg"]))
        if name == self.vanishes:
            raise Vanished
        return answer

    def request(self, name: str, version: str = "v1") -> dict[str, Any]:
        """What `request` answers for it."""
        variables = {**self.variables, "REGISTRY": REGISTRY}
        loaded = stack.load(
            self.directory,
            name,
            self.environment,
            variables,
            version=version,
            profiles=self.profiles,
        )
        missing = sorted(set(loaded.secret_names) - set(self.values))
        assert not missing, f"the test gives no value for {missing}"
        request = {
            "dry": False,
            "stack": name,
            "environment": self.environment,
            "version": version,
            **host_variables.read_of(loaded),
            "variables": variables,
            "registry": REGISTRY,
            "registry_username": "maestro",
            "approved_by": "",
            "accept_volume_change": False,
            "git_commit": "",
            **self.options,
        }
        filled = host_variables.filled(cast(records.DeployRequest, request))
        return {**request, "variables": filled}

    def payload(self, request: Mapping[str, Any]) -> str:
        """Secrets and the registry's login, as the action plugins send them."""
        password = (lab.PROJECT / ".lab/registry_password").read_text().strip()
        login = {"registry": REGISTRY, "username": "maestro", "password": password}
        known = {name: self.values[name] for name in request["secret_names"]}
        return json.dumps({"secrets": known, "login": login})

    def decide(self, name: str, version: str = "v1") -> rollout.Decision:
        """The plan of a deploy; `MaestroError` where it is refused."""
        request = self.request(name, version)
        state = self.step(
            "state",
            request=request,
            resolve=True,
            wait=0,
            payload=self.payload(request),
        )
        return deploy.decide(
            wanted.Inputs(
                cast(records.DeployRequest, request),
                controller.whole({self.host: state}, records.State),
                self.host,
                ROOT,
                frozenset(request["profiles"]),
                run=controller.this_run(),
            )
        )

    def plan(self, name: str, version: str = "v1") -> str:
        """The plan as an operator reads it."""
        decision = self.decide(name, version)
        return describe.describe(decision.plans, decision.digest, (), decision.notes)

    def deploy(self, name: str, version: str = "v1") -> bool:
        """Deploy; whether anything changed. A failure puts the old release back and raises."""
        request = self.request(name, version)
        return self.carry_out(name, self.decide(name, version), request)

    def rollback(self, name: str, to: str = "") -> bool:
        """Go back to the release before, or to the one that is named."""
        state = self.step("history", stack=name, to=to, wait=0)
        asked = rollback.Asked(
            stack=name, environment=self.environment, to=to, run=controller.this_run()
        )
        states = controller.whole({self.host: state}, records.History)
        return self.carry_out(name, rollback.decide(asked, states), {})

    def rotate(self, name: str, **values: str) -> bool:
        """Let new values of secrets serve, in as many releases as playbooks/rotate_secrets.yml."""
        self.values |= values
        request = self.request(name)
        choice = renewal.choose(sorted(values), request["secret_names"], None, "")
        rounds = rotation.rounds(choice, sorted(values), self._versions(request))
        changed = False
        for names in rounds:
            asked = rotation.Asked(
                name, self.environment, renewal.Choice(names), run=controller.this_run()
            )
            decision = rotation.decide(asked, self._versions(request))
            changed |= self.carry_out(name, decision, request)
        return changed

    def _versions(self, request: Mapping[str, Any]) -> Mapping[str, records.History]:
        state = self.step(
            "history",
            stack=request["stack"],
            to="",
            wait=0,
            payload=self.payload(request),
        )
        return controller.whole({self.host: state}, records.History)

    def vanish(self, name: str, version: str = "v1", *, after: str = "up") -> None:
        """Begin a deploy whose controller is gone ``after`` a step; the host puts it back."""
        request, limit = self.request(name, version), self.limit
        self.vanishes, self.limit = after, 5
        try:
            self.carry_out(name, self.decide(name, version), request)
        except Vanished:
            pass
        else:
            raise AssertionError(f"the deploy ended before {after}")
        finally:
            self.vanishes, self.limit = "", limit
        self.until(f"! test -e {ROOT}/{name}/lease.json", 60 + self.timeout)

    def take_away(self, name: str, *volumes: str) -> bool:
        """Remove a stack as playbooks/remove.yml does; whether there was anything to remove."""
        state = self.step("removal", stack=name)
        asked = removal.Asked(name, self.environment, volumes, run=controller.this_run())
        states = controller.whole({self.host: state}, records.Removal)
        decision = removal.decide(asked, states)
        if not decision.answer()["changing"]:
            return False
        work: Mapping[str, Any] = decision.hosts[self.host]
        token = secrets.token_hex(8)
        claim = {**work["claim"], "limit": 60, "timeout": self.timeout, "token": token}
        self.step("lease", stack=name, state="acquired", claim=claim, expect=work["expect"])
        held = {"stack": name, "lease": token, "timeout": self.timeout}
        self.step("remove", **held, volumes=work["volumes"])
        return True

    def carry_out(self, name: str, decision: rollout.Decision, request: Mapping[str, Any]) -> bool:
        """Take the steps of a change."""
        answer = decision.answer()
        if self.host not in answer["changing"]:
            return False
        work = decision.hosts[self.host]
        token = secrets.token_hex(8)
        claim = {**work["claim"], "limit": self.limit, "timeout": self.timeout, "token": token}
        self.step("lease", stack=name, state="acquired", claim=claim, expect=work["expect"])
        held = {"root": ROOT, "stack": name, "lease": token}
        try:
            self._bring_in(decision, work, held, request)
        except MaestroError as problem:
            try:
                back = self.step(
                    "put_back",
                    **held,
                    release=work["staged"],
                    serves=work["plan"]["release"],
                    timeout=self.timeout,
                    settle=min(self.settle, 5),
                )
            except MaestroError as worse:
                raise NotPutBack(f"{problem}\nnot put back: {worse}") from None
            if back["problem"]:
                raise NotPutBack(f"{problem}\n{back['problem']}") from None
            raise problem from None
        return True

    def _bring_in(
        self,
        decision: rollout.Decision,
        work: Mapping[str, Any],
        held: Mapping[str, str],
        request: Mapping[str, Any],
    ) -> None:
        def payload(wanted: Iterable[str] | None) -> str:
            return self.payload({"secret_names": sorted(wanted or ())})

        how = {
            "kind": decision.kind,
            "together": decision.together,
            "canary": decision.kind == "update",
            "timeout": self.timeout,
            "settle": self.settle,
        }
        found = []
        if decision.answer()["fetches"]:
            found += parts.fetch(held, work, decision.kind, request, payload)
        if work["migrations"]:
            found += parts.migrate(held, work)
        found += parts.roll(held, work, how)
        found += parts.commit(held, work, decision.kind, self.timeout)
        for part in [*found, *parts.finish(held, keep=5)]:
            self.step(part.name, **part.params)

    def remove(self, *names: str) -> None:
        """Take stacks off the host with all they have, data too."""
        for name in names:
            label = f"--filter label=com.docker.compose.project={name}"
            lab.ssh(
                self.host,
                # Volumes without a name that Compose handed on look like named ones to the Engine.
                f"mounted=$(docker ps -aq {label} | xargs -r docker inspect --format "
                "'{{range .Mounts}}{{println .Name}}{{end}}' | grep -xE '[0-9a-f]{64}'); "
                f"docker ps -aq {label} | xargs -r docker rm -f -v >/dev/null; "
                "echo $mounted | xargs -r docker volume rm >/dev/null; "
                f"docker network ls -q {label} | xargs -r docker network rm >/dev/null; "
                f"docker volume ls -q {label} | xargs -r docker volume rm >/dev/null; "
                f"rm -rf {ROOT}/{name} {ROOT}/.history/{name}.jsonl "
                f"/etc/maestro/edge/dynamic/stack-{name}.yml",
                check=False,
            )

    def containers(self, name: str) -> list[dict[str, Any]]:
        """`docker inspect` of every container of a stack, oldest first."""
        found = lab.ssh(
            self.host, f"docker ps -aq --no-trunc --filter label=com.docker.compose.project={name}"
        ).split()
        if not found:
            return []
        details = json.loads(lab.ssh(self.host, f"docker inspect {' '.join(found)}"))
        return sorted(details, key=lambda detail: str(detail["Created"]))

    def container(self, name: str, service: str) -> dict[str, Any]:
        """`docker inspect` of a service's only container."""
        label = "com.docker.compose.service"
        (found,) = [
            item for item in self.containers(name) if item["Config"]["Labels"].get(label) == service
        ]
        return found

    def until(self, command: str, seconds: float = 20) -> str:
        """What a command on the host says when it first ends well."""
        deadline = time.monotonic() + seconds
        while True:
            done = lab.run("ssh", "-F", ".lab/ssh_config", *lab.SHARED, self.host, command)
            if done.rc == 0:
                return done.out
            assert time.monotonic() < deadline, f"{command}: {done.out}"
            time.sleep(0.3)

    def inventory(self, path: Path, names: Mapping[str, str], **more: Any) -> Path:
        """Write an inventory in which the host has other names, each in an environment.

        Its secrets come from the directory ``secrets`` beside the file; ``more`` are variables.
        """
        host = {
            "ansible_host": self.host,
            "ansible_user": "root",
            "ansible_ssh_common_args": f"-F {lab.PROJECT}/.lab/ssh_config",
            "maestro_secrets": {"source": "directory", "path": str(path.parent / "secrets")},
            "maestro_stacks_dir": str(self.directory),
            **more,
        }
        groups = {environment: {"hosts": {name: host}} for name, environment in names.items()}
        path.write_text(yaml.safe_dump(groups))
        return path
