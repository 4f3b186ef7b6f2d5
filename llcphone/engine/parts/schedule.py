"""Session updates that become due as the conversation moves on, as data.

Each update says after how many answered turns of the caller it is due; 0 is the first response of
the default conversation, the greeting's included. Priming never counts. Each is sent as its own
update, by the supervisor's step, in a quiet moment.

The usual schedule is two updates: the full tools after 0, the later eagerness after 1.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@attrs.frozen
class TurnUpdate:
    """What a session is told after so many answered turns."""

    after_turn: int
    """Responses that answered caller speech; 0: any first response of the conversation."""
    name: str
    """Names it in its event id and in notes."""
    session: Mapping[str, Any]
    """Only the keys that change, in flat names."""


class Schedule:
    """Updates not yet due, and those due but not yet sent."""

    def __init__(self, updates: Iterable[TurnUpdate]) -> None:
        self._later = deque(sorted(updates, key=lambda update: update.after_turn))
        self._due: deque[TurnUpdate] = deque()
        self._turns = 0

    def response_done(self, *, answered_caller: bool) -> None:
        """A response of the default conversation that somebody asked for has ended."""
        self._turns += answered_caller
        while self._later and self._later[0].after_turn <= self._turns:
            self._due.append(self._later.popleft())

    @property
    def waiting(self) -> bool:
        """Something is due."""
        return bool(self._due)

    def take(self) -> tuple[str, Mapping[str, Any]]:
        """The next update to send, with the word that names it."""
        update = self._due.popleft()
        return update.name, update.session
