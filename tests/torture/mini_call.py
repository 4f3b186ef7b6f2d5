"""One call of the mini bridge: the GA dialect, a playout clock, tools, a lost model."""

from __future__ import annotations

import base64
import json
import math
from collections import deque
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs
import trio
from trio_websocket import ConnectionClosed, HandshakeError, wrap_client_stream

from llcphone.torture.profile import API_KEY, Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio_websocket import WebSocketConnection

TOOL_S = 3.0
STALL_S = 4.0
ULAW = {"format": {"type": "audio/pcmu"}}


Flaw = Enum(
    "Flaw",
    """LEAKS_MODEL NO_CLEAR NO_TRUNCATE TRUNCATES_WHAT_WAS_SENT STALE_CLOCK TRUNCATES_AFTER_THE_END
    FORWARDS_LATE_DELTAS TOOLS_IN_READER TOOLS_ONE_BY_ONE CREATE_PER_TOOL DEAD_LINE CUT_LINE HISTORY_LOST
    HISTORY_SHORT NEVER_NOTICES_A_STALL CROSSTALK NO_DRAIN NEVER_EXITS SESSION_PER_WEBHOOK NO_SIGNATURES
    NO_TOKENS LEAKS_DESCRIPTORS CRASHES NEVER_REACHES_THE_MODEL REFUSES_EVERYBODY""",
)
"""What may be wrong with it."""


@attrs.define(eq=False)
class MiniCall:
    """A media stream and its model."""

    place: Place
    flaws: frozenset[Flaw]
    phone: WebSocketConnection | None
    background: trio.Nursery | None = None
    others: list[MiniCall] = attrs.field(factory=list)
    sid: str = ""
    model: WebSocketConnection | None = None
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    tools: trio.Nursery | None = None
    recent: deque[str] = attrs.field(factory=lambda: deque(maxlen=120))
    history: list[dict[str, Any]] = attrs.field(factory=list)
    words: dict[str, str] = attrs.field(factory=dict)
    """Transcript by item."""
    spans: list[tuple[str, float, float]] = attrs.field(factory=list)
    """(item, start, end) of all audio, by the clock of the phone's buffer."""
    first_start: float | None = None
    cut: set[str] = attrs.field(factory=set)
    active: bool = False
    owed: bool = False
    """An answer is due, or broke off."""
    sessions: int = 0

    def has(self, flaw: Flaw) -> bool:
        return flaw in self.flaws

    async def run(self) -> None:
        with self.scope:
            async with trio.open_nursery() as self.tools:
                owner = self.background if self.has(Flaw.LEAKS_MODEL) else self.tools
                assert owner is not None
                if not self.has(Flaw.NEVER_REACHES_THE_MODEL):
                    owner.start_soon(self.hold_model)
                await self.read_phone()
                self.tools.cancel_scope.cancel()

    # -- the phone ------------------------------------------------------------------------------

    async def read_phone(self) -> None:
        assert self.phone is not None
        while True:
            try:
                message = json.loads(await self.phone.get_message())
            except ConnectionClosed:
                return
            match message["event"]:
                case "start":
                    self.sid = message["streamSid"]
                case "media":
                    self.recent.append(message["media"]["payload"])
                    await self.tell(type="input_audio_buffer.append", audio=message["media"]["payload"])
                case "stop":
                    return

    async def play(self, **message: Any) -> None:
        call = self.others[-1] if self.has(Flaw.CROSSTALK) and self.others else self
        assert call.phone is not None
        with suppress(ConnectionClosed):
            await call.phone.send_message(json.dumps({"streamSid": call.sid, **message}))

    # -- the model ------------------------------------------------------------------------------

    async def idle_session(self) -> None:
        async with self.connect():
            await trio.sleep_forever()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[WebSocketConnection]:
        """A session whose TCP connection is closed whatever happens (trio-websocket alone does not)."""
        url = urlsplit(self.place.model_url)
        async with (
            await trio.open_tcp_stream(url.hostname or "", url.port or 80) as stream,
            trio.open_nursery() as nursery,
        ):
            yield await wrap_client_stream(
                nursery,
                stream,
                url.netloc,
                f"{url.path}?model=gpt-realtime-1.5",
                extra_headers=[("Authorization", f"Bearer {API_KEY}")],
            )
            nursery.cancel_scope.cancel()

    async def tell(self, **event: Any) -> None:
        if self.model is not None:
            with suppress(ConnectionClosed):
                await self.model.send_message(json.dumps(event))

    async def hold_model(self) -> None:
        """Sessions, one after the other, for as long as the call lasts."""
        while True:
            try:
                async with self.connect() as self.model:
                    await self.read_model()
            except* (ConnectionClosed, HandshakeError):
                pass
            self.model, self.active = None, False
            if self.has(Flaw.CUT_LINE):
                self.scope.cancel()
            if self.has(Flaw.DEAD_LINE) or self.has(Flaw.CUT_LINE):
                return

    async def read_model(self) -> None:
        assert self.model is not None
        while True:
            patient = not self.owed or self.has(Flaw.NEVER_NOTICES_A_STALL)
            with trio.move_on_after(math.inf if patient else STALL_S) as waiting:
                message = await self.model.get_message()
            if waiting.cancelled_caught:
                return
            await self.take(json.loads(message))

    async def take(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.created":
                await self.configure()
            case "session.updated":
                await self.open_conversation()
            case "response.created":
                self.active = self.owed = True
            case "response.output_audio_transcript.delta":
                item = event["item_id"]
                if item not in self.words:
                    self.history.append({"item": item})
                self.words[item] = self.words.get(item, "") + event["delta"]
            case "response.output_audio.delta":
                await self.delta(event["item_id"], event["delta"])
            case "input_audio_buffer.speech_started":
                await self.barge_in()
            case "input_audio_buffer.committed":
                audio = b"".join(base64.b64decode(each) for each in self.recent)
                self.history.append({"audio": base64.b64encode(audio).decode()})
                self.owed = True
            case "response.done":
                self.active = self.owed = False
                calls = [item for item in event["response"]["output"] if item["type"] == "function_call"]
                if calls and self.has(Flaw.TOOLS_IN_READER):
                    await self.answer_tools(calls)
                elif calls and self.tools is not None:
                    self.tools.start_soon(self.answer_tools, calls)

    async def configure(self) -> None:
        audio = {
            "input": {**ULAW, "turn_detection": {"type": "semantic_vad"}},
            "output": {**ULAW, "voice": "cedar"},
        }
        empty = {"type": "object", "properties": {}}
        tools = [
            {"type": "function", "name": name, "description": name, "parameters": empty}
            for name in ("look_up", "check_stock")
        ]
        session = {"type": "realtime", "output_modalities": ["audio"], "audio": audio, "tools": tools}
        await self.tell(type="session.update", session=session)

    async def open_conversation(self) -> None:
        """A greeting, or what was said so far."""
        self.sessions += 1
        if self.sessions == 1 or self.has(Flaw.HISTORY_LOST):
            await self.create_item("user", {"type": "input_text", "text": "Greet the caller."})
            await self.tell(type="response.create")
            return
        for each in self.history:
            if "audio" in each:
                await self.create_item("user", {"type": "input_audio", "audio": each["audio"]})
            else:
                words = self.words[each["item"]].split()
                told = words[:-3] if self.has(Flaw.HISTORY_SHORT) else words
                await self.create_item("assistant", {"type": "output_text", "text": " ".join(told)})
        await self.tell(type="response.create")

    async def create_item(self, role: str, part: dict[str, Any]) -> None:
        item = {"type": "message", "role": role, "content": [part]}
        await self.tell(type="conversation.item.create", item=item)

    # -- what is heard --------------------------------------------------------------------------

    async def delta(self, item: str, payload: str) -> None:
        if item in self.cut and not self.has(Flaw.FORWARDS_LATE_DELTAS):
            return
        now = trio.current_time()
        start = max(now, self.spans[-1][2] if self.spans else now)
        self.first_start = self.first_start or (start if self.sessions and self.active else None)
        self.spans.append((item, start, start + len(base64.b64decode(payload)) / 8000))
        await self.play(event="media", media={"payload": payload})

    async def barge_in(self) -> None:
        if not self.spans:
            return
        now, (item, _, end) = trio.current_time(), self.spans[-1]
        mine = [(start, stop) for each, start, stop in self.spans if each == item]
        if end <= now and not self.has(Flaw.TRUNCATES_AFTER_THE_END):
            return
        heard = sum(max(0.0, min(stop, now) - start) for start, stop in mine)
        if self.has(Flaw.TRUNCATES_WHAT_WAS_SENT):
            heard = sum(stop - start for start, stop in mine)
        elif self.has(Flaw.STALE_CLOCK):
            replies = list(dict.fromkeys(each for each, _, _ in self.spans))
            since = next(start for each, start, _ in self.spans if each == replies[min(1, len(replies) - 1)])
            heard = now - since
        self.cut.add(item)
        self.spans = [(each, start, min(stop, now)) for each, start, stop in self.spans if start < now]
        if not self.has(Flaw.NO_CLEAR):
            await self.play(event="clear")
        if not self.has(Flaw.NO_TRUNCATE):
            where = {"item_id": item, "content_index": 0, "audio_end_ms": int(heard * 1000)}
            await self.tell(type="conversation.item.truncate", **where)

    # -- tools ----------------------------------------------------------------------------------

    async def answer_tools(self, calls: list[dict[str, Any]]) -> None:
        async with trio.open_nursery() as nursery:
            for call in calls:
                if self.has(Flaw.TOOLS_ONE_BY_ONE):
                    await self.tool(call)
                else:
                    nursery.start_soon(self.tool, call)
        if not self.has(Flaw.CREATE_PER_TOOL):
            await self.create_when_idle()

    async def tool(self, call: dict[str, Any]) -> None:
        await trio.sleep(TOOL_S)
        item = {"type": "function_call_output", "call_id": call["call_id"], "output": "found"}
        await self.tell(type="conversation.item.create", item=item)
        if self.has(Flaw.CREATE_PER_TOOL):
            await self.tell(type="response.create")

    async def create_when_idle(self) -> None:
        while self.active:  # noqa: ASYNC110
            await trio.sleep(0.02)
        await self.tell(type="response.create")
