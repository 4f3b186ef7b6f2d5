"""Tool calls of one call: begun, answered, and then spoken about.

Every ``call_id`` gets an answer, from its tool or, when the tool's time has passed, from the engine:
otherwise the model would wait for ever. Audio and barge-in never wait for a tool. A result becomes an
item of the conversation at once, and ``responses`` decides when a response about it may be created.

    late     a tool may go on when the model no longer waits for it. Its result is discarded, or sent as a
             tool call of its own with the same arguments. A second answer to one ``call_id`` does not
             exist, and a system message would give a tool's text the authority of a system prompt
    unasked  something was looked up while the agent was speaking. It is sent like a late result, and no
             response is asked for: the agent does not speak because of it, but what it says next can use
             it. While there is no session it waits; once sent, it is part of the history
    filler   when the caller has waited for tools in silence for this long, a stored sound is played. The
             transcript has it as the system's; the answer does not wait for its end
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llcphone.engine import notes
from llcphone.engine.commands import Command, RunTool, SendModel
from llcphone.engine.parts.responses import TOOLS
from llcphone.realtime.messages import ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.engine.call_setup import ToolRule
    from llcphone.engine.events import ResultTold, ToolFinished
    from llcphone.engine.state import CallState
    from llcphone.realtime.events import Item


class ToolCalls:
    """Where the model's tool calls are taken and their answers given."""

    def __init__(self, state: CallState) -> None:
        self._state = state
        self._talk = state.talk
        self._batches = state.talk.batches
        self._plan = plan = state.setup.tool_plan
        self._rules = {rule.name: rule for rule in plan.rules}
        self._irreversible = frozenset(rule.name for rule in plan.rules if rule.irreversible)
        self._running: dict[str, RunTool] = {}
        self._due_ms: dict[str, int] = {}
        self._late: dict[str, RunTool] = {}
        """Calls that were answered without their tool."""
        self._outputs = state.talk.outputs
        self._told_late = self._told = 0
        self._unasked: list[ResultTold] = []
        """Results that the model has not asked for, and that no session has yet."""
        self._silent_ms: int | None = None
        """Since when the caller hears nothing; None while they do, or while no tool is awaited."""
        self._fillers = 0
        self.filling = False
        """What plays may be our filler."""

    def begin(
        self, items: Iterable[Item], why_not: str, response_id: str, now_ms: int, out: list[Command]
    ) -> bool:
        """The calls of a response that has ended, unless something is against them.

        Returns whether the model will be asked to speak about them.
        """
        talk = self._talk
        held = self._irreversible if talk.caller_has_floor else ()
        to_run, answers, speak = self._batches.begin(items, why_not=why_not, held=held)
        for answer in answers:
            self._answer(answer.call_id, answer.output, out)
        turn = talk.timings.of(response_id)
        for call in to_run:
            if turn is not None:
                turn.tools.append(call.name)
            self._take(call, now_ms)
            self._run(call, out)
        if speak:
            talk.responses.want(TOOLS)
        return speak or self._batches.awaits(call.call_id for call in to_run)

    def _take(self, call: RunTool, now_ms: int) -> None:
        """A call waits for its answer from now on."""
        self._running[call.call_id] = call
        rule = self._rules.get(call.name)
        if rule is not None and rule.timeout_ms:
            self._due_ms[call.call_id] = now_ms + rule.timeout_ms
        self._talk.transcript.tool_called(call.call_id, call.name, call.arguments, now_ms)

    @staticmethod
    def _run(call: RunTool, out: list[Command]) -> None:
        out.append(call)
        out.append(notes.ToolBegun(call.name, call.call_id))

    # -- answers ----------------------------------------------------------------------------

    def finished(self, event: ToolFinished, now_ms: int, out: list[Command]) -> None:
        """A tool answered; the last answer of its response asks the model to speak."""
        late = self._late.pop(event.call_id, None)
        call = self._running.pop(event.call_id, None)
        if late is None and call is None:
            return
        out.append(notes.ToolDone(event.call_id, event.ok, event.took_ms))
        if late is None:
            self._settle(event.call_id, event.output, now_ms, out)
            return
        self._talk.transcript.tool_answered(event.call_id, event.output)
        if self._state.session.ready:  # a later session gets the history
            self._told_late += 1
            self._tell_as_new(f"late-{self._told_late}", late, event.output, out)
        if self._batches.speaks(late.name) and not self._state.hanging_up:  # no late news may hold the call
            self._talk.responses.want(TOOLS)

    @property
    def deadline_ms(self) -> int | None:
        """When the model stops waiting for a tool."""
        return min(self._due_ms.values(), default=None)

    def overdue(self, now_ms: int, out: list[Command]) -> None:
        """The time of some tools may have passed: they are answered without their result."""
        for call_id in [each for each, due_ms in self._due_ms.items() if due_ms <= now_ms]:
            call = self._running.pop(call_id)
            rule = self._rules[call.name]
            promised = rule.goes_on and rule.deliver
            if promised:
                self._late[call_id] = call
            out.append(notes.ToolLate(call.name, call_id))
            self._settle(call_id, _no_answer(rule), now_ms, out, promised=promised)

    def _settle(
        self, call_id: str, output: str, now_ms: int, out: list[Command], *, promised: bool = False
    ) -> None:
        self._due_ms.pop(call_id, None)
        self._answer(call_id, output, out, promised=promised)
        if self._batches.finished(call_id):
            self._talk.responses.want(TOOLS)

    def _answer(self, call_id: str, output: str, out: list[Command], *, promised: bool = False) -> None:
        self._talk.transcript.tool_answered(call_id, output, promised=promised)
        self._outputs.tell(call_id, output, out)

    def _tell_as_new(self, call_id: str, call: RunTool | ResultTold, output: str, out: list[Command]) -> None:
        out.append(SendModel(ToolCall(call_id, call.name, call.arguments)))
        self._outputs.tell(call_id, output, out)

    def unasked(self, event: ResultTold, now_ms: int, out: list[Command]) -> None:
        """A result that the model has not asked for."""
        self._unasked.append(event)

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """On a configured session: send the unasked results that wait."""
        talk = self._talk
        for event in self._unasked:
            self._told += 1
            while talk.history.get(f"told-{self._told}") is not None:  # an older run of this call used it
                self._told += 1
            call_id = f"told-{self._told}"
            talk.transcript.tool_called(call_id, event.name, event.arguments, now_ms)
            talk.transcript.tool_answered(call_id, event.output)
            self._tell_as_new(call_id, event, event.output, out)
            out.append(notes.ResultTold(event.name))
        self._unasked.clear()

    # -- the caller's wait ------------------------------------------------------------------

    def filler_at_ms(self, now_ms: int) -> int | None:
        """When the silence has lasted long enough for a filler; None while it depends on events.

        To be asked after every event: it also notices when the silence began.
        """
        plan, talk = self._plan, self._talk
        if not (plan.filler_after_ms and plan.filler and self._batches.awaited):
            self._silent_ms, self._fillers = None, 0
            return None
        quiet_ms = talk.quiet_from_ms
        if quiet_ms is None or not talk.playout.started or not talk.playout.silent:
            self._silent_ms = None
            return None
        self._silent_ms = now_ms if self._silent_ms is None else self._silent_ms
        wait_ms = plan.filler_every_ms if self._fillers else plan.filler_after_ms
        return max(self._silent_ms, quiet_ms) + wait_ms if wait_ms else None

    def filler_is_due(self, now_ms: int, out: list[Command]) -> None:
        """If the caller still waits in silence, play it."""
        at_ms = self.filler_at_ms(now_ms)
        if at_ms is None or at_ms > now_ms:
            return
        self._talk.play(self._plan.filler, "filler", now_ms, out, line_id=f"tool filler {now_ms}")
        out.append(notes.FillerPlayed("tool"))
        self._fillers += 1
        self.filling = True

    def agent_speaks(self, out: list[Command]) -> None:
        """The answer does not wait for a filler's end."""
        self.filling = False
        self._talk.drop_fillers(out)


def _no_answer(rule: ToolRule) -> str:
    """What the model reads in place of a result."""
    seconds = f"{rule.timeout_ms / 1000:g} s"
    if rule.goes_on and rule.deliver:
        answer = {"status": f"still running after {seconds}; its result will follow"}
    elif rule.goes_on:
        answer = {"error": f"no answer after {seconds}; it goes on, and its result will not be told"}
    else:
        answer = {"error": f"timed out after {seconds}"}
    return msgspec.json.encode(answer).decode()
