"""What the role edge renders, through Ansible's own Templar and without a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "roles/edge"
TEMPLATES = ROLE / "templates/etc/maestro/edge"


def known(**variables: Any) -> dict[str, Any]:
    """What the templates know."""
    loader = DataLoader()
    return {
        **loader.load_from_file(str(ROLE / "defaults/main.yml"), trusted_as_template=True),
        **loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True),
        "ansible_managed": "managed",
        **variables,
    }


def text_of(template: str, **variables: Any) -> str:
    """A template as it comes to a host."""
    templar = Templar(loader=DataLoader(), variables=known(**variables))
    return str(templar.template(trust_as_template((TEMPLATES / template).read_text())))


def render(template: str, **variables: Any) -> Any:
    """The same, read."""
    return yaml.safe_load(text_of(template, **variables))


def test_what_the_edge_logs_holds_no_secret() -> None:
    fields = render("traefik.yml.j2")["accessLog"]["fields"]
    assert fields["queryParameters"] == {"defaultMode": "drop"}
    assert fields["headers"] == {"defaultMode": "drop"}


def test_spans_are_sent_where_it_is_asked_for() -> None:
    assert "tracing" not in render("traefik.yml.j2")
    url = "http://127.0.0.1:4318/v1/traces"
    found = render("traefik.yml.j2", edge_traces_endpoint=url)["tracing"]
    assert found == {"serviceName": "maestro-edge", "otlp": {"http": {"endpoint": url}}}


def test_what_only_the_host_reaches() -> None:
    found = render("traefik.yml.j2", edge_api_port=9000)
    assert found["entryPoints"]["internal"]["address"] == "127.0.0.1:9000"
    assert found["ping"] == {"entryPoint": "internal"}
    assert found["metrics"]["prometheus"]["manualRouting"], "its route asks for a password"
    routers = render("dynamic/edge.yml.j2")["http"]["routers"]
    assert {name: item["middlewares"] for name, item in routers.items()} == {
        "api": ["maestro-api"],
        "metrics": ["maestro-metrics"],
    }
    assert all(item["entryPoints"] == ["internal"] for item in routers.values())
    assert {name: item["address"] for name, item in found["entryPoints"].items()} == {
        "web": ":80",
        "websecure": ":443",
        "internal": "127.0.0.1:9000",
    }
    assert all(item["reusePort"] for item in found["entryPoints"].values())


@pytest.mark.parametrize("server", ["", "https://acme.test/directory"])
def test_acme(server: str) -> None:
    said = {"edge_tls": "acme", "edge_acme_email": "ops@shop.test", "edge_acme_server": server}
    acme = render("traefik.yml.j2", **said)["certificatesResolvers"]["acme"]["acme"]
    assert acme["email"] == "ops@shop.test"
    assert acme["httpChallenge"] == {"entryPoint": "web"}
    assert acme.get("caServer", "") == server
    assert "caCertificates" not in acme


def test_what_one_acme_server_issued_is_not_shown_for_another() -> None:
    stored = {
        render("traefik.yml.j2", edge_tls="acme", edge_acme_server=server)["certificatesResolvers"][
            "acme"
        ]["acme"]["storage"]
        for server in ("", "https://acme.test/directory", "https://staging.acme.test/directory")
    }
    assert len(stored) == 3
    assert "/etc/maestro/edge/acme/acme.json" in stored


def test_acme_asks_for_the_names_of_the_edge() -> None:
    said = {"edge_tls": "acme", "edge_hosts": ["shop.test", "www.shop.test"]}
    assert render("dynamic/edge.yml.j2", **said)["tls"]["stores"]["default"] == {
        "defaultGeneratedCert": {
            "resolver": "acme",
            "domain": {"main": "shop.test", "sans": ["www.shop.test"]},
        }
    }


def test_an_acme_server_of_ones_own() -> None:
    said = {"edge_tls": "acme", "edge_acme_ca": "-----BEGIN"}
    acme = render("traefik.yml.j2", **said)["certificatesResolvers"]["acme"]["acme"]
    assert acme["caCertificates"] == ["/etc/maestro/edge/certs/acme-ca.crt"]
    assert text_of("traefik.yml.j2", **said) != text_of(
        "traefik.yml.j2", **said | {"edge_acme_ca": "another"}
    ), "the edge reads it once, when it starts"


@pytest.mark.parametrize(
    ("said", "authority"),
    [
        ({}, "/etc/maestro/edge/certs/ca.crt"),
        ({"edge_tls": "files"}, ""),
        ({"edge_tls": "acme"}, ""),
        ({"edge_tls": "acme", "edge_acme_ca": "-----"}, "/etc/maestro/edge/certs/acme-ca.crt"),
    ],
)
def test_whom_the_smoke_checks_believe(said: dict[str, str], authority: str) -> None:
    templar = Templar(loader=DataLoader(), variables=known(**said))
    assert templar.template(trust_as_template("{{ __edge_settings['authority'] }}")) == authority


@pytest.mark.parametrize("kind", ["internal", "files"])
def test_a_certificate_that_is_there(kind: str) -> None:
    assert "certificatesResolvers" not in render("traefik.yml.j2", edge_tls=kind)
    tls = render("dynamic/edge.yml.j2", edge_tls=kind)["tls"]
    assert tls["options"]["default"]["minVersion"] == "VersionTLS12"
    assert tls["stores"]["default"]["defaultCertificate"] == {
        "certFile": "/etc/maestro/edge/certs/edge.crt",
        "keyFile": "/etc/maestro/edge/certs/edge.key",
    }


@pytest.mark.parametrize(
    ("said", "clear", "meant"),
    [
        *((word, True, True) for word in ("on", "On", "yes", "true", "1", 1, True)),
        *((word, True, False) for word in ("off", "OFF", "no", "false", "0", 0, False)),
        *((word, False, None) for word in ("", "perhaps", "offf", 2, None)),
    ],
)
def test_the_maintenance_page_is_switched_by_any_word_for_it(
    said: Any, clear: bool, meant: bool | None
) -> None:
    refusal, *_, switch = yaml.safe_load((ROLE / "tasks/maintenance.yml").read_text())
    variables = known(maintenance=said, ansible_limit="staging")
    templar = Templar(loader=DataLoader(), variables=variables)
    conditions = refusal["ansible.builtin.assert"]["that"]
    passed = [templar.evaluate_conditional(trust_as_template(text)) for text in conditions]
    assert all(passed) is clear
    if clear:
        expression = trust_as_template(switch["maestro.stacks.maintenance"]["on"])
        assert templar.template(expression) is meant
