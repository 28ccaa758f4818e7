"""A version that was overwritten in the registry: the history of the next deploy names it."""

from __future__ import annotations

from typing import Any

import pytest
import stack_models as models

from maestro.plan import deploy
from maestro.plan.wanted import Inputs


def purpose(version: str, *changed: str) -> str:
    """What the history says where the registry has other contents of services now."""
    model = models.shop()
    for item in model["services"].values():
        item["image"] = item["image"].rpartition(":")[0] + ":v1"
    resolved = models.images(model)
    state: dict[str, Any] = {**models.running(model), "model": model, "resolved": resolved}
    for name in changed:
        image = model["services"][name]["image"]
        other = {**resolved[image], "digest": "sha256:" + "9" * 64}
        state["resolved"] = {**state["resolved"], image: other}
    asked = {**models.REQUEST, "version": version}
    decision = deploy.decide(Inputs(asked, {"a": state}, "a", "/opt/maestro", run=models.run()))
    return str(decision.hosts["a"]["claim"]["purpose"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [(["web"], "deploy of v1, overwritten: shop-web"), ([], "deploy of v1")],
)
def test_what_was_overwritten_is_named(changed: list[str], said: str) -> None:
    assert purpose("v1", *changed) == said


def test_an_image_that_has_another_tag_than_the_release_is_not_called_overwritten() -> None:
    """What follows a moving tag is no version of the stack."""
    assert purpose("v2", "web") == "deploy of v2"
