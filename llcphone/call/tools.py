"""Tools and hooks: the user's own code, each run as a task of the call, or of the phone if detached.

A tool's failure is an answer to the model and does not end the call: bad arguments, a refusal, exceptions
and timeouts. The engine keeps the deadline until which the model waits, this file the tool's own life:
approval, its turn among the tools of this call, and as many tries as it allows, all inside one limit.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.call.approvals import ApprovalRequest, Approvals
from llcphone.call.loop_blocking import timed
from llcphone.call.tool_results import error_json, shown
from llcphone.engine import notes
from llcphone.engine.events import ToolFinished
from llcphone.runtime.containment import contained
from llcphone.tools.call_handle import ToolContext
from llcphone.tools.tool import OPERATOR, Approval

if TYPE_CHECKING:
    from llcphone.agent import Agent
    from llcphone.call.core import CallCore
    from llcphone.engine.commands import RunHook, RunTool
    from llcphone.tools.call_handle import CallHandle
    from llcphone.tools.tool import Tool


RETRY_PAUSE_S = 0.2
"""Pause before the second try of a tool with `retry`; it doubles with each further try."""


class ToolRunner:
    """The tools and hooks of one call's agent."""

    def __init__(self, core: CallCore, agent: Agent, handle: CallHandle) -> None:
        self._core = core
        self._agent = agent
        self._handle = handle
        self._services = core.services
        self._settings = core.services.config.tools
        self._turn = trio.CapacityLimiter(self._settings.max_concurrent)
        self.approvals = Approvals(core.observe)
        self._calls: dict[str, dict[str, Any]] = {}
        """Every tool call by its id, in the order in which they began."""

    def report(self) -> tuple[dict[str, Any], ...]:
        """Every tool that ran: its name and times, and how it went; ``ok`` is None until it has ended."""
        return tuple(self._calls.values())

    def start(self, command: RunTool) -> None:
        """Run a tool as a task; its answer comes back as ``ToolFinished``."""
        tool = self._agent.tools[command.name]
        start = self._services.start_detached if tool.detached else self._core.spawn
        start(self._run, command, tool, name=f"tool {command.name}")

    def start_hook(self, command: RunHook) -> None:
        """Run one of the agent's hooks as a task; its exception is a bug, and ends the call."""
        if command.name == "start" and (on_start := self._agent.start_hook) is not None:
            hook = partial(on_start, self._handle)
        elif command.name == "digit" and (on_digit := self._agent.digit_hook) is not None:
            hook = partial(on_digit, self._handle, command.argument)
        else:
            return

        async def run() -> None:
            await hook()

        async def run_timed() -> None:
            await timed(run(), partial(self.held, f"hook on_{command.name}"))

        self._core.spawn(run_timed, name=f"hook {command.name}")

    async def _run(self, command: RunTool, tool: Tool) -> None:
        core, call, began = self._core, self._handle, trio.current_time()
        self._calls[command.call_id] = started = self._started(command, tool, began)
        # The CallSid outlives this process; so does the key, and a resumed call repeats no effect.
        key = f"{call.call_sid or call.call_id}:{command.call_id}"
        context = ToolContext(call, command.call_id, key)
        answer = self._answer(command, tool, context)
        output, ok = await timed(answer, partial(self.held, f"tool {tool.name}"))
        took_ms = round((trio.current_time() - began) * 1000)
        # A new dict: the record of an ended call keeps what was known then.
        self._calls[command.call_id] = started | {"took_ms": took_ms, "ok": ok}
        self._warn_if_slow(tool, took_ms, started["target_ms"])
        if core.over:
            core.log.info(
                "tool ended after its call", extra={"tool": tool.name, "ok": ok, "took_ms": took_ms}
            )
        core.step(ToolFinished(command.call_id, output, ok, took_ms))

    def held(self, by: str, ms: int) -> None:
        """Code of this call's agent held the event loop, and so all calls."""
        self._core.observe(notes.LoopHeld(by, ms))
        if self._services.on_loop_held is not None:
            self._services.on_loop_held(by, ms)

    def _started(self, command: RunTool, tool: Tool, began: float) -> dict[str, Any]:
        """For the record, until it has ended."""
        target_s = tool.options.get("target_s")
        return {
            "id": command.call_id,
            "name": tool.name,
            "at_ms": self._core.engine.status().since_birth(round(began * 1000)),
            "took_ms": None,
            "target_ms": None if target_s is None else round(target_s * 1000),
            "ok": None,
        }

    def _warn_if_slow(self, tool: Tool, took_ms: int, target_ms: int | None) -> None:
        if target_ms is not None and took_ms > target_ms:
            fields = {"took_ms": took_ms, "target_ms": target_ms}
            self._core.log.warning("tool slower than its target", extra={"tool": tool.name, **fields})
            self._core.observe(notes.ToolSlow(tool.name, took_ms, target_ms))

    async def _answer(self, command: RunTool, tool: Tool, context: ToolContext) -> tuple[str, bool]:
        """What the model reads, and whether the tool did its work."""
        times = tool.times(self._settings)
        with contained() as failure:  # the user's own validators run
            arguments = tool.read(command.arguments)
        if failure.error is not None:
            readable = isinstance(failure.error, ValueError)
            self._failed(tool, "bad arguments" if readable else failure.kinds[0])
            why = str(failure.error) if readable else failure.kinds[0]
            return error_json(f"bad arguments: {why}"), False
        if times.approve_s:
            request = ApprovalRequest(command.call_id, tool.name, arguments)
            if refusal := await self._refusal(tool, request, times.approve_s):
                self._failed(tool, "not approved")
                return error_json(f"not approved: {refusal}"), False
        result, error, ok = None, "", False
        with trio.move_on_after(times.limit_s) as life:
            async with self._turn:
                result, error = await self._tries(command, tool, context)
                ok = not error
        if ok:
            return self._shown(tool, result)
        if life.cancel_called:  # whatever its cleanup raised
            error = f"timed out after {times.limit_s:g} s"
            self._failed(tool, "timed out")
        return error_json(error), False

    async def _tries(self, command: RunTool, tool: Tool, context: ToolContext) -> tuple[Any, str]:
        """Run it, and again after an exception as often as it is marked for: its result, or what it raised.

        The fate of the result does not matter here: an effect that has happened is not repeated because its
        result cannot be sent.
        """
        pause_s = RETRY_PAUSE_S
        error = ""
        for attempt in range(1, tool.options.get("retry", 0) + 2):
            if attempt > 1:
                await trio.sleep(pause_s)
                pause_s *= 2
            with contained() as failure:
                arguments = tool.bind(command.arguments, attrs.evolve(context, attempt=attempt))
                made: Any = tool.function(**arguments)
                return (await made if inspect.isawaitable(made) else made), ""
            error = failure.kinds[0]
            self._failed(tool, error, attempt)
        return None, error

    def _shown(self, tool: Tool, result: Any) -> tuple[str, bool]:
        told = shown(result)
        if told.trouble:
            fields = {"tool": tool.name, "error": told.trouble}
            self._core.log.warning(
                "tool result cannot be shown to the model: return text, numbers, lists or dicts", extra=fields
            )
        return told.text, not told.lost

    async def _refusal(self, tool: Tool, request: ApprovalRequest, limit_s: float) -> str:
        """Why a tool call may not run; empty when it was approved."""
        verdict: Approval = "nobody answered in time"
        hook = tool.options.get("approve")
        with contained() as failure, trio.move_on_after(limit_s):
            if hook is None or hook == OPERATOR:
                verdict = await self.approvals.ask(request)
            else:
                verdict = await hook(self._handle, tool.name, request.arguments)
        if failure.error is not None:  # what could not be asked is not approved
            verdict = "nobody could be asked"
            self._failed(tool, failure.kinds[0])
        if verdict is True:
            return ""
        return verdict if isinstance(verdict, str) and verdict else "it was refused"

    def _failed(self, tool: Tool, error: str, attempt: int = 1) -> None:
        self._core.log.warning("tool failed", extra={"tool": tool.name, "error": error, "attempt": attempt})
