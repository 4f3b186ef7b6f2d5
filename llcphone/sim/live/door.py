"""Which clients may open a Live session. All others are refused with an HTTP status, before the 101."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llcphone.sim.live.pace import Assumptions
    from llcphone.sim.model.door import Upgrade

PATH = "/v1/live/sessions"
MODELS = "gpt-live"
"""How the names of Live models begin."""
_BACKENDS = "gpt-5"
"""How those of text models begin."""
_BETA_HEADER = "openai-beta"


def http_refusal(upgrade: Upgrade, accepted_key: str | None, assumes: Assumptions) -> int | None:
    """The HTTP status that refuses an upgrade; None: it is accepted.

    Only a bearer token is a key here: there are no ephemeral keys and no key of a browser's subprotocol.
    Without an ``accepted_key`` every one is good that begins with ``sk-``.
    """
    if upgrade.path != PATH:
        return 404
    scheme, _, key = upgrade.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not is_good_key(key, accepted_key):
        return 401
    if _BETA_HEADER in upgrade.headers or ("?" in upgrade.target and not assumes.model_in_query):
        return 400
    return None


def is_good_key(key: str, accepted_key: str | None) -> bool:
    """Whether a key opens sessions."""
    return key == accepted_key if accepted_key is not None else key.startswith("sk-")


def list_status(model: str, key: str, accepted_key: str | None) -> int:
    """The HTTP status of a question for a model."""
    if not is_good_key(key, accepted_key):
        return 401
    return 200 if model.startswith((MODELS, _BACKENDS)) else 404
