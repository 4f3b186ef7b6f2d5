"""One response of the simulated model, from ``response.created`` to ``response.done``.

A response is a task that plays the steps of its turn, and a synchronous ``finish``: whatever ends it (the
last step, the caller's voice, a client's cancel) closes the open item, sends every ``.done`` and
``response.done`` in one go, so no event of a finished response follows, except the late deltas a fault
asks for. Every ``.done`` repeats exactly the deltas that were sent before it.

Order of events: docs/vendor-facts.md, Responses and tools.
Audio leaves faster than real time, ``delta_ms`` of it every ``delta_ms / speed``.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import trio

from llcphone.sim.model.config import pcm
from llcphone.sim.model.hearing import BYTES_PER_MS
from llcphone.sim.model.output import OutputItem
from llcphone.sim.model.script import (
    CallTool,
    Cancel,
    Event,
    Fail,
    Incomplete,
    Say,
    Silence,
    Stall,
    Step,
    Write,
)
from llcphone.sim.model.usage import Piece, Tokens, context, spoken_tokens, text_tokens, usage
from llcphone.sim.model.voice import render, spoken

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.sim.model.conversation import Item
    from llcphone.sim.model.state import SessionState

Json = dict[str, Any]

_TEXT_PIECE = 20
"""Characters in one delta of a text-only answer."""


class _Delta(NamedTuple):
    text: str
    audio: bytes


@attrs.define(eq=False)
class Response:
    """A running or finished response; ``status``, ``reason``, ``items`` and ``usage`` are for assertions."""

    session: SessionState = attrs.field(repr=False)
    on_over: Callable[[Response], None] = attrs.field(repr=False)
    """Called once, when it has ended."""
    id: str
    steps: list[Step]
    request: Json = attrs.field(repr=False)
    """The ``response`` object of ``response.create`` in GA shape; empty when turn detection asked."""
    status: str = "pending"
    """``pending`` before ``response.created``, then ``in_progress``, then as in ``response.done``."""
    reason: str = ""
    done_s: float | None = None
    """When ``response.done`` was sent, by Trio's clock."""
    error: Json | None = None
    items: list[Item] = attrs.field(factory=list)
    usage: Json | None = None
    voice: Any = "alloy"
    format: Json = attrs.field(factory=dict)
    modality: str = "audio"
    _open: OutputItem | None = None
    _unsent: deque[_Delta] = attrs.field(factory=deque, repr=False)
    _context: list[Piece] = attrs.field(factory=list, repr=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, repr=False)

    def __attrs_post_init__(self) -> None:
        config = self.session.config
        asked: Json = self.request.get("audio", {}).get("output", {})
        self.voice = asked.get("voice", config["audio"]["output"]["voice"])
        self.format = asked.get("format", config["audio"]["output"]["format"])
        if self.session.unknowns.says_pcm:
            self.format = pcm()
        modalities: list[str] = self.request.get("output_modalities") or config["output_modalities"]
        self.modality = modalities[0]

    @property
    def in_conversation(self) -> bool:
        """False for out-of-band responses (``conversation: "none"``)."""
        return self.request.get("conversation") != "none"

    @property
    def is_active(self) -> bool:
        return self.status == "in_progress"

    @property
    def text(self) -> str:
        """All words that were sent."""
        return " ".join(item.text for item in self.items if item.type == "message")

    def begin(self) -> None:
        self.status = "in_progress"
        items = [] if "input" in self.request else self.session.conversation.items
        self._context = context(self.session.config | self._own_settings(), items)
        self.session.send({"type": "response.created", "response": self.render()})

    async def run(self) -> None:
        """Play the steps; the session's nursery owns this task."""
        pace = self.session.pace
        with self._scope:
            if self.status == "pending":
                await trio.sleep(pace.created_ms / 1000)
                self.begin()
            if self.session.warm_at_s is None:
                self.session.warm_at_s = trio.current_time() + pace.cold_ms / 1000
            due = max(trio.current_time(), self.session.warm_at_s) + pace.first_audio_ms / 1000
            if self.session.responses_begun:
                due += self.session.unknowns.later_ms / 1000
            self.session.responses_begun += 1
            for step in self.steps:
                due = await self._play(step, due)
                if not self.is_active:
                    return
            self.finish("completed")

    def finish(self, status: str, reason: str = "", error: Json | None = None) -> None:
        """End the response now; a second end changes nothing."""
        if not self.is_active:
            if self.status == "pending":  # never announced, so nothing is owed
                self.status = status
                self._scope.cancel()
                self.on_over(self)
            return
        self.status, self.reason, self.error, self.done_s = status, reason, error, trio.current_time()
        speaking = self._open
        self._close_item("completed" if status == "completed" else "incomplete")
        output = sum((_cost(item) for item in self.items), Tokens())
        self.usage = usage(self._context, self._cached(), output)
        self._remember()
        self.session.send({"type": "response.done", "response": self.render()})
        self.on_over(self)
        if status == "cancelled" and speaking and self._unsent and self.session.faults.late_deltas:
            self.session.spawn(self._send_late, speaking, name="sim model late deltas")
        self._scope.cancel()

    def render(self) -> Json:
        """The response object of ``response.created`` and ``response.done``."""
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self._status_details(),
            "output": [] if self.is_active else [item.render() for item in self.items],
            "conversation_id": self.session.conversation_id if self.in_conversation else None,
            "output_modalities": [self.modality],
            "max_output_tokens": self._max_output_tokens(),
            "audio": {"output": {"format": self.format, "voice": self.voice}},
            "usage": self.usage,
            "metadata": self.request.get("metadata"),
        }

    def _status_details(self) -> Json | None:
        match self.status:
            case "cancelled" | "incomplete":
                return {"type": self.status, "reason": self.reason}
            case "failed":
                return {"type": "failed", "error": self.error}
            case _:
                return None

    def _own_settings(self) -> Json:
        return {key: self.request[key] for key in ("instructions", "tools") if key in self.request}

    def _max_output_tokens(self) -> int | str:
        limit: int | str | None = self.request.get("max_output_tokens")
        if limit is None:
            limit = self.session.config["max_output_tokens"]
        assert limit is not None
        return limit

    def _cached(self) -> list[list[Piece]]:
        """Inputs whose beginning may be in the cache."""
        unknowns = self.session.unknowns
        known = unknowns.inputs if unknowns.cache == "account" else [self.session.last_context]
        if unknowns.cache == "none":
            return []
        return [each for each in known if sum(cost.total for _, cost in each) >= unknowns.cache_from]

    def _remember(self) -> None:
        """This input may be found in the cache by later responses."""
        cache = self.session.unknowns.cache
        if self.in_conversation or cache == "session":
            self.session.last_context = self._context
        if cache == "account":
            self.session.unknowns.inputs.append(self._context)

    def _named(self, body: Any) -> Any:
        """A scripted event, with this response's ids in it."""
        if isinstance(body, dict):
            return {key: self._named(value) for key, value in body.items()}
        names = {"$response": self.id, "$item": self.items[-1].id if self.items else ""}
        return names.get(body, body) if isinstance(body, str) else body

    # Steps -----------------------------------------------------------------------------------------------

    async def _play(self, step: Step, due: float) -> float:
        """Do one step; when the next delta is due."""
        match step:
            case Say():
                return await self._say(step, due)
            case Write(text):
                return await self._write(text, due)
            case Cancel(reason):
                await trio.sleep_until(due)
                self.finish("cancelled", reason)
            case CallTool():
                return await self._call(step, due)
            case Silence(ms):
                await trio.sleep(ms / 1000)
                return max(due, trio.current_time())
            case Event(body):
                self.session.emit(self._named(body))
            case Stall():
                await trio.sleep_forever()
            case Incomplete(reason):
                self.finish("incomplete", reason)
            case Fail():
                await trio.sleep_until(due)
                error = {"type": step.type, "code": step.code, "message": step.message}
                if step.with_error_event:
                    self.session.send({"type": "error", "error": error | {"param": None, "event_id": None}})
                self.finish("failed", error=error)
        return due

    async def _say(self, step: Say, due: float) -> float:
        item = self._next_item({"type": "message", "role": "assistant", "content": []})
        item.open_part()
        self._unsent = deque(self._deltas(step))
        while self._unsent:
            await trio.sleep_until(due)
            if self._exceeds_limit(self._unsent[0]):
                self.finish("incomplete", "max_output_tokens")
                return due
            item.add(*self._unsent.popleft())
            due += self.session.pace.interval_s
        return due

    async def _write(self, text: str, due: float) -> float:
        item = self._next_item({"type": "message", "role": "assistant", "content": []}, written=True)
        item.open_part()
        for words in _shares(text, max(1, len(text) // _TEXT_PIECE)):
            await trio.sleep_until(due)
            item.add(words, b"")
            due += self.session.pace.interval_s
        return due

    def _deltas(self, step: Say) -> list[_Delta]:
        """Words and sound cut in pieces; words are whole and go with the sound they begin in."""
        sound, size = b"", 1
        count = -(-len(step.text) // _TEXT_PIECE)
        if self.modality == "audio":
            sound = render(spoken(step.text, step.audio), self.format["type"])
            size = self.session.pace.delta_ms * BYTES_PER_MS[self.format["type"]]
            count = -(-len(sound) // size)
        return [
            _Delta(words, sound[n * size : (n + 1) * size])
            for n, words in enumerate(_shares(step.text, max(1, count)))
        ]

    async def _call(self, step: CallTool, due: float) -> float:
        await trio.sleep_until(due)
        call_id = step.call_id or self.session.new_id("call")
        body = {"type": "function_call", "name": step.name, "call_id": call_id, "arguments": ""}
        item = self._next_item(body)
        due += self.session.pace.interval_s
        await trio.sleep_until(due)
        item.add_arguments(step)
        if not step.cut:
            self._close_item("completed")
        return due

    def _next_item(self, body: Json, *, written: bool = False) -> OutputItem:
        self._close_item("completed")
        opened = self._open = OutputItem(
            session=self.session,
            response_id=self.id,
            index=len(self.items),
            body=body,
            format=self.format["type"],
            is_spoken=self.modality == "audio" and not written,
            in_conversation=self.in_conversation,
        )
        self.items.append(opened.item)
        opened.announce()
        return opened

    def _close_item(self, status: str) -> None:
        item, self._open = self._open, None
        if item is not None:
            item.close(status)

    async def _send_late(self, item: OutputItem) -> None:
        """Deltas that were on their way when the response was cancelled."""
        for _ in range(min(self.session.faults.late_deltas, len(self._unsent))):
            await trio.sleep(self.session.pace.interval_s)
            item.add("", self._unsent.popleft().audio)

    def _exceeds_limit(self, delta: _Delta) -> bool:
        limit = self._max_output_tokens()
        if not isinstance(limit, int):
            return False
        sent = sum((_cost(item) for item in self.items), Tokens())
        more = Tokens(text_tokens(delta.text), len(delta.audio) // BYTES_PER_MS[self.format["type"]] // 50)
        return (sent + more).total > limit


def _shares(text: str, count: int) -> list[str]:
    """A text in ``count`` pieces of about the same length, each ending at a space."""
    cuts = [0, *(text.find(" ", len(text) * n // count) for n in range(1, count)), len(text)]
    cuts = [len(text) if cut < 0 else cut for cut in cuts]
    return [text[start:end] for start, end in pairwise(cuts)]


def _cost(item: Item) -> Tokens:
    return spoken_tokens(item.text, item.generated_ms)
