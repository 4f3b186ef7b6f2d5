"""The simulated Twilio's webhooks: signed form requests, with Twilio's timeouts and retries.

The string that is signed is the full public URL and then every parameter sorted by name, name and value
joined without separators (twilio.com/docs/usage/security). Over HTTPS the port and any user info are not part
of the signed URL; a fragment (Twilio's connection overrides) is neither sent nor signed. For the upgrade of a
media stream it is ``wss://host/path`` alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.cookiejar
import uuid
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import attrs
import httpx
import trio

from llcphone.sim.twilio.record import CallLog, Signature

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

CONNECT_TIMEOUT_S = 5.0
RETRY_PAUSES_S = (0.5, 1.0, 2.0, 3.0, 4.0)
"""Ours: Twilio's are not documented. Together less than ``TOTAL_TIMEOUT_S``."""
TOTAL_TIMEOUT_S = 15.0
BODY_LIMIT = 64 * 1024
_PLACES = ("City", "State", "Zip", "Country")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def sign(auth_token: str, url: str, params: Mapping[str, str] | None = None) -> str:
    """Twilio's signature of a request: base64 of HMAC-SHA1 by the Auth Token."""
    text = url + "".join(name + value for name, value in sorted((params or {}).items()))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def signature_header(kind: Signature, auth_token: str, url: str, params: Mapping[str, str]) -> dict[str, str]:
    """The signature as a header, or a forged one, or none."""
    match kind:
        case Signature.RIGHT:
            return {"X-Twilio-Signature": sign(auth_token, url, params)}
        case Signature.WRONG:
            return {"X-Twilio-Signature": sign("not the token", url, params)}
        case Signature.MISSING:
            return {}


@attrs.frozen
class Route:
    """Where public URLs really lead: a tunnel from the public host to a local port, plain inside."""

    public_url: str
    connect_to: tuple[str, int] | None = None

    def tunnelled(self, host: str, port: int | None) -> tuple[str, int] | None:
        """The local end for a host and port of the public URL; None for any other place."""
        public = urlsplit(self.public_url)
        if self.connect_to is None or host != public.hostname or _port(port) != _port(public.port):
            return None
        return self.connect_to


def _port(port: int | None) -> int:
    return 443 if port is None else port


@attrs.frozen
class Overrides:
    """What the fragment of a webhook's URL asks for: ``#rc=5&rp=all`` (connection overrides).

    Twilio's page says how often is tried again and after what, not after which pause. Here the usual one
    retry comes at once, and those that a URL asks for come later and later.
    """

    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})
    """``4xx``, ``5xx``, ``ct``, ``rt`` or ``all``."""
    paused: bool = False

    @classmethod
    def of(cls, url: str) -> Overrides:
        asked = dict(parse_qsl(urlsplit(url).fragment))
        if "rc" not in asked:
            return cls()
        policy = frozenset(asked.get("rp", "ct").split(","))
        return cls(min(5, int(asked["rc"])), policy, paused=True)

    def covers(self, kind: str) -> bool:
        """Whether such a failure is tried again; ``2xx`` is none."""
        return kind in self.policy or ("all" in self.policy and kind in {"4xx", "5xx", "ct", "rt"})

    def pauses(self) -> list[float | None]:
        """For each try the pause after it, None for the last."""
        pauses = RETRY_PAUSES_S if self.paused else (0.0,) * self.retries
        return [*pauses[: self.retries], None]


@attrs.frozen
class Answer:
    """What the server answered to a webhook."""

    status: int
    content_type: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class WebhookFailed(Exception):
    """A webhook brought no answer Twilio can use."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


@attrs.frozen
class Webhooks:
    """Makes requests to the server under test."""

    client: httpx.AsyncClient
    auth_token: str
    route: Route
    heeds_overrides: bool = True
    """Whether the fragment of a URL counts."""

    async def request(
        self,
        log: CallLog,
        purpose: str,
        url: str,
        params: Mapping[str, str],
        *,
        method: str = "POST",
        signature: Signature = Signature.RIGHT,
        token: str = "",
    ) -> Answer:
        """One webhook, its retry included; written to the log.

        Args:
            params: form fields, or the query for GET.
            token: idempotency token; a fresh one when empty. It is the same for a retry.

        Raises:
            WebhookFailed: no answer, or none with status 2xx; the error is not logged yet.
        """
        began_ms = log.now_ms
        status = 0
        try:
            with trio.fail_after(TOTAL_TIMEOUT_S):
                answer = await self._try(url, dict(params), method, signature, token or str(uuid.uuid4()))
            status = answer.status
        except trio.TooSlowError:
            raise WebhookFailed(11200, f"{purpose}: no answer within {TOTAL_TIMEOUT_S:.0f} s") from None
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise WebhookFailed(11205, f"{purpose}: no connection") from None
        except (httpx.InvalidURL, ValueError):
            raise WebhookFailed(11100, f"{purpose}: not a URL") from None
        except httpx.HTTPError as error:
            raise WebhookFailed(11200, f"{purpose}: {type(error).__name__}") from None
        finally:
            log.record.requests.append((purpose, status, log.now_ms - began_ms))
            log.event(f"webhook {purpose}: HTTP {status or 'failed'}")
        if not 200 <= status < 300:
            raise WebhookFailed(11200, f"{purpose}: HTTP {status}")
        return answer

    async def _try(
        self, url: str, params: dict[str, str], method: str, signature: Signature, token: str
    ) -> Answer:
        public = urlsplit(url)._replace(fragment="")
        host = public.hostname
        if public.scheme not in {"http", "https"} or not host:
            raise WebhookFailed(11100, "not an absolute http or https URL")
        if method == "GET":
            query = "&".join(filter(None, (public.query, urlencode(params))))
            public, params = public._replace(query=query), {}
        signed = public
        if public.scheme == "https":
            signed = public._replace(netloc=host)
        headers = {
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "x-home-region": "us1",
            "I-Twilio-Idempotency-Token": token,
            **signature_header(signature, self.auth_token, urlunsplit(signed), params),
        }
        target = public
        local = self.route.tunnelled(host, public.port)
        if local is not None:
            headers |= {"Host": public.netloc, "X-Forwarded-Proto": public.scheme}
            target = public._replace(scheme="http", netloc=f"{local[0]}:{local[1]}")
        overrides = Overrides.of(url if self.heeds_overrides else "")
        for pause_s in overrides.pauses():
            try:
                answer = await self._send(method, urlunsplit(target), headers, params)
                kind = f"{answer.status // 100}xx"
            except (httpx.ConnectError, httpx.ConnectTimeout):
                kind = "ct"
                if pause_s is None or not overrides.covers(kind):
                    raise
            except httpx.TransportError:
                kind = "rt"
                if pause_s is None or not overrides.covers(kind):
                    raise
            if pause_s is None or not overrides.covers(kind):
                return answer
            await trio.sleep(pause_s)
        raise AssertionError("unreachable")

    async def _send(self, method: str, url: str, headers: dict[str, str], params: dict[str, str]) -> Answer:
        body = params if method == "POST" else None
        async with self.client.stream(method, url, headers=headers, data=body) as response:
            content, size = bytearray(), 0
            async for piece in response.aiter_bytes():  # to its end: httpx leaves generators behind otherwise
                size += len(piece)
                content += piece[: BODY_LIMIT - len(content)]
            if size > BODY_LIMIT:
                raise WebhookFailed(11750, "the answer is larger than 64 KB")
            kind = response.headers.get("content-type", "")
            return Answer(response.status_code, kind.partition(";")[0].strip().lower(), bytes(content))


def call_form(account_sid: str, direction: str, from_: str, to: str) -> dict[str, str]:
    """The fields of a voice webhook that do not change during the call."""
    form = {
        "AccountSid": account_sid,
        "ApiVersion": "2010-04-01",
        "Direction": direction,
        "From": from_,
        "Caller": from_,
        "To": to,
        "Called": to,
    }
    if direction == "inbound":
        form["CallToken"] = "%7B%22parentCallInfoToken%22%3A%22eyJhbGciOiJFUzI1NiJ9.e30.c2ln%22%7D"
        form["StirVerstat"] = "TN-Validation-Passed-A"
    for party in ("From", "Caller", "To", "Called"):
        form |= {party + place: "" for place in _PLACES}
        form[f"{party}Country"] = "US"
    return form


def make_client() -> httpx.AsyncClient:
    """An HTTP client that keeps no cookies, follows no redirects and ignores the environment's proxy."""
    no_cookies = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        cookies=no_cookies,
        trust_env=False,
        verify=_trusted(),
    )


@cache
def _trusted() -> ssl.SSLContext:
    """What a client trusts by default, read once: that takes longer than opening the rest of a simulator."""
    return httpx.create_ssl_context(trust_env=False)
