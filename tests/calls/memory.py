"""Calls without sockets: both legs are memory, so any send can be made to fail and no time passes by itself.

    async with open_memory(agent) as house:
        call = house.answer()
        ear = house.join(call)              # the phone leg: what the call sends is in ear.sent
        model = await house.model()         # the model leg; it answers by itself, from ``turns``
        ear.put(media()); model.put(speech_started())

The phone, its calls, the engine and all codecs are the real ones.
"""

from __future__ import annotations

import base64
from collections import deque
from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from llcphone import Agent, Call, CallRecord, Note
from llcphone.call.dialects import DialectMemory
from llcphone.errors import LegClosed
from llcphone.phone import Phone
from llcphone.realtime.dialects import Dialect
from llcphone.wire.leg import LegStats
from tests.calls.house import make_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from llcphone.wire.leg import OnLost, Spawn

Json = dict[str, Any]
FRAME = base64.b64encode(b"\xff" * 160).decode()


class Failure(Enum):
    """How a send fails."""

    BROKEN = "EPIPE: nothing more is sent, and the reader finds the end behind what has come before"
    FULL = "outbox above its limit: the owner is told inside the send"
    CLOSED = "the far side had closed, and nobody has read it yet"


@attrs.define(eq=False)
class MemoryLeg:
    """A leg (``wire.leg.Leg``) whose far side is the test."""

    reply: Callable[[Json], Sequence[Json]] = lambda message: ()
    """The far side's immediate answer to each message sent to it."""
    fails_at: int = 0
    """The how-manieth message (from 1) cannot be sent; 0: all can."""
    failure: Failure = Failure.BROKEN
    stats: LegStats = attrs.field(factory=LegStats)
    sent: list[Json] = attrs.field(factory=list)
    senders: list[str] = attrs.field(factory=list)
    """The name of the task that sent each message, the failing one included."""
    closed: bool = False
    code: int = 1006
    freed_at: float | None = None
    """When the call had closed it."""
    failed_at: float | None = None
    _mute: bool = False
    _inbox: deque[bytes] = attrs.field(factory=deque)
    _news: trio.Event = attrs.field(factory=trio.Event)
    _on_lost: OnLost | None = None

    # The far side's hands

    def put(self, *messages: Json) -> None:
        """Let the call receive these."""
        self._inbox.extend(msgspec.json.encode(message) for message in messages)
        self._news.set()

    def end(self, code: int = 1006) -> None:
        """The far side closes, or is lost with 1006."""
        self._mute = self.closed = True
        self.code = code
        self._news.set()

    def kinds(self) -> list[str]:
        """What was sent, by kind."""
        return [message.get("event") or message["type"] for message in self.sent]

    @property
    def voice_ms(self) -> int:
        """Agent audio that was sent."""
        payloads = (message["media"]["payload"] for message in self.sent if message["event"] == "media")
        return sum(len(base64.b64decode(payload)) for payload in payloads) // 8

    # The call's side

    def attach(self, spawn: Spawn, on_lost: OnLost) -> None:
        self._on_lost = on_lost

    def send_nowait(self, payload: bytes, *, media: bool = False) -> None:
        if self._mute:
            return
        self.senders.append(trio.lowlevel.current_task().name)
        if len(self.senders) == self.fails_at:
            self._fail()
            return
        message = msgspec.json.decode(payload)
        self.sent.append(message)
        if answers := self.reply(message):
            self.put(*answers)

    def send_many_nowait(self, payloads: Sequence[bytes], *, media: bool = False) -> None:
        for payload in payloads:
            self.send_nowait(payload, media=media)

    def drop_media_nowait(self) -> int:
        return 0

    def receive_nowait(self) -> list[bytes]:
        messages = list(self._inbox)
        self._inbox.clear()
        self._news = trio.Event()
        if not messages and (self._mute or self.closed):
            self.closed = True
            raise LegClosed(self.code)
        return messages

    async def receive(self) -> list[bytes]:
        while True:
            if self._inbox or self._mute:
                await trio.lowlevel.checkpoint()
            else:
                await self._news.wait()
            if messages := self.receive_nowait():
                return messages

    def keepalive_nowait(self, now: float) -> float:
        return now + 1000.0

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        self.abort()
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        self._mute = self.closed = True
        self._news.set()
        if self.freed_at is None:
            self.freed_at = trio.current_time()

    def _fail(self) -> None:
        self.failed_at = trio.current_time()
        self._mute = True
        self.closed = self.failure is not Failure.BROKEN
        self._news.set()
        if self.failure is Failure.FULL and self._on_lost is not None:
            self._on_lost(LegClosed(1006, "outbox full"))


@attrs.frozen
class Turn:
    """One response of the model: so much speech, then a tool call."""

    speech_ms: int = 400
    tool: str = ""


@attrs.define(eq=False)
class MemoryModel:
    """What the model answers, in the very task that asked."""

    turns: list[Turn]
    said: int = 0

    def reply(self, message: Json) -> list[Json]:
        match message["type"]:
            case "session.update":
                ulaw = {"format": {"type": "audio/pcmu"}}
                return [
                    {
                        "type": "session.updated",
                        "session": {"id": "s", "audio": {"input": ulaw, "output": ulaw}},
                    }
                ]
            case "response.create":
                return self.respond(message.get("response", {}).get("metadata"))
            case "conversation.item.create":
                return [{"type": "conversation.item.added", "item": {"id": "in", **message["item"]}}]
        return []

    def respond(self, metadata: Json | None = None) -> list[Json]:
        """All events of the next response."""
        turn = self.turns[self.said] if self.said < len(self.turns) else Turn()
        self.said += 1
        response, item = f"r{self.said}", f"i{self.said}"
        of = {"response_id": response, "item_id": item}
        body: Json = {"id": response, "conversation_id": "c", "metadata": metadata, "status": "in_progress"}
        output: list[Json] = [{"id": item, "type": "message", "status": "completed", "role": "assistant"}]
        if turn.tool:
            call = {"id": f"f{self.said}", "type": "function_call", "call_id": f"call{self.said}"}
            output.append(call | {"name": turn.tool, "arguments": "{}", "status": "completed"})
        speech = [base64.b64encode(b"\x7f" * 8 * 200).decode()] * (turn.speech_ms // 200)
        return [
            {"type": "response.created", "response": body},
            *({"type": "response.output_audio.delta", "delta": piece, **of} for piece in speech),
            {"type": "response.output_audio.done", **of},
            {"type": "response.done", "response": body | {"status": "completed", "output": output}},
        ]

    def caller_turn(self) -> list[Json]:
        """The caller spoke, and the model answers by itself."""
        item = f"u{self.said}"
        return [
            speech_started(),
            {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 100, "item_id": item},
            {"type": "input_audio_buffer.committed", "item_id": item},
            *self.respond(),
        ]


def speech_started() -> Json:
    return {"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": "u"}


def start(call_sid: str) -> list[Json]:
    """How a media stream begins."""
    begin = {"streamSid": "MZ1", "callSid": call_sid, "accountSid": "AC1"}
    return [{"event": "connected"}, {"event": "start", "streamSid": "MZ1", "start": begin}]


def media() -> Json:
    return {"event": "media", "streamSid": "MZ1", "media": {"payload": FRAME}}


def echo(message: Json) -> list[Json]:
    """A telephone that has heard everything at once."""
    return [message] if message["event"] == "mark" else []


@attrs.define(eq=False)
class MemoryEndpoint:
    """In place of ``call.endpoint.Endpoint``: every dial gives a ``MemoryLeg``."""

    turns: list[Turn]
    dial_takes_s: float = 0.0
    dialects: DialectMemory = attrs.field(factory=lambda: DialectMemory(Dialect.GA))
    legs: list[MemoryLeg] = attrs.field(factory=list)
    models: list[MemoryModel] = attrs.field(factory=list)
    trouble: str | None = None
    _failing: tuple[int, Failure] = (0, Failure.BROKEN)

    def fail_first(self, at: int, failure: Failure) -> None:
        """Let a send of the first leg fail; those after it are sound."""
        self._failing = (at, failure)

    async def dial(self, dialect: Dialect, spawn: Spawn, *, caller: str = "") -> MemoryLeg:
        await trio.sleep(self.dial_takes_s)
        model = MemoryModel(list(self.turns))
        leg = MemoryLeg(model.reply, *(() if self.legs else self._failing))
        self.models.append(model)
        self.legs.append(leg)
        return leg


@attrs.define(eq=False)
class MemoryHouse:
    """A phone, its calls, and both far sides."""

    phone: Phone
    calls: trio.Nursery
    """Owns the calls; the test's own task is outside of it."""
    endpoint: MemoryEndpoint
    records: list[CallRecord]
    notes: list[Note]
    ended_at: list[float]
    """When each record came."""
    born: int = 0

    def answer(self) -> Call:
        """A webhook: a call is born."""
        self.born += 1
        self.phone.answer({"CallSid": f"CA{self.born}", "From": "anonymous", "To": "sim"})
        return self.phone.calls()[-1]

    def join(self, call: Call, leg: MemoryLeg | None = None) -> MemoryLeg:
        """The call's media stream joins and starts."""
        leg = leg or MemoryLeg(echo)
        self.phone.join(call.token, leg)
        leg.put(*start(call.call_sid))
        return leg

    @property
    def model(self) -> MemoryLeg:
        """The latest model leg."""
        return self.endpoint.legs[-1]

    @property
    def mind(self) -> MemoryModel:
        """What answers on it."""
        return self.endpoint.models[-1]


@asynccontextmanager
async def open_memory(
    agent: Agent | None = None,
    *,
    turns: Sequence[Turn] = (Turn(),),
    dial_takes_s: float = 0.0,
    on_record: Callable[[CallRecord], None] | None = None,
    on_note: Callable[[Call, Note], None] | None = None,
    **settings: Any,
) -> AsyncIterator[MemoryHouse]:
    """A phone with memory legs; leaving drains it as ``open_phone`` does."""
    config = make_config("ws://127.0.0.1:9/v1/realtime", **settings)
    endpoint = MemoryEndpoint(list(turns), dial_takes_s)
    records: list[CallRecord] = []
    ended_at: list[float] = []
    notes: list[Note] = []

    def keep(record: CallRecord) -> None:
        records.append(record)
        ended_at.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        calls = await nursery.start(own_calls)
        phone = Phone(
            config,
            agent or Agent("Be brief."),
            calls,
            endpoint,  # type: ignore[arg-type]
            on_record=on_record or keep,
            on_note=on_note or (lambda call, note: notes.append(note)),
        )
        yield MemoryHouse(phone, calls, endpoint, records, notes, ended_at)
        await phone.drain(1)
        calls.cancel_scope.cancel()


async def own_calls(task_status: trio.TaskStatus[trio.Nursery]) -> None:
    """A nursery in a task of its own."""
    async with trio.open_nursery() as calls:
        task_status.started(calls)
        await trio.sleep_forever()
