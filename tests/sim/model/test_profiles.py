"""The simulated server plays other endpoints: what each refuses, ignores and never sends."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from trio_websocket import ConnectionRejected

from llcphone.sim.model import open_model
from tests.sim.model.client import BEARER, HIGH, PCMU, connect, flat_session, ga_session

RATED = {"type": "audio/pcmu", "rate": 8000}
XAI = {
    "voice": "rex",
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 700},
    "audio": {"input": {"format": RATED}, "output": {"format": RATED}},
}


class AnyEvent:
    """Stands where OpenAI's types would refuse another vendor's event."""

    def validate_python(self, event):
        return event


@asynccontextmanager
async def talk_to(profile, session, **options):
    async with open_model(["Hello!", "Yes."], profile=profile) as model, connect(model, **options) as client:
        client.official = AnyEvent()
        await client.until("session.created")
        client.model, client.echo = model, await client.update(session)
        yield client


async def test_azure_is_reached_by_its_own_path_and_header_alone(autojump_clock):
    async with open_model(profile="azure") as model:
        assert model.url.endswith("/openai/v1/realtime")
        with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True):
            async with connect(model, ("api-key", "k"), query="?model=mine"):
                pass
        path = {"path": "/openai/v1/realtime", "query": "?model=mine"}
        async with connect(model, ("api-key", "k"), **path) as client:
            await client.until("session.created")
        assert model.refusals == ["404"]


FLAT = {key: value for key, value in flat_session().items() if key != "turn_detection"}


@pytest.mark.parametrize("session", [ga_session(HIGH), FLAT], ids=["ga", "flat"])
async def test_xai_keeps_pcm_where_it_does_not_know_the_session(session, autojump_clock):
    async with talk_to("xai", session, query="?model=grok-voice-latest") as client:
        formats = [client.echo["audio"][side]["format"] for side in ("input", "output")]
        assert formats == [{"type": "audio/pcm", "rate": 24000}] * 2
        assert client.echo["voice"] == "eve"


async def test_xai_takes_its_own_session_and_repeats_it_in_its_own_form(autojump_clock):
    async with talk_to("xai", XAI, query="?model=grok-voice-latest") as client:
        assert client.echo["voice"] == "rex"
        assert client.echo["audio"]["input"] == {"format": RATED}
        assert client.echo["turn_detection"]["silence_duration_ms"] == 700
        assert "type" not in client.echo
        by_hand = await client.update({"turn_detection": {"type": None}})
        assert by_hand["turn_detection"] == {"type": None}
        assert by_hand["audio"]["output"]["format"] == RATED


async def test_xai_ignores_what_would_keep_a_response_out_of_the_conversation(autojump_clock):
    async with talk_to("xai", XAI, query="?model=grok-voice-latest") as client:
        await client.create(conversation="none", metadata={"mine": "1"})
        done = await client.until("response.done")
        assert done["response"]["metadata"] is None
        assert client.model.sessions[0].responses[0].in_conversation
        await client.send(
            "conversation.item.truncate",
            item_id=done["response"]["output"][0]["id"],
            content_index=0,
            audio_end_ms=10,
        )
        error = await client.error()
        assert (error["code"], error["param"]) == ("invalid_value", "type")
        assert {"rate_limits.updated", "conversation.item.done"}.isdisjoint(client.kinds())


async def test_xai_wants_its_own_model_and_a_bearer(autojump_clock):
    async with open_model(profile="xai") as model:
        async with connect(model, BEARER, query="?model=gpt-realtime") as client:
            assert (await client.error())["code"] == "invalid_model"
        with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True):
            async with connect(model, ("X", "y"), query="?model=grok-voice-latest"):
                pass
        assert model.refusals == ["invalid_model", "401"]
        assert model.sessions == []


async def test_a_generic_server_refuses_by_name_and_commits_nothing(autojump_clock):
    plain = {"type": "server_vad", "silence_duration_ms": 700}
    async with talk_to("generic", ga_session(plain)) as client:
        await client.send("session.update", session=ga_session(HIGH))
        error = await client.error()
        assert error["param"] == "session.audio.input.turn_detection.type"
        assert "'semantic_vad'" in error["message"]
        for kind in ("response.cancel", "input_audio_buffer.clear"):
            await client.send(kind)
            assert (await client.error())["message"].startswith(f"Invalid value: '{kind}'.")
        await client.create(metadata={"mine": "1"})
        assert (await client.error())["param"] == "response.metadata"
        louder = {"type": "realtime", "audio": {"output": {"format": PCMU, "speed": 1.1}}}
        await client.send("session.update", session=louder)
        assert (await client.error())["code"] == "unknown_parameter"
        await client.says()
        await client.until("response.done")
        assert "input_audio_buffer.committed" not in client.kinds()
        assert "input_audio_buffer.speech_stopped" in client.kinds()
