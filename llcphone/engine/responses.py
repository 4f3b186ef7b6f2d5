"""The one sequencer of ``response.create`` and ``response.cancel``.

Rule: every ``response.create`` of ours leaves from ``due`` and nowhere else. The API allows one
active response in the default conversation and answers a second create with
``conversation_already_has_active_response``; with create_response it also creates responses by
itself after a committed turn. So a wish waits until no response is active, none of ours is on its
way, and no committed turn is still to be answered by the server (bounded by ``response_wait_ms``).

A response is *unasked* if neither our create nor a new commit precedes it (an accepted
``session.update`` may provoke one, facts/peers.md §1): it is cancelled before any of it is heard.
The conversation's first response is exempt: nothing of ours can have provoked it a second time,
and servers exist that open the conversation themselves or report no commits.
Out-of-band responses (``conversation: "none"``) never take part.
"""

from __future__ import annotations

from enum import Enum

import attrs

from llcphone.realtime.messages import CancelResponse, CreateResponse, ModelMessage

PRIMING = "priming"
GREETING = "greeting"
TOOLS = "tools"

_CREATE_LOST_MS = 10_000
"""A create that was neither answered nor refused for so long is taken as lost."""


class Asked(Enum):
    """Who asked for a response."""

    GREETING = "greeting"
    TOOLS = "tools"
    CALLER = "caller"
    """The server's own answer to a committed turn."""
    OUT_OF_BAND = "out of band"
    UNASKED = "unasked"


@attrs.define(eq=False)
class Response:
    """A response that the server has created."""

    id: str
    asked: Asked
    created_ms: int


class Responses:
    """Which response is active, which are wished for, and what may be created now."""

    def __init__(self, *, response_wait_ms: int = 3000) -> None:
        self._wait_ms = response_wait_ms
        self._wishes: list[str] = []
        self._create: str | None = None
        self._create_ms = 0
        self._cancel_on_created = False
        self._committed_ms: int | None = None
        self._unacked: set[str] = set()
        self._others: dict[str, Response] = {}
        self.active: Response | None = None
        self._first = True
        self.refused_creates = 0
        self.unasked = 0

    # -- what we want -----------------------------------------------------------------------

    def want(self, purpose: str) -> None:
        """Ask for a response as soon as one may be created; asking twice asks once."""
        if purpose not in self._wishes:
            self._wishes.append(purpose)

    def output_sent(self, call_id: str) -> None:
        """A tool's answer is on its way to the server."""
        self._unacked.add(call_id)

    def output_acked(self, call_id: str) -> None:
        """The server has the tool's answer: a response created from now on sees it."""
        self._unacked.discard(call_id)

    def due(self, now_ms: int, *, caller_speaking: bool) -> list[ModelMessage]:
        """Our next ``response.create``, if one may leave now."""
        if not self._wishes or caller_speaking or self.active is not None:
            return []
        if self._create is not None and now_ms - self._create_ms < _CREATE_LOST_MS:
            return []
        if self._committed_ms is not None and now_ms - self._committed_ms < self._wait_ms:
            return []
        self._create = self._wishes.pop(0)
        self._create_ms = now_ms
        self._cancel_on_created = False
        return [CreateResponse(self._create)]

    def wakes_ms(self) -> int | None:
        """When to look again although nothing happens; None when only events can help."""
        if not self._wishes or self.active is not None:
            return None
        if self._create is not None:
            return self._create_ms + _CREATE_LOST_MS
        return self._committed_ms + self._wait_ms if self._committed_ms is not None else None

    @property
    def quiet(self) -> bool:
        """No response is active, on its way, or owed by the server."""
        return self.active is None and self._create is None and self._committed_ms is None

    @property
    def idle(self) -> bool:
        """Quiet, and nothing is wished for."""
        return self.quiet and not self._wishes

    # -- what happened ----------------------------------------------------------------------

    def caller_started(self) -> None:
        """The caller speaks: a create of ours still on its way would answer an old moment.

        A cancel sent before ``response.created`` is a no-op (facts/openai-realtime.md §4.3), so
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
        """A response exists: who asked for it, and a cancel if nobody did."""
        if not in_conversation or purpose == PRIMING:
            response = self._others[response_id] = Response(response_id, Asked.OUT_OF_BAND, now_ms)
            return response, []
        response = Response(response_id, self._whose(purpose), now_ms)
        out: list[ModelMessage] = []
        if response.asked is Asked.UNASKED:
            self.unasked += 1
            out.append(CancelResponse(response_id))
        elif response.asked is not Asked.CALLER and self._cancel_on_created:
            out.append(CancelResponse(response_id))
            response.asked = Asked.UNASKED
        elif TOOLS in self._wishes and not self._unacked:
            self._wishes.remove(TOOLS)  # this response was created with every tool answer in sight
        if response.asked is not Asked.CALLER:
            self._cancel_on_created = False
        self._first = False
        self.active = response
        return response, out

    def done(self, response_id: str) -> Response | None:
        """A response ended: what we knew of it, None for a stranger."""
        if self.active is not None and self.active.id == response_id:
            response, self.active = self.active, None
            return response
        return self._others.pop(response_id, None)

    def create_refused(self) -> None:
        """``conversation_already_has_active_response``: the wish waits for that response's end."""
        self.refused_creates += 1
        if self._create is not None:
            self._wishes.insert(0, self._create)
            self._create = None
            self._cancel_on_created = False

    def create_failed(self, purpose: str) -> None:
        """A response of ours failed on the server's side: wish for it once more."""
        self.want(purpose)

    def _whose(self, purpose: str) -> Asked:
        # Our own creates carry a purpose that OpenAI echoes; servers that do not echo metadata
        # are told apart by what is outstanding.
        if self._create is not None and purpose in (self._create, ""):
            self._create, mine = None, self._create
            return Asked.GREETING if mine == GREETING else Asked.TOOLS
        if self._committed_ms is not None:
            self._committed_ms = None
            return Asked.CALLER
        return Asked.CALLER if self._first else Asked.UNASKED
