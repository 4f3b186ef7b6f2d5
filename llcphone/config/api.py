"""Settings of [api]: the HTTP API of `llcphone serve` that places calls."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, matching, setting

_API_KEY = matching(r"([\x21-\x7e]{16,})?", "at least 16 printable ASCII characters without spaces")


@frozen(kw_only=True)
class ApiConfig(Section):
    """[api]: the HTTP API of `llcphone serve` that places calls."""

    key: str = setting("", _API_KEY, secret=True)
    """Key that clients send; it allows its holder to place paid calls. "": the API is off."""
    events: bool = setting(True, advanced=True)
    """Whether the API streams what happens in a call."""
