"""What the caller waits for, and how often in a row a reply to it failed or had no sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.engine.resumed import Owed

if TYPE_CHECKING:
    from llcphone.engine.parts.responses import Responses


class PendingReply:
    """The reply that one caller waits for."""

    def __init__(self, responses: Responses) -> None:
        self._responses = responses
        self.owed = Owed.NOTHING
        self.again = ""
        """The wish that is a repetition; empty: none is."""
        self.unspoken = 0
        """Answers in a row that ended without a sound, on this session and to this turn."""
        self.unspoken_sessions = 0
        self.failures = 0
        """Responses that failed in a row, on this session."""
        self.waits_for_limits = False
        """It failed for want of what the server's rate limits allow."""

    def caller_speaks(self) -> None:
        """The caller takes the floor: their turn will be answered, and nothing is repeated."""
        if self.again:
            self._responses.withdraw(self.again)
        self.again, self.unspoken, self.waits_for_limits = "", 0, False

    def agent_speaks(self) -> None:
        """What was asked for again is there."""
        self.again, self.waits_for_limits = "", False

    def session_lost(self) -> None:
        """What is owed is asked of the next session."""
        self.again = ""
        self.unspoken = self.failures = 0
