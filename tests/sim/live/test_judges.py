"""The official client holds a call with the simulator. It runs on threads, so this takes real time.

Its types judge every event of every test: ``client`` sees to that.
"""

from __future__ import annotations

import base64
import json

import pytest
import trio

from llcphone.sim.live import CallTool, Pace, Say, babble, open_live
from tests.patience import HANG_S
from tests.sim.live.client import BACKEND, live_session

# openai 3.52 opens its socket in a way that websockets 17.1 deprecated; nothing of ours.
pytestmark = pytest.mark.filterwarnings(r"ignore:connect\(\) must be used:DeprecationWarning")

FAST = Pace(start_s=0.01, thinking_s=0.01)
SILENCE_S = b"\xff" * 8000


def hold_a_call(live):
    """What an agent does with the official client: start, greet, be heard, use a tool, end."""
    from openai import OpenAI  # a thousand modules

    address = live.url.removesuffix("/live/sessions")
    client = OpenAI(api_key="sk-test", websocket_base_url=address, max_retries=0)
    heard, words = b"", {"input": "", "output": ""}
    with client.live.connect() as connection:

        def send(kind, **fields):
            connection.send({"type": kind, **fields})

        def feed(audio):
            send("session.input_audio.append", audio=base64.b64encode(audio).decode())

        def until(kind):
            nonlocal heard
            while (event := connection.recv()).type != kind:
                if event.type == "session.output_audio.delta":
                    heard += base64.b64decode(event.delta)
                for side in words:
                    if event.type == f"session.{side}_transcript.delta":
                        words[side] += event.delta
            return event

        send("session.start", session=live_session(delegation=BACKEND), event_id="start-1")
        started = until("session.started")
        assert started.session.audio.format.rate == 8000
        assert started.client_event_id == "start-1"
        send("session.commentary.append", content="Greet the caller.", delegation_id=None)
        feed(SILENCE_S * 2)
        feed(babble(1000, 160) + SILENCE_S)
        created = until("session.delegation.created")
        while (nested := until("response.event")).event["type"] != "response.output_item.done":
            assert nested.delegation_id == created.delegation.id
        call = nested.event["item"]
        until("response.event")
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "{}"}
        send("response.item.create", item=output)
        send("response.create")
        while until("response.event").event["type"] != "response.completed":
            pass
        feed(SILENCE_S * 2)
        send("session.close")
        assert until("session.closed").reason == "close_requested"
    return heard, words, call


async def test_the_official_client_holds_a_call():
    hello, answer = babble(600), babble(700)
    script = [Say("Hello.", hello), CallTool("look", {"where": "here"}), Say("Here you are.", answer)]
    async with open_live(script, pace=FAST) as live:
        with trio.fail_after(HANG_S):
            heard, words, call = await trio.to_thread.run_sync(hold_a_call, live)
            session = await live.session()
            await session.until(lambda: not session.is_open)
    assert hello in heard
    assert answer in heard
    assert words == {"input": "(inaudible)", "output": "Hello.Here you are."}
    assert (call["name"], json.loads(call["arguments"])) == ("look", {"where": "here"})
    assert session.headers["user-agent"].startswith("OpenAI/Python")
    assert session.refusals == []
