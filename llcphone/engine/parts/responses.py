"""The one sequencer of ``response.create`` and ``response.cancel``.

Rule: every ``response.create`` of ours leaves from ``due`` and nowhere else. The API allows one active
response in the default conversation and refuses a second create with
``conversation_already_has_active_response``. With create_response, it also creates responses by itself
after a committed turn. So a wish waits until no response is active, none of ours is on its way, and the
server owes no answer to a committed turn (for at most ``response_wait_ms``).

A response is *unasked* if neither a create of ours nor a new commit precedes it; an accepted
``session.update`` may cause one (docs/vendor-facts.md, Responses and tools). It is cancelled before any
of it is heard. The first response of the conversation is never taken as unasked: some servers open the
conversation themselves or report no commits. Out-of-band responses (``conversation: "none"``) take no
part.
"""

from __future__ import annotations

from enum import Enum

import attrs

from llcphone.realtime.messages import CancelResponse, CreateResponse, ModelMessage

PRIMING = "priming"
GREETING = "greeting"
TOOLS = "tools"
MESSAGE = "message"
RESUME = "resume"
SILENCE = "silence"
TURN = "turn"
HOST = "host"
GOODBYE = "goodbye"
OPERATOR = "operator"

_KEPT = 16
"""Responses remembered at most; one or two are ever open."""

_CREATE_LOST_MS = 10_000
"""A create that was neither answered nor refused for this long counts as lost."""


class Asked(Enum):
    """What requested a response."""

    GREETING = "greeting"
    TOOLS = "tools"
    RESUME = "resume"
    """Going on after a lost session."""
    MESSAGE = "message"
    """What is left on an answering machine."""
    GOODBYE = "goodbye"
    """The last word of a call that we end."""
    SILENCE = "silence"
    """Silence for a while."""
    HOST = "host"
    """The program around the call wants the agent to speak."""
    OPERATOR = "operator"
    """Somebody beside the call wants something said."""
    CALLER = "caller"
    """The answer to a committed turn: the server's own, or ours where the server gives none."""
    OUT_OF_BAND = "out of band"
    UNASKED = "unasked"


OURS = {
    GREETING: Asked.GREETING,
    MESSAGE: Asked.MESSAGE,
    RESUME: Asked.RESUME,
    GOODBYE: Asked.GOODBYE,
    SILENCE: Asked.SILENCE,
    TURN: Asked.CALLER,
    HOST: Asked.HOST,
    OPERATOR: Asked.OPERATOR,
}


@attrs.define(eq=False)
class Response:
    """A response that the server has created."""

    id: str
    asked: Asked
    created_ms: int
    purpose: str = ""
    """What our own create was for; empty: the server began it."""


class Responses:
    """Which response is active, which are wished for, and what may be created now."""

    def __init__(self, *, response_wait_ms: int) -> None:
        self._wait_ms = response_wait_ms
        self._wishes: list[str] = []
        self._create: str | None = None
        self._create_ms = 0
        self._cancel_on_created = False
        self._committed_ms: int | None = None
        self._not_before_ms = 0
        self._hold_ms = 0
        self._refused_ms: int | None = None
        """Since when our create is refused because of a response that was never announced."""
        self._unacked: set[str] = set()
        self._known: dict[str, Response] = {}
        self.active: Response | None = None
        self._first = True
        self.unasked = 0

    # -- what we want -----------------------------------------------------------------------

    def want(self, purpose: str, *, first: bool = False) -> None:
        """Ask for a response as soon as one may be created; asking twice asks once.

        ``first``: before all others, which it may fulfil.
        """
        if purpose not in self._wishes:
            self._wishes.insert(0 if first else len(self._wishes), purpose)

    def withdraw(self, purpose: str) -> bool:
        """Take a wish back; True when a response of ours is on its way or active, and is to be cancelled."""
        if purpose in self._wishes:
            self._wishes.remove(purpose)
            return False
        active = self.active is not None and self.active.purpose == purpose
        return active or self._create == purpose

    def hold(self, until_ms: int) -> None:
        """Let none of our creates leave before this moment."""
        self._hold_ms = max(self._hold_ms, until_ms)

    def ask_anew(self, purpose: str) -> list[ModelMessage]:
        """A response of this purpose that is on its way misses what it is about: cancel it, and ask again.

        Returns what is sent for that at once: nothing here.
        """
        if self._create == purpose:
            self._cancel_on_created = True
        if self.owes(purpose):
            self.want(purpose)
        return []

    def output_sent(self, call_id: str) -> None:
        """A tool's answer is on its way to the server."""
        self._unacked.add(call_id)

    def output_acked(self, call_id: str) -> None:
        """The server has the tool's answer: a response created from now on sees it."""
        self._unacked.discard(call_id)

    def due(self, now_ms: int, *, caller_speaking: bool) -> list[ModelMessage]:
        """Our next ``response.create``, if one may leave now."""
        wakes_ms = self.wakes_ms(caller_speaking=caller_speaking)
        if wakes_ms is None or wakes_ms > now_ms:
            return []
        self._create = self._wishes.pop(0)
        self._create_ms = now_ms
        self._committed_ms = None  # if it was owed, the server had its time
        self._cancel_on_created = False
        return [self._message(self._create)]

    def _message(self, purpose: str) -> ModelMessage:
        return CreateResponse(purpose)

    def wakes_ms(self, *, caller_speaking: bool) -> int | None:
        """When a wish may leave although nothing happens; None when only events can help."""
        if not self._wishes or caller_speaking or (free_ms := self._free_ms) is None:
            return None
        return max(free_ms, self._hold_ms)

    @property
    def idle_from_ms(self) -> int | None:
        """Since or from when nothing is active, owed or wished for; None when it depends on events."""
        return None if self._wishes else self._free_ms

    def idle(self, now_ms: int) -> bool:
        """Nothing is active, owed or wished for."""
        return (since := self.idle_from_ms) is not None and since <= now_ms

    @property
    def reply_pending(self) -> bool:
        """A response of ours is wished for or on its way."""
        return bool(self._wishes) or self._create is not None

    @property
    def owes_caller(self) -> bool:
        """A committed turn is still to be answered by the server."""
        return self._committed_ms is not None

    @property
    def owes_anything(self) -> bool:
        """A response is active, wished for, on its way or owed."""
        return self.active is not None or self.reply_pending or self.owes_caller

    def owes(self, purpose: str) -> bool:
        """A response of this purpose is active, wished for or on its way."""
        active = self.active is not None and self.active.asked is OURS.get(purpose, Asked.TOOLS)
        return active or self._create == purpose or purpose in self._wishes

    @property
    def owed_since_ms(self) -> int | None:
        """Since when the server owes something: a response, or the rest of one; None when it does not."""
        since = [] if self.active is None else [self.active.created_ms]
        if self._create is not None:
            since.append(self._create_ms)
        if self._committed_ms is not None:
            since.append(self._committed_ms)
        if self._refused_ms is not None and self._wishes:
            since.append(self._refused_ms)
        return min(since, default=None)

    @property
    def backend_since_ms(self) -> int | None:
        """Since when a backend works on what its tools have answered; None: there is none, or it does not."""
        return None

    def forget_session(self) -> None:
        """The session is gone, and all it owed with it; a new one starts with nothing."""
        self._wishes.clear()
        self._unacked.clear()
        self._create = self._committed_ms = self.active = None
        self._cancel_on_created = False
        self._not_before_ms = self._hold_ms = 0
        self._refused_ms = None

    @property
    def _free_ms(self) -> int | None:
        """From when a create may leave; None while a response is active."""
        if self.active is not None:
            return None
        free_ms = self._not_before_ms
        if self._create is not None:
            free_ms = max(free_ms, self._create_ms + _CREATE_LOST_MS)
        if self._committed_ms is not None:
            free_ms = max(free_ms, self._committed_ms + self._wait_ms)
        return free_ms

    # -- what happened ----------------------------------------------------------------------

    def caller_started(self) -> None:
        """The caller speaks: a create of ours still on its way would answer an old moment.

        A cancel sent before ``response.created`` is a no-op, so
        it is remembered and sent by id.
        """
        if self._create is not None:
            self._cancel_on_created = True

    def committed(self, now_ms: int) -> None:
        """A caller turn became an item; with create_response the server will answer it."""
        self._committed_ms = now_ms

    def created(
        self, response_id: str, now_ms: int, *, in_conversation: bool, purpose: str
    ) -> tuple[Response, list[ModelMessage]]:
        """A response exists: what requested it, and a cancel if nothing did."""
        if (known := self._known.get(response_id)) is not None:
            return known, []  # said twice
        out_of_band = not in_conversation or purpose == PRIMING
        asked, ours = (Asked.OUT_OF_BAND, "") if out_of_band else self._whose(purpose)
        response = self._known[response_id] = Response(response_id, asked, now_ms, ours)
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        out: list[ModelMessage] = []
        if out_of_band:
            return response, out
        if response.asked is Asked.UNASKED:
            self.unasked += 1
            out.append(CancelResponse(response_id))
        elif response.purpose and self._cancel_on_created:
            out.append(CancelResponse(response_id))
            response.asked = Asked.UNASKED
        else:
            self._drop_answered(response.asked)
        self._first = False
        self._refused_ms = None
        self.active = response
        return response, out

    def done(self, response_id: str) -> Response | None:
        """A response ended: what we knew of it, None if it is unknown."""
        self._not_before_ms = 0
        if self.active is not None and self.active.id == response_id:
            self.active = None
        return self._known.pop(response_id, None)

    def create_refused(self, now_ms: int) -> None:
        """``conversation_already_has_active_response``: the wish waits for that response's end.

        If that response was never announced to us, its end will not be either: then for a while.
        """
        self._not_before_ms = now_ms + self._wait_ms
        if self._create is not None:
            self._wishes.insert(0, self._create)
            self._create = None
            if self.active is None and self._refused_ms is None:
                self._refused_ms = now_ms

    def create_again(self) -> None:
        """Our create was refused for its form alone: it is wished for at once, in another form."""
        if self._create is not None:
            self._wishes.insert(0, self._create)
            self._create = None

    def expects(self, purpose: str) -> bool:
        """Whether a response of this purpose would be the one that our create asks for."""
        return self._create is not None and purpose in (self._create, "")

    def take_unanswered(self) -> str:
        """What to wish for again when the server failed before a response began; empty: nothing."""
        if self._create is not None:
            lost, self._create = self._create, None
            return lost
        return TURN if self._committed_ms is not None else ""

    def _whose(self, purpose: str) -> tuple[Asked, str]:
        """What requested it, and for which purpose if it is ours."""
        # Our own creates carry a purpose that OpenAI echoes. Where metadata is not echoed order
        # tells: had the server taken our create before the commit, we would have seen its response.
        if self._committed_ms is not None and (self._create is None or purpose != self._create):
            self._committed_ms = None
            return Asked.CALLER, ""
        if self._create is not None and purpose in (self._create, ""):
            mine, self._create = self._create, None
            return OURS.get(mine, Asked.TOOLS), mine
        return (Asked.CALLER if self._first else Asked.UNASKED), ""

    def _drop_answered(self, asked: Asked) -> None:
        """Forget wishes that this response fulfils: it was created with all tool answers in sight."""
        seen = not self._unacked
        if seen and TOOLS in self._wishes:
            self._wishes.remove(TOOLS)
        if asked is Asked.CALLER:
            # A create of ours still under way will be refused, and need not be repeated;
            # a greeting after an answer would be absurd.
            if self._create == GREETING or (self._create == TOOLS and seen):
                self._create = None
            for answered in (GREETING, TURN):
                if answered in self._wishes:
                    self._wishes.remove(answered)
