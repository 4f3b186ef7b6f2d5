"""What is done at the end of a response: its tools run, text without sound is deleted, the outcome is
noted.

It depends on how the response ended: cut off by the caller, failed, without a sound, or never announced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine import notes
from llcphone.engine.commands import Command, SendModel
from llcphone.engine.parts import tool_batches
from llcphone.engine.parts.pending_reply import Outcome
from llcphone.engine.parts.responses import PRIMING, Asked
from llcphone.realtime.error_codes import named_wait_ms
from llcphone.realtime.messages import DeleteItem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llcphone.engine.policies.tool_calls import ToolCalls
    from llcphone.engine.state import CallState
    from llcphone.realtime.events import Item, ResponseDone


class ResponseEnd:
    """What is done at the end of each response of one call."""

    def __init__(self, state: CallState, *, tools: ToolCalls) -> None:
        self._talk = state.talk
        self._tools = tools

    def response_done(self, event: ResponseDone, now_ms: int, out: list[Command]) -> Outcome | None:
        """A response ended, one way or another: what became of it, if somebody had asked for it."""
        talk = self._talk
        response = talk.responses.done(event.response_id)
        talk.bill.done(event, talk.timings.of(event.response_id), out)
        items = talk.items.take(event.response_id, event.items)
        if response is None and event.in_conversation and event.purpose != PRIMING:
            # A repetition, or never announced: nothing of it runs, but each call is owed its answer.
            self._tools.begin(items, tool_batches.STRAY, event.response_id, now_ms, out)
        if response is None or response.asked is Asked.OUT_OF_BAND:
            talk.primed = talk.primed or response is not None or event.purpose == PRIMING
            return None
        talk.response_over(response, out)
        cut = talk.playout.is_cut_off(response.id)
        written = self._delete_unheard(response.id, items, now_ms, out)
        talk.transcript.lengths(response.id, items, now_ms)
        interrupted = talk.was_interrupted(response.id)
        why_not = tool_batches.why_not(event.status, response.asked, interrupted=interrupted)
        follows = self._tools.begin(items, why_not, response.id, now_ms, out)
        if response.asked is Asked.UNASKED:
            return None
        out.append(notes.ResponseDone(response.asked.value, event.status.value))
        spoken = any(item.generated for item in talk.playout.items_of(response.id))
        silent_tools = talk.batches.ran and not written
        quiet = follows or silent_tools or cut or talk.caller_has_floor or response.asked is Asked.SILENCE
        outcome = Outcome(
            response, event.status, spoken, quiet, event.error_code, named_wait_ms(event.error_message)
        )
        if not outcome.owed:  # else it is still to come
            talk.answered(response)
        return outcome

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
