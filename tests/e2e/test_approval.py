"""A deploy to production that nobody approved."""

from __future__ import annotations

import pytest
from counter import Counter
from e2e import lab

WAYS_AROUND = {
    "nobody": ["-e", "approved_by="],
    "a blank": ["-e", '{"approved_by": " "}'],
    "a name without a plan": ["-e", "approved_by=jo"],
    "switched off": ["-e", '{"maestro_approval_required": false}'],
    "only a plan": ["-e", "__deploy_plan_only=true"],
    "another environment": ["-e", "maestro_environment=staging"],
}


@pytest.mark.usefixtures("production")
def test_production_needs_an_approval(deployed: Counter) -> None:
    before = [lab.footprint(host, "counter") for host in deployed.hosts]
    for name, words in WAYS_AROUND.items():
        arguments = deployed.arguments("-e", "version=v2", *words)
        run = lab.playbook("deploy.yml", "-l", "production", *arguments, env=lab.APPROVED)
        run.failed("approval" if "by" in words[-1] else "-e ")
        assert run.changed(*deployed.hosts) == [0, 0], name
    assert [lab.footprint(host, "counter") for host in deployed.hosts] == before
