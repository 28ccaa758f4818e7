"""The registry's client, against a real registry-like server with TLS."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import real_servers
from real_servers import Answer, Asked

from maestro.errors import MaestroError
from maestro.host import insecure, registry
from maestro.host.reference import Reference
from maestro.host.registry import Login, Registry, ResolvedImage

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = {"config": {"User": "1000:1000", "Volumes": {"/data": {}}}}


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


CONFIG_DIGEST = digest_of(json.dumps(CONFIG).encode())
IMAGE = json.dumps(
    {
        "mediaType": MANIFEST,
        "config": {"digest": CONFIG_DIGEST},
        "layers": [{"size": 100}, {"size": 23}],
    }
).encode()


def index(*platforms: tuple[str, str, str]) -> bytes:
    entries = [
        {"digest": digest, "platform": {"os": system, "architecture": machine}}
        for system, machine, digest in platforms
    ]
    return json.dumps({"manifests": entries}).encode()


@dataclass
class Store:
    """A registry's content and its rules, as a reply of the server."""

    manifests: dict[str, bytes] = field(default_factory=lambda: {"v1": IMAGE})
    kind: str = MANIFEST
    config: Any = field(default_factory=lambda: CONFIG)
    send_digest: bool = True
    auth: str = ""  # basic or bearer
    lie: str = ""  # another digest than that of the manifest
    other_blob: bytes = b""  # another configuration than the one of its digest
    tags: list[str] | None = field(default_factory=lambda: ["v1", "v0"])
    status: int = 0
    realm: str = ""
    address: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def blob(self) -> bytes:
        return json.dumps(self.config).encode()

    def body(self, name: str) -> bytes:
        """A manifest as it is served: the configuration in it has its true digest."""
        served = self.manifests[name]
        return served.replace(CONFIG_DIGEST.encode(), digest_of(self.blob).encode())

    def __call__(self, asked: Asked) -> Answer | bytes:
        path, _, query = asked.path.partition("?")
        if path == "/token":
            return self._token(asked, query)
        if self.status:
            return Answer(self.status, b"{}")
        if refused := self._refuse(asked, path):
            return refused
        prefix, _, name = path.removeprefix("/v2/shop/").partition("/")
        if prefix == "manifests" and name in self.manifests:
            headers = {"Content-Type": self.kind}
            if self.send_digest:
                headers["Docker-Content-Digest"] = self.lie or digest_of(self.body(name))
            return Answer(200, self.body(name), headers)
        if prefix == "blobs" and name == digest_of(self.blob):
            return Answer(200, self.other_blob or self.blob)
        if prefix == "tags" and self.tags is not None:
            return Answer(200, json.dumps({"name": "shop", "tags": self.tags}).encode())
        return Answer(404, b'{"errors": []}')

    def _token(self, asked: Asked, query: str) -> Answer:
        if asked.headers.get("authorization", basic("u", "p")) != basic("u", "p"):
            return Answer(401, b"{}")
        token = f"token-{query}"
        self.tokens[token] = query
        return Answer(200, json.dumps({"token": token}).encode())

    def _refuse(self, asked: Asked, path: str) -> Answer | None:
        given = asked.headers.get("authorization", "")
        if self.auth == "basic" and given != basic("u", "p"):
            return Answer(401, b"{}", {"WWW-Authenticate": 'Basic realm="registry"'})
        repository = path.split("/")[2]
        scope = f"repository%3A{repository}%3Apull"
        if self.auth == "bearer" and scope not in self.tokens.get(
            given.removeprefix("Bearer "), ""
        ):
            realm = self.realm or f"https://{self.address}/token"
            challenge = f'Bearer realm="{realm}",service="reg",scope="repository:{repository}:pull"'
            return Answer(401, b"{}", {"WWW-Authenticate": challenge})
        return None


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass
class Running:
    """A registry that runs, and a client for it."""

    server: real_servers.Server
    store: Store

    @property
    def host(self) -> str:
        return self.server.address

    def resolve(self, tag: str = ":v1", login: Login | None = None) -> ResolvedImage:
        return Registry(self.host, login, timeout=5).resolve(f"{self.host}/shop{tag}")

    def refuses(self, tag: str = ":v1", login: Login | None = None) -> MaestroError:
        with pytest.raises(MaestroError) as caught:
            self.resolve(tag, login)
        return caught.value

    def login(self, password: str = "p") -> Login:
        return Login(self.host, "u", password)


Start = Callable[..., Running]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_servers.authority(tmp_path_factory.mktemp("ca"), "lab")


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the Engine's certificates stand."""
    monkeypatch.setattr(registry, "CERTIFICATES", tmp_path / "certs.d")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "certs.d"


@pytest.fixture
def start(certificate: Path, trust: Path) -> Iterator[Start]:
    """Start a registry whose certificate is trusted as the Engine trusts it."""
    contexts = []

    def begin(*, trusted: bool = True, **settings: Any) -> Running:
        store = Store(**settings)
        context = real_servers.http_server(store, certificate)
        server = context.__enter__()
        contexts.append(context)
        store.address = server.address
        if trusted:
            (trust / server.address).mkdir(parents=True)
            (trust / server.address / "ca.crt").write_bytes(certificate.read_bytes())
        return Running(server, store)

    yield begin
    for context in contexts:
        context.__exit__(None, None, None)


# References


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("redis", ("docker.io", "library/redis", "", "")),
        ("redis:7", ("docker.io", "library/redis", "7", "")),
        ("grafana/grafana:11", ("docker.io", "grafana/grafana", "11", "")),
        ("registry.test:5000/shop", ("registry.test:5000", "shop", "", "")),
        ("registry.test:5000/a/b:v1", ("registry.test:5000", "a/b", "v1", "")),
        ("localhost/a:v1", ("localhost", "a", "v1", "")),
        ("ghcr.io/a/b@sha256:" + "ab" * 32, ("ghcr.io", "a/b", "", "sha256:" + "ab" * 32)),
        ("ghcr.io/a/b:v1@sha256:" + "ab" * 32, ("ghcr.io", "a/b", "v1", "sha256:" + "ab" * 32)),
    ],
)
def test_a_reference_is_taken_apart_as_the_engine_does(text: str, parts: tuple[str, ...]) -> None:
    found = Reference.parse(text)
    assert (found.registry, found.repository, found.tag, found.digest) == parts
    assert found.name == f"{parts[0]}/{parts[1]}"


def test_docker_hub_has_another_name() -> None:
    assert Registry("docker.io")._base == "https://registry-1.docker.io/v2"
    assert Registry("ghcr.io")._base == "https://ghcr.io/v2"


def test_a_login_does_not_show_its_password() -> None:
    assert "swordfish" not in repr(Login("r.test", "u", "swordfish"))
    assert "swordfish" not in f"{[Login('r.test', 'u', 'swordfish')]}"


# What a tag means


@pytest.mark.parametrize("send_digest", [True, False])
def test_an_image_of_one_platform(start: Start, send_digest: bool) -> None:
    running = start(send_digest=send_digest)
    found = running.resolve()
    assert found == ResolvedImage(
        f"{running.host}/shop:v1", digest_of(IMAGE), "1000:1000", 123, volumes=("/data",)
    )
    accept = running.server.asked[0].headers["accept"]
    assert INDEX in accept
    assert MANIFEST in accept
    assert "authorization" not in running.server.asked[0].headers


@pytest.mark.parametrize(("machine", "entry"), [("x86_64", "a"), ("aarch64", "b"), ("s390x", "c")])
def test_an_index_has_the_digest_and_a_variant_the_rest(
    start: Start, monkeypatch: pytest.MonkeyPatch, machine: str, entry: str
) -> None:
    monkeypatch.setattr(registry.platform, "machine", lambda: machine)
    bodies = {name: IMAGE + b" " * number for number, name in enumerate("abc")}
    digest = digest_of(bodies[entry])
    several = index(
        ("unknown", "unknown", "sha256:u"),
        ("windows", "amd64", "sha256:w"),
        ("linux", "amd64", digest_of(bodies["a"])),
        ("linux", "arm64", digest_of(bodies["b"])),
        ("linux", "s390x", digest_of(bodies["c"])),
    )
    running = start(manifests={"v1": several, digest: bodies[entry]}, kind=INDEX)
    found = running.resolve()
    assert found.digest == digest_of(several)
    assert (found.user, found.size) == ("1000:1000", 123)
    assert running.server.asked[1].path == f"/v2/shop/manifests/{digest}"


def test_an_index_without_this_machine(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.platform, "machine", lambda: "riscv64")
    error = start(manifests={"v1": index(("linux", "amd64", "sha256:a"))}, kind=INDEX).refuses()
    assert error.what == "the image has no variant for riscv64"
    assert error.where.endswith("/shop:v1")


@pytest.mark.parametrize(
    ("lie", "other_blob"),
    [("sha256:" + "0" * 64, b""), ("md5:x", b""), ("", b'{"config": {"User": "0"}}')],
)
def test_bytes_that_are_not_those_of_their_digest_are_not_believed(
    start: Start, lie: str, other_blob: bytes
) -> None:
    error = start(lie=lie, other_blob=other_blob).refuses()
    assert "did not answer with an image" in error.what


def test_a_manifest_that_was_asked_for_by_digest_is_that_one(start: Start) -> None:
    digest = "sha256:" + "1" * 64
    assert (
        "did not answer with an image"
        in start(manifests={digest: IMAGE}, lie=digest).refuses(f"@{digest}").what
    )


def test_a_digest_is_asked_for_as_it_is(start: Start) -> None:
    digest = digest_of(IMAGE)
    running = start(manifests={digest: IMAGE})
    assert running.resolve(f"@{digest}").digest == digest
    assert running.resolve(f":v9@{digest}").digest == digest


def test_no_tag_means_latest(start: Start) -> None:
    running = start(manifests={"latest": IMAGE})
    assert running.resolve("").digest == digest_of(IMAGE)


@pytest.mark.parametrize("config", [{}, {"config": None}, {"config": {"User": None}}])
def test_an_image_that_names_no_user(start: Start, config: Any) -> None:
    assert start(config=config).resolve().user == ""


# Logins


def test_a_basic_login(start: Start) -> None:
    running = start(auth="basic")
    assert running.resolve(login=running.login()).size == 123
    assert all(asked.headers["authorization"] == basic("u", "p") for asked in running.server.asked)


@pytest.mark.parametrize("with_login", [True, False])
def test_a_token_is_fetched_once(start: Start, with_login: bool) -> None:
    running = start(auth="bearer")
    assert running.resolve(login=running.login() if with_login else None).size == 123
    asked = running.server.asked
    assert [item.path.split("?")[0] for item in asked] == [
        "/v2/shop/manifests/v1",
        "/token",
        "/v2/shop/manifests/v1",
        f"/v2/shop/blobs/{CONFIG_DIGEST}",
    ]
    assert "service=reg&scope=repository%3Ashop%3Apull" in asked[1].path
    assert asked[1].headers.get("authorization", "") == (basic("u", "p") if with_login else "")
    assert asked[3].headers["authorization"].startswith("Bearer token-")


def test_a_token_of_another_repository_is_replaced(start: Start) -> None:
    running = start(auth="bearer")
    client = Registry(running.host, running.login(), timeout=5)
    client.resolve(f"{running.host}/shop:v1")
    with pytest.raises(MaestroError, match="has no other:v1"):
        client.resolve(f"{running.host}/other:v1")
    assert client.resolve(f"{running.host}/shop:v1").size == 123


@pytest.mark.parametrize("realm", ["http://127.0.0.1:9/token", "token", ""])
def test_a_login_does_not_travel_in_the_clear(start: Start, realm: str) -> None:
    running = start(auth="bearer", realm=realm or "ftp://x")
    error = running.refuses(login=running.login("swordfish"))
    assert "for a token" in error.what
    assert "https://" in error.fix
    assert "swordfish" not in str(error)


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_wrong_password(start: Start, auth: str) -> None:
    running = start(auth=auth)
    error = running.refuses(login=running.login("swordfish"))
    assert error.what == f"the registry {running.host} refuses the user 'u' (status 401)"
    assert "registry_password" in error.fix
    assert "swordfish" not in str(error)
    assert basic("u", "swordfish") not in str(error)


@pytest.mark.parametrize(("settings", "status"), [({"auth": "basic"}, 401), ({"status": 403}, 403)])
def test_no_login_where_one_is_needed(start: Start, settings: Any, status: int) -> None:
    error = start(**settings).refuses()
    assert f"refuses a request without login (status {status})" in error.what


def test_a_login_does_not_follow_a_blob_elsewhere(start: Start) -> None:
    elsewhere = start()
    running = start(auth="basic")

    def reply(asked: Asked) -> Answer | bytes:
        if "/blobs/" in asked.path:
            return Answer(307, b"", {"Location": f"https://{elsewhere.host}{asked.path}"})
        return running.store(asked)

    with real_servers.http_server(reply, _certificate(running)) as server:
        trust = registry.CERTIFICATES / server.address
        trust.mkdir()
        (trust / "ca.crt").write_bytes(_certificate(running).read_bytes())
        login = Login(server.address, "u", "p")
        assert Registry(server.address, login, 5).resolve(f"{server.address}/shop:v1").size == 123
        assert all("authorization" in asked.headers for asked in server.asked)
    assert [asked.headers.get("authorization") for asked in elsewhere.server.asked] == [None]


def _certificate(running: Running) -> Path:
    return registry.CERTIFICATES / running.host / "ca.crt"


# What is not there


def test_an_unknown_tag_shows_those_that_exist(start: Start) -> None:
    running = start()
    error = running.refuses(":v7")
    assert error.what == f"the registry {running.host} has no shop:v7"
    assert error.where == f"{running.host}/shop:v7"
    assert "(there: v0, v1)" in error.fix
    assert "make images VERSION=v7" in error.fix


@pytest.mark.parametrize("tags", [None, []])
def test_an_unknown_repository_has_no_tags(start: Start, tags: list[str] | None) -> None:
    running = start(manifests={}, tags=tags)
    assert "(there: none)" in running.refuses().fix
    error = running.refuses("@sha256:" + "ab" * 32)
    assert error.what.endswith("has no shop@sha256:" + "ab" * 32)
    assert "VERSION=TAG" in error.fix


@pytest.mark.parametrize("status", [429, 500, 503])
def test_another_answer(start: Start, status: int) -> None:
    error = start(status=status).refuses()
    assert error.what.endswith(f"answered {status}")
    assert "nothing was changed" in error.fix


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"5", b"{}", b'{"config": {}}', b"\xff"])
def test_an_answer_that_is_no_image(start: Start, body: bytes) -> None:
    error = start(manifests={"v1": body}).refuses()
    assert error.what.endswith("did not answer with an image")
    assert "proxy" in error.fix


def test_an_answer_that_is_no_http(certificate: Path, trust: Path) -> None:
    with real_servers.http_server(lambda _: b"SSH-2.0-x\r\n", certificate) as server:
        (trust / server.address).mkdir(parents=True)
        (trust / server.address / "ca.crt").write_bytes(certificate.read_bytes())
        with pytest.raises(MaestroError, match=r"cannot be reached: SSH-2\.0-x"):
            Registry(server.address, timeout=5).resolve(f"{server.address}/shop:v1")


def test_a_registry_that_is_down(trust: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(MaestroError) as caught:
        Registry(host).resolve(f"{host}/shop:v1")
    assert caught.value.what == (
        f"the registry {host} cannot be reached: [Errno 111] Connection refused"
    )
    assert caught.value.where == f"{host}/shop:v1"
    assert "nothing was changed" in caught.value.fix


def test_a_registry_that_does_not_answer(trust: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(MaestroError, match=r"cannot be reached: .*timed out"):
            Registry(host, timeout=0.2).resolve(f"{host}/shop:v1")


def test_a_registry_of_an_unknown_name(trust: Path) -> None:
    with pytest.raises(MaestroError, match=r"the registry nowhere\.invalid cannot be reached"):
        Registry("nowhere.invalid", timeout=5).resolve("nowhere.invalid/shop:v1")


def test_a_certificate_nobody_vouches_for(start: Start) -> None:
    error = start(trusted=False).refuses()
    assert "certificate verify failed" in error.what
    assert "trusts its certificate" in error.fix


def test_a_certificate_of_another_authority(start: Start, trust: Path, tmp_path: Path) -> None:
    running = start(trusted=False)
    (trust / running.host).mkdir(parents=True)
    other = real_servers.authority(tmp_path, "lab")
    (trust / running.host / "ca.crt").write_bytes(other.read_bytes())
    assert "certificate verify failed" in running.refuses().what


def test_an_authority_that_is_no_certificate(trust: Path) -> None:
    (trust / "r.test").mkdir(parents=True)
    (trust / "r.test" / "ca.crt").write_text("no certificate")
    with pytest.raises(MaestroError) as caught:
        Registry("r.test")
    assert caught.value.where.endswith("certs.d/r.test/ca.crt")
    assert "maestro.stacks.provision" in caught.value.fix


# What the Engine takes without a certificate


def asked_as_the_engine(
    server: real_servers.Server, settings: dict[str, Any], login: Login | None = None
) -> ResolvedImage:
    strict = Registry(server.address, login, timeout=5)
    return insecure.Lenient(strict, settings).resolve(f"{server.address}/shop:v1")


LOOPBACK = {"InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"]}


@pytest.mark.parametrize("auth", ["", "basic", "bearer"])
def test_a_registry_in_plain_http(trust: Path, auth: str) -> None:
    """On a loopback address, as the Engine does, with the login it would send."""
    store = Store(auth=auth)
    with real_servers.http_server(store) as server:
        store.address, store.realm = server.address, f"http://{server.address}/token"
        login = Login(server.address, "u", "p") if auth else None
        assert asked_as_the_engine(server, LOOPBACK, login).size == 123
        with pytest.raises(MaestroError, match="cannot be reached"):
            asked_as_the_engine(server, {}, login)


def test_a_registry_whose_certificate_nobody_trusts(certificate: Path, trust: Path) -> None:
    with real_servers.http_server(Store(), certificate) as server:
        named = {"IndexConfigs": {server.address: {"Secure": False}}}
        assert asked_as_the_engine(server, named).size == 123
        secure = {"IndexConfigs": {server.address: {"Secure": True}}, **LOOPBACK}
        with pytest.raises(MaestroError, match="CERTIFICATE_VERIFY_FAILED"):
            asked_as_the_engine(server, secure)


def test_another_host_gets_no_login_in_the_clear(trust: Path) -> None:
    store = Store(auth="bearer", realm="http://elsewhere.test/token")
    with (
        real_servers.http_server(store) as server,
        pytest.raises(MaestroError, match="the login was not sent"),
    ):
        asked_as_the_engine(server, LOOPBACK, Login(server.address, "u", "p"))


@pytest.mark.parametrize(
    ("host", "settings", "allowed"),
    [
        ("127.0.0.1:5000", LOOPBACK, True),
        ("localhost:5000", LOOPBACK, True),
        ("localhost", LOOPBACK, True),
        ("[::1]:5000", LOOPBACK, True),
        ("127.0.0.1:5000", {}, False),
        ("192.0.2.1:5000", LOOPBACK, False),
        ("192.0.2.1:5000", {"InsecureRegistryCIDRs": ["192.0.2.0/24"]}, True),
        ("no.such.name.invalid", LOOPBACK, False),
        ("a.test", {"IndexConfigs": {"a.test": {"Secure": False}}}, True),
        ("docker.io", {"IndexConfigs": {"docker.io": {"Secure": True}}}, False),
    ],
)
def test_which_registries_the_engine_takes(
    host: str, settings: dict[str, Any], allowed: bool
) -> None:
    assert insecure.allowed(host, settings) is allowed
