"""The section about telling another system of each call; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import WEB_ADDRESS_OR_EMPTY
from llcphone.config.fields import HEADER, Section, between, setting
from llcphone.errors import ConfigError


@frozen(kw_only=True)
class WebhookConfig(Section):
    """[webhook]: each call that has ended is posted to an address of yours, with its transcript."""

    url: str = setting("", WEB_ADDRESS_OR_EMPTY, private=True)
    """Where to; "" for nowhere. Words are in it only if `records.transcript` is on."""
    bearer_token: str = setting("", HEADER, secret=True)
    """Sent as `Authorization: Bearer`."""
    secret: str = setting("", secret=True)
    """Signs each post, so that who receives it knows that it is ours and new."""
    allow_private: bool = setting(False)
    """Whether the address may be one of this machine or its network."""
    timeout_s: float = setting(5.0, between(0.1, 60.0))
    """Longest post."""
    retry_after_s: float = setting(5.0, between(0.1, 3_600.0))
    """Pause after a post that failed; doubled each time, up to an hour."""
    give_up_hours: float = setting(72.0, between(0.1, 8_760.0))
    """After so long a post is given up, and logged."""

    def check_together(self) -> None:
        """Who receives calls must be able to tell ours from anybody's."""
        if self.url and not (self.bearer_token or self.secret):
            raise ConfigError("webhook.secret", "is missing beside webhook.url (or set webhook.bearer_token)")
