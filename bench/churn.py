"""Callers who come and go, for ``bench.soak``; ``bench.load.Load`` has one fixed crowd."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import attrs

from bench.loop import now
from bench.phone import FakePhone
from bench.samples import Samples, Scenario

if TYPE_CHECKING:
    from bench.load import FakeWorld
    from bench.samples import Session

CUT, LOSE_MODEL = 0.1, 0.1
"""Shares of calls whose stream breaks, and which lose their model session."""
STEP_MS = 0.05
STEADY_S = 4.0
"""After a session was set up or lost its audio is late on purpose: it was kept for the next one."""


@attrs.define
class Delays:
    """A histogram of latencies: no list that grows, nothing to sort."""

    counts: list[int] = attrs.field(factory=lambda: [0] * 20_001)
    total: int = 0

    def add(self, seconds: float) -> None:
        self.counts[min(20_000, int(seconds * 1000 / STEP_MS))] += 1
        self.total += 1

    def take(self, share: float) -> float:
        """This quantile in milliseconds; then all is forgotten."""
        left, at = self.total * share, 0
        while at < 20_000 and left > self.counts[at]:
            left -= self.counts[at]
            at += 1
        self.counts, self.total = [0] * 20_001, 0
        return round(at * STEP_MS, 2)


class Churn(Samples):
    def __init__(self, world: FakeWorld, port: int, calls: int, life_s: float) -> None:
        super().__init__(world.loop, Scenario(calls, handshake_s=0.05, configure_s=0.02), port)
        self.phones: dict[int, FakePhone] = {}
        self.forward, self.back = Delays(), Delays()
        self.born = self.failed = 0
        self._life_s = life_s
        self._random = random.Random(7)
        self._steady_s: dict[int, float] = {}
        """When the audio of a call may be timed again."""
        self._ending = False
        for slot in range(calls):
            self.loop.at(now() + 0.1 + slot * max(0.05, life_s / calls / 2), self._ring)

    def _ring(self) -> None:
        if self._ending:
            return
        phone = self.one_more()
        life_s = self._random.uniform(0.3, 1.7) * self._life_s
        fate = self._random.random()
        if fate < CUT:
            self.loop.at(now() + life_s, self._cut, phone)
        else:
            if fate < CUT + LOSE_MODEL:
                self.loop.at(now() + life_s / 2, self._lose_model, phone.call)
            self.loop.at(now() + life_s, phone.hang_up)
        self.loop.at(now() + life_s + 2.0, self._forget, phone)

    def one_more(self) -> FakePhone:
        self.born += 1
        phone = self.phones[self.born] = FakePhone(self, self.born)
        phone.ring()
        self._steady_s[phone.call] = now() + STEADY_S
        return phone

    def _cut(self, phone: FakePhone) -> None:
        phone._hung_up, phone.streaming = True, False
        if phone._conn is not None:
            phone._conn.close()

    def _lose_model(self, call: int) -> None:
        if (model := self.model_of.get(call)) is not None:
            self._steady_s[call] = now() + STEADY_S
            model.drop()

    def _forget(self, phone: FakePhone) -> None:
        self.failed += phone.failed
        self.phones.pop(phone.call, None)
        self.model_of.pop(phone.call, None)
        self._steady_s.pop(phone.call, None)
        self._ring()

    def end(self) -> None:
        """All callers hang up, and no new ones call."""
        self._ending = True
        for phone in self.phones.values():
            phone.hang_up()

    def live(self) -> int:
        return sum(phone.streaming for phone in self.phones.values())

    # -- what arrives -----------------------------------------------------------------------

    def session_opened(self, session: Session) -> None:
        """Only sessions of known calls are kept, and no longer than their call."""

    def frame_arrived(self, call: int, number: int, when: float) -> None:
        if (phone := self.phones.get(call)) is not None and phone.sent_at[number] > self._steady_s[call]:
            self.forward.add(when - phone.sent_at[number])

    def delta_arrived(self, at_call: int, call: int, number: int, when: float) -> None:
        if (model := self.model_of.get(call)) is not None and number < len(model.deltas_at):
            self.back.add(max(0.0, when - model.deltas_at[number]))

    def call_without_frames(self) -> int:
        """Whose session speaks before it hears; never, for there are no greetings here."""
        return next(iter(self.phones))
