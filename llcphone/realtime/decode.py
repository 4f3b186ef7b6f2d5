"""What the Realtime API says, read into facts; both dialects' names.

Liberal to the new: an event that is not in ``_READERS`` is an ``UnknownModelEvent``, and so is
every event a call has no use for. Strict to the broken: a known event that lacks a key, or has it
in another type, is a ``RemoteProtocolError``; its text never quotes the event.

Speech comes in pieces of some 5 KB. ``decode`` reads them like any event, but looks at the type
first and so walks the base64 twice; a reader that expects speech asks ``audio_delta_fast`` before,
which needs one pass. Both use the same shape, so they decide alike for every spelling of the JSON
(a regular expression over the usual spelling was measured: no faster, and stricter than JSON is).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from llcphone.audio import is_base64
from llcphone.errors import RemoteProtocolError
from llcphone.realtime import wire_shapes as wire
from llcphone.realtime.events import (
    AudioDelta,
    AudioDone,
    CallerTranscript,
    CallerTranscriptFailed,
    InputCommitted,
    Item,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemTruncated,
    ModelError,
    ModelEvent,
    OutputItemAdded,
    OutputItemDone,
    RateLimits,
    ResponseCreated,
    ResponseDone,
    ResponseStatus,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    TimeoutTriggered,
    TranscriptDelta,
    TranscriptDone,
    UnknownModelEvent,
    Usage,
)
from llcphone.realtime.session_state import session_created, session_updated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What msgspec raises for bytes that are not the JSON we asked for: bad UTF-8 is a UnicodeDecodeError,
# deep nesting a RecursionError.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_audio_piece = msgspec.json.Decoder(wire.AudioPiece).decode
_kind = msgspec.json.Decoder(wire.Kind).decode


def audio_delta_fast(text: bytes) -> AudioDelta | None:
    """The event, if it is a whole and proper piece of speech; None leaves it to ``decode``."""
    try:
        return _audio_delta(_audio_piece(text))
    except (*_UNREADABLE, RemoteProtocolError):
        return None


def decode(text: bytes) -> ModelEvent:
    """Read any event of either dialect: first its type, then the shape that belongs to it.

    Raises:
        RemoteProtocolError: it is no event, or a known one without what it must have.
    """
    try:
        kind = _kind(text).type
        reader = _READERS.get(kind)
        return UnknownModelEvent(kind) if reader is None else reader(text)
    except _UNREADABLE:
        raise RemoteProtocolError("model leg: not a Realtime event") from None


# -- speech and words ---------------------------------------------------------------------------


def _audio_delta(piece: wire.AudioPiece) -> AudioDelta:
    payload = piece.delta.encode()
    # Spliced into Twilio's JSON as it is, so it must be base64 and nothing else.
    if not is_base64(payload):
        raise RemoteProtocolError("model leg: audio that is not base64")
    return AudioDelta(piece.response_id, piece.item_id, payload, piece.content_index)


def _caller_words(event: wire.CallerWords) -> ModelEvent:
    return CallerTranscript(event.item_id, _need(event.delta), final=False)


def _caller_words_done(event: wire.CallerWords) -> ModelEvent:
    return CallerTranscript(event.item_id, _need(event.transcript), final=True)


def _caller_words_failed(event: wire.CallerWordsFailed) -> ModelEvent:
    code = event.error.code if event.error else None
    return CallerTranscriptFailed(event.item_id, code or "")


# -- items --------------------------------------------------------------------------------------


def _item(body: wire.ItemBody) -> Item:
    parts = (part.transcript or part.text for part in body.content or ())
    return Item(
        body.id,
        body.type,
        status=body.status or "",
        role=body.role or "",
        call_id=body.call_id or "",
        name=body.name or "",
        arguments=body.arguments or "",
        text=" ".join(part for part in parts if part),
    )


# -- responses ----------------------------------------------------------------------------------


_STATUSES = {status.value: status for status in ResponseStatus}


def _response_created(event: wire.ResponseShape) -> ModelEvent:
    body = event.response
    return ResponseCreated(body.id, body.conversation_id is not None, _purpose(body))


def _response_done(event: wire.ResponseShape) -> ModelEvent:
    body = event.response
    details = body.status_details or wire.StatusDetails()
    error = details.error or wire.ErrorBody()
    word = _need(body.status)
    status = _STATUSES.get(word)
    return ResponseDone(
        body.id,
        # A status OpenAI may add ends the response all the same, short of completion.
        status or ResponseStatus.INCOMPLETE,
        reason=(details.reason or "") if status else word,
        error_code=error.code or error.type or "",
        items=tuple(map(_item, body.output or ())),
        usage=_usage(body.usage),
        in_conversation=body.conversation_id is not None,
        purpose=_purpose(body),
    )


def _purpose(body: wire.ResponseBody) -> str:
    word = (body.metadata or {}).get("llcphone")
    return word if isinstance(word, str) else ""


def _usage(body: wire.UsageBody | None) -> Usage:
    """Tokens by kind; where the server gives only a sum, the sum counts as text."""
    body = body or wire.UsageBody()
    given = body.input_token_details or wire.InputDetails(text_tokens=body.input_tokens)
    made = body.output_token_details or wire.OutputDetails(text_tokens=body.output_tokens)
    cached = given.cached_tokens_details or wire.CachedDetails(text_tokens=given.cached_tokens)
    return Usage(
        input_text=given.text_tokens or 0,
        input_audio=given.audio_tokens or 0,
        cached_text=cached.text_tokens or 0,
        cached_audio=cached.audio_tokens or 0,
        output_text=made.text_tokens or 0,
        output_audio=made.audio_tokens or 0,
    )


# -- limits and errors --------------------------------------------------------------------------


def _rate_limits(event: wire.RateLimitsShape) -> ModelEvent:
    return RateLimits(
        {each.name: (int(each.limit), int(each.remaining), each.reset_seconds) for each in event.rate_limits}
    )


def _error(event: wire.ErrorShape) -> ModelEvent:
    error = event.error
    return ModelError(
        error.code or error.type or "",
        type=error.type or "",
        param=error.param or "",
        message=error.message or "",
        event_id=error.event_id or "",
    )


# -- the table ----------------------------------------------------------------------------------

_Shape = TypeVar("_Shape", bound=msgspec.Struct)
_Given = TypeVar("_Given")


def _need(value: _Given | None) -> _Given:
    """A value that this event must have, though others of its shape need not."""
    if value is None:
        raise RemoteProtocolError("model leg: an event lacks what it must have")
    return value


def _reads(shape: type[_Shape], tell: Callable[[_Shape], ModelEvent]) -> Callable[[bytes], ModelEvent]:
    shaped = msgspec.json.Decoder(shape).decode
    return lambda text: tell(shaped(text))


_ITEM_ADDED = _reads(wire.ItemShape, lambda e: ItemAdded(_item(e.item), e.previous_item_id))
_AUDIO_DELTA = _reads(wire.AudioPiece, _audio_delta)
_AUDIO_DONE = _reads(wire.Piece, lambda e: AudioDone(e.response_id, e.item_id))
_WORDS = _reads(wire.Piece, lambda e: TranscriptDelta(e.response_id, e.item_id, _need(e.delta)))
_WORDS_DONE = _reads(wire.Piece, lambda e: TranscriptDone(e.response_id, e.item_id, _need(e.transcript)))
_TEXT = _reads(wire.Piece, lambda e: TextDelta(e.response_id, e.item_id, _need(e.delta)))
_TRANSCRIPTION = "conversation.item.input_audio_transcription."

_READERS: Mapping[str, Callable[[bytes], ModelEvent]] = {
    "session.created": _reads(wire.SessionShape, lambda e: session_created(e.session)),
    "session.updated": _reads(wire.SessionShape, lambda e: session_updated(e.session)),
    "input_audio_buffer.speech_started": _reads(
        wire.ItemMoment, lambda e: SpeechStarted(e.item_id or "", int(e.audio_start_ms))
    ),
    "input_audio_buffer.speech_stopped": _reads(
        wire.ItemMoment, lambda e: SpeechStopped(e.item_id or "", int(e.audio_end_ms))
    ),
    "input_audio_buffer.committed": _reads(
        wire.ItemMoment, lambda e: InputCommitted(_need(e.item_id), e.previous_item_id)
    ),
    "input_audio_buffer.timeout_triggered": _reads(
        wire.ItemMoment, lambda e: TimeoutTriggered(e.item_id or "")
    ),
    "conversation.item.added": _ITEM_ADDED,
    "conversation.item.created": _ITEM_ADDED,  # flat
    "conversation.item.done": _reads(wire.ItemShape, lambda e: ItemDone(_item(e.item))),
    "conversation.item.truncated": _reads(
        wire.ItemMoment, lambda e: ItemTruncated(_need(e.item_id), int(e.audio_end_ms))
    ),
    "conversation.item.deleted": _reads(wire.ItemMoment, lambda e: ItemDeleted(_need(e.item_id))),
    _TRANSCRIPTION + "delta": _reads(wire.CallerWords, _caller_words),
    _TRANSCRIPTION + "completed": _reads(wire.CallerWords, _caller_words_done),
    _TRANSCRIPTION + "failed": _reads(wire.CallerWordsFailed, _caller_words_failed),
    "response.created": _reads(wire.ResponseShape, _response_created),
    "response.done": _reads(wire.ResponseShape, _response_done),
    "response.output_item.added": _reads(
        wire.ItemShape, lambda e: OutputItemAdded(_need(e.response_id), _item(e.item))
    ),
    "response.output_item.done": _reads(
        wire.ItemShape, lambda e: OutputItemDone(_need(e.response_id), _item(e.item))
    ),
    "response.output_audio.delta": _AUDIO_DELTA,
    "response.audio.delta": _AUDIO_DELTA,  # flat
    "response.output_audio.done": _AUDIO_DONE,
    "response.audio.done": _AUDIO_DONE,  # flat
    "response.output_audio_transcript.delta": _WORDS,
    "response.audio_transcript.delta": _WORDS,  # flat
    "response.output_audio_transcript.done": _WORDS_DONE,
    "response.audio_transcript.done": _WORDS_DONE,  # flat
    "response.output_text.delta": _TEXT,
    "response.text.delta": _TEXT,  # flat
    "rate_limits.updated": _reads(wire.RateLimitsShape, _rate_limits),
    "error": _reads(wire.ErrorShape, _error),
}
