"""Every error that llcphone raises on purpose, one tree, drawn once.

    LLCPhoneError
      ConfigError             a setting is missing, unknown or out of range (.key, .why, .fix)
      LocalProtocolError      we tried what the state forbids: our bug
      RemoteProtocolError     the far side sent what cannot be read
      ModelRefused            the Realtime API refused the session (.code)
      JoinRefused             a media stream brought a token that no call waits for (.why, .fix)
      NotAdmitted             no new call now: draining, or at the limit (.reason, .fix)
      NoAgent                 the function that chooses who answers has failed (.kinds)
      DialRefused             a call we will not place: Twilio never hears of it (.code, .why, .fix)
      StoreUnavailable        the database gave no answer in time (.why)
      BookingRefused          a time that cannot be booked, a value that cannot be stored (.code)
      LegClosed               a WebSocket leg has ended (.code, .reason)

What the far side does in a call is an event, not an exception: inside a call only
``LegClosed`` is raised, by ``receive``. No text here carries caller data or secrets.
"""

from __future__ import annotations


class LLCPhoneError(Exception):
    """Base of all errors raised by llcphone."""


class ConfigError(LLCPhoneError):
    """A setting is missing, unknown or out of range.

    Attributes:
        key: the setting, as ``section.key`` or as its environment name.
        why: one line that says what is wrong.
        fix: one line that says what to do.
    """

    def __init__(self, key: str, why: str, fix: str) -> None:
        super().__init__(f"{key}: {why}. Fix: {fix}")
        self.key = key
        self.why = why
        self.fix = fix


class LocalProtocolError(LLCPhoneError):
    """We tried what the state forbids: a bug of ours."""


class RemoteProtocolError(LLCPhoneError):
    """The far side sent something that cannot be read."""


class ModelRefused(LLCPhoneError):
    """The Realtime API refused the session; ``code`` is its own error code."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the Realtime API refused the session: {code}. Fix: llcphone doctor")
        self.code = code


class JoinRefused(LLCPhoneError):
    """A media stream brought a token that no call waits for; ``fix`` says what to do."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(f"{why}. Fix: {fix}")
        self.why = why
        self.fix = fix


class NotAdmitted(LLCPhoneError):
    """No new call is taken now; ``reason`` says why, ``fix`` what to do."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(f"no new call is taken: {reason}. Fix: {fix}")
        self.reason = reason
        self.fix = fix


class NoAgent(LLCPhoneError):
    """The function that chooses the agent of a call has failed; ``kinds`` are the types of its errors."""

    def __init__(self, kinds: list[str]) -> None:
        super().__init__(f"no agent was chosen: {', '.join(kinds)}. Fix: let the function return an Agent")
        self.kinds = kinds


class DialRefused(LLCPhoneError):
    """A call that is not placed; `llcphone.dial_guard.guard` lists the codes. Twilio never hears of it.

    Attributes:
        code: one stable word, for programs.
        why: one line for people; it never holds a number.
        fix: one line that says what to do.
        retry_after_s: when asking again may help; None when that is not known, or never.
    """

    def __init__(self, code: str, why: str, fix: str, retry_after_s: int | None = None) -> None:
        super().__init__(f"call not placed: {why}. Fix: {fix}")
        self.code = code
        self.why = why
        self.fix = fix
        self.retry_after_s = retry_after_s


class StoreUnavailable(LLCPhoneError):
    """The database gave no answer in time; ``why`` is one word for logs, the text one for a model."""

    def __init__(self, why: str) -> None:
        super().__init__("the records cannot be reached right now")
        self.why = why


class BookingRefused(LLCPhoneError):
    """What the records cannot take; ``code`` is ``taken``, ``closed``, ``past``, ``unknown``, ``invalid``."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class LegClosed(LLCPhoneError):
    """A WebSocket leg has ended; ``code`` is the close code (1006 when none was received)."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"leg closed with {code}")
        self.code = code
        self.reason = reason
