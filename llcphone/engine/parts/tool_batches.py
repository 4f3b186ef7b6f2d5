"""The tool calls of one response, answered together.

A call runs only when its response is over and was not cancelled, because a cancelled response still
delivers calls that look complete. Every ``call_id`` gets an answer, whether its tool ran or not:
otherwise the model would wait for it for ever. One ``response.create`` follows all answers of one
response, none if all its tools were silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import msgspec

from llcphone.engine.commands import RunTool
from llcphone.engine.parts.responses import Asked
from llcphone.realtime.events import ResponseStatus
from llcphone.realtime.messages import ToolOutput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from llcphone.realtime.events import Item

INTERRUPTED = "not run: the caller interrupted"
CANCELLED = "not run: the response was cancelled"
FAILED = "not run: the response failed"
CUT_SHORT = "not run: its arguments were cut off"
STRAY = "not run: its response was never announced, or is over"
UNASKED = "not run: nobody had asked for this response"
UNKNOWN = "there is no such tool"


@attrs.define(eq=False)
class Batch:
    """The calls of one response that are still running."""

    pending: set[str]
    speak: bool


class ToolBatches:
    """Which calls are being answered."""

    def __init__(self, tools: Collection[str], silent: Collection[str]) -> None:
        self._tools = tools
        self._silent = silent
        self._of: dict[str, Batch] = {}
        self._answered: dict[str, None] = {}
        self.ran = False
        """The last response began a tool."""

    def begin(
        self, items: Iterable[Item], *, why_not: str = "", held: Collection[str] = ()
    ) -> tuple[list[RunTool], list[ToolOutput], bool]:
        """The calls of a response that has ended.

        Args:
            items: all that the response has put out.
            why_not: why none of its calls may run; empty: they may.
            held: tools that may not run now, because the caller is speaking.

        Returns the tools to run, the answers known at once, and whether the model should speak
        already (no tool runs, yet one was answered).
        """
        to_run: list[RunTool] = []
        answers: list[ToolOutput] = []
        speak = False
        for item in items:
            if item.type != "function_call" or not item.call_id or item.call_id in self._answered:
                continue
            self._remember(item.call_id)
            if why_not or item.status not in ("completed", ""):
                answers.append(_no(item, why_not or CUT_SHORT))
            elif item.name not in self._tools:
                answers.append(_no(item, UNKNOWN))
                speak = True
            elif item.name in held:
                answers.append(_no(item, INTERRUPTED))
            else:
                to_run.append(RunTool(item.call_id, item.name, item.arguments))
                speak = speak or self.speaks(item.name)
        self.ran = bool(to_run)
        if to_run:
            batch = Batch({call.call_id for call in to_run}, speak)
            self._of.update(dict.fromkeys(batch.pending, batch))
        return to_run, answers, speak and not to_run

    def awaits(self, call_ids: Iterable[str]) -> bool:
        """Whether the model will speak when these have answered."""
        return any(self._of[each].speak for each in call_ids)

    def finished(self, call_id: str) -> bool:
        """A running call was answered: whether the model should speak now."""
        batch = self._of.pop(call_id)
        batch.pending.discard(call_id)
        return batch.speak and not batch.pending

    def speaks(self, name: str) -> bool:
        """Whether this tool's answer asks for a response."""
        return name not in self._silent

    @property
    def awaited(self) -> bool:
        """The model will speak when the tools that run have answered."""
        return any(batch.speak for batch in self._of.values())

    @property
    def call_ids(self) -> frozenset[str]:
        """The calls that have not been answered yet."""
        return frozenset(self._of)

    @property
    def running(self) -> int:
        """Tools that have not answered yet."""
        return len(self._of)

    def _remember(self, call_id: str) -> None:
        self._answered[call_id] = None
        if len(self._answered) > 256:
            del self._answered[next(iter(self._answered))]


def _no(item: Item, error: str) -> ToolOutput:
    return ToolOutput(item.call_id, msgspec.json.encode({"error": error}).decode())


def why_not(status: ResponseStatus, asked: Asked, *, interrupted: bool) -> str:
    """Why no call of a response that ended like this may run; empty: they may."""
    if asked is Asked.UNASKED:
        return UNASKED
    match status:
        case ResponseStatus.FAILED:
            return FAILED
        case ResponseStatus.CANCELLED:
            return INTERRUPTED if interrupted else CANCELLED
        case _:
            return ""
