"""Settings of [silence]: what happens when neither side speaks."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import NOT_EMPTY, Section, between, setting
from llcphone.languages import ENGLISH


@frozen(kw_only=True)
class SilenceConfig(Section):
    """[silence]: what happens when neither side speaks."""

    after_s: float = setting(0.0, between(0.0, 600.0))
    """Silence after the agent's last word until the agent asks whether the caller is there; 0: never."""
    prompts: int = setting(2, between(0, 20), advanced=True)
    """How often the agent asks in a row. The next silence brings a good-bye and ends the call."""
    cue: str = setting(ENGLISH["silence.cue"], NOT_EMPTY, private=True, advanced=True)
    """Text of the system item that makes the agent ask; it is not spoken."""
    manual: bool = setting(False, advanced=True)
    """Whether this also works with `realtime.turn_detection = "none"`. The default is off because no event
    then reports that the caller speaks."""
