"""How one model leg's messages are written and read: the wire's side of a voice API.

Each leg has one codec from its first message to its last. All else in a call knows only messages and events.
Another protocol would be another class with these methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llcphone.live.codec import LiveCodec
from llcphone.realtime.decode import audio_delta_fast, decode
from llcphone.realtime.dialects import REALTIME_DIALECTS, Dialect, append_prefix, encode

if TYPE_CHECKING:
    from llcphone.config.live import LiveConfig
    from llcphone.realtime.events import ModelEvent
    from llcphone.realtime.messages import ModelMessage


class ModelCodec(Protocol):
    """How one leg's messages are written and read; only that leg uses it."""

    @property
    def dialect(self) -> Dialect:
        """Which wire it writes and reads."""

    @property
    def append_prefix(self) -> bytes:
        """The text before the base64 of a caller's frame; ``append_end`` follows it."""

    @property
    def append_end(self) -> bytes:
        """The text after it."""

    def encode(self, message: ModelMessage) -> bytes | None:
        """A message as the wire has it; None: this API has no such message."""

    def decode(self, message: bytes) -> ModelEvent | tuple[ModelEvent, ...]:
        """One event, or any number; none says only that the leg lives. Raises RemoteProtocolError."""

    def bye(self) -> bytes | None:
        """What ends the session before the leg is closed; None: closing the leg ends it."""


class RealtimeCodec:
    """The Realtime API, in one of its dialects."""

    __slots__ = ("dialect",)

    append_prefix = append_prefix
    append_end = b'"}'

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def encode(self, message: ModelMessage) -> bytes:
        """A message as compact JSON."""
        return encode(message, self.dialect)

    @staticmethod
    def decode(message: bytes) -> ModelEvent:
        """An event of its JSON; the agent's audio takes a short way. Raises RemoteProtocolError."""
        return audio_delta_fast(message) or decode(message)

    def bye(self) -> None:
        """Nothing: closing the leg ends the session."""


_CODECS: dict[Dialect, RealtimeCodec] = {dialect: RealtimeCodec(dialect) for dialect in REALTIME_DIALECTS}


def codec_of(dialect: Dialect) -> ModelCodec:
    """The codec of a leg to the Realtime API that was opened in this dialect."""
    return _CODECS[dialect]


def live_codec(live: LiveConfig) -> ModelCodec:
    """The codec of one leg to GPT-Live, whose stream it reads from the first message on."""
    return LiveCodec(
        cushion_ms=live.cushion_ms, quiet_steps=live.quiet_steps, backend_bytes=live.backend_bytes
    )


def events_in(decoded: ModelEvent | tuple[ModelEvent, ...]) -> tuple[ModelEvent, ...]:
    """What ``decode`` returned, as a tuple."""
    return decoded if isinstance(decoded, tuple) else (decoded,)
