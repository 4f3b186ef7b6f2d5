"""Tools and hooks: the user's own code, each run as a task of the call.

A tool's failure is the model's news, not the call's: bad arguments, exceptions and timeouts become
answers. This file holds the package's only ``except Exception`` around a user's tool.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from llcphone.engine.events import ToolFinished

if TYPE_CHECKING:
    from llcphone.call.run import CallRun
    from llcphone.engine.commands import RunHook, RunTool
    from llcphone.tooling import Tool

log = logging.getLogger("llcphone.call")


async def run_tool(call: CallRun, command: RunTool, tool: Tool, timeout_s: float) -> None:
    """Run one tool call and give its answer to the engine."""
    began = trio.current_time()
    ok = False
    result: Any
    try:
        arguments = tool.bind(command.arguments, call.handle)
    except ValueError as exc:
        result = {"error": f"bad arguments: {exc}"}
    else:
        result = None
        with trio.move_on_after(timeout_s) as scope:
            try:
                result = await tool.function(**arguments)
                ok = True
            except Exception as exc:  # user code: any failure is an answer
                call.log.warning("tool failed", extra={"tool": command.name, "error": type(exc).__name__})
                result = {"error": type(exc).__name__}
        if scope.cancelled_caught:
            call.log.warning("tool timed out", extra={"tool": command.name})
            result = {"error": f"timed out after {timeout_s:g} s"}
    took_ms = round((trio.current_time() - began) * 1000)
    call.step(ToolFinished(command.call_id, as_json(result), ok, took_ms))


async def run_hook(call: CallRun, command: RunHook) -> None:
    """Run one of the agent's hooks; its exception is a bug of the call's, and ends it."""
    agent = call.agent
    if command.name == "start" and agent.start_hook is not None:
        await agent.start_hook(call.handle)
    elif command.name == "digit" and agent.digit_hook is not None:
        await agent.digit_hook(call.handle, command.argument)


def as_json(result: Any) -> str:
    """A tool's result as the JSON text the model reads."""
    if isinstance(result, str):
        return result
    try:
        return msgspec.json.encode(result, enc_hook=str).decode()
    except (TypeError, ValueError):
        return msgspec.json.encode({"error": "the tool's result cannot be written as JSON"}).decode()
