"""What holds in every call, however strange: random orders, duplicates and foreign ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.engine import CallEngine
from llcphone.engine.commands import Dial, SendModel, SendPhone
from llcphone.realtime.events import SpeechStarted
from llcphone.realtime.messages import AppendAudio, DeleteItem, Truncate
from llcphone.twilio.media import CallerAudio
from tests.engine.chaos import Moment, any_calls, as_event, dial_plans, live_calls, outbound_calls, setups
from tests.engine.judge import Judge
from tests.engine.script import SESSION, TOOLS, Commands, Ear, delta, done, item_done, live
from tests.engine.setups import call_setup, recovery_plan

if TYPE_CHECKING:
    from llcphone.engine.call_setup import CallSetup, DialPlan

Facts = dict[str, object]


def make_setup(facts: Facts) -> CallSetup:
    off = recovery_plan(enabled=False)  # a lost session takes its debts with it: dialogues of its own
    silent = frozenset({"note_down"})
    return call_setup(session=SESSION, recovery=off, tools=TOOLS, silent_tools=silent, **facts)


def watched(facts: Facts, moments: list[Moment]) -> Judge:
    """Play the moments to an engine under the judge's eyes."""
    judge, now_ms = Judge(make_setup(facts)), 0
    for wait_ms, thing in moments:
        now_ms += wait_ms
        judge.sees(as_event(thing, judge.engine.state.session.leg_number), now_ms)
    judge.settle(now_ms)
    return judge


@settings(max_examples=40, deadline=None)
@given(setups, live_calls)
def test_a_conversation_keeps_every_rule_in_any_order_of_events(facts: Facts, moments: list[Moment]) -> None:
    watched(facts, moments)


@settings(max_examples=40, deadline=None)
@given(setups, any_calls)
def test_a_call_keeps_every_rule_however_it_begins_and_ends(facts: Facts, moments: list[Moment]) -> None:
    watched(facts, moments)


@settings(max_examples=40, deadline=None)
@given(setups, dial_plans, outbound_calls)
def test_an_outbound_call_keeps_every_rule_whatever_the_carrier_says(
    facts: Facts, plan: DialPlan, moments: list[Moment]
) -> None:
    judge = watched(facts | {"dial": plan}, moments)
    assert sum(isinstance(command, Dial) for _, _, commands in judge.tape for command in commands) <= 1


@settings(max_examples=20, deadline=None)
@given(setups, st.one_of(live_calls, any_calls))
def test_the_same_events_give_a_second_engine_the_same_commands(facts: Facts, moments: list[Moment]) -> None:
    judge = watched(facts, moments)
    again = CallEngine(make_setup(facts))
    for event, now_ms, commands in judge.tape:
        assert again.handle(event, now_ms) == commands


@settings(max_examples=20, deadline=None)
@given(setups, st.one_of(live_calls, any_calls))
def test_the_short_way_of_a_frame_decides_what_the_long_way_decides(
    facts: Facts, moments: list[Moment]
) -> None:
    judge = watched(facts, moments)
    short = CallEngine(make_setup(facts))
    for event, now_ms, commands in judge.tape:
        if isinstance(event, CallerAudio) and short.ended is None:
            heard = short.hear(event.payload, now_ms)
            assert commands == ([] if heard is None else [SendModel(AppendAudio(heard))])
        else:
            assert short.handle(event, now_ms) == commands
    long = judge.engine
    assert (short.state.frames, short.state.appended_bytes) == (long.state.frames, long.state.appended_bytes)
    assert short.state.gate.held_back == long.state.gate.held_back
    assert short.next_deadline_ms == long.next_deadline_ms


pieces = st.lists(
    st.tuples(st.integers(0, 500), st.sampled_from(["delta", "delta", "delta", "next item", "filler"])),
    min_size=1,
    max_size=12,
)


def play(steps: list[tuple[int, str]], *, echoes: list[bool]) -> tuple[Ear, dict[str, int]]:
    """Speak to an ear; gives it and how much audio each item has."""
    ear, item, lengths = Ear(live()), 1, {"i1": 0}
    for number, (ms, what) in enumerate(steps):
        ear.plays_until(ear.now_ms + (ms * 7) % 311, echoes=echoes[number % len(echoes)])
        match what:
            case "delta":
                ear.sees(delta(ms, f"i{item}"))
                lengths[f"i{item}"] += ms
            case "next item":
                ear.sees(item_done(f"i{item}"))
                item += 1
                lengths[f"i{item}"] = 0
            case "filler":
                messages = ear.call.engine.state.talk.playout.filler(b"////" * (ms // 3 * 8), ear.now_ms)
                ear.takes(Commands(SendPhone(message) for message in messages))
    ear.sees(item_done(f"i{item}"), done("r1"))
    return ear, lengths


@settings(max_examples=40, deadline=None)
@given(pieces, st.integers(0, 3_000))
def test_a_cut_is_where_the_ear_stopped_hearing_to_the_millisecond(
    steps: list[tuple[int, str]], wait_ms: int
) -> None:
    ear, lengths = play(steps, echoes=[True])
    ear.at(ear.now_ms + wait_ms)
    cut = ear.call.sees(SpeechStarted("u2"))
    left = ear.heard_ms
    expected: list[object] = []
    for item, length in lengths.items():
        heard, left = min(left, length), left - min(left, length)
        if heard < length:
            expected.append(Truncate(item, heard) if heard else DeleteItem(item))
    assert cut.model == expected


@settings(max_examples=40, deadline=None)
@given(pieces, st.lists(st.booleans(), min_size=1, max_size=6), st.integers(0, 3_000))
def test_with_echoes_lost_never_more_is_claimed_than_the_ear_heard(
    steps: list[tuple[int, str]], echoes: list[bool], wait_ms: int
) -> None:
    ear, lengths = play(steps, echoes=echoes)
    ear.plays_until(ear.now_ms + wait_ms, echoes=echoes[0])
    claimed = sum(ear.call.engine.state.talk.playout.heard_ms(item, ear.now_ms) for item in lengths)
    assert claimed <= ear.heard_ms
