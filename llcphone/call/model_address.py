"""Where the model is dialled: its address with the model's name, and the certificates that are trusted."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from llcphone.config import Config


def with_model(url: str, model: str) -> str:
    """The endpoint's URL with ``model`` in its query, unless the user put one there."""
    query = urlsplit(url).query
    if "model" in dict(parse_qsl(query)):
        return url
    return f"{url}{'&' if query else '?'}model={quote(model, safe='')}"


def tls_context(config: Config) -> ssl.SSLContext:
    """The system's certificates, and those of ``wire.ca_file``; ConfigError: it cannot be read."""
    context = ssl.create_default_context()
    if config.wire.ca_file:
        try:
            context.load_verify_locations(config.wire.ca_file)
        except OSError as exc:  # an SSLError is one
            why = "it holds no certificate" if isinstance(exc, ssl.SSLError) else exc.strerror
            raise ConfigError(
                "wire.ca_file", f"cannot be read: {why}", "name a PEM file of certificates, or leave it empty"
            ) from None
    return context
