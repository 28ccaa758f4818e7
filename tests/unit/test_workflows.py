"""The workflows: which jobs there are, when, with which rights, and that they only call stages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TESTS = {"lint", "unit", "test", "coverage", "molecule"}
STAGE = re.compile(r"\.ci/run ([a-z-]+)")


@cache
def workflow(name: str) -> dict[str, Any]:
    """A workflow; YAML reads its key ``on`` as true."""
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows" / name).read_text())
    found["on"] = found.pop(True)
    return found


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = workflow(name)["jobs"]
    return found


def needs(job: dict[str, Any]) -> set[str]:
    said = job.get("needs") or []
    return {said} if isinstance(said, str) else set(said)


def steps(name: str, job: str, uses: str) -> list[dict[str, Any]]:
    return [s for s in jobs(name)[job]["steps"] if str(s.get("uses", "")).startswith(f"{uses}@")]


def run_of(name: str, job: str, stage: str) -> dict[str, Any]:
    (found,) = [s for s in jobs(name)[job]["steps"] if s.get("run") == f".ci/run {stage}"]
    return dict(found)


def stages() -> set[str]:
    """Every stage there is."""
    lines = (ROOT / ".ci/stages.mk").read_text().splitlines()
    phony = " ".join(line for line in lines if line.startswith(".PHONY:"))
    return set(re.findall(r"\bci-([a-z-]+)", phony))


@pytest.mark.requirement("R4.1", "R4.3", "D26")
def test_every_push_and_every_pull_request_is_tested_at_once() -> None:
    on = workflow("ci.yml")["on"]
    assert on["push"] == {"branches": ["**"]}
    assert "pull_request" in on
    for name in TESTS:
        job = jobs("ci.yml")[name]
        assert "if" not in job, name
        assert needs(job) <= TESTS, name


@pytest.mark.requirement("D32", "D38")
def test_images_are_built_on_main_after_the_tests_and_staging_follows() -> None:
    build = jobs("ci.yml")["build"]
    assert needs(build) >= TESTS - {"lint"}
    assert build["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"
    assert build["with"] == {"push": True, "version": "${{ github.sha }}"}
    staging = jobs("ci.yml")["deploy-staging"]
    assert needs(staging) == {"build", "security"}
    assert staging["environment"] == {
        "name": "staging",
        "url": "https://staging.jessy.example.com",
    }
    deploy = run_of("ci.yml", "deploy-staging", "deploy")["env"]
    assert (deploy["LIMIT"], deploy["VERSION"]) == ("staging", "${{ github.sha }}")
    text = (ROOT / "scripts/ci/hosts").read_text()
    assert 'ansible-playbook deploy.yml "${words[@]}"' in text
    assert run_of("ci.yml", "deploy-staging", "smoke")


@pytest.mark.requirement("D28")
def test_lint_keeps_what_cargo_fetched_and_built() -> None:
    caches = steps("ci.yml", "lint", "actions/cache")
    assert len(caches) == 3
    assert all("hashFiles('**/Cargo.lock')" in step["with"]["key"] for step in caches)
    places = " ".join(step["with"]["path"] for step in caches)
    assert all(word in places for word in ("registry", "git", "target"))


@pytest.mark.requirement("D29")
def test_jessy_is_tested_in_an_image_that_is_built_from_a_cache() -> None:
    test = jobs("ci.yml")["test"]
    assert needs(test) == {"lint"}
    env = run_of("ci.yml", "test", "test-images")["env"]
    assert env["CACHE_FROM"].startswith("type=gha")
    assert env["CACHE_TO"].startswith("type=gha,mode=max")
    order = [STAGE.fullmatch(step["run"])[1] for step in test["steps"] if "run" in step]  # type: ignore[index]
    assert order == ["test-images", "test-unit", "test-integration", "test-bdd"]


@pytest.mark.requirement("D30")
def test_coverage_is_a_gate_and_an_artifact() -> None:
    (keep,) = steps("ci.yml", "coverage", "actions/upload-artifact")
    assert keep["with"]["name"] == "coverage-report"
    assert keep["with"]["path"] == "test-results/"
    assert keep["if"] == "always()"
    assert run_of("ci.yml", "coverage", "coverage")


@pytest.mark.requirement("D34", "D35", "G13.1", "G13.5")
def test_images_are_built_with_a_cache_and_pushed_by_secrets_alone() -> None:
    found = workflow("docker-build.yml")
    assert {"push", "pull_request", "workflow_call"} <= set(found["on"])
    assert "main" in found["on"]["push"]["branches-ignore"], "ci.yml builds those of main"
    job = jobs("docker-build.yml")["images"]
    assert not [step for step in job["steps"] if step.get("continue-on-error")]
    assert steps("docker-build.yml", "images", "docker/setup-buildx-action")
    build = run_of("docker-build.yml", "images", "build")
    assert build["env"]["CACHE_TO"].startswith("type=gha,mode=max")
    (login,) = steps("docker-build.yml", "images", "docker/login-action")
    assert login["with"]["username"] == "${{ secrets.DOCKER_USERNAME || github.actor }}"
    assert login["with"]["password"] == "${{ secrets.DOCKER_PASSWORD || github.token }}"
    assert found["env"]["REGISTRY"].startswith("${{ vars.REGISTRY ||")
    for path in WORKFLOWS:
        assert not re.search(r"(?i)(password|(?<!id-)token|secret)\w*: [^$ {\n]", path.read_text())


@pytest.mark.requirement("T3.1")
def test_images_are_tested_and_scanned_before_they_are_pushed() -> None:
    job = jobs("docker-build.yml")["images"]
    order = [step["run"].split()[-1] for step in job["steps"] if "run" in step]
    assert order == ["build", "try-images", "scan", "push"]
    assert run_of("docker-build.yml", "images", "scan")["env"]["SCANNER"] == "trivy"
    push = run_of("docker-build.yml", "images", "push")
    assert push["if"] == "inputs.push || startsWith(github.ref, 'refs/tags/')"
    assert job["permissions"]["packages"] == "write"


@pytest.mark.requirement("D37")
def test_findings_are_shown_by_github() -> None:
    job = jobs("ci.yml")["security"]
    (show,) = steps("ci.yml", "security", "github/codeql-action/upload-sarif")
    assert show["if"] == "always()"
    assert job["permissions"] == {"contents": "read", "security-events": "write"}
    assert run_of("ci.yml", "security", "gate")


@pytest.mark.requirement("R4.4")
def test_every_failure_is_told() -> None:
    for name in ("ci.yml", "deploy.yml"):
        notify = jobs(name)["notify"]
        assert needs(notify) == set(jobs(name)) - {"notify"}
        assert notify["if"] == "failure()"
        assert run_of(name, "notify", "notify")["env"]["NEEDS"] == "${{ toJSON(needs) }}"
    for path in WORKFLOWS:
        for name, job in jobs(path.name).items():
            if "steps" in job and name != "notify":
                last = job["steps"][-1]
                assert (last["uses"], last["if"]) == ("./.github/actions/failure", "failure()")


@pytest.mark.requirement("T3.3", "C12")
def test_production_waits_for_reviewers_who_saw_the_plan() -> None:
    found = jobs("deploy.yml")
    assert "workflow_dispatch" in workflow("deploy.yml")["on"]
    assert found["plan"]["environment"] != "production"
    production = found["production"]
    assert production["environment"] == "production"
    assert needs(production) == {"plan"}
    sign = run_of("deploy.yml", "production", "approve")
    deploy = run_of("deploy.yml", "production", "deploy")
    assert production["steps"].index(sign) < production["steps"].index(deploy)
    assert deploy["env"]["APPROVAL"] == ".cache/ci/approval.json"
    assert deploy["env"]["PROMOTE"] == "${{ inputs.promote }}"
    for env in (deploy["env"], run_of("ci.yml", "deploy-staging", "deploy")["env"]):
        assert env["DEPLOY_KNOWN_HOSTS"] == "${{ vars.DEPLOY_KNOWN_HOSTS }}"


def test_only_the_reviewed_job_gets_a_token_that_approves() -> None:
    with_it = [
        (path.name, name)
        for path in WORKFLOWS
        for name, job in jobs(path.name).items()
        if "id-token" in job["permissions"]
    ]
    assert with_it == [("deploy.yml", "production")]
    text = (ROOT / "scripts/ci/approve").read_text()
    assert "--oidc" in text


def test_two_deploys_never_run_at_once() -> None:
    assert jobs("ci.yml")["deploy-staging"]["concurrency"]["cancel-in-progress"] is False
    assert workflow("deploy.yml")["concurrency"]["cancel-in-progress"] is False


@pytest.mark.requirement("C11")
def test_molecule_runs_every_scenario() -> None:
    there = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    assert jobs("ci.yml")["molecule"]["strategy"]["matrix"]["scenario"] == there


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_has_the_least_rights_and_calls_stages_alone(path: Path) -> None:
    found = workflow(path.name)
    assert found["permissions"] == {}
    assert found["concurrency"]
    for name, job in found["jobs"].items():
        assert job["permissions"], name
        assert "uses" in job or job["timeout-minutes"], name
        for step in job.get("steps") or ():
            said = STAGE.fullmatch(step["run"]) if "run" in step else None
            assert "uses" in step or (said and said[1] in stages()), step


def test_every_action_is_pinned_by_its_commit() -> None:
    pinned = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
    for path in [*WORKFLOWS, *(ROOT / ".github/actions").rglob("*.yml")]:
        used = re.findall(r"uses: (.+)$", path.read_text(), re.MULTILINE)
        assert used, path
        others = [line for line in used if not line.startswith("./")]
        assert [line for line in others if not pinned.match(line)] == [], path
    known: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for name, commit in re.findall(r"uses: ([\w./-]+)@(\w+)", path.read_text()):
            known.setdefault(name, set()).add(commit)
    assert {name: found for name, found in known.items() if len(found) > 1} == {}


@pytest.mark.parametrize("other", [".gitlab-ci.yml", ".forgejo/workflows/ci.yml"])
def test_the_other_front_ends_have_the_same_stages(other: str) -> None:
    ours = set(STAGE.findall("".join(path.read_text() for path in WORKFLOWS)))
    text = (ROOT / other).read_text()
    assert set(STAGE.findall(text)) == ours
    assert yaml.safe_load(text)
