"""What documentation does not say of Twilio: one field per open question, each answer possible.

The defaults are what llcphone assumes (docs/reliability.md, open questions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.sim.twilio.record import CallFaults


@attrs.define(kw_only=True)
class Unknowns:
    """How this Twilio behaves where nobody knows how it does."""

    to_itself: CallFaults | None = None
    """A call to one of the account's own numbers arrives there as a call of its own, with these faults.
    None: such a number has a callee like any other."""
    signs: Callable[[str], str] | None = None
    """Which text is signed for the upgrade of a stream, by its address; None: the address."""
    longest_message: int | None = None
    """A longer message ends its stream, in bytes; None: there is no limit."""
    mark_delay_s: float = 0.0
    """A mark comes back that late; infinity: never."""
    amd_range: tuple[int, int] = (3, 59)
    """What ``MachineDetectionTimeout`` may be."""
    listed_after_s: float = 0.0
    """A call is in the list of calls this long after it was placed."""
    overrides: Literal["heeded", "ignored"] = "heeded"
    """What becomes of the fragment of a webhook's URL."""
