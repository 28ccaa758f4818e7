r"""Asks the stack relay, Jessy or Mami through the edges of hosts at a fixed rate; counts failures.

    python tests/load/generator.py --edge NAME,http://127.0.0.1:8081,https://127.0.0.1:8441 \
        [--edge ...] --ca .lab/ca.crt [--stack jessy] [--host NAME] [--rate 200] [--seconds 600]
        [--report FILE]

Requests are sent when they are due, whether or not earlier ones were answered, so that a slow
answer takes no request away. Kept and new connections, https and http, answers that take 3 s and
slow uploads come in fixed shares, the same for every edge. SIGINT or SIGTERM ends it early: it
waits for what is in flight and reports. What is not the expected answer is a failure: another
status, a connection reset or refused, no answer within `TIMEOUT`, and a request that the library
had to send again on another connection.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace

import aiohttp

TIMEOUT = 30.0  # seconds for a whole request
LONGEST = 7200.0  # seconds, the most a run may take
SLOW = 3  # seconds a slow answer takes
UPLOAD = 256 * 1024  # bytes of an upload
SHOWN = 50  # failures written out in a report
PIECES, PAUSE = 16, 0.06  # an upload's pieces, and the seconds between two


@dataclass(frozen=True)
class Kind:
    """One sort of request: ``share`` of 100, ``lasts`` the seconds it takes by its nature."""

    name: str
    share: int
    path: str
    scheme: str = "https"
    kept: bool = True
    status: int = 200
    lasts: float = 0.0
    upload: bool = False
    note: bool = False  # a body to be written to the database
    picture: bool = False  # a form with an image


RELAY = (
    Kind("page", 48, "/"),
    Kind("page, new connection", 10, "/version", kept=False),
    Kind("health by http", 20, "/health", scheme="http"),
    Kind("health by http, new connection", 11, "/health", scheme="http", kept=False),
    Kind("redirect to https", 4, "/", scheme="http", status=301),
    Kind("slow answer", 3, f"/slow?seconds={SLOW}", lasts=SLOW),
    Kind("slow answer, new connection", 2, f"/slow?seconds={SLOW}", kept=False, lasts=SLOW),
    Kind("upload", 1, "/upload", lasts=PIECES * PAUSE, upload=True),
    Kind("upload, new connection", 1, "/upload", kept=False, lasts=PIECES * PAUSE, upload=True),
)
JESSY = (
    Kind("notes", 30, "/api/notes?limit=1"),
    Kind("notes, new connection", 10, "/api/notes?limit=1", kept=False),
    Kind("a new note", 8, "/api/notes", status=201, note=True),
    Kind("a new note, new connection", 2, "/api/notes", kept=False, status=201, note=True),
    Kind("counters", 20, "/api/counters"),
    Kind("health by http", 15, "/api/health", scheme="http"),
    Kind("health by http, new connection", 6, "/api/health", scheme="http", kept=False),
    Kind("redirect to https", 4, "/api/notes", scheme="http", status=301),
    Kind("slow answer", 3, f"/api/slow?seconds={SLOW}", lasts=SLOW),
    Kind("slow answer, new connection", 2, f"/api/slow?seconds={SLOW}", kept=False, lasts=SLOW),
)
MAMI = (
    Kind("page", 20, "/"),
    Kind("page, new connection", 10, "/images", kept=False),
    Kind("images", 20, "/api/images"),
    Kind("a conversation", 20, "/api/chat/none"),
    Kind("a conversation, new connection", 4, "/api/chat/none", kept=False),
    Kind("health by http", 15, "/api/health", scheme="http"),
    Kind("health by http, new connection", 6, "/api/health", scheme="http", kept=False),
    Kind("redirect to https", 4, "/api/images", scheme="http", status=301),
    Kind("a new image", 1, "/api/images", status=202, picture=True),
)
STACKS = {"relay": RELAY, "jessy": JESSY, "mami": MAMI}
# A PNG of 8 by 8 pixels in two colours.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR4nGP4z8AAR0jM/wxDSwIA6TA/wRjsoYgAAAAASUVO"
    "RK5CYII="
)


@dataclass(frozen=True)
class Edge:
    """One host's edge, as this machine reaches it."""

    name: str
    http: str
    https: str


@dataclass
class Seen:
    """Answers of one version through one edge: how many, and when (seconds since the start)."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0


@dataclass
class Report:
    """What came of a run. Times are seconds; ``at`` counts from the start."""

    started: str = ""
    seconds: float = 0.0
    requests: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, str | float]] = field(default_factory=list)
    slowest: float = 0.0  # beyond what the request takes by its nature
    slowest_kind: str = ""
    late: float = 0.0  # how late the generator itself sent a request, at worst
    cpu: float = 0.0  # of one core
    versions: dict[str, dict[str, Seen]] = field(default_factory=dict)

    def text(self) -> str:
        """The report as a person reads it."""
        rate = self.requests / max(self.seconds, 0.001)
        lines = [
            f"{self.requests} requests in {self.seconds:.0f} s ({rate:.0f}/s)",
            f"{len(self.failures)} failed",
            f"slowest answer {self.slowest:.2f} s ({self.slowest_kind}, without its own time)",
            f"sent at most {self.late:.2f} s late, with {self.cpu:.0%} of a core",
        ]
        for edge, versions in sorted(self.versions.items()):
            by_time = sorted(versions.items(), key=lambda item: item[1].first)
            said = ", ".join(f"{name} {seen.count}" for name, seen in by_time)
            lines.append(f"answers by {edge}: {said}")
        lines += [
            f"FAILED {item['at']:8.2f} s ({item['clock']}) {item['edge']} {item['kind']}: "
            f"{item['what']}"
            for item in self.failures[:SHOWN]
        ]
        if len(self.failures) > SHOWN:
            lines.append(f"and {len(self.failures) - SHOWN} more")
        return "\n".join(lines)


def schedule(kinds: tuple[Kind, ...]) -> list[Kind]:
    """A hundred requests in the shares of ``kinds``, well mixed, the same in every run."""
    mixed = [kind for kind in kinds for _ in range(kind.share)]
    random.Random(7).shuffle(mixed)
    return mixed


async def slowly() -> AsyncIterator[bytes]:
    """The body of an upload; a generator that is late waits no further."""
    begun = time.monotonic()
    for number in range(1, PIECES + 1):
        yield b"x" * (UPLOAD // PIECES)
        if (early := begun + number * PAUSE - time.monotonic()) > 0:
            await asyncio.sleep(early)


class Load:
    """The requests of one run."""

    def __init__(
        self, edges: list[Edge], host: str, authority: Path, kinds: tuple[Kind, ...]
    ) -> None:
        self.report = Report(started=time.strftime("%H:%M:%S", time.gmtime()))
        self._edges, self._host, self._kinds = edges, host, kinds
        self._trust = ssl.create_default_context(cafile=str(authority))
        self._stop = asyncio.Event()
        self._started = time.monotonic()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()

    async def run(self, rate: float, seconds: float) -> Report:
        """Send ``rate`` requests a second for at most ``seconds``, and report."""
        kept, new = self._session(force_close=False), self._session(force_close=True)
        burnt = time.process_time()
        async with kept, new:
            self._started = time.monotonic()
            pending: set[asyncio.Task[None]] = set()
            mixed = schedule(self._kinds)
            for number in range(int(rate * min(seconds, LONGEST))):
                due = self._started + number / rate
                if (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                if self._stop.is_set():
                    break
                self.report.late = max(self.report.late, time.monotonic() - due)
                edge = self._edges[number % len(self._edges)]
                kind = mixed[number // len(self._edges) % len(mixed)]
                task = asyncio.create_task(self._ask(kept if kind.kept else new, edge, kind))
                pending.add(task)
                task.add_done_callback(pending.discard)
            if pending:
                await asyncio.wait(pending)
        self.report.seconds = self._now()
        self.report.cpu = (time.process_time() - burnt) / self.report.seconds
        return self.report

    def _now(self) -> float:
        return time.monotonic() - self._started

    def _session(self, *, force_close: bool) -> aiohttp.ClientSession:
        """A session that tells each request how many connections it took."""

        async def count(_session: object, context: SimpleNamespace, _params: object) -> None:
            context.trace_request_ctx.connections += 1

        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(count)
        trace.on_connection_reuseconn.append(count)
        connector = (
            aiohttp.TCPConnector(limit=0, force_close=True)
            if force_close
            else aiohttp.TCPConnector(limit=0, keepalive_timeout=120)
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            headers={"Host": self._host},
            trace_configs=[trace],
        )

    async def _ask(self, session: aiohttp.ClientSession, edge: Edge, kind: Kind) -> None:
        begun = time.monotonic()
        context = SimpleNamespace(connections=0)
        version = ""
        try:
            async with session.request(
                "POST" if kind.upload or kind.note or kind.picture else "GET",
                (edge.https if kind.scheme == "https" else edge.http) + kind.path,
                ssl=self._trust,
                allow_redirects=False,
                data=body_of(kind),
                json={"text": "written under load"} if kind.note else None,
                headers={"Content-Length": str(UPLOAD)} if kind.upload else None,
                trace_request_ctx=context,
            ) as answer:
                body = await answer.read()
                version = answer.headers.get("X-Version", "")
                what = wrong(kind, answer.status, body)
        except TimeoutError:
            what = f"no answer within {TIMEOUT:.0f} s"
        except aiohttp.ClientError as error:
            what = f"{type(error).__name__}: {error}"
        if not what and context.connections > 1:
            what = "the connection broke before an answer, sent again on another"
        self._note(edge, kind, version, what, time.monotonic() - begun)

    def _note(self, edge: Edge, kind: Kind, version: str, what: str, took: float) -> None:
        report = self.report
        report.requests += 1
        report.kinds[kind.name] = report.kinds.get(kind.name, 0) + 1
        if version:
            seen = report.versions.setdefault(edge.name, {}).setdefault(version, Seen())
            seen.first = seen.first if seen.count else self._now()
            seen.count, seen.last = seen.count + 1, self._now()
        if what:
            clock = time.strftime("%H:%M:%S", time.gmtime())
            report.failures.append(
                {
                    "at": round(self._now(), 2),
                    "clock": clock,
                    "edge": edge.name,
                    "kind": kind.name,
                    "what": what,
                }
            )
        elif took - kind.lasts > report.slowest:
            report.slowest, report.slowest_kind = took - kind.lasts, kind.name


def body_of(kind: Kind) -> AsyncIterator[bytes] | aiohttp.FormData | None:
    """What a request carries that is no JSON."""
    if kind.picture:
        form = aiohttp.FormData()
        form.add_field("file", PICTURE, filename="load.png", content_type="image/png")
        return form
    return slowly() if kind.upload else None


def wrong(kind: Kind, status: int, body: bytes) -> str:
    """What is not as expected about an answer, or nothing."""
    if status != kind.status:
        return f"status {status} instead of {kind.status}"
    if kind.upload and json.loads(body).get("received") != UPLOAD:
        return f"the upload did not arrive whole: {body[:100]!r}"
    return ""


def edge_of(text: str) -> Edge:
    """An edge from the command line: NAME,HTTP URL,HTTPS URL."""
    parts = text.split(",")
    if len(parts) != 3:
        raise argparse.ArgumentTypeError("say NAME,http://ADDRESS:PORT,https://ADDRESS:PORT")
    return Edge(*(part.rstrip("/") for part in parts))


async def main() -> int:
    """Run, print, and exit with 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edge", type=edge_of, action="append", required=True)
    parser.add_argument("--stack", choices=STACKS, default="relay")
    parser.add_argument("--host", help="the Host header; STACK.test without it")
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--report", type=Path)
    said = parser.parse_args()
    load = Load(said.edge, said.host or f"{said.stack}.test", said.ca, STACKS[said.stack])
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, load.stop)
    report = await load.run(said.rate, said.seconds)
    if said.report:
        said.report.write_text(json.dumps(asdict(report)), encoding="utf-8")
    print(report.text())
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
