"""The transfers of a phone: those that were requested, and those that have begun.

A transfer that was asked for begins when the call's engine says that the agent's last word was heard; a
caller who speaks before that takes it back. From then on it is known by its token and by its run, until the
telephone call is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.engine.events import EndReason, HangUpAsked, Instructed
from llcphone.engine.notes import TransferPutOff

if TYPE_CHECKING:
    from llcphone.call.call import Call
    from llcphone.engine.note import Note
    from llcphone.phone.transfers.transfer import Transfer

_REMEMBERED = 2_000
"""Transfers that are remembered without a journal."""
_ASKS_WITHIN_S = 5.0
"""Twilio's next request comes within this time after what it waits for."""


@attrs.define(eq=False)
class TransferRegistry:
    """The transfers of one phone."""

    _public_url: str
    _requested: dict[Call, Transfer] = attrs.field(factory=dict, init=False)
    _by_token: dict[str, Transfer] = attrs.field(factory=dict, init=False)
    _by_run: dict[tuple[str, int], Transfer] = attrs.field(factory=dict, init=False)

    # -- asked for, and not begun ----------------------------------------------------------------

    def request(self, transfer: Transfer, cue: str = "") -> bool:
        """Let a caller leave once the agent's last word was heard; False: there is no caller.

        ``cue``: by which the agent announces it in the next quiet moment; empty: it knows, and does so now.
        """
        call = transfer.call
        if call.run.over or call.run.status.started_ms is None or not call.call_sid:
            return False
        self._requested[call] = transfer
        asked = Instructed(cue, speak=True, leave=True) if cue else HangUpAsked(EndReason.TRANSFERRED)
        call.run.step(asked)
        return True

    def noted(self, call: Call, note: Note) -> None:
        """An observer of calls: the caller has spoken, so the model has to ask again."""
        if isinstance(note, TransferPutOff):
            self._requested.pop(call, None)

    def take_request(self, call: Call) -> Transfer | None:
        """What this call had asked for; it asks for nothing any more."""
        return self._requested.pop(call, None)

    def requested_by(self, call_sid: str, run_number: int) -> Call | None:
        """The live run that has asked for a transfer."""
        run = (call_sid, run_number)
        return next((call for call in self._requested if (call.call_sid, call.run_number) == run), None)

    # -- begun -----------------------------------------------------------------------------------

    def keep(self, transfer: Transfer) -> None:
        """Remember a caller who has left."""
        self.expect(transfer)
        self._by_token[transfer.token] = transfer
        self._by_run[transfer.call.call_sid, transfer.call.run_number] = transfer
        while len(self._by_token) > _REMEMBERED:
            self.forget(next(iter(self._by_token.values())))

    def forget(self, transfer: Transfer) -> None:
        """The telephone call is over, or with others for good."""
        self._by_token.pop(transfer.token, None)
        run = (transfer.call.call_sid, transfer.call.run_number)
        if self._by_run.get(run) is transfer:
            del self._by_run[run]

    def forget_before(self, call: Call) -> None:
        """The caller is back for good: transfers that older runs began are no longer needed."""
        for run_number in range(call.run_number):
            if (transfer := self.of_run(call.call_sid, run_number)) is not None:
                self.forget(transfer)

    def known(self, token: str) -> Transfer | None:
        """The transfer with this token; None too after a restart."""
        return self._by_token.get(token)

    def of_run(self, call_sid: str, run_number: int) -> Transfer | None:
        """The transfer that ended this run."""
        return self._by_run.get((call_sid, run_number))

    def expect(self, transfer: Transfer, within_s: float = 0.0) -> None:
        """Twilio is going to ask about this transfer, once what it does now has taken at most this long."""
        transfer.awaited_until = trio.current_time() + within_s + _ASKS_WITHIN_S

    def awaited(self) -> bool:
        """Whether a caller rings, or is on the way to it, for whom Twilio is going to ask here what next."""
        now = trio.current_time()
        return any(now < each.awaited_until and not each.gone for each in self._by_token.values())

    def leaves(self, call: Call) -> bool:
        """Whether the telephone call continues although this run of it has ended."""
        return (call.call_sid, call.run_number) in self._by_run

    def destination_of(self, call: Call) -> str:
        """The name of where the caller of this run went; empty: nowhere."""
        transfer = self.of_run(call.call_sid, call.run_number)
        return transfer.to if transfer is not None and transfer.call is call else ""

    def url(self, transfer: Transfer, step: str) -> str:
        """Where Twilio asks about this transfer."""
        return f"{self.address(transfer.token, transfer.call.run_number, transfer.to)}/{step}"

    def address(self, token: str, run_number: int, to: str) -> str:
        """The part that all addresses of a transfer begin with; this process need not know it."""
        return f"{self._public_url}/transfer/{token}/{run_number}/{to}"
