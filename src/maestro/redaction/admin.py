"""Programs of administration that take a password by its place among the arguments."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from . import keys
from .lazy import Lazy
from .rules import Hit, Rule, flags, ok, pairs, position, userpass
from .spans import Span


def _after_words(sub: tuple[str, ...], place: int) -> Rule:
    """The argument so many places after a subcommand, which may be the program's later argument."""
    at_place = position(sub, place)

    def rule(args: list[str]) -> Iterator[Hit]:
        for number, first, last in at_place(args):
            if not args[number].startswith((">", "/dev/", "@")):
                yield number, first, last

    return rule


def _auth(args: list[str]) -> Iterator[Hit]:
    """``AUTH password`` and ``AUTH user password``; ``>password`` of an access rule."""
    for number, arg in enumerate(args):
        if arg.upper() in ("AUTH", "AUTH2"):
            at = number + 1
            if (
                at + 1 < len(args)
                and (number or len(args) == 3)
                and not args[at + 1].startswith("-")
            ):
                at += 1
            if at < len(args) and ok(args[at]):
                yield at, 0, len(args[at])
            return
        if (
            arg[:1] in (">", "<")
            and len(arg) > 1
            and any(each.upper() == "SETUSER" for each in args[:number])
        ):
            yield number, 1, len(arg)


def _last_word(args: list[str]) -> Iterator[Hit]:
    """The last argument, when it is no flag and no value of one."""
    if args and not args[-1].startswith("-") and ok(args[-1]):
        before = args[-2] if len(args) > 1 else ""
        if before not in ("-m", "-S", "-R", "-f", "--method", "--salt", "--rounds", "-u"):
            yield len(args) - 1, 0, len(args[-1])


def _openssl_passwd(args: list[str]) -> Iterator[Hit]:
    if args[:1] == ["passwd"] and not any(each in args for each in ("-in", "-stdin")):
        for number, arg in enumerate(args[1:], 1):
            if not arg.startswith("-") and args[number - 1] != "-salt" and ok(arg):
                yield number, 0, len(arg)


def _net_user(args: list[str]) -> Iterator[Hit]:
    """``net user NAME PASSWORD /add``, ``net use DRIVE SHARE PASSWORD /user:NAME`` of Windows."""
    plain = [number for number, arg in enumerate(args) if not arg.startswith(("/", "-"))]
    kind = args[plain[0]].lower() if plain else ""
    at = (
        2
        if kind == "user"
        else 3
        if kind == "use" and any("/user:" in each.lower() for each in args)
        else 0
    )
    if kind == "use" and at and len(plain) == 3 and not args[plain[2]].startswith("\\"):
        at = 2
    if at and len(plain) > at and ok(args[plain[at]]) and not args[plain[at]].startswith("\\"):
        yield plain[at], 0, len(args[plain[at]])


def _share(args: list[str]) -> Iterator[Hit]:
    """``smbclient //SERVER/SHARE PASSWORD``."""
    shared = len(args) > 1 and args[0].startswith(("//", "\\\\"))
    if shared and not args[1].startswith("-") and ok(args[1]):
        yield 1, 0, len(args[1])


def _smbpasswd(args: list[str]) -> Iterator[Hit]:
    """``smbpasswd NAME PASSWORD``, of old, and of devices."""
    plain = [number for number, arg in enumerate(args) if not arg.startswith("-")]
    if len(plain) == 2 and args[plain[1]].isascii() and ok(args[plain[1]]) and "-r" not in args:
        yield plain[1], 0, len(args[plain[1]])


def _named_options(*subs: str) -> Rule:
    """``config set NAME VALUE`` where the name is a secret's."""

    def rule(args: list[str]) -> Iterator[Hit]:
        plain = [number for number, arg in enumerate(args) if not arg.startswith("-")]
        words = [args[number] for number in plain]
        size = len(subs)
        for at in range(len(words) - size - 1):
            if tuple(words[at : at + size]) == subs and keys.is_secret(words[at + size]):
                value = plain[at + size + 1]
                if ok(args[value]):
                    yield value, 0, len(args[value])

    return rule


_VALUED = (
    "--vault-id --encrypt-vault-id --vault-password-file --vault-pass-file -n --name --output --show-input"
).split()


def _encrypt_string(args: list[str]) -> Iterator[Hit]:
    """``ansible-vault encrypt_string VALUE --name NAME``."""
    if "encrypt_string" not in args[:4] or "--stdin-name" in args:
        return
    at = args.index("encrypt_string")
    for number, arg in enumerate(args[at + 1 :], at + 1):
        if not arg.startswith("-") and args[number - 1] not in _VALUED and ok(arg):
            yield number, 0, len(arg)


def _occ(args: list[str]) -> Iterator[Hit]:
    """``occ config:system:set dbpassword --value=...``."""
    if not any(keys.is_secret(arg) for arg in args if not arg.startswith("-")):
        return
    for number, arg in enumerate(args):
        if arg.startswith("--value=") and ok(arg[8:]):
            yield number, 8, len(arg)
        elif arg == "--value" and number + 1 < len(args) and ok(args[number + 1]):
            yield number + 1, 0, len(args[number + 1])


def _registry_login(args: list[str]) -> Iterator[Hit]:
    """``composer config http-basic.HOST USER PASSWORD``, ``poetry config pypi-token.NAME TOKEN``."""
    for number, arg in enumerate(args):
        basic = arg.startswith("http-basic.")
        at = number + 2 if basic else number + 1
        tokens = ("pypi-token.", "github-oauth.", "gitlab-token.", "bearer.")
        if (basic or arg.startswith(tokens)) and at < len(args) and ok(args[at]):
            yield at, 0, len(args[at])


def _digest(args: list[str]) -> Iterator[Hit]:
    """``addauth digest user:password`` of ZooKeeper."""
    for number, arg in enumerate(args[:-1]):
        cut = args[number + 1].find(":")
        if arg == "digest" and 0 < cut < len(args[number + 1]) - 1:
            yield number + 1, cut + 1, len(args[number + 1])


_SFTP_USER = Lazy(r"[a-z][\w.-]{0,32}:([^:\s]{2,}):(?:e|\d*)(?::\d*)?(?::[\w,/-]*)?\Z")


def _users(args: list[str]) -> Iterator[Hit]:
    """``user:password:uid`` of the image atmoz/sftp."""
    for number, arg in enumerate(args):
        match = _SFTP_USER.match(arg)
        if match and ok(match.group(1)):
            yield number, match.start(1), match.end(1)


_ENCODED = re.compile(r"-(?:e|ec|en\w*|encodedcommand)\Z", re.IGNORECASE)


def _encoded_command(args: list[str]) -> Iterator[Hit]:
    """The base64 of a command of PowerShell, where the command holds a secret."""
    from .unknown import find_unknown  # noqa: PLC0415 -- which reads command lines itself

    for number, arg in enumerate(args[:-1]):
        if _ENCODED.match(arg):
            try:
                command = base64.b64decode(args[number + 1], validate=True).decode("utf-16-le")
            except (binascii.Error, ValueError):
                continue
            spans: list[Span] = []
            find_unknown(command, spans)
            if spans:
                yield number + 1, 0, len(args[number + 1])


def _at(place: int, *words: str) -> Rule:
    return _after_words(words, place)


# The programs, and what finds the secret among their arguments.
PROGRAMS: dict[str, tuple[Rule, ...]] = {}


def _put(names: str, *found: Rule) -> None:
    for name in names.split():
        PROGRAMS[name] = found


_put("mysqladmin mariadb-admin", flags("-p", attached=True, apart=False), _at(1, "password"))
_put(
    "redis-cli redis-benchmark valkey-cli keydb-cli",
    flags("-a", "--pass"),
    pairs("requirepass", "masterauth", "REQUIREPASS", "MASTERAUTH", "primaryauth"),
    _auth,
)
_put(
    "ejabberdctl prosodyctl",
    _at(3, "register"),
    _at(3, "change_password"),
    _at(3, "check_password"),
)
_put("neo4j-admin", _at(1, "set-initial-password"), flags("-p", attached=True))
_put("grafana-cli grafana", _at(1, "reset-admin-password"))
_put("pihole", _at(1, "setpassword"), flags("-p"))
_put("drush", _at(2, "user:password"), _at(2, "user-password"), _at(2, "upwd"))
_put(
    "console artisan",
    _at(2, "user:change-password"),
    _at(2, "fos:user:change-password"),
    _at(3, "fos:user:create"),
    _at(2, "security:hash-password"),
)
_put(
    "emqx_ctl emqx",
    _at(2, "users", "add"),
    _at(2, "admins", "add"),
    _at(2, "admins", "passwd"),
)
_put(
    "kadmin kadmin.local addprinc cpw ank change_password add_principal",
    flags("-pw", "-w"),
)
_put("plink pscp psftp klink kitty plink.exe pscp.exe", flags("-pw"))
_put("slappasswd", flags("-s"))
_put("mkpasswd pg_md5", _last_word)
_put("openssl", _openssl_passwd)
_put("caddy", flags("--plaintext"))
_put("doveadm", flags("-p"))
_put("security", flags("-p", "-w"))
_put("x11vnc", flags("-passwd", "-storepasswd"))
_put("sysadminctl", flags("-newPassword", "-adminPassword", "-oldPassword"))
_put("evil-winrm netexec nxc crackmapexec smbmap hydra elasticsearch-users", flags("-p"))
_put("kcadm.sh add-user-keycloak.sh airflow", flags("-p", "--password", "--new-password"))
_put("changepass.pl", position((), 3))
_put("ansible-vault", _encrypt_string)
_put("composer poetry", _registry_login)
_put("cargo", _at(1, "login"))
_put("ngrok", _at(1, "authtoken"), _at(1, "config", "add-authtoken"))
_put("snyk", _at(1, "auth"))
_put("bw", _at(1, "unlock"), _at(2, "login"))
_put("cloudflared", _at(1, "service", "install"))
_put("rclone", _at(1, "obscure"), pairs("pass", "password", "secret_access_key"))
_put("influx", flags("-t", "--token", "-p", "-password", "--password"))
_put(
    "consul nomad",
    flags("-token", "-encrypt", "-secret", "-install", "-use", "-remove", "-bearer-token"),
    _at(2, "set-agent-token"),
)
_put(
    "vault bao",
    _at(1, "unwrap"),
    _at(1, "token", "lookup"),
    _at(1, "token", "revoke"),
    _at(1, "token", "renew"),
)
_put(
    "net",
    userpass("-U", "--user", mark="%"),
    _net_user,
    _at(2, "user", "add"),
    _at(2, "rpc", "password"),
)
_put("smbclient", _share)
_put("net.exe NET", _net_user)
_put("smbpasswd", userpass("-U", mark="%"), _smbpasswd)
_put("wp", _named_options("config", "set"))
_put("occ", _occ)
_put("pdftk", pairs("user_pw", "owner_pw", "input_pw"))
_put("nuget", _at(1, "setApiKey"))
_put("jf jfrog elasticdump links aria2c", userpass("-u", "--user"))
_put("solr", userpass("-credentials", "-u"))
_put("zkCli.sh addauth", _digest)
_put("atmoz/sftp sftp", _users)
_put("ConvertTo-SecureString", flags("-String"), position((), 1))
_put("schtasks schtasks.exe", flags("/rp", "/RP", "/p", "/P"))
_put("erl beam.smp iex elixir", flags("-setcookie", "--cookie"))
_put("powershell pwsh PowerShell powershell.exe pwsh.exe", _encoded_command)

# Names that are common words count only where one of these stands as well.
NEEDLES: dict[str, tuple[str, ...]] = {
    "net": (" -U", "--user", "net user", "net use", "net rpc"),
    "NET": ("NET USER", "NET USE"),
    "console": ("password", "fos:user"),
    "artisan": ("password", "fos:user"),
    "security": ("keychain", "-password"),
    "grafana": ("reset-admin-password",),
    "composer": ("http-basic.", "oauth.", "token.", "bearer."),
    "poetry": ("http-basic.", "pypi-token."),
    "cargo": ("login",),
    "bw": ("unlock", "login"),
    "wp": ("config set",),
    "occ": ("--value",),
    "links": (" -u", "--user"),
    "consul": ("-token", "-encrypt", "-secret", "keyring", "agent-token"),
    "nomad": ("-token", "-encrypt", "-secret", "keyring"),
    "influx": (" -t", "--token", " -p", "-password"),
    "airflow": (" -p", "--password"),
    "caddy": ("--plaintext",),
    "sftp": (":",),
    "erl": ("-setcookie",),
    "beam.smp": ("-setcookie",),
    "iex": ("--cookie",),
    "elixir": ("--cookie",),
    "schtasks": ("/rp", "/RP", "/p", "/P"),
    "cpw": ("-pw",),
    "ank": ("-pw",),
    "emqx": ("users", "admins"),
}
