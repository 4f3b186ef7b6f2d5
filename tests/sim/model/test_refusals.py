"""The simulated server refuses what the Realtime API refuses, in its words, and the socket stays open."""

from __future__ import annotations

import json

import pytest

from llcphone.sim.model import Faults, Pace, open_model
from tests.sim.model.client import BEARER, BETA, HIGH, PCMU, connect, flat_session, ga_session, heard_as, talk


async def refused_update(session, dialect="ga"):
    """Send one update; the error, after checking that nothing of it was applied."""
    headers = (BEARER, BETA) if dialect == "flat" else (BEARER,)
    async with open_model(dialects="both") as model, connect(model, *headers, dialect=dialect) as client:
        await client.until("session.created")
        before = (await model.session()).config
        await client.send("session.update", session=session, event_id="mine")
        error = await client.error()
        assert error["event_id"] == "mine"
        assert model.sessions[0].config == before
        await client.update(flat_session() if dialect == "flat" else ga_session())
        return error["code"], error["message"], error["param"]


AUDIO_IN = "session.audio.input"


def unknown(param):
    return "unknown_parameter", f"Unknown parameter: '{param}'.", param


def unsupported(param, value, listed):
    return "invalid_value", f"Invalid value: '{value}'. Supported values are: {listed}.", param


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        (
            flat_session(),
            ("missing_required_parameter", "Missing required parameter: 'session.type'.", "session.type"),
        ),
        (ga_session() | {"modalities": ["audio", "text"]}, unknown("session.modalities")),
        (ga_session() | {"prompt_cache_key": "k"}, unknown("session.prompt_cache_key")),
        (ga_session() | {"temperature": 0.8}, unknown("session.temperature")),
        (heard_as(format=PCMU | {"rate": 8000}), unknown(f"{AUDIO_IN}.format.rate")),
        (
            {"type": "realtime", "tools": [{"type": "function", "name": "f", "meta": 1}]},
            unknown("session.tools[0].meta"),
        ),
        (
            ga_session(turn_detection={"type": "semantic_vad", "silence_duration_ms": 300}),
            unknown(f"{AUDIO_IN}.turn_detection.silence_duration_ms"),
        ),
        ({"type": "session"}, unsupported("session.type", "session", "'realtime' and 'transcription'")),
        (
            heard_as(format="g711_ulaw"),
            unsupported(f"{AUDIO_IN}.format", "g711_ulaw", "'audio/pcm', 'audio/pcmu', and 'audio/pcma'"),
        ),
        (
            heard_as(transcription={"delay": "bogus"}),
            unsupported(
                f"{AUDIO_IN}.transcription.delay", "bogus", "'minimal', 'low', 'medium', 'high', and 'xhigh'"
            ),
        ),
        (
            ga_session(turn_detection={"type": "semantic_vad", "eagerness": "turbo"}),
            unsupported(
                f"{AUDIO_IN}.turn_detection.eagerness", "turbo", "'low', 'medium', 'high', and 'auto'"
            ),
        ),
        (
            heard_as(format={"type": "audio/pcm", "rate": 16000}),
            (
                "integer_below_min_value",
                f"Invalid '{AUDIO_IN}.format.rate': integer below minimum value. "
                "Expected a value >= 24000, but got 16000 instead.",
                f"{AUDIO_IN}.format.rate",
            ),
        ),
        (
            ga_session() | {"output_modalities": ["text", "audio"]},
            (
                "invalid_value",
                "Invalid modalities: ['text', 'audio']. Supported combinations are: ['text'] and ['audio'].",
                "session.output_modalities",
            ),
        ),
        (
            ga_session() | {"instructions": 7},
            (
                "invalid_type",
                "Invalid type for 'session.instructions': expected a string, but got an integer instead.",
                "session.instructions",
            ),
        ),
        (
            ga_session() | {"model": "gpt-realtime-2.1"},
            ("cannot_update_model", "Cannot update a session's model.", "session.model"),
        ),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[2],
)
async def test_a_bad_update_is_refused_whole(session, expected, autojump_clock):
    assert await refused_update(session) == expected


@pytest.mark.parametrize(
    ("session", "message"),
    [
        (ga_session(), "Unknown parameter: 'session.type'."),
        (flat_session(audio={}), "Unknown parameter: 'session.audio'."),
        (
            flat_session(modalities=["audio"]),
            "Invalid modalities: ['audio']. Supported combinations are: ['text'] and ['audio', 'text'].",
        ),
    ],
)
async def test_a_flat_session_refuses_the_nested_shape(session, message, autojump_clock):
    assert (await refused_update(session, "flat"))[1] == message


async def test_an_error_answers_null_when_the_event_had_no_id(autojump_clock):
    async with open_model() as model, connect(model) as client:
        await client.send("session.update", session={})
        assert (await client.error())["event_id"] is None


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ('{"type": "nope"}', "invalid_value", "type"),
        ('{"type": "output_audio_buffer.clear"}', "invalid_value", "type"),
        ("{}", "invalid_event", None),
        ("[]", "invalid_event", None),
        ("not json", "invalid_json", None),
        (b"\x00\x01", "invalid_event", None),
    ],
)
async def test_an_unreadable_event_is_refused_and_the_socket_stays_open(message, code, param, autojump_clock):
    async with open_model() as model, connect(model) as client:
        await client.websocket.send_message(message)
        error = await client.error()
        assert (error["code"], error["param"]) == (code, param)
        await client.update(ga_session())


async def test_an_unknown_event_is_told_which_ones_there_are(autojump_clock):
    async with open_model() as model, connect(model) as client:
        await client.send("nope")
        message = (await client.error())["message"]
        assert message.startswith(
            "Invalid value: 'nope'. Supported values are: 'session.update', 'session.close', "
        )
        assert message.endswith("'response.create', and 'response.cancel'.")


async def test_audio_that_is_not_base64_is_refused(autojump_clock):
    async with open_model() as model, connect(model) as client:
        await client.send("input_audio_buffer.append", audio="%%%")
        assert (await client.error())["param"] == "audio"


async def test_session_updated_echoes_the_whole_merged_session(autojump_clock):
    async with open_model() as model, connect(model) as client:
        created = (await client.until("session.created"))["session"]
        first = await client.update(ga_session(instructions="Be brief."))
        second = await client.update(heard_as(turn_detection={"type": "semantic_vad", "eagerness": "medium"}))
    assert created["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert created["expires_at"] > 0
    assert first["instructions"] == "Be brief."
    assert first["audio"]["output"] == {"format": PCMU, "voice": "alloy", "speed": 1.0}
    heard = {"type": "semantic_vad", "eagerness": "high", "create_response": True, "interrupt_response": True}
    assert first["audio"]["input"]["turn_detection"] == heard
    expected = json.loads(json.dumps(first))
    expected["audio"]["input"]["turn_detection"]["eagerness"] = "medium"
    assert second == expected


async def test_turn_detection_can_be_switched_off_and_tools_cleared(autojump_clock):
    tool = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}
    async with open_model() as model, talk(model, tools=[tool]) as client:
        session = await client.update(ga_session(turn_detection=None, tools=[]))
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["tools"] == []


async def test_turn_detection_keeps_its_unset_fields_while_its_type_stays(autojump_clock):
    silent = HIGH | {"create_response": False}
    async with open_model() as model, talk(model, turn_detection=silent) as client:
        medium = {"type": "semantic_vad", "eagerness": "medium"}
        for detection, creates in ((medium, False), ({"type": "server_vad"}, True), (HIGH, True)):
            session = await client.update(heard_as(turn_detection=detection))
            assert session["audio"]["input"]["turn_detection"]["create_response"] is creates


async def test_the_delay_of_a_transcription_is_accepted_but_not_echoed(autojump_clock):
    async with open_model() as model, connect(model) as client:
        asked = {"model": "gpt-realtime-whisper", "delay": "low"}
        session = await client.update(heard_as(transcription=asked))
        assert session["audio"]["input"]["transcription"] == {"model": "gpt-realtime-whisper"}


async def test_the_voice_is_fixed_once_the_agent_has_spoken(autojump_clock):
    async with open_model() as model, talk(model) as client:
        voice = {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
        await client.update(voice)
        await client.asked()
        await client.update(voice)  # the same voice is no change
        voice["audio"]["output"]["voice"] = "marin"
        await client.send("session.update", session=voice)
        error = await client.error()
    assert error["code"] == "cannot_update_voice"
    assert error["message"] == "Cannot update a conversation's voice if assistant audio is present."


async def test_an_update_takes_hold_only_when_it_is_acknowledged(autojump_clock):
    async with open_model(pace=Pace(ack_delay_s=0.26)) as model, connect(model) as client:
        await client.until("session.created")
        await client.send("session.update", session=ga_session())
        await client.send("session.update", session={"type": "realtime", "instructions": "second"})
        await client.create()
        response = (await client.until("response.created"))["response"]
        assert response["audio"]["output"]["format"]["type"] == "audio/pcm"
        await client.until("session.updated")
        assert (await client.until("session.updated"))["session"]["instructions"] == "second"


async def test_a_delayed_update_can_still_be_refused(autojump_clock):
    faults = Faults(ack_delay_s=0.5, refuse_update="server_error")
    async with open_model(faults=faults) as model, connect(model) as client:
        await client.send("session.update", session=ga_session(), event_id="e1")
        error = await client.error()
        assert (error["code"], error["event_id"]) == ("server_error", "e1")


async def test_session_close_ends_the_session(autojump_clock):
    async with open_model() as model, connect(model) as client:
        await client.send("session.close")
        assert (await client.closed())[0] == 1000


async def test_a_flat_session_speaks_flat_from_end_to_end(autojump_clock):
    async with open_model(["One two."], dialects="flat") as model, connect(model, dialect="flat") as client:
        session = await client.update(
            flat_session(voice="cedar", modalities=["audio", "text"], temperature=0.7, prompt_cache_key="k")
        )
        await client.says()
        response = await client.answer()
    assert (session["voice"], session["turn_detection"]["eagerness"]) == ("cedar", HIGH["eagerness"])
    assert (session["modalities"], session["temperature"]) == (["audio", "text"], 0.7)
    assert response["output"][0]["content"] == [{"type": "audio", "transcript": "One two."}]
    assert response["output_audio_format"] == "g711_ulaw"
    assert "response.audio.delta" in client.kinds()
    assert "conversation.item.created" in client.kinds()
    assert not any("output_" in kind.replace("output_item", "") for kind in client.kinds())
