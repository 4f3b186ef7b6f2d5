"""The textual backend of a Live session: Responses delegation, or a delegation to the client.

The voice delegates; the backend thinks, by Trio's clock, and calls functions. Each ``response.create`` that
follows the outputs continues it with the script's next turn. While a response runs or a call waits for its
output the backend is busy, and the voice answers nothing that the caller asks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import msgspec
import trio

from llcphone.sim.model.check import Refused
from llcphone.sim.model.script import CallTool, Event, Fail, Incomplete, Say, Stall
from llcphone.sim.model.usage import text_tokens

if TYPE_CHECKING:
    from llcphone.sim.live.state import LiveState
    from llcphone.sim.model.script import Step

Json = dict[str, Any]


class Front(Protocol):
    """What the backend needs of the voice's side."""

    def next_turn(self) -> list[Step]:
        """The script's next turn."""

    def read_out(self, step: Say, not_before_ms: int) -> None:
        """Speak the backend's text."""

    def backend_is_idle(self) -> None:
        """Nothing is under way any more."""


@attrs.define(eq=False)
class Call:
    """A function call of the backend."""

    id: str
    name: str
    arguments: str
    response_id: str
    delegation_id: str | None
    output: str | None = None
    is_void: bool = False
    """Its response failed or ended early, so an output is refused."""


@attrs.define(eq=False)
class Response:
    """One response of the backend."""

    id: str
    model: str
    delegation_id: str | None
    status: str = "in_progress"
    created_s: int = attrs.field(factory=lambda: int(time.time()))
    events: int = 0

    def snapshot(self, **more: Any) -> Json:
        """The response object as nested events carry it: without output, tools and input."""
        return {
            "id": self.id,
            "status": self.status,
            "object": "response",
            "created_at": self.created_s,
            "model": self.model,
            "output": [],
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "instructions": None,
            **more,
        }


@attrs.define(eq=False)
class Backend:
    """The backend of one session."""

    session: LiveState = attrs.field(repr=False)
    front: Front = attrs.field(init=False, repr=False)
    responses: list[Response] = attrs.field(factory=list)
    calls: dict[str, Call] = attrs.field(factory=dict)
    skipped_tools: list[str] = attrs.field(factory=list)
    """Tools the script wanted to call and the session did not offer."""
    delegations: list[str] = attrs.field(factory=list)
    """Their ids, in order."""
    items: int = 0
    """Items the client has put into the backend's input."""
    bytes: int = 0
    """Their size, as JSON in UTF-8."""
    is_stuck: bool = False
    """Its input is full, so it answers nothing more."""
    _new_input: int = 0
    """Items since the last response began."""
    _continues: str | None = None
    """The delegation of a call that was answered since then; None: none was."""

    @property
    def active(self) -> Response | None:
        """The response that runs."""
        last = self.responses[-1] if self.responses else None
        return last if last is not None and last.status == "in_progress" else None

    @property
    def pending(self) -> list[Call]:
        """Calls without an output."""
        return [call for call in self.calls.values() if call.output is None and not call.is_void]

    @property
    def is_busy(self) -> bool:
        """A response runs, or the client owes it something."""
        return self.active is not None or bool(self.pending) or self._new_input > 0

    def offered(self, steps: list[Step]) -> list[Step]:
        """Without the calls of tools that the session does not offer: no model makes those."""
        names = {tool.get("name") for tool in self.session.tools}
        kept: list[Step] = []
        for step in steps:
            is_local = self.session.delegates_to != "responses"
            if isinstance(step, CallTool) and not (step.hallucinated or step.name in names or is_local):
                self.skipped_tools.append(step.name)
            else:
                kept.append(step)
        return kept

    # ---- what the voice does ---------------------------------------------------------------------------

    def delegate(self, steps: list[Step]) -> None:
        """The voice hands a task over: the backend begins, or the client gets it."""
        session = self.session
        delegation: Json = {"id": session.new_id("item"), "type": "delegation"}
        self.delegations.append(delegation["id"])
        offset_ms, kind = session.clock.now_ms, "session.delegation.created"
        if session.delegates_to != "responses":
            whole = delegation | {"target": session.delegates_to}
            session.send(kind, offset_ms=offset_ms, delegation=whole)
            return
        response = self._new_response(delegation["id"])
        whole = delegation | {"target": "responses", "response_id": response.id}
        session.send(kind, offset_ms=offset_ms, delegation=whole)
        self._begin(response, steps)

    # ---- what the client does --------------------------------------------------------------------------

    def take(self, item: Json) -> None:
        """``response.item.create``."""
        self._must_be_responses()
        call: Call | None = None
        if item.get("type") == "function_call_output":
            call = self._call_to_answer(item["call_id"])
        faults, size = self.session.faults, len(msgspec.json.encode(item))
        is_full = self.items + 1 > faults.buffer_items or self.bytes + size > faults.buffer_bytes
        if (is_full or self.is_stuck) and not (self.is_stuck and self.session.assumes.buffer_recovers):
            self.is_stuck = True
            raise Refused("response_input_buffer_full", "The response input buffer is full.", "item")
        self.is_stuck = False
        self.items, self.bytes, self._new_input = self.items + 1, self.bytes + size, self._new_input + 1
        if call is not None:
            call.output, self._continues = item["output"], call.delegation_id
        self.session.conversation.append(item)

    def create(self, answers: str | None) -> None:
        """``response.create``: refused a little later if it comes too early."""
        self._must_be_responses()
        session = self.session
        if self.active is not None or self.pending:
            complaint = "Every function call must have its output before a new response."
            refusal = Refused("function_call_outputs_required", complaint)
            session.later(session.pace.refusal_s, lambda: session.refuse(refusal, answers), "refusal")
            return
        if not self._new_input:
            raise Refused("invalid_value", "There is nothing to respond to.")  # the code is ours
        if self.is_stuck:
            return
        response = self._new_response(self._continues)
        self._begin(response, self.offered(self.front.next_turn()))

    def close(self) -> None:
        """The session ends: what has not begun never will."""
        for call in self.pending:
            call.is_void = True
        self._new_input = 0

    def _must_be_responses(self) -> None:
        if self.session.delegates_to != "responses":
            raise Refused("invalid_value", "The session does not delegate to Responses.")

    def _call_to_answer(self, call_id: str) -> Call:
        call = self.calls.get(call_id)
        if call is None or call.is_void:
            raise Refused("invalid_value", f"No pending function call '{call_id}'.", "item.call_id")
        if call.output is not None:
            raise Refused("invalid_value", f"Function call '{call_id}' has an output.", "item.call_id")
        return call

    # ---- one response ----------------------------------------------------------------------------------

    def _new_response(self, delegation_id: str | None) -> Response:
        model = str(self.session.config["delegation"]["responses"]["model"])
        response = Response(self.session.new_id("resp"), model, delegation_id)
        self.responses.append(response)
        self._new_input, self._continues = 0, None
        return response

    def _begin(self, response: Response, steps: list[Step]) -> None:
        self.session.spawn(self._run, response, steps, name="backend response")

    async def _run(self, response: Response, steps: list[Step]) -> None:
        self._emit(response, "response.created", response=response.snapshot())
        self._emit(response, "response.in_progress", response=response.snapshot())
        await trio.sleep(self.session.pace.thinking_s)
        words: list[Say] = []
        index, output_tokens = int(self.session.assumes.reasons), 0
        if self.session.assumes.reasons:
            self._reason(response)
        for step in steps:
            match step:
                case CallTool():
                    self._call(response, step, index)
                    output_tokens += text_tokens(step.raw_arguments)
                    index += 1
                case Say():
                    self._write(response, step.text, index)
                    output_tokens += text_tokens(step.text)
                    words.append(step)
                    index += 1
                case Event():
                    self.session.emit(step.body)
                case Stall():
                    await trio.sleep_forever()
                case Fail():
                    self._end(response, "failed", error={"code": "server_error", "message": step.message})
                    return
                case Incomplete():
                    self._end(response, "incomplete", incomplete_details={"reason": step.reason})
                    return
        self._end(response, "completed", usage=self._usage(output_tokens))
        speak_ms = self.session.clock.now_ms + self.session.pace.result_ms
        for step in words:
            self.front.read_out(step, speak_ms)

    def _end(self, response: Response, status: str, **more: Any) -> None:
        response.status = status
        if status != "completed":
            for call in self.calls.values():
                call.is_void = call.is_void or (call.response_id == response.id and call.output is None)
        self._emit(response, f"response.{status}", response=response.snapshot(**more))
        if not self.is_busy:
            self.front.backend_is_idle()

    def _call(self, response: Response, step: CallTool, index: int) -> None:
        call_id = step.call_id or self.session.new_id("call")
        call = Call(call_id, step.name, step.raw_arguments, response.id, response.delegation_id)
        self.calls[call.id] = call
        item = {"type": "function_call", "id": self.session.new_id("fc"), "call_id": call.id}
        item["name"] = call.name
        where = {"item_id": item["id"], "output_index": index}
        begun = item | {"arguments": "", "status": "in_progress"}
        self._emit(response, "response.output_item.added", output_index=index, item=begun)
        kind = "response.function_call_arguments"
        self._emit(response, f"{kind}.delta", delta=call.arguments, **where)
        if step.cut:
            return
        self._emit(response, f"{kind}.done", arguments=call.arguments, **where)
        done = item | {"arguments": call.arguments, "status": "completed"}
        self._emit(response, "response.output_item.done", output_index=index, item=done)
        self.session.conversation.append(done)

    def _reason(self, response: Response) -> None:
        item = {"type": "reasoning", "id": self.session.new_id("rs"), "summary": []}
        for kind in ("response.output_item.added", "response.output_item.done"):
            self._emit(response, kind, output_index=0, item=item)

    def _write(self, response: Response, text: str, index: int) -> None:
        item = {"type": "message", "id": self.session.new_id("msg"), "role": "assistant"}
        where = {"item_id": item["id"], "output_index": index, "content_index": 0}
        begun = item | {"content": [], "status": "in_progress"}
        self._emit(response, "response.output_item.added", output_index=index, item=begun)
        part = {"type": "output_text", "text": "", "annotations": []}
        self._emit(response, "response.content_part.added", part=part, **where)
        kind = "response.output_text"
        self._emit(response, f"{kind}.delta", delta=text, logprobs=[], **where)
        self._emit(response, f"{kind}.done", text=text, logprobs=[], **where)
        whole = part | {"text": text}
        self._emit(response, "response.content_part.done", part=whole, **where)
        done = item | {"content": [whole], "status": "completed"}
        self._emit(response, "response.output_item.done", output_index=index, item=done)

    def _usage(self, output_tokens: int) -> Json:
        settings = self.session.config["delegation"]["responses"]
        known = msgspec.json.encode([self.session.conversation, settings]).decode()
        input_tokens = text_tokens(known)
        return {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input_tokens + output_tokens,
        }

    def _emit(self, response: Response, kind: str, /, **fields: Any) -> None:
        event = {"type": kind, "sequence_number": response.events, **fields}
        response.events += 1
        self.session.send("response.event", delegation_id=response.delegation_id, event=event)
