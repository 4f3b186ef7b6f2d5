"""What a Live session is given to hear: its input is its clock, so it is never given nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llcphone.audio import payload_bytes, silence_payload
from llcphone.engine.call_setup import MachinePolicy
from llcphone.engine.events import EndReason, MachineDetected, ModelLegLost, Tick
from llcphone.realtime.messages import AppendAudio
from llcphone.twilio.media import CallerAudio
from tests.engine.live_script import Taped
from tests.engine.script import STARTED, Script, created, delta, done, frame
from tests.engine.setups import dial_plan, echo_plan, live_plan, recovery_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.script import Commands

SILENT_FRAME = silence_payload(20)


def live_call(**setup: Any) -> Script:
    return Script(**{"live": live_plan(), "sends_frames": False} | setup)


def given_ms(commands: Commands) -> int:
    """Audio that the model was given."""
    return sum(payload_bytes(each.payload) for each in commands.model if isinstance(each, AppendAudio)) // 8


# -- gates ----------------------------------------------------------------------------------------


def guarded() -> Script:
    call = live_call(greets=True).live()
    assert call.engine.state.gate.guarding
    return call


def muted() -> Script:
    call = live_call(echo=echo_plan(mute_ms=400)).live()
    call.sees(created(), delta(1_000))
    assert not call.engine.state.gate.open
    return call


def listened_to_by_a_machine() -> Script:
    call = live_call(
        dial=dial_plan(machine=MachinePolicy.LEAVE_MESSAGE, message=(silence_payload(1_000),))
    ).live()
    call.sees(MachineDetected("machine_end_beep"))
    assert not call.engine.state.gate.open
    return call


@pytest.mark.parametrize("closed", [guarded, muted, listened_to_by_a_machine])
def test_a_frame_that_a_gate_holds_back_goes_out_as_silence(closed: Callable[[], Script]) -> None:
    call = closed()
    before = call.engine.state.appended_bytes
    assert call.sees(CallerAudio(frame(7))).model == [AppendAudio(SILENT_FRAME)]
    assert call.engine.hear(frame(7), call.now_ms) == SILENT_FRAME
    assert call.engine.state.appended_bytes == before + 2 * 160
    assert call.engine.state.gate.held_back == 2


def test_silence_is_as_long_as_the_frame_that_it_takes_the_place_of() -> None:
    call = guarded()
    assert call.engine.hear(silence_payload(33), call.now_ms) == silence_payload(33)
    assert call.engine.hear(b"/w==", call.now_ms) == b"/w=="


def test_the_realtime_api_is_given_nothing_in_place_of_a_frame_that_is_held_back() -> None:
    call = Script(greets=True).live()
    assert call.engine.hear(frame(7), call.now_ms) is None


def test_an_open_gate_lets_the_frame_itself_through() -> None:
    call = live_call().live()
    assert call.engine.hear(frame(7), call.now_ms) == frame(7)


def test_without_a_session_there_is_nobody_to_be_given_silence() -> None:
    call = live_call(recovery=recovery_plan()).live()
    call.sees(ModelLegLost(1))
    assert call.engine.hear(frame(7), call.now_ms) is None


# -- no frames ------------------------------------------------------------------------------------


def test_a_session_is_given_silence_before_the_stream_starts() -> None:
    call = live_call()
    call.configured()
    out = passes(call, 3_000)
    assert given_ms(out) == 3_000


def test_a_telephone_that_sends_nothing_is_made_up_for_from_its_last_frame_on() -> None:
    call = live_call().live().at(1_000)
    call.sees(CallerAudio(frame()))
    call.at(1_020).sees(CallerAudio(frame()))
    out = passes(call, 2_000)
    assert given_ms(out) == 2_000 - 1_020 - (2_000 - 1_020) % 200
    assert call.engine.state.frames == 2


def test_no_silence_is_mixed_into_frames_that_come() -> None:
    call = live_call().live()
    out: list[object] = []
    for now_ms in range(20, 5_000, 20):
        out += passes(call, now_ms).model
        out += call.sees(CallerAudio(frame())).model
    assert out == [AppendAudio(frame())] * 249


def test_a_process_that_was_held_up_gives_a_second_of_silence_at_most() -> None:
    call = live_call().live()
    assert given_ms(call.at(9_000).sees(Tick())) == 1_000


def test_the_realtime_api_is_not_given_silence_by_the_clock() -> None:
    call = Script(sends_frames=False)
    call.configured()
    assert given_ms(passes(call, 3_000)) == 0


def passes(call: Script, until_ms: int) -> Commands:
    """Let time pass while the model gives its pieces of silence."""
    out = call.sees()
    while call.now_ms < until_ms:
        call.engine.model_alive(call.now_ms)
        out += call.until(min(until_ms, call.now_ms + 100))
    return out


# -- signs of life --------------------------------------------------------------------------------


def test_a_session_that_gives_no_audio_for_two_seconds_is_lost_whoever_speaks() -> None:
    call = live_call(recovery=recovery_plan()).live()
    passes(call, 5_000)
    quiet_from_ms = call.now_ms - 100
    call.until(quiet_from_ms + 1_999)
    assert not call.engine.policies.recovery.gaps
    call.until(quiet_from_ms + 2_000)
    assert [gap.cause for gap in call.engine.policies.recovery.gaps] == ["stalled"]


def test_pieces_of_its_silence_are_enough_to_live() -> None:
    call = live_call(recovery=recovery_plan()).live()
    passes(call, 30_000)
    assert not call.engine.policies.recovery.gaps


def test_a_process_that_was_held_up_reads_first_what_came_meanwhile() -> None:
    call = live_call(recovery=recovery_plan()).live()
    call.at(6_000).sees(Tick())
    assert not call.engine.policies.recovery.gaps
    call.engine.model_alive(6_010)
    call.until(8_009)
    assert not call.engine.policies.recovery.gaps
    call.until(8_010)
    assert call.engine.policies.recovery.gaps


def test_without_recovery_a_dead_session_is_left_to_the_limits_of_the_call() -> None:
    call = live_call().live()
    out = call.until(20_000)
    assert out.end in (None, EndReason.STREAM_DEAD)


# -- tape -----------------------------------------------------------------------------------------


def test_a_tape_of_a_live_call_is_decided_alike() -> None:
    call = live_call(recovery=recovery_plan(), greets=True)
    tape = Taped(call)
    call.configured()
    call.sees(STARTED, created("u1", "greeting"), delta(400, "i1", "u1"), done("u1"))
    for now_ms in range(20, 4_000, 20):
        if now_ms % 100 == 0 and now_ms < 1_500:
            call.engine.model_alive(now_ms)
        if not 1_000 < now_ms < 2_000:
            call.engine.hear(frame(), now_ms)
        call.at(now_ms).sees(Tick())
    told = tape.replayed()
    assert told.difference is None
    assert told.frames == call.engine.state.frames
    assert any(b'"alive"' in line for line in tape.lines)
    assert call.engine.policies.recovery.gaps
