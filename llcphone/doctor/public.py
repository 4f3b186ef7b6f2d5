"""The public URL: is it one that Twilio can reach, does it lead to this very process, do upgrades pass?"""

from __future__ import annotations

import ipaddress
import secrets
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trio
from attrs import frozen
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from llcphone.config.addresses import is_loopback_url
from llcphone.doctor.context import ASK_S, INSTALL_CERTIFICATES, NOT_TRUSTED, Answer, ask, plain
from llcphone.doctor.report import Finding, fail, good, unknown, warn
from llcphone.errors import LegClosed, LLCPhoneError
from llcphone.process.health import ask_health
from llcphone.process.pidfile import read_pid_file
from llcphone.server.health import PROBE
from llcphone.twilio.twiml import websocket_url
from llcphone.wire.websocket import HandshakeRefused, connect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.doctor.context import Check, DoctorContext

_TUNNEL = "start the tunnel again (llcphone tunnel), or set PUBLIC_URL to where it leads now"


async def public(context: DoctorContext) -> list[Finding]:
    url = context.config.server.public_url
    if not url:
        return [
            fail("public URL", "server.public_url is not set", "set PUBLIC_URL; llcphone tunnel opens one")
        ]
    parts = urlsplit(url)
    findings = [judge_address(url, await _addresses(parts.hostname or "", parts.port or 443))]
    nonce = secrets.token_hex(8)
    local = await ask_health(context.config.server.host, _port(context))
    answer = await ask(f"{url}/healthz?nonce={nonce}")
    here, node = "" if local is None else local.process, context.config.server.node
    reached = judge_reach(url, answer, nonce, here, node=node)
    findings.append(reached)
    if isinstance(answer, str):
        return findings  # without a tunnel the rest would only say so again
    findings.append(judge_route(await ask(f"{url}/twiml")))
    findings.append(judge_upgrade(await try_upgrade(context)))
    return findings


def _port(context: DoctorContext) -> int:
    pid_file = read_pid_file(context.config.process.pid_file)
    return pid_file.port if pid_file is not None and pid_file.alive else context.config.server.port


async def _addresses(host: str, port: int) -> list[str]:
    with trio.move_on_after(ASK_S):
        try:
            found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
        except OSError:
            return []
        return list(dict.fromkeys(str(each[4][0]) for each in found))
    return []


def judge_address(url: str, addresses: Sequence[str]) -> Finding:
    """Whether Twilio can reach such an address at all."""
    if is_loopback_url(url):
        return warn(
            "public address",
            f"{plain(url)} can be reached from this machine only",
            "a tunnel, for Twilio itself",
        )
    if not addresses:
        return fail("public address", f"the host of {plain(url)} is not known", _TUNNEL)
    private = [each for each in addresses if not ipaddress.ip_address(each.partition("%")[0]).is_global]
    if private:
        seen = f"{plain(url)} leads to {private[0]}, which Twilio cannot reach"
        return fail("public address", seen, "use a public name: a tunnel's, or your proxy's")
    return good("public address", f"{plain(url)} is at {addresses[0]}")


def judge_reach(url: str, answer: Answer | str, nonce: str, here: str, *, node: str = "") -> Finding:
    """Whether the public URL leads to the process that runs here, or to another node beside it."""
    if answer == NOT_TRUSTED:
        fix = f"give it a certificate that Twilio trusts too; if it has one, {INSTALL_CERTIFICATES}"
        return fail("public URL", f"{plain(url)}: {answer}", fix)
    if isinstance(answer, str):
        return fail("public URL", f"{plain(url)}: {answer}: the tunnel or proxy is closed", _TUNNEL)
    said = answer.json if isinstance(answer.json, dict) else {}
    if said.get("nonce") != nonce:
        if answer.status in (502, 503, 504):
            seen = f"the proxy answers {answer.status}: it does not reach the server"
            return fail("public URL", seen, "llcphone restart; see that the proxy's port is server.port")
        seen = f"{plain(url)}/healthz answers {answer.status}, and is not this llcphone"
        return fail("public URL", seen, f"{_TUNNEL}; it must lead to server.port")
    if here and said.get("process") != here and node:
        return good("public URL", f"{plain(url)} leads to another node than {node}: any may answer this")
    if here and said.get("process") != here:
        seen = "the public URL leads to another llcphone than the one that runs here"
        return fail("public URL", seen, "point the tunnel at this one, or end the other")
    if not here:
        seen = "a llcphone answers there; none runs here, so whether it is the right one was not examined"
        return unknown("public URL", seen, "run llcphone doctor where the server runs")
    return good("public URL", f"{plain(url)} leads to this process")


def judge_route(answer: Answer | str) -> Finding:
    """Whether the voice webhook is behind the public URL's path."""
    if not isinstance(answer, str) and answer.status == 405 and "POST" in answer.headers.get("allow", ""):
        return good("webhook route", "POST /twiml answers")
    seen = answer if isinstance(answer, str) else f"GET /twiml is answered {answer.status}, not 405"
    fix = "the proxy must pass /twiml on, and must not show a page of its own first"
    return fail("webhook route", f"{seen}: something answers instead of llcphone", fix)


@frozen
class Upgrade:
    status: int = 0
    """101, what was answered instead, or 0 for no answer."""
    why: str = ""
    took_ms: float = 0.0


async def try_upgrade(context: DoctorContext) -> Upgrade:
    """Open a media stream that belongs to no call, signed as Twilio's are."""
    config = context.config
    path = f"/media/{PROBE}"
    url = websocket_url(config.server.public_url) + path
    signed = "wss://" + url.partition("://")[2]  # always so, also where a simulator's address is plain
    signature = RequestValidator(config.twilio.auth_token).compute_signature(signed, {})
    began_s = trio.current_time()
    try:
        leg = await connect(
            url,
            headers=[("X-Twilio-Signature", signature)],
            timeout_s=ASK_S,
        )
    except HandshakeRefused as refused:
        return Upgrade(refused.status)
    except (OSError, trio.TooSlowError, LLCPhoneError) as exc:
        return Upgrade(0, type(exc).__name__)
    took_ms = (trio.current_time() - began_s) * 1000
    try:
        with trio.move_on_after(ASK_S):
            await leg.receive()
    except LegClosed as closed:
        return Upgrade(101 if closed.code == 1000 else 0, f"closed with {closed.code}", took_ms)
    finally:
        leg.abort()
    return Upgrade(0, "opened, and never closed", took_ms)


def judge_upgrade(upgrade: Upgrade) -> Finding:
    """Whether media streams pass the proxy."""
    match upgrade.status:
        case 101:
            took = f"101 within {upgrade.took_ms:.0f} ms"
            return good("stream upgrade", took, took_ms=round(upgrade.took_ms, 1))
        case 403:
            seen = "403: the running server has another auth token or public URL than these settings"
            return fail("stream upgrade", seen, "llcphone restart, so that it takes these settings")
        case 426:
            seen = "the upgrade arrived as a plain request: a proxy removes its Upgrade header"
            return fail("stream upgrade", seen, "let the proxy pass Upgrade and Connection on (HTTP/1.1)")
        case 0:
            seen = f"no answer ({upgrade.why})"
            return fail("stream upgrade", seen, "let the proxy pass WebSockets, and not time them out")
        case status:
            seen = f"answered {status} instead of 101"
            return fail("stream upgrade", seen, "let the proxy pass /media/... and its Upgrade header on")


CHECKS: Mapping[str, Check] = MappingProxyType({"public URL": public})
