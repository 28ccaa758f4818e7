"""Tells from the name of a key whether its value is a secret.

A name is cut into words (`dbRootPassword`, `DB_ROOT_PASSWORD`, `db.root-password`); its last word
says what the value is, so `password_file`, `token_url`, `secretName` and `max_tokens` are none.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

# These say that the value is a secret, whatever stands before them.
_SECRET = frozenset(
    """
    password passwd passphrase passwort passcode pwd pw pswd passwords passwds passphrases secret
    token credential credentials creds apikey apikeys authtoken accesstoken authkey psk jwt htpasswd
    pgpass privatekey secretkey accesskey rootpw requirepass masterauth mdp contrasena senha
    authorization bearer identitytoken registrytoken phpsessid jsessionid mnemonic sshkey
    storepass keypass bindpw userpw hmac otp totp
    sshpass dbpass rootpass adminpass smbpass ldappass mailpass smtppass ftppass sudopass
    pepper pin cvv cvc
    """.split()
)
# In a name written as one word in one case these endings count (`dbpassword`, `clientsecret`).
_ENDINGS = (
    "password", "passwd", "passphrase", "secret", "token", "apikey", "passwort", "privatekey",
    "secretkey", "accesskey", "authkey", "passwords", "credentials", "storepass", "keypass",
)  # fmt: skip
# A key is a secret when the word before it says what it opens.
_KEYS = frozenset(
    """
    api access secret private signing sign encryption encrypt decryption crypto cipher master auth
    account storage shared preshared session app application service server license hmac jwt aes rsa
    fernet admin deploy unseal recovery subscription webhook integration security ssh pgp gpg token
    write ingest authorization function consumer wireguard wg cookie root seal dek kek ecdsa ed25519
    data db database user vapid stripe openai anthropic sendgrid mailgun datadog age sops vault
    """.split()
)
# Words after which the value is still the same value.
_TRAILING = frozenset(
    """
    prod production staging stage dev development test testing old new current previous prev next
    primary secondary backup default value values val b64 base64 plain plaintext raw str string encoded hex base
    main live confirm confirmation again repeat
    """.split()
)
# `token` and `secret` that are something else.
_NOT_TOKEN = frozenset(
    """
    next page continuation pagination cancel cancellation sync eos bos pad unk sep mask cls stop
    special unexpected expected invalid missing max min num total per prompt completion input output
    previous prev marker resume delta change lock fencing
    """.split()
)
_NOT_SECRET = frozenset(
    "existing pull external sealed tls no is has use uses requires require needs kind".split()
)
_NOT_PASS = frozenset(
    """
    proxy uwsgi fastcgi grpc scgi memcached first second third single multi one two by low high band
    render test tests check checks bypass tres full final boarding
    """.split()
)
# A question, not a value.
_ASKS = frozenset(
    """
    is has needs need requires require required use uses using enable enabled disable disabled show
    allow allowed verify validate check ask prompt update change reset forgot no missing invalid
    wrong with without should must can skip force ignore hide generate rotate list export import
    delete fetch search
    """.split()
)
# Of these programs `..._AUTH` is a password and nothing else.
_AUTH = frozenset(("redis", "rediscli", "valkey", "valkeycli", "keydb"))
_HOLD_LOGINS = frozenset("auth sftp ftp http webdav dav smb samba vpn traefik proxy basic".split())
# Before `auth` or `login` these say that the value is a user and a password.
_PAIRS = frozenset("basic http proxy user default".split())
_HASHES = frozenset(("hash", "digest", "hashed"))

# Words that say it, but for those after one of these.
_UNLESS = {"token": _NOT_TOKEN, "secret": _NOT_SECRET, "pass": _NOT_PASS}
# Words that say it after one of these.
_AFTER: dict[str, frozenset[str]] = {
    **dict.fromkeys(("key", "keys"), _KEYS),
    "tokens": frozenset("access auth api refresh bearer secret".split()),
    "salt": frozenset("auth in nonce secure secret password hash".split()),
    **dict.fromkeys(("code", "codes"), frozenset("recovery backup otp mfa verification".split())),
    "cookie": frozenset("erlang session auth magic".split()),
    **dict.fromkeys(_HASHES, frozenset("password passwd pass pwd".split())),
}

_memory: dict[str, bool] = {}
_extra: set[str] = set()


def words(name: str) -> list[str]:
    """Return the words of a name, in lower case."""
    return [word.lower() for word in _WORD.findall(name)]


def _decide(name: str) -> bool:
    parts = words(name[-120:])
    if not parts or "secret_owners." in name:
        return False
    if (
        parts[0] in _ASKS
        and len(parts) > 1
        and not (parts[0] in ("reset", "prompt") and name.isupper())
    ):
        return False
    while len(parts) > 1 and (parts[-1].isdigit() or parts[-1] in _TRAILING):
        if parts[-1] in ("value", "string", "data") and parts[-2] == "connection":
            return False
        parts.pop()
    last = parts[-1]
    before = parts[-2] if len(parts) > 1 else ""
    if last in _UNLESS:
        return before not in _UNLESS[last]
    if last in _AFTER:
        return before in _AFTER[last]
    return last in _SECRET or _is_special(name, parts, last, before)


def _is_special(name: str, parts: list[str], last: str, before: str) -> bool:
    """Tell it of words whose meaning hangs on more than the word before them."""
    if last == "auth":
        return (parts[0] == "x" and len(parts) > 1) or before in _AUTH
    if last == "data":
        return before == "key" and len(parts) > 2  # client-key-data of a kubeconfig
    if last == "pat":
        return len(parts) > 1 and name.isupper()  # a personal access token
    if name.startswith("TF_TOKEN_"):
        return True
    if last == "id":
        return before == "secret" and "role" not in parts
    return len(last) > 6 and last.endswith(_ENDINGS) and last != "notasecret"


def is_secret(name: str) -> bool:
    """Tell whether a key of this name holds a secret."""
    known = _memory.get(name)
    if known is None:
        known = _decide(name)
        if len(_memory) < 20_000:
            _memory[name] = known
    return known


def is_pair(name: str) -> bool:
    """Tell whether a key of this name may hold a user and a password, as ``NEO4J_AUTH`` does."""
    parts = words(name[-120:])
    if not parts:
        return False
    last, before = parts[-1], parts[-2] if len(parts) > 1 else ""
    if last in ("login", "users"):
        return name.isupper() and not _HOLD_LOGINS.isdisjoint(parts)
    return last in ("basicauth", "userpwd") or (
        last == "auth" and (name.isupper() or before in _PAIRS)
    )
