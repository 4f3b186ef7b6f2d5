"""What a voice API says, as facts: the Realtime API in both dialects, and GPT-Live (llcphone/live).

``decode`` is liberal to the new (an event OpenAI may add becomes ``UnknownModelEvent``) and
strict to the broken (``RemoteProtocolError``). Sizes: every ``*_ms`` is integer milliseconds.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping


class ResponseStatus(Enum):
    """Terminal states of a response (openai SDK, realtime_response.py)."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@attrs.frozen
class Item:
    """A conversation item as far as a call needs it."""

    id: str
    type: str
    """``message``, ``function_call``, ``function_call_output`` or another word of OpenAI's."""
    status: str = ""
    role: str = ""
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    text: str = ""
    """Transcript or text of its content parts, joined."""


@attrs.frozen
class Usage:
    """Tokens of one response; cached ones are part of the input."""

    input_text: int = 0
    input_audio: int = 0
    cached_text: int = 0
    cached_audio: int = 0
    output_text: int = 0
    output_audio: int = 0


@attrs.frozen
class SessionCreated:
    """The socket's first event: defaults, never what we asked for."""

    session_id: str = ""
    expires_at: int | None = None
    """Unix seconds, by the server's clock."""


@attrs.frozen
class SessionUpdated:
    """The server's full state after an accepted update, in the flat vocabulary."""

    input_audio_format: str
    """``g711_ulaw``, ``g711_alaw``, ``pcm16``; another word if the server used one."""
    output_audio_format: str
    voice: str = ""
    expires_at: int | None = None
    session: Mapping[str, Any] = attrs.field(factory=dict, eq=False)
    """The raw session object, for checks against the request."""


@attrs.frozen
class SpeechStarted:
    """Turn detection heard the caller begin; ``audio_start_ms`` counts from the session's first audio."""

    item_id: str = ""
    audio_start_ms: int | None = None
    """None: the server does not say."""


@attrs.frozen
class SpeechStopped:
    item_id: str = ""
    audio_end_ms: int | None = None
    """None: the server does not say."""


@attrs.frozen
class InputCommitted:
    """The caller's audio became an item; with create_response a response follows."""

    item_id: str
    previous_item_id: str | None = None


@attrs.frozen
class TimeoutTriggered:
    """server_vad's idle timeout ran out; the server commits the silence and answers."""

    item_id: str = ""


@attrs.frozen
class ItemAdded:
    """``conversation.item.added`` (GA) or ``.created`` (flat)."""

    item: Item
    previous_item_id: str | None = None


@attrs.frozen
class ItemDone:
    """``conversation.item.done`` (GA only)."""

    item: Item


@attrs.frozen
class ItemTruncated:
    item_id: str
    audio_end_ms: int = 0


@attrs.frozen
class ItemDeleted:
    item_id: str


@attrs.frozen
class CallerTranscript:
    """Transcription of what the caller said; asynchronous, so ordered by item, not by arrival."""

    item_id: str
    text: str
    final: bool
    """False: ``text`` is a delta. True: ``text`` is the whole."""


@attrs.frozen
class CallerWords:
    """A piece of what the caller said, GPT-Live only; ``CallerTranscript`` has the whole when it is over."""

    item_id: str
    """``c1``, ``c2`` ...: our own count, as GPT-Live has no items."""
    text: str
    start_ms: int | None = None
    """In the caller's audio that the session has; None: the server does not say."""
    end_ms: int | None = None


@attrs.frozen
class CallerTranscriptFailed:
    item_id: str
    code: str = ""


@attrs.frozen
class ResponseCreated:
    response_id: str
    in_conversation: bool = True
    """False for out-of-band responses (``conversation: "none"``)."""
    purpose: str = ""
    """Our own ``metadata.llcphone`` word, empty when the response is not marked by us."""


@attrs.frozen
class OutputItemAdded:
    response_id: str
    item: Item


@attrs.frozen
class OutputItemDone:
    response_id: str
    item: Item


@attrs.frozen
class AudioDelta:
    """A piece of the model's speech."""

    response_id: str
    item_id: str
    payload: bytes
    """Base64 of raw µ-law, as it arrived."""
    quiet: bool = False
    """GPT-Live: a pause within speech, which may be left out. The Realtime API sends speech alone."""


@attrs.frozen
class AudioDone:
    response_id: str
    item_id: str


@attrs.frozen
class TranscriptDelta:
    """Words of the agent's speech; not aligned with audio deltas."""

    response_id: str
    item_id: str
    text: str
    start_ms: int | None = None
    """Where they are spoken, in the audio of their item. None: the server does not say."""
    end_ms: int | None = None


@attrs.frozen
class TranscriptDone:
    response_id: str
    item_id: str
    text: str


@attrs.frozen
class TextDelta:
    """Words of a text-only response (priming)."""

    response_id: str
    item_id: str
    text: str


@attrs.frozen
class ResponseDone:
    response_id: str
    status: ResponseStatus
    reason: str = ""
    """``turn_detected``, ``client_cancelled``, ``max_output_tokens``, ``content_filter`` or empty."""
    error_code: str = ""
    error_message: str = ""
    """The vendor's text of a failure: may name a time to wait; matched, never logged."""
    items: tuple[Item, ...] = ()
    usage: Usage = Usage()
    in_conversation: bool = True
    purpose: str = ""


@attrs.frozen
class BackendDone:
    """GPT-Live: a response of the text model that serves the voice has ended."""

    response_id: str
    status: ResponseStatus
    error_code: str = ""
    """Of a failure, or why it is incomplete."""
    items: tuple[Item, ...] = ()
    """Its function calls; without any it is the backend's last word on the matter."""
    usage: Usage = Usage()
    delegation_id: str = ""


@attrs.frozen
class Seconds:
    """GPT-Live: how long the session has lasted, as it is billed; the latest report counts."""

    total: int


@attrs.frozen
class SessionClosed:
    """GPT-Live: the session is over, and so is its leg."""

    reason: str
    """``close_requested``, ``expired``, ``content``, ``remote_hangup`` or ``connection_lost``."""


@attrs.frozen
class RateLimits:
    """``rate_limits.updated``: name -> (limit, remaining, reset in seconds)."""

    limits: Mapping[str, tuple[int, int, float]] = attrs.field(factory=dict)


@attrs.frozen
class ModelError:
    """An ``error`` event. ``code`` falls back to the error's type when the server sends none."""

    code: str
    type: str = ""
    param: str = ""
    message: str = ""
    """The vendor's text: may quote what we sent, so it is matched, never logged."""
    event_id: str = ""
    """Id of the client event it answers, when that event carried one."""


@attrs.frozen
class UnknownModelEvent:
    """An event this version does not use: counted, never fatal."""

    kind: str


ModelEvent = (
    SessionCreated
    | SessionUpdated
    | SpeechStarted
    | SpeechStopped
    | InputCommitted
    | TimeoutTriggered
    | ItemAdded
    | ItemDone
    | ItemTruncated
    | ItemDeleted
    | CallerTranscript
    | CallerTranscriptFailed
    | CallerWords
    | ResponseCreated
    | OutputItemAdded
    | OutputItemDone
    | AudioDelta
    | AudioDone
    | TranscriptDelta
    | TranscriptDone
    | TextDelta
    | ResponseDone
    | BackendDone
    | Seconds
    | SessionClosed
    | RateLimits
    | ModelError
    | UnknownModelEvent
)
