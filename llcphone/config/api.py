"""Settings of [api]: the HTTP API of `llcphone serve` that places calls."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, matching, setting
from llcphone.errors import ConfigError

_API_KEY = matching(r"([\x21-\x7e]{16,})?", "at least 16 printable ASCII characters without spaces")


@frozen(kw_only=True)
class ApiConfig(Section):
    """[api]: the HTTP API of `llcphone serve` that places calls."""

    key: str = setting("", _API_KEY, secret=True)
    """Key that clients send; it allows its holder to place paid calls. "": the API is off."""
    read_key: str = setting("", _API_KEY, secret=True, advanced=True)
    """Read-only key: its clients may only GET, but see complete numbers and words. "": there is none."""
    events: bool = setting(True, advanced=True)
    """Whether the API streams what happens in a call."""

    @property
    def on(self) -> bool:
        """Whether there is an API."""
        return bool(self.key or self.read_key)

    def check_together(self) -> None:
        """One key cannot act and only look."""
        if self.key and self.key == self.read_key:
            raise ConfigError("api.read_key", "is api.key, which acts", "set another one")
