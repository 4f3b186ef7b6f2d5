"""What documentation does not say of the Realtime API: one field per open question, each answer possible.

The defaults are what llcphone assumes (docs/reliability.md, open questions). Unlike ``Faults`` they hold
for the whole endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.sim.model.usage import Piece


@attrs.define(kw_only=True)
class Unknowns:
    """How an endpoint behaves where nobody knows how it does."""

    hears_pcm: bool = False
    """µ-law is confirmed, but the caller's audio is taken for PCM at 24 kHz."""
    says_pcm: bool = False
    """µ-law is confirmed, but the agent's audio is PCM at 24 kHz."""
    hears_turns: bool = True
    """False: no voice begins a turn."""
    changes_eagerness: bool = True
    """False: a change of eagerness is confirmed, and has no effect."""
    filter_db: Mapping[str, float] = attrs.field(factory=dict)
    """How much louder a voice must be under this noise reduction, such as ``{"near_field": 6}``."""
    refused_truncate: Literal["keeps", "changes", "removes", "accepts"] = "keeps"
    """What a truncate behind the end of an item does to it; ``accepts``: it is not even refused."""
    announces_s: float | None = None
    """How long a session is said to last; None: as long as it does; 0: nothing is announced."""
    later_ms: int = 0
    """What each response after the first of a session takes longer."""
    cache: Literal["conversation", "session", "account", "none"] = "conversation"
    """Which responses find the beginning of their input in the cache: those of the conversation, all of the
    session, or all of all sessions."""
    cache_from: int = 0
    """The shortest beginning that is cached, in tokens."""
    shutdown_dates: Mapping[str, str] = attrs.field(factory=dict)
    """Models whose end the list of models names, and the day: YYYY-MM-DD."""
    gone: frozenset[str] = frozenset()
    """Models that there are no more."""
    inputs: list[list[Piece]] = attrs.field(factory=list, repr=False)
    """What all sessions have sent, if that is what the cache remembers."""
