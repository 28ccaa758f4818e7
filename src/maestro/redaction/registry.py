"""Which values of the known secrets are looked for, and which are not, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, unquote_plus

from . import forms, keys, views
from .index import Index
from .lazy import Lazy

SHORTEST = 4
FREE = 8  # from this length on a value is masked inside of words too

# What stands in every log. Masking it everywhere would hide the output and protect nothing.
STOP_WORDS = frozenset(
    """
    true false yes no on off none null nil undefined default enabled disabled auto unknown empty
    prod production staging stage stag dev devel develop development test testing tests local demo
    qa uat preprod preview sandbox canary live main master latest stable edge nightly release debug
    info warn warning error fatal critical trace notice verbose root admin administrator user users
    guest nobody daemon system service services server client operator owner anonymous public
    private internal external app apps application api web www http https tcp udp grpc smtp ssh tls
    ssl docker podman compose swarm kubernetes container host hosts localhost node worker scheduler
    postgres postgresql mysql mariadb redis mongo mongodb elastic elasticsearch rabbitmq kafka nginx
    traefik caddy grafana prometheus vault consul maestro ansible github gitlab jenkins
    database data backup cache queue session sessions token tokens secret secrets password passwd
    passphrase credential credentials login username name email mail value key keys string number
    example sample changeme change_me placeholder redacted masked hidden required optional random
    basic bearer digest plain require allow deny read write readonly always never failed success
    changed skipped unreachable healthy unhealthy running stopped started starting created exited
    monday tuesday wednesday thursday friday saturday sunday january february march april june july
    august september october november december europe america asia utf-8 utf8 json yaml toml text
    linux debian ubuntu alpine amd64 arm64 x86_64 present absent one two three zero
    """.split()
)
_PORTS = frozenset(
    """
    21 22 25 53 80 110 143 389 443 465 587 636 993 995 1433 1521 1883 2181 2375 2376 2377 2379 3000
    3001 3100 3306 3389 4222 4317 4318 5000 5001 5044 5432 5433 5601 5671 5672 6379 6380 6432 6443
    7000 7946 8000 8001 8008 8080 8081 8082 8086 8088 8123 8125 8200 8301 8333 8443 8500 8529 8600
    8888 9000 9001 9042 9090 9091 9092 9093 9100 9121 9187 9200 9300 9323 9411 9418 9443 9999 10250
    11211 15672 16379 26379 26257 27017 33060 50000 50051 61616 0000 1234 1000 1024 2048 4096 8192
    10000 100000 1000000 3600 7200 86400 65535 65536 32768 16384
    """.split()
)
_YEAR = re.compile(r"(?:19|20)\d\d\Z")
_ADDRESS = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|255(?:\.\d+){3}|::1?|[\d.]+/\d{1,2})(?::\d+)?\Z")
_VERSION = re.compile(r"v?\d{1,4}(?:\.\d{1,4}){1,3}\Z")
_MARKER = re.compile(r"-{3,5} ?(?:BEGIN|END) [A-Z0-9 ]+-{3,5}\Z|-{3,}\Z|\.{3}\Z")
_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,30})://([^\s/?#:@]*):([^\s/?#]+)@")
_PLAIN_LEAF = Lazy(
    r"[a-z][a-z ._-]*\Z|[A-Za-z][a-z]+\Z|\d{1,9}\Z|[a-z+]+://[^\s@]*\Z|(?:/[\w.-]+)+/?\Z"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+\Z|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?::\d+)?\Z|[A-Z_]+\Z"
)
_ASSIGNMENT = Lazy(r"\s*(?:export\s+)?([A-Za-z_][\w.-]{0,80})\s*[=:]\s?(.*)\Z")
_PAIR = re.compile(r"\s*[\w.-]+: \S")
_MOST_LEAVES = 2000


def is_stop_word(value: str) -> bool:
    """Tell whether a value is too common to be masked wherever it stands."""
    plain = value.strip().lower()
    return (
        plain in STOP_WORDS
        or plain in _PORTS
        or bool(_YEAR.match(plain) or _ADDRESS.match(plain) or _VERSION.match(plain))
        or len(set(plain)) == 1
    )


def why_not(value: str) -> str | None:
    """Return why a value is not masked everywhere, or None when it is."""
    bare = value.strip()
    if not bare:
        return "it is empty"
    if len(bare) < SHORTEST:
        return f"it is shorter than {SHORTEST} characters, and would be masked inside of ordinary words"
    if is_stop_word(bare):
        return "it is a word or number that stands in ordinary output"
    return None


def is_plain(value: str) -> bool:
    """Tell whether a value from a vault is plainly no secret: a word, a number, a host, an address.

    People encrypt whole files of settings; masking `prod` or `5432` would hide the output.
    """
    bare = value.strip()
    if why_not(bare) or (len(bare) < 6 and bare.isdigit()):
        return True
    if " " in bare and bare.replace(" ", "").isalpha():
        return False  # a passphrase
    return bool(_PLAIN_LEAF.match(bare)) and not (len(bare) > 11 and bare.isalpha())


def _tree(text: str) -> object:
    """Return the mapping or list a secret is when it is JSON or YAML, else None."""
    if len(text) > 1_000_000:
        return None
    if text.lstrip()[:1] in ("{", "["):
        try:
            parsed: object = json.loads(text)
            return parsed  # noqa: TRY300
        except (ValueError, RecursionError):
            pass
    return None


def _walk(value: object, key: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield (key, leaf) of every scalar in a tree."""
    if depth > 40:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _walk(inner, str(name), depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _walk(inner, key, depth + 1)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield key, str(value)


def _yaml_like(text: str) -> list[tuple[str, str]] | None:
    """Return (key, value) of every line when each line of a text is an assignment, else None.

    Reads what env files, ini files, and plain YAML have in common; YAML itself is not at hand on
    every host.
    """
    lines = [
        line
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith(("#", ";", "["))
    ]
    pairs: list[tuple[str, str]] = []
    block: tuple[str, int, list[str]] | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if block:
            if indent > block[1]:
                block[2].append(line.strip())
                continue
            pairs.append((block[0], "\n".join(block[2])))
            block = None
        item = line.lstrip()
        if item.startswith("- "):
            item = item[2:]
            match = _ASSIGNMENT.match(item)
            if not match:
                pairs.append((pairs[-1][0] if pairs else "", _unquote(item.strip())))
                continue
        else:
            match = _ASSIGNMENT.match(item)
        if not match or (":" in item and "=" not in item and not re.match(r"[^:]*:(?:\s|$)", item)):
            return None
        value = match.group(2).strip()
        if value[:1] in ("|", ">") and len(value) <= 3:
            block = (match.group(1), indent, [])
        else:
            pairs.append((match.group(1), _unquote(value)))
    if block:
        pairs.append((block[0], "\n".join(block[2])))
    return pairs if len(pairs) > 0 and any(value for _, value in pairs) else None


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def _is_secret_leaf(key: str, leaf: str) -> bool:
    if keys.is_secret(key):
        return True
    if len(leaf) < FREE or _PLAIN_LEAF.match(leaf) or is_stop_word(leaf):
        return False
    return any(char.isdigit() for char in leaf) or not leaf.replace(" ", "").isalnum()


def parts(text: str) -> Iterator[str]:
    """Yield the parts of a secret that are secrets themselves: leaves, lines, a URL's password."""
    for match in _USERINFO.finditer(text[:10_000]) if "://" in text else ():
        yield from (match.group(3), unquote(match.group(3)), unquote_plus(match.group(3)))
    tree = _tree(text)
    pairs: Iterable[tuple[str, str]] | None
    if tree is not None:
        pairs = _walk(tree)
    elif "\n" in text.strip() or (": " in text and _PAIR.match(text)):
        pairs = _yaml_like(text)
    else:
        pairs = None
    if pairs is not None:
        for count, (key, leaf) in enumerate(pairs):
            if count >= _MOST_LEAVES:
                break
            if _is_secret_leaf(key, leaf):
                yield leaf
                if "\n" in leaf:
                    yield from _lines(leaf)
            elif "://" in leaf or "\n" in leaf:
                yield from parts(leaf)
        return
    if "\n" in text:
        yield from _lines(text)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        bare = line.strip()
        if (
            len(bare) >= FREE
            and not _MARKER.match(bare)
            and not bare.startswith(("Proc-Type:", "Comment:"))
        ):
            yield bare


class Registry:
    """The known secrets, in every form, and a report of what is not masked."""

    def __init__(self, mask: str) -> None:
        self.index = Index()
        # Secrets with blanks, without them: at one where a line ends, a program may leave it, take
        # it or add another.
        self.squeezed = Index()
        self.longest = 0
        self._mask = mask
        self._seen: set[str] = set()
        self._refused: dict[str, str] = {}
        self._count = 0
        self.names: set[str] = set()
        self.holds_mask = False

    def __len__(self) -> int:
        return self._count

    def add(self, value: object, name: str | None = None) -> None:
        """Register a secret; what is a container registers everything in it."""
        if value is None or isinstance(value, bool):
            return
        if isinstance(value, Mapping):
            for key, inner in value.items():
                self.add(inner, f"{name}.{key}" if name else str(key))
            return
        if isinstance(value, (list, tuple, set, frozenset)):
            for inner in value:
                self.add(inner, name)
            return
        if isinstance(value, (bytes, bytearray)):
            value = bytes(value).decode("utf-8", "surrogateescape")
        self._add_text(str(value), name)

    def _add_text(self, text: str, name: str | None) -> None:
        bare = text.strip()
        if name and name != bare:
            self.names |= {name, name.rsplit(".", 1)[-1]}
        if bare in self._seen:
            return
        self._count += 1
        label = name or f"secret {self._count}"
        reason = why_not(bare) or ("it is the mask itself" if not bare.strip(self._mask) else None)
        if reason:
            self._refused[label] = reason
            return
        self._register(bare)
        if text != bare and "\n" not in bare:
            # With its line break, as a file has it: only the encoded forms differ.
            self.index.add([*forms.encodings(text), *forms.numbers(text)])
        for part in parts(bare):
            if part.strip() not in self._seen and not why_not(part):
                self._register(part.strip())

    def _register(self, value: str) -> None:
        self._seen.add(value)
        self.longest = max(self.longest, len(value))
        if self._mask in value:
            self.holds_mask = True
        whole = len(value) < FREE
        free = [*forms.encodings(value), *forms.numbers(value)]
        words: list[forms.Form] = []
        for spelling in forms.spellings(value):
            # `why_not` has been asked about the value itself.
            if spelling is value or (len(spelling) >= SHORTEST and not is_stop_word(spelling)):
                texts = [(each, 0, 0) for each in (spelling, *forms.cases(spelling))]
                (words if whole or len(spelling) < FREE else free).extend(texts)
            if " " in spelling or "\t" in spelling:
                squeezed = views.squeeze(spelling)
                if len(squeezed) >= FREE and not is_stop_word(squeezed):
                    self.squeezed.add([(squeezed, 0, 0)])
        if "PRIVATE KEY" in value:
            free += forms.pieces_of_key(value)
        self.index.add(free)
        if words:
            self.index.add(words, whole=True)

    def report(self) -> dict[str, str]:
        """Return why a secret is not masked everywhere, by its name; never a value."""
        return dict(self._refused)
