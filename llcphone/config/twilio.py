"""Settings of [twilio]: the Twilio account and how Twilio speaks."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import (
    BASE_ADDRESS,
)
from llcphone.config.fields import HEADER, Section, matching, setting
from llcphone.errors import ConfigError
from llcphone.validation.phone_numbers import E164

_HOST_LABEL = matching(r"(?=.{0,63}\Z)([a-z0-9]+(-[a-z0-9]+)*)?", "one host label such as dublin or ie1")


_LANGUAGE = matching(r"([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?", "a language tag such as es-ES")


_SAY_VOICE = matching(r"([A-Za-z0-9]+([._-][A-Za-z0-9]+)*)?", "the name of a voice such as Polly.Lucia")


_PHONE_NUMBER = matching(f"({E164})?", "a number as +<country><number>, digits only")


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
