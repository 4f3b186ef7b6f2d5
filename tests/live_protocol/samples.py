"""Events of GPT-Live as the server sends them, each with the fact that it is read into."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from llcphone.config.live import LiveConfig
from llcphone.live.codec import LiveCodec
from llcphone.live.events import (
    AgentFragment,
    BackendBegan,
    BackendCall,
    BackendEnded,
    CallerFragment,
    Closed,
    Started,
    Updated,
    Voice,
)
from llcphone.realtime.events import (
    Item,
    ModelError,
    ResponseStatus,
    Seconds,
    SessionUpdated,
    UnknownModelEvent,
    Usage,
)

QUIET = base64.b64encode(b"\xff" * 800)
"""100 ms of silence."""
LOUD = base64.b64encode(bytes(range(0x20, 0x70)) * 10)
"""100 ms of noise."""

SESSION: dict[str, Any] = {
    "id": "live_1",
    "expires_at": 1795999999,
    "status": "active",
    "model": "gpt-live-1",
    "instructions": "Answer the telephone.",
    "audio": {"format": {"type": "audio/pcmu", "rate": 8000}, "output": {"voice": "cedar"}},
    "delegation": {
        "type": "responses",
        "acknowledgement_delay_ms": 0,
        "responses": {
            "model": "gpt-5.6-luna",
            "instructions": "Use the tools.",
            "parallel_tool_calls": False,
        },
    },
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Are you open?"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]},
    ],
    "store": False,
}
STATE = SessionUpdated("g711_ulaw", "g711_ulaw", "cedar", 1795999999, SESSION)
SNAPSHOT = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1795990000,
    "model": "gpt-5.6-luna",
    "output": [],
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "instructions": None,
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "opening_hours",
    "arguments": "{}",
    "status": "completed",
}


def backend(kind: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    """An event of the text model, as the voice's session passes it on."""
    inner = {"type": kind, "sequence_number": number, **fields}
    return {"type": "response.event", "event_id": "e6", "delegation_id": "item_1", "event": inner}


def response(status: str, **fields: Any) -> dict[str, Any]:
    """A response of the text model, without what it was given."""
    return {**SNAPSHOT, "status": status, **fields}


def error(**fields: Any) -> dict[str, Any]:
    """An ``error`` event."""
    body = {"type": "invalid_request_error", "code": None, "message": "No.", "param": None, **fields}
    return {"type": "error", "event_id": "e9", "error": body}


def sent(event: dict[str, Any]) -> bytes:
    """The event as it comes."""
    return msgspec.json.encode(event)


USAGE = {
    "input_tokens": 900,
    "input_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 0},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 920,
}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
PART = {"type": "output_text", "text": "We open at nine.", "annotations": [], "logprobs": []}
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
APPENDED = {"event_id": "e4", "client_event_id": "greet-1", "start_ms": 640, "end_ms": 840}

SAMPLES: list[tuple[dict[str, Any], object]] = [
    (
        {"type": "session.started", "event_id": "e1", "client_event_id": "start-1", "session": SESSION},
        Started(STATE),
    ),
    (
        {"type": "session.updated", "event_id": "e8", "client_event_id": "tools-1", "session": SESSION},
        Updated(STATE),
    ),
    ({"type": "session.output_audio.delta", "delta": QUIET.decode()}, Voice(QUIET, 800, loud=False)),
    ({"type": "session.output_audio.delta", "delta": LOUD.decode()}, Voice(LOUD, 800, loud=True)),
    (
        {
            "type": "session.input_transcript.delta",
            "event_id": "e2",
            "delta": "What is",
            "start_ms": 1000,
            "end_ms": 1200,
        },
        CallerFragment("What is", 1000, 1200),
    ),
    (
        {
            "type": "session.output_transcript.delta",
            "event_id": "e3",
            "delta": " We open",
            "start_ms": 2400,
            "end_ms": 2600,
        },
        AgentFragment(" We open", 2400, 2600),
    ),
    ({"type": "session.commentary.appended", **APPENDED}, None),
    ({"type": "session.thinking.appended", **APPENDED}, None),
    ({"type": "session.instructions.appended", **APPENDED}, None),
    ({"type": "session.input_audio.muted", "event_id": "e4"}, None),
    ({"type": "session.input_audio.unmuted", "event_id": "e4"}, None),
    ({"type": "session.output_audio.fixture.playing", "event_id": "e4"}, None),
    ({"type": "session.output_audio.fixture.played", "event_id": "e4"}, None),
    (
        {
            "type": "session.delegation.created",
            "event_id": "e5",
            "offset_ms": 5200,
            "delegation": {
                "id": "item_1",
                "type": "delegation",
                "target": "responses",
                "response_id": "resp_1",
            },
        },
        None,
    ),
    (backend("response.created", response=response("in_progress")), BackendBegan("resp_1", "item_1")),
    (backend("response.in_progress", 1, response=response("in_progress")), None),
    (
        backend(
            "response.output_item.added",
            2,
            output_index=0,
            item=CALL | {"arguments": "", "status": "in_progress"},
        ),
        None,
    ),
    (
        backend("response.function_call_arguments.delta", 3, item_id="fc_1", output_index=0, delta="{}"),
        None,
    ),
    (
        backend(
            "response.function_call_arguments.done",
            4,
            item_id="fc_1",
            output_index=0,
            arguments="{}",
        ),
        None,
    ),
    (
        backend("response.output_item.done", 5, output_index=0, item=CALL),
        BackendCall(
            Item(
                "fc_1",
                "function_call",
                "completed",
                call_id="call_1",
                name="opening_hours",
                arguments="{}",
            ),
            "item_1",
        ),
    ),
    (
        backend("response.completed", 6, response=response("completed", usage=USAGE)),
        BackendEnded(
            "resp_1",
            ResponseStatus.COMPLETED,
            Usage(input_text=900, cached_text=400, output_text=20),
            "",
            "item_1",
        ),
    ),
    (
        backend(
            "response.failed",
            3,
            response=response("failed", error={"code": "server_error", "message": "It broke."}),
        ),
        BackendEnded("resp_1", ResponseStatus.FAILED, Usage(), "server_error", "item_1"),
    ),
    (
        backend(
            "response.incomplete",
            3,
            response=response("incomplete", incomplete_details={"reason": "max_output_tokens"}),
        ),
        BackendEnded("resp_1", ResponseStatus.INCOMPLETE, Usage(), "max_output_tokens", "item_1"),
    ),
    (
        backend(
            "response.output_item.done",
            2,
            output_index=0,
            item={"type": "reasoning", "id": "rs_1", "summary": [], "status": "completed"},
        ),
        None,
    ),
    (backend("response.content_part.added", 3, **PLACE, part=PART | {"text": ""}), None),
    (backend("response.output_text.delta", 4, **PLACE, delta="We open at nine.", logprobs=[]), None),
    (backend("response.output_text.done", 5, **PLACE, text="We open at nine.", logprobs=[]), None),
    (
        backend("response.output_item.done", 6, output_index=0, item={**MESSAGE, "content": [PART]}),
        None,
    ),
    (
        {
            "type": "session.usage.updated",
            "event_id": "e7",
            "usage": {"seconds": 15},
            "context_window": {"usage_ratio": 0.02},
        },
        Seconds(15),
    ),
    ({"type": "session.usage.updated", "event_id": "e7", "usage": {"seconds": 15.9}}, Seconds(15)),
    (
        {
            "type": "session.closed",
            "event_id": "e11",
            "reason": "close_requested",
            "session": SESSION,
            "usage": {"seconds": 63},
        },
        Closed("close_requested", 63),
    ),
    (
        error(
            code="immutable_field_update",
            message="It stays.",
            param="session.audio",
            client_event_id="x",
        ),
        ModelError(
            "immutable_field_update", "invalid_request_error", "session.audio", "It stays.", event_id="x"
        ),
    ),
    (
        error(message="Unknown client delegation.", param="delegation_id"),
        ModelError(
            "invalid_request_error",
            "invalid_request_error",
            "delegation_id",
            "Unknown client delegation.",
        ),
    ),
    ({"type": "info", "event_id": "e10", "code": "note", "message": "All is well."}, None),
    (
        {"type": "decision.item.deleted", "event_id": "e12", "item_id": "item_2"},
        UnknownModelEvent("decision.item.deleted"),
    ),
]


def usual_codec(**other: int) -> LiveCodec:
    """The codec of one leg by the usual settings, but for these."""
    usual = LiveConfig()
    given = {name: getattr(usual, name) for name in ("cushion_ms", "quiet_steps", "backend_bytes")}
    return LiveCodec(**{**given, **other})
