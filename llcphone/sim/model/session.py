"""One session of the simulated Realtime API: its state, its record for assertions, its live controls.

The rest of a session lives beside it: ``Inbox`` acts on client events, ``Response`` speaks, ``Link`` is the
socket. All of them send through ``send``, which speaks the session's dialect and applies its faults.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from llcphone.sim.model.check import Refused
from llcphone.sim.model.config import SESSION_LIMIT_S, fresh_session
from llcphone.sim.model.conversation import Conversation, Item
from llcphone.sim.model.hearing import Hearing
from llcphone.sim.model.inbox import Inbox
from llcphone.sim.model.outbox import Outbox
from llcphone.sim.model.response import Pace, Response
from llcphone.sim.model.schema import Dialect
from llcphone.sim.model.script import CallTool, Fail, Reading, Say, Stall, Step, steps_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llcphone.sim.model.faults import Faults, Illness
    from llcphone.sim.model.link import Link
    from llcphone.sim.model.usage import Piece

Json = dict[str, Any]

EXPIRED = "Your session hit the maximum duration of 60 minutes."
_CANNOT = Say("I am sorry, I cannot do that yet.")


@attrs.frozen
class Received:
    """A client event and when it came, by Trio's clock."""

    time_s: float
    event: Json


@attrs.define(eq=False)
class ModelSession:
    """One connection, open or over. Everything public may be read and asserted at any time."""

    number: int
    """Counts from 1 within the simulator."""
    path: str
    headers: dict[str, str] = attrs.field(repr=False)
    """Of the upgrade request, names in lower case."""
    dialect: Dialect
    pace: Pace
    faults: Faults
    reading: Reading = attrs.field(repr=False)
    link: Link = attrs.field(repr=False)
    inbox: Inbox = attrs.field(init=False, repr=False)
    _outbox: Outbox = attrs.field(init=False, repr=False)
    keep_audio: bool = True
    config: Json = attrs.field(factory=dict, repr=False)
    """The session object in GA shape, whatever the dialect."""
    conversation: Conversation = attrs.field(factory=Conversation, repr=False)
    received: list[Received] = attrs.field(factory=list, repr=False)
    """Every client event that was JSON; appends only while audio is kept."""
    responses: list[Response] = attrs.field(factory=list)
    asked_s: list[float] = attrs.field(factory=list, repr=False)
    """When a response of the default conversation was asked for, by the client or by turn detection."""
    active: Response | None = None
    """The response that holds the default conversation."""
    skipped_tools: list[str] = attrs.field(factory=list)
    """Tools the script wanted to call and the session did not offer."""
    last_context: list[Piece] = attrs.field(factory=list, repr=False)
    warm_at_s: float | None = None
    """When inference is no longer cold; None before the first response."""
    _ids: int = 0
    _nursery: trio.Nursery | None = None
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    def __attrs_post_init__(self) -> None:
        self.inbox = Inbox(self, Hearing(silence_ms=self.pace.silence_ms))
        self._outbox = Outbox(self.link, self.dialect, self.faults, self.number)

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
    def received_audio(self) -> bytes:
        """The caller audio the model heard, exactly as sent."""
        return bytes(self.inbox.audio)

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

    def say(self, *turn: str | Step) -> Response:
        """Make the model answer now, script or not, asked or not.

        Raises:
            RuntimeError: a response of the default conversation is active.
        """
        if self.active is not None:
            raise RuntimeError("a response is active already")
        return self._start(steps_of(turn), {})

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

    def expire(self) -> None:
        """The 60-minute limit, now: ``session_expired``, then close."""
        self.send(Refused("session_expired", EXPIRED).as_error(None))
        self.close(1001)

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

    def start_response(self, request: Json) -> Response:
        """Answer from the script.

        Raises:
            Refused: the default conversation has an active response.
        """
        if request.get("conversation") == "none":
            return self._start(steps_of(self.reading.script.out_of_band), request)
        self.asked_s.append(trio.current_time())
        if self.active is not None:
            raise Refused(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        if (illness := self._illness) is not None and illness.how == "error":
            raise Refused(illness.code, illness.text(trio.current_time()))
        tools: list[Json] = request["tools"] if "tools" in request else self.config["tools"]
        past = [item.render() for item in self.items]
        return self._start(self._possible(self.reading.next_turn(past, tools), tools), request)

    def answer(self) -> None:
        """Answer because of a caller turn; a refusal becomes an event that answers none of the client's."""
        try:
            self.start_response({})
        except Refused as refusal:
            self.send(refusal.as_error(None))

    def response_over(self, response: Response) -> None:
        """A response ended: free the conversation, report the limits."""
        if self.active is response:
            self.active = None
            self.inbox.expect_answer(sum(item.generated_ms for item in response.items))
        used = sum(each.usage["total_tokens"] for each in self.responses if each.usage)
        tokens = {"name": "tokens", "limit": 200_000, "remaining": 200_000 - used % 200_000}
        tokens["reset_seconds"] = 0.5
        if (illness := self._illness) is not None and illness.names_limits:
            tokens |= {"remaining": 0, "reset_seconds": illness.until_s - trio.current_time()}
        self.send({"type": "rate_limits.updated", "rate_limits": [tokens]})

    async def run(self, expires_at: int, model: str) -> None:
        """Hold the session until its socket has ended."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.inbox.acknowledge, name="sim model updates")
            nursery.start_soon(self._outbox.fault_timers, name="sim model faults")
            nursery.start_soon(self._live, name="sim model lifetime")
            if self.faults.silent:
                self.stall()
            self.config = fresh_session(self.new_id("sess"), model, expires_at)
            self.send({"type": "session.created", "session": self.config})
            if self.dialect is Dialect.FLAT:
                conversation = {"id": self.conversation_id, "object": "realtime.conversation"}
                self.send({"type": "conversation.created", "conversation": conversation})
            try:
                await self.link.run(self._take)
            finally:
                self.notify()
            nursery.cancel_scope.cancel()

    async def _live(self) -> None:
        wanted_s = self.faults.expire_after_s
        await trio.sleep(SESSION_LIMIT_S if wanted_s is None else wanted_s)
        self.expire()

    # Private ---------------------------------------------------------------------------------------------

    def _take(self, message: str | bytes) -> None:
        """One WebSocket message from the client. Neither binary nor broken JSON ends a session."""
        try:
            if isinstance(message, bytes):
                raise Refused("invalid_event", "Binary messages are not supported; send JSON text.")
            try:
                event = msgspec.json.decode(message)
            except (msgspec.DecodeError, RecursionError):
                raise Refused("invalid_json", "The message is not valid JSON.") from None
        except Refused as refusal:
            self.send(refusal.as_error(None))
            return
        is_audio = isinstance(event, dict) and event.get("type") == "input_audio_buffer.append"
        if isinstance(event, dict) and (self.keep_audio or not is_audio):
            self.received.append(Received(trio.current_time(), event))
        self.inbox.handle(event)
        self.notify()

    @property
    def _illness(self) -> Illness | None:
        illness = self.faults.illness
        return illness if illness is not None and trio.current_time() < illness.until_s else None

    def _fall_ill(self, illness: Illness) -> list[Step]:
        """What becomes of a response now; if the connection ends, it does so once the response has begun."""
        match illness.how:
            case "reset":
                self.spawn(self._end_soon, self.reset, name="sim model illness")
            case "close":
                close = partial(self.close, illness.close_with, illness.text(trio.current_time()))
                self.spawn(self._end_soon, close, name="sim model illness")
            case _:
                return [Fail(illness.code, illness.text(trio.current_time()))]
        return [Stall()]

    async def _end_soon(self, end: Callable[[], None]) -> None:
        await trio.sleep(self.pace.first_audio_ms / 1000)
        end()

    def _start(self, steps: list[Step], request: Json) -> Response:
        if (illness := self._illness) is not None and request.get("conversation") != "none":
            steps = self._fall_ill(illness)
        if self.faults.fail_responses:
            self.faults.fail_responses -= 1
            steps = [Fail("inference_rate_limit_exceeded", "Rate limit reached.", "invalid_request_error")]
        response = Response(self, self.new_id("resp"), steps, request)
        self.responses.append(response)
        if response.in_conversation:
            self.active = response
        if not self.pace.created_ms:
            response.begin()
        self.spawn(response.run, name="sim model response")
        return response

    def _possible(self, steps: list[Step], tools: list[Json]) -> list[Step]:
        """A model calls only tools it was given: without one the script's call is left out."""
        names = {tool.get("name") for tool in tools}
        kept: list[Step] = []
        for step in steps:
            if isinstance(step, CallTool) and step.name not in names and not step.hallucinated:
                self.skipped_tools.append(step.name)
            else:
                kept.append(step)
        return kept or ([_CANNOT] if steps else [])
