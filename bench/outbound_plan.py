"""The plan of ``bench.outbound_endings``: what becomes of each call and of its callbacks."""

from __future__ import annotations

import random
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from llcphone import EndReason
from llcphone.sim import voices
from llcphone.sim.twilio import CallbackFaults, Callee, CallFaults
from llcphone.sim.twilio.record import ALL_CALLBACKS
from llcphone.sim.twilio.rest_faults import too_many_requests, unavailable

if TYPE_CHECKING:
    from llcphone.sim.twilio.rest import RestFaults

R = EndReason


class Fate(Enum):
    """What the far side does with a call."""

    TALKS = "answers and talks"
    EARLY = "hangs up before the stream"
    DEAF = "answers, no stream comes"
    BUSY = "busy"
    NO_ANSWER = "no answer"
    FAILED = "failed"
    MACHINE = "machine"
    FAX = "fax"
    REFUSED = "create refused"
    TOO_MANY = "create 429 twice"
    HANG = "create taken, no answer"
    RESET = "create taken, reset"
    LIE = "create taken, 503"
    LOST = "create lost, no answer"
    DOWN = "create lost, 503"


class Rumour(Enum):
    IN_ORDER = "in order"
    SCATTERED = "thrice, any order"
    LATE = "late"
    LOST = "lost"


_ANSWERED = {R.CALLER_HUNG_UP, R.PHONE_LOST}
EXPECTED: dict[Fate, set[EndReason]] = {
    Fate.TALKS: _ANSWERED,
    Fate.EARLY: _ANSWERED,
    Fate.DEAF: {R.NEVER_JOINED},
    Fate.BUSY: {R.BUSY},
    Fate.NO_ANSWER: {R.NO_ANSWER},
    Fate.FAILED: {R.CALL_FAILED},
    Fate.MACHINE: {R.MACHINE},
    Fate.FAX: {R.MACHINE},
    Fate.REFUSED: {R.DIAL_REFUSED},
    Fate.TOO_MANY: _ANSWERED,
    Fate.HANG: _ANSWERED,
    Fate.RESET: _ANSWERED,
    Fate.LIE: _ANSWERED,
    Fate.LOST: {R.DIAL_REFUSED},
    Fate.DOWN: {R.DIAL_REFUSED},
}
"""Why a call of this fate ends, unless it is cancelled."""

UNHEARD = {Fate.EARLY, Fate.DEAF, Fate.BUSY, Fate.NO_ANSWER, Fate.FAILED}
"""Only a callback reports these ..."""
SILENT_ENDS = {R.NO_CALLBACK, R.DIAL_REFUSED}
"""... so without one a deadline ends the call, or the search for it does."""
UNDETECTED = {Fate.MACHINE, Fate.FAX}
"""Taken for a human when the verdict is lost."""

LONGEST_RING_ON_S = 12.0
"""A create that never answers is given up after 10 s and found 1 s later; others stop ringing sooner."""


@attrs.define(eq=False)
class Plan:
    number: int
    fate: Fate
    rumour: Rumour
    cancel_after_s: float | None
    ring_s: float
    talk_s: float
    bad_hang_ups: int
    """This many times hanging up meets a 503 first."""
    ended_at: float | None = None
    """When its record came, by Trio's clock."""

    @property
    def to(self) -> str:
        return f"+1555{self.number:07}"

    @property
    def expected(self) -> set[EndReason]:
        reasons = set(EXPECTED[self.fate])
        if self.cancel_after_s is not None:
            reasons.add(R.CANCELLED)
        if self.rumour is Rumour.LOST:
            reasons |= SILENT_ENDS if self.fate in UNHEARD else set()
            reasons |= _ANSWERED if self.fate in UNDETECTED else set()
        if self.fate in UNDETECTED and self.rumour is not Rumour.IN_ORDER:
            reasons |= _ANSWERED  # the verdict may come after the machine has rung off
        return reasons

    def callee(self) -> Callee:
        outcomes = {Fate.BUSY: "busy", Fate.NO_ANSWER: "no-answer", Fate.FAILED: "failed"}
        verdicts = {Fate.MACHINE: "machine_end_beep", Fate.FAX: "fax"}
        return Callee(
            outcomes.get(self.fate, "answers"),
            ring_s=self.ring_s,
            answered_by=verdicts.get(self.fate, "human"),
            says=voices.load("yes_please"),
            hangs_up_after_s=self._talk_s,
            refused=21215 if self.fate is Fate.REFUSED else None,
            faults=CallFaults(
                frame_ms=100,  # cheap silence
                connect_delay_s={Fate.EARLY: 1.0, Fate.DEAF: 1000.0}.get(self.fate, 0.3),
                callbacks=self._callbacks(),
            ),
        )

    @property
    def _talk_s(self) -> float | None:
        match self.fate:
            case Fate.EARLY:
                return 0.2
            case Fate.DEAF:
                return None
            case Fate.MACHINE | Fate.FAX:
                return self.talk_s + 5  # long enough for the verdict
            case _:
                return self.talk_s

    def _callbacks(self) -> CallbackFaults:
        match self.rumour:
            case Rumour.IN_ORDER:
                return CallbackFaults()
            case Rumour.SCATTERED:
                return CallbackFaults(copies=3, scatter_s=8.0, seed=self.number)
            case Rumour.LATE:
                return CallbackFaults(delay_s=6.0)
            case Rumour.LOST:
                return CallbackFaults(lost=ALL_CALLBACKS)

    def plant(self, faults: RestFaults) -> None:
        """What goes wrong at the REST API for this call alone."""
        on_create: dict[Fate, dict[str, Any]] = {
            Fate.TOO_MANY: {"refuse": too_many_requests(), "times": 2},
            Fate.HANG: {"hang": True, "done": True},
            Fate.RESET: {"reset": True, "done": True},
            Fate.LIE: {"refuse": unavailable(), "done": True},
            Fate.LOST: {"hang": True},
            Fate.DOWN: {"refuse": unavailable()},
        }
        if how := on_create.get(self.fate):
            faults.plant(on="create", to=self.to, **how)
        if self.bad_hang_ups:
            faults.plant(on="update", to=self.to, refuse=unavailable(), times=self.bad_hang_ups)


def make_plans(calls: int, seed: int) -> list[Plan]:
    """This many calls: every fate with every rumour in its turn, a third of them cancelled at any moment."""
    chance = random.Random(seed)
    pairs = [(fate, rumour) for fate in Fate for rumour in Rumour]
    chance.shuffle(pairs)
    return [
        Plan(
            number=number,
            fate=pairs[number % len(pairs)][0],
            rumour=pairs[number % len(pairs)][1],
            cancel_after_s=chance.choice([None, None, chance.uniform(0, 2), chance.uniform(0, 15)]),
            ring_s=chance.uniform(0.0, 8.0),
            talk_s=chance.uniform(2.0, 9.0),
            bad_hang_ups=chance.choice([0, 0, 0, 1, 2]),
        )
        for number in range(calls)
    ]
