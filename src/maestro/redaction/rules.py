"""Rules that find the secret among the arguments of a program.

A rule takes the arguments that follow the program's name and yields the secrets in them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from . import keys, values

# number of the argument, start and end of the secret inside of it
Hit = tuple[int, int, int]
Rule = Callable[[list[str]], Iterator[Hit]]

_PROSE = frozenset(
    """
    to is or and the a an for flag option argument parameter instead via with without in on of from as be
    must should may can will was has if when that which requires required takes expects sets reads val arg string str
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


def ok(value: str) -> bool:
    """Tell whether an argument is a secret and neither a reference nor a word of a sentence."""
    return (
        bool(value)
        and value not in (",", "|", ";")
        and value.lower() not in _PROSE
        and not values.is_harmless(value, quoted=True)
        and not values.is_metavariable(value)
    )


def flags(*flags: str, attached: bool = False, apart: bool = True, least: int = 1) -> Rule:
    """The argument after a flag, or what is glued to it."""

    def rule(args: list[str]) -> Iterator[Hit]:
        for number, arg in enumerate(args):
            if arg in flags and apart:
                if number + 1 < len(args) and not (
                    args[number + 1].startswith("-") and len(args[number + 1]) == 2
                ):
                    following = args[number + 1]
                    if ok(following):
                        yield number + 1, 0, len(following)
                continue
            for flag in flags:
                if attached and arg.startswith(flag) and len(arg) >= len(flag) + least:
                    start = len(flag) + (1 if arg[len(flag)] == "=" else 0)
                    if ok(arg[start:]):
                        yield number, start, len(arg)

    return rule


def userpass(*flags: str, mark: str = ":") -> Rule:
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
                    and ok(value[cut + 1 :])
                    and not value.startswith(("http", "$("))
                ):
                    yield at, shift + cut + 1, shift + len(value)
                break

    return rule


def after(sub: str, rule: Rule) -> Rule:
    """A rule that holds only when a word such as ``login`` is among the arguments."""

    def limited(args: list[str]) -> Iterator[Hit]:
        if sub in args[:4]:
            yield from rule(args)

    return limited


def position(sub: tuple[str, ...], *places: int) -> Rule:
    """The argument so many places after a subcommand, flags not counted."""

    def rule(args: list[str]) -> Iterator[Hit]:
        plain = [(number, arg) for number, arg in enumerate(args) if not arg.startswith("-")]
        words = [arg for _, arg in plain]
        for start in range(max(0, len(words) - len(sub) + 1)):
            if tuple(words[start : start + len(sub)]) == sub:
                for place in places:
                    at = start + len(sub) - 1 + place
                    if at < len(plain) and ok(plain[at][1]):
                        yield plain[at][0], 0, len(plain[at][1])
                return

    return rule


def last_of(*flags: str) -> Rule:
    """The last argument, when a flag says that the password is on the command line (htpasswd -b)."""

    def rule(args: list[str]) -> Iterator[Hit]:
        given = [arg for arg in args if arg.startswith("-")]
        plain = [number for number, arg in enumerate(args) if not arg.startswith("-")]
        if (
            len(plain) >= 2
            and any(flag in arg for arg in given for flag in flags)
            and ok(args[plain[-1]])
        ):
            yield plain[-1], 0, len(args[plain[-1]])

    return rule


def assignments(*subs: str) -> Rule:
    """Every value of ``name=value`` after a subcommand that takes only secrets."""

    def rule(args: list[str]) -> Iterator[Hit]:
        if not any(sub in args[:3] for sub in subs):
            return
        for number, arg in enumerate(args):
            cut = arg.find("=")
            if (
                cut > 0
                and not arg.startswith("-")
                and ok(arg[cut + 1 :])
                and arg[cut + 1 : cut + 2] != "@"
            ):
                yield number, cut + 1, len(arg)

    return rule


def literal(args: list[str]) -> Iterator[Hit]:
    """``kubectl create secret ... --from-literal=name=value``."""
    for number, arg in enumerate(args):
        at, shift, value = number, 0, ""
        if arg == "--from-literal" and number + 1 < len(args):
            at, value = number + 1, args[number + 1]
        elif arg.startswith("--from-literal="):
            shift, value = len("--from-literal="), arg[len("--from-literal=") :]
        cut = value.find("=")
        if cut > 0 and "secret" in args and ok(value[cut + 1 :]):
            yield at, shift + cut + 1, shift + len(value)


def named(sub: str) -> Rule:
    """``set NAME VALUE`` where the name is a secret's."""

    def rule(args: list[str]) -> Iterator[Hit]:
        for number in range(len(args) - 2):
            if args[number] == sub and ok(args[number + 2]):
                name = args[number + 1]
                if keys.is_secret(name) or name.endswith(("_authToken", "_auth", "_password")):
                    yield number + 2, 0, len(args[number + 2])

    return rule


def openssl(args: list[str]) -> Iterator[Hit]:
    """``pass:PASSWORD``, and the keys of encryption and of signatures."""
    for number, arg in enumerate(args):
        if arg.startswith("pass:") and len(arg) > 5:
            yield number, 5, len(arg)
    yield from flags("-k", "-K", "-hmac", "-macopt")(args)


_COOKIE = re.compile(r"([^\s=;]{1,128})=([^;]*)")


def cookies(args: list[str]) -> Iterator[Hit]:
    """The values of cookies that may be a session's."""
    for number, arg in enumerate(args[1:], 1):
        if args[number - 1] not in ("-b", "--cookie"):
            continue
        for match in _COOKIE.finditer(arg):
            if ok(match.group(2)) and not values.is_choice(match.group(1), match.group(2)):
                yield number, match.start(2), match.end(2)


def sqlplus(args: list[str]) -> Iterator[Hit]:
    """``user/password@database``."""
    for number, arg in enumerate(args):
        match = re.match(r"\w+/([^/@\s]+)(?=@|\Z)", arg)
        if match and not arg.startswith("-"):
            yield number, match.start(1), match.end(1)
            return


def pairs(*names: str) -> Rule:
    """The argument after a plain word (``password VALUE``)."""

    def rule(args: list[str]) -> Iterator[Hit]:
        for number in range(len(args) - 1):
            if args[number] in names and ok(args[number + 1]):
                yield number + 1, 0, len(args[number + 1])

    return rule


def colon(*flags: str) -> Rule:
    """``/p:VALUE`` of Windows and FreeRDP."""

    def rule(args: list[str]) -> Iterator[Hit]:
        for number, arg in enumerate(args):
            for flag in flags:
                if arg.lower().startswith(flag) and ok(arg[len(flag) :]):
                    yield number, len(flag), len(arg)

    return rule
