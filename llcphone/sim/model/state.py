"""What the parts of one session share: its settings, its conversation, its socket.

``Response``, ``CallerAudio`` and the rest are given this and nothing above it. All of them send through
``send``, which speaks the session's dialect and applies its faults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.sim.model.conversation import Conversation
from llcphone.sim.model.outbox import Outbox
from llcphone.sim.model.profile import OPENAI, Profile
from llcphone.sim.model.unknowns import Unknowns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.sim.model.conversation import Item
    from llcphone.sim.model.faults import Faults
    from llcphone.sim.model.link import Link
    from llcphone.sim.model.pace import Pace
    from llcphone.sim.model.schema import Dialect
    from llcphone.sim.model.script import Reading
    from llcphone.sim.model.usage import Piece

Json = dict[str, Any]


@attrs.frozen
class Received:
    """A client event and when it came, by Trio's clock."""

    time_s: float
    event: Json


@attrs.define(eq=False)
class SessionState:
    """One connection, open or over."""

    number: int
    """Counts within the simulator, from ``first_number``."""
    path: str
    headers: dict[str, str] = attrs.field(repr=False)
    """Of the upgrade request, names in lower case."""
    dialect: Dialect
    pace: Pace
    faults: Faults
    reading: Reading = attrs.field(repr=False)
    link: Link = attrs.field(repr=False)
    keep_audio: bool = True
    config: Json = attrs.field(factory=dict, repr=False)
    """The session object in GA shape, whatever the dialect."""
    conversation: Conversation = attrs.field(factory=Conversation, repr=False)
    received: list[Received] = attrs.field(factory=list, repr=False)
    """Every client event that was JSON; appends only while audio is kept."""
    profile: Profile = attrs.field(default=OPENAI, repr=False)
    unknowns: Unknowns = attrs.field(factory=Unknowns, repr=False)
    last_context: list[Piece] = attrs.field(factory=list, repr=False)
    responses_begun: int = 0
    warm_at_s: float | None = None
    """When inference is no longer cold; None before the first response."""
    _ids: int = 0
    _nursery: trio.Nursery | None = None
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _outbox: Outbox = attrs.field(init=False, repr=False)

    @_outbox.default
    def _make_outbox(self) -> Outbox:
        return Outbox(
            self.link, number=self.number, faults=self.faults, dialect=self.dialect, profile=self.profile
        )

    # The record ------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """The socket has not ended."""
        return self.link.is_open

    @property
    def close_code(self) -> int | None:
        """How the socket ended; 1006 without a Close frame, None while it is open."""
        return self.link.close_code

    @property
    def items(self) -> list[Item]:
        """The conversation's items, in order."""
        return self.conversation.items

    @property
    def has_spoken(self) -> bool:
        """Agent audio exists: the voice is fixed."""
        return any(item.is_spoken for item in [*self.conversation.items, *self.conversation.deleted])

    @property
    def conversation_id(self) -> str:
        """Of the default conversation."""
        return f"conv_sim{self.number:04}"

    def events(self, kind: str) -> list[Json]:
        """The received client events of one type."""
        return [each.event for each in self.received if each.event.get("type") == kind]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something about this session is true; looked at whenever anything happens to it."""
        while not condition():
            await self._news.park()

    async def receives(self, kind: str, count: int = 1) -> Json:
        """Wait for the ``count``-th client event of a type and return it."""
        await self.until(lambda: len(self.events(kind)) >= count)
        return self.events(kind)[count - 1]

    # Live control ----------------------------------------------------------------------------------------

    def emit(self, event: Json) -> None:
        """Send any event as it is; an ``event_id`` is added if there is none."""
        self._outbox.emit(event)

    def close(self, code: int, reason: str | None = None) -> None:
        """Send a Close frame behind what is already queued."""
        self.link.close(code, reason)

    def reset(self) -> None:
        """Break the connection with an RST."""
        self.link.reset()
        self.notify()

    def stall(self) -> None:
        """Go silent: the socket stays open and is read, pongs are still answered."""
        self.link.stall()

    def resume(self) -> None:
        """End a stall; what was held back is sent."""
        self.link.resume()

    # For the session's other parts -----------------------------------------------------------------------

    def new_id(self, kind: str) -> str:
        """An id unlike any other of this simulator, and the same in every run."""
        self._ids += 1
        return f"{kind}_{self.number:03}{self._ids:05}"

    def send(self, event: Json) -> None:
        """Send a GA-shaped server event in this session's dialect, with its faults."""
        self._outbox.send(event)
        self.notify()

    def announce(self, item: Item, before: str | None) -> None:
        """``conversation.item.added`` and ``.done`` of a complete item."""
        for kind in ("added", "done"):
            self.send(
                {"type": f"conversation.item.{kind}", "previous_item_id": before, "item": item.render()}
            )

    def spawn(self, task: Callable[..., Awaitable[object]], *args: object, name: str) -> None:
        """Run a task for as long as the connection lives."""
        assert self._nursery is not None
        self._nursery.start_soon(task, *args, name=name)

    def notify(self) -> None:
        """Something happened: let ``until`` look again."""
        self._news.unpark_all()
