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


def render(template: str, **variables: Any) -> Any:
    known = {
        **yaml.safe_load((ROLE / "defaults/main.yml").read_text()),
        **yaml.safe_load((ROLE / "vars/main.yml").read_text()),
        "ansible_managed": "managed",
        "__edge_certificate_file": {"stat": {"checksum": "c1"}},
        **variables,
    }
    templar = Templar(loader=DataLoader(), variables=known)
    text = (TEMPLATES / template).read_text()
    return yaml.safe_load(templar.template(trust_as_template(text)))


def test_what_the_edge_logs_holds_no_secret() -> None:
    fields = render("traefik.yml.j2")["accessLog"]["fields"]
    assert fields["queryParameters"] == {"defaultMode": "drop"}
    assert fields["headers"] == {"defaultMode": "drop"}


def test_what_only_the_host_reaches() -> None:
    found = render("traefik.yml.j2", edge_api_port=9000)
    assert found["entryPoints"]["internal"]["address"] == "127.0.0.1:9000"
    assert found["ping"] == {"entryPoint": "internal"}
    assert found["metrics"]["prometheus"]["entryPoint"] == "internal"
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
    assert "stores" not in render("dynamic/edge.yml.j2", **said)["tls"]


@pytest.mark.parametrize("kind", ["internal", "files"])
def test_a_certificate_that_is_there(kind: str) -> None:
    assert "certificatesResolvers" not in render("traefik.yml.j2", edge_tls=kind)
    tls = render("dynamic/edge.yml.j2", edge_tls=kind)["tls"]
    assert tls["options"]["default"]["minVersion"] == "VersionTLS12"
    assert tls["stores"]["default"]["defaultCertificate"] == {
        "certFile": "/etc/maestro/edge/certs/edge.crt",
        "keyFile": "/etc/maestro/edge/certs/edge.key",
    }


def test_another_certificate_is_another_file_for_the_edge_to_read() -> None:
    text = (TEMPLATES / "dynamic/edge.yml.j2").read_text()
    assert "{{ __edge_certificate_file['stat']['checksum'] | default('none yet') }}" in text
