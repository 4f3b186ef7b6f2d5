"""Whose page a request comes from, and what answers allow a page.

``Host`` must be this machine's, or one of `console.origins`: a web page whose name was made to point here
(DNS rebinding) reads nothing. ``Origin`` must be this page's own where one is sent, and must be sent
with all that is no GET. So no other page, and no other server of this machine, can use a browser against us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llcphone.config.addresses import is_loopback_url
from llcphone.server.head import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.server.head import RequestHead


def check_origin(head: RequestHead, origins: Sequence[str]) -> None:
    """Refuse what another page sends.

    Args:
        head: of a request.
        origins: under which browsers see us behind a proxy.

    Raises:
        RequestRefused: another page sends it, or one under another name.
    """
    host = head.get(b"host").decode("ascii").lower()
    ours = {origin: urlsplit(origin).netloc for origin in origins}
    if is_loopback_url(f"http://{host}"):  # by any port: ssh -L may use another one
        ours[f"http://{host}"] = host
    if host not in ours.values():
        why = "its Host is neither this machine's nor one of console.origins: open the printed link"
        raise RequestRefused(403, why)
    origin = head.get(b"origin").decode("ascii").lower()
    asks = head.method in (b"GET", b"HEAD") and not head.wants_websocket
    if origin not in ours and (origin or not asks):
        raise RequestRefused(403, "its Origin is another page, or missing")
    site = head.get(b"sec-fetch-site")
    if site not in (b"", b"same-origin", b"none") and head.path != b"/":  # a link to the page may be anywhere
        raise RequestRefused(403, "another page's request (Sec-Fetch-Site)")


def headers_for(head: RequestHead, origins: Sequence[str], nonce: str = "") -> dict[str, str]:
    """The headers of the answer to this request, if ``check_origin`` lets it pass."""
    seen = [f"http://{head.get(b'host').decode('ascii')}", *origins]
    return security_headers(" ".join(each.replace("http", "ws", 1) for each in dict.fromkeys(seen)), nonce)


def security_headers(websocket_origin: str, nonce: str) -> dict[str, str]:
    """What every answer has: nothing from elsewhere, nothing inline, no frame around it.

    Args:
        websocket_origin: of this page, as ws:// or wss://; not all browsers take 'self' for it.
        nonce: of this answer.
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "connect-src": f"'self' {websocket_origin}",
        "img-src": "'self' data:",
        "media-src": "'self' blob:",
        "worker-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "microphone=(self), camera=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
