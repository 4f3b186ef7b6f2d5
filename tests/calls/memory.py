"""Calls without sockets: both legs are memory, so any send can be made to fail and no time passes by itself.

    async with open_memory(agent) as stage:
        call = stage.answer()
        ear = stage.join(call)              # the phone leg: what the call sends is in ear.sent
        model = await stage.model()         # the model leg; it answers by itself, from ``turns``
        ear.put(media()); model.put(speech_started())

The phone, its calls, the engine and all codecs are the real ones.
"""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone import Agent, Call, CallRecord, Note
from llcphone.call.codec import codec_of
from llcphone.call.session_source import DialectMemory, OpenLeg, UnsupportedMemory
from llcphone.phone.all_nodes import AllNodes
from llcphone.phone.assembly import Opened, assembled
from llcphone.phone.calls import LiveCalls
from llcphone.phone.endpoints import Endpoints
from llcphone.phone.warm_pool import WarmPool
from llcphone.realtime.dialects import Dialect
from tests.calls.memory_leg import Failure as Failure
from tests.calls.memory_leg import Json as Json
from tests.calls.memory_leg import MemoryLeg as MemoryLeg
from tests.calls.stage import make_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from llcphone.call.services import Taping
    from llcphone.phone.phone import Phone
    from llcphone.wire.leg import Spawn

FRAME = base64.b64encode(b"\xff" * 160).decode()


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
    refused: dict[str, str] = attrs.field(factory=dict)
    _failing: tuple[int, Failure] = (0, Failure.BROKEN)

    def fail_first(self, at: int, failure: Failure) -> None:
        """Let a send of the first leg fail; those after it are sound."""
        self._failing = (at, failure)

    async def ask(self) -> str | None:
        return self.trouble

    async def dial(self, dialect: Dialect, spawn: Spawn, *, caller: str = "") -> OpenLeg:
        await trio.sleep(self.dial_takes_s)
        model = MemoryModel(list(self.turns))
        leg = MemoryLeg(model.reply, *(() if self.legs else self._failing))
        self.models.append(model)
        self.legs.append(leg)
        return OpenLeg(leg, codec_of(dialect), UnsupportedMemory())  # type: ignore[arg-type]


@attrs.define(eq=False)
class MemoryStage:
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
    taping: Taping | None = None,
    **settings: Any,
) -> AsyncIterator[MemoryStage]:
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
        agent = agent or Agent("Be brief.")
        warm = WarmPool(config, endpoint, agent)  # type: ignore[arg-type]
        live = LiveCalls(calls)
        endpoints = Endpoints(config.breaker, [endpoint])  # type: ignore[list-item]
        opened = Opened(config, endpoints, warm, live, AllNodes(live), taping=taping)  # type: ignore[arg-type]
        take_note = on_note or (lambda call, note: notes.append(note))
        phone = assembled(opened, agent, [on_record or keep], take_note)
        yield MemoryStage(phone, calls, endpoint, records, notes, ended_at)
        await phone.drain(1)
        calls.cancel_scope.cancel()


async def own_calls(task_status: trio.TaskStatus[trio.Nursery]) -> None:
    """A nursery in a task of its own."""
    async with trio.open_nursery() as calls:
        task_status.started(calls)
        await trio.sleep_forever()
