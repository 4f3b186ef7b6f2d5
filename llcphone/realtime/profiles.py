"""What differs between the endpoints that speak the Realtime API's shape.

``realtime.profile`` names one, or the host of ``realtime.url`` does. A profile says how the key is sent,
which dialect the endpoint speaks, and what it does not understand (names of ``unsupported``).
Sources: docs/vendor-facts.md, Other endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llcphone.realtime.dialects import Dialect
from llcphone.realtime.unsupported import METADATA, OUT_OF_BAND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.config.realtime import RealtimeConfig


@attrs.frozen
class Profile:
    """One kind of endpoint."""

    name: str
    key_header: str
    """"authorization" (a Bearer token) or "api-key"."""
    dialect: Dialect | None
    """None: the endpoint is asked."""
    semantic_vad: bool = True
    """Whether it can detect the end of a turn by meaning; else by silence."""
    unsupported: frozenset[str] = frozenset()
    """What it is known not to understand."""
    lists_models: bool = False
    """Whether it has a list of models under the names that ``realtime.model`` takes."""


_PROFILES: Mapping[str, Profile] = {
    each.name: each
    for each in (
        Profile("openai", "authorization", Dialect.GA, lists_models=True),
        Profile("azure", "api-key", Dialect.GA),
        # Truncate: xAI's page lists it as unsupported, but live sessions took it. So it is tried.
        Profile(
            "xai",
            "authorization",
            Dialect.XAI,
            semantic_vad=False,
            unsupported=frozenset({OUT_OF_BAND, METADATA}),
        ),
        Profile("generic", "authorization", None, lists_models=True),
    )
}


def profile_of(realtime: RealtimeConfig) -> Profile:
    """The profile that the settings name, or that belongs to the host of their URL."""
    profile = _PROFILES[realtime.profile_name]
    # Azure's preview API, without /v1/ in its path, speaks flat.
    if profile.name == "azure" and "/v1/" not in realtime.url:
        return attrs.evolve(profile, dialect=None)
    return profile


def key_header(realtime: RealtimeConfig) -> str:
    """The header that carries the key: the one that is set, else the profile's."""
    return profile_of(realtime).key_header if realtime.api_key_header == "auto" else realtime.api_key_header


def known_dialect(realtime: RealtimeConfig) -> Dialect | None:
    """The dialect that is set, else the profile's; None: the endpoint is asked."""
    if realtime.protocol == "live":
        return Dialect.LIVE
    return profile_of(realtime).dialect if realtime.dialect == "auto" else Dialect(realtime.dialect)
