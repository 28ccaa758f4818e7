"""What Traefik is told of a route's options: see `maestro.stack.route_options`.

https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/overview/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..records import Route, RouteOptions

# As in roles/edge, dynamic/edge.yml.j2, where no route asks for more.
TRANSPORT = {"dialTimeout": "5s", "idleConnTimeout": "100ms"}
# The order in which a request passes them. A limit of a client's requests comes before the body.
FIRST, LAST = ("headers",), ("users", "body", "strip")


def options(route: Route) -> RouteOptions:
    """The options of a route; a release of before there were has none."""
    return route.get("options") or {}


def host_rule(name: str) -> str:
    """The rule for a host; a star stands for one label, as in certificates (RFC 6125, 6.4.3)."""
    if name.startswith("*."):
        return f"HostRegexp(`^[^.]+{re.escape(name[1:])}$`)"
    return f"Host(`{name}`)"


def middlewares(route: Route) -> dict[str, dict[str, Any]]:
    """The middlewares of a route, by the last part of their name."""
    said = options(route)
    found: dict[str, dict[str, Any]] = {}
    if headers := said.get("headers"):
        found["headers"] = {"headers": {"customResponseHeaders": dict(headers)}}
    if said.get("basic_auth"):
        # Without a file nobody may: Traefik then refuses the router.
        users = {"usersFile": said.get("users", ""), "removeHeader": True}
        found["users"] = {"basicAuth": users}
    if most := said.get("max_body"):
        found["body"] = {"buffering": {"maxRequestBodyBytes": most}}
    if said.get("strip"):
        found["strip"] = {"stripPrefix": {"prefixes": [route["path"]]}}
    return found


def first(route: Route) -> list[str]:
    """Those that a request passes before its client's limit."""
    return [name for name in FIRST if name in middlewares(route)]


def last(route: Route) -> list[str]:
    """Those that it passes after it."""
    return [name for name in LAST if name in middlewares(route)]


def transport(route: Route) -> dict[str, Any]:
    """How its containers are spoken to, where it says how long they may take."""
    seconds = options(route).get("timeout")
    if not seconds:
        return {}
    return {"forwardingTimeouts": {**TRANSPORT, "responseHeaderTimeout": f"{seconds:g}s"}}


def sticky(route: Route, settings: Mapping[str, Any], part: str = "") -> dict[str, Any]:
    """The cookie that brings a client back to the container that answered it first."""
    name = options(route).get("sticky")
    if not name:
        return {}
    cookie = {"name": f"{name}{part}", "httpOnly": True, "path": "/"}
    return {"sticky": {"cookie": {**cookie, "secure": bool(settings["redirect_https"])}}}


def redirect(route: Route, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The middleware that sends clients to the route's first host."""
    port = int(settings["https_port"])
    secure = bool(settings["redirect_https"])
    target = f"{'https' if secure else 'http'}://{route['hosts'][0]}"
    if secure and port != 443:
        target += f":{port}"
    found = {"regex": "^https?://[^/]+(.*)$", "replacement": f"{target}${{1}}", "permanent": True}
    return {"redirectRegex": found}
