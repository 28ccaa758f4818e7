"""Secrets that show by where they stand: in a URL, in a header of HTTP, in a PEM block."""

from __future__ import annotations

import re

from . import pem, rules, values
from .lazy import Lazy
from .spans import Span

# What stands between // and @ holds no slash, blank or quote; the last @ before the host counts.
_USERINFO = re.compile(r"([^\s/?#\"'<>`\\:@]{0,256})(:?)([^\s/?#\"'<>`]{0,512})@(?=[\w\[$.{%-])")
_RAW_USERINFO = re.compile(
    r"([^\s/?#\"'<>`\\:@]{1,128}):([^\s\"'<>`@]{1,256}(?:@[^\s\"'<>`@/]{1,128})??)@"
    r"(?=[A-Za-z0-9][\w.-]*(?::\d{1,5})?(?:[/?\s\"',;]|$))"
)
_TOKEN_USER = re.compile(r"(?=[\w~.+=-]*\d)[\w~.+=-]{16,}\Z")
_MYSQL_DSN = re.compile(r"([\w.-]{1,64}):([^\s\"'<>`@]{1,256})@(?:tcp|unix|cloudsql)\(")

_AUTHORIZATION = Lazy(
    r"authorization(?P<close>\\*[\"']?\]?)\s{0,4}(?P<sep>=>|[:=]|,)\s{0,4}(?P<open>\[?\s{0,4}\\*[\"']?)"
    r"(?P<scheme>(?:basic|bearer|digest|token|apikey|api-key|negotiate|ntlm|aws4-hmac-sha256|hawk|key|splunk"
    r"|sharedkey|sharedaccesssignature|discogs|oauth|signature|ssws|genericapikey|bot|jwt|scram-sha-256|gnap|dpop"
    r"|zoho-oauthtoken|aws|key=)\s{1,4}|key=)?",
    re.IGNORECASE,
)
_CLOSE = re.compile(r"[\r\"']|\\[nr\"'\\]")
_QUOTES_CLOSE = re.compile(r"\r|\\[nr\"'\\]")
_PARAMETER = re.compile(r"\w{1,30}=\"")
_QUOTING = ("digest", "oauth", "hawk", "signature")
_SCHEME = Lazy(
    r"(?:bearer|basic|(?<![\w-])token(?= [\"']?(?:gh|[0-9a-f]{32}))|sharedaccesssignature|negotiate|ssws|splunk)"
    r"(?:[ \t]{1,2}|%20|\+)(?=[A-Za-z0-9+/_=.~-]*[0-9A-Z=_.])([A-Za-z0-9+/_.~-]{12,}={0,2})",
    re.IGNORECASE,
)
_COOKIE = Lazy(
    r"(?P<set>set-)?cookie2?\\*[\"']?\]?\s{0,4}(?P<sep>=>|:|=(?=\s*[\"']))\s{0,4}\[?\s{0,4}(?P<open>\\*[\"']?)",
    re.IGNORECASE,
)
_COOKIE_PAIR = re.compile(r"([\w!#$%&*+.^|~-]{1,128})=(\"[^\"\n;]*\"|[^\s;\"'\\,]*)")
_ATTRIBUTES = frozenset(
    (
        "path",
        "domain",
        "expires",
        "max-age",
        "samesite",
        "secure",
        "httponly",
        "version",
        "priority",
        "comment",
    )
)

_BEGIN = re.compile(r"-{5}BEGIN ((?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?)-{5}")
_SSH2_BEGIN = re.compile(r"-{4} BEGIN SSH2 ENCRYPTED PRIVATE KEY -{4}")
_BREAK = r"(?:\\{0,8}r)?(?:\\{1,8}n|\r?\n|\\{1,8}u000a|\\{1,8}012|&#(?:10|x[aA]);|%0[aA]|<br ?/?>)"
_LINE = Lazy(
    r"(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|Encryption|Key-[\w-]+):[^\n\\]{0,200}"
    r"|=?(?:[A-Za-z0-9+/*]|%2[bBfF]|\\{1,8}/|\\{1,8}u002[bBfF]){1,1000}(?:=|%3[dD]|\\{1,8}u003[dD]){0,3})?"
)
_PREFIX = re.compile(
    r"[ \t]{0,200}(?:(?:[#>|*+\"',-]|[A-Za-z0-9][\w.-]{0,60} {1,40}\|)[ \t]{0,40}){0,3}"
)
_TAIL = re.compile(r"[\"']?[, \t]*(?:\+|\\)?[ \t]*")
_BREAKS = re.compile(_BREAK)
_END = re.compile(r"-{5}END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-{5}")
_MOST_PEM_LINES = 2000


def find_places(text: str, low: str, heads: set[str], spans: list[Span]) -> None:
    """Add the spans of what stands where a secret stands; ``heads`` are the beginnings of words."""
    if "://" in text:
        _urls(text, spans)
    if "@" in text and not heads.isdisjoint(("tcp", "uni", "clo")):
        spans.extend(match.span(2) for match in _MYSQL_DSN.finditer(text))
    _headers(text, low, heads, spans)
    if "ls0" in heads:
        pem.find_encoded(text, spans)
    if "pri" in heads:
        if "PRIVATE KEY" in text:
            _pem(text, spans)
        if "private-lines:" in low:
            _putty(text, low, spans)


def _urls(text: str, spans: list[Span]) -> None:
    at = text.find("://")
    while at >= 0:
        start = at + 3
        match = _USERINFO.match(text, start)
        if match:
            user, colon, password = match.groups()
            after = text[match.end() : match.end() + 7]
            if colon and password:
                if not values.is_harmless(password) and after != "sha256:":
                    spans.append(match.span(3))
                    if _TOKEN_USER.match(user):
                        spans.append(match.span(1))
            elif _TOKEN_USER.match(user) and after != "sha256:":
                spans.append(match.span(1))
        else:
            # A password with / ? or # in it that nobody escaped.
            match = _RAW_USERINFO.match(text, start)
            if (
                match
                and not match.group(2)[:5].rstrip("/").isdigit()
                and not values.is_harmless(match.group(2))
            ):
                spans.append(match.span(2))
        at = text.find("://", match.end() if match else start)


_SCHEMES = ("bearer", "basic", "token ", "sharedaccesssignature", "negotiate", "ssws", "splunk")


def _headers(text: str, low: str, heads: set[str], spans: list[Span]) -> None:
    # A header's name may be the end of a longer word: `proxyAuthorization`.
    at = low.find("authorization")
    while at >= 0:
        match = _AUTHORIZATION.match(text, at)
        end = _authorization(text, match, spans) if match else at
        at = low.find("authorization", max(at + 13, end))
    for mark in _SCHEMES:
        if mark[:3] in heads:
            _scheme(text, low, mark, spans)
    at = low.find("cookie") if "coo" in heads or "set" in heads else -1
    while at >= 0:
        match = _COOKIE.match(text, at - 4 if low.startswith("set-", max(0, at - 4)) else at)
        end = at
        if match and not (at > 0 and text[at - 1].isalnum()):
            end = _cookie(text, match, spans)
        at = low.find("cookie", max(at + 6, end))


def _scheme(text: str, low: str, mark: str, spans: list[Span]) -> None:
    """What stands behind the name of a scheme, in a header or not."""
    at = low.find(mark)
    while at >= 0:
        found = _SCHEME.match(text, at)
        if found and (mark != "basic" or rules.is_login(found.group(1))):
            spans.append(found.span(1))
        at = low.find(mark, at + len(mark))


def _authorization(text: str, match: re.Match[str], spans: list[Span]) -> int:
    """Add the span of the credential; return where the header ends."""
    start = match.end()
    opened = match.group("open").strip("[ \t")
    scheme = (match.group("scheme") or "").strip().lower()
    end = _header_end(
        text, start, opened, quotes=scheme in _QUOTING or bool(_PARAMETER.match(text, start))
    )
    value = text[start:end].rstrip()
    named = match.group("sep") != "," or bool(opened)
    if named and value and (scheme or _looks_secret(value)) and not values.is_harmless(value):
        spans.append((start, start + len(value)))
        return end
    return start


def _looks_secret(value: str) -> bool:
    """Tell a credential from a word, where no scheme says that it is one."""
    return " " not in value and len(value) >= 6 and not values.is_harmless(value)


def _header_end(text: str, start: int, opened: str, *, quotes: bool = False) -> int:
    """Return where a header's value ends: at the quote that opened it, or at the end of the line.

    With ``quotes`` the value has quoted parts of its own.
    """
    stop = text.find("\n", start, start + 8192)
    if stop < 0:
        stop = min(len(text), start + 8192)
    if opened:
        close = text.find(opened, start, stop)
        if close >= 0:
            return close
    match = (_QUOTES_CLOSE if quotes else _CLOSE).search(text, start, stop)
    return match.start() if match else stop


def _cookie(text: str, match: re.Match[str], spans: list[Span]) -> int:
    """Add the spans of the cookies' values; return where the header ends."""
    start = match.end()
    end = _header_end(text, start, match.group("open"))
    first = True
    for pair in _COOKIE_PAIR.finditer(text, start, end):
        attribute = pair.group(1).lower() in _ATTRIBUTES
        if match.group("set"):
            if not first:
                break
        elif attribute:
            continue
        first = False
        if (
            pair.group(2)
            and not values.is_harmless(pair.group(2), quoted=True)
            and not values.is_choice(pair.group(1), pair.group(2))
        ):
            spans.append(pair.span(2))
    return start if first else end


def _pem(text: str, spans: list[Span]) -> None:
    begins = []
    for match in _BEGIN.finditer(text):
        begin = match.end()
        begins.append(begin)
        end = _pem_body(text, begin)
        if end > begin:
            spans.append((begin, end))
        else:
            spans.extend(pem.lines_behind(text, match.start(), begin))
    before = 0
    for match in _END.finditer(text):
        if not any(before <= begin <= match.start() for begin in begins):
            spans.append((_pem_head(text, match.start()), match.start()))
        before = match.end()


def _pem_body(text: str, start: int) -> int:
    """Return where the body of a private key ends, also of one that was cut off."""
    if text.startswith("**", start):
        return start + len(text[start : start + 100]) - len(text[start : start + 100].lstrip("*"))
    end = at = start
    for _ in range(_MOST_PEM_LINES):
        match = _BREAKS.match(
            text, (_TAIL.match(text, at) or _empty(text, at)).end()
        ) or _BREAKS.match(text, at)
        if not match:
            # Everything in one line, with blanks for the breaks.
            if at == start or text[at : at + 1] == " ":
                match = re.compile(" ?").match(text, at)
            if not match or (match.end() == at and at != start):
                break
        begin = (_PREFIX.match(text, match.end()) or match).end()
        if text.startswith("-----", begin) or text.startswith("-----", match.end()):
            break
        line = _LINE.match(text, begin)
        if not line or (line.end() == begin and at != start and not _BREAKS.match(text, begin)):
            break
        if line.end() == at or not _is_key_line(text, line, first=at == start):
            break
        at = line.end()
        if line.end() > begin:
            end = at
    return end


def _empty(text: str, at: int) -> re.Match[str]:
    match = re.compile("").match(text, at)
    if match is None:
        raise ValueError("an empty pattern always matches")
    return match


def _is_key_line(text: str, line: re.Match[str], *, first: bool) -> bool:
    """Tell a line of a key from the first word of ordinary output after a key that was cut off."""
    body = line.group()
    if not body or ":" in body or body.startswith("="):
        return True
    follows = text[line.end() : line.end() + 5]
    if first and len(body) >= 16:
        return True
    if not first and (
        body.endswith("=") or follows == "" or follows[0] in "\"'<" or follows.startswith("-----")
    ):
        return True
    if follows == "":
        return True
    whole = bool(_BREAKS.match(text, line.end())) or follows[0] in "\\,&%"
    if whole and len(body) < 16:
        after = _PREFIX.match(text, (_BREAKS.match(text, line.end()) or line).end())
        return after is not None and text.startswith("-----", after.end())
    return whole or (len(body) >= 40 and follows[0] in " \t")


def _pem_head(text: str, end: int) -> int:
    """Return where the body before an END line begins, when its BEGIN line is not there."""
    start = end
    at = end
    for _ in range(_MOST_PEM_LINES):
        window = text[max(0, at - 1200) : at]
        match = re.search(
            rf"(?:\A|{_BREAK}|[\s\"'|>])([A-Za-z0-9+/]{{8,1000}}={{0,2}}){_BREAK}\Z", window
        )
        if not match:
            break
        start = at - len(window) + match.start(1)
        before = re.search(rf"{_BREAK}[ \t|>#]{{0,60}}\Z", text[max(0, start - 80) : start])
        if not before:
            break
        at = start - len(before.group()) + len(re.match(_BREAK, before.group()).group())  # type: ignore[union-attr]
    return start


def _putty(text: str, low: str, spans: list[Span]) -> None:
    at = low.find("private-lines:")
    while at >= 0:
        match = re.compile(
            r"Private-Lines:\s*\d+\s*\n((?:[ \t]*[A-Za-z0-9+/=]{4,}\s*\n?)+)", re.IGNORECASE
        ).match(text, at)
        if match:
            spans.append(match.span(1))
        at = low.find("private-lines:", at + 14)
