"""What is said to GPT-Live: the official package judges every event, and what has no place is not sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.live.encode import ITEM_BYTES
from llcphone.live.tokens import APPEND_TOKENS, estimated_tokens
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import BackendDone, SessionUpdated
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
    Speak,
    SystemText,
    ToolCall,
    ToolOutput,
    Truncate,
    UpdateSession,
    UserAudio,
    UserText,
)
from tests.live_protocol.samples import CALL, SESSION, backend, response, sent, usual_codec
from tests.official_types import judge_live_client

if TYPE_CHECKING:
    from llcphone.live.codec import LiveCodec

START = {key: value for key, value in SESSION.items() if key not in ("id", "expires_at", "status")}
TOOL = {"type": "function", "name": "look_up", "description": "Look.", "parameters": {"type": "object"}}
TOOLS = {"delegation": {"type": "responses", "responses": {"tools": [TOOL]}}}


def started() -> LiveCodec:
    """A leg whose session is open."""
    codec = usual_codec()
    codec.encode(UpdateSession(START, "setup-1"))
    (event,) = codec.decode(sent({"type": "session.started", "session": SESSION}))
    assert isinstance(event, SessionUpdated)
    return codec


def wire(codec: LiveCodec, message: ModelMessage) -> dict[str, Any]:
    """The message as the server reads it, judged."""
    encoded = codec.encode(message)
    assert encoded is not None
    event: dict[str, Any] = json.loads(encoded)
    judge_live_client(event)
    return event


def calls(codec: LiveCodec, *call_ids: str, response_id: str = "resp_1") -> None:
    """The backend has called functions and waits for their answers."""
    codec.decode(sent(backend("response.created", response=response("in_progress", id=response_id))))
    for call_id in call_ids:
        item = CALL | {"call_id": call_id, "id": "item_" + call_id}
        codec.decode(sent(backend("response.output_item.done", item=item)))
    (done,) = codec.decode(
        sent(backend("response.completed", response=response("completed", id=response_id)))
    )
    assert isinstance(done, BackendDone)
    assert [item.call_id for item in done.items] == list(call_ids)


# -- every message ------------------------------------------------------------------------------

CONTEXT = {"delegation_id": None}
SENT: list[tuple[ModelMessage, dict[str, Any]]] = [
    (AppendAudio(b"/3//"), {"type": "session.input_audio.append", "audio": "/3//"}),
    (
        UpdateSession(TOOLS, "tools-1"),
        {"type": "session.update", "event_id": "tools-1", "session": TOOLS},
    ),
    (
        UpdateSession(TOOLS | {"instructions": "New."}),
        {"type": "session.update", "session": TOOLS},
    ),
    (
        Speak("Greet the caller.", "greeting"),
        {
            "type": "session.commentary.append",
            "event_id": "ask-greeting-1",
            "content": "Greet the caller.",
            **CONTEXT,
        },
    ),
    (SystemText("It is noon."), {"type": "session.thinking.append", "content": "It is noon.", **CONTEXT}),
    (UserText("Hi"), {"type": "session.thinking.append", "content": "Hi", **CONTEXT}),
    (
        ToolCall("call_9", "look_up", '{"a":1}'),
        {
            "type": "session.thinking.append",
            "content": 'The tool look_up was called with {"a":1}.',
            **CONTEXT,
        },
    ),
    (
        ToolOutput("call_9", "7"),
        {"type": "session.thinking.append", "content": "The tool has answered: 7", **CONTEXT},
    ),
    (CreateResponse("tools"), {"type": "response.create"}),
    (
        CancelResponse(),
        {
            "type": "session.instructions.append",
            "event_id": "stop-1",
            "content": "Stop speaking now and wait.",
            **CONTEXT,
        },
    ),
]
NOT_SENT: list[ModelMessage] = [
    UpdateSession({"instructions": "New."}),
    CreateResponse(),
    CreateResponse("greeting"),
    CreateResponse("priming", priming=True),
    CreateResponse("tools", priming=True),
    CancelResponse("setup-1-u1"),
    AskAside("Summarise the call.", "summary"),
    AssistantText("Hello.", item_id="mine_2"),
    UserAudio(b"/3//"),
    Truncate("item_1", 740),
    DeleteItem("item_1"),
    ClearInput(),
    CommitInput(),
]


def test_every_kind_of_message_stands_in_a_list() -> None:
    kinds = {type(message) for message, _ in SENT} | {type(message) for message in NOT_SENT}
    assert kinds == set(get_args(ModelMessage))


@pytest.mark.parametrize(("message", "event"), SENT, ids=lambda each: type(each).__name__)
def test_a_message_is_one_event_that_the_official_package_knows(
    message: ModelMessage, event: dict[str, Any]
) -> None:
    assert wire(started(), message) == event


@pytest.mark.parametrize("message", NOT_SENT, ids=repr)
def test_what_gpt_live_has_no_place_for_is_not_sent(message: ModelMessage) -> None:
    assert started().encode(message) is None


def test_the_first_message_starts_the_session_with_all_of_it() -> None:
    event = wire(usual_codec(), UpdateSession(START, "setup-1"))
    assert event == {"type": "session.start", "event_id": "setup-1", "session": START}


def test_until_the_session_is_open_an_update_starts_it_again() -> None:
    codec = usual_codec()
    codec.encode(UpdateSession(START, "setup-1"))
    assert wire(codec, UpdateSession(START, "setup-1-opening"))["type"] == "session.start"


def test_the_end_of_a_leg_closes_the_session() -> None:
    event = json.loads(started().bye())
    judge_live_client(event)
    assert event == {"type": "session.close"}


def test_a_frame_between_prefix_and_end_is_the_message() -> None:
    codec = started()
    assert codec.dialect is Dialect.LIVE
    assert codec.append_prefix + b"/3//" + codec.append_end == codec.encode(AppendAudio(b"/3//"))


def test_asks_have_ids_of_their_own() -> None:
    codec = started()
    ids = [
        wire(codec, Speak("Hello?", purpose))["event_id"] for purpose in ("greeting", "silence", "silence")
    ]
    assert ids == ["ask-greeting-1", "ask-silence-2", "ask-silence-3"]


@settings(max_examples=30)
@given(st.text(st.sampled_from("word é漢"), min_size=1_000, max_size=4_000))
def test_no_append_is_longer_than_the_server_takes(text: str) -> None:
    codec = started()
    for message in (Speak(text, "silence"), SystemText(text), ToolCall("c", "look_up", text)):
        assert estimated_tokens(wire(codec, message)["content"]) <= APPEND_TOKENS


# -- answers of tools ---------------------------------------------------------------------------


def test_the_answer_to_a_call_of_the_backend_is_an_item_of_it() -> None:
    codec = started()
    calls(codec, "call_1", "call_2")
    assert wire(codec, ToolOutput("call_2", '{"open":true}')) == {
        "type": "response.item.create",
        "event_id": OUTPUT_EVENT + "call_2",
        "item": {"type": "function_call_output", "call_id": "call_2", "output": '{"open":true}'},
    }


def test_a_second_answer_to_a_call_is_only_told() -> None:
    codec = started()
    calls(codec, "call_1")
    wire(codec, ToolOutput("call_1", "7"))
    assert wire(codec, ToolOutput("call_1", "8"))["type"] == "session.thinking.append"


def test_calls_of_a_response_that_failed_are_not_answered() -> None:
    codec = started()
    codec.decode(sent(backend("response.created", response=response("in_progress"))))
    codec.decode(sent(backend("response.output_item.done", item=CALL)))
    codec.decode(sent(backend("response.failed", response=response("failed"))))
    assert wire(codec, ToolOutput("call_1", "7"))["type"] == "session.thinking.append"


def item_bytes(item: dict[str, Any]) -> int:
    """As the server counts."""
    return len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize("letter", ["x", "漢", '"', "\\", "\n"])
def test_a_long_answer_is_cut_and_says_so(letter: str) -> None:
    codec = started()
    calls(codec, "call_1")
    item = wire(codec, ToolOutput("call_1", letter * 10_000))["item"]
    assert item["output"].endswith(" [cut]")
    size = len(json.dumps(item["output"], ensure_ascii=False).encode())
    assert ITEM_BYTES - 4 < size <= ITEM_BYTES


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.integers(0, 4_000), min_size=1, max_size=4), max_size=30), st.integers(4_096, 32_768)
)
def test_all_answers_together_stay_within_the_sessions_room(batches: list[list[int]], room: int) -> None:
    codec = usual_codec(backend_bytes=room)
    codec.encode(UpdateSession(START, "setup-1"))
    codec.decode(sent({"type": "session.started", "session": SESSION}))
    total, placeholders = 0, 0
    for number, sizes in enumerate(batches):
        names = [f"call_{number}_{each}" for each in range(len(sizes))]
        calls(codec, *names, response_id=f"resp_{number}")
        for name, size in zip(names, sizes, strict=True):
            item = wire(codec, ToolOutput(name, "x" * size))["item"]
            assert item["call_id"] == name
            placeholders += item["output"].startswith("No room") and item_bytes(item)
            total += item_bytes(item)
    if placeholders <= room // 8:
        assert total <= room
    if sum(map(sum, batches)) + 150 * sum(map(len, batches)) < room * 7 // 8:
        assert not placeholders
