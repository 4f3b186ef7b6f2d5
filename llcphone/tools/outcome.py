"""The answer to an agent that wants to transfer its caller."""

from __future__ import annotations

from attrs import frozen


@frozen
class Outcome:
    """What was decided, in time for the agent to say so; a tool may return it as it is."""

    ok: bool
    """It will happen once the agent's last word was heard."""
    says: str
    """What will happen, or why it will not: meant for the model."""
