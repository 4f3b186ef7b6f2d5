"""Orders to the carrier, its answers, and its errors.

    CarrierError            a request failed (.code)
      CreateRefused           certainly no call was placed (.retryable)
      CreateUnknown           a call may or may not have been placed: ask ``Carrier.find``

``code`` is Twilio's error number as text, or one of ours: ``http_<status>`` (an error without a
number), ``no_connection`` and ``tls`` (nothing was sent), ``no_answer``, ``unreadable``. Nothing here shows a
number, an address or a document, neither in an error's text nor in a ``repr``.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from llcphone.errors import LLCPhoneError, LocalProtocolError


class CarrierError(LLCPhoneError):
    """Twilio's REST API did not do what it was asked; ``code`` says why.

    When a text message fails with ``no_answer``, ``unreadable`` or ``http_5xx``, it may have gone out.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"Twilio's REST API: {code}")
        self.code = code


class CreateRefused(CarrierError):
    """No call was placed, for certain; ``retryable`` if the same order may be taken later."""

    def __init__(self, code: str, *, retryable: bool) -> None:
        super().__init__(code)
        self.retryable = retryable


class CreateUnknown(CarrierError):
    """The order may have reached Twilio, so a phone may be ringing: never dial again before ``find``."""


@frozen
class Amd:
    """Answering machine detection.

    ``async`` lets the call begin at once and reports to ``callback``; ``sync`` keeps the callee in
    silence for some four seconds and reports in the voice webhook, so it needs ``DialOrder.url``.
    """

    kind: Literal["async", "sync"]
    timeout_s: int
    """A verdict that takes longer is ``unknown``."""
    callback: str = field(default="", repr=False)
    """Told the verdict of ``async``."""
    message_end: bool = False
    """Wait for the end of a machine's greeting, to leave a message after the beep."""


@frozen(kw_only=True)
class DialOrder:
    """One outbound call.

    Raises:
        LocalProtocolError: the order contradicts itself.
    """

    to: str = field(repr=False)
    from_: str = field(repr=False)
    twiml: str | None = field(default=None, repr=False)
    """What happens when the callee answers, at most 4,000 characters; or else ``url``."""
    url: str | None = field(default=None, repr=False)
    """Voice webhook, asked for TwiML when the callee answers."""
    status_callback: str = field(repr=False)
    amd: Amd | None = None
    ring_timeout_s: int
    """Twilio may add five seconds."""
    time_limit_s: int | None = None
    send_digits: str | None = field(default=None, repr=False)
    """Keys pressed after the answer (``w`` half a second, ``W`` a second); turns detection off."""

    def __attrs_post_init__(self) -> None:
        if bool(self.twiml) == bool(self.url):
            raise LocalProtocolError("a dial order has either twiml or url")
        if self.amd and self.amd.kind == "sync" and not self.url:
            raise LocalProtocolError("the verdict of sync detection comes with a voice webhook: it needs url")
        if self.amd and self.amd.kind == "async" and not self.amd.callback:
            raise LocalProtocolError("the verdict of async detection needs a callback")


@frozen
class CallState:
    """A call as Twilio knows it now."""

    call_sid: str
    status: str
    answered_by: str | None
    duration_s: int | None

    @property
    def over(self) -> bool:
        """Whether this is the last status the call will have."""
        return self.status not in {"queued", "initiated", "ringing", "in-progress"}


@frozen
class NumberSettings:
    """One of our numbers: who is asked when it rings."""

    number_sid: str
    voice_url: str = field(repr=False)
    voice_method: str
    voice_fallback_url: str = field(repr=False)
    status_callback: str = field(repr=False)
    voice_application_sid: str
    trunk_sid: str

    @property
    def voice_url_counts(self) -> bool:
        """An application or a trunk takes precedence over ``voice_url``."""
        return not self.voice_application_sid and not self.trunk_sid
