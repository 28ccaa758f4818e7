"""A small stack as Compose reads it, its release, and a host that runs it.

The dicts have the shape of `docker compose config --format json` (Compose 2.26), of an answer of
the registry and of `maestro.host.state.read`; no test needs any of the three for it.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
from pathlib import Path
from typing import Any

from maestro.host.files import File
from maestro.host.layout import Layout
from maestro.plan.run import Run
from maestro.release.recorded import document
from maestro.release.render import Rendered, Wish, render

REGISTRY = "registry.test:5000"
LAYOUT = Layout(Path("/opt/maestro"), "shop")
RELEASE = "20260101T120000Z-1f2e"
_IDS = itertools.count(0x1000)
EXTENSION: dict[str, Any] = {
    "migrations": [{"service": "migrate", "timeout": 60}],
    "smoke": [{"name": "answers", "http": {"port": "8000", "path": "/"}}],
}
FILES = {
    name: File(content).as_json()
    for name, content in (
        ("compose.yaml", b"the text of the file"),
        ("config/settings.json", b'{"colour": "blue"}\n'),
    )
}
# What a deploy asks for.
REQUEST: dict[str, Any] = {
    "stack": "shop",
    "environment": "staging",
    "version": "v1",
    "files": FILES,
    "approved_by": "",
    "git_commit": "",
}


def run() -> Run:
    """What a decision is told of its run; each has another id for the release it makes."""
    return Run("kim@desk", "2026-12-31T12:00:00Z", f"20261231T120000Z-{next(_IDS):x}")


def service(image: str, **keys: Any) -> dict[str, Any]:
    """A service with what Compose always says of one."""
    return {
        "command": None,
        "entrypoint": None,
        "image": f"{REGISTRY}/{image}",
        "networks": {"default": None},
        **keys,
    }


def shop(version: str = "v1") -> dict[str, Any]:
    """A database, a migration, a web service, and a tool only one profile has."""
    healthy = {"condition": "service_healthy", "required": True}
    done = {"condition": "service_completed_successfully", "required": True}
    secret = {"source": "db_password", "target": "/run/secrets/db_password"}
    services = {
        "db": service(
            "postgres:17-1",
            user="999:999",
            secrets=[secret],
            volumes=[{"type": "volume", "source": "data", "target": "/data", "volume": {}}],
            healthcheck={"test": ["CMD", "pg_isready"], "interval": "5s"},
            deploy={"resources": {"limits": {"memory": "67108864"}}, "placement": {}},
        ),
        "migrate": service(
            f"shop-web:{version}",
            command=["migrate"],
            secrets=[secret],
            depends_on={"db": healthy},
        ),
        "web": service(
            f"shop-web:{version}",
            build={"context": "./web", "dockerfile": "Dockerfile"},
            environment={"GREETING": "hello", "PRICE": "5$$"},
            secrets=[secret],
            configs=[{"source": "settings", "target": "/etc/shop.json"}],
            ports=[{"mode": "ingress", "target": 8000, "published": "8000", "protocol": "tcp"}],
            depends_on={"db": healthy, "migrate": done},
            healthcheck={"test": ["CMD", "/app/web", "healthcheck"]},
            deploy={"resources": {"limits": {"memory": "67108864"}}, "placement": {}},
        ),
        "tool": service("tool:1", profiles=["debug"], depends_on={"web": healthy}),
    }
    return {
        "name": "shop",
        "services": services,
        "networks": {
            "default": {"name": "shop_default", "ipam": {}},
            "unused": {"name": "shop_unused", "ipam": {}},
        },
        "volumes": {"data": {"name": "shop_data"}, "unused": {"name": "shop_unused"}},
        "secrets": {"db_password": {"name": "shop_db_password", "file": "./.secrets/db_password"}},
        "configs": {"settings": {"name": "shop_settings", "file": "./config/settings.json"}},
        "x-maestro": copy.deepcopy(EXTENSION),
    }


def digest(reference: str) -> str:
    """A digest that is the same for the same reference."""
    return "sha256:" + hashlib.sha256(reference.encode()).hexdigest()


def images(model: dict[str, Any], user: str = "1000:1000") -> dict[str, dict[str, Any]]:
    """What the registry knows of every image of a model."""
    references = {item["image"] for item in model["services"].values()}
    return {
        reference: {"digest": digest(reference), "user": user, "size": 10_000_000}
        for reference in references
    }


def wish(model: dict[str, Any], **changes: Any) -> Wish:
    """All a release is rendered from."""
    values: dict[str, Any] = {
        "stack": "shop",
        "model": model,
        "extension": model.get("x-maestro") or {},
        "images": images(model),
        "secrets": {"db_password": RELEASE},
        "files": FILES,
        "layout": LAYOUT,
    }
    return Wish(**{**values, **changes})


def rendered(model: dict[str, Any], **changes: Any) -> Rendered:
    """The release of a model."""
    return render(wish(model, **changes))


def bare() -> dict[str, Any]:
    """A host that runs nothing of the stack, with room for it."""
    return {
        "release": {},
        "compose": "",
        "file": {},
        "version": "",
        "model": {},
        "model_problem": "",
        "reading": "",
        "resolved": {},
        "refused": {},
        "containers": [],
        "images": [],
        "ports": [],
        "resources": {},
        "secrets": {"db_password": ""},
        "lease": {},
        "agent": "",
        "edge": {"installed": True, "maintenance": False, "routes_of_others": {}},
        "engine": {
            "version": "26.1.5+dfsg1",
            "compose": "2.26.1",
            "memory": 4 << 30,
            "data": "/var/lib/docker",
            "free": 20 << 30,
            "root_free": 20 << 30,
        },
    }


def running(model: dict[str, Any], version: str = "v1", **changes: Any) -> dict[str, Any]:
    """A host that runs a model as released."""
    asked = wish(model, **changes)
    release = render(asked)
    state = bare()
    facts = {**release.services, **release.migrations}
    state.update(
        release={
            "id": RELEASE,
            "version": version,
            "images": {name: dict(image) for name, image in asked.images.items()},
            "services": release.services,
            "migrations": {name: item["hash"] for name, item in release.migrations.items()},
            "secrets": {item["name"]: item["version"] for item in release.secret_files},
            "configs": release.configs,
            "order": release.order,
        },
        compose=release.text,
        file=document(release.text),
        version=version,
        containers=[
            container(name, item["hash"], number)
            for name, item in release.services.items()
            for number in range(item["replicas"])
        ],
        images=sorted({item["image"] for item in facts.values()}),
        secrets=dict(asked.secrets),
    )
    return state


def container(name: str, service_hash: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    """A container as the state tells of it."""
    return {
        "id": f"{name}-{number}",
        "name": f"shop-{name}-{number + 1}",
        "service": name,
        "image": "",
        "hash": service_hash,
        "status": "running",
        "health": "healthy",
        "started": "2026-01-01T12:00:00.5Z",
        **changes,
    }
