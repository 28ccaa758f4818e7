"""What variables of the role edge mean."""

from __future__ import annotations

import pytest

from maestro.machine import edge_variables

A, B = (f"sha256:{letter * 64}" for letter in "ab")


@pytest.mark.parametrize(
    ("image", "running", "wanted"),
    [
        ("r.test:5000/edge:1", [], ""),
        ("r.test:5000/edge:1", [""], ""),
        ("r.test:5000/edge:1", ["r.test:5000/edge:1"], ""),
        ("r.test:5000/edge:1", [f"r.test:5000/edge:1@{A}"], f"r.test:5000/edge:1@{A}"),
        ("r.test:5000/edge:2", [f"r.test:5000/edge:1@{A}"], ""),
        ("edge:1", [f"r.test:5000/edge:1@{A}"], ""),
        # This host's own goes before that of another.
        ("edge:1", [f"edge:1@{B}", f"edge:1@{A}"], f"edge:1@{B}"),
        ("edge:1", ["edge:1", f"edge:1@{A}"], f"edge:1@{A}"),
        ("edge:1", ["edge:1@sha256:short", f"edge:1@{A}\n"], ""),
        # What is pinned in the file is asked of nobody.
        (f"edge:1@{B}", [f"edge:1@{A}"], f"edge:1@{B}"),
        (f"edge@{B}", [], f"edge@{B}"),
    ],
)
def test_the_digest_that_stays(image: str, running: list[str], wanted: str) -> None:
    assert edge_variables.pinned(image, running) == wanted


@pytest.mark.parametrize(
    "name",
    ["shop.example.org", "localhost", "WWW.Example.org", "*.example.org", "a-b.c", "1.a", "x" * 63],
)
def test_names(name: str) -> None:
    assert edge_variables.host_problems([name]) == []


@pytest.mark.parametrize(
    ("name", "tls", "problem"),
    [
        ("shop_1.example.org", "internal", "is not a host name"),
        ("", "internal", "is not a host name"),
        ("shop.example.org.", "internal", "is not a host name"),
        ("shop..org", "internal", "is not a host name"),
        ("-a.org", "internal", "is not a host name"),
        ("a-.org", "internal", "is not a host name"),
        ("a b.org", "internal", "is not a host name"),
        ("shop.example.org\n", "internal", "is not a host name"),
        ("a.org,DNS:b.org", "internal", "is not a host name"),
        ("$(id).org", "internal", "is not a host name"),
        ("bücher.example", "internal", "is not a host name"),
        ("x" * 64, "internal", "is not a host name"),
        (".".join(["abc"] * 64), "internal", "is not a host name"),
        ("a.*.org", "internal", "is not a host name"),
        ("*", "internal", "is not a host name"),
        ("*.org", "internal", "covers a whole top-level domain"),
        ("*.example.org", "acme", "has a star"),
        ("192.0.2.1", "internal", "is an address"),
        ("[2001:db8::1]", "internal", "is an address"),
        ("2001:db8::1", "internal", "is an address"),
        ("https://shop.example.org", "internal", "without scheme, port and path"),
        ("shop.example.org:8443", "internal", "without scheme, port and path"),
        ("shop.example.org/x", "internal", "without scheme, port and path"),
    ],
)
def test_what_is_no_name(name: str, tls: str, problem: str) -> None:
    (said,) = edge_variables.host_problems(["good.example.org", name], tls)
    assert said.startswith(repr(name))
    assert problem in said
    assert "write" in said


def test_names_are_a_list() -> None:
    assert "write [" in edge_variables.host_problems("shop.example.org")[0]
