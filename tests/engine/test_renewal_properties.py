"""What holds in every call whose sessions are replaced, planned or not, at any moment.

Sessions are renewed every second here, and lost in between. Every rule of the judge holds, each session
judged by itself; and a planned switch is never heard, asks for nothing and loses no frame.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llcphone.audio import silence_payload
from llcphone.engine import events
from llcphone.engine.commands import (
    CloseModel,
    Command,
    ConnectModel,
    ConnectStandby,
    EndCall,
    Note,
    SendModel,
    SendPhone,
    SendStandby,
    SwitchModel,
)
from llcphone.engine.tape.recorder import Recorder, replay
from llcphone.realtime import events as model_events
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.messages import (
    AppendAudio,
    AskAside,
    CancelResponse,
    CreateResponse,
    UpdateSession,
    UserAudio,
)
from llcphone.twilio.media import CallerAudio, Mark, MarkEchoed
from tests.engine.chaos import Moment, opened, scenes, setups, waits
from tests.engine.script import SESSION, TOOLS, ULAW, frame, speech
from tests.engine.setups import call_limits, call_setup, recovery_plan, renewal_plan, silence_plan
from tests.engine.test_recovery_properties import (
    PLAN,
    Connected,
    Failed,
    Lost,
    RecoveringJudge,
    heard,
    losses,
)

if TYPE_CHECKING:
    from llcphone.engine.call_setup import CallSetup, RenewalPlan
    from llcphone.engine.events import Event

Facts = dict[str, Any]


@attrs.frozen
class NextSays:
    """The successor's leg: it opens, is configured, speaks unasked, fails or is lost."""

    what: str


@attrs.frozen
class Summary:
    """The present session answers what it was asked aside."""


@attrs.frozen
class Played:
    """The telephone has played all that it was sent, and returns the marks."""


class RenewingJudge(RecoveringJudge):
    """A judge who keeps an account of the legs, too."""

    def __init__(self, setup: CallSetup) -> None:
        super().__init__(setup)
        self.legs: set[int] = set()
        self.standby = 0
        self.planned = 0
        self.marks: list[str] = []

    def sees(self, event: Event, now_ms: int) -> list[Command]:
        gaps = len(self.engine.policies.recovery.gaps)
        if isinstance(event, events.ModelConnectFailed | events.ModelLegLost):
            self.legs.discard(event.leg_number)  # its task is over
        commands = super().sees(event, now_ms)
        phone = [each.message for each in commands if isinstance(each, SendPhone)]
        self.marks += [each.name for each in phone if isinstance(each, Mark)]
        lost = len(self.engine.policies.recovery.gaps) > gaps
        if any(isinstance(each, SwitchModel) for each in commands) and not lost:
            self.planned += 1
            assert all(isinstance(each, Mark) for each in phone), "nobody hears it"
            sent = [each.message for each in commands if isinstance(each, SendModel)]
            assert not any(isinstance(each, CreateResponse) for each in sent), "nothing is asked for"
        return commands

    def _check(self, command: Command, event: Event, now_ms: int) -> None:
        match command:
            case ConnectModel(leg_number) | ConnectStandby(leg_number):
                assert leg_number not in self.legs
                self.legs.add(leg_number)
                assert len(self.legs) <= 2, "two legs at most"
                if isinstance(command, ConnectStandby):
                    self.standby = leg_number
            case SendStandby(leg_number, message):
                assert leg_number == self.standby
                assert isinstance(message, UpdateSession | CancelResponse)
            case SwitchModel(leg_number):
                assert leg_number == self.standby
                self.legs = {leg_number}
                self.standby = 0
                self._new_session()
            case CloseModel(leg_number):
                self.legs.discard(leg_number)
                self.standby = 0 if leg_number == self.standby else self.standby
            case SendModel(AskAside()):
                assert not self.active
                assert not self.caller_has_floor
            case _:
                pass
        super()._check(command, event, now_ms)

    def meets(self, thing: object, now_ms: int) -> list[Command]:
        match thing:
            case NextSays(what):
                leg_number = self.standby or 999
                event: Any = {
                    "opens": events.ModelConnected(leg_number, Dialect.GA),
                    "is configured": events.ModelSaid(leg_number, ULAW),
                    "speaks": events.ModelSaid(
                        leg_number, model_events.ResponseCreated(f"q{leg_number}", True)
                    ),
                    "fails": events.ModelConnectFailed(leg_number, "refused"),
                    "is lost": events.ModelLegLost(leg_number),
                    "expires": events.ModelExpires(leg_number, 2_000),
                }[what]
                return self.sees(event, now_ms)
            case Played():
                marks, self.marks = self.marks, []
                commands: list[Command] = []
                for mark in marks:
                    commands += self.sees(MarkEchoed(mark), now_ms)
                return commands
            case Summary():
                item = model_events.Item("s1", "message", "completed", text="so far so good")
                thing = model_events.ResponseDone(
                    "x7",
                    model_events.ResponseStatus.COMPLETED,
                    items=(item,),
                    in_conversation=False,
                    purpose="summary",
                )
        return super().meets(thing, now_ms)


nexts = st.sampled_from(
    [[NextSays("opens"), NextSays("is configured")]] * 6
    + [
        [NextSays("fails")],
        [NextSays("is lost")],
        [NextSays("opens"), NextSays("speaks")],
        [NextSays("expires")],
    ]
)
calm: st.SearchStrategy[list[object]] = st.builds(
    lambda number: [
        model_events.SpeechStarted(f"u{number}"),
        model_events.SpeechStopped(f"u{number}", 500),
        model_events.InputCommitted(f"u{number}"),
        model_events.ResponseCreated(f"r{number}", True),
        model_events.AudioDelta(f"r{number}", f"i{number}", speech(1)),
        model_events.ResponseDone(f"r{number}", model_events.ResponseStatus.COMPLETED),
        Played(),
        events.Tick(),
        NextSays("opens"),
        NextSays("is configured"),
        events.Tick(),
        Summary(),
        events.Tick(),
    ],
    st.integers(100, 999),
)
"""The caller breaks in, hears a short answer, and then nobody speaks for a while."""
moments_of_renewal = st.one_of(nexts, nexts, st.just([Summary()]))
rebirths = st.builds(
    lambda loss, failures: [loss, *[Failed()] * failures, Connected(), ULAW],
    losses,
    st.sampled_from([0, 0, 1]),
)
plans = st.builds(
    renewal_plan,
    at_age_ms=st.sampled_from([500, 500, 1_000, 0]),
    refresh_age_ms=st.sampled_from([0, 500, 1_500]),
    quiet_ms=st.sampled_from([0, 0, 100]),
    most_tries=st.sampled_from([1, 5]),
    keep_turns=st.sampled_from([1, 3]),
    summary=st.booleans(),
    summary_wait_ms=st.just(300),
)


@st.composite
def renewed_calls(draw: st.DrawFn) -> list[Moment]:
    """Calls whose sessions come and go; the alarm rings between scenes."""
    scene = st.one_of(scenes, scenes, scenes, moments_of_renewal, calm, calm, heard, rebirths)
    told = draw(st.lists(scene, min_size=6, max_size=20))
    moments = list(opened)
    for things in told:
        moments += [(draw(waits), thing) for thing in things]
        moments.append((draw(waits), events.Tick()))
    return moments


def watched(facts: Facts, moments: list[Moment]) -> RenewingJudge:
    facts = {"recovery": PLAN, "tools": TOOLS, "silent_tools": frozenset({"note_down"}), **facts}
    judge, now_ms = RenewingJudge(call_setup(session=SESSION, **facts)), 0
    for wait_ms, thing in moments:
        now_ms += wait_ms
        judge.meets(thing, now_ms)
    judge.settle(now_ms)
    return judge


LEFT_OPEN: list[Moment] = [
    *opened,
    (0, model_events.ResponseCreated("r1", True)),
    (0, model_events.AudioDelta("r1", "r1-i1", speech(1_000))),
    (0, model_events.ResponseDone("r1", model_events.ResponseStatus.COMPLETED)),
    (2_000, Played()),
    (8_500, model_events.SpeechStarted("u1")),
    (0, events.Tick()),
    (0, CallerAudio(frame())),
    (4_000, events.Tick()),
]
"""No frame for ten seconds leaves a turn open; the frame behind it is no speech, and they are asked."""


@settings(max_examples=80, deadline=None)
@example({"silence": silence_plan(after_ms=1_500, prompts=1)}, renewal_plan(), LEFT_OPEN)
@given(setups, plans, renewed_calls())
def test_a_call_whose_sessions_are_replaced_keeps_every_rule(
    facts: Facts, plan: RenewalPlan, moments: list[Moment]
) -> None:
    watched({**facts, "renewal": plan}, moments)


@settings(max_examples=40, deadline=None)
@given(setups, plans, renewed_calls())
def test_the_same_events_replace_the_same_sessions(
    facts: Facts, plan: RenewalPlan, moments: list[Moment]
) -> None:
    judge = watched({**facts, "renewal": plan}, moments)
    again = type(judge.engine)(judge.engine.setup)
    for event, now_ms, commands in judge.tape:
        assert again.handle(event, now_ms) == commands


pieces = st.lists(
    st.sampled_from(
        ["frames"] * 4 + ["begin", "end", "answer", "stand by", "stand by", "wait", "wait", "lose"]
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(pieces)
def test_of_what_the_caller_says_nothing_is_lost_and_nothing_is_out_of_order(steps: list[str]) -> None:
    plan = renewal_plan(at_age_ms=1_000, quiet_ms=100, summary=False)
    facts: Facts = {"greets": False, "recovery": recovery_plan(most=100, stall_ms=0), "renewal": plan}
    judge = RenewingJudge(call_setup(session=SESSION, limits=call_limits(dead_stream_ms=10**9), **facts))
    for _, thing in opened:
        judge.meets(thing, 0)
    spoken, turn, now_ms = 0, 0, 0
    for number, step in enumerate(steps):
        match step:
            case "frames":
                for _ in range(3):
                    judge.meets(CallerAudio(frame(spoken)), now_ms)
                    spoken += 1
            case "begin":
                turn += 1
                judge.meets(model_events.SpeechStarted(f"u{turn}"), now_ms)
            case "end":
                ends_ms = max(0, judge.engine.state.appended_bytes // 8 - 20)  # the last frame came later
                judge.meets(model_events.SpeechStopped(f"u{turn}", ends_ms), now_ms)
                judge.meets(model_events.InputCommitted(f"u{turn}"), now_ms)
            case "answer":
                judge.meets(model_events.ResponseCreated(f"r{number}", True, ""), now_ms)
                judge.meets(model_events.AudioDelta(f"r{number}", f"i{number}", speech(1)), now_ms)
                judge.meets(
                    model_events.ResponseDone(f"r{number}", model_events.ResponseStatus.COMPLETED), now_ms
                )
            case "stand by":
                judge.meets(NextSays("opens"), now_ms)
                judge.meets(NextSays("is configured"), now_ms)
            case "wait":
                now_ms += 1_000
                judge.meets(events.Tick(), now_ms)
            case "lose":
                for thing in (Lost(), Connected(), ULAW):
                    judge.meets(thing, now_ms)
    sessions: list[list[int]] = [[]]
    told: set[int] = set()
    for *_, commands in judge.tape:
        for command in commands:
            match command:
                case SwitchModel() | ConnectModel():
                    sessions.append([])
                case SendModel(AppendAudio(payload)) if payload != silence_payload(20):
                    sessions[-1].append(base64.b64decode(payload)[0])
                case SendModel(UserAudio(payload)):
                    told.update(set(base64.b64decode(payload)) - {0xFF})  # silence in place of missing frames
                case EndCall() | Note() | _:
                    pass
    for numbers in sessions:
        assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else True
    assert {number for numbers in sessions for number in numbers} == set(range(spoken))
    last = sessions[-1]
    assert not spoken or not last or last[-1] == spoken - 1


def test_these_stories_do_renew_sessions() -> None:
    planned = 0

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(plans, renewed_calls())
    def tell(plan: RenewalPlan, moments: list[Moment]) -> None:
        nonlocal planned
        planned += watched({"renewal": plan, "greets": False}, moments).planned

    tell()
    assert planned > 5, "calls of which so few are renewed show nothing"


@settings(max_examples=25, deadline=None)
@given(setups, plans, renewed_calls())
def test_a_tape_of_it_replays(facts: Facts, plan: RenewalPlan, moments: list[Moment]) -> None:
    judge = watched({**facts, "renewal": plan}, moments)
    lines: list[bytes] = []

    def keep(line: bytes) -> bool:
        lines.append(line)
        return True

    recorder = Recorder(type(judge.engine)(judge.engine.setup), keep, version="test")
    for event, now_ms, _ in judge.tape:
        recorder.handle(event, now_ms)
    recorder.close()
    replayed = replay(lines)
    assert replayed.difference is None
    assert not replayed.cut
    assert replayed.steps > 0
