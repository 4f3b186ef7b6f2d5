"""Who uses the console, and what they may do.

    key       configured, or made for this process. It never travels: links are signed with it
    code      in a link, `#in=<code>`: a time, a number used once, and a MAC over both. It is good once, and
              for two minutes
    token     what a browser gets for a code, and sends as `Authorization: Bearer`. Kept here as a hash
    ticket    lets one WebSocket in, as browsers send no Authorization with those: good once, for 30 s

There is no cookie: cookies ignore ports, so every server of this machine could read it, and every page could
make the browser send it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import secrets
import struct
import time
from typing import TYPE_CHECKING, Literal

import attrs
import trio

from llcphone.validation.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.config.console import ConsoleConfig

CODE_S = 120
"""How long a link is good for."""
EARLY_S = 30
"""How far the clock of the machine that made a link may be ahead."""
IDLE_S = 12 * 3600.0
"""A token is forgotten when it was not used for so long."""
SESSIONS = 32
"""Tokens; one more, and the one that was not used for longest is forgotten."""
TICKET_S = 30.0
TICKETS = 64
BAD_CODES = 10
"""Wrong codes in a minute; beyond, they are not even answered with a reason."""
REVEALED_S = 60
"""How long something that was revealed stays so."""

Purpose = Literal["live", "line"]
What = Literal["words", "numbers", "audio"]

_MAC_BYTES = 32
_STAMP = struct.Struct("!Q16s")
_CODES_KEPT = 1_000


def new_key() -> str:
    """A key for a process that has none configured."""
    return secrets.token_urlsafe(32)


def make_code(key: str, now_s: float) -> str:
    """The code of a link; whoever has the key can make one."""
    stamp = _STAMP.pack(int(now_s), secrets.token_bytes(16))
    return base64.urlsafe_b64encode(stamp + _mac(key, stamp)).rstrip(b"=").decode()


def link(origin: str, key: str) -> str:
    """A link to the console. The code is in the fragment, which browsers send to nobody."""
    return f"{origin}/#in={make_code(key, time.time())}"


def _mac(key: str, stamp: bytes) -> bytes:
    return hmac.digest(key.encode(), b"llcphone console\0" + stamp, "sha256")


@attrs.define(eq=False)
class Session:
    """A browser that has signed in."""

    act: bool
    """It may act; else it may only look."""
    phone: bool
    """It may call with the browser as telephone."""
    config: ConsoleConfig
    id: str = attrs.field(factory=lambda: secrets.token_hex(4))
    """For log lines."""
    used_s: float = attrs.field(factory=trio.current_time)
    _revealed: BoundedDict[tuple[str, What], float] = attrs.field(factory=lambda: BoundedDict(100))

    def reveal(self, call_id: str, what: What) -> None:
        """Show this of a call from now on for `REVEALED_S`; the caller has logged who does so."""
        self._revealed[call_id, what] = trio.current_time() + REVEALED_S

    def revealed(self, call_id: str, what: What) -> bool:
        """Whether this session sees the words, numbers or audio of a call now."""
        if (mode := getattr(self.config, what)) != "ask":
            return bool(mode == "show")
        return self._revealed.get((call_id, what), -math.inf) > trio.current_time()


class Access:
    """All sessions of one console."""

    def __init__(self, config: ConsoleConfig, key: str, clock: Callable[[], float] = time.time) -> None:
        """``key`` is the one that acts, configured or made; ``clock`` is what links are dated by."""
        self._config = config
        self._keys = {key: config.act}
        if config.read_key:
            self._keys[config.read_key] = False
        self._clock = clock
        self._used: BoundedDict[bytes, int] = BoundedDict(_CODES_KEPT)
        self._bad_s: list[float] = []
        self._sessions: BoundedDict[bytes, Session] = BoundedDict(SESSIONS)
        self._tickets: BoundedDict[str, tuple[Purpose, Session, float]] = BoundedDict(TICKETS)

    def enter(self, code: str) -> tuple[str, Session] | None:
        """Sign in with a code; its token, or None: it is wrong, old, or was used."""
        if (act := self._spend(code)) is None:
            return None
        token = secrets.token_urlsafe(32)
        session = Session(act, act and self._config.phone, self._config)
        self._sessions[_hash(token)] = session
        return token, session

    def is_guessed(self) -> bool:
        """Count a wrong code; whether there were too many of late."""
        now = trio.current_time()
        self._bad_s = [at for at in self._bad_s if at > now - 60][-BAD_CODES:]
        self._bad_s.append(now)
        return len(self._bad_s) > BAD_CODES

    def session(self, token: str) -> Session | None:
        """Whose token this is."""
        hashed, now = _hash(token), trio.current_time()
        if (session := self._sessions.get(hashed)) is None:
            return None
        if session.used_s < now - IDLE_S:
            del self._sessions[hashed]
            return None
        session.used_s = now
        self._sessions[hashed] = session  # the last to be forgotten
        return session

    def make_ticket(self, session: Session, purpose: Purpose) -> str:
        """What lets one WebSocket of this session in."""
        ticket = secrets.token_urlsafe(32)
        self._tickets[ticket] = purpose, session, trio.current_time() + TICKET_S
        return ticket

    def take_ticket(self, ticket: str, purpose: str) -> Session | None:
        """Whose ticket this is; it is spent, whatever it was for."""
        made_for, session, until_s = self._tickets.pop(ticket, ("", None, 0.0))
        return session if made_for == purpose and trio.current_time() < until_s else None

    def _spend(self, code: str) -> bool | None:
        """Whether who has this code may act; None: it is no good."""
        try:
            raw = base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)
            stamp, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
            made_s, nonce = _STAMP.unpack(stamp)
        except (ValueError, binascii.Error, struct.error):
            return None
        # every key is compared, so that the time tells nothing
        fits = [act for key, act in self._keys.items() if hmac.compare_digest(_mac(key, stamp), mac)]
        age_s = self._clock() - made_s
        if not fits or not -EARLY_S <= age_s < CODE_S or nonce in self._used:
            return None
        self._used[nonce] = made_s
        return fits[0]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
