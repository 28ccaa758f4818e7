"""Secrets on command lines, as text and as lists of arguments."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from . import keys, values
from .patterns import HEAD
from .spans import Span

# number of the argument, start and end of the secret inside of it
Hit = tuple[int, int, int]
Rule = Callable[[list[str]], Iterator[Hit]]

_PROSE = frozenset(
    """
    to is or and the a an for flag option argument parameter instead via with without in on of from as be
    must should may can will was has if when that which requires required takes expects sets reads
    """.split()
)


def is_login(value: str) -> bool:
    """Tell whether a value is ``user:password`` in base64, as Docker keeps it."""
    padded = value.rstrip("=")
    padded += "=" * (-len(padded) % 4)
    try:
        plain = base64.b64decode(
            padded, altchars=b"-_" if "-" in value or "_" in value else None, validate=True
        )
    except (binascii.Error, ValueError):
        return False
    return (
        len(value) >= 8
        and 0 < plain.find(b":") < len(plain) - 1
        and all(byte >= 32 for byte in plain)
    )


def _ok(value: str) -> bool:
    """Tell whether an argument is a secret and neither a reference nor a word of a sentence."""
    return (
        bool(value) and value.lower() not in _PROSE and not values.is_harmless(value, quoted=True)
    )


def _flags(*flags: str, attached: bool = False, apart: bool = True, least: int = 1) -> Rule:
    """The argument after a flag, or what is glued to it."""

    def rule(args: list[str]) -> Iterator[Hit]:
        for number, arg in enumerate(args):
            if arg in flags and apart:
                if number + 1 < len(args) and not (
                    args[number + 1].startswith("-") and len(args[number + 1]) == 2
                ):
                    following = args[number + 1]
                    if _ok(following):
                        yield number + 1, 0, len(following)
                continue
            for flag in flags:
                if attached and arg.startswith(flag) and len(arg) >= len(flag) + least:
                    start = len(flag) + (1 if arg[len(flag)] == "=" else 0)
                    if _ok(arg[start:]):
                        yield number, start, len(arg)

    return rule


def _userpass(*flags: str, mark: str = ":") -> Rule:
    """The password in ``user:password`` after a flag."""

    def rule(args: list[str]) -> Iterator[Hit]:
        for number, arg in enumerate(args):
            for flag in flags:
                if arg == flag and number + 1 < len(args):
                    at, value, shift = number + 1, args[number + 1], 0
                elif arg.startswith(flag + "=") and flag.startswith("--"):
                    at, value, shift = number, arg[len(flag) + 1 :], len(flag) + 1
                elif not flag.startswith("--") and arg.startswith(flag) and mark in arg:
                    at, value, shift = number, arg[len(flag) :], len(flag)
                else:
                    continue
                cut = value.find(mark)
                if (
                    0 <= cut < len(value) - 1
                    and _ok(value[cut + 1 :])
                    and not value.startswith(("http", "$("))
                ):
                    yield at, shift + cut + 1, shift + len(value)
                break

    return rule


def _after(sub: str, rule: Rule) -> Rule:
    """A rule that holds only when a word such as ``login`` is among the arguments."""

    def limited(args: list[str]) -> Iterator[Hit]:
        if sub in args[:4]:
            yield from rule(args)

    return limited


def _position(sub: tuple[str, ...], *places: int) -> Rule:
    """The argument so many places after a subcommand, flags not counted."""

    def rule(args: list[str]) -> Iterator[Hit]:
        plain = [(number, arg) for number, arg in enumerate(args) if not arg.startswith("-")]
        words = [arg for _, arg in plain]
        for start in range(max(0, len(words) - len(sub) + 1)):
            if tuple(words[start : start + len(sub)]) == sub:
                for place in places:
                    at = start + len(sub) - 1 + place
                    if at < len(plain) and _ok(plain[at][1]):
                        yield plain[at][0], 0, len(plain[at][1])
                return

    return rule


def _last_of(*flags: str) -> Rule:
    """The last argument, when a flag says that the password is on the command line (htpasswd -b)."""

    def rule(args: list[str]) -> Iterator[Hit]:
        given = [arg for arg in args if arg.startswith("-")]
        plain = [number for number, arg in enumerate(args) if not arg.startswith("-")]
        if (
            len(plain) >= 2
            and any(flag in arg for arg in given for flag in flags)
            and _ok(args[plain[-1]])
        ):
            yield plain[-1], 0, len(args[plain[-1]])

    return rule


def _assignments(*subs: str) -> Rule:
    """Every value of ``name=value`` after a subcommand that takes only secrets."""

    def rule(args: list[str]) -> Iterator[Hit]:
        if not any(sub in args[:3] for sub in subs):
            return
        for number, arg in enumerate(args):
            cut = arg.find("=")
            if (
                cut > 0
                and not arg.startswith("-")
                and _ok(arg[cut + 1 :])
                and arg[cut + 1 : cut + 2] != "@"
            ):
                yield number, cut + 1, len(arg)

    return rule


def _literal(args: list[str]) -> Iterator[Hit]:
    """``kubectl create secret ... --from-literal=name=value``."""
    for number, arg in enumerate(args):
        at, shift, value = number, 0, ""
        if arg == "--from-literal" and number + 1 < len(args):
            at, value = number + 1, args[number + 1]
        elif arg.startswith("--from-literal="):
            shift, value = len("--from-literal="), arg[len("--from-literal=") :]
        cut = value.find("=")
        if cut > 0 and "secret" in args and _ok(value[cut + 1 :]):
            yield at, shift + cut + 1, shift + len(value)


def _named(sub: str) -> Rule:
    """``set NAME VALUE`` where the name is a secret's."""

    def rule(args: list[str]) -> Iterator[Hit]:
        for number in range(len(args) - 2):
            if args[number] == sub and _ok(args[number + 2]):
                name = args[number + 1]
                if keys.is_secret(name) or name.endswith(("_authToken", "_auth", "_password")):
                    yield number + 2, 0, len(args[number + 2])

    return rule


def _openssl(args: list[str]) -> Iterator[Hit]:
    for number, arg in enumerate(args):
        if arg.startswith("pass:") and len(arg) > 5:
            yield number, 5, len(arg)
    yield from _flags("-k", "-K", "-hmac", "-macopt")(args)


def _cookies(args: list[str]) -> Iterator[Hit]:
    for number, arg in enumerate(args[1:], 1):
        cut = arg.find("=")
        if args[number - 1] in ("-b", "--cookie") and cut > 0 and _ok(arg[cut + 1 :]):
            yield number, cut + 1, len(arg)


def _sqlplus(args: list[str]) -> Iterator[Hit]:
    for number, arg in enumerate(args):
        match = re.match(r"\w+/([^/@\s]+)(?=@|\Z)", arg)
        if match and not arg.startswith("-"):
            yield number, match.start(1), match.end(1)
            return


def _pairs(*names: str) -> Rule:
    """The argument after a plain word (``password VALUE``)."""

    def rule(args: list[str]) -> Iterator[Hit]:
        for number in range(len(args) - 1):
            if args[number] in names and _ok(args[number + 1]):
                yield number + 1, 0, len(args[number + 1])

    return rule


def _colon(*flags: str) -> Rule:
    """``/p:VALUE`` of Windows and FreeRDP."""

    def rule(args: list[str]) -> Iterator[Hit]:
        for number, arg in enumerate(args):
            for flag in flags:
                if arg.lower().startswith(flag) and _ok(arg[len(flag) :]):
                    yield number, len(flag), len(arg)

    return rule


def _table() -> dict[str, tuple[Rule, ...]]:
    table: dict[str, tuple[Rule, ...]] = {}

    def put(names: str, *rules: Rule) -> None:
        for name in names.split():
            table[name] = rules

    glued = _flags("-p", attached=True, apart=False)
    put(
        "mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlslap mysqlshow mysqlbinlog mysqlsh mariadb"
        " mariadb-dump mariadb-admin mariadb-check mariadb-import mariadb-backup mysqlpump mydumper xtrabackup",
        glued,
    )
    put("7z 7za 7zr", glued)
    put("rar unrar", _flags("-hp", attached=True, apart=False), glued)
    login = _after("login", _flags("-p", attached=True))
    put(
        "docker podman skopeo nerdctl buildah oras helm crane regctl oc cf cosign ibmcloud doctl",
        login,
    )
    put("az", _after("login", _flags("-p", attached=True)), _flags("--password", "-w"))
    separate = _flags("-p", attached=True)
    put(
        "sshpass cypher-shell mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop",
        separate,
    )
    put(
        "cqlsh rabbitmqadmin twine adduser useradd usermod kadmin psexec psexec64 neo4j-admin taosBenchmark",
        separate,
    )
    put(
        "redis-cli redis-benchmark valkey-cli keydb-cli",
        _flags("-a", "--pass"),
        _pairs("AUTH", "auth", "requirepass", "masterauth"),
    )
    put(
        "sqlcmd bcp isql osql mosquitto_pub mosquitto_sub zip unzip ipmitool zipcloak",
        _flags("-P", attached=True),
    )
    put("ldapsearch ldapmodify ldapadd ldapdelete ldapwhoami ldapcompare", _flags("-w"))
    put("ldappasswd", _flags("-w", "-s", "-a"))
    put(
        "curl curlie",
        _cookies,
        _userpass("-u", "--user", "-U", "--proxy-user"),
        _flags("--pass", "--proxy-pass", "--oauth2-bearer"),
    )
    put("http https xh xhs", _userpass("-a", "--auth"))
    put("ab siege wrk hey", _userpass("-A", "-P", "-a"))
    put("etcdctl", _userpass("--user"))
    put("smbclient rpcclient smbget net wbinfo", _userpass("-U", "--user", "-a", mark="%"))
    put("lftp ncftp", _userpass("-u", mark=","), _flags("-p"))
    put("htpasswd mosquitto_passwd", _last_of("b"))
    put("openssl", _openssl)
    put("ssh-keygen", _flags("-N", "-P"))
    put("snmpget snmpwalk snmpset snmpbulkwalk", _flags("-A", "-X", "-c"))
    put("nmcli", _pairs("password", "wifi-sec.psk", "802-11-wireless-security.psk", "vpn.secrets"))
    put("wpa_passphrase", _position((), 2))
    put(
        "rabbitmqctl",
        _position(("add_user",), 2),
        _position(("change_password",), 2),
        _position(("authenticate_user",), 2),
    )
    put(
        "vault bao",
        _position(("login",), 1),
        _position(("operator", "unseal"), 1),
        _assignments("kv", "put"),
    )
    put("kubectl oc", _literal, login)
    put("aws", _named("set"))
    put("npm yarn pnpm", _named("set"))
    put("gh", _flags("-b", "--body"))
    put("fly flyctl", _assignments("secrets"))
    put("mc", _position(("alias", "set"), 3, 4), _position(("config", "host", "add"), 3, 4))
    put("sqlplus rman expdp impdp sqlldr", _sqlplus)
    put("xfreerdp xfreerdp3 wfreerdp cmdkey", _colon("/p:", "/pass:", "/gp:"))
    put("influx", _flags("-t", "--token", "-p", "-password"))
    put("wget", _flags("--password", "--http-password", "--ftp-password", "--proxy-password"))
    put("gpg gpg2", _flags("--passphrase"))
    put("pass-through", glued)
    table.pop("pass-through")
    return table


_PROGRAMS = _table()
_GH_SECRET = re.compile(r"gh (?:secret|variable)")

_GLUE = re.compile(r"[ \t]*\\\r?\n[ \t]*|[ \t]+")
_TOKEN = re.compile(
    r"(?:\"(?! )(?:[^\"\\\n]|\\.)*\"|'(?! )[^'\n]*'|\$\([^()\n]*\)|\$\{[^{}\n]*\}|\{\{[^{}\n]*\}\}|\\[^\n]|[^\s\"'|;&<>()`\\])+"
)
_LIST_GAP = re.compile(r"\\*[\"'],\s{0,200}\\*[\"']|\\*[\"']?\s{0,4}\n[ \t]{0,200}-[ \t]+[\"']?")
_LIST_TOKEN = re.compile(r"(?:(?!\\*[\"'])[^\n])*")
_FLAG_GAP = re.compile(
    r"(?P<list>\\*[\"'],\s{0,200}\\*[\"']|\\*[\"']?[ \t]{0,4}\r?\n[ \t]{0,200}-[ \t]+[\"']?)"
    r"|(?P<space>[ \t]+(?:\\\r?\n[ \t]*)?)"
)
_MOST_ARGUMENTS = 60
_FED = re.compile(
    r"(?:echo|printf)(?:[ \t]+-[neE]+)?(?:[ \t]+[\"']%s(?:\\n)?[\"'])?[ \t]+"
    r"(?P<value>\"[^\"\n]{1,500}\"|'[^'\n]{1,500}'|[^\s|\"'\\]{1,500}(?:\\n)?)[ \t]*\|[ \t]*(?:sudo[ \t]+)?[^|\n]{0,200}\Z"
)
_HERE = re.compile(r"[^|\n;]{0,200}?<<<[ \t]*(\"[^\"\n]+\"|'[^'\n]+'|\S+)")
_READERS = (
    "--password-stdin",
    "--stdin",
    "chpasswd",
    "sudo -s",
    "--with-token",
    "passphrase-fd 0",
    "cryptsetup",
    "smbpasswd",
)


def flag_value(text: str, end: int, name: str, before: str) -> Span | None:
    """Return the span of the value after a flag such as ``--password`` that ends at ``end``."""
    if name.lstrip("-").lower() == "secret" and re.search(
        r"(?:docker|podman|buildx|nerdctl|service|buildah)\b", before
    ):
        # Docker's --secret takes the name of a secret.
        return None
    gap = _FLAG_GAP.match(text, end)
    if not gap:
        return None
    shape = _LIST_TOKEN if gap.group("list") and not gap.group().endswith(" ") else _TOKEN
    token = shape.match(text, gap.end())
    if not token:
        return None
    start, stop = _inner(text, token.start(), token.end())
    value = text[start:stop]
    if (
        not _ok(value)
        or value.startswith(("-", "id=", "type=", "$(", "src="))
        or text.startswith("=", stop)
    ):
        return None
    if gap.group("space") and value.endswith((".", ",", ":", ")")) and value[:-1].isalpha():
        return None
    if (
        gap.group("space")
        and value.isalpha()
        and value.islower()
        and values.is_sentence(text[start : start + 60])
    ):
        return None
    return start, stop


def _inner(text: str, start: int, end: int) -> Span:
    """Return the span of an argument without the quotes and commas around it."""
    while (
        start < end
        and text[start] in "\"'[\\"
        and (text[start] != "\\" or text[start + 1 : start + 2] in ('"', "'", "\\"))
    ):
        start += 1
    while end > start and (
        text[end - 1] in "\"'" or (text[end - 1] in ",]" and text[end - 2 : end - 1] in "\"'")
    ):
        end -= 1
        while end > start and text[end - 1] == "\\":
            end -= 1
    return start, end


def _arguments(text: str, at: int) -> list[tuple[str, int, int]]:
    """Return the arguments that follow a program's name, each with its span."""
    found: list[tuple[str, int, int]] = []
    head = _LIST_GAP.match(text, at)
    if head:
        while head and len(found) < _MOST_ARGUMENTS:
            token = _LIST_TOKEN.match(text, head.end())
            if not token:
                break
            found.append((token.group(), token.start(), token.end()))
            head = _LIST_GAP.match(text, token.end())
        return found
    while len(found) < _MOST_ARGUMENTS:
        gap = _GLUE.match(text, at)
        if not gap:
            break
        token = _TOKEN.match(text, gap.end())
        if not token:
            break
        start, end = _inner(text, token.start(), token.end())
        # -p'x y' and --user="a:b" have their quotes inside.
        found.append((text[start:end], start, end))
        at = token.end()
    return found


def _by_head() -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for program in _PROGRAMS:
        match = re.match(r"[A-Za-z0-9]+", program)
        table.setdefault(match.group()[:HEAD] if match else "", []).append(program)
    return table


_BY_HEAD = _by_head()
# Names that are common words count only where one of their flags is.
_NEEDLES = {
    **dict.fromkeys(("http", "https", "xh", "xhs"), (" -a", "--auth", '"-a')),
    **dict.fromkeys(("ab", "hey", "wrk", "siege"), (" -A", " -P", " -a")),
    **dict.fromkeys(("net", "rpcclient"), (" -U", "--user")),
    **dict.fromkeys(("docker", "podman", "helm", "az", "cf", "oc"), ("login", "secret")),
    **dict.fromkeys(("zip", "unzip"), (" -P", '"-P')),
    **dict.fromkeys(("kubectl",), ("--from-literal",)),
    **dict.fromkeys(("fly", "flyctl"), ("secrets",)),
    **dict.fromkeys(("aws", "npm", "yarn", "pnpm", "mc"), (" set", '"set')),
    **dict.fromkeys(("gh",), ("secret",)),
    **dict.fromkeys(
        ("curl",), ("-u", "-U", "-b", "--cookie", "--user", "--proxy", "--pass", "--oauth2")
    ),
}


def find_commands(text: str, low: str, heads: set[str], spans: list[Span]) -> None:
    """Add the spans of secrets on command lines; ``heads`` are the beginnings of the words."""
    for each in heads & _BY_HEAD.keys():
        for program in _BY_HEAD[each]:
            needles = _NEEDLES.get(program)
            if not needles or any(needle in text for needle in needles):
                _find_program(text, program, spans)
    if "|" in text or "<<<" in text:
        for reader in _READERS:
            at = low.find(reader)
            while at >= 0:
                _fed(text, at, reader, spans)
                at = low.find(reader, at + len(reader))


def _find_program(text: str, program: str, spans: list[Span]) -> None:
    at = text.find(program)
    while at >= 0:
        end = at + len(program)
        args = _arguments(text, end) if _is_program(text, at, end) else []
        if args:
            plain = [arg[0] for arg in args]
            for rule in _PROGRAMS[program]:
                for number, first, last in rule(plain):
                    start = args[number][1]
                    spans.append(_inner(text, start + first, start + last))
            end = args[-1][2]
        at = text.find(program, end)


def _is_program(text: str, at: int, end: int) -> bool:
    if at > 0 and (
        text[at - 1].isalnum() or text[at - 1] in "_-.$@:=" or text[max(0, at - 2) : at] == "--"
    ):
        return False
    follows = text[end : end + 1]
    return follows in (" ", "\t", '"', "'", "\\", "\n")


def _fed(text: str, at: int, reader: str, spans: list[Span]) -> None:
    """What ``echo`` feeds to a program that reads a password."""
    begin = max(text.rfind("\n", 0, at) + 1, at - 1500)
    match = _FED.search(text[begin:at])
    where = None
    if match:
        where = _inner(text, begin + match.start("value"), begin + match.end("value"))
    else:
        here = _HERE.match(text, at + len(reader))
        if here:
            where = _inner(text, *here.span(1))
    if where is None:
        return
    start, end = where
    if text[start:end].endswith("\\n"):
        end -= 2
    if reader == "chpasswd":
        start += text[start:end].find(":") + 1
    if _ok(text[start:end]):
        spans.append((start, end))


def redact_argv(argv: list[str], mask: str) -> dict[int, str]:
    """Return what to put in place of the arguments that hold a secret, by their number."""
    hidden: dict[int, str] = {}
    for number, arg in enumerate(argv[:-1]):
        if arg.startswith("-") and len(arg) > 2 and "=" not in arg and keys.is_secret(arg):
            following = argv[number + 1]
            if not following.startswith("-") and _ok(following) and arg != "--secret":
                hidden[number + 1] = mask
    for start, arg in enumerate(argv):
        program = arg.rsplit("/", 1)[-1]
        for rule in _PROGRAMS.get(program, ()):
            rest = argv[start + 1 :]
            for number, first, last in rule(rest):
                value = rest[number]
                hidden[start + 1 + number] = value[:first] + mask + value[last:]
    return hidden
