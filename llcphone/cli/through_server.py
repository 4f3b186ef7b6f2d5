"""A call that the running server places for ``llcphone call``: POST /calls at its local address."""

from __future__ import annotations

import secrets
import signal
from typing import TYPE_CHECKING, Any

import httpx
import trio

from llcphone.cli.ring import not_dialled
from llcphone.engine.events import EndReason
from llcphone.errors import ConfigError, LLCPhoneError
from llcphone.process.health import ask_health, local_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llcphone.config import Config

_POLL_S = 0.5
_PATIENCE_S = 10.0
"""Longest wait for one answer of a server on this machine."""
_TALKED = frozenset({"caller hung up", "agent hung up", "time limit", "idle", "transferred"})


async def serving_at(config: Config) -> bool:
    """Whether a server of llcphone answers where these settings say."""
    return await ask_health(config.server.host, config.server.port) is not None


async def through_server(
    config: Config,
    to: str,
    *,
    context: str,
    caller_id: str,
    tell: Callable[[str], None],
    outcome: dict[str, Any],
) -> int:
    """Have the running server place the call, and show how it goes; the command's exit code.

    Ctrl-C hangs up after the agent's last word; the server continues with its other calls.

    Raises:
        ConfigError: there is no ``api.key``, or it is not the server's.
        LLCPhoneError: the server refuses the call, or answers no more.
    """
    if not config.api.key:
        why = f"is not set, but the server on port {config.server.port} runs, and only it can place calls"
        fix = "llcphone init makes one in .env; then llcphone restart, or llcphone stop"
        raise ConfigError("api.key", why, fix)
    url = local_url(config.server.host, config.server.port)
    began_s = trio.current_time()

    def say(text: str) -> None:
        tell(f"{trio.current_time() - began_s:7.2f} s  {text}")

    headers = {"Authorization": f"Bearer {config.api.key}"}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, trust_env=False, timeout=_PATIENCE_S
    ) as client:
        call = await _ask(client, "POST", "/calls", {"to": to, "context": context, "caller_id": caller_id})
        say(f"the server on port {config.server.port} places it: call {call['id']}")
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_obey, signals, client, call["id"], say, name="signals")
                call = await _watch(client, call, say)
                nursery.cancel_scope.cancel(reason="the call has ended")
    outcome |= {"call": call["id"], "call_sid": call["call_sid"], "reason": call["reason"]}
    outcome |= {"duration_s": call["duration_s"], "answered_by": call["answered_by"]}
    failure = outcome["failure"] = (call["record"] or {}).get("failure", "")
    if call["reason"] == EndReason.DIAL_REFUSED.value and failure:
        say(not_dialled(failure))
    tell(f"ended: {call['reason']}, after {call['duration_s'] or 0:.1f} s")
    tell(f"  call       {call['id']}; llcphone show {call['id']}")
    return 0 if call["talking_after_ms"] is not None and call["reason"] in _TALKED else 1


async def _watch(
    client: httpx.AsyncClient, call: dict[str, Any], say: Callable[[str], None]
) -> dict[str, Any]:
    """Show each new state until the call has ended."""
    shown = ""
    while True:
        if call["state"] not in (shown, "ended"):
            shown = call["state"]
            say(shown)
        if call["state"] == "ended":
            return call
        await trio.sleep(_POLL_S)
        call = await _ask(client, "GET", f"/calls/{call['id']}")


async def _obey(
    signals: AsyncIterator[int], client: httpx.AsyncClient, call_id: str, say: Callable[[str], None]
) -> None:
    async for _ in signals:
        say("hanging up; once more leaves the call to the server")
        await _ask(client, "POST", f"/calls/{call_id}/hangup")
        break
    async for _ in signals:
        raise KeyboardInterrupt


async def _ask(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, str] | None = None
) -> dict[str, Any]:
    try:
        key = {"Idempotency-Key": secrets.token_hex(16)}  # each request is another one
        answer = await client.request(method, path, json=body, headers=key)
        said = answer.json()
    except (httpx.HTTPError, ValueError) as exc:
        why = f"the server does not answer as it should ({type(exc).__name__}). Fix: llcphone doctor"
        raise LLCPhoneError(why) from None
    if answer.status_code == 401:
        raise ConfigError("api.key", "is not the running server's", "llcphone restart")
    if answer.status_code == 404 and method == "POST" and path == "/calls":
        raise ConfigError("api.key", "is not set in the running server", "llcphone restart")
    if not answer.is_success or not isinstance(said, dict):
        problem = said if isinstance(said, dict) else {}
        text, code = problem.get("detail", f"HTTP {answer.status_code}"), problem.get("code", "")
        what = "call not placed" if path == "/calls" else "the server refused"
        raise LLCPhoneError(f"{what}: {text} [{code}]. Fix: {problem.get('fix') or 'llcphone doctor'}")
    return said
