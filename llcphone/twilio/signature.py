"""Did Twilio send this? Judged by Twilio's own validator, and never raising.

Twilio signs the URL it was configured with. Behind a proxy our server sees another one, so every
check here is against the configured public URL, never against the request's; but that
may be written in another way in Twilio's console (``addresses``). Any doubt, odd input included, is a no.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from llcphone.errors import ConfigError
from llcphone.twilio.addresses import spellings
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
    auth_token: str,
    url: str,
    form: MultiDict | Iterable[tuple[str, str]],
    signature: str | None,
    host: str = "",
) -> bool:
    """Whether Twilio signed this form POST.

    Args:
        auth_token: the account's primary token (API keys sign nothing).
        url: the public URL of the webhook with its query, without its fragment.
        form: every field of the body, unknown and blank ones too; empty for a GET.
        signature: the ``X-Twilio-Signature`` header; None when it is missing.
        host: the ``Host`` header, for how the host is written; it never decides which host it is.
    """
    if not signature or not auth_token:
        return False
    try:
        fields = form if isinstance(form, MultiDict) else _Pairs(form)
        return _validates(auth_token, [url], fields, signature, host)
    except (ValueError, TypeError):  # a URL or a text that cannot even be signed
        return False


def valid_upgrade(auth_token: str, public_url: str, path: str, signature: str | None, host: str = "") -> bool:
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
        return _validates(auth_token, forms, _Pairs(()), signature, host)
    except (ConfigError, ValueError, TypeError):
        return False


def _public_stream_url(public_url: str, path: str) -> str:
    """The address as Twilio knows it; a proxy may or may not have taken the public URL's own path away."""
    base = websocket_url(public_url)
    own_path = urlsplit(base).path
    return base + (path[len(own_path) :] if own_path and path.startswith(f"{own_path}/") else path)


def _validates(auth_token: str, urls: list[str], fields: MultiDict, signature: str, host: str) -> bool:
    """Whether one of these addresses was signed, as it is written here or in another spelling."""
    validator = RequestValidator(auth_token)
    if any(validator.validate(url, fields, signature) for url in urls):
        return True
    # The fields are signed behind the address, so their text is made once: forged requests stay cheap.
    text = "".join(name + value for name in sorted(fields) for value in sorted(set(fields.getlist(name))))
    signed = (validator.compute_signature(each + text, {}) for url in urls for each in spellings(url, host))
    return any(hmac.compare_digest(each.encode(), signature.encode()) for each in signed)


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
