"""What Twilio's voice says to callers and colleagues: the one place where such sentences stand.

Each has a setting, named here, whose default it is. What the agent says is the model's own, and what is
stored as sound is in ``prompts``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "transfers.voicemail_greeting": "Nobody can take your call now. Please leave a message after the "
        "tone, and press the hash key when you are done.",
        "transfers.voicemail_thanks": "Thank you. Good-bye.",
        "transfers.accept_prompt": "Press any key to take the call.",
        "transfers.unavailable_message": "We are sorry, nobody can take your call now. Please try again "
        "later. Good-bye.",
        "transfers.caller_gone_message": "The caller has hung up. Good-bye.",
        "transfers.record_notice": "This call is recorded.",
    }
)
