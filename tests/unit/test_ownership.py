"""What a plan may not touch, put together: the edge's ports, and what the plan is told."""

from __future__ import annotations

from typing import Any

import pytest
import stack_models as models

from maestro.plan import adoption, ownership, records
from maestro.plan.wanted import Wanted


def judged(model: dict[str, Any], environment: str = "staging", **state: Any) -> list[str]:
    there = {**models.bare(), **state}
    rendered = models.rendered(model)
    found = records.Plan("h1", "shop", environment, "", "", "v1")
    wanted = Wanted("v1", "/opt/maestro", frozenset(), model, {}, [], ["told"])
    problems = ownership.judge(found, wanted, rendered, there, adoption.Asked())
    assert "told" in found.warnings
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("keys", "image_user", "refused"),
    [
        ({"network_mode": "host", "user": "65532"}, "", True),
        ({"network_mode": "host", "user": "65532:0"}, "", True),
        ({"network_mode": "host"}, "65532:65532", True),
        ({"network_mode": "host", "user": "1000"}, "65532", False),
        ({"network_mode": "host"}, "", False),
        ({"user": "65532"}, "", False),
    ],
)
def test_nobody_shares_the_edges_ports(
    keys: dict[str, Any], image_user: str, refused: bool
) -> None:
    model = models.shop()
    model["services"]["web"] |= keys
    reference = model["services"]["web"]["image"]
    resolved = {reference: {"digest": "x", "user": image_user}}
    edge = {"installed": True, "routes_of_others": {}, "uid": 65532}
    found = judged(model, edge=edge, resolved=resolved)
    assert len(found) == refused
    assert not refused or "the service web runs in the host's network as the uid 65532" in found[0]


def test_an_account_with_a_readers_uid() -> None:
    known = {"999": {"name": "ann", "login": True}}
    assert judged(models.shop(), accounts=known) == []
    (refused,) = judged(models.shop(), "production", accounts=known)
    assert "the account ann of the host has the uid 999" in refused
