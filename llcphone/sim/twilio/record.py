"""What a simulated call leaves behind: faults asked for, errors Twilio would log, the call record."""

from __future__ import annotations

from collections import Counter, deque
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import trio

from llcphone.sim.twilio.playout import SAMPLES_PER_MS, SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

EventPrinter: TypeAlias = "Callable[[int, str], None]"
"""Called with milliseconds since the call began and a line without numbers, tokens or audio."""


class Signature(Enum):
    """How a request is signed."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"


class EndedBy(Enum):
    """What ended a simulated call."""

    CALLER = "caller hung up"
    HANGUP_VERB = "<Hangup>"
    END_OF_TWIML = "no more TwiML"
    REJECT_VERB = "<Reject>"
    REST = "completed by REST"
    APPLICATION_ERROR = "application error"
    NOT_ANSWERED = "not answered"
    CANCELED = "canceled by REST"
    SIMULATOR = "simulator closed"


class Callbacks(Enum):
    """How status callbacks arrive: Twilio does not guarantee their order."""

    IN_ORDER = "in order"
    REVERSED = "all at the end, last first"
    TWICE = "each twice"


@attrs.frozen(kw_only=True)
class CallbackFaults:
    """What the internet does to the callbacks of one call."""

    lost: frozenset[str] = frozenset()
    """Of ``initiated``, ``ringing``, ``answered``, ``completed`` and ``amd``: those that never arrive."""
    copies: int = 1
    """How often each arrives."""
    delay_s: float = 0.0
    """Each comes so late ..."""
    scatter_s: float = 0.0
    """... and up to this much later by chance, each copy for itself: so in any order."""
    seed: int = 0
    """Of that chance."""


ALL_CALLBACKS = frozenset({"initiated", "ringing", "answered", "completed", "amd"})


@attrs.frozen(kw_only=True)
class CallFaults:
    """What goes wrong, or merely differently, in one call. The default call is an ordinary one."""

    webhook_signature: Signature = Signature.RIGHT
    stream_signature: Signature = Signature.RIGHT
    """Of the upgrade request; a good server answers 403, which is Twilio's 31920."""
    repeat_webhook: bool = False
    """The first webhook is sent twice, same CallSid and idempotency token; the second answer is used."""
    status_callbacks: Callbacks = Callbacks.IN_ORDER
    callbacks: CallbackFaults = attrs.field(factory=CallbackFaults)
    """Of status callbacks and of the verdict of machine detection."""
    connect_delay_s: float = 0.0
    """From TwiML to the upgrade (365 ms were seen in the field)."""
    first_frame_delay_s: float = 0.0
    """From ``start`` to the first media frame (112 to 200 ms were seen)."""
    no_start: bool = False
    """``connected`` is sent, ``start`` and media never."""
    wrong_call_sid: bool = False
    """``start`` names another call."""
    first_timestamp_ms: int = 155
    """Twilio's first ``timestamp`` is not 0: 155 and 171 were seen."""
    spaced_json: bool = False
    """JSON with spaces after commas and colons, as test clients and proxies write it."""
    gap_after_s: float | None = None
    """Media frames are lost from this moment of the stream (``chunk`` and ``timestamp`` go on) ..."""
    gap_s: float = 0.0
    """... for this long. A caller on hold or muted is such a gap: marks come back, keys go out."""
    silence_suppressed: bool = False
    """Frames come only while the caller speaks, as from networks that send no packets of silence."""
    frame_ms: int = 20
    """Length of the caller's frames. Twilio's are 20 ms; longer ones make long calls cheap to simulate."""
    comfort_noise: bool = False
    """Silence as a telephone line has it (0xFF and 0x7F mixed) instead of pure 0xFF."""
    no_stop: bool = False
    """A hang-up closes the stream without a ``stop`` message."""
    asks_nothing: bool = False
    """No action URL is asked after a stream that breaks off: the caller hears silence until REST moves the
    call. Whether Twilio ever does so is not known; it is the worst that it could do."""
    stop_late_s: float | None = None
    """A call that is updated asks its next webhook first, and stops its old stream this long after the
    answer; None: it stops before (``moving``)."""


@attrs.frozen
class TwilioError:
    """An entry of Twilio's debugger: see twilio.com/docs/api/errors/<code>."""

    code: int
    text: str
    at_ms: int


@attrs.frozen
class Received:
    """One message the server sent on the stream; media is kept as its length only."""

    at_ms: int
    event: str
    """``media``, ``mark``, ``clear``, or ``ignored`` for what Twilio does not take."""
    mark: str = ""
    audio_ms: float = 0.0


@attrs.define
class StreamRecord:
    """One media stream of a call."""

    stream_sid: str
    url: str
    """As it was opened, without the query string."""
    stripped_query: str = ""
    """What Twilio drops: anything after ``?`` never reaches the server."""
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    close_code: int | None = None
    """The server's close code; 1006 for an abrupt end; None when Twilio ended the stream."""
    frames_sent: int = 0
    messages: Counter[str] = attrs.field(factory=Counter)
    """Messages from the server, by kind."""


@attrs.define
class CallRecord:
    """Everything Twilio would know of a call, as it happens; complete when the call has ended."""

    call_sid: str
    direction: str
    ended_by: EndedBy | None = None
    duration_ms: int = 0
    documents: list[str] = attrs.field(factory=list)
    """TwiML documents fetched, in order."""
    verbs: list[str] = attrs.field(factory=list)
    """Names of the verbs that were run."""
    requests: list[tuple[str, int, int]] = attrs.field(factory=list)
    """Webhooks made: (what for, HTTP status or 0, milliseconds it took)."""
    streams: list[StreamRecord] = attrs.field(factory=list)
    dialled: list[str] = attrs.field(factory=list)
    """What ``<Dial>`` called: numbers, or the names of conferences."""
    joined: list[str] = attrs.field(factory=list)
    """Numbers of ``<Dial>`` whose party and the caller heard each other."""
    on_hold_ms: int = 0
    """Heard hold music of a conference that had not begun."""
    errors: list[TwilioError] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)
    """What Twilio does silently: a stripped query string, a verb not simulated."""

    @property
    def error_codes(self) -> list[int]:
        """The codes of ``errors``, in order."""
        return [error.code for error in self.errors]

    @property
    def close_code(self) -> int | None:
        """Of the last stream."""
        return self.streams[-1].close_code if self.streams else None


@attrs.define
class CallLog:
    """The one place of a call where time is read and things are written down."""

    record: CallRecord
    on_event: EventPrinter | None = None
    on_show: Callable[..., None] | None = None
    """Given what the person at the telephone can hear or see of the network: what it is, and its fields."""
    received: deque[Received] = attrs.field(factory=lambda: deque(maxlen=20_000))
    born_at: float = attrs.field(factory=trio.current_time)
    changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    """Waiting tasks that look again whenever something happened."""

    @property
    def now(self) -> int:
        """Samples since the call began."""
        return round((trio.current_time() - self.born_at) * SAMPLES_PER_S)

    @property
    def now_ms(self) -> int:
        return self.now // SAMPLES_PER_MS

    def time_of(self, sample: int) -> float:
        """The Trio time of a sample."""
        return self.born_at + sample / SAMPLES_PER_S

    def event(self, line: str) -> None:
        """Something a person watching the call wants to see."""
        self.changed.unpark_all()
        if self.on_event is not None:
            self.on_event(self.now_ms, line)

    def show(self, what: str, **fields: Any) -> None:
        """Something the person at the telephone hears or sees, besides the stream."""
        if self.on_show is not None:
            self.on_show(what, **fields)

    def error(self, code: int, text: str) -> None:
        self.record.errors.append(TwilioError(code, text, self.now_ms))
        self.show("error", code=code, text=text)
        self.event(f"Twilio error {code}: {text}")

    def error_once(self, code: int, text: str, within: StreamRecord) -> None:
        """A warning that Twilio gives once per stream; each occurrence is counted in ``messages``."""
        within.messages[str(code)] += 1
        if within.messages[str(code)] == 1:
            self.error(code, text)

    def note(self, text: str) -> None:
        self.record.notes.append(text)
        self.event(text)

    async def wait_change(self, until: float) -> None:
        """Until something happened, or a moment of Trio's clock."""
        with trio.move_on_at(until):
            await self.changed.park()
