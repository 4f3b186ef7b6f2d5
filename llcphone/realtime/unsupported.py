"""What an endpoint does not understand: read from its refusals, and kept out of what it is sent.

A name is the wire's own: the type of an event of ours (``conversation.item.truncate``), a parameter of
``response.create`` (``response.metadata``), or a setting of the session by its flat name (``session.speed``,
``session.turn_detection.eagerness``). What a call cannot do without has no name here: a refusal of
that stays a refusal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llcphone.realtime.dialects import flat_path
from llcphone.realtime.error_codes import subject

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from llcphone.realtime.events import ModelError

TRUNCATE = "conversation.item.truncate"
DELETE = "conversation.item.delete"
CANCEL = "response.cancel"
CLEAR = "input_audio_buffer.clear"
OUT_OF_BAND = "response.conversation"
"""Responses beside the conversation: priming, and the summary for a renewed session."""
METADATA = "response.metadata"
"""The mark by which an answer to our own request is told from the server's."""
COMMITTED = "input_audio_buffer.committed"
"""An event of the server: it ends a turn of the caller. Where it never comes, the end of speech does."""
SEMANTIC_VAD = "session.turn_detection.type"
"""``semantic_vad``; then turns are detected by silence."""

_EVENTS = (TRUNCATE, DELETE, CANCEL, CLEAR)
_ASIDE_ONLY = frozenset(
    f"response.{name}"
    for name in (
        *("conversation", "input", "modalities", "output_modalities", "tool_choice"),
        *("max_response_output_tokens", "max_output_tokens"),
    )
)
"""Parameters that only responses beside the conversation have."""

_OPTIONAL = frozenset(
    {
        *("input_audio_noise_reduction", "input_audio_transcription", "max_response_output_tokens"),
        *("prompt_cache_key", "truncation", "speed", "reasoning", "tool_choice"),
    }
)
"""Settings without which a session is still the agent's, though not as good."""
_OPTIONAL_DETECTION = frozenset(
    {
        *("eagerness", "threshold", "silence_duration_ms", "prefix_padding_ms"),
        *("create_response", "interrupt_response"),
    }
)

TELLING = (
    r"conversation\.item\.(?:truncate|delete)|response\.cancel|input_audio_buffer\.clear|'response\.[\w.]+'|"
    r"(?i:unknown|unsupported|unrecogni[sz]ed|invalid|not supported|not implemented)|'semantic_vad'"
)
"""The parts of an error's text that are read here, as a regular expression without groups."""

_NAMED = re.compile("|".join(re.escape(each) for each in _EVENTS))
_UNKNOWN = re.compile(
    r"unknown|unsupported|unrecogni[sz]ed|invalid|not.supported|not.implemented", re.IGNORECASE
)
_QUOTED = re.compile(r"'(response\.[\w.]+)'")


def not_understood(error: ModelError) -> str:
    """The event or the parameter of ``response.create`` that an error says is unknown; empty: none.

    OpenAI's form is "Invalid value: 'response.cancel'. Supported values are: …" at the parameter ``type``;
    others write "Unknown event type: …". The first event named is the one that was sent.
    """
    quoted = _QUOTED.search(error.message)
    about = error.param or (quoted.group(1) if quoted else "")
    if about in _ASIDE_ONLY:
        return OUT_OF_BAND
    if about.startswith(METADATA):
        return METADATA
    if about not in ("", "type"):
        return ""
    named = _NAMED.search(error.message)
    unknown = _UNKNOWN.search(error.message) or _UNKNOWN.search(error.code)
    return named.group() if named and unknown else ""


def setting_not_understood(error: ModelError, session: Mapping[str, Any]) -> str:
    """The setting that an error says is unknown, if a session may do without it; empty: none.

    Args:
        error: what the server answers a ``session.update``.
        session: the settings that were sent, in flat names.
    """
    path = flat_path(subject(error).removeprefix("session."))
    name, _, rest = path.partition(".")
    sent = session.get(name)
    if path == "turn_detection.type" and isinstance(sent, dict) and sent.get("type") == "semantic_vad":
        return SEMANTIC_VAD
    if error.code != "unknown_parameter" or name not in session:
        return ""
    if name == "turn_detection":
        # Without these two the server answers and interrupts by itself: no call that asked otherwise.
        kept = isinstance(sent, dict) and sent.get(rest) is False
        return f"session.{path}" if rest in _OPTIONAL_DETECTION and not kept else ""
    return f"session.{path}" if name in _OPTIONAL else ""


def without(session: Mapping[str, Any], names: Collection[str]) -> Mapping[str, Any]:
    """Flat settings without those that are not understood."""
    left: dict[str, Any] = dict(session)
    for each in names:
        if not each.startswith("session."):
            continue
        name, _, rest = each.removeprefix("session.").partition(".")
        inner = left.get(name)
        if each == SEMANTIC_VAD:
            if isinstance(inner, dict) and inner.get("type") == "semantic_vad":
                kept = {key: value for key, value in inner.items() if key != "eagerness"}
                left[name] = kept | {"type": "server_vad"}
        elif rest and isinstance(inner, dict):
            left[name] = {key: value for key, value in inner.items() if key != rest}
        else:
            left.pop(name, None)
    return left
