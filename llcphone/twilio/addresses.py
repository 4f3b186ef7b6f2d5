"""Web addresses that mean the same place, however they are written.

Scheme and host have no case, a default port says nothing, and a host may end in the dot of the root (RFC 3986
section 6.2.2, RFC 1034 section 3.1). The path has a case. A trailing slash of the path is ignored, as
Twilio's documentation asks for in signatures; so is a fragment, which holds Twilio's connection overrides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEFAULT_PORT = {"https": 443, "wss": 443, "http": 80, "ws": 80}


def same_address(one: str, other: str) -> bool:
    """Whether both lead to the same resource of the same server; False for what is no address."""
    plain = canonical(one)
    return plain != "" and plain == canonical(other)


def leads_to(url: str, base: str) -> bool:
    """Whether an address is ``base``, or below it."""
    place, root = canonical(url).partition("?")[0], canonical(base)
    return root != "" and f"{place}/".startswith(f"{root}/")


def canonical(url: str) -> str:
    """The one spelling of an address, without user and fragment; empty for what is no address."""
    try:
        parts = urlsplit(url)
        host, port = _host_of(parts), parts.port
    except ValueError:
        return ""
    if not parts.scheme or not host:
        return ""
    own_port = "" if port is None or port == _DEFAULT_PORT.get(parts.scheme) else f":{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host}{own_port}{parts.path.rstrip('/')}{query}"


def spellings(url: str, told: str = "") -> Iterator[str]:
    """Other ways to write the scheme and host of an address, the likeliest first.

    Twilio signs the address as the operator typed it, and we do not know how. The ways are few, because
    each costs a signature when a stranger asks.

    Args:
        url: the address.
        told: the ``Host`` header of the request, which counts only if it names the same host.
    """
    parts = urlsplit(url)
    scheme, rest = parts.scheme, url.partition("://")[2]
    netloc = rest[: len(parts.netloc)]
    behind = rest[len(parts.netloc) :]
    lower = _host_of(parts)
    port = f":{parts.port}" if parts.port and parts.port != _DEFAULT_PORT.get(scheme) else ""
    as_told = told.partition(":")[0].rstrip(".")
    names = [lower, lower.title()]
    if as_told.lower() == lower:
        names.insert(0, as_told)
    for name in dict.fromkeys(names):
        yield f"{scheme}://{name}{port}{behind}"
        yield f"{scheme}://{name}.{port}{behind}"
    for name in dict.fromkeys((netloc, f"{lower}{port}")):
        yield f"{scheme.upper()}://{name}{behind}"


def _host_of(parts: SplitResult) -> str:
    """In lower case, without the dot of the root; an IPv6 address in brackets."""
    host = (parts.hostname or "").rstrip(".")
    return f"[{host}]" if ":" in host else host
