"""How one model leg's messages are written and read: the wire's side of a voice API.

Each leg has one codec from its first message to its last. All else in a call knows only messages and events.
Another protocol would be another class with these methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llcphone.realtime.decode import audio_delta_fast, decode
from llcphone.realtime.dialects import REALTIME_DIALECTS, Dialect, append_prefix, encode

if TYPE_CHECKING:
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

    def encode(self, message: ModelMessage) -> bytes:
        """A message as the wire has it."""

    def decode(self, message: bytes) -> ModelEvent:
        """An event; raises RemoteProtocolError."""


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


_CODECS: dict[Dialect, RealtimeCodec] = {dialect: RealtimeCodec(dialect) for dialect in REALTIME_DIALECTS}


def codec_of(dialect: Dialect) -> RealtimeCodec:
    """The codec of a leg that was opened in this dialect."""
    return _CODECS[dialect]
