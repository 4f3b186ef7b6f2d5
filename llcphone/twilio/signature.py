"""Did Twilio send this? Judged by Twilio's own validator, and never raising.

Twilio signs the URL it was configured with. Behind a proxy our server sees another one, so every
check here is against the configured public URL, never against the request's (facts §2.3). Any
doubt, odd input included, is a no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from llcphone.errors import ConfigError
from llcphone.twilio.twiml import websocket_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@runtime_checkable
class MultiDict(Protocol):
    """A form whose fields may repeat; quart's and werkzeug's are such."""

    def getlist(self, key: str) -> list[str]:
        """All values of one field."""
        ...

    def __iter__(self) -> Iterator[str]: ...


def valid_webhook(
    auth_token: str, url: str, form: MultiDict | Iterable[tuple[str, str]], signature: str | None
) -> bool:
    """Whether Twilio signed this form POST.

    Args:
        auth_token: the account's primary token (API keys sign nothing).
        url: the public URL of the webhook with its query, without its fragment.
        form: every field of the body, unknown and blank ones too; empty for a GET.
        signature: the ``X-Twilio-Signature`` header; None when it is missing.
    """
    if not signature or not auth_token:
        return False
    try:
        fields = form if isinstance(form, MultiDict) else _Pairs(form)
        return _validates(auth_token, url, fields, signature)
    except (ValueError, TypeError):  # a URL or a text that cannot even be signed
        return False


def valid_upgrade(auth_token: str, public_url: str, path: str, signature: str | None) -> bool:
    """Whether Twilio signed this WebSocket handshake.

    It signs the ``wss://`` form without any parameters, and its documentation tells us to try a
    trailing slash as well (SEC, WSEC).
    """
    if not signature or not auth_token:
        return False
    try:
        plain = _public_stream_url(public_url, path).rstrip("/")
        # Signed as wss always; a ws form exists on loopback only, where simulators may sign it.
        secure = "wss://" + plain.partition("://")[2]
        forms = [url + slash for url in dict.fromkeys((secure, plain)) for slash in ("", "/")]
        return any(_validates(auth_token, each, _Pairs(()), signature) for each in forms)
    except (ConfigError, ValueError, TypeError):
        return False


def _public_stream_url(public_url: str, path: str) -> str:
    """The address as Twilio knows it; a proxy may or may not have taken the public URL's own path away."""
    base = websocket_url(public_url)
    own_path = urlsplit(base).path
    return base + (path[len(own_path) :] if own_path and path.startswith(f"{own_path}/") else path)


def _validates(auth_token: str, url: str, fields: MultiDict, signature: str) -> bool:
    return bool(RequestValidator(auth_token).validate(url, fields, signature))


class _Pairs:
    """A list of pairs as the multi-dictionary that the validator wants: repeated names stay."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getlist(self, key: str) -> list[str]:
        return self._values[key]
