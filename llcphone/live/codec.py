"""How one GPT-Live leg is written and read: messages into Live's events, Live's stream into the engine's.

The engine speaks to a model in items and responses. GPT-Live has a stream of audio, three ways to be told
something, and a backend for the tools. This file does the writing half; ``translator`` does the reading half.
What GPT-Live has no place for is not sent: what was said cannot be taken back, nor the caller's audio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.live import encode as write
from llcphone.live.decode import decode, quiet_bytes
from llcphone.live.translator import Translator
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.messages import (
    OUTPUT_EVENT,
    AppendAudio,
    CancelResponse,
    CreateResponse,
    ModelMessage,
    Speak,
    SystemText,
    ToolCall,
    ToolOutput,
    UpdateSession,
    UserText,
)

if TYPE_CHECKING:
    from llcphone.realtime.events import ModelEvent

_TOOLS = "tools"
"""The purpose of a response that goes on with the tools' answers."""

_KEPT_SHARE = 8
"""This part of the room for tools' answers is kept for placeholders: later calls must be answered too."""

_STOP = "Stop speaking now and wait."


class LiveCodec:
    """GPT-Live on one leg, from its first message to its last."""

    append_prefix = write.append_prefix
    """The text before the base64 of a caller's frame; ``append_end`` follows it."""
    append_end = write.append_end
    dialect = Dialect.LIVE

    def __init__(self, *, cushion_ms: int, quiet_steps: int, backend_bytes: int) -> None:
        """Begin a leg.

        Args:
            cushion_ms: silence before each utterance.
            quiet_steps: how far from zero silence may be, in steps of µ-law.
            backend_bytes: what one session takes of tools' answers, as UTF-8 JSON.
        """
        self._quiet = quiet_bytes(quiet_steps)
        self._translator = Translator(cushion_ms=cushion_ms)
        self._room = backend_bytes
        self._kept = backend_bytes // _KEPT_SHARE
        self._asks = 0
        self._stops = 0

    def encode(self, message: ModelMessage) -> bytes | None:
        """A message as one event; None: GPT-Live has no such thing."""
        match message:
            case AppendAudio(payload):
                return write.append_audio(payload)
            case UpdateSession(session, event_id):
                if self._translator.started:
                    return write.update(session, event_id)
                self._translator.start_sent(event_id)
                return write.start(session, event_id)
            case Speak(cue, purpose):
                self._asks += 1
                event_id = f"ask-{purpose}-{self._asks}"
                self._translator.asked(purpose, event_id)
                return write.commentary(cue, event_id)
            case SystemText(text) | UserText(text):
                return write.thinking(text)
            case ToolCall(_, name, arguments):
                return write.thinking(f"The tool {name} was called with {arguments}.")
            case ToolOutput(call_id, output):
                return self._output(call_id, output)
            case CreateResponse(purpose, priming=False) if purpose == _TOOLS:
                return write.create()
            case CancelResponse(response_id):
                if not self._translator.stop(response_id):
                    return None
                self._stops += 1
                return write.instructions(_STOP, f"stop-{self._stops}")
            case _:
                return None

    def decode(self, message: bytes) -> tuple[ModelEvent, ...]:
        """What an event means; nothing for one that decides nothing.

        Raises:
            RemoteProtocolError: it is no event, or a known one without what it must have.
        """
        return self._translator.take(decode(message, self._quiet))

    def bye(self) -> bytes:
        """``session.close``, sent before the socket is closed; ``session.closed`` answers it."""
        return write.close()

    @property
    def chunks(self) -> tuple[int, int]:
        """Pieces of audio so far, and how many of them were quiet: most of a healthy session's are."""
        return self._translator.chunks, self._translator.quiet_chunks

    def _output(self, call_id: str, output: str) -> bytes:
        open_calls = self._translator.open_calls
        if call_id not in open_calls:  # the backend would refuse it: of an older session, or late
            return write.thinking(f"The tool has answered: {output}")
        open_calls.remove(call_id)
        item = write.output_item(call_id, output)
        kept = sum(write.item_bytes(write.placeholder_item(other)) for other in open_calls)
        if write.item_bytes(item) > self._room - max(kept, self._kept):
            item = write.placeholder_item(call_id)
        self._room -= write.item_bytes(item)
        return write.item_create(item, OUTPUT_EVENT + call_id)
