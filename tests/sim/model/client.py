"""A client for the tests of the simulated Realtime API; OpenAI's own types check every event it receives."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager

import trio
from trio_websocket import ConnectionClosed, wrap_client_stream

from llcphone.sim.model import babble
from tests.official_types import server_events

BEARER = ("Authorization", "Bearer sk-test")
BETA = ("OpenAI-Beta", "realtime=v1")

PCMU = {"type": "audio/pcmu"}
HIGH = {"type": "semantic_vad", "eagerness": "high"}
SILENCE_S = b"\xff" * 8000
"""A second of silence."""


def ga_session(turn_detection=HIGH, **more):
    """A µ-law session as a phone wants it."""
    heard = {"format": PCMU, "turn_detection": turn_detection}
    return {"type": "realtime", "audio": {"input": heard, "output": {"format": PCMU}}, **more}


def heard_as(**fields):
    """A change of how the caller is heard, and of nothing else."""
    return {"type": "realtime", "audio": {"input": fields}}


def flat_session(**more):
    ulaw = "g711_ulaw"
    return {"input_audio_format": ulaw, "output_audio_format": ulaw, "turn_detection": HIGH, **more}


class Client:
    def __init__(self, websocket, stream, official):
        self.websocket = websocket
        self.stream = stream
        self.official = official
        self.events = []

    async def send(self, kind, **fields):
        await self.websocket.send_message(json.dumps({"type": kind, **fields}))

    async def speak(self, audio):
        await self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    async def says(self, ms=1000):
        """A caller turn: speech, then silence enough for any eagerness."""
        await self.speak(babble(ms, 160) + SILENCE_S * 2)

    async def next(self):
        event = json.loads(await self.websocket.get_message())
        self.official.validate_python(event)
        self.events.append(event)
        return event

    async def until(self, kind):
        """The next event of this type; those before it are in ``events``."""
        while (event := await self.next())["type"] != kind:
            pass
        return event

    async def error(self):
        return (await self.until("error"))["error"]

    async def update(self, session):
        await self.send("session.update", session=session)
        return (await self.until("session.updated"))["session"]

    async def create(self, **response):
        await self.send("response.create", **({"response": response} if response else {}))

    async def asked(self, **response):
        """Ask for a response and wait for its end."""
        await self.create(**response)
        return await self.answer()

    async def add(self, item, **where):
        await self.send("conversation.item.create", item=item, **where)

    async def answer(self):
        return (await self.until("response.done"))["response"]

    async def quiet_for(self, seconds):
        """Collect what comes during so many seconds; the new events."""
        before = len(self.events)
        with trio.move_on_after(seconds):
            while True:
                await self.next()
        return self.events[before:]

    async def closed(self):
        """Read to the end; the close code and reason."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as closed:
            return closed.reason.code, closed.reason.reason

    def kinds(self):
        return [event["type"] for event in self.events]

    def audio(self, item_id=None):
        """All agent audio, or one item's."""
        kinds = ("response.output_audio.delta", "response.audio.delta")
        deltas = [e for e in self.events if e["type"] in kinds]
        return b"".join(base64.b64decode(e["delta"]) for e in deltas if item_id in (None, e["item_id"]))


@asynccontextmanager
async def connect(
    model, *headers, dialect="ga", query="?model=gpt-realtime", path="/v1/realtime", subprotocols=()
):
    """A connection to a simulator; nothing is read yet."""
    official = server_events(dialect)  # before anything is timed
    stream = await trio.open_tcp_stream(model.host, model.port)
    async with stream, trio.open_nursery() as nursery:
        websocket = await wrap_client_stream(
            nursery,
            stream,
            f"{model.host}:{model.port}",
            path + query,
            extra_headers=list(headers or (BEARER,)),
            subprotocols=list(subprotocols),
            message_queue_size=10_000,
        )
        yield Client(websocket, stream, official)
        with trio.move_on_after(1):
            await websocket.aclose()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def talk(model, **session):
    """A connection with an accepted µ-law session."""
    async with connect(model) as client:
        await client.until("session.created")
        await client.update(ga_session(**session))
        yield client
