"""What holds in every call whose model is lost at any moment, as often as it likes.

Every rule of the judge holds here too, each session judged by itself: what it was never told it is not
owed. Ids of responses, items and calls are made the session's own, as the vendor's are.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.engine import events
from llcphone.engine.commands import Command, ConnectModel, RunTool, SendModel
from llcphone.realtime import events as model_events
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.messages import AppendAudio, ToolCall, UpdateSession, UserAudio
from llcphone.twilio.media import CallerAudio
from tests.engine.chaos import Moment, opened, scenes, setups, waits
from tests.engine.judge import Judge
from tests.engine.script import SESSION, TOOLS, ULAW, frame
from tests.engine.setups import call_setup, recovery_plan

if TYPE_CHECKING:
    from llcphone.engine.events import Event

Facts = dict[str, Any]

SAYING = base64.b64encode(b"\x33" * 800)
PLAN = recovery_plan(filler=(SAYING,), apology=(SAYING,))


@attrs.frozen
class Connected:
    """The leg that was asked for last is open."""


@attrs.frozen
class Failed:
    """It could not be opened."""


@attrs.frozen
class Lost:
    """The present leg ends."""


losses = st.sampled_from([Lost(), Lost(), model_events.ModelError("session_expired")])
rebirths = st.builds(
    lambda loss, failures, upto: [loss, *[Failed()] * failures, Connected(), ULAW][:upto],
    losses,
    st.sampled_from([0, 0, 0, 1, 2]),
    st.sampled_from([1, 2, 9, 9, 9, 9]),
)
heard = st.integers(1, 6).map(lambda count: [CallerAudio(frame())] * count)


@st.composite
def broken_calls(draw: st.DrawFn) -> list[Moment]:
    """Calls that get as far as a conversation, and lose their model again and again."""
    told = draw(st.lists(st.one_of(scenes, scenes, rebirths, heard), min_size=5, max_size=16))
    return opened + [(draw(waits), thing) for things in told for thing in things]


class RecoveringJudge(Judge):
    """A judge who knows that a new session has been told only what it was told."""

    def _check(self, command: Command, event: Event, now_ms: int) -> None:
        match command:
            case ConnectModel():
                self._new_session()
            case SendModel(ToolCall(call_id)):
                self.owed.add(call_id)
            case SendModel(message):
                ready = self.engine.state.session.ready
                assert ready or isinstance(message, UpdateSession), "not configured, not spoken to"
            case _:
                pass
        super()._check(command, event, now_ms)

    def _new_session(self) -> None:
        self.open_responses.clear()
        self.active, self.create_ms = "", None
        self.speaking = self.deciding = self.stopped = False
        self.answers.clear()
        self.owed.clear()

    def settle(self, now_ms: int) -> None:
        for call_id in sorted(self.running):
            self.sees(events.ToolFinished(call_id, "1"), now_ms)
        if self.engine.ended is None and self.engine.state.session.ready:
            assert {call_id for call_id, count in self.answers.items() if count == 1} == self.owed

    def meets(self, thing: object, now_ms: int) -> list[Command]:
        """What happens, in the words and with the ids of the present session."""
        leg_number = self.engine.state.session.leg_number
        match thing:
            case Connected():
                event: Any = events.ModelConnected(leg_number, Dialect.GA)
            case Failed():
                event = events.ModelConnectFailed(leg_number, "refused")
            case Lost():
                event = events.ModelLegLost(leg_number)
            case events.ToolFinished(call_id):
                known = [each for each in self.running if each.startswith(call_id)]
                event = attrs.evolve(thing, call_id=known[-1] if known else call_id)
            case _ if isinstance(thing, model_events.ModelEvent):
                event = events.ModelSaid(leg_number, of_session(thing, leg_number))
            case _:
                event = thing
        return self.sees(event, now_ms)


def of_session(thing: Any, leg_number: int) -> Any:
    """The same words with ids of this session."""
    changes: Facts = {}
    for name in ("response_id", "item_id", "call_id", "id"):
        if getattr(thing, name, ""):
            changes[name] = f"{getattr(thing, name)}.{leg_number}"
    if isinstance(getattr(thing, "items", None), tuple):
        changes["items"] = tuple(of_session(item, leg_number) for item in thing.items)
    if isinstance(getattr(thing, "item", None), model_events.Item):
        changes["item"] = of_session(thing.item, leg_number)
    return attrs.evolve(thing, **changes)


def watched(facts: Facts, moments: list[Moment]) -> RecoveringJudge:
    facts = {"recovery": PLAN, "tools": TOOLS, "silent_tools": frozenset({"note_down"}), **facts}
    judge, now_ms = RecoveringJudge(call_setup(session=SESSION, **facts)), 0
    for wait_ms, thing in moments:
        now_ms += wait_ms
        judge.meets(thing, now_ms)
    judge.settle(now_ms)
    return judge


@settings(max_examples=60, deadline=None)
@given(setups, broken_calls())
def test_a_call_that_loses_its_model_keeps_every_rule(facts: Facts, moments: list[Moment]) -> None:
    watched(facts, moments)


@settings(max_examples=30, deadline=None)
@given(setups, broken_calls())
def test_the_caller_is_greeted_once_and_every_tool_runs_once(facts: Facts, moments: list[Moment]) -> None:
    judge = watched(facts, moments)
    greetings = [
        turn for turn in judge.engine.state.talk.timings.turns if turn.asked == "greeting" and turn.sent_ms
    ]
    assert len(greetings) <= 1
    runs = [command.call_id for *_, out in judge.tape for command in out if isinstance(command, RunTool)]
    assert len(runs) == len(set(runs))


@settings(max_examples=30, deadline=None)
@given(setups, broken_calls())
def test_every_gap_but_the_last_was_closed(facts: Facts, moments: list[Moment]) -> None:
    engine = watched(facts, moments).engine
    for gap in engine.policies.recovery.gaps:
        assert gap.restored_ms is None or gap.restored_ms - gap.at_ms >= 0
    restored = [gap.restored_ms for gap in engine.policies.recovery.gaps]
    assert None not in restored[:-1]
    assert engine.policies.recovery.given_up is None or engine.ended or engine.state.hanging_up


pieces = st.lists(
    st.sampled_from(["frames", "frames", "frames", "begin", "end", "answer", "lose", "restore", "fail"]),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(pieces)
def test_of_what_the_caller_says_nothing_is_lost_and_nothing_is_out_of_order(steps: list[str]) -> None:
    facts: Facts = {"greets": False, "recovery": recovery_plan(most=100)}
    judge = RecoveringJudge(call_setup(session=SESSION, **facts))
    for _, thing in opened:
        judge.meets(thing, 0)
    spoken, turn = 0, 0
    for number, step in enumerate(steps):
        match step:
            case "frames":
                for _ in range(3):
                    judge.meets(CallerAudio(frame(spoken)), number)
                    spoken += 1
            case "begin":
                turn += 1
                judge.meets(model_events.SpeechStarted(f"u{turn}"), number)
            case "end":
                ends_ms = max(0, judge.engine.state.appended_bytes // 8 - 20)  # the last frame came later
                judge.meets(model_events.SpeechStopped(f"u{turn}", ends_ms), number)
                judge.meets(model_events.InputCommitted(f"u{turn}"), number)
            case "answer":
                judge.meets(model_events.ResponseCreated(f"r{number}", True, ""), number)
            case "lose":
                judge.meets(Lost(), number)
            case "fail":
                judge.meets(Failed(), number)
            case "restore":
                judge.meets(Connected(), number)
                judge.meets(ULAW, number)
    for thing in (Connected(), ULAW):
        judge.meets(thing, len(steps))
    sessions: list[list[int]] = [[]]
    told: set[int] = set()
    for *_, commands in judge.tape:
        for command in commands:
            match command:
                case SendModel(UpdateSession()):
                    sessions.append([])
                case SendModel(AppendAudio(payload)):
                    sessions[-1].append(base64.b64decode(payload)[0])
                case SendModel(UserAudio(payload)):
                    told.update(base64.b64decode(payload))
    for numbers in sessions:
        assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else True
    assert {number for numbers in sessions for number in numbers} == set(range(spoken))
    last = sessions[-1]
    assert not spoken or not last or last[-1] == spoken - 1
