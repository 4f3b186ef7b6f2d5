"""Caller audio on the wire: turns, commits, barge-in, transcripts, idle time."""

from __future__ import annotations

from array import array

import pytest
import trio

from llcphone.sim import ulaw
from llcphone.sim.model import Faults, ModelScript, Pace, Say, babble, open_model
from tests.sim.model.client import HIGH, SILENCE_S, ga_session, heard_as, talk

MANUAL = None
SERVER = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}


async def test_a_caller_turn_has_the_vendors_order(autojump_clock):
    async with open_model() as model, talk(model) as client:
        client.events.clear()
        await client.says()
        await client.until("response.created")
    buffer = [f"input_audio_buffer.{what}" for what in ("speech_started", "speech_stopped", "committed")]
    assert client.kinds() == [
        *buffer, "conversation.item.added", "conversation.item.done", "response.created"
    ]  # fmt: skip
    assert len({e["item_id"] for e in client.events if "item_id" in e}) == 1


@pytest.mark.parametrize(
    ("eagerness", "wait_ms"), [("high", 300), ("medium", 600), ("auto", 600), ("low", 1200)]
)
async def test_eagerness_is_a_wait_in_audio_time(eagerness, wait_ms, autojump_clock):
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    async with open_model() as model, talk(model, turn_detection=detection) as client:
        await client.speak(SILENCE_S + babble(1000) + SILENCE_S * 2)
        started = await client.until("input_audio_buffer.speech_started")
        stopped = await client.until("input_audio_buffer.speech_stopped")
        assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (700, 2000 + wait_ms)


async def test_the_same_audio_in_frames_gives_the_same_turn(autojump_clock):
    audio = SILENCE_S + babble(1000) + SILENCE_S
    async with open_model() as model, talk(model) as client:
        for at in range(0, len(audio), 160):
            await client.speak(audio[at : at + 160])
        assert (await client.until("input_audio_buffer.speech_started"))["audio_start_ms"] == 700
        assert (await client.until("input_audio_buffer.speech_stopped"))["audio_end_ms"] == 2300


async def test_the_model_hears_exactly_the_bytes_sent(autojump_clock):
    audio = SILENCE_S + babble(1000) + SILENCE_S
    async with open_model() as model, talk(model) as client:
        await client.speak(audio)
        await client.until("response.created")
        session = model.sessions[0]
        assert session.received_audio == audio
        assert bytes(session.items[0].audio) == audio[700 * 8 : 2300 * 8]
        assert session.items[0].generated_ms == 1600


def far_away(speech):
    """The same speech 24 dB quieter."""
    return ulaw.encode(array("h", (sample // 16 for sample in ulaw.decode(speech))))


async def test_server_vad_takes_its_own_silence_and_threshold(autojump_clock):
    async with open_model() as model, talk(model, turn_detection=SERVER | {"threshold": 1.0}) as client:
        await client.speak(far_away(babble(500)) + SILENCE_S)
        assert await client.quiet_for(1) == []
        await client.update(ga_session(turn_detection=SERVER | {"threshold": 0.0}))
        await client.speak(far_away(babble(500)) + SILENCE_S)
        assert (await client.until("input_audio_buffer.speech_stopped"))["audio_end_ms"] == 1500 + 500 + 500


async def test_a_barge_in_cancels_the_answer(autojump_clock):
    async with open_model([Say("A long story.", 20_000)]) as model, talk(model) as client:
        await client.says()
        for _ in range(5):
            await client.until("response.output_audio.delta")
        await client.speak(babble(400, 160))
        await client.until("input_audio_buffer.speech_started")
        response = await client.answer()
        assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert response["output"][0]["status"] == "incomplete"
        sent_ms = len(client.audio()) // 8
        item = model.sessions[0].items[1]
        assert (item.generated_ms, item.truncated_ms) == (sent_ms, None)  # nothing truncates by itself
        assert not [e for e in await client.quiet_for(2) if e["type"] == "response.output_audio.delta"]


async def test_late_deltas_of_a_cancelled_answer_can_still_arrive(autojump_clock):
    script = [Say("A long story.", 20_000)]
    async with open_model(script, faults=Faults(late_deltas=3)) as model, talk(model) as client:
        await client.create()
        await client.until("response.output_audio.delta")
        await client.speak(babble(400))
        await client.answer()
        late = [e for e in await client.quiet_for(2) if e["type"] == "response.output_audio.delta"]
        assert len(late) == 3
        item = model.sessions[0].items[0]
        assert item.generated_ms == len(client.audio()) // 8
        where = {"item_id": item.id, "content_index": 0, "audio_end_ms": item.generated_ms}
        await client.send("conversation.item.truncate", **where)
        await client.until("conversation.item.truncated")


async def test_without_interrupt_response_the_answer_goes_on(autojump_clock):
    deaf = HIGH | {"interrupt_response": False}
    async with open_model([Say("Listen.", 8000)]) as model, talk(model, turn_detection=deaf) as client:
        await client.create()
        await client.until("response.output_audio.delta")
        await client.says()
        assert (await client.error())["code"] == "conversation_already_has_active_response"
        assert (await client.answer())["status"] == "completed"


async def test_without_create_response_the_turn_waits_for_the_client(autojump_clock):
    async with open_model() as model, talk(model, turn_detection=HIGH | {"create_response": False}) as client:
        await client.says()
        await client.until("input_audio_buffer.committed")
        assert "response.created" not in [e["type"] for e in await client.quiet_for(2)]
        await client.asked()


async def test_without_turn_detection_the_client_commits(autojump_clock):
    async with open_model() as model, talk(model, turn_detection=MANUAL) as client:
        await client.says()
        assert await client.quiet_for(1) == []
        await client.send("input_audio_buffer.commit")
        await client.until("conversation.item.done")
        assert model.sessions[0].items[0].generated_ms == 3000
        assert await client.quiet_for(1) == []


@pytest.mark.parametrize(("sent_ms", "text"), [(0, "0.00ms"), (99, "99.00ms")])
async def test_a_commit_of_almost_nothing_is_refused(sent_ms, text, autojump_clock):
    async with open_model() as model, talk(model, turn_detection=MANUAL) as client:
        await client.speak(babble(sent_ms))
        await client.send("input_audio_buffer.commit")
        error = await client.error()
        assert error["code"] == "input_audio_buffer_commit_empty"
        assert error["message"] == (
            "Error committing input audio buffer: buffer too small. "
            f"Expected at least 100ms of audio, but buffer only has {text} of audio."
        )


async def test_a_clear_empties_the_buffer(autojump_clock):
    async with open_model() as model, talk(model, turn_detection=MANUAL) as client:
        await client.says()
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await client.send("input_audio_buffer.commit")
        assert "only has 0.00ms" in (await client.error())["message"]


async def test_mu_law_sent_to_a_pcm_session_is_counted_as_pcm(autojump_clock):
    async with open_model() as model, talk(model, turn_detection=MANUAL) as client:
        await client.update(heard_as(format={"type": "audio/pcm", "rate": 24000}))
        await client.speak(babble(480))
        await client.send("input_audio_buffer.commit")
        assert "only has 80.00ms" in (await client.error())["message"]


async def test_another_update_does_not_lose_the_turn_in_progress(autojump_clock):
    async with open_model() as model, talk(model) as client:
        await client.speak(babble(500))
        started = await client.until("input_audio_buffer.speech_started")
        await client.update({"type": "realtime", "instructions": "x"})
        await client.speak(SILENCE_S)
        assert (await client.until("input_audio_buffer.committed"))["item_id"] == started["item_id"]


async def test_the_callers_words_come_later_if_they_were_asked_for(autojump_clock):
    script = ModelScript(hears=["Hello there."])
    async with open_model(script, pace=Pace(transcript_ms=900)) as model, talk(model) as client:
        await client.update(heard_as(transcription={"model": "gpt-transcribe"}))
        await client.says()
        await client.until("input_audio_buffer.committed")
        start = trio.current_time()
        completed = await client.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == "Hello there."
        assert trio.current_time() - start == pytest.approx(0.9)
        assert completed["item_id"] == model.sessions[0].items[0].id


async def test_server_vads_idle_timeout_makes_the_model_speak(autojump_clock):
    detection = SERVER | {"idle_timeout_ms": 5000}
    async with open_model([Say("Hello?", 1000)]) as model, talk(model, turn_detection=detection) as client:
        await client.asked()
        await client.speak(SILENCE_S * 5)
        assert "input_audio_buffer.timeout_triggered" not in [e["type"] for e in await client.quiet_for(1)]
        await client.speak(SILENCE_S)
        triggered = await client.until("input_audio_buffer.timeout_triggered")
        assert (triggered["audio_start_ms"], triggered["audio_end_ms"]) == (0, 6000)
        await client.until("input_audio_buffer.committed")
        await client.answer()


async def test_minutes_of_silence_are_counted_without_drift(autojump_clock):
    async with open_model() as model, talk(model, turn_detection=HIGH | {"create_response": False}) as client:
        model.sessions[0].keep_audio = False
        for _ in range(4):
            await client.speak(SILENCE_S * 60)
        await client.says()
        stopped = await client.until("input_audio_buffer.speech_stopped")
        assert stopped["audio_end_ms"] == 4 * 60_000 + 1000 + 300
        assert model.sessions[0].received_audio == b""
