"""The model's session: how far its set-up is, what it is configured with, and the updates still to come.

Every session of a call is set up with the opening settings and the later updates that the server has not
refused. So a refused update must be taken out: with it, the server would refuse the next session whole, and
the call would end. An update counts from when it is sent; a refusal takes it back. A server answers updates
in order. It names the refused one by its event id; if it names none, it is the oldest without an answer. An
update that no session has confirmed is *unproven*: if a set-up is refused, the engine asks again without it.

A scheduled update says after how many answered turns of the caller it is due; 0 is the first response of the
default conversation, the greeting included. Priming never counts. Each update is sent alone, by the
deadline task's step, in a quiet moment. The usual schedule has two: the full tools after 0, the later
eagerness after 1.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.engine.parts.endpoint_order import EndpointOrder
from llcphone.realtime.error_codes import ErrorKind, error_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llcphone.engine.call_setup import CallSetup, TurnUpdate
    from llcphone.engine.endpoint_plan import EndpointPlan
    from llcphone.realtime.dialects import Dialect
    from llcphone.realtime.events import ModelError


class Phase(Enum):
    """The state of the set-up."""

    WARM = "warm"
    JOINED = "joined"
    COLD = "cold"
    EXPIRED = "expired"
    """The warm time ran out while no caller was on the line: no attempt is under way."""
    READY = "ready"
    RECOVERING = "recovering"
    """A configured session was lost in mid-call; the next one is being opened."""
    GIVEN_UP = "given up"


class ModelSession:
    """The present session of one call; ``policies.connecting`` opens it."""

    def __init__(self, setup: CallSetup) -> None:
        self._plans = setup.endpoints
        self.endpoints = EndpointOrder(len(self._plans), setup.endpoints_down, setup.endpoints_barred)
        self._known = [each.dialect for each in self._plans]
        """What is known of each endpoint."""
        self.may_switch = [each.may_switch for each in self._plans]
        """Whether a refusal of flat turns to GA, for each endpoint."""
        self.in_force = SessionInForce(self.plan.session)
        self.leg_dialect: Dialect | None = None
        """The present leg's."""
        self.leg_number = 0
        self._newest = 0
        """The newest number of any leg, successors included."""
        self.attempts = 0
        self.phase = Phase.WARM
        self.deadline_ms: int | None = None
        """Of the present attempt."""
        self.unclear: tuple[int, ModelError] | None = None
        """An error that may be the refusal of our update, and when it counts as that."""
        self.last_failure = ""

    @property
    def endpoint(self) -> int:
        """Number of the present endpoint."""
        return self.endpoints.present

    @property
    def plan(self) -> EndpointPlan:
        """What sessions of the present endpoint are opened with."""
        return self._plans[self.endpoint]

    @property
    def known_dialect(self) -> Dialect | None:
        """What is known of the present endpoint."""
        return self._known[self.endpoint]

    @known_dialect.setter
    def known_dialect(self, dialect: Dialect | None) -> None:
        self._known[self.endpoint] = dialect

    @property
    def dialect(self) -> Dialect | None:
        """The present leg's, or what is known of the endpoint."""
        return self.leg_dialect or self.known_dialect

    @property
    def ready(self) -> bool:
        """The session is configured."""
        return self.phase is Phase.READY

    def opens_at_present(self) -> None:
        """Let the next session be opened as the present endpoint wants it."""
        self.in_force.opens_with(self.plan.session)

    def next_leg_number(self) -> int:
        """The number of the next attempt to have a leg."""
        self._newest += 1
        self.attempts += 1
        return self._newest

    def take_over(self, leg_number: int, dialect: Dialect | None) -> None:
        """The session of this leg, configured already, is the present one."""
        self.leg_number, self.leg_dialect = leg_number, dialect
        self.in_force.begins()
        self.phase = Phase.READY
        self.deadline_ms = None

    def give_up(self) -> None:
        """No session any more; whatever a leg still says is stale."""
        self.phase = Phase.GIVEN_UP
        self.deadline_ms = self.unclear = None


@attrs.define(eq=False)
class _Later:
    name: str
    fields: Mapping[str, Any]
    event_id: str = ""
    """Of the ``session.update`` that last carried it to a session."""
    proven: bool = False


class SessionInForce:
    """The settings of one call's sessions."""

    def __init__(self, opening: Mapping[str, Any]) -> None:
        self._opening = opening
        self._later: list[_Later] = []
        self._waiting: list[str] = []
        """Updates of the present session that it has not answered, by event id."""

    def opens_with(self, opening: Mapping[str, Any]) -> None:
        """Sessions have these opening settings from now on; the later ones stay."""
        self._opening = opening

    @property
    def session(self) -> Mapping[str, Any]:
        """What a session is set up with."""
        fields = dict(self._opening)
        for each in self._later:
            fields |= each.fields
        return fields

    def sent(self, name: str, fields: Mapping[str, Any], event_id: str) -> None:
        """A later update is in force; ``event_id`` is empty when it only will be sent, with a set-up."""
        self._later.append(_Later(name, fields, event_id))
        if event_id:
            self._waiting.append(event_id)

    def sent_again(self, fields: Mapping[str, Any], event_id: str) -> None:
        """Later updates, or what of them differs, were sent to a session that stood by meanwhile."""
        for each in self._later:
            if not each.fields.keys().isdisjoint(fields):
                each.event_id, each.proven = event_id, False
        self._waiting.append(event_id)

    def begins(self) -> None:
        """Another session: what an older one has not answered, it never will."""
        self._waiting.clear()

    def set_up(self) -> None:
        """A session has taken all that is in force."""
        for each in self._later:
            each.proven = True

    def taken(self) -> None:
        """The session has taken the oldest update that waits."""
        if self._waiting:
            event_id = self._waiting.pop(0)
            for each in self._later:
                each.proven = each.proven or each.event_id == event_id

    def refused(self, error: ModelError) -> str:
        """Take back what this error refuses; returns its name, empty if it refuses no later update."""
        if error_kind(error) is ErrorKind.FATAL:
            return ""  # the account or the model, whichever event it answers
        event_id = error.event_id
        if not event_id and error_kind(error) is ErrorKind.SETUP and self._waiting:
            event_id = self._waiting[0]
        if event_id not in self._waiting:
            return ""
        self._waiting.remove(event_id)
        return self._take_back(
            [each for each in self._later if each.event_id == event_id and not each.proven]
        )

    def doubted(self) -> str:
        """A set-up was refused: take back what is unproven, else all later updates; returns their names."""
        return self._take_back([each for each in self._later if not each.proven] or list(self._later))

    def _take_back(self, refused: list[_Later]) -> str:
        self._later = [each for each in self._later if each not in refused]
        return ", ".join(each.name for each in refused)


class Schedule:
    """Updates not yet due, and those due but not yet sent."""

    def __init__(self, updates: Iterable[TurnUpdate]) -> None:
        self._later = sorted(updates, key=lambda update: update.after_turn)
        self._due: list[TurnUpdate] = []
        self._turns = 0

    def response_done(self, *, answered_caller: bool) -> None:
        """A response of the default conversation that somebody asked for has ended."""
        self._turns += answered_caller
        while self._later and self._later[0].after_turn <= self._turns:
            self._due.append(self._later.pop(0))

    @property
    def waiting(self) -> bool:
        """Something is due."""
        return bool(self._due)

    def take(self) -> tuple[str, Mapping[str, Any]]:
        """The next update to send, with the word that names it."""
        update = self._due.pop(0)
        return update.name, update.session
