"""What an ``error`` event of the Realtime API or of GPT-Live means for a call.

Most errors leave the session open, so the question is never "is there an error?" but "whose
business is it?". The codes are documented nowhere in one place: the table comes from
the sources in docs/vendor-facts.md (Error codes); a code that is not in it is ignored
here and counted by the engine.
"""

from __future__ import annotations

import math
import re
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.realtime.events import ModelError


class ErrorKind(Enum):
    """Who deals with an error."""

    FATAL = "fatal"
    """The key, the account, the model or the whole dialect is refused: no retry helps."""
    SETUP = "setup"
    """A ``session.update`` was refused, always whole: the session runs on other settings than ours."""
    RETRY = "retry"
    """The server's own trouble, or the session's age: again, then on a new session."""
    ACTIVE_RESPONSE = "active_response"
    """Our ``response.create`` came while a response ran: after its ``response.done`` again."""
    TRUNCATE = "truncate"
    """Our ``conversation.item.truncate`` did not fit the item: never fatal."""
    IGNORE = "ignore"
    """A race that the vendor documents as harmless, or a code we do not know: counted."""


_KINDS: Mapping[str, ErrorKind] = {
    # the account or the endpoint
    "invalid_api_key": ErrorKind.FATAL,
    "insufficient_quota": ErrorKind.FATAL,
    "account_deactivated": ErrorKind.FATAL,
    "billing_hard_limit_reached": ErrorKind.FATAL,
    "credit_balance_exhausted": ErrorKind.FATAL,  # GPT-Live
    "forbidden": ErrorKind.FATAL,  # GPT-Live: also a voice that it does not have
    "beta_api_shape_disabled": ErrorKind.FATAL,  # then close 4000
    "invalid_model": ErrorKind.FATAL,  # then close 4000
    "missing_model": ErrorKind.FATAL,  # then close 4000
    # the server
    "server_error": ErrorKind.RETRY,
    "server_is_overloaded": ErrorKind.RETRY,
    "slow_down": ErrorKind.RETRY,
    "rate_limit_exceeded": ErrorKind.RETRY,
    "inference_rate_limit_exceeded": ErrorKind.RETRY,
    "session_expired": ErrorKind.RETRY,  # 60 minutes, then a close
    # the session
    "cannot_update_voice": ErrorKind.SETUP,  # assistant audio is present: leave voice out
    # responses
    "conversation_already_has_active_response": ErrorKind.ACTIVE_RESPONSE,
    "response_cancel_not_active": ErrorKind.IGNORE,
    "input_audio_buffer_commit_empty": ErrorKind.IGNORE,
}

_PACE = frozenset(
    {
        "rate_limit_exceeded",
        "inference_rate_limit_exceeded",
        "slow_down",
        "server_is_overloaded",
    }
)
"""The server has too much to do: a fresh session would only ask for more."""

REFUSED_CLOSES = frozenset({3000, 4000})
"""Close codes of a bad key and of a bad model or shape (docs/vendor-facts.md, Session set-up)."""

_TRY_AGAIN_LATER = 1013
"""RFC 6455's registry: the server is overloaded."""

NAMED_WAIT = (
    r"(?i:\b(?:try|retry)(?: again)? (?:in|after) "
    r"(?:\d+(?:\.\d+)?\s*(?:ms|millisecond|sec|min|hour|[smh])[a-z]*\s*)+)"
)
"""The part of an error's text that names a wait, as a regular expression without groups."""

_STRETCH = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)

_TRUNCATE_TEXTS = ("already shorter than", "Only model output audio messages can be truncated")
"""Their codes (``invalid_value``, ``unsupported_content_type``) say too little; match the text."""

_QUOTED_SESSION_KEY = re.compile(r"'(session\.[\w.\[\]]+)'")

_FLAT_ONLY_KEYS = frozenset(
    f"session.{name}"
    for name in (
        "modalities",
        "voice",
        "input_audio_format",
        "output_audio_format",
        "turn_detection",
    )
)
"""Top-level keys that only the flat dialect has, and every server of it: one that does not know them
speaks GA. A flat server may lack the others."""


def error_kind(error: ModelError) -> ErrorKind:
    """Whose business the error is."""
    if error.code in _KINDS:
        return _KINDS[error.code]
    if error.param == "audio_end_ms" or any(text in error.message for text in _TRUNCATE_TEXTS):
        return ErrorKind.TRUNCATE
    # Any complaint about a session setting means that the whole update was discarded.
    if subject(error).startswith("session."):
        return ErrorKind.SETUP
    return _KINDS.get(error.type, ErrorKind.IGNORE)


def is_known(error: ModelError) -> bool:
    """Whether the code says what the error is about."""
    return error.code in _KINDS


def asks_for_time(code: str) -> bool:
    """Whether an error of this code is about how often or how much is asked, not about the session."""
    return code in _PACE


def is_busy(close_code: int, reason: str) -> bool:
    """Whether a server closed a session because it has too much to do."""
    return close_code == _TRY_AGAIN_LATER or any(word in reason for word in _PACE)


def named_wait_ms(text: str) -> int:
    """The wait that an error's text names ("Please try again in 3.2s", "in 350ms", "in 1m2.5s"); 0: none."""
    if (found := re.search(NAMED_WAIT, text)) is None:
        return 0
    return math.ceil(sum(float(number) * _unit_ms(unit) for number, unit in _STRETCH.findall(found.group())))


def _unit_ms(unit: str) -> int:
    unit = unit.lower()
    if unit.startswith(("ms", "milli")):
        return 1
    return {"s": 1_000, "m": 60_000, "h": 3_600_000}[unit[0]]


def is_dialect_refusal(error: ModelError) -> bool:
    """Whether a server answers our flat dialect with "I speak GA" (docs/vendor-facts.md, Dialects)."""
    match error.code:
        case "beta_api_shape_disabled":
            return True
        case "missing_required_parameter":
            return subject(error) == "session.type"
        case "unknown_parameter":
            return subject(error) in _FLAT_ONLY_KEYS
        case _:
            return False


def subject(error: ModelError) -> str:
    """The parameter an error is about; some servers name it in the text only."""
    if error.param:
        return error.param
    quoted = _QUOTED_SESSION_KEY.search(error.message)
    return quoted.group(1) if quoted else ""
