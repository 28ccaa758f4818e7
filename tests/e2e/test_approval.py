"""A deploy to production that nobody approved."""

from __future__ import annotations

import json

import pytest
from counter import Counter
from e2e import lab

# More of them stand in tests/unit/test_approval_claimed.py and in test_approval_host.py.
WAYS_AROUND = {
    "a name without a plan": (lab.APPROVED, ["-e", "approved_by=jo"], "named by its hash"),
    "switched off": (
        lab.APPROVED,
        ["-e", '{"maestro_approval_required": false, "__deploy_plan_only": true}'],
        "cannot be switched off for one run",
    ),
    # The inventory asks for nothing, and the host does.
    "another inventory": (lab.UNAPPROVED, ["-e", "approved_by="], "production needs an approval"),
}


@pytest.mark.usefixtures("production")
def test_production_needs_an_approval(deployed: Counter) -> None:
    for host in deployed.hosts:
        said = {"host": host, "environment": "production", "approval": True}
        lab.ssh(host, f"echo '{json.dumps(said)}' > /etc/maestro/host.json")
    before = [lab.footprint(host, "counter") for host in deployed.hosts]
    try:
        for name, (inventory, words, why) in WAYS_AROUND.items():
            arguments = deployed.arguments("-e", "version=v2", *words)
            run = lab.playbook("deploy.yml", "-l", "production", *arguments, env=inventory)
            run.failed(why)
            # What is refused before the first play has no recap.
            done = [run.recap.get(host, {}).get("changed", 0) for host in deployed.hosts]
            assert done == [0, 0], name
        assert [lab.footprint(host, "counter") for host in deployed.hosts] == before
    finally:
        lab.forget(*deployed.hosts)
