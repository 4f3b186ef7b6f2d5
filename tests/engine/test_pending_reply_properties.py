"""However the model misbehaves while an answer is owed: no line is dead for long without an alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.engine.commands import ConnectModel
from llcphone.engine.events import ModelConnected, ModelConnectFailed, ModelLegLost
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import (
    ModelError,
    OutputItemAdded,
    RateLimits,
    TextDelta,
    TranscriptDelta,
    UnknownModelEvent,
)
from llcphone.realtime.messages import CreateResponse
from tests.engine.script import (
    CANCELLED,
    FAILED,
    INCOMPLETE,
    ULAW,
    Commands,
    Ear,
    Script,
    created,
    done,
    speech,
    wants,
)
from tests.engine.setups import alarm_plan, recovery_plan

if TYPE_CHECKING:
    from llcphone.engine.call_setup import RecoveryPlan

DEAD_AIR_MS, DEAD_LINE_MS, STEP_MS, END_MS = 8_000, 15_000, 500, 60_000
NAMED = "Please try again in 3s."

MOODS = "empty text incomplete cancelled failed named half active-error error reset mute silent-tool words"

replies = st.sampled_from(MOODS.split())
legs = st.sampled_from(["opens", "opens", "opens", "fails", "hangs"])
plans = st.sampled_from(
    [
        recovery_plan(filler=(speech(100),), apology=(speech(100),)),
        recovery_plan(apology=(speech(100),)),
        recovery_plan(),
        recovery_plan(enabled=False),
    ]
)


def reply(call: Script, ear: Ear, what: str, number: int, purpose: str) -> Commands:
    """What the model makes of one ask."""
    response, item = f"r{number}", f"i{number}"
    begun = created(response, purpose)
    said: dict[str, list[Any]] = {
        "empty": [begun, done(response)],
        "text": [begun, TextDelta(response, item, "Words."), done(response)],
        "incomplete": [begun, done(response, status=INCOMPLETE)],
        "cancelled": [begun, done(response, status=CANCELLED)],
        "failed": [begun, done(response, status=FAILED, error_code="server_error")],
        "named": [
            begun,
            done(response, status=FAILED, error_code="rate_limit_exceeded", error_message=NAMED),
            RateLimits({"tokens": (10, 0, 4.0)}),
        ],
        "half": [begun, OutputItemAdded(response, wants(f"c{number}", status="in_progress")), done(response)],
        "active-error": [ModelError("conversation_already_has_active_response")],
        "error": [ModelError("server_error", message=NAMED)],
        "reset": [begun, ModelLegLost(call.engine.state.session.leg_number)],
        "mute": [begun],
        "silent-tool": [begun, done(response, wants(f"c{number}", "note_down"))],
        "words": [begun, TranscriptDelta(response, item, "Words")],
    }
    return ear.sees(*said[what])


def opened(call: Script, ear: Ear, how: str) -> Commands:
    """What becomes of the leg that was asked for last."""
    leg_number = call.engine.state.session.leg_number
    match how:
        case "opens":
            return ear.sees(ModelConnected(leg_number, Dialect.GA), ULAW)
        case "fails":
            return ear.sees(ModelConnectFailed(leg_number, "refused"))
        case _:
            return Commands()


@settings(max_examples=60, deadline=None)
@given(plans, st.lists(replies, min_size=1, max_size=12), st.lists(legs, max_size=8), st.booleans())
def test_no_line_is_dead_for_long_without_an_alarm(
    plan: RecoveryPlan, moods: list[str], openings: list[str], chatty: bool
) -> None:
    alarms = alarm_plan(dead_air_ms=DEAD_AIR_MS)
    limits = {"dead_stream_ms": 10**9, "idle_ms": 10**9}
    call = Script(recovery=plan, alarms=alarms, limits=limits).live()
    call.caller_says("u1", "r1")
    ear = Ear(call)
    out = reply(call, ear, moods[0], 1, "")
    number, quiet_ms = 1, 0
    while call.engine.ended is None and call.now_ms < END_MS:
        dials = [each for each in out if isinstance(each, ConnectModel)]
        asks = [each.purpose for each in out.model if isinstance(each, CreateResponse)]
        if dials:
            out = ear.plays_until(call.now_ms + dials[-1].after_ms + STEP_MS)
            if (
                call.engine.state.session.leg_number == dials[-1].leg_number
                and not call.engine.state.session.ready
            ):
                out += opened(
                    call, ear, openings[dials[-1].leg_number % len(openings)] if openings else "opens"
                )
        elif asks:
            number += 1
            out = reply(call, ear, moods[number % len(moods)], number, asks[0])
        else:
            if chatty and call.engine.state.session.ready:
                ear.sees(UnknownModelEvent("keepalive"))
            out = ear.plays_until(call.now_ms + STEP_MS)
        if out.audio_ms:
            quiet_ms = call.now_ms
        told_ms = max((alarm.at_ms for alarm in call.engine.policies.alarms.raised), default=0)
        assert call.now_ms - quiet_ms <= DEAD_LINE_MS or told_ms > quiet_ms
    assert number <= 60
