"""What a hostile call does: every way code can raise, and every text, at every place where user code is run.

An *act* is a place and a thing: ``("brief raises", "SystemExit")``, ``("store note", "half a character")``.
``ACTS`` has them all; `agent_of` makes the agent that performs one, `turns_of` is the model in that call.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import trio

from llcphone import Agent, CallHandle
from llcphone.sim.model import CallTool, Say
from llcphone.store import Message, store_of

if TYPE_CHECKING:
    from collections.abc import Callable

Act = tuple[str, str]


class Odd(BaseException):
    """Neither an Exception nor one that Python knows."""


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


WAYS: dict[str, Callable[[], BaseException]] = {
    "RuntimeError": lambda: RuntimeError("planted"),
    "SystemExit": lambda: SystemExit("planted"),
    "BaseException": lambda: Odd("planted"),
    "asyncio's cancellation": asyncio.CancelledError,
    "GeneratorExit": GeneratorExit,
    "StopIteration": StopIteration,
    "RecursionError": RecursionError,
    "a group": lambda: BaseExceptionGroup("planted", [SystemExit(), ValueError("planted")]),
    "half a character": lambda: ValueError("planted \ud83d"),
}
TEXTS: dict[str, Any] = {
    "NUL": "Jos\x00e",
    "half a character": "Jos\ud83d",
    "megabytes": "long " * 600_000,
    "escapes": "\x1b[2J\x07\uffff",
    "a huge integer": 10**400,
    "an integer beyond 64 bits": 2**70,
    "no number": float("nan"),
    "endless": endless(),
    "deep": deep(),
    "bytes": b"\xff\x00",
    "an object": object(),
}

RAISING = ("tool", "detached", "approve", "start", "digit", "brief", "chooser", "note", "record")
SAYING = ("result", "detached result", "state", "tell", "context", "brief", "words", "arguments", "summary")
SAYING += ("store note", "store message", "store customer")
ACTS: list[Act] = [(f"{place} raises", way) for place in RAISING for way in WAYS]
ACTS += [(place, text) for place in SAYING for text in TEXTS]
TOOL = "act"
"""The hostile agents' tool; ordinary agents have another, so the script knows in which call it is."""


def agent_of(act: Act) -> Agent:
    place, what = act
    agent = Agent("You are hostile.", name="hostile")

    def meet(here: str) -> None:
        if place == f"{here} raises":
            raise WAYS[what]()

    async def approve(call: CallHandle, name: str, arguments: dict[str, Any]) -> bool:
        meet("approve")
        return True

    @agent.tool(
        name=f"{TOOL}{ACTS.index(act)}",
        lean=True,
        retry=1,
        detached=place.startswith("detached"),
        approve=approve if place == "approve raises" else None,
    )
    async def do(call: CallHandle, text: str = "") -> Any:
        await trio.lowlevel.checkpoint()
        meet("tool")
        meet("detached")
        return await perform(call, place, TEXTS.get(what, "done"))

    @agent.on_start
    async def on_start(call: CallHandle) -> None:
        meet("start")

    @agent.on_digit
    async def on_digit(call: CallHandle, digit: str) -> None:
        meet("digit")

    @agent.brief
    def brief(call: CallHandle) -> Any:
        meet("brief")
        return TEXTS[what] if place == "brief" else ""

    return agent


async def perform(call: Any, place: str, thing: Any) -> Any:
    """What the tool does with a hostile thing; user code is not careful."""
    match place:
        case "result" | "detached result":
            return thing
        case "state":
            call.state["odd"] = thing
        case "tell":
            call.tell(next(iter(call.run.agent.tools)), {}, thing)
        case "context":
            call.context = thing
        case "summary":
            await call.transfer("sales", summary=thing)
        case "store note":
            customer = thing if isinstance(thing, int) else None
            return await store_of(call).add_note(call.call_id, customer, thing, key=call.call_id)
        case "store message":
            return await store_of(call).take_message(Message(reason=thing, name=thing, number=thing))
        case "store customer":
            return (await store_of(call).add_customer(thing, thing)).id
    return "done"


def turns_of(past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
    """What the model does in a hostile call: it acts, then says one word; None: it is an ordinary call."""
    name = next((tool["name"] for tool in tools if tool["name"].startswith(TOOL)), None)
    if name is None:
        return None
    place, what = ACTS[int(name.removeprefix(TOOL))]
    said = TEXTS[what] if place == "words" else "One moment."
    thing = TEXTS[what] if place == "arguments" else "word"
    if any(item["type"] == "function_call_output" for item in past):
        return Say("Done.", 200)
    raw = '{"text": "\\u0000\\ud83d"}' if what == "half a character" else {"text": thing}
    act = CallTool(name, raw if isinstance(thing, str) else '{"text": 1' + "0" * 400 + "}")
    return [Say(said if isinstance(said, str) else "One moment.", 200), act]
