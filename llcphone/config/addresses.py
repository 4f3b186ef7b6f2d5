"""Addresses in the settings: what is one, what may be added to it, and whether it leads to this machine."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from llcphone.config.fields import Rule


def _is_host(text: str) -> bool:
    """Whether a name can be looked up at all: a resolver raises for empty labels and for long ones."""
    try:
        return bool(text.encode("idna")) and not set(text) & {'"', "'"}
    except UnicodeError:
        return False


HOST = Rule("a host name or an address", _is_host)


def split_url(text: str) -> SplitResult | None:
    """The parts of an address with a host and no user or fragment, else None."""
    if not re.fullmatch(r"[\x21-\x7e]+", text):  # urlsplit drops tabs and newlines without a word
        return None
    try:
        parts = urlsplit(text)
        readable = _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        return None
    return parts if readable and parts.username is None and not parts.fragment else None


def add_path(url: str, path: str, query: str = "") -> str:
    """An address below this one; a query of the address stays, behind the path."""
    parts = urlsplit(url)
    whole = "&".join(each for each in (parts.query, query) if each)
    return parts._replace(path=parts.path.rstrip("/") + path, query=whole).geturl()


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_any_host(host: str) -> bool:
    """Whether a server that listens there listens on all addresses of its machine."""
    try:
        return host in {"", "*"} or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def is_loopback_url(text: str) -> bool:
    """Whether an address leads to this machine only."""
    parts = split_url(text)
    return parts is not None and is_loopback_host(parts.hostname or "")


def _is_web_address(text: str) -> bool:
    parts = split_url(text)
    if parts is None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(parts.hostname or ""))


def _is_base_address(text: str) -> bool:
    return "?" not in text and _is_web_address(text)


def _is_model_address(text: str) -> bool:
    parts = split_url(text)
    return parts is not None and parts.scheme in {"wss", "ws"} and "model" not in parse_qs(parts.query)


def _is_node_address(text: str) -> bool:
    parts = split_url(text)
    return parts is not None and parts.scheme == "http" and bool(parts.port) and not parts.path + parts.query


def _without_slash(value: Any) -> Any:
    """Of addresses to which paths are added: "https://a/" and "https://a" are one setting."""
    return value.rstrip("/") if isinstance(value, str) else value


BASE_ADDRESS = Rule(
    "an https:// address with a valid host, without user, query or fragment (plain http:// on loopback only)",
    _is_base_address,
    _without_slash,
)
"""Paths are added to it."""
BASE_ADDRESS_OR_EMPTY = Rule(
    BASE_ADDRESS.wants, lambda text: not text or _is_base_address(text), _without_slash
)
WEB_ADDRESS_OR_EMPTY = Rule(
    "an https:// address with a valid host, without user or fragment (plain http:// on loopback only)",
    lambda text: not text or _is_web_address(text),
)
"""It is used as it is written. Its query may be what lets us in, so it is not shown."""
NODE_ADDRESS_OR_EMPTY = Rule(
    "an http:// address with a host and a port, without a path",
    lambda text: not text or _is_node_address(text),
    _without_slash,
)
MODEL_ADDRESS = Rule(
    "a wss:// or ws:// address with a valid host, without user, fragment or model= (set realtime.model)",
    _is_model_address,
)
