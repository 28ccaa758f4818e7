"""Secrets on command lines, as text and as lists of arguments."""

from __future__ import annotations

import re

from . import admin, keys, values
from .lazy import Lazy
from .rules import (
    Rule,
    after,
    assignments,
    colon,
    cookies,
    flags,
    last_of,
    literal,
    named,
    ok,
    openssl,
    pairs,
    position,
    sqlplus,
    userpass,
)
from .spans import Span

_GLUED = flags("-p", attached=True, apart=False)
_SEPARATE = flags("-p", attached=True)
_LOGIN = after("login", _SEPARATE)
# Programs, and the rules for their arguments.
_RULES: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    (
        (
            "mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlslap mysqlshow mysqlbinlog mysqlsh mariadb"
            " mariadb-dump mariadb-admin mariadb-check mariadb-import mariadb-backup mysqlpump mydumper xtrabackup"
        ),
        (_GLUED,),
    ),
    ("7z 7za 7zr", (_GLUED,)),
    (
        "rar unrar",
        (
            flags("-hp", attached=True, apart=False),
            _GLUED,
        ),
    ),
    (
        "docker podman skopeo nerdctl buildah oras helm crane regctl oc cf cosign ibmcloud doctl",
        (_LOGIN,),
    ),
    (
        "az",
        (
            after("login", flags("-p", attached=True)),
            flags("--password", "-w"),
        ),
    ),
    (
        "sshpass cypher-shell mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop",
        (_SEPARATE,),
    ),
    (
        "cqlsh rabbitmqadmin twine adduser useradd usermod psexec psexec64 neo4j-admin taosBenchmark",
        (_SEPARATE,),
    ),
    (
        "redis-cli redis-benchmark valkey-cli keydb-cli",
        (
            flags("-a", "--pass"),
            pairs("requirepass", "masterauth"),
        ),
    ),
    (
        "sqlcmd bcp isql osql mosquitto_pub mosquitto_sub zip unzip ipmitool zipcloak",
        (flags("-P", attached=True),),
    ),
    ("ldapsearch ldapmodify ldapadd ldapdelete ldapwhoami ldapcompare", (flags("-w"),)),
    ("ldappasswd", (flags("-w", "-s", "-a"),)),
    (
        "curl curlie",
        (
            cookies,
            userpass("-u", "--user", "-U", "--proxy-user"),
            flags("--pass", "--proxy-pass", "--oauth2-bearer"),
        ),
    ),
    ("http https xh xhs", (userpass("-a", "--auth"),)),
    ("ab siege wrk hey", (userpass("-A", "-P", "-a"),)),
    ("etcdctl", (userpass("--user"),)),
    ("smbclient rpcclient smbget net wbinfo", (userpass("-U", "--user", "-a", mark="%"),)),
    (
        "lftp ncftp",
        (
            userpass("-u", mark=","),
            flags("-p"),
        ),
    ),
    ("htpasswd mosquitto_passwd", (last_of("b"),)),
    ("openssl", (openssl,)),
    ("ssh-keygen", (flags("-N", "-P"),)),
    ("snmpget snmpwalk snmpset snmpbulkwalk", (flags("-A", "-X", "-c"),)),
    ("nmcli", (pairs("password", "wifi-sec.psk", "802-11-wireless-security.psk", "vpn.secrets"),)),
    ("wpa_passphrase", (position((), 2),)),
    (
        "rabbitmqctl",
        (
            position(("add_user",), 2),
            position(("change_password",), 2),
            position(("authenticate_user",), 2),
        ),
    ),
    (
        "vault bao",
        (
            position(("login",), 1),
            position(("operator", "unseal"), 1),
            assignments("kv", "put"),
        ),
    ),
    (
        "kubectl oc",
        (
            literal,
            _LOGIN,
        ),
    ),
    ("aws", (named("set"),)),
    ("npm yarn pnpm", (named("set"),)),
    ("gh", (flags("-b", "--body"),)),
    ("fly flyctl", (assignments("secrets"),)),
    (
        "mc",
        (
            position(("alias", "set"), 3, 4),
            position(("config", "host", "add"), 3, 4),
        ),
    ),
    ("sqlplus rman expdp impdp sqlldr", (sqlplus,)),
    (
        "xfreerdp xfreerdp3 wfreerdp wlfreerdp sdl-freerdp freerdp cmdkey",
        (colon("/p:", "/pass:", "/gp:"),),
    ),
    ("influx", (flags("-t", "--token", "-p", "-password"),)),
    ("wget", (flags("--password", "--http-password", "--ftp-password", "--proxy-password"),)),
    ("gpg gpg2", (flags("--passphrase"),)),
)


def _table() -> dict[str, tuple[Rule, ...]]:
    table = {name: rules for names, rules in _RULES for name in names.split()}
    for name, found in admin.PROGRAMS.items():
        table[name] = (*table.get(name, ()), *found)
    return table


_PROGRAMS = _table()
_GH_SECRET = re.compile(r"gh (?:secret|variable)")

_GLUE = re.compile(r"[ \t]*\\\r?\n[ \t]*|[ \t]+")
_TOKEN = Lazy(
    r"(?:\"(?! )(?:[^\"\\\n]|\\.)*\"|'(?! )[^'\n]*'|\$\([^()\n]*\)|\$\{[^{}\n]*\}|\{\{[^{}\n]*\}\}|\\[^\n]|[^\s\"'|;&<>()`\\])+"
)
_LIST_GAP = re.compile(r"\\*[\"'],\s{0,200}\\*[\"']|\\*[\"']?\s{0,4}\n[ \t]{0,200}-[ \t]+[\"']?")
_LIST_TOKEN = re.compile(r"(?:(?!\\*[\"'])[^\n])*")
_FLAG_GAP = Lazy(
    r"(?P<list>\\*[\"'],\s{0,200}\\*[\"']|\\*[\"']?[ \t]{0,4}\r?\n[ \t]{0,200}-[ \t]+[\"']?)"
    r"|(?P<space>[ \t]+(?:\\\r?\n[ \t]*)?)"
)
_MOST_ARGUMENTS = 60
_FED = Lazy(
    r"(?:echo|printf)(?:[ \t]+-[neE]+)?(?:[ \t]+[\"']%s(?:\\n)?[\"'])?[ \t]+"
    r"(?P<value>\"[^\"\n]{1,500}\"|'[^'\n]{1,500}'|[^\s|\"'\\]{1,500}(?:\\n)?)[ \t]*\|[ \t]*(?:sudo[ \t]+)?[^|\n]{0,200}\Z"
)
_HERE = Lazy(r"[^|\n;]{0,200}?<<<[ \t]*(\"[^\"\n]+\"|'[^'\n]+'|\S+)")
_READERS = (
    "--password-stdin",
    "--stdin",
    "chpasswd",
    "sudo -s",
    "--with-token",
    "passphrase-fd 0",
    "cryptsetup",
    "smbpasswd",
    "| passwd ",
    "| sudo passwd ",
    "kinit ",
    "secret create",
    "create secret",
)
_TWICE = Lazy(
    r"\(echo[ \t]+([^\s;()]{1,200});[ \t]*echo[ \t]+([^\s;()]{1,200})\)[ \t]*\|[^|\n]{0,80}\Z"
)
_HERE_LINES = Lazy(
    r"[^|\n;]{0,200}?<<-?[ \t]*[\"']?(\w{1,40})[\"']?[^\n]*\n((?:[^\n]{1,300}\n){1,100}?)[ \t]*\1\b"
)
_ACCOUNT = Lazy(r"(?m)^[ \t]*[a-z_][\w.-]{0,32}:(\S+)$")


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
    if values.is_metavariable(value, name, bracketed=before.endswith("[") and value.endswith("]")):
        return None
    if (
        not ok(value)
        or value.startswith(("-", "id=", "type=", "$(", "src="))
        or text.startswith("=", stop)
    ):
        return None
    if gap.group("space") and value.endswith((".", ",", ":", ")")) and value[:-1].isalpha():
        return None
    if text.startswith("  ", stop) and value.islower() and values.is_metavariable(value.upper()):
        return None  # a column of a usage text
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
        and (text[start] not in "\\[" or text[start + 1 : start + 2] in ('"', "'", "\\"))
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


def _by_word() -> dict[str, list[str]]:
    """Return the programs by the first word of their names."""
    table: dict[str, list[str]] = {}
    for program in _PROGRAMS:
        match = re.match(r"[A-Za-z0-9]+", program)
        table.setdefault(match.group().lower() if match else "", []).append(program)
    return table


_BY_WORD = _by_word()
# Names that are common words count only where one of their flags is.
_NEEDLES = {
    **admin.NEEDLES,
    **dict.fromkeys(("http", "https", "xh", "xhs"), (" -a", "--auth", '"-a')),
    **dict.fromkeys(("ab", "hey", "wrk", "siege"), (" -A", " -P", " -a")),
    "rpcclient": (" -U", "--user"),
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


def find_commands(text: str, low: str, words: set[str], spans: list[Span]) -> None:
    """Add the spans of secrets on command lines; ``words`` are those of ``low``."""
    for each in words & _BY_WORD.keys():
        for program in _BY_WORD[each]:
            needles = _NEEDLES.get(program)
            if not needles or any(needle in text for needle in needles):
                _find_program(text, program, spans)
    if "|" in text or "<<" in text:
        for reader in _READERS:
            at = low.find(reader)
            while at >= 0:
                _fed(text, at + reader.find("|") + 1, reader, spans)
                at = low.find(reader, at + len(reader))


def _find_program(text: str, program: str, spans: list[Span]) -> None:
    at = text.find(program)
    while at >= 0:
        end = at + len(program)
        args = _arguments(text, end) if _is_program(text, at, end) else []
        if args:
            plain = [arg[0] for arg in args]
            if any(arg.startswith("[-") for arg in plain):
                return  # how it is used
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
    if twice := _TWICE.search(text[begin:at]):
        spans += [(begin + first, begin + last) for first, last in (twice.span(1), twice.span(2))]
        return
    if reader == "chpasswd" and (lines := _HERE_LINES.match(text, at + len(reader))):
        spans += [
            match.span(1) for match in _ACCOUNT.finditer(text, *lines.span(2)) if ok(match.group(1))
        ]
        return
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
    if ok(text[start:end]):
        spans.append((start, end))


def redact_argv(argv: list[str], mask: str) -> dict[int, str]:
    """Return what to put in place of the arguments that hold a secret, by their number."""
    hidden: dict[int, str] = {}
    for number, arg in enumerate(argv[:-1]):
        if arg.startswith("-") and len(arg) > 2 and "=" not in arg and keys.is_secret(arg):
            following = argv[number + 1]
            if not following.startswith("-") and ok(following) and arg != "--secret":
                hidden[number + 1] = mask
    for start, arg in enumerate(argv):
        program = arg.rsplit("/", 1)[-1]
        for rule in _PROGRAMS.get(program, ()):
            rest = argv[start + 1 :]
            for number, first, last in rule(rest):
                value = rest[number]
                hidden[start + 1 + number] = value[:first] + mask + value[last:]
    return hidden
