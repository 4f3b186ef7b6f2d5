"""GPT-Live's stream of audio and words, told in the events that the engine knows.

GPT-Live sends audio without a pause, silence included, and says neither when the agent begins nor when it
ends. So an *utterance* is made here: it opens with the first loud piece, and it is over after 800 ms of
silence. For the engine it is a response with one item. Between utterances no audio is told.

There is no clock here. The audio that came is counted, and all times are on that count; GPT-Live's times of
words are laid on it, because the output has as much audio as the session's clock has run. When no audio
comes, nothing ends: that a session says nothing for too long, the engine must notice.

Rules, whatever comes in whatever order:

* each ``ResponseCreated`` is followed by exactly one ``ResponseDone``, unless the stream itself ends;
* an ``AudioDelta`` comes between the two, and only one utterance is open at a time;
* no id comes twice on a leg, nor on two legs whose opening messages have different ids.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from llcphone.audio import BYTES_PER_MS, silence_payload
from llcphone.live.backend import Backend
from llcphone.live.caller import CallerTurns
from llcphone.live.events import (
    AgentFragment,
    BackendBegan,
    BackendCall,
    BackendEnded,
    CallerFragment,
    Closed,
    LiveEvent,
    Started,
    Updated,
    Voice,
)
from llcphone.live.utterance import Utterance
from llcphone.realtime.events import (
    AudioDelta,
    ModelError,
    ModelEvent,
    ResponseCreated,
    ResponseStatus,
    Seconds,
    SessionClosed,
    UnknownModelEvent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

UTTERANCE_ENDS_MS = 800
"""Silence that ends an utterance; pauses within one are shorter."""
STOPPED_MS = 300
"""After a stop, speech is new once there was this much silence."""
_STOPS_WITHIN_MS = 10_000
"""Then speech is told again, though the agent has never paused."""
_EARLY_MS = 1_000
"""Words that are older than this when an utterance opens are not its words."""
_EARLY_MOST = 256
"""Fragments that wait for their audio; a session that has only words would fill the memory."""

_AT_THE_END = "context_injection_incomplete"
"""Says once for each append which the session's end left unread: no error of the call."""


@attrs.define(eq=False)
class _Stop:
    """Speech is dropped until there was a pause."""

    from_ms: int
    quiet_from_ms: int


class Translator:
    """What one session has said so far, and what that comes to."""

    def __init__(self, *, cushion_ms: int) -> None:
        self._cushion_ms = cushion_ms
        self._cushion = silence_payload(cushion_ms)
        self.started = False
        self._over = False
        self._leg = ""
        """Begins all ids: the id of the opening message, which differs from leg to leg."""
        self._bytes = 0
        self.chunks = 0
        self.quiet_chunks = 0
        self._count = 0
        self._open: Utterance | None = None
        self._last: Utterance | None = None
        """The one before, whose words may still come."""
        self._early: deque[AgentFragment] = deque(maxlen=_EARLY_MOST)
        """Words that came before their audio."""
        self._purpose = ""
        self._ask_id = ""
        self._stopping: _Stop | None = None
        self._dropped_ms = 0
        """Up to here a stop has dropped speech."""
        self._caller = CallerTurns()
        self._backend = Backend()

    # -- what was sent ------------------------------------------------------------------------

    def start_sent(self, event_id: str) -> None:
        """The session is being opened by a message of this id."""
        self._leg = event_id

    def asked(self, purpose: str, event_id: str) -> None:
        """The next utterance is for this purpose."""
        self._purpose, self._ask_id = purpose, event_id

    def stop(self, response_id: str) -> bool:
        """Tell no more of what is being said, or of this utterance; False: it is over already."""
        if response_id and (self._open is None or self._open.response_id != response_id):
            return False
        self._stopping = _Stop(self._ms, self._ms)
        return True

    @property
    def open_calls(self) -> set[str]:
        """Ids of the backend's calls that are to be answered."""
        return self._backend.open_calls

    # -- what has come ------------------------------------------------------------------------

    def take(self, event: LiveEvent | None) -> tuple[ModelEvent, ...]:
        """What an event means to the engine."""
        if event is None or self._over:
            return ()
        if isinstance(event, Voice):
            return tuple(self._voice(event)) if self.started else ()
        return tuple(self._other(event))

    def _other(self, event: LiveEvent) -> Iterator[ModelEvent]:
        match event:
            case Started(state):
                self.started = True
                yield state
            case ModelError():
                yield from self._error(event)
            case Closed(reason, seconds):
                yield from self._closed(reason, seconds)
            case Seconds():
                yield event
            case Voice() | Updated() | AgentFragment() | CallerFragment() if not self.started:
                pass
            case Updated(state):
                yield state
            case AgentFragment():
                yield from self._words(event)
            case CallerFragment():
                yield from self._caller.words(event, self._ms, self._prefix)
            case BackendBegan():
                self._backend.began(event)
            case BackendCall():
                self._backend.call(event)
            case BackendEnded():
                yield from self._backend.ended(event)
            case UnknownModelEvent():
                yield event

    @property
    def _ms(self) -> int:
        """Audio so far."""
        return self._bytes // BYTES_PER_MS

    # -- the agent's audio ----------------------------------------------------------------------

    def _voice(self, event: Voice) -> Iterator[ModelEvent]:
        began_ms = self._ms
        self._bytes += event.size
        self.chunks += 1
        self.quiet_chunks += not event.loud
        yield from self._caller.time_passed(self._ms)
        if self._stopping is not None:
            yield from self._stopped(self._stopping, event)
        elif self._open is not None:
            yield from self._goes_on(self._open, event)
        elif event.loud:
            yield from self._opens(event, began_ms)

    def _opens(self, event: Voice, began_ms: int) -> Iterator[ModelEvent]:
        self._count += 1
        utterance = Utterance(f"{self._prefix}u{self._count}", began_ms, self._cushion_ms, self._ms)
        purpose, self._purpose, self._ask_id = self._purpose, "", ""
        self._open = utterance
        self._caller.agent_began(began_ms)
        yield ResponseCreated(utterance.response_id, purpose=purpose)
        if self._cushion:
            yield AudioDelta(utterance.response_id, utterance.item_id, self._cushion, quiet=True)
        yield AudioDelta(utterance.response_id, utterance.item_id, event.payload)
        early = list(self._early)
        self._early.clear()
        for words in early:
            if words.end_ms is None or words.end_ms > began_ms - _EARLY_MS:
                yield utterance.add(words)

    def _goes_on(self, utterance: Utterance, event: Voice) -> Iterator[ModelEvent]:
        if event.loud:
            utterance.loud_until_ms = self._ms
        elif self._ms - utterance.loud_until_ms >= UTTERANCE_ENDS_MS:
            yield from self._ends(ResponseStatus.COMPLETED)
            return
        yield AudioDelta(utterance.response_id, utterance.item_id, event.payload, quiet=not event.loud)

    def _ends(self, status: ResponseStatus, reason: str = "") -> Iterator[ModelEvent]:
        """Close the open utterance, if there is one."""
        if (utterance := self._open) is not None:
            self._open, self._last = None, utterance
            utterance.closed_ms = self._ms
            yield from utterance.ends(status, reason)

    def _stopped(self, stop: _Stop, event: Voice) -> Iterator[ModelEvent]:
        if self._open is not None:
            yield from self._ends(ResponseStatus.CANCELLED, "client_cancelled")
        if event.loud:
            stop.quiet_from_ms = self._dropped_ms = self._ms
        if self._ms - stop.quiet_from_ms >= STOPPED_MS or self._ms - stop.from_ms >= _STOPS_WITHIN_MS:
            self._stopping = None

    # -- the agent's words ------------------------------------------------------------------------

    def _words(self, words: AgentFragment) -> Iterator[ModelEvent]:
        end_ms, last = words.end_ms, self._last
        if last is not None and end_ms is not None and end_ms <= last.closed_ms:
            yield last.add(words)
            yield last.whole()
        elif self._stopping is not None or (end_ms is not None and end_ms <= self._dropped_ms):
            return  # nobody hears them
        elif self._open is not None:
            yield self._open.add(words)
        else:
            self._early.append(words)

    # -- the end, and errors ----------------------------------------------------------------------

    def _closed(self, reason: str, seconds: int | None) -> Iterator[ModelEvent]:
        yield from self._caller.close()  # an open utterance has no end: it is lost with the session
        if seconds is not None:
            yield Seconds(seconds)
        self._over = True
        yield SessionClosed(reason)

    def _error(self, error: ModelError) -> Iterator[ModelEvent]:
        if error.code == _AT_THE_END:
            return
        if not self.started and not error.event_id:  # before the start, any error refuses it
            error = attrs.evolve(error, event_id=self._leg)
        if error.event_id and error.event_id == self._ask_id:
            self._purpose = self._ask_id = ""
        yield error

    @property
    def _prefix(self) -> str:
        return f"{self._leg}-" if self._leg else ""
