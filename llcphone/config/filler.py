"""Settings of [filler]: the sound that callers hear while they wait for a new session or a tool."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class FillerConfig(Section):
    """[filler]: the sound that callers hear while they wait for a new session or a tool."""

    sound: Literal["speech", "tone", "off"] | str = setting("speech")
    """"speech" says "One moment, please.", "tone" is a short soft tone, "off" is silence. Any other text is
    the path of an 8 kHz µ-law file."""
    loss_after_ms: int = setting(400, between(100, 10_000), advanced=True)
    """Silence after a lost session until the caller hears the filler."""
    tool_after_ms: int = setting(0, between(0, 30_000))
    """Silence while a tool runs until the caller hears the filler; 0: never. The default is off because most
    tools are fast."""
    every_ms: int = setting(6_000, between(1_000, 600_000), advanced=True)
    """Silence from one filler to the next."""
