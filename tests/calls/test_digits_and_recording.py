"""Keys pressed by the agent, and calls that Twilio records: whole calls over loopback."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.sim import ulaw
from llcphone.sim.model import Say
from llcphone.sim.twilio import Callee, EndedBy
from llcphone.testing import rehearse
from tests.calls.stage import INTERRUPTION, nothing_left
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock

    from llcphone.sim.twilio import SimCall
    from llcphone.testing import Rehearsal

pytestmark = pytest.mark.usefixtures("no_threads")

KEYS = {(697, 1209): "1", (697, 1336): "2", (697, 1477): "3", (770, 1209): "4", (770, 1336): "5"}
KEYS |= {(770, 1477): "6", (852, 1209): "7", (852, 1336): "8", (852, 1477): "9"}
KEYS |= {(941, 1209): "*", (941, 1336): "0", (941, 1477): "#"}
LOW, HIGH = sorted({low for low, _ in KEYS}), sorted({high for _, high in KEYS})


def loudness(samples: Any, pitch: int) -> float:
    """How much of one pitch is in it (a Fourier sum at that pitch)."""
    angle = [2 * math.pi * pitch * at / 8_000 for at in range(len(samples))]
    real = sum(value * math.cos(turn) for value, turn in zip(samples, angle, strict=True))
    imaginary = sum(value * math.sin(turn) for value, turn in zip(samples, angle, strict=True))
    return math.hypot(real, imaginary) / max(1, len(samples))


def keys_in(audio: bytes) -> str:
    """What a receiver of tones understands: 40 ms windows, each key once until a pause."""
    heard, last = "", ""
    for at in range(0, len(audio) - 320, 320):
        window = ulaw.decode(audio[at : at + 320])
        low = max(LOW, key=lambda pitch: loudness(window, pitch))
        high = max(HIGH, key=lambda pitch: loudness(window, pitch))
        loud = min(loudness(window, low), loudness(window, high)) > 1_500
        key = KEYS[low, high] if loud else ""
        heard += key if key != last else ""
        last = key
    return heard


def heard_after(call: SimCall, at_ms: int) -> bytes:
    return call.heard_ulaw()[at_ms * 8 :]


@asynccontextmanager
async def staged(**settings: Any) -> AsyncIterator[Rehearsal]:
    script = [Say("Hello.", 600), Say("Well then.", 600)]
    callee = settings.pop("callee", None)
    async with rehearse(Agent("Be brief."), script=script, settings=settings, callee=callee) as stage:
        yield stage


async def greeted(stage: Rehearsal) -> SimCall:
    call = await stage.ring()
    await call.hears_out(0.3, 300)
    return call


async def test_keys_are_heard_as_tones_and_are_the_systems(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged() as stage:
        call = await greeted(stage)
        begin_ms = call.log.now_ms
        stage.phone.calls()[0].send_digits("12w0#")
        await trio.sleep(2)
        assert keys_in(heard_after(call, begin_ms)) == "120#"
        call.hang_up()
        record = await stage.record()
        assert [line["text"] for line in record.transcript if line["speaker"] == "system"] == ["(keys)"]
        assert record.barge_ins == 0


async def test_a_machine_that_talks_on_cannot_cut_the_tones(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged() as stage:
        call = await greeted(stage)
        begin_ms = call.log.now_ms
        call.speak_nowait(INTERRUPTION)
        stage.phone.calls()[0].send_digits("1234567890")
        await trio.sleep(2.5)
        assert keys_in(heard_after(call, begin_ms))[:10] == "1234567890"
        call.hang_up()
        await call.ended()


async def test_keys_by_twilio_restart_the_stream_and_the_agent_listens(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    settings = {"transfers": {"digits": "twilio"}, "journal": {"url": url_of(tmp_path)}}
    async with nothing_left(), staged(**settings) as stage:
        call = await greeted(stage)
        stage.phone.calls()[0].send_digits("12#")
        await call.stream_started(2)
        assert 'digits="12#"' in call.record.documents[1]
        quiet_ms = call.playout.voiced(call.log.now)
        await trio.sleep(3)
        assert call.playout.voiced(call.log.now) == quiet_ms, "the other side speaks now"
        assert "keys have been pressed" in str([item.render() for item in stage.model.sessions[-1].items])
        call.hang_up()
        assert (await stage.record(2)).resumed_from == stage.records[0].call_id


async def test_after_keys_by_twilio_the_line_is_not_dead_when_the_agent_cannot_come_back(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), staged(transfers={"digits": "twilio"}) as stage:
        call = await greeted(stage)
        stage.phone.calls()[0].send_digits("12#")
        await stage.record()
        stage.phone.admission.close()
        record = await call.ended()
        assert "nobody can take your call now" in record.documents[-1]


async def test_an_extension_is_dialled_before_the_agent_joins(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged(callee=Callee()) as stage:
        stage.phone.place_call("+15550100055", send_digits="ww12#")
        call = await stage.twilio.outbound()
        await call.stream_started()
        (order,) = stage.twilio.rest.creates
        assert order["SendDigits"] == ["ww12#"]
        assert "MachineDetection" not in order, "Twilio ignores it beside keys"
        with pytest.raises(ValueError, match="1 to 32"):
            stage.phone.place_call("+15550100056", send_digits="help")
        call.hang_up()
        await call.ended()


async def test_a_recorded_call_says_so_first_and_the_recording_is_told(autojump_clock: MockClock) -> None:
    told: list[Any] = []
    async with nothing_left(), staged(transfers={"record_calls": True}) as stage:
        stage.phone.transfers.recordings.on_ready.append(told.append)
        call = await greeted(stage)
        assert call.record.verbs == ["Say", "Start", "Connect"]
        assert "This call is recorded." in call.record.documents[0]
        call.hang_up()
        assert (await call.ended()).ended_by is EndedBy.CALLER
        await trio.sleep(1)
        assert [(each.what, each.call_sid) for each in told] == [("call", call.sid)]
        assert (await stage.record()).reason is EndReason.CALLER_HUNG_UP


async def test_whoever_takes_recordings_may_fail(autojump_clock: MockClock) -> None:
    def fail(recording: object) -> None:
        raise RuntimeError("no room")

    told: list[Any] = []
    async with nothing_left(), staged(transfers={"record_calls": True}) as stage:
        stage.phone.transfers.recordings.on_ready += [fail, told.append]
        call = await greeted(stage)
        call.hang_up()
        await call.ended()
        await trio.sleep(1)
        assert len(told) == 1
