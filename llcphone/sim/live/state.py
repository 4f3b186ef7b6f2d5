"""What the parts of one Live session share: its record, its clock, its settings, its socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs
import trio

from llcphone.sim.live.clock import Clock
from llcphone.sim.live.formats import Format
from llcphone.sim.model.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.sim.live.faults import Faults
    from llcphone.sim.live.pace import Assumptions, Pace
    from llcphone.sim.live.script import LiveReading
    from llcphone.sim.model.check import Refused
    from llcphone.sim.model.link import Link

Json = dict[str, Any]
Stage = Literal["waiting", "starting", "active", "closing", "over"]
"""Before ``session.start``; before ``session.started``; in use; after ``session.close``; after
``session.closed``, or after the refusal of the start."""


@attrs.frozen
class Event:
    """An event that was received or sent."""

    time_s: float
    """By Trio's clock."""
    clock_ms: int
    """By the session's clock: audio taken until then."""
    event: Json


@attrs.define(eq=False)
class LiveState:
    """One connection, open or over."""

    number: int
    """Counts from 1 within the simulator."""
    path: str
    headers: dict[str, str] = attrs.field(repr=False)
    """Of the upgrade request, names in lower case."""
    pace: Pace
    assumes: Assumptions
    faults: Faults
    reading: LiveReading = attrs.field(repr=False)
    link: Link = attrs.field(repr=False)
    keep_audio: bool = True

    clock: Clock = attrs.field(factory=Clock, init=False)
    stage: Stage = attrs.field(default="waiting", init=False)
    config: Json = attrs.field(factory=dict, init=False, repr=False)
    """The session object; empty before the start."""
    format: Format = attrs.field(factory=Format, init=False)
    started_s: float | None = attrs.field(default=None, init=False)
    """When ``session.started`` was sent, by Trio's clock."""
    conversation: list[Json] = attrs.field(factory=list, init=False, repr=False)
    """What the model knows: messages, function calls and their outputs, in order."""
    received: list[Event] = attrs.field(factory=list, init=False, repr=False)
    """Every client event that was JSON; audio only while audio is kept."""
    sent: list[Event] = attrs.field(factory=list, init=False, repr=False)
    """Every server event but audio."""
    refusals: list[Json] = attrs.field(factory=list, init=False)
    """The ``error`` object of every refusal, in order."""
    appended_ms: float = attrs.field(default=0.0, init=False)
    """Audio the client has appended, muted or not."""
    received_audio: bytearray = attrs.field(factory=bytearray, init=False, repr=False)
    """All of it as sent, unless the simulator keeps no audio."""
    sent_audio: bytearray = attrs.field(factory=bytearray, init=False, repr=False)
    """All output audio in the session's format, unless the simulator keeps no audio."""
    loud_out: list[int] = attrs.field(factory=list, init=False, repr=False)
    """When each chunk that is not silence was made, by the session's clock."""
    _ids: int = attrs.field(default=0, init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)
    _out: Outgoing = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._out = Outgoing(self.link, self.faults, self.number)

    # ---- the record ------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """The socket has not ended."""
        return self.link.is_open

    @property
    def close_code(self) -> int | None:
        """How the socket ended; 1006 without a Close frame, None while it is open."""
        return self.link.close_code

    @property
    def tools(self) -> list[Json]:
        """The tools that the backend may call."""
        delegation = self.config.get("delegation") or {}
        tools: list[Json] = (delegation.get("responses") or {}).get("tools") or []
        return tools

    @property
    def delegates_to(self) -> str:
        """Who does the tasks: ``client``, ``responses`` or ``decisions``."""
        return str((self.config.get("delegation") or {"type": "client"})["type"])

    @property
    def seconds(self) -> int:
        """Seconds since the start by Trio's clock, rounded down: what is billed."""
        return 0 if self.started_s is None else int(trio.current_time() - self.started_s)

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

    # ---- live controls ---------------------------------------------------------------------------------

    def emit(self, event: Json) -> None:
        """Send any event as it is; an ``event_id`` is added if there is none."""
        self._out.emit(event)
        self.note(event)

    def close(self, code: int, reason: str | None = None) -> None:
        """Send a Close frame behind what is already queued, without ``session.closed``."""
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

    # ---- for the session's other parts -----------------------------------------------------------------

    def new_id(self, kind: str) -> str:
        """An id unlike any other of this simulator, and the same in every run."""
        self._ids += 1
        return f"{kind}_{self.number:03}{self._ids:05}"

    def send(self, kind: str, answers: str | None = None, /, **fields: Any) -> None:
        """Send a server event.

        Args:
            kind: its type.
            answers: the ``event_id`` of the client event it answers; None: of none, or it had none.
            fields: the rest of it.
        """
        echo = {} if answers is None else {"client_event_id": answers}
        event = {"type": kind, "event_id": self._out.event_id(), **echo, **fields}
        self._out.put(event)
        self.note(event)

    def send_audio(self, encoded: str) -> None:
        """Send one chunk, which has neither an id nor times."""
        self._out.put({"type": "session.output_audio.delta", "delta": encoded})

    def refuse(self, refusal: Refused, answers: str | None) -> None:
        """Send the ``error`` event of a refusal."""
        body = {"type": refusal.kind, "code": refusal.code, "message": refusal.message}
        error = body | {"param": refusal.param}
        if answers is not None:
            error["client_event_id"] = answers
        self.refusals.append(error)
        self.send("error", error=error)

    def note(self, event: Json) -> None:
        """Keep an event that was sent."""
        self.sent.append(Event(trio.current_time(), self.clock.now_ms, event))
        self.notify()

    def spawn(self, task: Callable[..., Awaitable[object]], *args: object, name: str) -> None:
        """Run a task for as long as the connection lives."""
        assert self._nursery is not None
        self._nursery.start_soon(task, *args, name=f"sim live {name}")

    def later(self, delay_s: float, action: Callable[[], None], name: str) -> None:
        """Do something after so many seconds of Trio's clock, if the connection still lives."""

        async def wait() -> None:
            await trio.sleep(delay_s)
            action()

        self.spawn(wait, name=name)

    def notify(self) -> None:
        """Something happened: let ``until`` look again."""
        self._news.unpark_all()
