"""What the Realtime API says, read into facts; both dialects' names.

Liberal to the new: an event that is not in ``_READERS`` is an ``UnknownModelEvent``, and so is
every event a call has no use for. Liberal to the odd: a field that the event can do without costs only
itself (``lenient``). Strict to the broken: a known event that lacks what it must have, or has it in
another type, is a ``RemoteProtocolError``; its text never quotes the event. Every ``error`` is read.

Speech comes in pieces of some 5 KB. ``decode`` reads them like any event, but looks at the type
first and so walks the base64 twice; a reader that expects speech asks ``audio_delta_fast`` before,
which needs one pass. Both use the same shape, so they decide alike for every spelling of the JSON
(a regular expression over the usual spelling was measured: no faster, and stricter than JSON is).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import msgspec

from llcphone.audio import is_base64, padded
from llcphone.errors import RemoteProtocolError
from llcphone.realtime import lenient
from llcphone.realtime import shapes as wire
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
)
from llcphone.realtime.session_state import session_created, session_updated
from llcphone.realtime.usage import usage_of

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
    if len(payload) % 4:  # it lost its padding, without which Twilio might not take it
        payload = padded(payload)
    return AudioDelta(piece.response_id, piece.item_id, payload)


def _caller_words(event: wire.CallerWords) -> ModelEvent:
    return CallerTranscript(event.item_id, _need(event.delta), final=False)


def _caller_words_done(event: wire.CallerWords) -> ModelEvent:
    return CallerTranscript(event.item_id, _need(event.transcript), final=True)


def _caller_words_failed(event: wire.CallerWordsFailed) -> ModelEvent:
    error = _model_error(event.error)
    return CallerTranscriptFailed(event.item_id, error.code if error is not None else "")


# -- items --------------------------------------------------------------------------------------


def _item(body: wire.ItemBody) -> Item:
    parts = (part.transcript or part.text for part in body.content or ())
    arguments = body.arguments or ""
    return Item(
        _need(body.id or body.call_id),
        body.type,
        status=body.status or "",
        role=body.role or "",
        call_id=body.call_id or "",
        name=body.name or "",
        arguments=arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode(),
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
    error = _model_error(details.error)
    # Without a status it ended as OpenAI ends what went well, unless the details say otherwise.
    word = body.status or details.type or ("failed" if error is not None else "completed")
    status = _STATUSES.get(word)
    return ResponseDone(
        body.id,
        # A status OpenAI may add ends the response all the same, short of completion.
        status or ResponseStatus.INCOMPLETE,
        reason=(details.reason or "") if status else word,
        error_code=error.code if error is not None else "",
        error_message=error.message if error is not None else "",
        items=tuple(_item(item) for item in body.output or () if item.id or item.call_id),
        usage=usage_of(body.usage),
        in_conversation=body.conversation_id is not None,
        purpose=_purpose(body),
    )


def _purpose(body: wire.ResponseBody) -> str:
    word = (body.metadata or {}).get("llcphone")
    return word if isinstance(word, str) else ""


# -- limits and errors --------------------------------------------------------------------------


def _rate_limits(event: wire.RateLimitsShape) -> ModelEvent:
    return RateLimits(
        {
            each.name: (_whole(each.limit) or 0, _whole(each.remaining) or 0, _seconds(each.reset_seconds))
            for each in event.rate_limits or ()
        }
    )


def _error(event: wire.ErrorShape) -> ModelEvent:
    inner = _model_error(event.error) or ModelError("")
    return attrs.evolve(
        inner,
        code=inner.code or event.code or "",
        message=inner.message or event.message or "",
        param=inner.param or event.param or "",
    )


def _model_error(error: Any) -> ModelError | None:
    """What can be known of an error, in whatever form it comes; None: there is none."""
    while isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if not error:
        return None
    if not isinstance(error, dict):
        return ModelError("", message=error if isinstance(error, str) else "")
    body = lenient.take(wire.ErrorBody, error)
    return ModelError(
        body.code or body.type or "",
        type=body.type or "",
        param=body.param or "",
        message=body.message or (body.error if isinstance(body.error, str) else ""),
        event_id=body.event_id or "",
    )


# -- numbers ------------------------------------------------------------------------------------

_HIGHEST = 2**53
"""No moment, limit or count is higher; what is would only break arithmetic and tables further on."""


def _whole(number: float | None) -> int | None:
    return int(number) if number is not None and 0 <= number <= _HIGHEST else None


def _seconds(number: float | None) -> float:
    return float(number) if number is not None and 0 <= number <= _HIGHEST else 0.0


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

    def read(text: bytes) -> ModelEvent:
        try:
            body = shaped(text)
        except msgspec.ValidationError:
            body = lenient.read(shape, text)
        return tell(body)

    return read


_ITEM_ADDED = _reads(wire.ItemShape, lambda e: ItemAdded(_item(e.item), e.previous_item_id))
_AUDIO_DELTA: Callable[[bytes], ModelEvent] = lambda text: _audio_delta(_audio_piece(text))  # noqa: E731
_AUDIO_DONE = _reads(wire.Piece, lambda e: AudioDone(e.response_id, e.item_id))
_WORDS = _reads(wire.Piece, lambda e: TranscriptDelta(e.response_id, e.item_id, _need(e.delta)))
_WORDS_DONE = _reads(wire.Piece, lambda e: TranscriptDone(e.response_id, e.item_id, _need(e.transcript)))
_TEXT = _reads(wire.Piece, lambda e: TextDelta(e.response_id, e.item_id, _need(e.delta)))
_TRANSCRIPTION = "conversation.item.input_audio_transcription."

_READERS: Mapping[str, Callable[[bytes], ModelEvent]] = {
    "session.created": _reads(wire.SessionShape, lambda e: session_created(e.session or {})),
    "session.updated": _reads(wire.SessionShape, lambda e: session_updated(_need(e.session))),
    "input_audio_buffer.speech_started": _reads(
        wire.ItemMoment, lambda e: SpeechStarted(e.item_id or "", _whole(e.audio_start_ms))
    ),
    "input_audio_buffer.speech_stopped": _reads(
        wire.ItemMoment, lambda e: SpeechStopped(e.item_id or "", _whole(e.audio_end_ms))
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
        wire.ItemMoment, lambda e: ItemTruncated(_need(e.item_id), _whole(e.audio_end_ms) or 0)
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
