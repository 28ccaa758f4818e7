"""Tells which values under a secret's key are not secrets: references, templates, masks, nothing."""

from __future__ import annotations

import re

# The whole value is one of these.
_NOTHING = re.compile(
    r"""(?xis)
    \s*
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
_CODE = re.compile(
    r"""(?xis)
    !(?:vault|secret|env_var|ref|sub|getatt|reference|env|encrypted|unsafe)\b.*
    | (?:process\.env|os\.environ|os\.getenv|env|environ|config|settings|secrets|vars?|local|data|module|values
        |github|inputs|self|this|props|args|options|params|request|req)
      (?:\.[a-z_][\w.]*|\[\s*['"]?\w+['"]?\s*\])(?:\(.*\)?)?[;,]?
    | [a-z_][a-z_.]*\([^()]*\)[;,]?
    | (?:str|int|bool|string|optional|union|list|dict)\[.*
    | (?:str|int|bool|string|secretstr|bytes|any)(?:\ \|\ none)?\ =.*
    """
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
_ELSE = re.compile(r"[\"`<>{}\[\]|=]")
# A key of these names with a number is a count.
_COUNTS = frozenset(("pass", "passed", "token", "tokens", "passes"))
_NUMBER = re.compile(r"\d{1,5}(?:\.\d+)?[a-z%]{0,3}\Z")


def is_harmless(value: str, key: str = "", *, quoted: bool = False) -> bool:
    """Tell whether a value that stands under a secret's key is none."""
    plain = value.strip()
    if _PUBLIC.match(plain) or plain.startswith("$ANSIBLE_VAULT;"):
        return True
    if len(plain) > _LONGEST:
        return False
    if _NOTHING.fullmatch(plain) or (not quoted and _CODE.fullmatch(plain)):
        return True
    lowered = key.lower()
    if lowered in _COUNTS and _NUMBER.match(plain):
        return True
    if lowered in ("pin", "cvv", "cvc", "otp", "totp") and not re.fullmatch(r"\d{3,8}", plain):
        return True
    return lowered == "secret_id" and "/" in plain


def is_count(rest: str, key: str) -> bool:
    """Tell whether ``pass`` or ``token`` is followed by a number of them."""
    return key.lower() in _COUNTS and bool(re.match(r"\d{1,5}(?![\w.+/=-])", rest))


def is_sentence(value: str) -> bool:
    """Tell whether what stands behind `password:` is prose about it."""
    found = re.findall(r"[A-Za-z']+", _ELSE.split(value, maxsplit=1)[0].lower())
    return len(found) > 1 and any(word in _SENTENCE for word in found)
