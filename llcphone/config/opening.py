"""Settings of [opening]: the first seconds of a call."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import (
    NOT_EMPTY,
    Section,
    between,
    setting,
)
from llcphone.languages import ENGLISH

OpeningChoice = Literal["greet", "listen"]


@frozen(kw_only=True)
class OpeningConfig(Section):
    """[opening]: the first seconds of a call."""

    inbound: OpeningChoice = setting("greet")
    """Who speaks first on an inbound call: "greet" the agent, "listen" the caller. Agents can override it."""
    outbound: OpeningChoice = setting("listen")
    """Who speaks first on an outbound call. The default is listen because the callee says hello first."""
    greeting_cue: str = setting(ENGLISH["opening.greeting_cue"], NOT_EMPTY, private=True)
    """Text of the user item that asks the model for the greeting; it is not spoken."""
    greeting_guard_ms: int = setting(700, between(0, 3_000), advanced=True)
    """Part of the greeting that must be heard before the caller can interrupt it; 0: at once. The default
    is long enough that "hello?" does not stop the greeting."""
    silence_pad_inbound_ms: int = setting(0, between(0, 5_000), advanced=True)
    """Silence before the greeting of an inbound call."""
    silence_pad_outbound_ms: int = setting(500, between(0, 5_000), advanced=True)
    """Silence before the greeting of an outbound call. The default leaves the callee time to raise the
    phone to the ear."""
    priming_inbound: bool = setting(False, advanced=True)
    """Whether a text-only response warms inference while an inbound call is being accepted."""
    priming_outbound: bool = setting(True, advanced=True)
    """Whether a text-only response warms inference while the callee's phone rings; it costs one short
    response."""
    warm_deadline_ms: int = setting(10_000, between(100, 60_000), advanced=True)
    """Longest time from the birth of a call to its configured session, a redial included."""
    join_grace_ms: int = setting(4_000, between(0, 30_000), advanced=True)
    """Longest time that the current connection attempt may take after the phone has joined."""
    cold_deadline_ms: int = setting(5_000, between(100, 60_000), advanced=True)
    """Longest time of the one attempt that follows; after it the caller gets the fallback."""
