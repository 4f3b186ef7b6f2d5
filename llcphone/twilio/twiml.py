"""The TwiML we answer with, built by Twilio's own package.

A caller must never be left on a silent line: whatever follows ``<Connect>`` ends the call or leads
on, for Twilio goes on with the next verb as soon as our media socket closes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from attrs import frozen
from twilio.twiml.voice_response import (  # type: ignore[import-untyped]
    Connect,
    Hangup,
    Pause,
    Redirect,
    Reject,
    Say,
    Start,
    Stream,
    VoiceResponse,
)

from llcphone.config.addresses import is_loopback_host
from llcphone.errors import ConfigError

_WEBSOCKET = {"https": "wss", "http": "ws"}


@frozen
class Speech:
    """How Twilio reads texts to people: every ``<Say>`` comes from here."""

    language: str = ""
    """A language tag; empty: Twilio's own."""
    voice: str = ""
    """Empty: the usual one of the language."""

    def say(self, text: str) -> Say:
        """A ``<Say>``."""
        return Say(text, language=self.language or None, voice=self.voice or None)


PLAIN = Speech()


@frozen
class Recorded:
    """A call that is recorded from here on."""

    notice: str
    """Said before anything else."""
    callback: str = ""
    """Asked when Twilio's recording is ready; empty: we record, not Twilio."""
    speech: Speech = PLAIN


def document(*verbs: Any) -> str:
    """A document of these verbs; without any, the call ends."""
    response = VoiceResponse()
    for verb in verbs:
        response.append(verb)
    return str(response)


def connect_stream(stream_url: str, *, action: str | None = None, recorded: Recorded | None = None) -> str:
    """Join the call to our media socket; when that closes, ask ``action`` what next, or hang up.

    Args:
        stream_url: from ``stream_url``; Twilio takes no query string there.
        action: absolute URL that Twilio POSTs to when the stream has ended.
        recorded: say first that the call is recorded, and let Twilio record it if it is to.
    """
    connect = Connect(action=action, method="POST") if action else Connect()
    connect.append(Stream(url=stream_url))
    if recorded is None:
        return document(connect, Hangup())
    notice = recorded.speech.say(recorded.notice)
    if not recorded.callback:
        return document(notice, connect, Hangup())
    start = Start()
    start.recording(
        channels="dual",
        recording_status_callback=recorded.callback,
        recording_status_callback_method="POST",
        recording_status_callback_event="completed",
    )
    return document(notice, start, connect, Hangup())


def hang_up() -> str:
    """End the call."""
    return document(Hangup())


def nothing() -> str:
    """An empty document: the call ends, for there is nothing left to do."""
    return document()


def wait(seconds: int) -> str:
    """Stay on the line in silence, then hang up."""
    return document(Pause(length=seconds), Hangup())


def ask_again(url: str, *, after_s: int) -> str:
    """Wait in silence, then ask there what to do."""
    return document(Pause(length=after_s), Redirect(url, method="POST"))


def go_to(url: str) -> str:
    """Let Twilio ask there what to do with the call."""
    return document(Redirect(url, method="POST"))


def busy(message: str | None = None, speech: Speech = PLAIN) -> str:
    """The fallback when we cannot take a call: an apology, or without one a busy tone.

    The busy tone is for inbound calls not yet answered, and costs nothing; words answer the call.
    """
    return document(speech.say(message), Hangup()) if message else document(Reject(reason="busy"))


def stream_url(public_url: str, token: str) -> str:
    """Where Twilio shall open the media socket: the token is in the path, for it drops query strings.

    Raises:
        ConfigError: the public URL is not one that Twilio (or, on loopback, a simulator) can reach.
    """
    return f"{websocket_url(public_url)}/media/{quote(token, safe='')}"


def websocket_url(public_url: str) -> str:
    """The public URL as a WebSocket address: https becomes wss; http, on loopback only, ws."""
    parts = urlsplit(public_url)
    if parts.scheme not in _WEBSOCKET or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(
            "server.public_url",
            "must be an https:// address without a query",
            "write it as https://phone.example.com",
        )
    if parts.scheme == "http" and not is_loopback_host(parts.hostname):
        raise ConfigError(
            "server.public_url",
            "plain http is for loopback only: Twilio opens wss:// streams",
            "use an https:// address",
        )
    return f"{_WEBSOCKET[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}"
