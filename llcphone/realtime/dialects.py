"""The two spellings of the Realtime API: what we say, put on the wire.

Above this file there is one vocabulary, the flat names (docs/vendor-facts.md, Dialects). ``FLAT`` sends
exactly those; ``GA`` is the nested form that OpenAI's own endpoint requires since 2026-05-12.
They differ in three places only: the session object (``ga_session``), the text part of an
assistant item, and the modality and token limit of a ``response.create``. ``XAI`` is GA with a session
object of its own (``xai_session``). Audio is the same in all, and is spliced, because that line runs
fifty times a second in every call.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from llcphone.errors import LocalProtocolError
from llcphone.realtime.messages import (
    OUTPUT_EVENT,
    AppendAudio,
    AskAside,
    AssistantText,
    CancelResponse,
    ClearInput,
    CommitInput,
    CreateResponse,
    DeleteItem,
    ModelMessage,
    SystemText,
    ToolCall,
    ToolOutput,
    Truncate,
    UpdateSession,
    UserAudio,
    UserText,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PRIMING_TOKENS = 16
"""Longest priming answer: its text is thrown away, only its warmth counts."""


class Dialect(Enum):
    """What a model leg speaks: the Realtime API in one of its spellings, or GPT-Live."""

    FLAT = "flat"
    GA = "ga"
    XAI = "xai"
    """No choice of the setting ``realtime.dialect``: the profile decides it."""
    LIVE = "live"
    """Another protocol (``llcphone.live``); no choice of the setting ``realtime.dialect``."""


REALTIME_DIALECTS = (Dialect.FLAT, Dialect.GA, Dialect.XAI)


def connect_headers(dialect: Dialect) -> tuple[tuple[str, str], ...]:
    """Headers the dialect adds to the WebSocket request, beside authorization."""
    return (("OpenAI-Beta", "realtime=v1"),) if dialect is Dialect.FLAT else ()


# -- audio: the hot path ------------------------------------------------------------------------

append_prefix = b'{"type":"input_audio_buffer.append","audio":"'


def append_audio(payload: bytes) -> bytes:
    """``input_audio_buffer.append`` around base64 text, which must be nothing but base64."""
    return append_prefix + payload + b'"}'


# -- everything else ----------------------------------------------------------------------------


def encode(message: ModelMessage, dialect: Dialect) -> bytes:
    """Put one message on the wire as compact JSON, with no key the message does not set.

    Raises:
        LocalProtocolError: the message or the dialect is none of the Realtime API.
    """
    if isinstance(message, AppendAudio):
        return append_audio(message.payload)
    if dialect not in REALTIME_DIALECTS:
        raise LocalProtocolError(f"no dialect of the Realtime API: {dialect.value}")
    return msgspec.json.encode(_wire(message, dialect))


def _wire(message: ModelMessage, dialect: Dialect) -> dict[str, Any]:
    match message:
        case UpdateSession(session, event_id):
            return _event("session.update", event_id, session=_session(session, dialect))
        case UserText(text):
            return _message_item("user", {"type": "input_text", "text": text})
        case UserAudio(payload):
            return _message_item("user", {"type": "input_audio", "audio": payload.decode("ascii")})
        case SystemText(text):
            return _message_item("system", {"type": "input_text", "text": text})
        case AssistantText(text, item_id):
            kind = "text" if dialect is Dialect.FLAT else "output_text"
            return _message_item("assistant", {"type": kind, "text": text}, item_id)
        case ToolCall(call_id, name, arguments):
            call = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
            return _event("conversation.item.create", item=call)
        case ToolOutput(call_id, output):
            item = {"type": "function_call_output", "call_id": call_id, "output": output}
            return _event("conversation.item.create", OUTPUT_EVENT + call_id, item=item)
        case CreateResponse():
            return _create_response(message, dialect)
        case AskAside():
            return _ask_aside(message, dialect)
        case CancelResponse(response_id):
            ids = {"response_id": response_id} if response_id else {}
            return _event("response.cancel", **ids)
        case Truncate(item_id, audio_end_ms):
            return _event(
                "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=audio_end_ms
            )
        case DeleteItem(item_id):
            return _event("conversation.item.delete", item_id=item_id)
        case ClearInput():
            return _event("input_audio_buffer.clear")
        case CommitInput():
            return _event("input_audio_buffer.commit")
        case _:
            raise LocalProtocolError(f"not a message to the model: {type(message).__name__}")


def _event(kind: str, event_id: str = "", **fields: Any) -> dict[str, Any]:
    return {"type": kind, **({"event_id": event_id} if event_id else {}), **fields}


def _message_item(role: str, part: dict[str, str], item_id: str = "") -> dict[str, Any]:
    item = {"type": "message", "role": role, "content": [part]}
    return _event("conversation.item.create", item={"id": item_id, **item} if item_id else item)


def _create_response(message: CreateResponse, dialect: Dialect) -> dict[str, Any]:
    response: dict[str, Any] = {}
    if message.priming:
        flat = dialect is Dialect.FLAT
        response = {
            "conversation": "none",
            "modalities" if flat else "output_modalities": ["text"],
            "max_response_output_tokens" if flat else "max_output_tokens": PRIMING_TOKENS,
            "input": [],
        }
    # Metadata comes back in response.created and response.done: the only mark that tells an
    # out-of-band response from the conversation's.
    purpose = message.purpose or ("priming" if message.priming else "")
    if purpose:
        response["metadata"] = {"llcphone": purpose}
    return _event("response.create", response=response) if response else _event("response.create")


def _ask_aside(message: AskAside, dialect: Dialect) -> dict[str, Any]:
    flat = dialect is Dialect.FLAT
    response = {
        "conversation": "none",
        "modalities" if flat else "output_modalities": ["text"],
        "instructions": message.text,
        "tool_choice": "none",
        "metadata": {"llcphone": message.purpose},
    }
    return _event("response.create", response=response)


# -- the session object -------------------------------------------------------------------------

_GA_PLACE: Mapping[str, tuple[str, ...]] = {
    "modalities": ("output_modalities",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "max_response_output_tokens": ("max_output_tokens",),
    "instructions": ("instructions",),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "parallel_tool_calls": ("parallel_tool_calls",),
    "truncation": ("truncation",),
    "reasoning": ("reasoning",),
    "tracing": ("tracing",),
    "include": ("include",),
}
"""Flat name -> where GA keeps it. No place: the endpoint would refuse the whole update."""

_FLAT_NAME = {".".join(path): name for name, path in _GA_PLACE.items()}

_GA_FORMAT: Mapping[str, dict[str, Any]] = {
    "g711_ulaw": {"type": "audio/pcmu"},  # a "rate" here is refused as unknown
    "g711_alaw": {"type": "audio/pcma"},
    "pcm16": {"type": "audio/pcm", "rate": 24000},
}


_XAI_PLACE: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("voice", "turn_detection", "instructions", "tools", "reasoning")},
    **{name: _GA_PLACE[name] for name in ("speed", "input_audio_format", "output_audio_format")},
    "input_audio_transcription": _GA_PLACE["input_audio_transcription"],
}
"""The same for xAI, which ignores what it does not know."""

_KNOWN = {Dialect.GA: frozenset(_GA_PLACE), Dialect.XAI: frozenset(_XAI_PLACE) | {"modalities"}}
"""What reaches each; xAI's sessions are always spoken."""

_XAI_DETECTION = ("threshold", "silence_duration_ms", "prefix_padding_ms")


def unsupported_keys(session: Mapping[str, Any], dialect: Dialect) -> list[str]:
    """Flat settings that the dialect has no place for: they are left out, so say so."""
    places = _KNOWN.get(dialect)
    return [] if places is None else [name for name in session if name not in places]


def flat_path(path: str) -> str:
    """Where a setting is in the flat session, by its path in any dialect's."""
    if not path.startswith(("audio.", "output_modalities", "max_output_tokens")):
        return path
    for place, name in _FLAT_NAME.items():
        if path == place or path.startswith(f"{place}."):
            return name + path[len(place) :]
    return path


def ga_session(session: Mapping[str, Any]) -> dict[str, Any]:
    """The nested session object; ``type`` is required in every single update."""
    return {"type": "realtime"} | _placed(session, _GA_PLACE, _ga_value)


def xai_session(session: Mapping[str, Any]) -> dict[str, Any]:
    """xAI's session object: voice and turn detection at its root, every format with its rate."""
    return _placed(session, _XAI_PLACE, _xai_value)


def _placed(
    session: Mapping[str, Any],
    places: Mapping[str, tuple[str, ...]],
    spelled: Callable[[str, Any], Any],
) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    for name, value in session.items():
        if name in places:
            *path, last = places[name]
            place = wire
            for step in path:
                place = place.setdefault(step, {})
            place[last] = spelled(name, value)
    return wire


def _ga_value(name: str, value: Any) -> Any:
    if name == "modalities":
        # Both together are refused; audio brings its transcript with it.
        return ["audio"] if "audio" in value else ["text"]
    if name in ("input_audio_format", "output_audio_format"):
        return _GA_FORMAT.get(value, {"type": value})
    return value


def _xai_value(name: str, value: Any) -> Any:
    match name:
        case "input_audio_format" | "output_audio_format":
            return {"rate": 8000} | _GA_FORMAT.get(value, {"type": value})
        case "turn_detection" if value is None:  # manual turns
            return {"type": None}
        case "turn_detection":  # it has no semantic_vad, and always answers and interrupts by itself
            return {"type": "server_vad"} | {key: value[key] for key in _XAI_DETECTION if key in value}
        case "input_audio_transcription":
            named = {"model": "model", "language": "language_hint"}
            return {named[key]: each for key, each in value.items() if key in named}
        case _:
            return value


def _session(session: Mapping[str, Any], dialect: Dialect) -> Mapping[str, Any]:
    if "audio" in session or "type" in session:
        raise LocalProtocolError("session settings have flat names; the dialect spells them")
    match dialect:
        case Dialect.GA:
            return ga_session(session)
        case Dialect.XAI:
            return xai_session(session)
        case _:
            return session
