"""Whatever a Live session says, in whatever order: no fault, every call answered once, tapes that replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from llcphone.audio import payload_bytes
from llcphone.engine.events import (
    EndReason,
    GoodbyeAsked,
    HangUpAsked,
    Instructed,
    InterruptAsked,
    ModelConnected,
    ModelLegLost,
    ModelSaid,
    ResultTold,
    StreamJoined,
    Tick,
    ToolFinished,
)
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import ModelError, ResponseStatus, Seconds, SessionClosed
from llcphone.realtime.messages import AppendAudio, CreateResponse, Speak, ToolOutput
from llcphone.twilio.media import Digit, Mark, MarkEchoed
from tests.engine.live_script import (
    LiveScript,
    Taped,
    calls,
    has_result,
    heard,
    heard_all,
    loud,
    opens,
    over,
    pause,
    words,
)
from tests.engine.script import STARTED, ULAW, frame, speech
from tests.engine.setups import echo_plan, recovery_plan, silence_plan, tool_plan, tool_rule

if TYPE_CHECKING:
    from llcphone.realtime.events import ModelEvent

NAMES = st.sampled_from(["u1", "u2", "u3"])
CALLS = st.sampled_from(["c1", "c2", "c3", "c4"])
RULES = tool_plan(
    (tool_rule("look_up", 2_000, goes_on=True, deliver=True), tool_rule("book", 3_000, irreversible=True))
)

said: st.SearchStrategy[tuple[ModelEvent, ...]] = st.one_of(
    st.builds(opens, NAMES, st.sampled_from(["", "", "greeting", "tools", "silence", "operator"])),
    st.builds(lambda name: (loud(name),), NAMES),
    st.builds(lambda name: (pause(name),), NAMES),
    st.builds(lambda name, at: (words(" word", at, at + 200, name),), NAMES, st.integers(0, 3_000)),
    st.builds(over, NAMES, st.sampled_from(["", "word word"])),
    st.builds(lambda at: (heard(" word", at, at + 200),), st.integers(0, 20_000)),
    st.just((heard_all("word word"),)),
    st.builds(
        lambda call_id, name, response, status: (
            calls(call_id, name=name, response=response, status=status),
        ),
        CALLS,
        st.sampled_from(["look_up", "book", "note_down", "fly"]),
        st.sampled_from(["b1", "b2", "b3"]),
        st.sampled_from(list(ResponseStatus)),
    ),
    st.just((calls("c1", "c2", "c3"),)),
    st.just((has_result(),)),
    st.builds(lambda total: (Seconds(total),), st.integers(0, 100)),
    st.builds(lambda why: (SessionClosed(why),), st.sampled_from(["expired", "content", "close_requested"])),
    st.builds(
        lambda code, event_id: (ModelError(code, event_id=event_id),),
        st.sampled_from(["error", "invalid_value", "server_error", "function_call_outputs_required"]),
        st.sampled_from(["", "ask-greeting-1", "output-c1", "stop-1"]),
    ),
)
"""What the session says, as the codec's events."""

asked = st.one_of(
    st.builds(ToolFinished, CALLS, st.just('{"a":1}')),
    st.just(InterruptAsked()),
    st.just(HangUpAsked()),
    st.just(Instructed("Offer the menu.", speak=True)),
    st.just(Instructed("It rains.", speak=False)),
    st.just(ResultTold("look_up", "{}", "7")),
    st.just(GoodbyeAsked(EndReason.DRAINED, 8_000)),
    st.just(Digit("1")),
    st.just(Tick()),
)
"""What else happens."""

moments = st.lists(
    st.tuples(
        st.sampled_from([0, 20, 100, 300, 900, 2_600]),
        st.one_of(
            said,
            said,
            asked,
            st.sampled_from(["lost", "session", "joins", "frame", "loud frame", "alive", "hears"]),
        ),
    ),
    max_size=60,
)

setups = st.fixed_dictionaries(
    {
        "greets": st.booleans(),
        "recovery": st.sampled_from([recovery_plan(), recovery_plan(enabled=False)]),
        "silence": st.sampled_from([silence_plan(), silence_plan(after_ms=2_000, prompts=1)]),
        "echo": st.sampled_from([echo_plan(), echo_plan(mute_ms=300)]),
        "tool_plan": st.just(RULES),
    }
)


class Judge:
    """What must hold of all that is sent to the sessions."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.creates = 0

    def takes(self, message: object) -> None:
        match message:
            case ToolOutput(call_id):
                self.answered.append(call_id)
            case CreateResponse(purpose):
                self.creates += 1
                assert purpose == "tools"
                assert self.creates <= len(self.answered), "continued without an answer"
            case Speak(cue, purpose):
                assert cue
                assert purpose
            case AppendAudio(payload):
                assert 0 < payload_bytes(payload) <= 8_000


@given(facts=setups, story=moments)
def test_anything_may_come_in_any_order(facts: dict[str, Any], story: list[tuple[int, Any]]) -> None:
    call = LiveScript(**facts)
    call.sends_frames = False  # a tape has none that were not heard
    tape = Taped(call)
    judge, seen, marks = Judge(), 0, 0
    call.configured()
    for after_ms, what in story:
        call.until(call.now_ms + after_ms)
        leg_number = call.engine.state.session.leg_number
        match what:
            case "lost":
                call.sees(ModelLegLost(leg_number))
            case "session":
                call.sees(ModelConnected(leg_number, Dialect.LIVE), ULAW)
            case "joins" if not call.engine.state.joined:
                call.sees(StreamJoined(), STARTED)
            case "frame" | "loud frame":
                call.engine.hear(frame() if what == "frame" else speech(20), call.now_ms)
            case "alive":
                call.engine.model_alive(call.now_ms)
            case "hears":
                sent = [each.name for each in call.said.phone if isinstance(each, Mark)]
                call.sees(*(MarkEchoed(name) for name in sent[marks:]))
                marks = len(sent)
            case tuple():
                for event in what:
                    call.sees(ModelSaid(leg_number, event))
            case str():
                pass
            case _:
                call.sees(what)
        for message in call.said.model[seen:]:
            judge.takes(message)
        seen = len(call.said.model)
        if call.said.end is not None:
            break
        talk = call.engine.state.talk
        assert talk.playout.ends_ms >= 0
        assert all(item.heard <= item.sent <= item.generated for item in talk.playout._items.values())
    refused = [what for _, what in story if isinstance(what, tuple) and isinstance(what[0], ModelError)]
    assert refused or len(judge.answered) == len(set(judge.answered)), "each call is answered once"
    ran = call.said.tools
    assert len(ran) == len(set(ran)), "no call runs twice"
    call.engine.report()
    assert tape.replayed().difference is None
