"""Tokens that show by their format what they are, as their issuers publish it.

A rule is a literal that every such token holds, found fast, and a pattern that is tried only there.
A number of characters is a least number: what is longer is masked to its end. No rule asks for a
checksum, because a token with a typing error is close enough to a secret.
"""

from __future__ import annotations

import re
from functools import cache

from .spans import Span

_CLASSES = {
    "A": "[A-Za-z0-9]",
    "W": "[A-Za-z0-9_-]",
    "D": "[A-Za-z0-9_.-]",
    "H": "[0-9a-f]",
    "B": "[A-Za-z0-9+/]",
    "X": "[A-Za-z0-9_=.+/-]",
    "U": "[A-Z0-9]",
}

# prefix, class of what follows, least number of it
_PREFIXES = """
    ghp_ A 36 | gho_ A 36 | ghu_ A 36 | ghs_ D 36 | ghr_ A 36 | github_pat_ W 50 | glpat- D 20
    gldt- W 20 | glrt- D 20 | glrtr- W 20 | glcbt- W 20 | glptt- W 20 | glft- W 20
    glsoat- W 20 | glimt- W 20 | glagent- W 20 | gloas- W 20 | glffct- W 20 | GR1348941 W 20
    xoxb- W 20 | xoxp- W 20 | xoxa- W 20 | xoxr- W 20 | xoxs- W 20 | xoxe- W 20 | xoxe. D 20
    xoxc- W 20 | xoxd- X 20 | xapp- W 20 | xwfp- W 20 | AKIA U 16 | ASIA U 16 | ABIA U 16
    ACCA U 16 | ABSK B 100 | AIza W 35 | ya29. W 20 | GOCSPX- W 24 | 1//0 W 30 | sk_live_ A 10
    sk_test_ A 10 | rk_live_ A 10 | rk_test_ A 10 | whsec_ X 24 | npm_ A 36 | pypi-AgEI W 40
    pypi-AgEN W 40 | rubygems_ H 48 | cio A 32 | oy2 A 43 | dckr_pat_ W 24 | dckr_oat_ W 24
    SWMTKN-1- W 50 | sha256~ W 40 | hf_ A 30 | api_org_ A 30 | sk-ant- W 40 | sk-proj- W 40
    sk-svcacct- W 40 | sk-admin- W 40 | sk-or-v1- H 60 | gsk_ A 40 | r8_ A 30 | pplx- A 40
    xai- A 60 | nvapi- W 40 | tgp_v1_ W 30 | lsv2_pt_ W 30 | lsv2_sk_ W 30 | pcsk_ W 40
    tvly- W 28 | jina_ A 40 | dop_v1_ H 64 | doo_v1_ H 64 | dor_v1_ H 64 | lin_api_ A 32
    lin_oauth_ H 40 | ATATT3 X 80 | ATCTT3 X 80 | ATBB A 24 | ATOA X 40 | dapi H 32
    dp.pt. A 40 | dp.st. D 40 | dp.ct. A 40 | dp.sa. A 40 | dp.scim. A 40 | dp.audit. A 40
    hvs. W 24 | hvb. W 24 | hvr. W 24 | pul- H 40 | glc_ X 32 | glsa_ W 32 | glpe_ W 32
    NRAK- U 27 | NRII- W 32 | NRJS- H 19 | NRRA- H 40 | sntrys_ X 40 | sntryu_ H 60
    shpat_ H 32 | shpca_ H 32 | shppa_ H 32 | shpss_ H 32 | shpua_ H 32 | shprt_ H 32
    sq0atp- W 22 | sq0csp- W 40 | EAAAE W 55 | EAAA W 56 | EAACEdEose0cBA A 20 | figd_ W 40
    ntn_ A 40 | PMAK- W 50 | pscale_tkn_ D 32 | pscale_pw_ D 32 | pscale_oauth_ D 32 | sbp_ H 40
    sb_secret_ W 20 | tskey- W 20 | AGE-SECRET-KEY-1 U 58 | AGE-PLUGIN- W 20 | ops_eyJ X 100
    HRKU- W 36 | nfp_ A 36 | CCIPAT_ W 40 | CCIPRJ_ W 40 | bkua_ H 40 | AKCp A 60
    cmVmdGtuOj A 40 | dt0c01. D 60 | dt0s01. D 60 | CFPAT- W 40 | tfp_ D 40 | EZAK A 54
    EZTK A 54 | fio-u- W 64 | ico- A 32 | pnu_ A 36 | rdme_ A 60 | tk-us- W 48 | xkeysib- H 64
    xsmtpsib- H 64 | shippo_live_ H 40 | shippo_test_ H 40 | sgp_ D 40 | AQVN W 35 | zpka_ W 30
    LTAI A 16 | AKID A 32 | p8e- A 32 | CLOJARS_ A 60 | sm_pat_ A 16 | squ_ H 40 | sqp_ H 40
    sqa_ H 40 | ddp_ A 36 | ddw_ A 36 | re_ W 30 | pat-na1- W 32 | pat-eu1- W 32 | secret_ A 43
    phx_ A 40 | fm2_ X 60 | fm1r_ X 60 | fm1a_ X 60 | flyv1_ W 40 | rnd_ A 28
    ABSKQmVkcm9ja0FQSUtleS B 60 | polar_oat_ A 20 | polar_pat_ A 20 | tr_dev_ A 20
    tr_prod_ A 20 | sl.B X 100 | sl.u. X 100 | duffel_live_ W 43 | duffel_test_ W 43
    FLWSECK- W 12 | FLWSECK_TEST- W 12 | rpa_ A 40
"""

# The sign between the parts of a hash: Compose doubles it, shells and URLs escape it.
_DOLLAR = r"\\{0,4}(?:\$|%24){1,4}"

_OTHERS: list[tuple[str, str]] = [
    # JSON Web Token: a header of JSON in base64, a body, perhaps a signature.
    ("eyJ", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,3}"),
    # OpenAI's older keys have their mark inside.
    ("sk-", r"sk-(?:[A-Za-z0-9_-]{10,100}T3BlbkFJ[A-Za-z0-9_-]{10,}|[A-Za-z0-9]{32,})"),
    ("SG.", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}"),
    ("8Q~", r"8Q~[A-Za-z0-9_~.-]{31,}"),
    ("pat", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    (".atlasv1.", r"\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    ("sk.eyJ", r"sk\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{10,}"),
    ("$2", rf"{_DOLLAR}2[abxy]?{_DOLLAR}\d\d{_DOLLAR}[./A-Za-z0-9]{{20,}}"),
    ("argon2", rf"argon2(?:id|i|d){_DOLLAR}v(?:=|%3[dD])[A-Za-z0-9$=,+/.\\%]{{20,}}"),
    (
        "$5",
        rf"{_DOLLAR}5{_DOLLAR}(?:rounds=\d+{_DOLLAR})?[./A-Za-z0-9]{{1,16}}{_DOLLAR}[./A-Za-z0-9]{{20,}}",
    ),
    (
        "$6",
        rf"{_DOLLAR}6{_DOLLAR}(?:rounds=\d+{_DOLLAR})?[./A-Za-z0-9]{{1,16}}{_DOLLAR}[./A-Za-z0-9]{{20,}}",
    ),
    ("$1", rf"{_DOLLAR}1{_DOLLAR}[./A-Za-z0-9]{{1,8}}{_DOLLAR}[./A-Za-z0-9]{{20,}}"),
    (
        "$y",
        rf"{_DOLLAR}g?y{_DOLLAR}[./A-Za-z0-9]+{_DOLLAR}[./A-Za-z0-9]+{_DOLLAR}[./A-Za-z0-9]{{20,}}",
    ),
    ("$7", rf"{_DOLLAR}7{_DOLLAR}[./A-Za-z0-9]{{10,}}{_DOLLAR}[./A-Za-z0-9]{{20,}}"),
    ("apr1", rf"apr1{_DOLLAR}[./A-Za-z0-9]{{1,8}}{_DOLLAR}[./A-Za-z0-9]{{20,}}"),
    (
        "pbkdf2-",
        rf"pbkdf2-[a-z0-9]+{_DOLLAR}\d+{_DOLLAR}[./A-Za-z0-9]{{8,}}{_DOLLAR}[./A-Za-z0-9]{{20,}}",
    ),
    ("scrypt", rf"scrypt{_DOLLAR}(?:ln=|\d)[A-Za-z0-9$=,+/.\\]{{20,}}"),
    ("pbkdf2_sha256$", r"pbkdf2_sha256\$\d+\$[A-Za-z0-9]+\$[A-Za-z0-9+/=]{20,}"),
    ("scram-sha-256$", r"(?i:scram-sha-256)\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+"),
    ("{ssha}", r"(?i:\{ssha\})[A-Za-z0-9+/=]{20,}"),
]

# The mark stands inside of the token: how far back its beginning may be, and what is before.
_INNER: list[tuple[str, int, str]] = [
    # Azure AD client secret
    ("8Q~", 3, r"[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,}"),
    (".atlasv1.", 14, r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    # Mailchimp
    ("-us", 32, r"[0-9a-f]{32}-us[0-9]{1,2}(?![A-Za-z0-9])"),
    # Azure storage and similar: 64 bytes in base64 with the mark of the service
    ("+ASt", 76, r"[A-Za-z0-9+/]{76}\+ASt[A-Za-z0-9+/]{5,}={0,2}"),
    ("AzFu", 52, r"[A-Za-z0-9_-]{44,52}AzFu[A-Za-z0-9+/=_-]{4,}"),
    # Telegram bot
    (":AA", 10, r"(?<![0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}"),
]

Rule = tuple[str, str]  # the mark, and the pattern, which is compiled when its mark is seen


def _prefix_rules() -> list[Rule]:
    rules = []
    for entry in _PREFIXES.replace("\n", "|").split("|"):
        if not entry.strip():
            continue
        prefix, kind, least = entry.split()
        rules.append((prefix, f"{re.escape(prefix)}{_CLASSES[kind]}{{{least},2000}}=*"))
    return rules


_RULES: list[Rule] = _prefix_rules() + _OTHERS

_DISCORD = re.compile(r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}")
_LOWERED = ("scram-sha-256$", "{ssha}")
_TWILIO = re.compile(r"SK[0-9a-f]{32}(?![A-Za-z0-9])")
_MAILGUN = re.compile(r"key-[0-9a-f]{32}(?![A-Za-z0-9])")


def _is_example(token: str) -> bool:
    """Tell whether a token is one of those that documentation shows: one character, repeated."""
    return len(set(token[-12:])) <= 2


def _tied(text: str, at: int) -> bool:
    """Tell whether the token is only the rest of a longer word."""
    return at > 0 and text[at - 1].isalnum() and not _after_escape(text, at)


def _after_escape(text: str, at: int) -> bool:
    r"""Tell whether an escape ends right before: ``\\n``, ``%20``, ``\\u003d``."""
    before = text[max(0, at - 6) : at]
    return bool(
        re.search(r"(?:\\[ntr]|%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2})\Z", before)
    )


@cache
def _compiled(shape: str) -> re.Pattern[str]:
    return re.compile(shape)


def head(mark: str) -> str:
    """Return how the word begins that a mark begins with, as `heads` gives it, or nothing."""
    match = re.match(r"[A-Za-z0-9]+", mark)
    if not match or (len(match.group()) < HEAD and match.end() == len(mark)):
        return ""
    return match.group()[:HEAD].lower()


def _by_head() -> dict[str, list[Rule]]:
    table: dict[str, list[Rule]] = {}
    for rule in _RULES:
        table.setdefault(head(rule[0]), []).append(rule)
    return table


HEAD = 3
_BY_HEAD = _by_head()
_DISCORD_MARKS = {
    mark.lower(): mark
    for mark in ("MT", "MD", "Mz", "Nz", "OD", "OT", "NT", "Nj", "ND", "Mj", "MC")
}


def find_tokens(text: str, low: str, heads: set[str], spans: list[Span]) -> None:
    """Add the spans of the tokens in a text.

    ``low`` is the same text in lower case, ``heads`` are the beginnings of its words there.
    """
    for each in heads & _BY_HEAD.keys():
        for mark, shape in _BY_HEAD[each]:
            _find_marked(text, text, mark, shape, spans)
    for mark, shape in _BY_HEAD.get("", ()):
        _find_marked(text, low if mark in _LOWERED else text, mark, shape, spans)
    for mark, back, shape in _INNER:
        at = text.find(mark)
        while at >= 0:
            match = _before(text, at, back, _compiled(shape))
            if match:
                spans.append(match.span())
            at = text.find(mark, match.end() if match else at + 1)
    pairs = {each[:2] for each in heads}
    if "sk" in pairs:
        _find_shaped(text, "SK", _TWILIO, spans)
    if "key" in heads:
        _find_shaped(text, "key-", _MAILGUN, spans)
    # A Discord bot's token begins with its user id, a number, in base64.
    if "." in text:
        for mark in pairs & _DISCORD_MARKS.keys():
            _find_shaped(text, _DISCORD_MARKS[mark], _DISCORD, spans)


def _find_marked(text: str, where: str, mark: str, shape: str, spans: list[Span]) -> None:
    at = where.find(mark)
    while at >= 0:
        match = None if _tied(text, at) else _compiled(shape).match(text, at)
        if match:
            group = 1 if match.re.groups else 0
            if not _is_example(match.group(group)):
                start, end = match.span(group)
                spans.append((_before_hash(text, start) if mark in _HASHED else start, end))
        at = where.find(mark, match.end() if match else at + 1)


_HASHED = frozenset(("$2", "argon2", "$5", "$6", "$1", "$y", "$7", "apr1", "pbkdf2-", "scrypt"))
_SIGNS = re.compile(r"(?:\\{0,4}(?:\$|%24)){1,4}\Z|\\{1,4}\Z")


def _before_hash(text: str, at: int) -> int:
    """Return where a hash begins whose first sign is doubled or escaped."""
    shift = max(0, at - 12)
    signs = _SIGNS.search(text[shift:at])
    return shift + signs.start() if signs else at


def _before(text: str, at: int, back: int, shape: re.Pattern[str]) -> re.Match[str] | None:
    for start in range(max(0, at - back), at):
        if (
            start == 0
            or not text[start - 1].isalnum()
            or (back == 10 and not text[start - 1].isdigit())
        ):
            match = shape.match(text, start)
            if match and match.start() < at < match.end():
                return match
    return None


def _find_shaped(text: str, mark: str, shape: re.Pattern[str], spans: list[Span]) -> None:
    at = text.find(mark)
    while at >= 0:
        match = None if _tied(text, at) else shape.match(text, at)
        if match:
            spans.append(match.span())
        at = text.find(mark, match.end() if match else at + 1)
