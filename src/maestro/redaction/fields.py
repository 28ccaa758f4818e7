"""Secrets that show by the name before them: JSON, YAML, env, ini, XML, SQL, code, query strings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from . import cmdline, keys, prose, values
from .lazy import Lazy
from .scalars import block, closing, next_line, scalar
from .spans import Span

# One of these stands in every name that `keys` calls a secret.
STEMS = (
    "pass", "pwd", "secret", "token", "key", "cred", "auth", "jwt", "psk", "pw", "pswd", "mdp", "senha",
    "contrasena", "bearer", "sessid", "sessionid", "mnemonic", "hmac", "otp", "cookie", "salt", "pepper", "code",
    "cvv", "cvc", "pin", "sig",
)  # fmt: skip
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_LONGEST_NAME = 120
_SEPARATOR = Lazy(
    r"(?P<close>(?:\\*[\"'`])?[\])]?)[ \t]{0,40}(?P<sep>:=|=>|==?(?!=)|::?(?!:)|%3[dD])(?P<blank>[ \t]{0,40})"
    r"(?:(?:!!(?:str|binary)|&[\w-]+|b(?=[\"'])|u(?=[\"'])|r(?=[\"'])|[nN](?=')|@(?=\")|\(?string\)?(?=\())[ \t]{0,4})*"
)
_NAMED = Lazy(
    r"\\*[\"']?[ \t]{0,8},?[ \t]{0,40}(?:\r?\n[ \t]{0,200}(?:[\w.-]{1,60} +\| +)?)?\\*[\"']?value\\*[\"']?[ \t]{0,8}[:=][ \t]{0,8}",
    re.IGNORECASE,
)
_VALUE_FIRST = Lazy(
    r"\\*[\"']?value\\*[\"']?[ \t]{0,8}[:=][ \t]{0,8}(\\*[\"']?)([^\n\"'\\]{1,1000})\1?[ \t]{0,8},?\s{0,200}"
    r"\\*[\"']?(?:name|key)\\*[\"']?[ \t]{0,8}[:=][ \t]{0,8}\\*[\"']?\Z",
    re.IGNORECASE,
)
_NAME_BEFORE = Lazy(
    r"(?:name|key|Name|Key|NAME|KEY|id)\\*[\"']?[ \t]{0,8}[:=][ \t]{0,8}\\*[\"']?\Z"
)
_XML_TEXT = re.compile(r"(?:\s[^<>]{0,300})?>(\s{0,40}<!\[CDATA\[)?([^<]{1,8192})(?=</|\]\]>|<!)")
_SQL = Lazy(
    r"(?:\s+(?:=|to|by|as|is)\s*|[ \t]+|\s+(?=')|\s?\(\s?)(?:n|e)?('(?:[^'\n]|''){1,512}'|\"[^\"\n]{1,512}\")",
    re.IGNORECASE,
)
_SPACED = re.compile(r"[ \t]{1,8}(\"[^\"\n]+\"|'[^'\n]+'|[^\s#]+)")
_NETRC = Lazy(
    r"(?:(?:\bmachine[ \t\r\n]+\S{1,200}|\bdefault)(?:[ \t\r\n]+(?:login|user|account)[ \t\r\n]+\S{1,200}){1,2}"
    r"|(?:\A|\n)[ \t]*(?:login|account)[ \t]+\S{1,200}(?:[ \t]+account[ \t]+\S{1,200})?)[ \t\r\n]+\Z"
)
_NETRC_AFTER = re.compile(r"[ \t]+\S{1,200}[ \t\r\n]+login[ \t]")
_LINE_START = Lazy(
    r"(?:^|\n)[ \t]{0,200}(?:(?:[\w.-]{1,60}|\w+-\d+) {1,40}\| +)?[ \t]{0,200}[+>#-]{0,3}[ \t]{0,20}"
    r"(?:(?:export|set|setenv|declare -x|local|readonly|env|const|let|var|ENV|ARG|-e|--env|static|final|public|private)[ \t]+)*"
    r"(?:[$@:&*]|-{1,2})?[\"']?\Z"
)
_ENV = re.compile(r"(?:\A|\n|\] )[ \t]*(?:ENV|setenv)[ \t]+\Z")
_SIGNATURES = frozenset(
    ("sig", "signature", "x-amz-signature", "x-goog-signature", "x-ms-signature")
)
_DIRECTIVES = frozenset(
    ("requirepass", "masterauth", "rootpw", "bindpw", "masteruser", "tls-key-file-pass")
)

_SAME = re.compile(r"[a-z_]+[,)]")
# A row of a table of two columns: | name | value |
_ROW = Lazy(r"[ \t]*[|│][ \t]*([^|│\n]{1,500}?)[ \t]*[|│][ \t]*(?=\r?\n|\Z)")
_ROW_START = re.compile(r"(?:\A|\n)[ \t]*[|│][ \t]*\Z")
_QUOTE_END = re.compile(r"(?<![A-Za-z0-9=*\\])\\*[\"']\Z")
_NAMED_ALIKE = Lazy(
    r"[a-z_.]*(?:password|passwd|token|secret|key|pwd|pass|credentials?)(?:;|,)?[ \t]*(?:\r?\n|\Z)"
)
# var_dump of PHP: `["password"]=>`, and the value with its length on the next line
_DUMPED = re.compile(r"\s{0,80}(?:string)?\(\d{1,6}\) (?=\")")
# A change as Terraform shows it: "old" -> "new"
_CHANGED = Lazy(r"(?:\"[^\"\n]{0,1024}\"|null|\([a-z ]{1,40}\))[ \t]{1,8}->[ \t]{1,8}(?=\")")
# A call that takes a name and its value: define('NAME', 'value'), setProperty("name", "value")
_CALLED = Lazy(
    r"(?i)(?:\b|[a-z])(?:define|(?:set|put|append|get)\w{0,24}|env|config|header|insert|property)\(\s{0,8}[\"']\Z"
)
_ARGUMENT = re.compile(r"[\"']\s{0,8},\s{0,40}(?=[\"'])")
# A line of a file of properties with nothing but blanks behind the name
_BLANKS = Lazy(r"[ \t]{1,8}([^\s=:]{4,200})[ \t]*(?=\r?\n|\Z)")
_CODE_OF_LOGIN = Lazy(r"(?:=|%3[dD])[\w%./~+-]{20,}")


def find_fields(
    text: str,
    low: str,
    vocabulary: str,
    spans: list[Span],
    names: Collection[str] = (),
) -> None:
    """Add the spans of values that stand behind the name of a secret.

    ``low`` is the text in lower case, ``vocabulary`` its words, each once; ``names`` are the
    names of the known secrets, which a message may show.
    """
    spots: set[int] = set()
    stems = [stem for stem in STEMS if stem in vocabulary]
    if "\npat\n" in f"\n{vocabulary}\n":
        stems.append("_pat")
    if "login" in vocabulary or "users" in vocabulary:
        stems += ["_login", "_users"]
    for stem in stems:
        at = low.find(stem)
        while at >= 0:
            spots.add(at)
            at = low.find(stem, at + len(stem))
    done = 0
    for at in sorted(spots):
        if at < done:
            continue
        start, end = _name(text, at)
        done = end
        name = text[start:end]
        if name.lower().endswith("authorization") or text.startswith("${", start - 2):
            continue  # a header, which `places` reads, and a reference with a default
        if name.lower() == "key" and _KEY_OF.search(text[max(0, start - 16) : start]):
            spans.extend(prose.find(text, start, end, name))
            continue
        if not keys.is_secret(name) and not _is_signed(text, start, name):
            if keys.is_pair(name) and (pair := _value(text, start, end, name)):
                spans.extend(_passwords(text, pair, name))
            continue
        if name in ("secret", "Secret") and _names_one(text, start, end, names):
            continue
        found = _value(text, start, end, name)
        if found:
            spans.extend(found)
            done = max(done, found[-1][1])


_KEY_OF = Lazy(r"(?i)\b(?:api|access|secret|encryption|master|licen[sc]e|admin|account|signing) \Z")


def _passwords(text: str, found: list[Span], name: str) -> Iterator[Span]:
    """Yield the passwords in values that are a user and a password."""
    for first, last in found:
        if cut := values.password_of_pair(text[first:last], name, quoted=text[first - 1] in "\"'"):
            yield first + cut, last


_ASKED = Lazy(r"(?i)\b(?:missing|no such|undefined|undeclared|unused) (?:\w+ )?\Z")
_NAMES = Lazy(
    r"[\"'`]?[ \t]?[:=][ \t]{0,2}[\"'`]?([A-Za-z][\w.-]*(?:, ?[A-Za-z][\w.-]*)*)(?=[\"'`]?(?:[).,;:]?(?:\s|\\|\Z)))"
)
_NAME_OF_ONE = Lazy(
    r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*[_-](?:password|passwd|token|key|pwd|credentials?|dsn|certificate)\.?\Z"
)


def _names_one(text: str, start: int, end: int, names: Collection[str]) -> bool:
    """Tell whether what follows `secret` is the name of one, as in `secret=db_password`."""
    match = _NAMES.match(text, end)
    if not match:
        return False
    if _ASKED.search(text[max(0, start - 40) : start]):
        return True
    # A list of names, or a name and the sentence that goes on behind it.
    return _is_name(match.group(1).split(",")[0], names) and all(
        _is_name(name, names) for name in match.group(1).split(",") if name[:1] != " "
    )


def _is_name(name: str, names: Collection[str]) -> bool:
    return name.rstrip(".") in names or name == "NAME" or bool(_NAME_OF_ONE.match(name))


def _is_signed(text: str, start: int, name: str) -> bool:
    """Tell whether a name is that of a signature, or of a login's code, in a query string."""
    if not start or text[start - 1] not in "?&;":
        return False
    coded = name == "code" and _CODE_OF_LOGIN.match(text, start + len(name))
    return name.lower() in _SIGNATURES or bool(coded)


def _name(text: str, at: int) -> tuple[int, int]:
    start, end = at, at
    least, most = max(0, at - _LONGEST_NAME), min(len(text), at + _LONGEST_NAME)
    while start > least and text[start - 1] in _NAME:
        start -= 1
    while end < most and text[end] in _NAME:
        end += 1
    # An escape before the name is none of it: `\npassword`, `%26token`.
    if start > 0 and text[start - 1] == "\\" and end - start > 1 and text[start] in "nrt":
        start += 1
    elif (
        start > 0
        and text[start - 1] == "%"
        and text[start : start + 2].lower() in ("26", "3f", "0a", "20", "3b")
    ):
        start += 2
    elif text.startswith("u00", start) and start > 0 and text[start - 1] == "\\":
        start += 5
    while end > start and text[end - 1] in ".-":
        end -= 1
    return start, max(end, start)


def _value(text: str, start: int, end: int, name: str) -> list[Span]:
    """Return the spans of the value that belongs to the name at ``start`` to ``end``."""
    if start > 0 and text[start - 1] == "<" and (found := _xml(text, end, name)):
        return found
    match = _SEPARATOR.match(text, end)
    if match:
        return _after_separator(text, start, match, name)
    if name.startswith("-"):
        if start and text[start - 1] not in " \t\n\r\"'`[(,":
            return []
        flag = cmdline.flag_value(text, end, name, text[max(0, start - 200) : start])
        return [flag] if flag else []
    if found := _pair(text, start, end, name) or _call(text, start, end, name):
        return found
    return _loose(text, start, end, name)


def _xml(text: str, end: int, name: str) -> list[Span]:
    match = _XML_TEXT.match(text, end)
    if not match:
        return []
    inner = match.group(2)
    close = text.find("]]>", match.start(2), match.end(2)) if match.group(1) else -1
    first = match.start(2) + len(inner) - len(inner.lstrip())
    last = close if close >= 0 else match.start(2) + len(inner.rstrip())
    value = text[first:last]
    return [(first, last)] if value and not values.is_harmless(value, name, quoted=True) else []


def _pair(text: str, start: int, end: int, name: str) -> list[Span]:
    """A name and its value side by side under `name` and `value`."""
    before = text[max(0, start - 60) : start]
    if not _NAME_BEFORE.search(before):
        return []
    match = _NAMED.match(text, end)
    if match:
        return scalar(text, match.end(), name, line="\n" in match.group())
    tail = re.compile(r"\\*[\"']?\s*/?>\s{0,60}(?:<value>)?").match(text, end)
    if tail and text[tail.end() - 1] == ">":
        inner = re.compile(r"[^<]{1,2000}").match(text, tail.end())
        if inner and inner.group().strip() and not values.is_harmless(inner.group(), name):
            return [inner.span()]
    lead = text[max(0, start - 1400) : start]
    first = _VALUE_FIRST.search(lead)
    if first and not values.is_harmless(first.group(2), name, quoted=bool(first.group(1))):
        shift = max(0, start - 1400)
        return [(shift + first.start(2), shift + first.end(2))]
    return []


def _call(text: str, start: int, end: int, name: str) -> list[Span]:
    """A name and its value as the arguments of a call."""
    gap = _ARGUMENT.match(text, end)
    if not gap or not _CALLED.search(text[max(0, start - 48) : start]):
        return []
    found = scalar(text, gap.end(), name, line=False)
    return [
        (first, last)
        for first, last in found
        if text[first:last].lower() != name.lower()
        and (prose.looks_made(text[first:last]) or not values.is_sentence(text[first:last]))
    ]


def _loose(text: str, start: int, end: int, name: str) -> list[Span]:
    """A name and a value with nothing but blanks between: SQL, .netrc, redis.conf, prose."""
    lowered = name.lower()
    if lowered in ("password", "passwd", "passphrase"):
        match = _SQL.match(text, end)
        if match:
            value = match.group(1)[1:-1]
            harmless = not value or values.is_harmless(value, name, quoted=True)
            return [] if harmless else [(match.start(1) + 1, match.end(1) - 1)]
    if lowered in ("password", "passwd"):
        spaced = _SPACED.match(text, end)
        before = text[max(0, start - 500) : start]
        known = lowered == "password" or "machine" in before or "default" in before
        if spaced and known and _NETRC.search(before):
            return [spaced.span(1)]
        if spaced and "machine" in before and _NETRC_AFTER.match(text, end):
            return [spaced.span(1)]
    if lowered in _DIRECTIVES or (lowered.endswith("token") and "_authtoken" in lowered):
        spaced = _SPACED.match(text, end)
        if spaced and not values.is_harmless(spaced.group(1).strip("\"'"), name):
            quoted = spaced.group(1)[0] in "\"'"
            return [(spaced.start(1) + quoted, spaced.end(1) - quoted)]
    if _ENV.search(text[max(0, start - 60) : start]):
        spaced = _SPACED.match(text, end)
        if spaced and not values.is_harmless(spaced.group(1).strip("\"'"), name):
            quoted = spaced.group(1)[0] in "\"'"
            return [(spaced.start(1) + quoted, spaced.end(1) - quoted)]
    if "." in name and (not start or text[start - 1] == "\n"):
        blank = _BLANKS.match(text, end)
        if blank and prose.is_made(blank.group(1)):
            return [blank.span(1)]
    row = _ROW.match(text, end)
    if row and _ROW_START.search(text[max(0, start - 80) : start]):
        return [row.span(1)] if not values.is_harmless(row.group(1), name) else []
    return prose.find(text, start, end, name)


def _after_separator(text: str, start: int, match: re.Match[str], name: str) -> list[Span]:
    at = match.end()
    separator = match.group("sep")
    if separator == "=>" and (dumped := _DUMPED.match(text, at)):
        return scalar(text, dumped.end(), name, line=False)
    if text[at : at + 1] in '"n(' and (changed := _CHANGED.match(text, at)):
        both = (at, changed.end()) if text[at] == '"' else (changed.end(),)
        return [span for each in both for span in scalar(text, each, name, line=False)]
    if _is_no_value(text, start, match, name):
        return []
    if separator.startswith(":") and (folded := block(text, start, at)) is not None:
        return folded
    head = text[max(0, start - 500) : start]
    if (
        separator in ("=", ":=")
        and (outer := _outer_quote(head))
        and not match.group("close")
        and "sess" not in name.lower()
    ):
        # The quote stands before the name: "NAME=value" of an environment or an argument.
        last = closing(text, at, outer)
        value = text[at:last]
        return [(at, last)] if value and not values.is_harmless(value, name, quoted=True) else []
    if (
        name.islower()
        and separator == "="
        and match.group("blank")
        and _NAMED_ALIKE.match(text, at)
    ):
        return []  # code: self.token = token
    line = bool(_LINE_START.search(head)) and not match.group("close").startswith("\\")
    if text[at : at + 1] in ("", "\n", "\r"):
        return next_line(text, start, at, name, separator) if separator.startswith(":") else []
    return scalar(text, at, name, line=line, separator=separator)


def _is_no_value(text: str, start: int, match: re.Match[str], name: str) -> bool:
    """Tell whether what follows a name and its separator is something else than its value."""
    at = match.end()
    separator = match.group("sep")
    if name == "PASS" and separator == ":":
        return True  # the result of a test
    if text[at : at + 1] == "`" and separator == "=" and not match.group("blank"):
        return True  # a command of a shell
    if (
        name in ("secret", "Secret", "secrets")
        and (alike := _NAMED_ALIKE.match(text, at))
        and len(alike.group().strip()) > len(name)
    ):
        return True  # secret: db_password
    if start and text[start - 1] in "( ," and _SAME.match(text, at) and text.startswith(name, at):
        return True  # f(password=password)
    if separator == ":" and text.startswith("//", at):
        return True  # an address
    if separator == ":" and values.is_architecture(text, at):
        return True  # a package: python3-jwt:amd64
    return name.startswith("-") and separator == "=" and _is_usage(text, start, at, name)


def _is_usage(text: str, start: int, at: int, name: str) -> bool:
    """Tell whether a flag stands in a line that explains its command: ``[--token=TOKEN]``."""
    word = re.match(r"[\w -]{1,60}?(?=[\s\])|,]|\Z)", text[at : at + 62])
    if not word:
        return False
    closed = text[start - 1 : start] == "[" and text.startswith("]", at + word.end())
    return values.is_metavariable(word.group(), name, bracketed=closed)


def _outer_quote(head: str) -> str:
    """Return the quote, with its backslashes, right at the end of what stands before a name."""
    match = _QUOTE_END.search(head)
    return match.group() if match else ""
