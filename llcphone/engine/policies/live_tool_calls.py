"""Tool calls of the text model that serves a Live session: its *backend*.

A call that is never answered blocks every later one of the session, and while one waits the voice answers
no new question. So every call is answered, one ``response.create`` follows when all are, and that waits for
nobody: neither for the caller nor for what the voice is saying. No tool is silent, as the backend must be
continued.

    late      results of a call that was answered before, unasked results, and those of calls that an older
              session has made, have no form of their own. They are told as text, and the agent is asked to
              speak of them
    failed    the calls of a response that failed or was cut short are void, and answers to them would be
              refused. The agent is asked to say that it did not work
    quiet     the backend may call a tool before the caller has finished the sentence that takes it back.
              An irreversible tool waits until the caller was quiet for a while, by the loudness of their
              frames. Where a noise never ends, it runs unless the caller has said something meanwhile
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llcphone.engine import notes
from llcphone.engine.commands import Command, EndCall, RunTool, SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts import tool_batches
from llcphone.engine.parts.live_history import result
from llcphone.engine.parts.live_responses import LiveResponses
from llcphone.engine.parts.responses import TOOLS
from llcphone.engine.parts.timers import Timer
from llcphone.engine.policies.tool_calls import ToolCalls
from llcphone.realtime.error_codes import ErrorKind, error_kind
from llcphone.realtime.events import ModelError, ResponseStatus
from llcphone.realtime.messages import CreateResponse

if TYPE_CHECKING:
    from llcphone.engine.call_setup import LivePlan
    from llcphone.engine.events import ResultTold
    from llcphone.engine.state import CallState
    from llcphone.realtime.events import BackendDone

_NOISE_MS = 3_000
"""After this time, whoever makes the noise says nothing that is transcribed."""

_DID_NOT_WORK = "Looking that up has just failed. Say so in one short sentence, and ask whether to try again."


class LiveToolCalls(ToolCalls):
    """Where the backend's tool calls are taken and their answers given."""

    def __init__(self, state: CallState, plan: LivePlan) -> None:
        super().__init__(state)
        responses = state.talk.responses
        assert isinstance(responses, LiveResponses)
        self._responses = responses
        self._quiet_ms = plan.quiet_ms
        self._leg_of: dict[str, int] = {}
        """The leg whose backend made a call that is not answered yet."""
        self._to_tell: list[str] = []
        """Answered calls of an older session, of which the present one does not know."""
        self._waiting: dict[str, tuple[RunTool, int]] = {}
        """Irreversible calls that wait for a quiet caller, and since when."""

    # -- the backend ------------------------------------------------------------------------

    def backend_done(self, event: BackendDone, now_ms: int, out: list[Command]) -> None:
        """A response of the backend has ended."""
        talk = self._talk
        talk.bill.done(event, None, out)
        talk.outputs.all_taken()
        calls = event.status is ResponseStatus.COMPLETED and bool(event.items)
        self._responses.backend_done(now_ms, calls=calls)
        if calls:
            self._begin_all(event, now_ms, out)
        elif event.status in (ResponseStatus.FAILED, ResponseStatus.INCOMPLETE):
            talk.failed_responses += 1
            out.append(notes.ResponseFailed(event.error_code))
            if error_kind(ModelError(event.error_code)) is ErrorKind.FATAL:
                out.append(EndCall(EndReason.MODEL_REFUSED))
            else:
                talk.ask(TOOLS, _DID_NOT_WORK, out)

    def _begin_all(self, event: BackendDone, now_ms: int, out: list[Command]) -> None:
        to_run, answers, _ = self._batches.begin(event.items)
        for answer in answers:
            self._answer(answer.call_id, answer.output, out)
        for call in to_run:
            self._leg_of[call.call_id] = self._state.session.leg_number
            self._take(call, now_ms)
            if call.name in self._irreversible and not self._caller_is_quiet(now_ms):
                self._waiting[call.call_id] = call, now_ms
            else:
                self._run(call, out)
        if answers and not to_run:
            self._continue(now_ms, out)

    def _continue(self, now_ms: int, out: list[Command]) -> None:
        """All calls of the present session are answered: its backend goes on."""
        leg_number = self._state.session.leg_number
        if not any(leg == leg_number for leg in self._leg_of.values()):
            out.append(SendModel(CreateResponse(TOOLS)))
            self._responses.backend_continues(now_ms)

    # -- answers ----------------------------------------------------------------------------

    def _settle(
        self, call_id: str, output: str, now_ms: int, out: list[Command], *, promised: bool = False
    ) -> None:
        self._due_ms.pop(call_id, None)
        self._waiting.pop(call_id, None)
        made_by_leg = self._leg_of.pop(call_id, 0)
        session = self._state.session
        last = self._batches.finished(call_id)
        if session.ready and made_by_leg == session.leg_number:
            self._answer(call_id, output, out, promised=promised)
            if last:
                self._continue(now_ms, out)
        else:
            self._talk.transcript.tool_answered(call_id, output, promised=promised)
            self._to_tell.append(call_id)
            self._talk.responses.want(TOOLS)

    def _tell_as_new(self, call_id: str, call: RunTool | ResultTold, output: str, out: list[Command]) -> None:
        self._talk.tell(result(call.name, call.arguments, output), out)

    # -- irreversible tools -----------------------------------------------------------------

    def _caller_is_quiet(self, now_ms: int) -> bool:
        return now_ms - self._state.loud_ms >= self._quiet_ms

    def settle(self, now_ms: int, out: list[Command]) -> None:
        """On a configured session: tell what waits for it, and run what waits for a quiet caller."""
        for call_id in self._to_tell:
            line = self._talk.history.get(call_id)
            if line is not None and line.tool is not None:
                self._talk.tell(result(line.tool.name, line.tool.arguments, line.tool.output), out)
        self._to_tell.clear()
        super().settle(now_ms, out)
        self.look(now_ms, out)

    def look(self, now_ms: int, out: list[Command]) -> None:
        """Run what has waited long enough, or do without it."""
        for call_id, (call, since_ms) in list(self._waiting.items()):
            if self._caller_is_quiet(now_ms):
                self._run(self._waiting.pop(call_id)[0], out)
            elif now_ms - since_ms >= _NOISE_MS:
                del self._waiting[call_id]
                if self._talk.said_ms > since_ms:
                    del self._running[call_id]
                    self._settle(call_id, _refusal(), now_ms, out)
                else:
                    self._run(call, out)
        due_ms = min((since_ms + _NOISE_MS for _, since_ms in self._waiting.values()), default=None)
        quiet_ms = self._state.loud_ms + self._quiet_ms
        self._state.timers.arm_early(Timer.QUIET, None if due_ms is None else min(due_ms, quiet_ms))


def _refusal() -> str:
    return msgspec.json.encode({"error": tool_batches.INTERRUPTED}).decode()
