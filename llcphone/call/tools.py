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
    output, ok = await _answer(call, command, tool, timeout_s)
    took_ms = round((trio.current_time() - began) * 1000)
    call.step(ToolFinished(command.call_id, output, ok, took_ms))


async def _answer(call: CallRun, command: RunTool, tool: Tool, timeout_s: float) -> tuple[str, bool]:
    """What the model reads, and whether the tool did its work."""
    error = f"timed out after {timeout_s:g} s"
    try:
        with trio.move_on_after(timeout_s):
            try:
                arguments = tool.bind(command.arguments, call.handle)
            except ValueError as exc:
                return as_json({"error": f"bad arguments: {exc}"}), False
            return as_json(await tool.function(**arguments)), True
    except* Exception as group:  # user code, its cleanup at the timeout included: any failure is an answer
        error = kinds_of(group)[0]
    call.log.warning("tool failed", extra={"tool": command.name, "error": error})
    return as_json({"error": error}), False


async def run_hook(call: CallRun, command: RunHook) -> None:
    """Run one of the agent's hooks; its exception is a bug of the call's, and ends it."""
    agent = call.agent
    if command.name == "start" and agent.start_hook is not None:
        await agent.start_hook(call.handle)
    elif command.name == "digit" and agent.digit_hook is not None:
        await agent.digit_hook(call.handle, command.argument)


def as_json(result: Any) -> str:
    """A tool's result as the JSON text the model reads; raises when it cannot be written."""
    text = result if isinstance(result, str) else msgspec.json.encode(result, enc_hook=str).decode()
    text.encode()  # half a character (a lone surrogate) would end the call when it is sent
    return text


def kinds_of(group: BaseExceptionGroup[Any]) -> list[str]:
    """The types of what is in a group of groups; texts may hold what the caller said."""
    kinds: set[str] = set()
    for exc in group.exceptions:
        kinds.update(kinds_of(exc) if isinstance(exc, BaseExceptionGroup) else [type(exc).__name__])
    return sorted(kinds)
