"""Settings of calls, sockets, server and accounts.

[call], [wire], [server], [drain], [twilio], [records], [log].
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.addresses import (
    BASE_ADDRESS,
    BASE_ADDRESS_OR_EMPTY,
    HOST,
    is_loopback_host,
    is_loopback_url,
)
from llcphone.config.fields import HEADER, Section, between, matching, setting
from llcphone.errors import ConfigError
from llcphone.validation.phone_numbers import E164

_HOST_LABEL = matching(r"(?=.{0,63}\Z)([a-z0-9]+(-[a-z0-9]+)*)?", "one host label such as dublin or ie1")
_LANGUAGE = matching(r"([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?", "a language tag such as es-ES")
_SAY_VOICE = matching(r"([A-Za-z0-9]+([._-][A-Za-z0-9]+)*)?", "the name of a voice such as Polly.Lucia")
_PHONE_NUMBER = matching(f"({E164})?", "a number as +<country><number>, digits only")


@frozen(kw_only=True)
class CallConfig(Section):
    """[call]: how long things in a call may take before something is done about them."""

    max_duration_s: float = setting(3600.0, between(1.0, 86_400.0))
    """Longest call; the vendor's session ends at 60 minutes too."""
    idle_limit_s: float = setting(300.0, between(1.0, 86_400.0))
    """A call in which neither caller nor agent said anything for so long is over."""
    media_timeout_s: float = setting(10.0, between(0.5, 300.0))
    """A phone of which nothing is heard for this long is gone: no frame, no key, no echo of a mark."""
    token_ttl_s: float = setting(60.0, between(1.0, 600.0))
    """A stream token nobody brought by then ends the call that waits for it."""
    start_timeout_s: float = setting(10.0, between(0.5, 60.0))
    """From an accepted media socket to Twilio's `start`."""
    goodbye_timeout_s: float = setting(4.0, between(0.0, 60.0))
    """Longest wait for the last mark before we hang up."""
    response_wait_ms: int = setting(3_000, between(0, 30_000))
    """How long a committed turn may wait for response.created before our own create may go."""
    close_timeout_s: float = setting(1.0, between(0.1, 10.0))
    """Longest wait for a closing handshake; peers are known never to answer it."""
    mark_every_ms: int = setting(200, between(20, 200))
    """Agent audio between two marks: the finer, the better we know what was heard after a lost echo."""


@frozen(kw_only=True)
class WireConfig(Section):
    """[wire]: the two sockets of a call, and what may pile up before them."""

    model: Literal["fast", "trio-websocket"] = setting("fast")
    """Transport of the model leg; the marks for speed bind `fast` only."""
    phone: Literal["fast", "quart"] = setting("fast")
    """Transport of the phone leg; `quart` passes /media/<token> on to quart-trio."""
    phone_message_limit: int = setting(65_536, between(4_096, 16_777_216))
    """Bytes of one message from the phone; a frame has about 300."""
    model_message_limit: int = setting(16_777_216, between(65_536, 268_435_456))
    """Bytes of one message from the model; session.updated and deltas can be large."""
    outbox_limit: int = setting(4_194_304, between(65_536, 268_435_456))
    """Bytes that may wait behind the message being sent; beyond, the leg is dead."""
    stall_timeout_s: float = setting(5.0, between(0.1, 60.0))
    """A leg that accepted no byte for so long is dead."""
    ping_interval_s: float = setting(20.0, between(1.0, 600.0))
    """Between our pings to the model; OpenAI pings us about as often."""
    ping_timeout_s: float = setting(20.0, between(1.0, 600.0))
    """A leg that says nothing at all for this long after a ping is dead; any byte proves that it lives."""
    ca_file: str = setting("")
    """PEM file of certificate authorities trusted besides the system's, for a self-hosted wss:// model."""


@frozen(kw_only=True)
class ServerConfig(Section):
    """[server]: the one public port of `llcphone serve`, and the limits at its door."""

    host: str = setting("127.0.0.1", HOST)
    """Address to listen on; behind a tunnel or proxy, loopback is enough."""
    port: int = setting(8081, between(0, 65_535))
    """Port to listen on; usually PORT. 0 takes a free one."""
    public_url: str = setting("", BASE_ADDRESS_OR_EMPTY, private=True)
    """How Twilio reaches us, usually PUBLIC_URL; signatures are checked against it, not a Host header."""
    max_calls: int = setting(200, between(1, 100_000))
    """Calls at once; the next one gets the fallback."""
    head_limit: int = setting(16_384, between(1_024, 1_048_576))
    """Bytes of a request head."""
    head_timeout_s: float = setting(5.0, between(0.1, 60.0))
    """From accept to a complete request head."""
    max_pending: int = setting(256, between(1, 100_000))
    """Sockets that have not shown a good signature; one more takes the place of the oldest from the address
    that holds most. Proven ones are not counted, for behind a proxy all have one address."""
    body_limit: int = setting(65_536, between(1_024, 16_777_216))
    """Bytes of a request body; a webhook has about 1,000."""
    body_timeout_s: float = setting(5.0, between(0.1, 60.0))
    """From the head to the complete body."""
    backlog: int = setting(1_024, between(1, 65_535))
    """Connections the kernel holds for us while we are busy."""
    check_signatures: bool = setting(True)
    """Whether Twilio's signatures are checked; off on this machine only, for simulators."""

    def check_together(self) -> None:
        """Unsigned webhooks start paid calls, so they may never come from outside this machine."""
        on_this_machine = is_loopback_url(self.public_url) and is_loopback_host(self.host)
        if not self.check_signatures and not on_this_machine:
            raise ConfigError(
                "server.check_signatures",
                "may be false only when server.public_url and server.host are on loopback (http://127.0.0.1:8081)",
            )


@frozen(kw_only=True)
class DrainConfig(Section):
    """[drain]: how live calls end when the process is asked to stop."""

    limit_s: float = setting(600.0, between(0.0, 86_400.0))
    """How long live calls may go on after the process was asked to stop."""
    goodbye_s: float = setting(15.0, between(0.0, 120.0))
    """Calls that no other process resumes hear a good-bye this long before that limit; 0: they are cut off.
    A limit that is not longer leaves no time for one."""


@frozen(kw_only=True)
class TwilioConfig(Section):
    """[twilio]: the account whose numbers ring."""

    account_sid: str = setting("", HEADER, private=True)
    """The account, AC…; usually TWILIO_ACCOUNT_SID. Dialling, transfers and hanging up need it."""
    auth_token: str = setting("", HEADER, secret=True)
    """The primary token, usually TWILIO_AUTH_TOKEN: webhooks are signed with it. A region has its own."""
    phone_number: str = setting("", _PHONE_NUMBER, secret=True)
    """Where outbound calls come from; usually TWILIO_PHONE_NUMBER. A person's, so hidden like a secret."""
    say_language: str = setting("", _LANGUAGE, private=True)
    """Language in which Twilio reads texts to people: voicemail, notices, whispers; "" is its own, en-US.
    Default: that of `company.language`."""
    say_voice: str = setting("", _SAY_VOICE, private=True)
    """Twilio's voice for them, as Polly.Lucia or Google.es-ES-Standard-A; "" is the language's usual one."""
    api_url: str = setting("https://api.twilio.com", BASE_ADDRESS, private=True)
    """REST API; another address is a simulator's. The token travels in it, so https or loopback only."""
    edge: str = setting("", _HOST_LABEL)
    """Twilio edge our REST requests enter by (ashburn, dublin, …); alone it means us1. Media do not move."""
    region: str = setting("", _HOST_LABEL)
    """Twilio region that handles the calls (us1, ie1, au1), each with its own token."""

    def check_together(self) -> None:
        """api.<region>.twilio.com was switched off on 2026-04-28."""
        if self.region and not self.edge:
            raise ConfigError(
                "twilio.region", "needs twilio.edge beside it: the host of a region alone no longer exists"
            )


@frozen(kw_only=True)
class RecordsConfig(Section):
    """[records]: what is kept of a call."""

    path: str = setting("calls.jsonl")
    """File that gets one line per call, from `open_phone` too; a bare name lies where the program was
    started. "" keeps none."""
    transcript: bool = setting(False)
    """Whether what was said is kept; off, because people must know before it is."""
    blackbox_dir: str = setting("")
    """Folder for a tape of each call's events and decisions, without what was said; "" records none."""
    blackbox_limit: int = setting(16_777_216, between(4_096, 1_073_741_824))
    """Bytes of one call's tape: about an hour of talk; then the tape says that it was cut."""


@frozen(kw_only=True)
class LogConfig(Section):
    """[log]: what the process tells about itself; never secrets, numbers or words of a call."""

    level: Literal["debug", "info", "warning", "error"] = setting("info")
    """Least severity that is written."""
    format: Literal["console", "json"] = setting("console")
    """Lines for a person or for a machine."""
