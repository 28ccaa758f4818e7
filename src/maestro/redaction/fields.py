"""Secrets that show by the name before them: JSON, YAML, env, ini, XML, SQL, code, query strings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from . import cmdline, keys, prose, values
from .lazy import Lazy
from .spans import Span

# One of these stands in every name that `keys` calls a secret.
STEMS = (
    "pass", "pwd", "secret", "token", "key", "cred", "auth", "jwt", "psk", "pw", "pswd", "mdp", "senha",
    "contrasena", "bearer", "sessid", "sessionid", "mnemonic", "hmac", "otp", "cookie", "salt", "pepper", "code",
    "cvv", "cvc", "pin", "sig",
)  # fmt: skip
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_LONGEST_NAME = 120
_LONGEST_VALUE = 1024  # characters that are looked at; a longer value is masked to its end

_SEPARATOR = Lazy(
    r"(?P<close>(?:\\*[\"'`])?[\])]?)[ \t]{0,40}(?P<sep>:=|=>|==?(?!=)|::?(?!:)|%3[dD])(?P<blank>[ \t]{0,40})"
    r"(?:(?:!!(?:str|binary)|&[\w-]+|b(?=[\"'])|u(?=[\"'])|r(?=[\"'])|[nN](?=')|@(?=\")|\(?string\)?(?=\())[ \t]{0,4})*"
)
_OPEN = re.compile(r"\\*(?:\"\"\"|'''|[\"'`])")
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
_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?[ \t]*(?:#[^\n]*)?\r?\n")
_COMMENT = re.compile(r"[ \t]+(?:#|//|;)[ \t].*\Z|[ \t]+#\S.*\Z")
_CUT = Lazy(
    r"[,;&|](?=\s|\Z|\\*[\"']|[\w.\[\]-]{1,80}\\*[\"']?\s?(?:[=:]|%3[dD])|[)}\]])|[)\]}](?=[\s,;:)}\]]|\Z)|%26|\\+[nrt\"']|&(?:amp|quot|lt|gt|#\d+);"
)
_ENV = re.compile(r"(?:\A|\n|\] )[ \t]*(?:ENV|setenv)[ \t]+\Z")
_SIGNATURES = frozenset(
    ("sig", "signature", "x-amz-signature", "x-goog-signature", "x-ms-signature")
)
_PROGRAM = Lazy(
    r"(?:psql|pg_\w+|createdb|mysql\w*|mariadb\w*|redis-cli|restic|borg|docker|podman|kubectl|helm|terraform|ansible\S*|curl|wget"
    r"|python\S*|node|npm|yarn|go|cargo|make|bash|sh|env|sudo|exec|java|ruby|php|perl|cmd|run|bin\S*|vault|aws|gcloud|az|git|ssh\S*)\b"
)
_DIRECTIVES = frozenset(
    ("requirepass", "masterauth", "rootpw", "bindpw", "masteruser", "tls-key-file-pass")
)

_INLINE = re.compile(r"[,;]\s+[\"']?[A-Za-z_][\w.-]{0,60}[\"']?\s?[:=]")
_NOTE = Lazy(r"(?<=\S)\s+\((?:[A-Za-z']+[ ,]+)+[A-Za-z']+[.!]?\)\Z")
_QUERY = re.compile(r"https?://[^\s\"']*[?&][\w.-]*=\Z")
_SAME = re.compile(r"[a-z_]+[,)]")
# A row of a table of two columns: | name | value |
_ROW = Lazy(r"[ \t]*[|│][ \t]*([^|│\n]{1,500}?)[ \t]*[|│][ \t]*(?=\r?\n|\Z)")
_ROW_START = re.compile(r"(?:\A|\n)[ \t]*[|│][ \t]*\Z")
_NO_WORD = re.compile(r"\S*[\d!@#$%^&*+/]\S*")
_RUN = re.compile(r"[^\s\"'<>`,;&]*")
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
_NEXT = re.compile(r"[ \t]*\r?\n([ \t]*)(?=\S)")


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
    r"[\"'`]?[ \t]?[:=][ \t]{0,2}[\"'`]?([A-Za-z][\w.-]*(?:, [A-Za-z][\w.-]*)*)(?=[\"'`]?(?:[).,;:]?(?:\s|\\|\Z)))"
)
_NAME_OF_ONE = Lazy(
    r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*[_-](?:password|passwd|token|key|pwd|credentials?|dsn|certificate)\.?\Z"
)


def _names_one(text: str, start: int, end: int, names: Collection[str]) -> bool:
    """Tell whether what follows `secret` is the name of one, as in `secret=db_password`."""
    match = _NAMES.match(text, end)
    if not match:
        return False
    name = match.group(1)
    return (
        name.rstrip(".") in names
        or name == "NAME"
        or bool(_NAME_OF_ONE.match(name))
        or bool(_ASKED.search(text[max(0, start - 40) : start]))
    )


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
        return _scalar(text, match.end(), name, line="\n" in match.group())
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
    found = _scalar(text, gap.end(), name, line=False)
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
        return _scalar(text, dumped.end(), name, line=False)
    if text[at : at + 1] in '"n(' and (changed := _CHANGED.match(text, at)):
        both = (at, changed.end()) if text[at] == '"' else (changed.end(),)
        return [span for each in both for span in _scalar(text, each, name, line=False)]
    if name == "PASS" and separator == ":":
        return []  # the result of a test
    if text[at : at + 1] == "`" and separator == "=" and not match.group("blank"):
        return []  # a command of a shell
    if (
        name in ("secret", "Secret", "secrets")
        and (alike := _NAMED_ALIKE.match(text, at))
        and len(alike.group().strip()) > len(name)
    ):
        return []  # secret: db_password
    if start and text[start - 1] in "( ," and _SAME.match(text, at) and text.startswith(name, at):
        return []  # f(password=password)
    if separator == ":" and text.startswith("//", at):
        return []  # an address
    if separator == ":" and values.is_architecture(text, at):
        return []  # a package: python3-jwt:amd64
    if name.startswith("-") and separator == "=":
        word = re.match(r"[\w -]{1,60}?(?=[\s\])|,]|\Z)", text[at : at + 62])
        if word:
            closed = text[start - 1 : start] == "[" and text.startswith("]", at + word.end())
            if values.is_metavariable(word.group(), name, bracketed=closed):
                return []  # a usage line
    if separator.startswith(":") and text[at : at + 1] in "|>":
        block = _BLOCK.match(text, at)
        if block:
            return _block(text, start, block.end())
    head = text[max(0, start - 500) : start]
    if (
        separator in ("=", ":=")
        and (outer := _outer_quote(head))
        and not match.group("close")
        and "sess" not in name.lower()
    ):
        # The quote stands before the name: "NAME=value" of an environment or an argument.
        last = _closing(text, at, outer)
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
        return _next_line(text, start, at, name, separator) if separator.startswith(":") else []
    return _scalar(text, at, name, line=line, separator=separator)


def _outer_quote(head: str) -> str:
    """Return the quote, with its backslashes, right at the end of what stands before a name."""
    match = _QUOTE_END.search(head)
    return match.group() if match else ""


def _indent(text: str, at: int) -> int:
    """Return the indentation of the line that holds ``at``."""
    begin = text.rfind("\n", 0, at) + 1
    width = 0
    while begin + width < len(text) and text[begin + width] in " \t-":
        if text[begin + width] == "-" and text[begin + width + 1 : begin + width + 2] != " ":
            break
        width += 1
    return width


def _block(text: str, start: int, at: int) -> list[Span]:
    """A block scalar of YAML: every following line that is indented deeper than its key."""
    outer = _indent(text, start)
    spans: list[Span] = []
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        body = text[at:stop]
        stripped = body.strip()
        if stripped:
            width = len(body) - len(body.lstrip(" \t"))
            if width <= outer:
                break
            if not values.is_harmless(stripped, quoted=True) and not stripped.startswith(
                ("-----BEGIN", "-----END")
            ):
                spans.append((at + width, at + width + len(stripped)))
        at = stop + 1
    return spans


def _next_line(text: str, start: int, at: int, name: str, separator: str) -> list[Span]:
    """A value on the line after its key."""
    match = _NEXT.match(text, at)
    if not match or not separator:
        return []
    begin = match.end()
    if _OPEN.match(text, begin):
        if len(match.group(1)) < _indent(text, start):
            return []
        return _scalar(text, begin, name, line=False)
    stop = text.find("\n", begin)
    value = text[begin : stop if stop >= 0 else len(text)].strip()
    if (
        len(match.group(1)) <= _indent(text, start)
        or " " in value
        or value[:1] in "-#{["
        or re.search(r":(\s|$)|=", value)
    ):
        return []
    return [(begin, begin + len(value))] if not values.is_harmless(value, name) else []


def _scalar(text: str, at: int, name: str, *, line: bool, separator: str = ":") -> list[Span]:
    """Return the span of a scalar: quoted to its closing quote, bare to the end of line or word."""
    opened = _OPEN.match(text, at)
    if opened:
        quote = opened.group()
        first = opened.end()
        last = _closing(text, first, quote)
        value = text[first:last]
        if not value or values.is_harmless(value, name, quoted=True):
            return []
        return [(first, last)]
    if text[at : at + 1] == "[":
        return _list(text, at, name)
    if text[at : at + 1] == "{" and text[at : at + 2] != "{{":
        return []
    stop = text.find("\n", at, at + _LONGEST_VALUE)
    stop = min(len(text), at + _LONGEST_VALUE) if stop < 0 else stop
    rest = text[at:stop].rstrip("\r")
    whole = _COMMENT.sub("", rest).rstrip()
    if values.is_harmless(whole, name) or values.is_count(whole, name):
        return []
    if call := values.literal_call(rest):
        value = call
    elif line and (separator != ":" or _is_yaml(text, at)):
        value = _line_value(whole, separator)
    else:
        value = _word(rest, prose=separator != "=" or text[at - 1] in " \t")
    if "#" in value and _QUERY.search(text[max(0, at - 300) : at]):
        value = value[: value.index("#")]
    if not value or values.is_harmless(value, name):
        return []
    end = at + len(value)
    if end == at + _LONGEST_VALUE and (more := _RUN.match(text, end)):
        end = more.end()
    return [(at, end)]


def _is_yaml(text: str, at: int) -> bool:
    return text[at - 1] in " \t:"


def _line_value(whole: str, separator: str) -> str:
    """The value of a line that is an assignment and nothing else."""
    if " " not in whole and "\t" not in whole:
        cut = _CUT.search(whole)
        if (
            cut
            and re.match(r"[,;&]?\s*[\w.-]+\\*[\"']?=", whole[cut.start() :].lstrip("&;,"))
            and cut.start()
        ):
            return whole[: cut.start()]
        return whole.rstrip(",;") or whole
    inline = _INLINE.search(whole)
    if inline and inline.start():
        return whole[: inline.start()]
    if separator == "=" and values.is_sentence(whole):
        return whole.split(None, 1)[0]
    if values.is_sentence(whole) and whole.split(None, 1)[0].strip("\"',.:").isalpha():
        return ""
    if noted := _NOTE.search(whole):
        return whole[: noted.start()]
    rest = whole.split(None, 1)[1]
    if re.search(r"(?:\A|\s)(?:[\w.-]+=\S|[-./|&>])", rest) or _PROGRAM.match(rest):
        # More assignments on the same line, or an environment in front of a command.
        return whole.split(None, 1)[0] if separator == "=" else _word(whole)
    return whole


def _word(rest: str, *, prose: bool = True) -> str:
    """The value that stands in the middle of a line: one word, without what closes the place.

    With ``prose`` it may be the beginning of a sentence, which is no value.
    """
    if prose and values.is_sentence(rest[:200]) and not _NO_WORD.match(rest):
        return ""
    match = re.match(r"[^\s\"'<>`]+", rest)
    if not match:
        return ""
    value = match.group()
    for cut in _CUT.finditer(value):
        if cut.start() and value[: cut.start()].count("{") <= value[: cut.start()].count("}"):
            value = value[: cut.start()]
            break
    return value.rstrip(",;") if len(value) > 1 else ""


def _closing(text: str, first: int, quote: str) -> int:
    """Return where a quoted value ends: before the same quote with the same backslashes before it."""
    depth = len(quote) - len(quote.lstrip("\\"))
    mark = quote[depth:]
    at = first
    while True:
        at = text.find(mark, at)
        if at < 0 or at > first + 8 * _LONGEST_VALUE:
            stop = text.find("\n", first, at if at >= 0 else len(text))
            if stop >= 0 or at < 0:
                return stop if stop >= 0 else len(text)
        slashes = 0
        while at - slashes > first and text[at - slashes - 1] == "\\":
            slashes += 1
        if (
            mark == "'"
            and not depth
            and text.startswith("''", at)
            and text[at + 2 : at + 3].isalnum()
        ):
            at += 2
            continue
        if (
            slashes <= depth
            and (slashes == depth or not depth)
            and not (depth == 0 and slashes % 2)
        ):
            return at - depth
        if depth and slashes < depth:
            return at - slashes
        at += len(mark)


def _list(text: str, at: int, name: str) -> list[Span]:
    """Strings in brackets."""
    close = text.find("]", at, at + 4096)
    if close < 0:
        return []
    spans = []
    for match in re.finditer(r"\"([^\"\n]*)\"|'([^'\n]*)'", text[at:close]):
        group = 1 if match.group(1) is not None else 2
        if match.group(group) and not values.is_harmless(match.group(group), name, quoted=True):
            spans.append((at + match.start(group), at + match.end(group)))
    return spans
