"""A client for the tests of the simulated GPT-Live; OpenAI's own types judge every event, both ways."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager

import trio
from trio_websocket import ConnectionClosed, wrap_client_stream

from llcphone.sim.live import babble
from tests.official_types import judge_live_client, judge_live_server

BEARER = ("Authorization", "Bearer sk-test")
PATH = "/v1/live/sessions"

PCMU = {"type": "audio/pcmu", "rate": 8000}
TOOL = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}
BACKEND = {"type": "responses", "responses": {"model": "gpt-5.6-luna", "tools": [TOOL]}}


def live_session(**more):
    """A µ-law session as a phone wants it."""
    return {"model": "gpt-live-1", "audio": {"format": PCMU, "output": {"voice": "cedar"}}, **more}


def silence(ms):
    return b"\xff" * (8 * ms)


class Client:
    def __init__(self, websocket):
        self.websocket = websocket
        self.events = []
        self.audio = b""
        """All that came, decoded."""
        self.chunks = []
        """Bytes of each chunk."""

    async def send(self, kind, **fields):
        """Send an event that the official types accept."""
        event = {"type": kind, **fields}
        judge_live_client(event)
        await self.send_odd(event)

    async def send_odd(self, event):
        """Send an event that is not judged: the server is to refuse it."""
        await self.websocket.send_message(event if isinstance(event, str) else json.dumps(event))

    async def feed(self, audio):
        """Append audio: bytes, or this many ms of silence, 20 ms at a time and at once."""
        audio = silence(audio) if isinstance(audio, int) else audio
        for at in range(0, len(audio), 160):
            await self.append(audio[at : at + 160])

    async def append(self, audio):
        await self.send("session.input_audio.append", audio=base64.b64encode(audio).decode())

    async def says(self, ms=1000, then=2000):
        """A caller's turn, and silence after it."""
        await self.feed(babble(ms, 160) + silence(then))

    async def comment(self, content, **more):
        await self.send("session.commentary.append", content=content, delegation_id=None, **more)

    async def output(self, call_id, output="{}"):
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        await self.send("response.item.create", item=item)

    async def next(self):
        """The next event, audio included."""
        event = json.loads(await self.websocket.get_message())
        judge_live_server(event)
        self.events.append(event)
        if event["type"] == "session.output_audio.delta":
            self.chunks.append(base64.b64decode(event["delta"]))
            self.audio += self.chunks[-1]
        return event

    async def until(self, kind):
        """The next event of this type; those before it are in ``events``."""
        with trio.fail_after(60):
            while (event := await self.next())["type"] != kind:
                pass
        return event

    async def until_backend(self, kind):
        """The next event of the backend of this type."""
        while (event := (await self.until("response.event"))["event"])["type"] != kind:
            pass
        return event

    async def error(self):
        return (await self.until("error"))["error"]

    async def quiet_for(self, seconds):
        """Collect what comes during so many seconds; the new events."""
        before = len(self.events)
        with trio.move_on_after(seconds):
            while True:
                await self.next()
        return self.events[before:]

    async def closed(self):
        """Read to the end; the close code."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as closed:
            return closed.reason.code if closed.reason else 1006

    async def start(self, **session):
        await self.send("session.start", session=live_session(**session), event_id="start-1")
        return await self.until("session.started")

    def kinds(self):
        """The types of the events, without audio."""
        return [each["type"] for each in self.events if each["type"] != "session.output_audio.delta"]

    def words(self, side="output"):
        """All words of a side so far."""
        return "".join(each["delta"] for each in self.of(f"session.{side}_transcript.delta"))

    def of(self, kind):
        return [each for each in self.events if each["type"] == kind]

    def loud(self):
        """Which chunks so far are not silence."""
        return [at for at, chunk in enumerate(self.chunks) if set(chunk) - set(b"\xff\x7f")]


@asynccontextmanager
async def connect(live, *headers, path=PATH):
    """A connection to a simulator; nothing is sent or read yet."""
    stream = await trio.open_tcp_stream(live.host, live.port)
    async with stream, trio.open_nursery() as nursery:
        websocket = await wrap_client_stream(
            nursery,
            stream,
            f"{live.host}:{live.port}",
            path,
            extra_headers=list(headers or (BEARER,)),
            message_queue_size=10_000,
        )
        yield Client(websocket)
        with trio.move_on_after(1):
            await websocket.aclose()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def talk(live, **session):
    """A connection with a started µ-law session."""
    async with connect(live) as client:
        await client.start(**session)
        yield client
