"""Asking a server on this machine how it is."""

from __future__ import annotations

import ipaddress
import secrets
from contextlib import suppress

import trio
from attrs import frozen

from llcphone.runtime.http_answer import get_json

_ANYWHERE = {"": "127.0.0.1", "*": "127.0.0.1"}


@frozen
class Health:
    """What ``/healthz`` and ``/readyz`` say."""

    process: str
    """The instance id of the process that answered; "" if its version does not report one."""
    took_ms: float
    alive: bool
    reasons: tuple[str, ...] = ()


def local_address(host: str) -> str:
    """By which address a server that listens on this one is reached from here."""
    host = _ANYWHERE.get(host, host)
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
    return host


def local_url(host: str, port: int) -> str:
    """Where a server that listens on this address is reached from here."""
    host = local_address(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def ask_health(host: str, port: int) -> Health | None:
    """``/healthz`` of the server on this machine; None if no llcphone answers."""
    nonce = secrets.token_hex(8)
    began_s = trio.current_time()
    said = await get_json(f"{local_url(host, port)}/healthz?nonce={nonce}")
    if said is None or "alive" not in said:
        return None
    took_ms = (trio.current_time() - began_s) * 1000
    reasons = tuple(str(each) for each in said.get("reasons", ()))
    process = str(said.get("process", "")) if said.get("nonce") == nonce else ""
    return Health(process, took_ms, bool(said["alive"]), reasons)


async def ask_ready(host: str, port: int) -> list[str] | None:
    """Why new calls are not taken; None if no server answers."""
    said = await get_json(f"{local_url(host, port)}/readyz")
    if said is None or "ready" not in said:
        return None
    return [str(each) for each in said.get("reasons", ())]
