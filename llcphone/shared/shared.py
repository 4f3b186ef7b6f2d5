"""What a process asks the others, by way of the database: from Trio, with a deadline for every question.

A question is one transaction. Without an answer, outbound calls and text messages are refused, as a limit
that cannot be known cannot be kept; an inbound call is let in up to this process' share, as its caller rings
already.
"""

from __future__ import annotations

import hmac
import math
import secrets
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from llcphone.errors import ConfigError, DialRefused, StoreUnavailable
from llcphone.runtime.containment import contained
from llcphone.runtime.host import PROCESS
from llcphone.runtime.log_lines import logger
from llcphone.shared import nodes, pace, places, requests, sent
from llcphone.shared.beat import Beat
from llcphone.shared.node_url import node_url
from llcphone.shared.nodes import SILENT_S, Node, owner_of
from llcphone.shared.places import Place
from llcphone.shared.tables import COUNTING, CREATES, REDIRECTS, VERSIONED
from llcphone.shared.tidy import too_old
from llcphone.store.database import Database
from llcphone.store.retention import keep_tidy
from llcphone.store.versions import lock
from llcphone.validation.phone_numbers import identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from sqlalchemy import Connection

    from llcphone.config import Config
    from llcphone.shared.nodes import SeenNode
    from llcphone.shared.requests import Request

log = logger("llcphone.shared")

_KEY = "shared.url"
_TIMEOUT_S = 2.0
"""Longest question; a caller or a client waits for it."""
_IDLE_S = 2.0
"""A process that died inside a transaction keeps the others from counting for no longer."""
_THREADS = 4
_ANSWER_S = 2.0
"""How long a request waits for the answer to one with the same key that another process has just got."""
_LOOK_S = 0.1
_LEAVE_S = 2.0
REDIRECTS_PER_S = 10
"""Over all processes: Twilio's REST API refuses who asks too much, and each brings a model session."""


class Shared:
    """The limits of all processes, as one of them meets them."""

    def __init__(self, place: Database, node: Node, config: Config) -> None:
        self.beat = Beat(place, node)
        self.max_calls = config.shared.max_calls
        self._place = place
        self._secret = config.twilio.auth_token.encode()
        self._calls = sent.calls_of(config.outbound, config.shared.max_calls)
        self._texts = sent.texts_of(config.outbound)
        self._interval_s = 1 / config.outbound.calls_per_second

    # -- calls and text messages -------------------------------------------------------------------

    async def take_place(self, id_: str) -> bool:
        """Whether there is a place for an inbound call; it is taken then. Without an answer, our share."""
        place = Place(id_)
        take = partial(places.take, place=place, life=self.beat.node.life, most=self.max_calls)
        try:
            with self._or_release(id_):
                taken = await self._place.ask(take)
        except StoreUnavailable:
            taken = self.beat.look()[0] < math.ceil(self.max_calls / self.beat.alive)
            if taken:
                self.beat.hold(place)
        else:
            if taken:
                self.beat.held(place)
        return taken

    async def admit_call(self, call_id: str, to: str) -> None:
        """Let an outbound call be placed, and count it.

        Raises:
            DialRefused: it may not.
            StoreUnavailable: that is not known.
        """
        with self._or_release(call_id):
            await self._admit(self._calls, to, call_id)
        self.beat.held(Place(call_id, outbound=True))

    async def admit_text(self, to: str) -> None:
        """Let a text message be sent to a caller, and count it.

        Raises:
            DialRefused, StoreUnavailable: as `admit_call`.
        """
        await self._admit(self._texts, to)

    @contextmanager
    def _or_release(self, id_: str) -> Iterator[None]:
        """Whoever gets no answer has no place, even if one was taken at the last moment."""
        try:
            yield
        except DialRefused:
            raise
        except BaseException:
            self.beat.release(id_)
            raise

    async def _admit(self, kind: sent.Kind, to: str, call_id: str | None = None) -> None:
        number = identity(to)
        hashed = hmac.digest(self._secret, number.encode(), "sha256").hex()
        life = self.beat.node.life
        await self._place.ask(
            lambda db: sent.admit(db, kind, number=number, hashed=hashed, life=life, call_id=call_id)
        )

    async def turn(self) -> None:
        """Wait until a create may be sent, at the pace of all.

        Raises:
            StoreUnavailable: that is not known.
        """
        await self._turn(CREATES, self._interval_s)

    async def redirect_turn(self) -> None:
        """Wait until a call of a lost node may be redirected.

        Raises:
            StoreUnavailable: that is not known.
        """
        await self._turn(REDIRECTS, 1 / REDIRECTS_PER_S)

    async def _turn(self, what: str, interval_s: float) -> None:
        take_turn = partial(pace.take_turn, what=what, interval_s=interval_s)
        await trio.sleep(await self._place.ask(take_turn))

    # -- requests of the API -----------------------------------------------------------------------

    async def claim(self, key: str, fingerprint: str) -> Request | None:
        """Make a request under this key, unless it was made already; None: it is ours to do.

        What another process is about to answer is waited for, a little.

        Raises:
            StoreUnavailable: it is not known.
        """
        found = await self._place.ask(partial(requests.claim, key=key, fingerprint=fingerprint))
        until = trio.current_time() + _ANSWER_S
        while found is not None and not found.answer and trio.current_time() < until:
            await trio.sleep(_LOOK_S)
            found = await self._place.ask(partial(requests.known, key=key)) or found
        return found

    async def answered(self, key: str, call: str, answer: str) -> None:
        """What came of a request that was ours; what cannot be written is logged."""
        await self._tell(partial(requests.answered, key=key, call=call, answer=answer))

    async def forget(self, key: str) -> None:
        """A request that was ours was refused."""
        await self._tell(partial(requests.forget, key=key))

    async def _tell(self, work: partial[None]) -> None:
        try:
            await self._place.ask(work)
        except StoreUnavailable as exc:
            log.error("what came of an API request is not known to other nodes", extra={"error": exc.why})

    # -- the process ---------------------------------------------------------------------------------

    async def enter(self, *, replaces: bool) -> None:
        """Begin to be there.

        Args:
            replaces: a process of this name runs, and is to be followed by this one.

        Raises:
            ConfigError: another process has this name.
        """
        beats: set[float] = set()
        while True:
            enter = partial(_enter, node=self.beat.node, replaces=replaces)
            try:
                owner = await self._place.ask(enter, patient=True)
            except StoreUnavailable as exc:
                why, fix = f"does not answer ({exc.why})", "set it to a database that answers, and start it"
                raise ConfigError(_KEY, why, fix) from None
            if owner is None:
                return
            beats.add(owner.beat_at)
            if len(beats) > 1:  # it lives
                raise _name_taken(owner)
            await trio.sleep(max(0.2, min(1.0, SILENT_S - owner.silent_s)))

    async def leave(self) -> None:
        """Be there no more; what cannot be written ends with the lease."""
        with contained(), trio.move_on_after(_LEAVE_S, shield=True):
            await self._place.ask(partial(nodes.leave, life=self.beat.node.life), patient=True)


def _enter(db: Connection, *, node: Node, replaces: bool) -> SeenNode | None:
    lock(db, COUNTING)  # of two that begin at once, one sees the other
    owner = owner_of(nodes.seen(db), node)
    if owner is None or replaces:
        nodes.register(db, node)
        return None
    return owner


def _name_taken(owner: SeenNode) -> ConfigError:
    where = f" at {owner.url}" if owner.url else ""
    why = f"{owner.name} is the name of another process{where}, which runs and has {owner.live} calls"
    fix = "give each process a name of its own, or stop the other one; llcphone restart replaces it"
    return ConfigError("server.node", why, fix)


@asynccontextmanager
async def open_shared(
    config: Config, *, version: str, replaces: bool = False
) -> AsyncIterator[Shared | None]:
    """What is shared with other processes; None when nothing is.

    Args:
        config: all settings.
        version: ours, for the table of nodes.
        replaces: a process of this node's name runs, and is to be followed by this one.

    Raises:
        ConfigError: the database cannot be used, or another process has this node's name.
    """
    if not (url := config.shared_url):
        yield None
        return
    place = Database(url, key=_KEY, timeout_s=_TIMEOUT_S, threads=_THREADS, idle_s=_IDLE_S)
    try:
        await place.open(VERSIONED.prepare, make_file=True)
        shared = Shared(place, _node(config, version, await node_url(config)), config)
        await shared.enter(replaces=replaces)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(keep_tidy, too_old, place, name="shared tables tidier")
                try:
                    yield shared
                finally:
                    nursery.cancel_scope.cancel(reason="nothing is shared any more")
        finally:
            await shared.leave()
    finally:
        await place.aclose()


async def nodes_of(config: Config) -> Sequence[SeenNode]:
    """The table of nodes, for whoever looks from outside; nothing is changed.

    Raises:
        ConfigError: nothing is shared, or the database does not answer.
    """
    if not (url := config.shared_url):
        fix = "set it to the database of the nodes, such as sqlite:///shared.db on one machine"
        raise ConfigError(_KEY, "is not set, so there is no table of nodes", fix)
    place = Database(url, key=_KEY, timeout_s=_TIMEOUT_S, threads=1, read_only=True)
    try:
        await place.open(VERSIONED.check)
        return await place.ask(nodes.seen)
    except StoreUnavailable as exc:
        raise ConfigError(_KEY, f"does not answer ({exc.why})", "start the database") from None
    finally:
        await place.aclose()


def _node(config: Config, version: str, url: str) -> Node:
    return Node(
        life=PROCESS + secrets.token_hex(8),
        name=config.server.node,
        url=url,
        capacity=config.server.max_calls,
        version=version,
    )
