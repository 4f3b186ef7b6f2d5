"""What we say to a voice API; ``realtime.dialects`` and ``llcphone.live`` put it on their wires.

Session settings use the flat names (``voice``, ``input_audio_format``,
``turn_detection`` ...) everywhere above ``dialects``: one vocabulary, two spellings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class UpdateSession:
    """``session.update`` with only the keys that change; ``session`` has flat names."""

    session: Mapping[str, Any]
    event_id: str = ""
    """Echoed by the server in a refusal, so that a refused update is recognised."""


@attrs.frozen
class AppendAudio:
    """``input_audio_buffer.append``; ``payload`` is base64 of µ-law, untouched."""

    payload: bytes


@attrs.frozen
class UserText:
    """``conversation.item.create`` of a user message: a greeting cue, a nudge."""

    text: str


@attrs.frozen
class UserAudio:
    """``conversation.item.create`` of what the caller said earlier, in the session's input format."""

    payload: bytes
    """Base64 of a whole turn."""


@attrs.frozen
class SystemText:
    """``conversation.item.create`` of a system message: per-call context at the tail."""

    text: str


@attrs.frozen
class AssistantText:
    """``conversation.item.create`` of what the agent said earlier (history of a restored session)."""

    text: str
    item_id: str = ""


@attrs.frozen
class ToolCall:
    """``conversation.item.create`` of a ``function_call`` (history of a restored session)."""

    call_id: str
    name: str
    arguments: str


OUTPUT_EVENT = "output-"
"""Begins the event id of a tool's answer; its call id follows. A refusal repeats it."""


@attrs.frozen
class ToolOutput:
    """``conversation.item.create`` of a ``function_call_output``; ``output`` is JSON text."""

    call_id: str
    output: str


@attrs.frozen
class CreateResponse:
    """``response.create``; never with instructions, which would replace the session's for this response.

    ``purpose`` marks the response in its metadata. ``priming`` asks for a text-only response
    out of band (``conversation: "none"``, no input items), so that history stays clean.
    """

    purpose: str = ""
    priming: bool = False


ASK_EVENT = "ask-"
"""Begins the event id of ``Speak``. A refusal repeats it."""


@attrs.frozen
class Speak:
    """What GPT-Live has instead of ``response.create``: the voice is told what to speak about now."""

    cue: str
    purpose: str
    """Marks the utterance that follows, as in ``CreateResponse``."""


@attrs.frozen
class AskAside:
    """``response.create`` of a text about the whole conversation, out of band: read by us, never spoken."""

    text: str
    """What is asked, as the response's own instructions; the session's stay what they are."""
    purpose: str


@attrs.frozen
class CancelResponse:
    response_id: str = ""


@attrs.frozen
class Truncate:
    """``conversation.item.truncate``: the caller heard the first ``audio_end_ms`` of the item."""

    item_id: str
    audio_end_ms: int


@attrs.frozen
class DeleteItem:
    item_id: str


@attrs.frozen
class ClearInput:
    """``input_audio_buffer.clear``."""


@attrs.frozen
class CommitInput:
    """``input_audio_buffer.commit``: manual turns only."""


ModelMessage = (
    UpdateSession
    | AppendAudio
    | UserText
    | UserAudio
    | SystemText
    | AssistantText
    | ToolCall
    | ToolOutput
    | CreateResponse
    | Speak
    | AskAside
    | CancelResponse
    | Truncate
    | DeleteItem
    | ClearInput
    | CommitInput
)
