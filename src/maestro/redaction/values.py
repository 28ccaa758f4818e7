"""Tells which values under a secret's key are not secrets: references, templates, masks, nothing."""

from __future__ import annotations

import re

from .lazy import Lazy

# The whole value is one of these.
_NOTHING = Lazy(
    r"""(?xis)
    \s* | data\+omitted | (?-i:NAME|VALUE|UID|TEXT|STRING|FILE|PASSWORD|PASSPHRASE|TOKEN|SECRET|KEY)
    | \*{2,} | [x•●]{4,} | \.{3,} | -+ | _+
    | (?: null|none|nil|~|true|false|yes|no|on|off|undefined|n/a|unset|empty|enabled|disabled|optional|required
        | present|absent|missing|hidden|omitted|string|str|bytes|bool|int|any|text|object|secretstr
        | set | not\ set | unchanged | updated | changed | always | never | on_create | include | omit | same-origin
        | !!null | ok | valid | invalid | expired )
    | [\[<({]*\s*(?:\w{1,20}[ _-])?(?:redacted|masked|filtered|hidden|removed|sanitized|suppressed|scrubbed)
      (?:[ _-]\w{1,20})?\s*[\])}>]*
    | \$redacted\$ | \((?:sensitive(?:\ value)?|known\ after\ apply)\) | value_specified_in_no_log_parameter
    | \$\{\{.*\}\} | \$\$?\{[^{}]*\} | (?-i:\$\$?(?:[A-Z_][A-Z0-9_]*|[a-z_]+)) | \$\$?\([^()]*\) | \$\d | `[^`]*`
    | \{\{.*\}\} | \{%.*%\} | <%.*%> | %\{[^{}]*\} | \{[a-z_][\w.]*\} | \{\d*\} | %\(\w+\)s | %[svqdr] | \?
    | %[a-z_]+%
    | <[a-z][\w .,|/-]*> | \[[a-z][a-z _-]*\]
    | (?:your|my|the|some|example)[-_][a-z_-]*(?:password|token|secret|key|here)[a-z_-]*
    | \$ansible_vault;.* | enc\[aes256_gcm,.*
    | (?:op|awssm|gcpsm|azkv|ref\+[a-z]+|secretref|doppler|keyring|vault|sops)://\S+ | vault:[\w/.\#-]+
    | arn:aws[\w-]*:\S+ | (?:file|env|secret|secretref|keyvault):[\w./-]+ | @[\w.-]*/[\w./-]+
    | \.{0,2}(?:/[\w.@%+-]+){2,}/? | \.{1,2}/[\w.@%+-]+ | ~/[\w./@%+-]+ | [a-z]:\\[\w\\. -]+
    | [\w./-]+\.(?:pem|key|crt|cer|p12|pfx|jks|txt|json|ya?ml|env|conf|asc|gpg|pub|age)
    """
)
# The same for a value without quotes, which may be code or a tag of YAML.
_CODE = Lazy(
    r"""(?xis)
    !(?:vault|secret|env_var|ref|sub|getatt|reference|env|encrypted|unsafe)\b.*
    | (?:process\.env|os\.environ|os\.getenv|env|environ|config|settings|secrets|vars?|local|data|module|values
        |github|inputs|self|this|props|args|options|params|request|req)
      (?:\.[a-z_][\w.]*|\[\s*['"]?\w+['"]?\s*\])(?:\(.*\)?)?[;,]?
    | [a-z_][a-z_.]*\([^()]*\)[;,]? | (?-i:[a-z_]+\[\w*\])["']?
    | (?:await|new)\ [a-z_][a-z_.]*\((?:[a-z_]+(?:\.[a-z_]+)+(?:,\s*(?=[a-z_.]+[,)])|(?=\))))*\)[;,]?
    | (?:str|int|bool|string|optional|union|list|dict)\[.*
    | (?:str|int|bool|string|secretstr|bytes|any)(?:\ \|\ none)?\ =.*
    """
)
# A call of PowerShell: nothing but flags, variables, pipes and paths follow, and at least one of them.
_CMDLET = Lazy(r"(?:ConvertTo|ConvertFrom|New|Get|Read|Import|Invoke)-[A-Z][A-Za-z]+(?=[ \t])")
_ARGUMENTS = Lazy(
    r"(?:[ \t|(){},;]|(?<=[ \t(])-[A-Z][A-Za-z]+(?![^\s);,]):?|\$[A-Za-z_][\w.:]*"
    r"|(?<=[|(])[ \t]?[A-Z][a-z]+[A-Z]?[a-z]*-[A-Z][A-Za-z]+|(?<=-Method )[A-Z][A-Za-z]{2,5}(?![^\s);,])"
    r"|(?<=[ \t])(?:\.{0,2}(?:[/\\][\w.%+-]+){2,}|\.{1,2}[/\\][\w.%+-]+|~[/\\][\w.%+/\\-]+|[A-Za-z]:\\[\w.%+\\-]+))+\Z"
)
# Its literals, and a call as far as its last literal
_LITERAL = re.compile(r"(?<=[ \t(])(?:\"([^\"\n]{0,256})\"|'([^'\n]{0,256})')")
_PROMPT = frozenset("enter please type give again confirm repeat".split())
_LITERALLY = Lazy(
    r"(?:ConvertTo|ConvertFrom|New|Get|Read|Import|Invoke)-[A-Z][A-Za-z]+"
    r"(?:[ \t]+(?:-[A-Z][A-Za-z]+|\$[A-Za-z_][\w.:]*|\"[^\"\n]{1,256}\"|'[^'\n]{1,256}')(?![^\s);,|])){1,16}"
)
_PUBLIC = re.compile(
    r"-{5}BEGIN (?:[A-Z0-9]+ )?(?:PUBLIC KEY|CERTIFICATE)|(?:ssh-|ecdsa-sha2-|sk-ssh-)[\w@.-]+ AAAA"
)
_LONGEST = 400
# Words that tell a sentence from a passphrase.
_SENTENCE = frozenset(
    """
    must is are was were be been the a an for not should failed required requires invalid incorrect
    expired cannot could has have had of to in at by on or and with without from least does did do
    will would can may your you it its this that when if wrong mismatch authentication unexpected
    missing expected found specified provided given set unset empty too than characters contains
    rejected accepted changed updated denied generated read loaded using use see
    """.split()
)
# What stands for a value in a usage line: PASSWORD, API_KEY, NEW_PASSPHRASE.
_METAWORDS = frozenset(
    """
    password passwd pass passphrase pw pwd passcode token secret key api apikey access auth client user
    username name login id string str text value val arg phrase credentials creds pin code db database
    root admin vault become private new old your hash jwt bearer session cookie encryption master
    registry refresh webhook signing file path or plaintext here account bot app service shared hex n num
    """.split()
)
_META = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_ -][A-Za-z0-9]+)*\Z")
# A version of Debian with its epoch, and an architecture: `passwd` is the name of a package, too.
_PACKAGE = re.compile(r"\(?\d{1,2}:\d[\w.+~:-]*[,)]?\Z")
_ARCHITECTURE = re.compile(
    r"(?:amd64|arm64|armhf|armel|i386|all|any|native|ppc64el|s390x|riscv64|mips64el)(?=[\s,);]|\\|\Z)"
)
_ELSE = re.compile(r"[\"`<>{}\[\]|=]")
# A key of these names with a number is a count.
_COUNTS = frozenset(("pass", "passed", "token", "tokens", "passes"))
# What a parser calls a token: `unexpected token: ')'`.
_PUNCTUATION = Lazy(r"[^\w\s]{1,3}")
_NUMBER = re.compile(r"\d{1,5}(?:\.\d+)?[a-z%]{0,3}\Z")


def is_harmless(value: str, key: str = "", *, quoted: bool = False) -> bool:
    """Tell whether a value that stands under a secret's key is none."""
    plain = value.strip()
    if _PUBLIC.match(plain) or plain.startswith("$ANSIBLE_VAULT;"):
        return True
    if len(plain) > _LONGEST:
        return False
    if _NOTHING.fullmatch(plain):
        return True
    if not quoted and (_CODE.fullmatch(plain) or _is_cmdlet(plain)):
        return True
    lowered = key.lower()
    if lowered.endswith("passwd") and _PACKAGE.match(plain.split(None, 1)[0]):
        return True
    if lowered in _COUNTS and _NUMBER.match(plain):
        return True
    if lowered == "token" and _PUNCTUATION.fullmatch(plain):
        return True
    if lowered in ("pin", "cvv", "cvc", "otp", "totp") and not re.fullmatch(r"\d{3,8}", plain):
        return True
    return lowered == "secret_id" and "/" in plain


def _is_cmdlet(value: str) -> bool:
    """Tell whether a value without quotes is a call of PowerShell that tells no secret."""
    match = _CMDLET.match(value)
    if not match:
        return False
    rest = value[match.end() :]
    if match.group() == "ConvertTo-SecureString":
        return True  # the secret among its arguments is found by their places
    if match.group() == "Read-Host":
        rest = _LITERAL.sub(lambda found: "" if _is_prompt(found) else found.group(), rest)
    return bool(rest.strip()) and bool(_ARGUMENTS.match(rest))


def _is_prompt(match: re.Match[str]) -> bool:
    words = re.findall(r"[^\s:?_-]+", (match.group(1) or match.group(2) or "").lower())
    return all(word in _METAWORDS or word in _SENTENCE or word in _PROMPT for word in words)


def literal_call(value: str) -> str:
    """Return a call of PowerShell at the beginning of a value as far as its last literal; "": none."""
    match = _LITERALLY.match(value)
    call = match.group() if match else ""
    return call[: max(call.rfind("'"), call.rfind('"')) + 1]


def is_count(rest: str, key: str) -> bool:
    """Tell whether ``pass`` or ``token`` is followed by a number of them."""
    return key.lower() in _COUNTS and bool(re.match(r"\d{1,5}(?![\w.+/=-])", rest))


def is_sentence(value: str) -> bool:
    """Tell whether what stands behind `password:` is prose about it."""
    found = re.findall(r"[A-Za-z']+", _ELSE.split(value, maxsplit=1)[0].lower())
    return len(found) > 1 and any(word in _SENTENCE for word in found)


def is_metavariable(value: str, name: str = "", *, bracketed: bool = False) -> bool:
    """Tell whether an argument stands for a value in a usage line, as in ``--password PASSWORD``.

    ``name`` is the flag before it, whose own words count as well. With ``bracketed`` the flag
    stands in ``[ ]``, where small letters are as usual.
    """
    plain = value.rstrip("]),.;|>")
    if not _META.match(plain):
        return False
    found = [word for word in re.split(r"[_ -]", plain.lower()) if not word.isdigit()]
    own = re.split(r"[_.-]", name.lower().lstrip("-"))
    if plain.isupper():
        return all(word in _METAWORDS or word in own for word in found)
    if not bracketed:
        return bool(name) and plain == name.lstrip("-")
    return plain.islower() and all(word in _METAWORDS or word in own for word in found)


_PAIR = Lazy(r"[A-Za-z0-9_.@+-]{1,64}(?P<mark>[:/])(?!/)(?P<password>\S+)\Z")
_ROOTS = frozenset(
    "application text image audio video config oauth oauth2 saml ldap etc run".split()
)


def password_of_pair(value: str, name: str, *, quoted: bool = False) -> int:
    """Return where the password begins in ``user:password`` or ``user/password``; 0: it is neither."""
    match = _PAIR.match(value.replace(" ", "_") if quoted else value)
    if not match:
        return 0
    user, password = value[: match.start("mark")], match.group("password")
    if match.group("mark") == "/" and (
        not name.isupper() or "/" in password or user.lower() in _ROOTS
    ):
        return 0
    if password.isdigit() and len(password) <= 5 and ("." in user or match.group("mark") == "/"):
        return 0  # a host and a port, a count of a whole
    return 0 if is_harmless(password, quoted=True) else match.start("password")


# Cookies that remember a choice of the reader.
_CHOICES = Lazy(
    r"(?i)(?:.*[_.-])?(?:theme|colou?r[_-]?scheme|color[_-]?mode|dark[_-]?mode|lang|language|locale|i18n|tz|timezone"
    r"|time[_-]zone|consent|cookie[_-]?consent|cookies?[_-]accepted|gdpr|currency|country|region|sidebar|layout|view"
    r"|page[_-]?size|per[_-]page|sort|order|font|font[_-]size|banner|seen|dismissed|variant|ab[_-]?test|experiment"
    r"|utm[_-]\w+|device|platform|version|debug|visited|tour|width|height|zoom|currency_code|density|display)\Z"
    r"|_g(?:a|id|at|cl_au)(?:_\w+)?\Z|_fbp\Z|__utm[a-z]\Z|_pk_(?:id|ses|ref)\b.*"
)
_SESSIONS = Lazy(
    r"(?i)sess|sid|auth|tok|jwt|[cx]srf|key|pass|pwd|secret|login|remember|ticket|sso|saml|access|refresh|cred"
    r"|sig|hash|nonce|state|code|user|account|identity|bearer|(?:\A|[_.-])id\Z|[a-z]Id\Z|connect\."
)
_CHOSEN = Lazy(
    r"[a-z]{1,16}(?:[_-][a-z]{1,16}){0,2}|[a-z]{2,3}[_-][A-Za-z]{2,4}|(?i:true|false)|\d{1,4}|[\d.]{1,12}"
    r"|[A-Z]{2,3}|[A-Za-z]+(?:/|%2[Ff])[A-Za-z_]+|\d{4}-\d\d-\d\d"
)


def is_choice(cookie: str, value: str) -> bool:
    """Tell whether a cookie only remembers a choice, such as ``theme=dark``."""
    plain = value.strip('"')
    if _CHOICES.match(cookie):
        return len(plain) <= 64 and not re.search(r"[A-Za-z0-9+/_-]{24,}", plain)
    return not _SESSIONS.search(cookie) and bool(_CHOSEN.fullmatch(plain))


def is_architecture(text: str, at: int) -> bool:
    """Tell whether the name of a package ends before ``at``, and its architecture follows."""
    return bool(_ARCHITECTURE.match(text, at))
