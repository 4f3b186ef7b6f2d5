"""Goes round what an endpoint does not understand, so that no other policy has to know it.

Everything the engine sends to a session passes here last. What its endpoint is known not to understand is
replaced, or left out:

    truncate        the item is deleted, and what the caller heard of it is told again as text
    cancel          nothing: the response runs to its end, and the caller hears no more of it
    delete, clear   nothing: the model remembers more than the caller heard or said
    out of band     nothing: no priming, and no summary
    metadata        our request goes without its mark, and its response is known by its place
    a setting       nothing; semantic_vad becomes server_vad

An endpoint that refuses one of them for the first time is remembered, and what was refused is done the other
way at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.engine.commands import Command, RememberUnsupported, SendModel, SendStandby
from llcphone.engine.resumed import Speaker
from llcphone.realtime import unsupported
from llcphone.realtime.messages import (
    AskAside,
    AssistantText,
    CancelResponse,
    ClearInput,
    CreateResponse,
    DeleteItem,
    ModelMessage,
    Truncate,
    UpdateSession,
)
from llcphone.realtime.unsupported import (
    CANCEL,
    CLEAR,
    DELETE,
    METADATA,
    OUT_OF_BAND,
    TRUNCATE,
    not_understood,
    setting_not_understood,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from llcphone.engine.events import ModelConnected
    from llcphone.engine.policies.renewal import Renewal
    from llcphone.engine.state import CallState
    from llcphone.realtime.events import ModelError

_LEFT_OUT: dict[type, str] = {
    DeleteItem: DELETE,
    CancelResponse: CANCEL,
    ClearInput: CLEAR,
    AskAside: OUT_OF_BAND,
}
_LAST_LINES = 20


class Unsupported:
    """What the endpoints of one call's legs do not understand."""

    def __init__(self, state: CallState, *, renewal: Renewal) -> None:
        self._state, self._renewal = state, renewal
        self._of_leg: dict[int, set[str]] = {}
        self._any = False

    def connected(self, event: ModelConnected) -> None:
        """A leg is open; its endpoint is known by what others have learned of it."""
        self._of_leg[event.leg_number] = set(event.unsupported)
        self._any = self._any or bool(event.unsupported)

    def lacks(self, name: str) -> bool:
        """Whether the endpoint of the present session does not understand this."""
        return name in self._of_leg.get(self._state.session.leg_number, ())

    def learn(self, name: str, out: list[Command]) -> bool:
        """The endpoint of the present session does not understand this; False: that was known."""
        leg_number = self._state.session.leg_number
        known = self._of_leg.setdefault(leg_number, set())
        if name in known:
            return False
        known.add(name)
        self._any = True
        out.append(RememberUnsupported(leg_number, name))
        return True

    # -- refusals ---------------------------------------------------------------------------

    def opening_refused(self, error: ModelError, out: list[Command]) -> bool:
        """A set-up was refused: whether the session can do without what the endpoint does not know."""
        known = self._of_leg.get(self._state.session.leg_number, set())
        sent = without(self._state.session.in_force.session, known)
        name = setting_not_understood(error, sent)
        return bool(name) and self.learn(name, out)

    def refused(self, error: ModelError, out: list[Command]) -> bool:
        """An error on a configured session: whether it only says that something is not understood."""
        name = not_understood(error)
        if not name:
            return False
        if self.learn(name, out):
            match name:
                case unsupported.TRUNCATE:
                    self._cut_again(out)
                case unsupported.METADATA:
                    self._state.talk.responses.create_again()
                case unsupported.OUT_OF_BAND:
                    self._state.talk.primed = True  # nothing waits for it any more
                    self._renewal.no_summary()
        return True

    def _cut_again(self, out: list[Command]) -> None:
        """Every item of this session that was cut so far was refused."""
        talk = self._state.talk
        for line in talk.history.lines(_LAST_LINES):
            cut = line.speaker is Speaker.AGENT and line.item_id not in talk.retold
            if cut and line.heard_ms and line.heard_ms < line.generated_ms:
                out.append(SendModel(Truncate(line.item_id, line.heard_ms)))

    # -- what leaves ------------------------------------------------------------------------

    def leaving(self, out: list[Command]) -> list[Command]:
        """What is sent instead of these commands."""
        if not self._any:
            return out
        left: list[Command] = []
        for command in out:
            match command:
                case SendModel(message):
                    known = self._of_leg.get(self._state.session.leg_number, set())
                    left.extend(SendModel(each) for each in self._instead(message, known))
                case SendStandby(leg_number, message):
                    known = self._of_leg.get(leg_number, set())
                    left.extend(SendStandby(leg_number, each) for each in self._instead(message, known))
                case _:
                    left.append(command)
        return left

    def _instead(self, message: ModelMessage, known: Set[str]) -> Iterable[ModelMessage]:
        match message:
            case Truncate(item_id) if TRUNCATE in known:
                return self._told_again(item_id, known)
            case UpdateSession(session):
                return [attrs.evolve(message, session=without(session, known))]
            case CreateResponse(priming=True) if OUT_OF_BAND in known:
                return []
            case CreateResponse(purpose, priming=False) if purpose and METADATA in known:
                return [CreateResponse()]
            case _:
                return [] if _LEFT_OUT.get(type(message)) in known else [message]

    def _told_again(self, item_id: str, known: Set[str]) -> Iterable[ModelMessage]:
        if DELETE in known:
            return []
        line = self._state.talk.history.get(item_id)
        heard = line.heard_text() if line is not None else ""
        return [DeleteItem(item_id), *([AssistantText(heard)] if heard else [])]
