"""Approvals that a CI's platform signs, by a local issuer: what a host accepts, and what not."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from issuer import ISSUER, Local, encoded

from maestro.cli import maestro as program
from maestro.errors import MaestroError
from maestro.host import approval, identity, oidc, plan_hash
from maestro.host.identity import Identity
from maestro.host.layout import Layout
from maestro.plan.document import Document
from maestro.play import approval as controller
from maestro.play import plan_files

STATE = {"release": "r1", "containers": ["c1"]}
BY = "deploy@ci"


@pytest.fixture(scope="module")
def issuers() -> dict[str, Local]:
    return {
        "RS256": Local(),
        "ES256": Local("ES256", "two"),
        "other": Local(kid="one"),
        "weak": Local(bits=1024),
    }


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(identity, "HOME", tmp_path / "etc")
    found = Layout(tmp_path / "opt", "shop")
    found.make_home()
    return found


def document(layout: Layout, version: str = "v2") -> Document:
    part: Any = {"root": str(layout.root), "state": STATE, "facts": {"version": version}}
    part |= {"secrets": {}, "work": {}, "plan": {}}
    return Document("deploy", "shop", "production", [["web-1"]], {"web-1": part}, f"to {version}")


def told(*issuers: dict[str, Any], **changes: Any) -> None:
    said = {"host": "web-1", "environment": "production", "approval": True, **changes}
    identity.write(Identity.of({**said, "issuers": list(issuers)}))


def check(layout: Layout, token: str, by: str = BY, version: str = "v2") -> approval.Approved:
    asked = {"stack": "shop", "root": str(layout.root), "state": STATE}
    said = {**document(layout, version).claim("web-1"), "token": token}
    found = approval.check(said, by, asked)
    assert found
    return found


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_token_for_exactly_this_plan(
    layout: Layout, issuers: dict[str, Local], algorithm: str
) -> None:
    local = issuers[algorithm]
    told(local.settings())
    found = check(layout, local.token(document(layout).hash))
    assert found.shown == "us/shop, environment production, started by ana"
    assert found.plan == document(layout).hash
    approval.burn(found)
    assert found.id in json.loads((identity.HOME / "used_approvals.json").read_text())


def ago(seconds: float) -> int:
    return int(time.time() - seconds)


# What is another claim or header in the token, and what the host says.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"aud": "maestro:" + "0" * 64}, "is for plan 000000000000, but the plan is"),
    ({"aud": "https://github.com/us"}, "is for plan none"),
    ({"aud": None}, "is for plan none"),
    ({"iss": "https://elsewhere.example"}, "nobody may approve here with a token of https://else"),
    ({"iss": None}, "nobody may approve here"),
    ({"repository": "them/shop"}, "repository is them/shop and not us/shop"),
    ({"environment": "production-plan"}, "environment is production-plan and not production"),
    ({"environment": None}, "environment is missing and not production"),
    ({"ref": "refs/heads/try"}, "ref is refs/heads/try and not"),
    ({"exp": ago(20)}, "has expired"),
    ({"iat": ago(90000), "exp": ago(-90000)}, "has expired"),
    ({"iat": ago(-4000), "exp": ago(-5000)}, "not valid yet"),
    ({"nbf": ago(-4000)}, "not valid yet"),
    ({"exp": None}, "no time 'exp'"),
    ({"iat": True}, "no time 'iat'"),
    ({"actor": None}, "names nobody"),
    ({"actor": "deploy"}, "started the job that approves, and runs the change as deploy@ci"),
    ({"header": {"alg": "none"}}, "is signed by none"),
    ({"header": {"alg": "HS256"}}, "is signed by HS256"),
    ({"header": {"alg": "ES256"}}, "is not pinned here"),
    ({"header": {"kid": "three"}}, "the key 'three' that signed"),
    ({"header": {"crit": ["b64"]}}, "is signed by"),
]


@pytest.mark.parametrize(("changes", "why"), REFUSED)
def test_another_token_is_refused(
    layout: Layout, issuers: dict[str, Local], changes: dict[str, Any], why: str
) -> None:
    told(issuers["RS256"].settings())
    token = issuers["RS256"].token(document(layout).hash, **changes)
    with pytest.raises(MaestroError, match=why) as caught:
        check(layout, token)
    assert caught.value.where
    assert caught.value.fix


def test_a_forged_token_is_refused(layout: Layout, issuers: dict[str, Local]) -> None:
    local, plan = issuers["RS256"], document(layout).hash
    told(local.settings())
    good = local.token(plan)
    head, claims, signature = good.split(".")
    longer = encoded(json.dumps({**json.loads(oidc._decoded(claims)), "exp": ago(-9999)}).encode())
    secret = json.dumps(local.jwk).encode()
    none = encoded(json.dumps({"alg": "none"}).encode())
    shared = f"{encoded(json.dumps({'alg': 'HS256', 'kid': 'one'}).encode())}.{claims}"
    mac = encoded(hmac.new(secret, shared.encode(), hashlib.sha256).digest())
    for token, why in {
        issuers["other"].token(plan): "not its issuer's",
        f"{head}.{longer}.{signature}": "not its issuer's",
        f"{head}.{claims}.{encoded(b'0' * 256)}": "not its issuer's",
        f"{head}.{claims}.": "cannot be read",
        f"{none}.{claims}.{signature}": "is signed by none",
        f"{shared}.{mac}": "is signed by HS256",
        f"{head}.{claims}": "cannot be read",
        f"{good}.{claims}": "cannot be read",
        f"{head}.{encoded(b'[1]')}.{signature}": "cannot be read",
        f"{head}.{claims}=.{signature}": "cannot be read",
        "x" * 20000: "cannot be read",
    }.items():
        with pytest.raises(MaestroError, match=why):
            check(layout, token)
    assert check(layout, good)


def test_a_token_is_for_one_run_and_one_plan(layout: Layout, issuers: dict[str, Local]) -> None:
    local = issuers["ES256"]
    told(local.settings())
    token = local.token(document(layout).hash)
    with pytest.raises(MaestroError, match="but the plan is"):
        check(layout, token, version="v3")
    approval.burn(check(layout, token))
    with pytest.raises(MaestroError, match="was used already"):
        check(layout, token)


def test_who_starts_the_job_runs_it_where_others_review(
    layout: Layout, issuers: dict[str, Local]
) -> None:
    local, plan = issuers["RS256"], document(layout).hash
    told(local.settings(reviewed=True))
    assert not check(layout, local.token(plan, actor="deploy")).own
    told(local.settings(), own=["deploy"])
    assert check(layout, local.token(plan, actor="deploy")).shown.endswith("(own plan)")
    told(local.settings(approver="user_login"))
    assert "started by lee" in check(layout, local.token(plan, user_login="lee")).shown


def test_an_issuer_that_changes_its_keys(layout: Layout, issuers: dict[str, Local]) -> None:
    both = [issuers["RS256"].jwk, issuers["ES256"].jwk]
    told(issuers["RS256"].settings(keys=json.dumps({"keys": both})))
    for name in ("RS256", "ES256"):
        assert check(layout, issuers[name].token(document(layout).hash))
    told(issuers["RS256"].settings(keys=both[1:]))
    with pytest.raises(MaestroError, match="'one' that signed the approval's token is not pinned"):
        check(layout, issuers["RS256"].token(document(layout).hash))


def test_a_host_without_issuers_takes_no_token(layout: Layout, issuers: dict[str, Local]) -> None:
    key = {"name": "ana", "key": "ssh-ed25519 AAAA"}
    told(signers=[key])
    with pytest.raises(MaestroError, match="no token approves changes here"):
        check(layout, issuers["RS256"].token(document(layout).hash))
    told(issuers["RS256"].settings())
    with pytest.raises(MaestroError, match="needs a signed approval"):
        check(layout, "")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"claims": {"environment": "production"}}, "must name the project"),
        ({"claims": {"repository": "us/shop"}}, "must name the environment"),
        ({"issuer": "token.forge.example"}, "begins with https://"),
        ({"keys": []}, "there are no keys"),
        ({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}, "'x' is no RSA key"),
        ({"keys": "nonsense"}, "not the settings of a host"),
    ],
)
def test_settings_that_prove_too_little(
    issuers: dict[str, Local], changes: dict[str, Any], why: str
) -> None:
    said = {"host": "web-1", "environment": "production", "approval": True}
    with pytest.raises(MaestroError, match=why):
        Identity.of({**said, "issuers": [issuers["RS256"].settings(**changes)]})
    with pytest.raises(MaestroError, match="no RSA key of 2048 bits"):
        Identity.of({**said, "issuers": [issuers["weak"].settings()]})


# The controller's side


@pytest.fixture
def platform(issuers: dict[str, Local]) -> Iterator[dict[str, str]]:
    """What a job finds in its environment; the address answers with a token."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["Authorization"] == "Bearer of-the-job"
            audience = self.path.partition("audience=")[2].replace("%3A", ":")
            text = issuers["RS256"].token("", aud=audience)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"value": text}).encode())

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{server.server_port}/t?api=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
    }
    server.shutdown()


def test_a_job_approves_the_plan_it_showed(
    layout: Layout,
    issuers: dict[str, Local],
    platform: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan, out = tmp_path / "plan.json", tmp_path / "approval.json"
    plan.write_text(plan_files.text(document(layout), changes=True, lost=[]))
    words = ["approve", str(plan), "--yes", "--oidc", "--out", str(out)]
    assert program.main(words) == 1
    assert "id-token: write" in capsys.readouterr().err
    for name, value in platform.items():
        monkeypatch.setenv(name, value)
    assert program.main(words) == 0
    assert "us/shop, environment production, started by ana" in capsys.readouterr().out
    found = controller._of_file(out, document(layout))
    assert found["approved_by"] == "us/shop, environment production, started by ana"
    told(issuers["RS256"].settings())
    assert check(layout, found["token"])
    with pytest.raises(MaestroError, match=r"these differ:\n  web-1: version: v2 -> v3"):
        controller._of_file(out, document(layout, "v3"))
    other = tmp_path / "token"
    other.write_text(issuers["RS256"].token("0" * 64))
    assert program.main([*words[:3], "--token", str(other)]) == 1
    assert "and not for this plan" in capsys.readouterr().err
    assert program.main(words[:3]) == 1
    assert "--as NAME, or --oidc" in capsys.readouterr().err


def test_its_hash_is_the_whole_plan() -> None:
    assert len(plan_hash.digest({})) == 64
    assert oidc.Token({}, {"aud": ["maestro:a", "maestro:b"]}).plan == ""
    assert oidc.Token({}, {"aud": ["maestro:a"]}).plan == "a"
    assert ISSUER.startswith("https://")
