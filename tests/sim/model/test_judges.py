"""Official judges: OpenAI's own client holds a session with the simulator, and its types accept every event.

The types are applied to every event of every test by ``client``; here the client itself, which runs on
threads, so these tests take real time.
"""

from __future__ import annotations

import base64

import pytest
import trio

from llcphone.sim.model import CallTool, ModelScript, Pace, Say, babble, open_model
from tests.sim.model.client import connect, flat_session, ga_session, heard_as

# openai 3.52 opens its socket in a way that websockets 17.1 deprecated; nothing of ours.
pytestmark = pytest.mark.filterwarnings(r"ignore:connect\(\) must be used:DeprecationWarning")

FAST = Pace(speed=200, first_audio_ms=1, transcript_ms=1)
TOOL = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}


def official(model):
    from openai import OpenAI  # a thousand modules

    return OpenAI(api_key="sk-test", websocket_base_url=model.url.removesuffix("/realtime"), max_retries=0)


def read_until(connection, kind):
    events = []
    while not events or events[-1].type != kind:
        events.append(connection.recv())
    return events


def hold_a_call(model):
    """What an agent does with the official client: configure, hear, be heard, use a tool, truncate."""
    with official(model).realtime.connect(model="gpt-realtime") as connection:
        assert connection.recv().session.audio.input.format.rate == 24000
        connection.session.update(session=ga_session(tools=[TOOL]))
        (updated,) = read_until(connection, "session.updated")
        assert updated.session.audio.output.format.type == "audio/pcmu"
        speech = base64.b64encode(babble(600) + b"\xff" * 8000).decode()
        connection.input_audio_buffer.append(audio=speech)
        done = read_until(connection, "response.done")[-1].response
        call = done.output[0]
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "{}"}
        connection.conversation.item.create(item=output)
        connection.response.create()
        events = read_until(connection, "response.done")
        item = events[-1].response.output[0]
        heard = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta")
        connection.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=len(heard) // 8)
        read_until(connection, "conversation.item.truncated")
        connection.conversation.item.delete(item_id=item.id)
        read_until(connection, "conversation.item.deleted")
        return heard


async def test_the_official_client_holds_a_call():
    sound = babble(1000)
    async with open_model([CallTool("look"), Say("Here you are.", sound)], pace=FAST) as model:
        assert await trio.to_thread.run_sync(hold_a_call, model) == sound
        session = await model.session()
        assert session.headers["user-agent"].startswith("OpenAI/Python")
        await session.until(lambda: not session.is_open)


def ask_in_beta(model):
    with official(model).beta.realtime.connect(model="gpt-realtime") as connection:
        return connection.recv()


async def test_the_official_beta_client_is_told_that_the_beta_is_over():
    async with open_model() as model:
        refused = await trio.to_thread.run_sync(ask_in_beta, model)
        assert refused.error.code == "beta_api_shape_disabled"


def speak_beta(model):
    with official(model).beta.realtime.connect(model="gpt-realtime") as connection:
        connection.session.update(session={"modalities": ["text"]})
        connection.response.create()
        events = read_until(connection, "response.done")
        return "".join(event.delta for event in events if event.type == "response.text.delta")


@pytest.mark.parametrize("dialects", ["flat", "both"])
async def test_the_official_beta_client_speaks_with_a_flat_server(dialects):
    async with open_model(ModelScript(["Still alive."]), dialects, pace=FAST) as model:
        assert await trio.to_thread.run_sync(speak_beta, model) == "Still alive."


@pytest.mark.parametrize("dialect", ["ga", "flat"])
async def test_every_kind_of_event_passes_the_types_of_its_dialect(dialect, autojump_clock):
    """A long session in each dialect; the client of these tests validates whatever it receives."""
    script = ModelScript([CallTool("look", hallucinated=True), Say("A long answer.", 9000)], hears=["Hello."])
    async with open_model(script, dialect) as model, connect(model, dialect=dialect) as client:
        if dialect == "ga":
            await client.update(ga_session())
            await client.update(heard_as(transcription={"model": "gpt-transcribe"}))
        else:
            await client.update(flat_session(input_audio_transcription={"model": "whisper-1"}))
        await client.says()
        call = (await client.answer())["output"][0]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "1"}
        await client.add(output)
        await client.create()
        await client.quiet_for(0.2)
        await client.speak(babble(400))
        cut = (await client.answer())["output"][0]
        assert cut["status"] == "incomplete"
        where = {"item_id": cut["id"], "content_index": 0, "audio_end_ms": 100}
        await client.send("conversation.item.truncate", **where)
        for item in model.sessions[0].items:
            await client.send("conversation.item.retrieve", item_id=item.id)
        await client.send("input_audio_buffer.clear")
        await client.asked(**{"modalities" if dialect == "flat" else "output_modalities": ["text"]})
        await client.send("response.cancel")
        await client.error()
        await client.send("conversation.item.delete", item_id=cut["id"])
        await client.until("conversation.item.deleted")
    # All the simulator ever sends but the idle timeout, which flat lacks and test_model_audio covers.
    assert len(set(client.kinds())) == 29
