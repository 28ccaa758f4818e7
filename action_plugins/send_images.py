"""Bring images of this machine's Engine to a host, without the layers that it has."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path
from typing import Any

from maestro.errors import MaestroError
from maestro.host import incoming
from maestro.play import local_images
from maestro.play.action import Action

# Of each image that came in this way: its names, and its layers.
_ASK = (
    "docker image ls --quiet --no-trunc | sort -u | xargs -r docker image inspect "
    '--format \'{"names":{{json .RepoDigests}},"layers":{{json .RootFS.Layers}}}\''
)


class ActionModule(Action):
    """``images`` are the pulls of a plan; those that a registry has are none of it."""

    def done(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Answer the task: how many layers each image was sent with, and how many were there."""
        names = [str(item["image"]) for item in args["images"]]
        wanted = [name for name in names if incoming.is_sent(name)]
        if not wanted or self._task.check_mode:
            return {"changed": False}
        there = self._layers()
        sent = {name: self._send(name.rpartition("@")[2], there) for name in wanted}
        return {"changed": True, "sent": sent}

    def _layers(self) -> list[tuple[str, ...]]:
        said = self._low_level_execute_command(_ASK)["stdout"]
        found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return [
            tuple(item["layers"] or ())
            for item in found
            if any(map(incoming.is_sent, item["names"] or ()))
        ]

    def _send(self, digest: str, there: list[tuple[str, ...]]) -> dict[str, int]:
        target = incoming.archive(digest)
        with tempfile.TemporaryDirectory(prefix="maestro-image-") as home:
            packed = Path(home) / "image.tar"
            left = local_images.pack(digest, there, packed)
            size = packed.stat().st_size
            place = self._make_tmp_path()
            remote = f"{place.rstrip('/')}/image.tar"
            self._transfer_file(str(packed), remote)
        home_of = shlex.quote(str(target.parent))
        done = self._low_level_execute_command(
            f"mkdir -p -m 0700 {home_of} && "
            f"install -m 0600 {shlex.quote(remote)} {shlex.quote(str(target))}"
        )
        self._remove_tmp_path(place)
        if done["rc"] != 0:
            raise MaestroError(
                f"the image did not arrive: {done['stderr'].strip()}", where=str(target)
            )
        return {"bytes": size, "layers_there": left}
