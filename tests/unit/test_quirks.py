"""Compose's JSON that Compose would not read again."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.release import compose_quirks

GPU = {"capabilities": ["gpu"]}


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ({"memswap_limit": "-1"}, {"memswap_limit": -1}),
        ({"memswap_limit": "134217728"}, {"memswap_limit": "134217728"}),
        ({"ulimits": {"memlock": {}}}, {"ulimits": {"memlock": {"soft": 0, "hard": 0}}}),
        ({"ulimits": {"nice": {"hard": 5}}}, {"ulimits": {"nice": {"soft": 0, "hard": 5}}}),
        ({"ulimits": {"nofile": 5}}, {"ulimits": {"nofile": 5}}),
        (
            {"blkio_config": {"weight": 3, "device_read_bps": [{"Path": "/dev/a", "Rate": "1"}]}},
            {"blkio_config": {"weight": 3, "device_read_bps": [{"path": "/dev/a", "rate": "1"}]}},
        ),
        (
            {"gpus": [{"count": -1}]},
            {
                "deploy": {
                    "placement": {},
                    "resources": {"reservations": {"devices": [{"count": -1, **GPU}]}},
                }
            },
        ),
        (
            {
                "gpus": [
                    {"driver": "nvidia", "device_ids": ["0"], "capabilities": ["gpu", "utility"]}
                ],
                "deploy": {"resources": {"reservations": {"memory": "9", "devices": [GPU]}}},
            },
            {
                "deploy": {
                    "placement": {},
                    "resources": {
                        "reservations": {
                            "memory": "9",
                            "devices": [
                                GPU,
                                {
                                    "driver": "nvidia",
                                    "device_ids": ["0"],
                                    "capabilities": ["gpu", "utility"],
                                },
                            ],
                        }
                    },
                }
            },
        ),
        (
            {"gpus": [{"capabilities": ["utility"]}]},
            {
                "deploy": {
                    "placement": {},
                    "resources": {
                        "reservations": {"devices": [{"capabilities": ["utility", "gpu"]}]}
                    },
                }
            },
        ),
        ({"gpus": []}, {}),
        ({"image": "a", "ulimits": None}, {"image": "a", "ulimits": None}),
    ],
)
def test_it_is_written_as_the_file_said_it(said: dict[str, Any], written: dict[str, Any]) -> None:
    compose_quirks.mend(said)
    assert said == written
