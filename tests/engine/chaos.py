"""Random calls: every event in any order, twice, with foreign ids, at any time.

Ids carry what is fixed about them: response ``r2`` is of the conversation and ``x1`` out of band,
item ``r2-i1`` and calls ``c…`` belong where they say. Everything else is left to chance.
"""

from __future__ import annotations

import base64

from hypothesis import strategies as st

from llcphone.engine import events
from llcphone.engine.call_setup import MachinePolicy
from llcphone.engine.events import EndReason, Event
from llcphone.realtime import events as model_events
from llcphone.realtime.dialects import Dialect
from llcphone.twilio import media
from tests.engine.script import ALL_TOOLS, LATER, STARTED, ULAW, frame, has_answer, speech, wants
from tests.engine.setups import dial_plan, echo_plan, silence_plan, tool_plan, tool_rule

Moment = tuple[int, object]
"""Milliseconds after the moment before, and what happened."""

CODES = """conversation_already_has_active_response response_cancel_not_active server_error
rate_limit_exceeded cannot_update_voice input_audio_buffer_commit_empty something_new"""

STATUSES = "queued initiated ringing in-progress in-progress completed busy no-answer"

responses = st.sampled_from(["r1", "r2", "r3", "r4"])
purposes = st.sampled_from(["", "", "tools", "greeting"])
in_band = st.builds(model_events.ResponseCreated, responses, st.just(True), purposes)
out_of_band = st.builds(
    model_events.ResponseCreated, st.just("x1"), st.just(False), st.sampled_from(["", "priming"])
)
item_of = responses.flatmap(lambda r: st.tuples(st.just(r), st.sampled_from([f"{r}-i1", f"{r}-i2"])))
audio = st.integers(0, 4_000).map(lambda size: base64.b64encode(b"\x55" * size))
call_items = st.builds(
    wants,
    st.sampled_from(["c1", "c2", "c3", "c4"]),
    st.sampled_from(["look_up", "note_down", "fly"]),
    st.sampled_from(["completed", "incomplete"]),
)
statuses = st.sampled_from(
    [model_events.ResponseStatus.COMPLETED] * 4
    + [
        model_events.ResponseStatus.CANCELLED,
        model_events.ResponseStatus.INCOMPLETE,
        model_events.ResponseStatus.FAILED,
    ]
)


@st.composite
def response_ends(draw: st.DrawFn, of: str = "") -> model_events.ResponseDone:
    response, item = (of, f"{of}-i2") if of else draw(item_of)
    words = st.just(model_events.Item(item, "message", "completed"))
    items = draw(st.lists(st.one_of(words, call_items), max_size=3))
    return model_events.ResponseDone(response, draw(statuses), items=tuple(items))


endings = response_ends()
turns = st.sampled_from(
    [
        model_events.SpeechStarted("u1"),
        model_events.SpeechStopped("u1", 500),
        model_events.InputCommitted("u1"),
        model_events.InputCommitted("u2", "u1"),
        model_events.CallerTranscript("u1", "hel", final=False),
        model_events.CallerTranscript("u2", "hello", final=True),
        model_events.TimeoutTriggered("u2"),
    ]
)
model_words = st.one_of(
    turns,
    turns,
    in_band,
    in_band,
    item_of.flatmap(
        lambda pair: st.builds(model_events.AudioDelta, st.just(pair[0]), st.just(pair[1]), audio)
    ),
    item_of.flatmap(
        lambda pair: st.builds(model_events.AudioDelta, st.just(pair[0]), st.just(pair[1]), audio)
    ),
    endings,
    endings,
    out_of_band,
    item_of.map(lambda pair: model_events.AudioDone(*pair)),
    item_of.map(
        lambda pair: model_events.OutputItemDone(pair[0], model_events.Item(pair[1], "message", "completed"))
    ),
    item_of.map(lambda pair: model_events.TranscriptDelta(*pair, "some ")),
    item_of.map(lambda pair: model_events.TranscriptDone(*pair, "some words of it")),
    st.sampled_from(CODES.split()).map(model_events.ModelError),
    st.sampled_from(
        [
            has_answer("c1"),
            has_answer("c2"),
            model_events.UnknownModelEvent("new"),
            model_events.AudioDelta("x1", "x1-i1", frame()),
            model_events.ResponseDone("x1", model_events.ResponseStatus.COMPLETED, in_conversation=False),
            ULAW,
        ]
    ),
)
happenings = st.one_of(
    model_words,
    model_words,
    model_words,
    st.builds(media.MarkEchoed, st.sampled_from([f"p{n}" for n in range(1, 12)])),
    st.builds(events.ToolFinished, st.sampled_from(["c1", "c2", "c3", "c4", "c9"]), st.just("1")),
    st.sampled_from([media.CallerAudio(frame(1)), media.Digit("1"), media.UnknownPhoneMessage("new")]),
    st.just(events.Tick()),
    st.sampled_from([media.CallerAudio(frame(2)), events.HangUpAsked(), events.Tick()]),
    st.sampled_from([events.HangUpAsked(EndReason.TRANSFERRED), events.DigitsAsked((speech(210),))]),
    st.sampled_from([events.TurnCommitted(), events.TurnCleared()]),
    st.sampled_from([events.InterruptAsked(), events.ResponseAsked()]),
)
endings_of_calls = st.sampled_from(
    [
        media.StreamStopped(),
        events.PhoneLegLost(),
        events.EndAsked(EndReason.DRAINED),
        events.ModelLegLost(1),
    ]
)
beginnings: st.SearchStrategy[object] = st.one_of(
    st.builds(events.ModelConnected, st.integers(0, 3), st.sampled_from(Dialect)),
    st.builds(events.ModelConnectFailed, st.integers(0, 3), st.just("refused")),
    st.builds(events.ModelLegLost, st.integers(0, 3), st.sampled_from([1006, 1011])),
    st.sampled_from(
        [
            ULAW,
            ULAW,
            model_events.ModelError("beta_api_shape_disabled"),
            model_events.ModelError("server_error"),
        ]
    ),
    st.sampled_from([events.StreamJoined(), STARTED, media.StreamConnected()]),
)

carriers = st.one_of(
    st.builds(
        events.CarrierStatus,
        st.sampled_from(STATUSES.split()),
        st.integers(0, 5),
        st.just("CA1"),
    ),
    st.builds(
        events.MachineDetected,
        st.sampled_from(["human", "machine_start", "machine_end_beep", "machine_end_beep", "fax", "unknown"]),
    ),
    st.sampled_from([events.Dialled("CA1"), events.DialFailed("21211")]),
)
dial_plans = st.builds(
    dial_plan,
    at_once=st.booleans(),
    machine=st.sampled_from(MachinePolicy),
    message=st.sampled_from([(), (frame(), frame())]),
    patience_ms=st.sampled_from([0, 1_500]),
)

waits_for_tools = tool_plan(
    (
        tool_rule("look_up", 1_000, goes_on=True, deliver=True, irreversible=True),
        tool_rule("note_down", 500),
    ),
    filler_after_ms=700,
    filler_every_ms=1_500,
    filler=(frame(3), frame(4)),
)

waits = st.sampled_from([0, 0, 0, 0, 20, 20, 90, 200, 333, 700, 1_500, 4_000])
setups = st.fixed_dictionaries(
    {
        "greets": st.booleans(),
        "priming": st.booleans(),
        "pad_ms": st.sampled_from([0, 500]),
        "create_response": st.sampled_from([True, True, False]),
        "interrupt_response": st.sampled_from([True, True, True, False]),
        "dialect": st.sampled_from([None, Dialect.GA]),
        "schedule": st.sampled_from([(), (ALL_TOOLS,), (LATER,), (ALL_TOOLS, LATER)]),
        "tool_plan": st.sampled_from([tool_plan(), waits_for_tools]),
        "echo": st.sampled_from([echo_plan(), echo_plan(), echo_plan(mute_ms=300, after_ms=600)]),
        "silence": st.sampled_from([silence_plan(), silence_plan(after_ms=1_500, prompts=1)]),
    }
)
opened: list[Moment] = [
    (0, events.Born()),
    (0, events.ModelConnected(1, Dialect.GA)),
    (0, ULAW),
    (0, events.StreamJoined()),
    (0, STARTED),
]


@st.composite
def caller_turns(draw: st.DrawFn) -> list[object]:
    """The caller speaks; the turn may break off anywhere."""
    item = draw(st.sampled_from(["u1", "u2", "u3"]))
    turn = [
        model_events.SpeechStarted(item),
        model_events.SpeechStopped(item, 500),
        model_events.InputCommitted(item),
    ]
    return turn[: draw(st.sampled_from([1, 2, 3, 3, 3, 3]))]


@st.composite
def answers(draw: st.DrawFn) -> list[object]:
    """A response as servers tell it; it may break off, and the caller may cut in."""
    response, item = draw(item_of)
    told: list[object] = [
        draw(st.builds(model_events.ResponseCreated, st.just(response), st.just(True), purposes))
    ]
    told += [model_events.AudioDelta(response, item, draw(audio)) for _ in range(draw(st.integers(0, 4)))]
    told += draw(st.sampled_from([[], [], [model_events.SpeechStarted("u3")]]))
    told.append(model_events.OutputItemDone(response, model_events.Item(item, "message", "completed")))
    told.append(draw(response_ends(response)))
    return told[: draw(st.sampled_from([len(told)] * 5 + [1, 3]))]


@st.composite
def tool_answers(draw: st.DrawFn) -> list[object]:
    """Tools answer, and the server says that it has their answers, or not."""
    calls = draw(st.lists(st.sampled_from(["c1", "c2", "c3", "c4"]), min_size=1, max_size=3))
    told: list[object] = [events.ToolFinished(call_id, "1") for call_id in calls]
    return told + [has_answer(call_id) for call_id in calls if draw(st.booleans())]


noise = st.lists(happenings, min_size=1, max_size=2)
alarms = st.just([events.Tick()])
scenes = st.one_of(caller_turns(), answers(), answers(), tool_answers(), noise, alarms)


def in_time(draw: st.DrawFn, *scene: st.SearchStrategy[list[object]]) -> list[Moment]:
    """Scenes one after the other, each moment after a wait of its own."""
    told = [
        thing for things in draw(st.lists(st.one_of(*scene), min_size=5, max_size=14)) for thing in things
    ]
    return [(draw(waits), thing) for thing in told]


@st.composite
def conversations(draw: st.DrawFn) -> list[Moment]:
    return in_time(draw, scenes)


@st.composite
def conversations_that_begin_again(draw: st.DrawFn) -> list[Moment]:
    return in_time(draw, scenes, scenes, st.lists(beginnings, min_size=1, max_size=3))


@st.composite
def conversations_with_a_carrier(draw: st.DrawFn) -> list[Moment]:
    return in_time(draw, scenes, scenes, st.lists(carriers, min_size=1, max_size=3))


live_calls = conversations().map(lambda moments: opened + moments)
"""Calls that got as far as a conversation."""
any_calls = st.builds(
    lambda first, rest, last: [(0, events.Born()), *first, *rest, *last],
    st.lists(st.tuples(waits, beginnings), min_size=2, max_size=12),
    conversations_that_begin_again(),
    st.lists(st.tuples(waits, st.one_of(endings_of_calls, happenings)), max_size=4),
)
"""Calls that may never begin, begin twice, or end in the middle."""

outbound_calls = st.builds(
    lambda at, rest: opened[:at] + rest,
    st.integers(0, 5),
    conversations_with_a_carrier(),
)
"""Calls that ring somebody, told from any point of their beginning on."""


def as_event(thing: object, leg_number: int) -> Event:
    """The model's words, in the mouth of this leg."""
    return events.ModelSaid(leg_number, thing) if isinstance(thing, model_events.ModelEvent) else thing  # type: ignore[return-value]
