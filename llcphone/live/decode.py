"""What GPT-Live says, read into facts; nothing here remembers anything.

Liberal to the new: an event that is not named here is an ``UnknownModelEvent``. Liberal to the odd: a field
that the event can do without costs only itself. Strict to the broken: a known event that lacks what it must
have is a ``RemoteProtocolError``; its text never quotes the event.

Audio comes ten times a second for as long as a call lasts, most of it silence. It is read in one pass, and
its base64 is decoded once: for its length, and for whether it is loud.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from llcphone.audio import is_base64, padded
from llcphone.errors import RemoteProtocolError
from llcphone.live import shapes as wire
from llcphone.live.events import (
    AgentFragment,
    BackendBegan,
    BackendCall,
    BackendEnded,
    CallerFragment,
    Closed,
    LiveEvent,
    Started,
    Updated,
    Voice,
)
from llcphone.live.session import session_state
from llcphone.realtime import lenient
from llcphone.realtime.events import Item, ModelError, ResponseStatus, Seconds, UnknownModelEvent, Usage
from llcphone.realtime.shapes import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_chunk = msgspec.json.Decoder(wire.Chunk).decode
_kind = msgspec.json.Decoder(Kind).decode


def quiet_bytes(steps: int) -> bytes:
    """The µ-law bytes of silence: zero of either sign, and so many steps away from it."""
    steps = max(0, min(steps, 0x7F))
    return bytes(zero - step for zero in (0xFF, 0x7F) for step in range(steps + 1))


def decode(text: bytes, quiet: bytes) -> LiveEvent | None:
    """Read any event.

    Args:
        text: the event as JSON.
        quiet: the bytes of silence, of ``quiet_bytes``.

    Returns:
        What it says; None: it is known, and a call has no use for it.

    Raises:
        RemoteProtocolError: it is no event, or a known one without what it must have.
    """
    try:
        try:
            chunk = _chunk(text)
        except msgspec.ValidationError:  # another event
            return _read(text)
        return _voice(chunk.delta, quiet)
    except _UNREADABLE:
        raise RemoteProtocolError("model leg: not a GPT-Live event") from None


def _read(text: bytes) -> LiveEvent | None:
    kind = _kind(text).type
    if kind in _OF_NO_USE:
        return None
    reader = _READERS.get(kind)
    return UnknownModelEvent(kind) if reader is None else reader(text)


def _voice(delta: str, quiet: bytes) -> Voice:
    payload = delta.encode()
    # Spliced into Twilio's JSON as it is, so it must be base64 and nothing else.
    if not is_base64(payload):
        raise RemoteProtocolError("model leg: audio that is not base64")
    if len(payload) % 4:
        payload = padded(payload)
    audio = binascii.a2b_base64(payload)
    return Voice(payload, len(audio), bool(audio.translate(None, quiet)))


# -- words --------------------------------------------------------------------------------------


def _agent_words(event: wire.Fragment) -> LiveEvent:
    return AgentFragment(event.delta, _whole(event.start_ms), _whole(event.end_ms))


def _caller_words(event: wire.Fragment) -> LiveEvent:
    return CallerFragment(event.delta, _whole(event.start_ms), _whole(event.end_ms))


# -- the backend --------------------------------------------------------------------------------

_ENDS = {
    "response.completed": ResponseStatus.COMPLETED,
    "response.failed": ResponseStatus.FAILED,
    "response.incomplete": ResponseStatus.INCOMPLETE,
    "response.cancelled": ResponseStatus.CANCELLED,
}


def _backend(event: wire.BackendEvent) -> LiveEvent | None:
    kind = lenient.take(wire.BackendKind, event.event).type
    of = event.delegation_id or ""
    if kind == "response.created":
        return BackendBegan(lenient.take(wire.ResponseInside, event.event).response.id, of)
    if (status := _ENDS.get(kind)) is not None:
        return _ended(lenient.take(wire.ResponseInside, event.event).response, status, of)
    if kind == "response.output_item.done":
        item = lenient.take(wire.ItemInside, event.event).item
        return BackendCall(_call(item), of) if item.type == "function_call" else None
    return None  # pieces of a text that the voice speaks about, and what will be added to them


def _call(item: wire.BackendItem) -> Item:
    if not item.call_id or not item.name:
        raise RemoteProtocolError("model leg: a function call without an id or a name")
    arguments = item.arguments or ""
    return Item(
        item.id or item.call_id,
        item.type,
        status=item.status or "",
        call_id=item.call_id,
        name=item.name,
        arguments=arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode(),
    )


def _ended(response: wire.BackendResponse, status: ResponseStatus, delegation_id: str) -> BackendEnded:
    error = _error_body(response.error)
    details = response.incomplete_details or wire.IncompleteDetails()
    code = (error.code or error.type if error is not None else details.reason) or ""
    return BackendEnded(response.id, status, _usage(response.usage), code, delegation_id)


def _usage(body: wire.BackendUsage | None) -> Usage:
    body = body or wire.BackendUsage()
    given = _tokens(body.input_tokens)
    cached = _tokens((body.input_tokens_details or wire.CachedDetails()).cached_tokens)
    return Usage(input_text=given, cached_text=min(cached, given), output_text=_tokens(body.output_tokens))


# -- the session's end, and errors --------------------------------------------------------------


def _closed(event: wire.ClosedShape) -> LiveEvent:
    return Closed(event.reason or "", None if event.usage is None else _whole(event.usage.seconds))


def _seconds(event: wire.UsageShape) -> LiveEvent | None:
    total = _whole(event.usage.seconds)
    return None if total is None else Seconds(total)


def _error(event: wire.ErrorShape) -> LiveEvent:
    body = _error_body(event.error) or wire.ErrorBody()
    return ModelError(
        body.code or body.type or "error",  # a code may be null
        type=body.type or "",
        param=body.param or "",
        message=body.message or "",
        event_id=body.client_event_id or event.client_event_id or "",
    )


def _error_body(error: Any) -> wire.ErrorBody | None:
    if isinstance(error, dict):
        return lenient.take(wire.ErrorBody, error)
    return wire.ErrorBody(message=error) if isinstance(error, str) and error else None


# -- numbers ------------------------------------------------------------------------------------

_HIGHEST = 2**53
"""No moment and no count is higher; what is would only break arithmetic further on."""
_MOST_TOKENS = 10**9


def _whole(number: float | None) -> int | None:
    return int(number) if number is not None and 0 <= number <= _HIGHEST else None


def _tokens(number: int | None) -> int:
    return number if number is not None and 0 <= number <= _MOST_TOKENS else 0


# -- the table ----------------------------------------------------------------------------------

_Shape = TypeVar("_Shape", bound=msgspec.Struct)


def _reads(
    shape: type[_Shape], tell: Callable[[_Shape], LiveEvent | None]
) -> Callable[[bytes], LiveEvent | None]:
    shaped = msgspec.json.Decoder(shape).decode

    def read(text: bytes) -> LiveEvent | None:
        try:
            body = shaped(text)
        except msgspec.ValidationError:
            body = lenient.read(shape, text)
        return tell(body)

    return read


def _broken(text: bytes) -> LiveEvent | None:
    raise RemoteProtocolError("model leg: an event lacks what it must have")


_OF_NO_USE = frozenset(
    {
        "session.input_audio.muted",
        "session.input_audio.unmuted",
        "session.instructions.appended",
        "session.thinking.appended",
        "session.commentary.appended",
        "session.output_audio.fixture.playing",
        "session.output_audio.fixture.played",
        "session.delegation.created",  # the backend's own events say all that matters
        "info",
    }
)
"""Nobody waits for an acknowledgement: a refusal is an ``error`` with the event's id."""

_READERS: Mapping[str, Callable[[bytes], LiveEvent | None]] = {
    "session.started": _reads(wire.SessionShape, lambda e: Started(session_state(e.session))),
    "session.updated": _reads(wire.SessionShape, lambda e: Updated(session_state(e.session))),
    "session.output_audio.delta": _broken,  # a proper one was read before
    "session.output_transcript.delta": _reads(wire.Fragment, _agent_words),
    "session.input_transcript.delta": _reads(wire.Fragment, _caller_words),
    "response.event": _reads(wire.BackendEvent, _backend),
    "session.usage.updated": _reads(wire.UsageShape, _seconds),
    "session.closed": _reads(wire.ClosedShape, _closed),
    "error": _reads(wire.ErrorShape, _error),
}
