"""The recorded events of a question, saved as a fixture with personal details replaced.

A fixture is JSON lines: ``{"ms", "peer", "way", "event"}``. Keys, shapes, codes and times stay as they were.
Telephone numbers, ids, SIDs, keys, tokens and host names are replaced, the same by the same. Words become
``x`` of the same length, and audio becomes silence of the same size. So a fixture decodes as the original.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import trio
from attrs import define, field, frozen

from llcphone.telemetry.redaction import secrets_of

if TYPE_CHECKING:
    from llcphone.config import Config

SHORTEST_SECRET = 4
_HOST = "certify.example"
LIMIT = 20_000
"""Events of one question that are kept; further ones are counted."""

_ID = re.compile(r"\b((?:sess|item|resp|call|event|conv|part|fc|req|proj|asst|live)_|org-)[A-Za-z0-9_-]{4,}")
_SID = re.compile(r"\b(AC|CA|MZ|PN|SK|CF|RE|CR|US|VE|BU)[0-9a-fA-F]{32}\b")
_NUMBER = re.compile(r"(\+|%2B)(\d{6,15})\b")
_DIGITS = re.compile(r"(?<![\w.+])\d{9,15}(?![\w.])")
_KEY = re.compile(r"\b(?:sk|ek|rk|pk)[-_][\w-]{6,}")
_URL = re.compile(r"\b(https?|wss?)://([^\s/\"'<>?#]+)([^\s\"'<>]*)")
_HARMLESS = re.compile(r"[A-Za-z._-]{0,24}|v\d|\d{4}-\d\d-\d\d")
"""A part of a path that is no token."""
_LETTER = re.compile(r"\w")

_WORDS = frozenset({"transcript", "text", "instructions", "content", "arguments", "output", "CallerName"})
"""Fields that hold what somebody said or wrote."""
_TEXT_DELTAS = ("transcript.delta", "text.delta", "arguments.delta", "transcription.delta")
_PLACES = ("City", "State", "Zip", "Country")
_OPAQUE = frozenset(
    {
        "CallToken",
        "StirPassportToken",
        "x-twilio-signature",
        "i-twilio-idempotency-token",
        "authorization",
        "api-key",
        "safety_identifier",
    }
)


@frozen
class Entry:
    """One event."""

    ms: int
    """Since the question began."""
    peer: str
    """``model`` or ``twilio``."""
    way: str
    """``sent`` or ``received``, by llcphone."""
    event: Any
    """As parsed JSON; a text if it is none."""


@define(eq=False)
class Recording:
    """The events of the question that is being asked."""

    entries: list[Entry] = field(factory=list)
    lost: int = 0
    """Events beyond the limit."""
    _began_s: float = 0.0

    def begin(self) -> None:
        """A question begins."""
        self.entries, self.lost, self._began_s = [], 0, trio.current_time()

    def sent(self, peer: str, event: Any) -> None:
        """What llcphone sent: bytes or text of JSON, or a value."""
        self._note(peer, "sent", event)

    def received(self, peer: str, event: Any) -> None:
        """What llcphone received, likewise."""
        self._note(peer, "received", event)

    def _note(self, peer: str, way: str, event: Any) -> None:
        if len(self.entries) >= LIMIT:
            self.lost += 1
            return
        if isinstance(event, bytes | bytearray | memoryview | str):
            try:
                event = msgspec.json.decode(event)
            except (msgspec.DecodeError, UnicodeDecodeError):
                event = "«not JSON»"
        self.entries.append(Entry(round((trio.current_time() - self._began_s) * 1000), peer, way, event))


@define
class Pseudonyms:
    """Replaces what belongs to a person or an account; the same by the same, in all fixtures of a report."""

    private: dict[str, str]
    """Texts that are replaced wherever they stand, and by what; the longest first."""
    _known: dict[str, str] = field(factory=dict)
    _counts: dict[str, int] = field(factory=dict)

    @classmethod
    def of(cls, config: Config) -> Pseudonyms:
        """For one deployment: its secrets and its account are replaced wherever they stand."""
        texts = {*secrets_of(config), config.realtime.organization, config.realtime.project}
        private = dict.fromkeys((each for each in texts if len(each) >= SHORTEST_SECRET), "secret")
        # Numbers are told apart: the same one is replaced by the same one.
        private = {text: instead for text, instead in private.items() if _NUMBER.fullmatch(text) is None}
        if host := urlsplit(config.server.public_url).netloc:
            private[host] = _HOST
        return cls(dict(sorted(private.items(), key=lambda each: -len(each[0]))))

    def event(self, event: Any) -> Any:
        """The same event without personal details."""
        kind = str(event.get("type", event.get("event", ""))) if isinstance(event, dict) else ""
        return self._value(event, "", kind)

    def text(self, text: str) -> str:
        """The same text without numbers, ids, keys, tokens and host names."""
        for private, instead in self.private.items():
            text = text.replace(private, instead)
        text = _URL.sub(self._url, text)
        text = _KEY.sub("sk-replaced", text)
        text = _SID.sub(lambda found: self._sid(found.group()), text)
        text = _ID.sub(lambda found: self._numbered(found[1], found.group()), text)
        text = _NUMBER.sub(lambda found: found[1] + self._number(found[2]), text)
        return _DIGITS.sub(lambda found: self._number(found.group()), text)

    def _value(self, value: Any, key: str, kind: str) -> Any:
        match value:
            case dict():
                return {name: self._value(each, name, kind) for name, each in value.items()}
            case list():
                return [self._value(each, key, kind) for each in value]
            case str():
                return self._text(value, key, kind)
            case _:
                return value

    def _text(self, text: str, key: str, kind: str) -> str:
        if key in _OPAQUE:
            return "replaced" if text else ""
        if key in ("audio", "delta", "payload") and (silence := _silence(text)) is not None:
            is_words = key == "delta" and kind.endswith(_TEXT_DELTAS)
            return _worded(text) if is_words else silence
        if key in _WORDS or key == "delta":
            return _worded(text)
        if key.endswith(_PLACES):
            return ""
        return self.text(text)

    def _url(self, found: re.Match[str]) -> str:
        scheme, host, rest = found.groups()
        path = rest.partition("?")[0].partition("#")[0]
        parts = [part if _HARMLESS.fullmatch(part) else "token" for part in path.split("/")]
        known = host if host in ("api.openai.com", "api.twilio.com") else _HOST
        return f"{scheme}://{known}{'/'.join(parts)}"

    def _sid(self, sid: str) -> str:
        return self._known.setdefault(sid, sid[:2] + f"{self._next(sid[:2]):032x}")

    def _number(self, digits: str) -> str:
        return self._known.setdefault(digits, f"1555010{self._next('number'):04d}")

    def _numbered(self, prefix: str, text: str) -> str:
        return self._known.setdefault(text, f"{prefix}{self._next(prefix):04d}")

    def _next(self, kind: str) -> int:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind]


def _worded(text: str) -> str:
    return _LETTER.sub("x", text)


def _silence(text: str) -> str | None:
    """Base64 of as many bytes of silence; None if the text is no base64 of some length."""
    if len(text) < 8 or len(text) % 4:
        return None
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(b"\xff" * size).decode()


def lines(recording: Recording, pseudonyms: Pseudonyms) -> bytes:
    """The fixture of a question, as JSON lines."""
    told = [
        {"ms": each.ms, "peer": each.peer, "way": each.way, "event": pseudonyms.event(each.event)}
        for each in recording.entries
    ]
    if recording.lost:
        told.append({"lost": recording.lost})
    return b"".join(msgspec.json.encode(each) + b"\n" for each in told)
