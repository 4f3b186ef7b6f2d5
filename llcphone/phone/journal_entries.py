"""What the journal keeps of a run: how its rows and lines are written and read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from llcphone.call.call import state_of
from llcphone.engine.events import EndReason
from llcphone.engine.resumed import KeptLine, Owed, Resumed
from llcphone.engine.status import Floor
from llcphone.runtime.containment import contained
from llcphone.runtime.log_lines import logger
from llcphone.store.journal import CallRow, Change

if TYPE_CHECKING:
    from llcphone.call.call import Call
    from llcphone.store.journal import Claim

log = logger("llcphone.journal")

RESUMABLE = frozenset(
    {
        EndReason.PHONE_LOST,
        EndReason.STREAM_DEAD,
        EndReason.START_TIMEOUT,
        EndReason.NEVER_JOINED,
        EndReason.DRAINED,
        EndReason.FAILED,
        EndReason.TRANSFERRED,
    }
)
"""Reasons that end a run but not the telephone call: if Twilio still has it, another run continues it."""


@attrs.define(eq=False)
class JournalEntry:
    """One run of a call: what the journal has of it, and what is still to be written."""

    call: Call
    birth: CallRow
    born: bool = False
    """Its row is in the journal."""
    over: str = ""
    handed_over: bool = False
    """It continues in the next process, as planned."""
    elsewhere: bool = False
    """The caller is not with any process of ours, and must be left there."""
    _lines: dict[str, tuple[int, KeptLine]] = attrs.field(factory=dict, init=False)
    _taken: dict[str, tuple[int, KeptLine]] | None = attrs.field(default=None, init=False)

    @property
    def speaking(self) -> bool:
        """What the caller has heard grows without any event."""
        now = self.call.run.status
        return now.floor is Floor.AGENT and now.ended is None

    def take(self) -> Change | None:
        """What has changed since it was last written; None: unknown, and what was written stays."""
        with contained() as failure:
            return self._change()
        fields = {"call": self.call.call_id, "errors": failure.kinds}
        log.warning("a call cannot be journalled", extra=fields)  # an engine that broke may be in any state
        return None

    def _change(self) -> Change:
        values: dict[str, Any] = {"call_sid": self.call.call_sid, "touched_at": time.time()}
        change = Change(
            id=self.birth.id,
            run_number=self.birth.run_number,
            birth=None if self.born else self.birth,
            life=self.birth.life,
            values=values,
        )
        if self.over:
            values |= {"over": self.over, "context": "", "state": ""}
            return change
        kept = self.call.run.kept()
        values |= {"owed": kept.owed.value, "state": state_of(self.call)}
        if self.elsewhere:
            values["life"] = ""
        if self.handed_over:
            values["planned"] = self.birth.planned + 1
        lines = {line.item_id: (place, line) for place, line in enumerate(kept.lines)}
        new = [line for line in lines.values() if self._lines.get(line[1].item_id) != line]
        self._taken = lines
        return attrs.evolve(
            change,
            lines=tuple((line.item_id, place, _encode(line)) for place, line in new),
            gone=tuple(item_id for item_id in self._lines if item_id not in lines),
        )

    def written(self) -> None:
        """What was last taken is in the journal."""
        self.born = True
        if self._taken is not None:
            self._lines, self._taken = self._taken, None


@attrs.frozen(eq=False)
class Closing:
    """The row of a run whose call continues in another row: it must not be claimed any more."""

    row: CallRow
    speaking: bool = False

    def take(self) -> Change:
        """It is over."""
        values = {"over": "moved", "context": "", "state": "", "touched_at": time.time()}
        return Change(id=self.row.id, run_number=self.row.run_number, life=self.row.life, values=values)

    def written(self) -> None:
        """There is nothing more to it."""


def resumed_of(claim: Claim) -> Resumed:
    """What a call that was claimed continues from."""
    lines = tuple(line for _, body in claim.lines if (line := _decode(body)) is not None)
    try:
        return Resumed(lines, Owed(claim.row.owed))
    except ValueError:  # its first note was not written any more
        return Resumed(lines, Owed.NOTHING if lines else Owed.GREETING)


def _decode(body: str) -> KeptLine | None:
    try:
        return msgspec.json.decode(body, type=KeptLine)
    except msgspec.DecodeError:  # of a version that knew other lines: better one less than no call
        log.warning("a line of the journal cannot be read")
        return None


def _encode(line: KeptLine) -> str:
    return msgspec.json.encode(line).decode()
