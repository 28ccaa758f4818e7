"""A deploy to production that nobody approved."""

from __future__ import annotations

import pytest
from counter import Counter
from e2e import lab


@pytest.mark.usefixtures("production")
def test_production_needs_an_approval(deployed: Counter) -> None:
    before = [lab.footprint(host, "counter") for host in deployed.hosts]
    run = deployed.deploy("-e", "version=v2", "-e", "approved_by=")
    run.failed("production needs an approval", "approved_by")
    assert run.changed(*deployed.hosts) == [0, 0]
    assert [lab.footprint(host, "counter") for host in deployed.hosts] == before
