"""A tape decides again what was decided: recorded and replayed, line by line."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.engine import CallEngine, notes
from llcphone.engine.events import Born, EndAsked, EndReason, ModelConnected, ModelSaid, StreamJoined, Tick
from llcphone.engine.tape import recorder as recording
from llcphone.engine.tape.recorder import Recorder, accepted, replay
from llcphone.errors import RemoteProtocolError
from llcphone.realtime import events as model_events
from llcphone.realtime.dialects import Dialect
from llcphone.twilio.media import CallerAudio
from tests.engine.chaos import any_calls, as_event, dial_plans, live_calls, outbound_calls, setups
from tests.engine.script import SESSION, STARTED, TOOLS, ULAW, created, delta, frame
from tests.engine.setups import call_limits, call_setup, recovery_plan

if TYPE_CHECKING:
    from llcphone.engine.call_setup import CallSetup
    from llcphone.engine.events import Event

Moments = list[tuple[int, Any]]


@attrs.define
class Reel:
    """A tape in memory that holds so many lines."""

    lines: list[bytes] = attrs.field(factory=list)
    most: int = 1_000_000

    def write(self, line: bytes) -> bool:
        self.lines.append(line)
        return len(self.lines) < self.most

    @property
    def told(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.lines]


def recorded(setup: CallSetup, events: list[tuple[int, Event]], reel: Reel | None = None) -> Reel:
    """Play the events to a recorded engine; frames take the short way, as in a call."""
    reel = reel or Reel()
    engine = CallEngine(setup)
    recorder = Recorder(engine, reel.write, version="1.2.3")
    for now_ms, event in events:
        if isinstance(event, CallerAudio):
            recorder.hear(event.payload, now_ms)
        else:
            recorder.handle(event, now_ms)
    recorder.close()
    return reel


def make_setup(**facts: Any) -> CallSetup:
    return call_setup(**({"session": SESSION, "tools": TOOLS, "dialect": Dialect.GA} | facts))


LIVE: list[tuple[int, Any]] = [
    (0, Born()),
    (40, ModelConnected(1, Dialect.GA)),
    (90, ModelSaid(1, ULAW)),
    (900, StreamJoined()),
    (920, STARTED),
]
TALK: list[tuple[int, Any]] = [
    (930, ModelSaid(1, created("r1", "greeting"))),
    (1_000, ModelSaid(1, delta(1_000))),
    (3_000, ModelSaid(1, model_events.SpeechStarted("u1"))),
]

# -- any call -----------------------------------------------------------------------------------

talkative = st.fixed_dictionaries(
    {
        "recovery": st.sampled_from(
            [recovery_plan(), recovery_plan(filler=(frame(), frame()), apology=(frame(),))]
        ),
        "greeting_cue": st.just("Greet Anna now."),
    }
)
sayings = st.text(alphabet="ab  \n9é", max_size=30)


def spoken(thing: object, words: str) -> object:
    """The same event, with other words in it."""
    fields = {"text"} & {field.name for field in attrs.fields(type(thing))}
    return attrs.evolve(thing, **dict.fromkeys(fields, words)) if fields else thing


@settings(max_examples=120, deadline=None)
@given(setups, talkative, st.none() | dial_plans, st.one_of(live_calls, any_calls, outbound_calls), st.data())
@pytest.mark.slow
def test_any_call_is_decided_again_as_it_was(
    facts: dict[str, Any], more: dict[str, Any], plan: Any, moments: Moments, data: st.DataObject
) -> None:
    engine = CallEngine(setup := make_setup(**facts | more, dial=plan))
    reel, now_ms = Reel(), 5_000_000
    recorder = Recorder(engine, reel.write, version="1.2.3")
    for wait_ms, thing in moments:
        now_ms += wait_ms
        if isinstance(thing, CallerAudio):
            for number in range(60):
                recorder.hear(frame(number), now_ms)
        else:
            event = as_event(spoken(thing, data.draw(sayings)), engine.state.session.leg_number)
            if type(event) in engine._on or engine.ended:  # carriers' events, told to a call of no carrier
                recorder.handle(event, now_ms)
    recorder.close()
    outcome = replay(reel.lines)
    assert outcome.difference is None
    assert outcome.cut == ""
    assert accepted(reel.lines, version="1.2.3") == reel.lines
    assert b"Anna" not in b"".join(reel.lines)
    assert setup.greeting_cue == "Greet Anna now."


# -- frames -------------------------------------------------------------------------------------


def test_frames_between_two_steps_are_one_line() -> None:
    events = [*LIVE, *((920 + 20 * at, CallerAudio(frame(at))) for at in range(1, 51)), (2_000, Tick())]
    reel = recorded(make_setup(greets=False), events)
    (line,) = [line for line in reel.told if line["is"] == "frames"]
    assert line == {"is": "frames", "now_ms": 1_920, "frames": 50, "bytes": 160, "sent": 50}


def test_frames_of_another_size_are_another_line() -> None:
    sizes = [CallerAudio(b"////" * 10), CallerAudio(b"////" * 10), CallerAudio(b"//8="), CallerAudio(b"//8=")]
    reel = recorded(make_setup(greets=False), [*LIVE, *((950, each) for each in sizes)])
    lines = [line for line in reel.told if line["is"] == "frames"]
    assert [(line["frames"], line["bytes"]) for line in lines] == [(2, 30), (2, 2)]
    assert replay(reel.lines).frames == 4


def test_frames_of_one_length_in_base64_may_differ_in_size() -> None:
    payloads = [base64.b64encode(b"\x7f" * size) for size in (160, 160, 161, 162, 162, 160)]
    assert len({len(payload) for payload in payloads}) == 1
    reel = recorded(make_setup(greets=False), [*LIVE, *((950, CallerAudio(each)) for each in payloads)])
    lines = [line for line in reel.told if line["is"] == "frames"]
    assert [(line["frames"], line["bytes"]) for line in lines] == [(2, 160), (1, 161), (2, 162), (1, 160)]


def test_frames_kept_back_by_the_greeting_guard_are_a_decision_too(monkeypatch: pytest.MonkeyPatch) -> None:
    reel = recorded(make_setup(), [*LIVE, *((930 + at, CallerAudio(frame())) for at in range(9))])
    assert reel.told[-1]["sent"] == 0
    monkeypatch.setattr(CallEngine, "hear", lambda self, payload, now_ms: payload)
    found = replay(reel.lines).difference
    assert found is not None
    assert (found.recorded.sent, found.replayed.sent) == (0, 9)  # type: ignore[union-attr]


def test_a_kept_second_of_audio_is_one_decision_with_a_count() -> None:
    early = [(10 + 20 * at, CallerAudio(frame(at))) for at in range(50)]
    begin = [(0, Born()), (0, StreamJoined()), (0, STARTED)]
    reel = recorded(make_setup(greets=False), [*begin, *early, *((1_100, event) for _, event in LIVE[1:3])])
    counts = [
        each[2] for line in reel.told if line["is"] == "step" for each in line["decided"] if len(each) > 2
    ]
    assert counts == [50]
    assert replay(reel.lines).difference is None


# -- differences --------------------------------------------------------------------------------


def test_the_first_other_decision_is_found_and_nothing_is_asked_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reel = recorded(make_setup(greets=False), [*LIVE, *TALK, (9_000, Tick())])
    monkeypatch.setattr("llcphone.engine.parts.playout.Playout._heard", lambda self, item, now_ms: 80)
    outcome = replay(reel.lines)
    found = outcome.difference
    assert found is not None
    assert found.line == 1 + len(LIVE) + len(TALK)
    assert found.after_ms == 3_000
    assert outcome.steps == len(LIVE) + len(TALK)


def test_another_alarm_is_another_decision() -> None:
    setup = make_setup(limits=call_limits(idle_ms=300))
    reel = recorded(setup, [*LIVE, (930, Tick())])
    header = msgspec.json.decode(reel.lines[0])
    header["setup"][1]["limits"]["idle_ms"] = 350
    outcome = replay([msgspec.json.encode(header) + b"\n", *reel.lines[1:]])
    assert outcome.difference is not None
    assert outcome.difference.recorded.wake_ms == 300  # type: ignore[union-attr]
    assert outcome.difference.replayed.wake_ms == 350  # type: ignore[union-attr]


def test_notes_are_no_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    reel = recorded(make_setup(), [*LIVE, *TALK])
    monkeypatch.setattr(notes, "FloorMoved", lambda floor: notes.KeysPressed())
    assert replay(reel.lines).difference is None


def test_a_fault_of_the_engine_is_on_tape_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("what the caller said")

    with monkeypatch.context() as fault:
        fault.setattr("llcphone.engine.policies.barge_in.BargeIn.speech_started", broken)
        reel = Reel()
        with pytest.raises(ZeroDivisionError):
            recorded(make_setup(), [*LIVE, *TALK], reel)
        assert reel.told[-1]["decided"] == "raised ZeroDivisionError"
        assert replay(reel.lines).difference is None
    found = replay(reel.lines).difference
    assert found is not None
    assert found.line == len(reel.lines)


def test_a_mended_tape_is_accepted_up_to_the_end_the_engine_comes_to_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reel = recorded(make_setup(), [*LIVE, *TALK, (9_000, EndAsked(EndReason.DRAINED))])
    monkeypatch.setattr("llcphone.engine.parts.playout.Playout._heard", lambda self, item, now_ms: 80)
    again = accepted(reel.lines, version="2.0.0")
    assert len(again) == len(reel.lines)
    outcome = replay(again)
    assert outcome.difference is None
    assert outcome.version == "2.0.0"


# -- tapes that are not whole -------------------------------------------------------------------


def test_a_tape_that_was_cut_says_so_and_is_replayed_as_far_as_it_goes() -> None:
    reel = recorded(make_setup(), [*LIVE, *TALK])
    outcome = replay([*reel.lines[:5], recording.cut_line("records.blackbox_limit"), b"{}\n"])
    assert outcome.cut == "records.blackbox_limit"
    assert (outcome.steps, outcome.difference) == (4, None)


def test_a_last_line_that_was_not_written_to_its_end_is_a_cut() -> None:
    reel = recorded(make_setup(), [*LIVE, *TALK])
    outcome = replay([*reel.lines[:5], reel.lines[5][:30]])
    assert outcome.steps == 4
    assert "last line" in outcome.cut


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"what is this\n"],
        [b"\xff\xfe\n"],
        [b'{"is":"step","now_ms":1,"event":["Born",{}],"decided":[],"wake_ms":1}\n'],
        [b'{"is":"tape","format":99,"llcphone":"9","setup":["CallSetup",{"session":{}}]}\n'],
        [b'{"is":"tape","format":2,"llcphone":"9","setup":["Setup",{}]}\n'],
        [b'{"is":"tape","format":2,"llcphone":"9","setup":["CallSetup",{"session":{}}]}\n', b"oops\n"],
        [
            b'{"is":"tape","format":2,"llcphone":"9","setup":["CallSetup",{"session":{}}]}\n',
            b'{"is":"new"}\n',
        ],
    ],
    ids=["empty", "text", "bytes", "headless", "newer", "setup", "broken", "unknown"],
)
def test_what_is_no_tape_is_refused(lines: list[bytes]) -> None:
    with pytest.raises(RemoteProtocolError):
        replay(lines)


# -- a recorder is no danger --------------------------------------------------------------------


def test_what_cannot_be_taped_cuts_the_tape_and_not_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thing: object, aliases: object) -> Any:
        raise LookupError("words of a caller")

    reel = Reel()
    recorder = Recorder(CallEngine(make_setup()), reel.write, version="1")
    monkeypatch.setattr(recording, "as_data", refuse)
    commands = [recorder.handle(event, now_ms) for now_ms, event in [*LIVE, *TALK]]
    recorder.close()
    assert sum(map(len, commands)) > 10
    assert reel.told[1:] == [{"is": "cut", "why": "raised LookupError"}]


def test_a_tape_that_is_full_gets_nothing_more_and_the_call_goes_on() -> None:
    reel = recorded(
        make_setup(), [*LIVE, *TALK, (3_010, CallerAudio(frame())), (3_020, Tick())], Reel(most=3)
    )
    assert len(reel.lines) == 3


def test_nothing_is_recorded_after_the_end() -> None:
    end = (4_000, EndAsked(EndReason.DRAINED))
    reel = recorded(make_setup(), [*LIVE, end, end, (4_010, CallerAudio(frame())), (4_020, Tick())])
    assert [line["is"] for line in reel.told] == ["tape", *["step"] * (len(LIVE) + 1)]
