"""The front of the package: a redactor for one set of secrets."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Iterator, Mapping

from . import views
from .dumps import find_dumps, may_begin
from .registry import Registry
from .spans import Masked, Span, View, merge
from .stream import AHEAD, Stream, Windows, redact_text, run
from .unknown import find_unknown
from .views import INVISIBLE
from .walk import Walker

MASK = "***"
# What is shown in place of a text that could not be looked at.
WITHHELD = "*** (withheld: redaction failed)"

_NUL = re.compile("\0")
_SMALL = 16 * 1024
_ROUNDS = 4

Secrets = Iterable[object] | Mapping[str, object]


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Take in secrets without looking for garbage: they make many small objects and none of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Redactor:
    """Masks secrets in text, values and streams.

    ``secrets`` are the known ones: texts, bytes, containers of them, or a mapping of names to
    values; the names serve `report`. With ``unknown`` (the default) what looks like a secret by its
    format, its key or its place in a command line is masked as well.

    No method raises on any input. What cannot be looked at is withheld, not shown.
    """

    def __init__(self, secrets: Secrets = (), *, mask: str = MASK, unknown: bool = True) -> None:
        self.mask = mask
        self.unknown = unknown
        self._registry = Registry(mask)
        self._label_key = os.urandom(32)
        if isinstance(secrets, (str, bytes, bytearray)):
            secrets = [secrets]
        with _without_collection():
            self._add_all(secrets)

    def _add_all(self, secrets: Secrets) -> None:
        if isinstance(secrets, Mapping):
            for name, value in secrets.items():
                self.add(value, str(name))
        else:
            for value in secrets:
                self.add(value)

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._registry)} secrets>"

    def add(self, value: object, name: str | None = None) -> None:
        """Make one more secret known; ``name`` is what `report` calls it."""
        self._registry.add(value, name)

    def report(self) -> dict[str, str]:
        """Return the known secrets that are not masked everywhere: name and reason, never a value."""
        return self._registry.report()

    def text(self, text: str) -> str:
        """Return the text with every secret replaced by the mask."""
        try:
            if not isinstance(text, str):
                return self.text(str(text))
            for _ in range(self._passes()):
                text = redact_text(text, self._find, self._replace, self._ahead())
            return text  # noqa: TRY300
        except Exception:  # noqa: BLE001 -- whatever it was: the text must not be shown
            return WITHHELD

    def obj(self, value: object, *, unknown: bool | None = None) -> object:
        """Return the value with every secret in it masked; containers are copied where they change.

        ``unknown`` says otherwise than the redactor itself whether to look for unknown secrets.
        """
        wanted = self.unknown if unknown is None else unknown
        try:
            text = self.text if wanted == self.unknown else self._other(unknown=wanted).text
            return Walker(text, self.mask, unknown=wanted).walk(value)
        except Exception:  # noqa: BLE001
            return WITHHELD

    def _other(self, *, unknown: bool) -> Redactor:
        other = Redactor(mask=self.mask, unknown=unknown)
        other._registry = self._registry
        return other

    def stream(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes redacted; together they are what `text` makes of the whole."""
        return run(self.open(), chunks)

    def open(self) -> Stream:
        """Return a stream to be fed by hand."""
        return Stream(
            [Windows(self._find, self._replace, self._ahead()) for _ in range(self._passes())]
        )

    def label(self, value: object, *, length: int = 8) -> str:
        """Return a short tag of a value: the same for the same value in this process, and no way back."""
        if not isinstance(value, bytes):
            value = str(value).encode("utf-8", "surrogatepass")
        tag = hmac.new(self._label_key, value, hashlib.sha256).hexdigest()[:length]
        return f"{self.mask}{tag}"

    def _passes(self) -> int:
        # A secret that holds the mask itself may come into being by masking another.
        return 3 if self._registry.holds_mask else 1

    def _ahead(self) -> int:
        return max(AHEAD, 8 * self._registry.longest)

    def _replace(self, text: str) -> str:
        """Return what is shown for a secret: the mask, and the colours that changed inside of it."""
        if "\x1b" not in text:
            return self.mask
        return self.mask + "".join(match.group() for match in INVISIBLE.finditer(text))

    def _find(self, text: str, rounds: int = _ROUNDS) -> list[Span]:
        """Return the spans to mask; on any error that is everything."""
        try:
            plain = views.visible(text)
            spans = self._find_plain(plain.text if plain else text)
            if plain is None:
                return spans
            # A secret may hold such characters itself.
            whole, _ = self._registry.index.find(text)
            seen = merge(plain.back(span) for span in spans)
            found = merge([*seen, *whole])
            if found == seen or not rounds:
                return found
            # Masked in the middle, such a sequence is none any more: more of the line is visible.
            masked = Masked(text, found, self.mask)
            more = self._find(masked.text, rounds - 1)
            return merge([*found, *(masked.back(span) for span in more)])
        except Exception:  # noqa: BLE001
            return [(0, len(text))]

    def _find_plain(self, text: str, *, dumps: bool = True) -> list[Span]:
        spans: list[Span] = []
        index = self._registry.index
        if index:
            found, broken = index.find(text)
            spans.extend(found)
            escaped = views.has_escapes(text)
            if broken or escaped or index.is_broken_by_lines(views.lines(text)):
                for view in views.readings(text):
                    # In the first view lines are joined only: a short word there may be made of two.
                    words = view.pattern is not views.JOINT or view.parent is not None
                    spans.extend(view.back(span) for span in index.find(view.text, words=words)[0])
            spans.extend(self._find_squeezed(text))
            if "\0" in text:  # UTF-16, read as bytes
                wide = View(text, _NUL, "")
                spans.extend(wide.back(span) for span in index.find(wide.text)[0])
        if not self.unknown:
            if index and dumps:
                spans.extend(find_dumps(text, self._find_dumped, offsets=False))
            return merge(spans)
        spans = merge(spans)
        # What a known secret holds (quotes, line breaks) must not mislead the rules for others; and
        # what they find may show them more, so that a second redaction would change the text.
        for number in range(_ROUNDS if len(text) <= _SMALL else 1):
            masked = Masked(text, spans, self.mask)
            # A short secret beside something masked stands alone now.
            others = index.find(masked.text)[0] if number and index else []
            heads = find_unknown(masked.text, others, self._registry.names)
            if dumps and not number:
                offsets = may_begin(heads)
                others += find_dumps(masked.text, self._find_dumped, offsets=offsets)
            found = merge([*spans, *(masked.back(span) for span in others)])
            if found == spans:
                break
            spans = found
        return spans

    def _find_dumped(self, text: str) -> list[Span]:
        """Return the spans in what a dump of bytes shows."""
        return self._find_plain(text, dumps=False)

    def _find_squeezed(self, text: str) -> Iterator[Span]:
        """Yield the spans of secrets with blanks that were wrapped at these."""
        index = self._registry.squeezed
        if not index or "\n" not in text or not index.find(views.squeeze(text))[0]:
            return
        view = views.squeezed(text)
        for span in index.find(view.text)[0]:
            start, end = view.back(span)
            if "\n" in text[start:end]:
                yield start, end
