"""Addresses whose path is the secret: incoming webhooks of chat services, deploy hooks, heartbeats.

Who knows such an address may post. The host and the beginning of the path stay, for they say which
service it is; what tells one address from its neighbours is masked.
"""

from __future__ import annotations

import re
from functools import cache

from .lazy import Lazy
from .spans import Span

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
# The host, and what stands behind it, the secret in a group.
_HOSTS = [
    ("hooks.slack.com", r"/(?:services|workflows|triggers)/([A-Za-z0-9_/+-]{8,})"),
    ("hooks.slack-gov.com", r"/(?:services|workflows|triggers)/([A-Za-z0-9_/+-]{8,})"),
    ("discord.com", r"/(?:api/(?:v\d+/)?)?webhooks/(\d+/[\w-]{16,})"),
    ("discordapp.com", r"/(?:api/(?:v\d+/)?)?webhooks/(\d+/[\w-]{16,})"),
    ("media.guilded.gg", r"/webhooks/([\w-]+/[\w-]{16,})"),
    ("webhook.office.com", r"/webhookb2/([A-Za-z0-9@/_-]{20,})"),
    ("outlook.office.com", r"/webhook/([A-Za-z0-9@/_-]{20,})"),
    ("outlook.office365.com", r"/webhook/([A-Za-z0-9@/_-]{20,})"),
    ("api.telegram.org", r"/(?:file/)?bot(\d+(?::|%3[aA])[\w-]{16,})"),
    ("chat.googleapis.com", r"/v1/spaces/[\w-]+/messages\?(\S*?(?:key|token)=[^\s\"'<>]+)"),
    ("hooks.zapier.com", r"/hooks/(?:standard|catch)/([\w/-]{6,})"),
    ("maker.ifttt.com", r"/(?:trigger/[\w{}-]+/(?:json/)?(?:with|use)|use)/(?:key/)?([\w-]{8,})"),
    ("hook.make.com", r"/([\w-]{12,})"),
    ("hook.integromat.com", r"/([\w-]{12,})"),
    ("eu1.make.com", r"/([\w-]{12,})"),
    ("eu2.make.com", r"/([\w-]{12,})"),
    ("us1.make.com", r"/([\w-]{12,})"),
    ("us2.make.com", r"/([\w-]{12,})"),
    ("open.feishu.cn", r"/open-apis/bot/(?:v2/)?hook/([\w-]{8,})"),
    ("open.larksuite.com", r"/open-apis/bot/(?:v2/)?hook/([\w-]{8,})"),
    ("qyapi.weixin.qq.com", r"/cgi-bin/webhook/\w+\?key=([\w-]{8,})"),
    ("api.ciscospark.com", r"/v1/webhooks/incoming/([\w=-]{16,})"),
    ("webexapis.com", r"/v1/webhooks/incoming/([\w=-]{16,})"),
    ("api.flock.com", r"/hooks/sendMessage/([\w-]{16,})"),
    ("wh.jandi.com", r"/connect-api/webhook/([\w/]{16,})"),
    ("hook.bearychat.com", r"/([\w=]+/incoming/[\w-]{8,})"),
    ("hooks.glip.com", r"/webhook/(?:v2/)?([\w.-]{16,})"),
    ("hooks.ringcentral.com", r"/webhook/(?:v2/)?([\w.-]{16,})"),
    ("api.chanty.com", r"/(?:incoming_)?webhooks?/([\w/-]{16,})"),
    ("api.twist.com", r"/api/v\d/integration_incoming/post_data\?(\S*?token=[^\s\"'<>]+)"),
    ("events.pagerduty.com", r"/(?:integration|x-ere)/([\w-]{16,})"),
    ("alert.victorops.com", r"/integrations/generic/\d+/alert/([\w/-]{8,})"),
    ("api.squadcast.com", r"/v\d/incidents/\w+/(\w{16,})"),
    ("hc-ping.com", r"/([\w-]{20,})"),
    ("hchk.io", r"/([\w-]{20,})"),
    ("nosnch.in", r"/(\w{8,})"),
    ("betterstack.com", r"/api/v1/(?:heartbeat|incoming-webhook)/(\w{8,})"),
    ("betteruptime.com", r"/api/v1/(?:heartbeat|incoming-webhook)/(\w{8,})"),
    ("cronitor.link", r"/(?:p|ping)/(\w{8,})"),
    ("api.netlify.com", r"/build_hooks/(\w{12,})"),
    ("api.vercel.com", r"/v1/integrations/deploy/([\w/-]{12,})"),
    ("api.render.com", r"/deploy/srv-\w+\?key=([\w-]{6,})"),
    ("api.cloudflare.com", r"/client/v4/pages/webhooks/deploy_hooks/([\w-]{16,})"),
    ("hub.docker.com", r"/api/build/v1/source/([\w-]{16,}/trigger/[\w-]{16,})"),
    ("script.google.com", r"/macros/s/([\w-]{30,})"),
]
# Programs on a host of one's own: what stands before the path is any address.
_PATHS = [
    # Mattermost, Rocket.Chat, Zulip's and others' like them
    ("hooks/", r"((?=[a-z]*\d[a-z]*\d)[a-z0-9]{26}|[A-Za-z0-9]{15,24}/[A-Za-z0-9]{20,})"),
    # n8n, Home Assistant, Jira, Element
    ("webhook/", rf"((?:[\w-]+/)?(?:{_UUID}|(?=(?:[A-Za-z_-]*\d){{3}})[\w-]{{20,}}))"),
    ("webhook-test/", rf"({_UUID})"),
    # Discord behind a proxy, Portainer
    ("api/webhooks/", rf"({_UUID}|[\w-]+/[\w-]{{24,}})"),
    ("stacks/webhooks/", rf"({_UUID})"),
    # Grafana OnCall
    ("integrations/v1/", r"\w+/(\w{20,})"),
    # Uptime Kuma
    ("api/push/", r"(\w{8,})"),
]
_PORT = r"(?::\d{1,5}|%3[aA]\d{1,5})?"
_ADDRESS = Lazy(r"(?:://|:\\{1,4}/\\{1,4}/|%3[aA]%2[fF]%2[fF])[^\s\"'<>]{1,200}\Z")

_NO_WORD = re.compile(r"[^A-Za-z0-9]")
# The words of a mark, the mark, the shape behind it, and whether any address may stand before it.
Rule = tuple[frozenset[str], str, str, bool]


def _table() -> dict[str, list[Rule]]:
    """Return the rules by the first word of their mark."""
    table: dict[str, list[Rule]] = {}
    rules = [(mark, _PORT + shape, False) for mark, shape in _HOSTS]
    for rule in (*rules, *((mark, shape, True) for mark, shape in _PATHS)):
        found = _NO_WORD.split(rule[0].strip("/"))
        table.setdefault(found[0], []).append((frozenset(found), *rule))
    return table


_BY_WORD = _table()


# A slash may be escaped, as some programs write it in JSON and in a query.
_SLASH = r"(?:\\{0,4}/|%2[fF])"
_OUTSIDE = re.compile(r"/(?![^\[\]]*\])")
_CLASS = re.compile(r"(\[[^\[\]]*/[^\[\]]*\])(?=[{+*])")


@cache
def _compiled(shape: str) -> re.Pattern[str]:
    shape = _OUTSIDE.sub(lambda _: _SLASH, shape)
    return re.compile(_CLASS.sub(lambda match: rf"(?:{match.group(1)}|{_SLASH})", shape))


def find_webhooks(text: str, words: set[str], spans: list[Span]) -> None:
    """Add the spans of what is secret in such addresses; ``words`` are those of the text."""
    for word in words & _BY_WORD.keys():
        for needed, mark, shape, anywhere in _BY_WORD[word]:
            at = text.find(mark) if needed <= words else -1
            while at >= 0:
                end = at + len(mark)
                match = _compiled(shape).match(text, end)
                if match and (not anywhere or _ADDRESS.search(text, max(0, at - 220), at)):
                    spans.append(match.span(1))
                    end = match.end()
                at = text.find(mark, end)
