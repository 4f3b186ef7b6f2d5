"""Session updates that become due as the conversation moves on.

Each update says after how many answered turns of the caller it is due; 0 is the first response of the
default conversation, the greeting included. Priming never counts. Each update is sent alone, by the
supervisor's step, in a quiet moment.

The usual schedule has two updates: the full tools after 0, the later eagerness after 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llcphone.engine.call_setup import TurnUpdate


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
