"""Whose turn it is, and what moves that."""

from __future__ import annotations

from enum import Enum

from llcphone.engine.status import Floor


class Cue(Enum):
    """What moves the floor."""

    SPEECH_STARTED = 1
    SPEECH_STOPPED = 2
    RESPONSE_CREATED = 3
    AGENT_AUDIO = 4
    AGENT_SILENT = 5
    """No response is active and all agent audio was heard or cleared."""
    SESSION_LOST = 6
    """No session detects the caller's turn any more; the next session hears it from its beginning."""
    TURN_LEFT_OPEN = 7
    """The caller is not heard any more, and turn detection does not end their turn."""
    CALLER_WORDS = 8
    """Words of the caller that the agent has not spoken since: nothing but words says that they speak."""
    CALLER_WORDS_OVER = 9
    """No more of these words came, or the agent speaks."""


FLOOR: dict[tuple[Floor, Cue], Floor] = {
    (Floor.NOBODY, Cue.SPEECH_STARTED): Floor.CALLER,
    (Floor.MODEL_THINKING, Cue.SPEECH_STARTED): Floor.CALLER,
    (Floor.AGENT, Cue.SPEECH_STARTED): Floor.CALLER,  # barge-in
    (Floor.CALLER, Cue.SPEECH_STOPPED): Floor.MODEL_THINKING,
    (Floor.CALLER, Cue.SESSION_LOST): Floor.NOBODY,
    (Floor.CALLER, Cue.TURN_LEFT_OPEN): Floor.NOBODY,
    (Floor.NOBODY, Cue.CALLER_WORDS): Floor.CALLER,
    (Floor.MODEL_THINKING, Cue.CALLER_WORDS): Floor.CALLER,
    (Floor.CALLER, Cue.CALLER_WORDS_OVER): Floor.MODEL_THINKING,
    (Floor.NOBODY, Cue.RESPONSE_CREATED): Floor.MODEL_THINKING,
    (Floor.NOBODY, Cue.AGENT_AUDIO): Floor.AGENT,
    (Floor.MODEL_THINKING, Cue.AGENT_AUDIO): Floor.AGENT,
    (Floor.AGENT, Cue.AGENT_SILENT): Floor.NOBODY,
    (Floor.MODEL_THINKING, Cue.AGENT_SILENT): Floor.NOBODY,
}
"""How each moves it; a pair that is not here leaves the floor as it is."""
