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


@frozen(kw_only=True)
class WireConfig(Section):
    """[wire]: the two WebSockets of a call."""

    model: Literal["fast", "trio-websocket"] = setting("fast", advanced=True)
    """Implementation of the model's WebSocket. "fast" is llcphone's own; only it has the measured speed."""
    phone: Literal["fast", "quart"] = setting("fast", advanced=True)
    """Implementation of the phone's WebSocket; "quart" passes /media/<token> to quart-trio."""
    ca_file: str = setting("", advanced=True)
    """PEM file of certificate authorities that are trusted besides the system's, for a self-hosted model;
    "" adds none."""


@frozen(kw_only=True)
class ServerConfig(Section):
    """[server]: the one public port of `llcphone serve`."""

    host: str = setting("127.0.0.1", HOST)
    """Address to listen on. The default is enough behind a tunnel or proxy on the same machine."""
    port: int = setting(8081, between(0, 65_535))
    """Port to listen on; usually set as PORT. 0 takes a free port."""
    public_url: str = setting("", BASE_ADDRESS_OR_EMPTY, private=True)
    """Address under which Twilio reaches this server; usually set as PUBLIC_URL. Signatures are checked
    against it."""
    max_calls: int = setting(200, between(1, 100_000))
    """Most calls at the same time. The next caller gets the fallback."""
    head_timeout_s: float = setting(5.0, between(0.1, 60.0), advanced=True)
    """Longest time from an accepted connection to its complete request head."""
    max_pending: int = setting(256, between(1, 100_000), advanced=True)
    """Most connections that have not shown a valid signature. One more replaces the oldest connection of the
    address that holds most. Authenticated connections do not count, because behind a proxy all have one
    address."""
    check_signatures: bool = setting(True)
    """Whether Twilio's signatures are checked. It can be false only on this machine, for simulators."""

    def check_together(self) -> None:
        """Unsigned webhooks start paid calls, so they must come from this machine."""
        on_this_machine = is_loopback_url(self.public_url) and is_loopback_host(self.host)
        if not self.check_signatures and not on_this_machine:
            raise ConfigError(
                "server.check_signatures",
                "is false, and server.public_url or server.host is not on loopback",
                "set it to true, or use http://127.0.0.1:8081",
            )


@frozen(kw_only=True)
class DrainConfig(Section):
    """[drain]: how live calls end when the process is asked to stop."""

    limit_s: float = setting(600.0, between(0.0, 86_400.0))
    """How long live calls may continue after the process was asked to stop; 0: they are cut off."""
    goodbye_s: float = setting(15.0, between(0.0, 120.0), advanced=True)
    """Time before that limit at which the agent says good-bye in calls that no other process can resume;
    0: no good-bye. It has no effect unless it is shorter than the limit."""


@frozen(kw_only=True)
class TwilioConfig(Section):
    """[twilio]: the Twilio account and how Twilio speaks."""

    account_sid: str = setting("", HEADER, private=True)
    """The account, AC…; usually set as TWILIO_ACCOUNT_SID. Dialling, transfers and hanging up need it."""
    auth_token: str = setting("", HEADER, secret=True)
    """Primary auth token, usually set as TWILIO_AUTH_TOKEN. Twilio signs webhooks with it. Each region has
    its own."""
    phone_number: str = setting("", _PHONE_NUMBER, secret=True)
    """Number that outbound calls come from; usually set as TWILIO_PHONE_NUMBER. Hidden like a secret."""
    say_language: str = setting("", _LANGUAGE, private=True)
    """Language in which Twilio reads texts aloud (voicemail, notices, whispers); "": Twilio's default, en-US.
    Default: that of `company.language`."""
    say_voice: str = setting("", _SAY_VOICE, private=True, advanced=True)
    """Twilio's voice for these texts, such as Polly.Lucia or Google.es-ES-Standard-A; "": the language's
    default voice."""
    api_url: str = setting("https://api.twilio.com", BASE_ADDRESS, private=True, advanced=True)
    """Twilio's REST API; change it only for a simulator. It must be https or loopback, because the token is
    sent there."""
    edge: str = setting("", _HOST_LABEL)
    """Twilio edge that receives the REST requests (ashburn, dublin, …); "": Twilio's default. Media are not
    affected."""
    region: str = setting("", _HOST_LABEL)
    """Twilio region that handles the calls (us1, ie1, au1); each has its own token. "": Twilio's default,
    us1."""

    def check_together(self) -> None:
        """api.<region>.twilio.com was switched off on 2026-04-28."""
        if self.region and not self.edge:
            raise ConfigError(
                "twilio.region",
                "is set without twilio.edge: the host of a region alone no longer exists",
                "set twilio.edge",
            )


@frozen(kw_only=True)
class RecordsConfig(Section):
    """[records]: what is kept of a call."""

    path: str = setting("calls.jsonl")
    """File that gets one JSON line per call; "" writes none. A bare name lies in the working directory."""
    transcript: bool = setting(False)
    """Whether the words of a call are kept. The default is off because callers must be informed first."""
    blackbox_dir: str = setting("", advanced=True)
    """Folder for a tape of each call's events and decisions, without the words; "" records none."""


@frozen(kw_only=True)
class LogConfig(Section):
    """[log]: the log of the process; it never contains secrets, numbers or words of a call."""

    level: Literal["debug", "info", "warning", "error"] = setting("info")
    """Lowest severity that is written."""
    format: Literal["console", "json"] = setting("console")
    """Lines for people or for programs."""
