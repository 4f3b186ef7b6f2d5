"""The end of a response: its tools run, text without sound is deleted, what had no sound is asked for again.

Every response that somebody waits for (greeting, answer, what is said about a tool's result, …) ends
here. If it ended without a sound (text in place of audio, nothing at all, filtered, cut short, cancelled
by the server, failed), it is asked for again. The pause before that grows and respects a moment that the
server has named. Once the caller has taken the floor, nothing is asked for again: their turn is answered
instead.

    no sound   twice more on this session; then the session counts as lost, once; then the apology
    failed     until ``recovery.limit_s`` has passed. If two fail in a row, the session counts as lost,
               unless the server only asks for time: then a fresh session would use more of what is scarce
    too long   the named moment is beyond the limit: the apology at once

A response in which only silent tools ran was meant to be silent, and nothing is owed. The same holds for
a prompt that breaks a silence: if the silence lasts, another follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.commands import Command, EndCall, SendModel
from llcphone.engine.events import EndReason
from llcphone.engine.parts import tool_batches
from llcphone.engine.parts.responses import GREETING, PRIMING, TOOLS, TURN, Asked, Response
from llcphone.realtime.error_codes import ErrorKind, asks_for_time, error_kind, named_wait_ms
from llcphone.realtime.events import ModelError, RateLimits, ResponseDone, ResponseStatus
from llcphone.realtime.messages import ASK_EVENT, DeleteItem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.engine.policies.recovery import Recovery
    from llcphone.engine.policies.tool_calls import ToolCalls
    from llcphone.engine.state import CallState
    from llcphone.realtime.events import Item

_MOST_AGAIN = 2
"""How often an answer that ended without a sound is asked for again on the same session."""

_MOST_FAILURES = 2
"""Responses that may fail in a row before the session is to blame."""


class ReplyEnd:
    """What is done at the end of each response of one call."""

    def __init__(self, state: CallState, *, recovery: Recovery, tools: ToolCalls) -> None:
        self._state, self._talk, self._pending = state, state.talk, state.pending
        self._recovery, self._tools = recovery, tools
        self._resets_ms = 0
        """When a rate limit that is used up is reset, by the server's own report."""

    # -- what happened ----------------------------------------------------------------------

    def response_done(self, event: ResponseDone, now_ms: int, out: list[Command]) -> None:
        """A response ended, one way or another."""
        talk = self._talk
        response = talk.responses.done(event.response_id)
        talk.bill.done(event, talk.timings.of(event.response_id), out)
        items = talk.items.take(event.response_id, event.items)
        if response is None and event.in_conversation and event.purpose != PRIMING:
            # A repetition, or never announced: nothing of it runs, but each call is owed its answer.
            self._tools.begin(items, tool_batches.STRAY, event.response_id, now_ms, out)
        if response is None or response.asked is Asked.OUT_OF_BAND:
            talk.primed = talk.primed or response is not None or event.purpose == PRIMING
            return
        talk.response_over(response, out)
        cut = talk.playout.is_cut_off(response.id)
        written = self._delete_unheard(response.id, items, now_ms, out)
        talk.transcript.lengths(response.id, items, now_ms)
        interrupted = talk.was_interrupted(response.id)
        why_not = tool_batches.why_not(event.status, response.asked, interrupted=interrupted)
        follows = self._tools.begin(items, why_not, response.id, now_ms, out)
        if response.asked is Asked.UNASKED:
            return
        out.append(notes.ResponseDone(response.asked.value, event.status.value))
        spoken = any(item.generated for item in talk.playout.items_of(response.id))
        silent_tools = talk.batches.ran and not written
        quiet = follows or silent_tools or cut or talk.caller_has_floor or response.asked is Asked.SILENCE
        if spoken or quiet:  # else it is still to come
            talk.answered(response)
        if event.status is ResponseStatus.FAILED:
            again = TOOLS if spoken else _purpose(response)
            self._failed(again, event.error_code, named_wait_ms(event.error_message), now_ms, out)
            return
        self._pending.failures = 0
        if spoken:
            self._pending.unspoken = self._pending.unspoken_sessions = 0
        elif not quiet:
            self._not_spoken(_purpose(response), now_ms, out)
        elif not (talk.batches.awaited or talk.responses.owes_anything):
            self._recovery.owes_nothing(now_ms)

    def _delete_unheard(
        self, response_id: str, items: Iterable[Item], now_ms: int, out: list[Command]
    ) -> bool:
        """Messages that never became sound: the model forgets them. True when some had words.

        Of a response that was cut off nothing stays; else the words stand in the history as written.
        """
        talk = self._talk
        written, cut = False, talk.playout.is_cut_off(response_id)
        for item in items:
            if item.type != "message" or talk.playout.item(item.id) is not None:
                continue
            out.append(SendModel(DeleteItem(item.id)))
            talk.playout.cut_off(response_id)  # what comes of it later is not heard either
            if cut:
                talk.history.drop(item.id)
            else:
                written = talk.transcript.written(item, now_ms) or written
        return written

    def error(self, event: ModelError, now_ms: int, out: list[Command]) -> None:
        """An ``error`` event on a configured session, by its code."""
        out.append(notes.ModelError(event.code, event.param))
        match error_kind(event):
            case ErrorKind.ACTIVE_RESPONSE:
                self._talk.responses.create_refused(now_ms)
            case ErrorKind.FATAL:
                out.append(EndCall(EndReason.MODEL_REFUSED))
            case ErrorKind.RETRY if event.code == "session_expired":
                out.append(EndCall(EndReason.MODEL_LOST))
            case ErrorKind.RETRY:
                self._in_trouble(event.code, named_wait_ms(event.message), now_ms, out)
            case _ if event.event_id.startswith(ASK_EVENT):
                self._in_trouble(event.code, 0, now_ms, out)
            case _:
                pass

    def _in_trouble(self, code: str, wait_ms: int, now_ms: int, out: list[Command]) -> None:
        """The server may have failed before a response began; an active response reports its own end."""
        responses = self._talk.responses
        self._state.retry.heed(wait_ms, now_ms)
        if responses.active is None and (again := responses.take_unanswered()):
            self._failed(again, code, wait_ms, now_ms, out)

    def limits(self, event: RateLimits, now_ms: int, out: list[Command]) -> None:
        """How much may still be asked for: it matters once a response has failed for want of it."""
        resets = [reset_s for _, remaining, reset_s in event.limits.values() if remaining <= 0]
        self._resets_ms = now_ms + round(max(resets, default=0.0) * 1000)
        if self._pending.waits_for_limits and self._resets_ms > now_ms and self._talk.responses.reply_pending:
            self._state.retry.heed(self._resets_ms - now_ms, now_ms)
            self._hold(0, now_ms, out)

    # -- what is done about it --------------------------------------------------------------

    def _not_spoken(self, again: str, now_ms: int, out: list[Command]) -> None:
        state = self._state
        self._pending.unspoken += 1
        out.append(notes.NoSound(again, self._pending.unspoken))
        if self._pending.unspoken <= _MOST_AGAIN:
            if not state.talk.responses.reply_pending:  # else the next one is asked for already
                self._ask_again(again, now_ms, out)
            return
        self._pending.unspoken = 0
        self._pending.unspoken_sessions += 1
        if not state.hanging_up:  # else the call ends without it
            state.talk.responses.want(again)
        if self._pending.unspoken_sessions > 1:
            self._recovery.cannot_be_had()
        out.append(EndCall(EndReason.MODEL_LOST))

    def _failed(self, again: str, code: str, wait_ms: int, now_ms: int, out: list[Command]) -> None:
        state, talk = self._state, self._talk
        talk.failed_responses += 1
        self._pending.failures += 1
        out.append(notes.ResponseFailed(code))
        if error_kind(ModelError(code)) is ErrorKind.FATAL:
            out.append(EndCall(EndReason.MODEL_REFUSED))
            return
        wants_time = asks_for_time(code) or wait_ms > 0
        if wants_time:
            self._pending.waits_for_limits = True
            state.retry.heed(wait_ms or max(0, self._resets_ms - now_ms), now_ms)
        if talk.caller_has_floor:
            return  # what they say now is answered
        if self._pending.failures >= _MOST_FAILURES and not wants_time:
            talk.responses.want(again)
            out.append(EndCall(EndReason.MODEL_LOST))
        else:
            self._ask_again(again, now_ms, out)

    def _ask_again(self, again: str, now_ms: int, out: list[Command]) -> None:
        state = self._state
        on_the_line = state.started_ms is not None
        few = not on_the_line or state.retry.troubled(now_ms)  # no caller waits for it yet
        pause_ms = state.retry.pause_ms(now_ms)
        self._pending.again = again
        state.talk.responses.want(again)
        self._recovery.owes_still(greeting=again == GREETING, now_ms=now_ms)
        if pause_ms is None or not few:
            self._give_up(out)
        else:
            self._hold(pause_ms, now_ms, out)

    def _hold(self, pause_ms: int, now_ms: int, out: list[Command]) -> None:
        """The next create leaves then, if that is not too late."""
        state = self._state
        if state.started_ms is not None and state.retry.too_late(now_ms):
            self._give_up(out)
        else:
            state.talk.responses.hold(max(now_ms + pause_ms, state.retry.not_before_ms))

    def _give_up(self, out: list[Command]) -> None:
        self._recovery.cannot_be_had()
        out.append(EndCall(EndReason.MODEL_LOST))


def _purpose(response: Response) -> str:
    """What is wished for again: the same thing, by a create of ours."""
    return TURN if response.asked is Asked.CALLER else response.purpose or TOOLS
