"""Asking a server on this machine how it is."""

from __future__ import annotations

import ipaddress
import secrets
from contextlib import suppress
from typing import Any

import httpx
import trio
from attrs import frozen

ASK_S = 2.0
"""A loop that carries calls answers within milliseconds."""
_ANYWHERE = {"": "127.0.0.1", "*": "127.0.0.1"}


@frozen
class Health:
    """What ``/healthz`` and ``/readyz`` say."""

    process: str
    """The instance id of the process that answered; "" if its version does not report one."""
    took_ms: float
    alive: bool
    reasons: tuple[str, ...] = ()


def local_url(host: str, port: int) -> str:
    """Where a server that listens on this address is reached from here."""
    host = _ANYWHERE.get(host, host)
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
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


async def get_json(url: str) -> dict[str, Any] | None:
    """A JSON object from this machine, whatever its status; None without one."""
    with trio.move_on_after(ASK_S):
        try:
            # Nothing is encrypted here: reading certificates would take longer than the answer.
            async with httpx.AsyncClient(trust_env=False, timeout=ASK_S, verify=False) as client:
                said = (await client.get(url)).json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return None
        return said if isinstance(said, dict) else None
    return None
