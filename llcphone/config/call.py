"""Settings of [call]: time limits of a call."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class CallConfig(Section):
    """[call]: time limits of a call."""

    max_duration_s: float = setting(3600.0, between(1.0, 86_400.0))
    """Longest call. The default is the vendor's limit for one session."""
    idle_limit_s: float = setting(300.0, between(1.0, 86_400.0))
    """A call ends when neither caller nor agent has spoken for this long."""
    media_timeout_s: float = setting(10.0, between(0.5, 300.0), advanced=True)
    """A call ends when its media stream has sent nothing for this long: no frame, no key, no mark."""
    token_ttl_s: float = setting(60.0, between(1.0, 600.0), advanced=True)
    """A call ends when its media stream has not connected within this time."""
    start_timeout_s: float = setting(10.0, between(0.5, 60.0), advanced=True)
    """Longest time from an accepted media stream to Twilio's `start` message."""
    goodbye_timeout_s: float = setting(4.0, between(0.0, 60.0), advanced=True)
    """Longest wait for Twilio to confirm that the last word was played, before llcphone hangs up."""
