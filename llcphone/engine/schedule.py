"""Session updates that become due as the conversation moves on (spec §5).

The full tools become due at the first ``response.done`` of the default conversation, the
greeting's included; the later eagerness at the first one that answered caller speech. Priming
never counts. Each is sent as its own update, by the supervisor's step, in a quiet moment.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Schedule:
    """Updates not yet due, and those due but not yet sent."""

    def __init__(
        self, *, full_tools: Mapping[str, Any] | None, later_eagerness: Mapping[str, Any] | None
    ) -> None:
        self._full_tools = full_tools
        self._later_eagerness = later_eagerness
        self._due: deque[tuple[str, Mapping[str, Any]]] = deque()

    def response_done(self, *, answered_caller: bool) -> None:
        """A response of the default conversation that somebody asked for has ended."""
        if self._full_tools is not None:
            self._due.append(("tools", self._full_tools))
            self._full_tools = None
        if answered_caller and self._later_eagerness is not None:
            self._due.append(("eagerness", self._later_eagerness))
            self._later_eagerness = None

    @property
    def waiting(self) -> bool:
        """Something is due."""
        return bool(self._due)

    def take(self) -> tuple[str, Mapping[str, Any]]:
        """The next update to send, with the word that names it."""
        return self._due.popleft()
