"""One of every server event, in both dialects, written by hand after the official schema.

``SAMPLES[dialect]`` is a list of (event, what a call reads of it); None: a call has no use for it.
test_decode.py lets the official types judge the events, so they are not our imagination.
"""

from __future__ import annotations

from typing import Any

from llcphone.realtime.dialects import Dialect
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
    OutputItemAdded,
    OutputItemDone,
    RateLimits,
    ResponseCreated,
    ResponseDone,
    ResponseStatus,
    SessionCreated,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    TimeoutTriggered,
    TranscriptDelta,
    TranscriptDone,
    Usage,
)
from tests.realtime.sample_parts import (
    CACHED_WITHOUT_KINDS,
    CALL,
    CALL_BODY,
    FLAT_SESSION,
    GA_SESSION,
    TOKENS,
    USAGE,
    I,
    R,
    events,
    message,
    response,
)

Sample = tuple[dict[str, Any], object]

SAME: list[Sample] = [
    (
        events("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=1236),
        SpeechStarted("item_1", 1236),
    ),
    (
        events("input_audio_buffer.speech_stopped", item_id="item_1", audio_end_ms=3808),
        SpeechStopped("item_1", 3808),
    ),
    (
        events("input_audio_buffer.committed", item_id="item_1", previous_item_id="item_0"),
        InputCommitted("item_1", "item_0"),
    ),
    (events("input_audio_buffer.committed", item_id="item_1"), InputCommitted("item_1")),
    (events("input_audio_buffer.cleared"), None),
    (
        events("conversation.item.created", item=message("user", {"type": "input_text", "text": "hi"})),
        ItemAdded(Item("item_1", "message", "completed", "user", text="hi")),
    ),
    (events("conversation.item.deleted", item_id="item_1"), ItemDeleted("item_1")),
    (events("conversation.item.truncated", audio_end_ms=1500, **I), ItemTruncated("item_1", 1500)),
    (events("conversation.item.retrieved", item=message("user")), None),
    (
        events("conversation.item.input_audio_transcription.delta", delta="Hel", **I),
        CallerTranscript("item_1", "Hel", final=False),
    ),
    (
        events(
            "conversation.item.input_audio_transcription.completed",
            transcript="Hello?",
            usage={"type": "duration", "seconds": 1.2},
            **I,
        ),
        CallerTranscript("item_1", "Hello?", final=True),
    ),
    (
        events(
            "conversation.item.input_audio_transcription.failed",
            error={
                "type": "transcription_error",
                "code": "audio_unintelligible",
                "message": "no",
                "param": None,
            },
            **I,
        ),
        CallerTranscriptFailed("item_1", "audio_unintelligible"),
    ),
    (events("response.created", response=response("in_progress")), ResponseCreated("resp_1")),
    (
        events(
            "response.created",
            response=response("in_progress", conversation_id=None, metadata={"llcphone": "priming"}),
        ),
        ResponseCreated("resp_1", in_conversation=False, purpose="priming"),
    ),
    (
        events("response.output_item.added", item=message("assistant", status="in_progress"), **R),
        OutputItemAdded("resp_1", Item("item_1", "message", "in_progress", "assistant")),
    ),
    (events("response.output_item.done", item=CALL_BODY, **R), OutputItemDone("resp_1", CALL)),
    (events("response.content_part.added", part={"type": "audio", "transcript": ""}, **R, **I), None),
    (events("response.content_part.done", part={"type": "audio", "transcript": "Yes."}, **R, **I), None),
    (
        events("response.function_call_arguments.delta", item_id="item_2", call_id="call_1", delta="{", **R),
        None,
    ),
    (
        events(
            "response.function_call_arguments.done",
            item_id="item_2",
            call_id="call_1",
            name="look_up",
            arguments="{}",
            **R,
        ),
        None,
    ),
    (
        events("response.done", response=response("completed", output=[CALL_BODY], usage=TOKENS)),
        ResponseDone("resp_1", ResponseStatus.COMPLETED, items=(CALL,), usage=USAGE),
    ),
    (
        events("response.done", response=response("completed", usage=CACHED_WITHOUT_KINDS)),
        ResponseDone("resp_1", ResponseStatus.COMPLETED, usage=Usage(100, 32, 64, 0, 41, 147)),
    ),
    (
        events(
            "response.done",
            response=response("completed", conversation_id=None, metadata={"llcphone": "priming"}),
        ),
        ResponseDone("resp_1", ResponseStatus.COMPLETED, in_conversation=False, purpose="priming"),
    ),
    (
        events(
            "response.done",
            response=response("cancelled", status_details={"type": "cancelled", "reason": "turn_detected"}),
        ),
        ResponseDone("resp_1", ResponseStatus.CANCELLED, "turn_detected"),
    ),
    (
        events(
            "response.done",
            response=response(
                "incomplete", status_details={"type": "incomplete", "reason": "content_filter"}
            ),
        ),
        ResponseDone("resp_1", ResponseStatus.INCOMPLETE, "content_filter"),
    ),
    (
        events(
            "response.done",
            response=response(
                "failed",
                status_details={
                    "type": "failed",
                    "error": {"type": "invalid_request_error", "code": "insufficient_quota"},
                },
            ),
        ),
        ResponseDone("resp_1", ResponseStatus.FAILED, error_code="insufficient_quota"),
    ),
    (
        events(
            "response.done",
            response=response(
                "failed", status_details={"type": "failed", "error": {"type": "server_error", "code": None}}
            ),
        ),
        ResponseDone("resp_1", ResponseStatus.FAILED, error_code="server_error"),
    ),
    (
        events(
            "rate_limits.updated",
            rate_limits=[{"name": "tokens", "limit": 40000, "remaining": 38490, "reset_seconds": 2.265}],
        ),
        RateLimits({"tokens": (40000, 38490, 2.265)}),
    ),
    (
        events(
            "error",
            error={
                "type": "invalid_request_error",
                "code": "unknown_parameter",
                "message": "Unknown parameter: 'session.modalities'.",
                "param": "session.modalities",
                "event_id": "setup-1",
            },
        ),
        ModelError(
            "unknown_parameter",
            "invalid_request_error",
            "session.modalities",
            "Unknown parameter: 'session.modalities'.",
            "setup-1",
        ),
    ),
    (
        events(
            "error",
            error={
                "type": "server_error",
                "code": None,
                "message": "Sorry.",
                "param": None,
                "event_id": None,
            },
        ),
        ModelError("server_error", "server_error", message="Sorry."),
    ),
]

FLAT_ONLY: list[Sample] = [
    (events("session.created", session=FLAT_SESSION), SessionCreated("sess_1", 1767233035)),
    (
        events("session.updated", session=FLAT_SESSION),
        SessionUpdated("g711_ulaw", "g711_ulaw", "cedar", 1767233035),
    ),
    (
        events(
            "response.created",
            response={"id": "resp_1", "object": "realtime.response", "status": "in_progress"},
        ),
        ResponseCreated("resp_1"),
    ),
    (events("response.audio.delta", delta="/3//", **R, **I), AudioDelta("resp_1", "item_1", b"/3//")),
    (events("response.audio.done", **R, **I), AudioDone("resp_1", "item_1")),
    (
        events("response.audio_transcript.delta", delta="Ye", **R, **I),
        TranscriptDelta("resp_1", "item_1", "Ye"),
    ),
    (
        events("response.audio_transcript.done", transcript="Yes.", **R, **I),
        TranscriptDone("resp_1", "item_1", "Yes."),
    ),
    (events("response.text.delta", delta="o", **R, **I), TextDelta("resp_1", "item_1", "o")),
    (events("response.text.done", text="ok", **R, **I), None),
    (
        events(
            "response.output_item.done",
            item=message(
                "assistant", {"type": "text", "text": "Yes."}, {"type": "audio", "transcript": "No."}
            ),
            **R,
        ),
        OutputItemDone("resp_1", Item("item_1", "message", "completed", "assistant", text="Yes. No.")),
    ),
]

GA_ONLY: list[Sample] = [
    (events("session.created", session=GA_SESSION), SessionCreated("sess_1", 1767233035)),
    (
        events("session.updated", session=GA_SESSION),
        SessionUpdated("g711_ulaw", "g711_ulaw", "cedar", 1767233035),
    ),
    (
        events(
            "conversation.item.added",
            previous_item_id=None,
            item=message("user", {"type": "input_audio", "transcript": None}),
        ),
        ItemAdded(Item("item_1", "message", "completed", "user")),
    ),
    (
        events(
            "conversation.item.added",
            previous_item_id="item_0",
            item=message("system", {"type": "input_text", "text": "It is noon."}),
        ),
        ItemAdded(Item("item_1", "message", "completed", "system", text="It is noon."), "item_0"),
    ),
    (
        events(
            "conversation.item.done",
            previous_item_id=None,
            item=message("assistant", {"type": "output_audio", "transcript": "Yes."}),
        ),
        ItemDone(Item("item_1", "message", "completed", "assistant", text="Yes.")),
    ),
    (
        events(
            "conversation.item.done",
            item={"id": "item_3", "type": "function_call_output", "call_id": "call_1", "output": "{}"},
        ),
        ItemDone(Item("item_3", "function_call_output", call_id="call_1")),
    ),
    (
        events(
            "conversation.item.input_audio_transcription.segment",
            id="seg_1",
            text="hello",
            speaker="A",
            start=0.0,
            end=0.4,
            **I,
        ),
        None,
    ),
    (
        events(
            "input_audio_buffer.timeout_triggered", item_id="item_1", audio_start_ms=13216, audio_end_ms=19232
        ),
        TimeoutTriggered("item_1"),
    ),
    (events("input_audio_buffer.dtmf_event_received", event="9", received_at=1763605109), None),
    (events("response.output_audio.delta", delta="/3//", **R, **I), AudioDelta("resp_1", "item_1", b"/3//")),
    (events("response.output_audio.done", **R, **I), AudioDone("resp_1", "item_1")),
    (
        events("response.output_audio_transcript.delta", delta="Ye", obfuscation="z9A", **R, **I),
        TranscriptDelta("resp_1", "item_1", "Ye"),
    ),
    (
        events("response.output_audio_transcript.done", transcript="Yes.", **R, **I),
        TranscriptDone("resp_1", "item_1", "Yes."),
    ),
    (events("response.output_text.delta", delta="o", **R, **I), TextDelta("resp_1", "item_1", "o")),
    (events("response.output_text.done", text="ok", **R, **I), None),
    (events("mcp_list_tools.in_progress", item_id="item_9"), None),
    (events("mcp_list_tools.completed", item_id="item_9"), None),
    (events("mcp_list_tools.failed", item_id="item_9"), None),
    (events("response.mcp_call.in_progress", item_id="item_9", output_index=0), None),
    (events("response.mcp_call.completed", item_id="item_9", output_index=0), None),
    (events("response.mcp_call.failed", item_id="item_9", output_index=0), None),
    (events("response.mcp_call_arguments.delta", item_id="item_9", delta="{", **R), None),
    (events("response.mcp_call_arguments.done", item_id="item_9", arguments="{}", **R), None),
    (events("output_audio_buffer.started", response_id="resp_1"), None),
    (events("output_audio_buffer.stopped", response_id="resp_1"), None),
    (events("output_audio_buffer.cleared", response_id="resp_1"), None),
    (events("conversation.created", conversation={"id": "conv_1", "object": "realtime.conversation"}), None),
]

SAMPLES: dict[Dialect, list[Sample]] = {Dialect.FLAT: SAME + FLAT_ONLY, Dialect.GA: SAME + GA_ONLY}
