"""The section about telling another system of each call; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import WEB_ADDRESS_OR_EMPTY
from llcphone.config.fields import HEADER, Section, between, setting
from llcphone.errors import ConfigError


@frozen(kw_only=True)
class WebhookConfig(Section):
    """[webhook]: a POST to your system after each call, with its transcript."""

    url: str = setting("", WEB_ADDRESS_OR_EMPTY, private=True)
    """Address that receives a POST after each call; "": none. It contains words only if `records.transcript`
    is on."""
    bearer_token: str = setting("", HEADER, secret=True)
    """Sent as `Authorization: Bearer`; "": not sent."""
    secret: str = setting("", secret=True)
    """Key that signs each POST, so that the receiver can verify sender and age; "": not signed."""
    allow_private: bool = setting(False, advanced=True)
    """Whether the address may be on this machine or its network. The default protects internal services."""
    give_up_hours: float = setting(72.0, between(0.1, 8_760.0), advanced=True)
    """A POST that still fails after this time is dropped and logged."""

    def check_together(self) -> None:
        """The receiver must be able to verify the sender."""
        if self.url and not (self.bearer_token or self.secret):
            raise ConfigError(
                "webhook.secret", "is not set, but webhook.url is", "set it or webhook.bearer_token"
            )
