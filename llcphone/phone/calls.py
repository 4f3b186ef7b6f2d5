"""The live calls of one phone, and the listeners that are notified of them.

Everything else of the phone stands above this file: it looks calls up here, and adds what it wants to be
told to one of the lists. ``open`` fills these lists in one place, because their order matters. A listener
that fails is logged and keeps the news from no other.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

import trio

from llcphone.call.background_tasks import BackgroundTasks
from llcphone.call.call import Call
from llcphone.call.record import CallRecord
from llcphone.engine.note import Note
from llcphone.runtime.containment import Faults
from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.call.services import StartTask
    from llcphone.engine.events import EndReason

log = logger("llcphone.phone")

OnRecord = Callable[[CallRecord], None]
OnNote = Callable[[Call, Note], None]


class LiveCalls:
    """Calls that are born and have no record yet, with the tokens of streams they wait for."""

    def __init__(self, nursery: trio.Nursery) -> None:
        """Take the nursery that owns the calls, and tasks that outlive them."""
        self.observers: list[OnNote] = []
        """Receive what happens in calls, within their step."""
        self.on_birth: list[Callable[[Call], None]] = []
        """Receive each run before its tasks start."""
        self.on_over: list[Callable[[Call, EndReason], None]] = []
        """Receive why the engine has ended a run, while its sockets are still open."""
        self.on_record: list[OnRecord] = []
        """Receive each run's record."""
        self.on_end: list[Callable[[Call], None]] = []
        """Receive each run once it has its record."""
        self.faults = Faults(log)
        """What failed of that which serves all calls, and was contained."""
        self._nursery = nursery
        self._background = BackgroundTasks(nursery, self._one_less)
        self.start_task: StartTask = self._background.start
        """Starts a task that outlives its call; ``wait_until_empty`` waits for it."""
        self._by_id: dict[str, Call] = {}
        self.by_id: Mapping[str, Call] = MappingProxyType(self._by_id)
        """The live calls by their ids; always as they are now."""
        self._by_token: dict[str, Call] = {}
        self._changed = trio.Event()

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[Call]:
        """The live calls."""
        return list(self._by_id.values())

    def runs_of(self, call_sid: str) -> list[Call]:
        """The live runs of this telephone call."""
        return [call for call in self._by_id.values() if call_sid and call.call_sid == call_sid]

    def newest_run(self, call_sid: str) -> Call | None:
        """The run that has this telephone call now; None when none of ours has."""
        runs = (call for call in self.runs_of(call_sid) if not call.run.over)
        return max(runs, key=lambda call: call.run_number, default=None)

    def waiting_for(self, token: str) -> Call | None:
        """The call whose media stream has this one-time token, and has not come yet."""
        return self._by_token.get(token)

    def take_stream(self, token: str) -> Call | None:
        """The same; from now on the token is used up."""
        return self._by_token.pop(token, None)

    # -- a run's life ----------------------------------------------------------------------------

    def start(self, call: Call) -> None:
        """A run begins."""
        self._by_id[call.call_id] = call
        self._by_token[call.token] = call
        self.faults.tell_all("birth of a call not noted", self.on_birth, call, call=call.call_id)
        self._nursery.start_soon(call.run.run, name=f"call {call.call_id}")

    def noted(self, call: Call, note: Note) -> None:
        """Something happened in a call."""
        self.faults.tell_all("note not taken", self.observers, call, note, call=call.call_id)

    def over(self, call: Call, reason: EndReason) -> None:
        """The engine has ended a run; its sockets are still open."""
        self.faults.tell_all("end of a run not noted", self.on_over, call, reason, call=call.call_id)

    def remove(self, call: Call) -> None:
        """A run has its record, so its place is free."""
        self._by_id.pop(call.call_id, None)
        self._by_token.pop(call.token, None)

    def ended(self, call: Call, record: CallRecord) -> None:
        """The last word on a run that was removed."""
        call.finish(record)
        self._one_less()
        fields = {"call": call.call_id, "reason": record.reason.value, "duration_s": record.duration_s}
        log.info("call ended", extra=fields)
        # A function that keeps records may fail: no call ends for it.
        self.faults.tell_all("end of a call not taken", self.on_record, record, call=call.call_id)
        self.faults.tell_all("end of a call not taken", self.on_end, call, call=call.call_id)

    async def wait_until_empty(self) -> None:
        """Wait until no call lives, and no tool still runs after its call."""
        while self._by_id or self._background.running:
            if self._changed.is_set():  # one event for all waiting tasks
                self._changed = trio.Event()
            await self._changed.wait()

    def _one_less(self) -> None:
        self._changed.set()
