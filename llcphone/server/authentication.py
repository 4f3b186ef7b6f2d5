"""Authentication: Twilio by its signature, a user of the API by the key. Used by the routes and the listener.

Twilio's URL is the configured one, never rebuilt from the request (behind a proxy that is another), and
the fields are the raw body's, repeated ones and empty ones included: all are signed.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from llcphone.twilio.signature import valid_webhook

if TYPE_CHECKING:
    from llcphone.config import Config
    from llcphone.server.head import RequestHead

MAX_FIELDS = 500
"""Form fields of a webhook; Twilio sends about 40."""


def read_form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form, in order.

    Raises:
        ValueError: it is no form, or has too many fields.
    """
    return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)


SIGNATURE_CAUSES = (
    "Is server.public_url the address that Twilio calls, host and path? Is twilio.auth_token the primary "
    "token of this account and region, whole and without quotes? Does a proxy change the form?"
)
"""Why a request of Twilio's own may not match its signature, likeliest first."""


def by_twilio(config: Config, target: str, form: list[tuple[str, str]], signature: str, host: str) -> bool:
    """Whether Twilio signed this form for the path and query ``target``."""
    url = config.server.public_url.rstrip("/") + target
    return valid_webhook(config.twilio.auth_token, url, form, signature, host)


def has_key(key: str, authorization: str) -> bool:
    """Whether the header ``Authorization`` carries the API's key."""
    scheme, _, given = authorization.partition(" ")
    right = hmac.compare_digest(given.encode("utf-8", "replace"), key.encode())
    return right and scheme.lower() == "bearer" and key != ""


def is_authenticated(config: Config, head: RequestHead, body: bytes) -> bool:
    """Whether this request comes from Twilio or a user of the API; never raises, False in doubt."""
    if not config.server.check_signatures:  # for tests on this machine only
        return True
    given = head.get(b"authorization").decode("ascii")
    if has_key(config.api.key, given) or has_key(config.api.read_key, given):
        return True
    signature, host = (head.get(name).decode("ascii") for name in (b"x-twilio-signature", b"host"))
    try:
        form = read_form(body) if signature else []
        return by_twilio(config, head.target.decode("ascii"), form, signature, host)
    except ValueError:
        return False
