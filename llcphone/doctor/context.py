"""What a check may look at: the settings, the files, and questions to other servers."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import trio
from attrs import field, frozen

from llcphone import settings
from llcphone.config import Config
from llcphone.doctor.report import Finding
from llcphone.errors import ConfigError
from llcphone.telemetry.redaction import Mask, secrets_of

if TYPE_CHECKING:
    import ssl

ASK_S = 8.0
"""Longest wait for one answer from outside."""

STATUS_PAGES = MappingProxyType(
    {
        "OpenAI": "https://status.openai.com/api/v2/summary.json",
        "Twilio": "https://status.twilio.com/api/v2/summary.json",
    }
)
NOT_TRUSTED = "its certificate is not trusted"
INSTALL_CERTIFICATES = (
    "install certificates on this machine (the package ca-certificates; on macOS Python's own command); "
    "for an authority of your own set SSL_CERT_FILE, for the model wire.ca_file; see that the clock is right"
)


@frozen(kw_only=True)
class DoctorContext:
    """One deployment, as this command sees it."""

    config: Config = field(factory=Config)
    """The settings; the defaults when they cannot be read."""
    trouble: ConfigError | None = None
    """Why they cannot be read."""
    path: Path = Path("llcphone.toml")
    agent: Path | None = None
    live: bool = False
    """Whether it may cost money."""
    environ: Mapping[str, str] = field(factory=lambda: os.environ)
    origin: Mapping[str, str] = field(factory=dict)
    """Where each setting came from."""
    now: Callable[[], float] = time.time
    status_pages: Mapping[str, str] = STATUS_PAGES
    loaded: dict[str, Any] = field(factory=dict, repr=False)
    """What several checks need, and only one loads."""

    def conceal(self, text: str) -> str:
        """Take secrets and telephone numbers out of a text."""
        return Mask(secrets_of(self.config)).evidence(text)


def context_of(path: Path | None, agent: Path | None = None, *, live: bool = False) -> DoctorContext:
    """What the files and the environment say; settings that cannot be read are a finding, not an error."""
    where = path or settings.DEFAULT_FILE
    try:
        loaded = settings.load(path)
        return DoctorContext(config=loaded.config, origin=loaded.origin, path=where, agent=agent, live=live)
    except ConfigError as exc:
        return DoctorContext(config=Config(), trouble=exc, path=where, agent=agent, live=live)


Check = Callable[[DoctorContext], Awaitable[list[Finding]]]


@frozen
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str
    json: Any
    """None when it is none."""


async def ask(url: str, *, headers: Mapping[str, str] | None = None, auth: Any = None) -> Answer | str:
    """GET one page; a few words say why there is no answer. Nothing is followed, no proxy is used."""
    with trio.move_on_after(ASK_S):
        try:
            async with httpx.AsyncClient(
                trust_env=False, timeout=ASK_S, auth=auth, verify=_trusted()
            ) as client:
                answer = await client.get(url, headers=dict(headers or {}))
        except httpx.ConnectError as exc:
            return _why(exc)
        except httpx.HTTPError as exc:
            return f"no answer ({type(exc).__name__})"
        except (httpx.InvalidURL, UnicodeError):
            return "no address"
        try:
            content = answer.json()
        except ValueError:
            content = None
        return Answer(answer.status_code, answer.headers, answer.text[:2000], content)
    return f"no answer within {ASK_S:.0f} s"


@cache
def _trusted() -> ssl.SSLContext:
    """What a client trusts by default, read once."""
    return httpx.create_ssl_context(trust_env=False)


def _why(exc: BaseException) -> str:
    text = str(exc).lower()
    for sign, words in (
        ("certificate", NOT_TRUSTED),
        ("ssl", "no TLS there"),
        ("getaddrinfo", "its host is not known"),
        ("name or service", "its host is not known"),
        ("no address", "its host is not known"),
    ):
        if sign in text:
            return words
    return "no connection"


def plain(url: str) -> str:
    """A URL fit to be shown: no user, no query."""
    parts = urlsplit(url)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
