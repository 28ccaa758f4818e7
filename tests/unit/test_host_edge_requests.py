"""The requests of a stack in the lines of Traefik's metrics."""

from __future__ import annotations

from maestro.host.edge_requests import Requests, counted

LINES = """\
# TYPE traefik_router_requests_total counter
traefik_router_requests_total{code="200",method="GET",protocol="http",router="shop-web~shop@file",service="shop-web~shop@file"} 40
traefik_router_requests_total{code="404",method="GET",protocol="http",router="shop-web~shop~https@file",service="shop-web~shop@file"} 2
traefik_router_requests_total{code="502",method="POST",protocol="http",router="shop-api~shop@file",service="shop-api~shop@file"} 3
traefik_router_requests_total{code="500",method="GET",protocol="http",router="shop-api-web~shop-api@file",service="x@file"} 5
traefik_router_requests_total{code="200",method="GET",protocol="http",router="maestro-api@file",service="api@internal"} 7
traefik_router_requests_total{code="200",method="GET",protocol="http",router="shop-web~shop@file",service="x@file"} 1.5e+06
traefik_router_requests_bytes_total{code="200",method="GET",protocol="http",router="shop-web~shop@file",service="x@file"} 9
""".splitlines()  # noqa: E501 -- as Traefik writes them


def test_requests_of_one_stack_are_counted_whatever_its_neighbours_are_called() -> None:
    """Routers with parts, other stacks with the same beginning, other metrics, large numbers."""
    assert counted("shop", LINES) == Requests(3, 1_500_045)
    assert counted("shop-api", LINES) == Requests(5, 5)
    assert counted("none", LINES) == Requests(0, 0)


def test_an_edge_that_began_anew_says_nothing_of_the_time_between() -> None:
    """Its numbers are smaller than before."""
    assert Requests(1, 50).since(Requests(0, 40)) == Requests(1, 10)
    assert Requests(0, 3).since(Requests(0, 40)) is None
    assert Requests(0, 50).since(Requests(2, 40)) is None
