"""The model's endpoint: how it is dialled, and whether it gives sessions.

``Endpoint.dial`` opens one model leg in one dialect; the leg comes with a codec of its own. ``Endpoint.ask``
is the question a phone asks in the background at its start: reachable, accepted, in which dialect? On the
same session it then asks for every agent's own settings, so that what a caller's session would be refused
for is known before there is a caller. It costs no tokens; GPT-Live bills the second that each session lasts.

A configuration may have several endpoints (``Config.endpoints``). Each has a number, its own settings, its
own dialect and its own health.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio

from llcphone.agent import Agent
from llcphone.call.codec import codec_of, events_in, live_codec
from llcphone.call.core import MOST_BAD_IN_ROW
from llcphone.call.live_session import live_session_fields
from llcphone.call.model_address import tls_context, with_model
from llcphone.call.model_leg import NO_SESSION, failure_word, say_bye
from llcphone.call.session_settings import safety_identifier, session_fields
from llcphone.call.session_source import DialectMemory, OpenLeg, UnsupportedMemory
from llcphone.call.setup import plan_call
from llcphone.errors import LegClosed, RemoteProtocolError
from llcphone.realtime import events as model_events
from llcphone.realtime.dialects import Dialect, connect_headers
from llcphone.realtime.error_codes import is_dialect_refusal
from llcphone.realtime.messages import UpdateSession
from llcphone.realtime.profiles import key_header, known_dialect, profile_of
from llcphone.realtime.session import confirms_ulaw
from llcphone.realtime.unsupported import setting_not_understood, without
from llcphone.runtime.containment import contained
from llcphone.runtime.log_lines import logger
from llcphone.wire.adapters import connect_trio_websocket
from llcphone.wire.websocket import connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from llcphone.config import Config
    from llcphone.wire.leg import Leg, Spawn

    Wish = tuple[str, Mapping[str, Any]]
    """An agent's name, and settings that its sessions are asked for."""

E = TypeVar("E", bound=Exception)
T = TypeVar("T")

log = logger("llcphone.model")

NOT_ASKED = "not asked yet"
_DIAL_S = 10.0
"""No dial is longer; the engine's deadlines are usually shorter and cancel it."""

_SPEAKS_GA = "speaks ga"
_NOT_ULAW = "audio_format"

_ASK_S = 10.0
_ASK_AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)


class Endpoint:
    """One endpoint of the model as configured."""

    def __init__(self, config: Config, agents: Iterable[Agent] = (), number: int = 0) -> None:
        """Take the settings, the agents to ask for, and which of ``config.endpoints`` it is."""
        self.number = number
        self._config = config
        self._realtime = realtime = config.endpoints[number]
        live = realtime.protocol == "live"  # GPT-Live takes the model in the opening message
        self._url = realtime.url if live else with_model(realtime.url, realtime.model)
        self._tls = tls_context(config) if realtime.url.startswith("wss:") else None
        self.dialects = DialectMemory(known_dialect(realtime))
        self.unsupported = UnsupportedMemory(profile_of(realtime).unsupported)
        self.trouble: str | None = NOT_ASKED
        """Why no session can be opened; None when one could be."""
        self.refused: dict[str, str] = {}
        """Agents whose settings no session takes, and why."""
        self._wishes: list[Wish] = []
        self.ask_for(agents)
        self.accepted = trio.Event()
        """Set once a session was accepted and confirmed."""

    def ask_for(self, agents: Iterable[Agent]) -> None:
        """Let ``keep_asking`` ask for the settings of these agents instead."""
        self._wishes = [wish for agent in agents for wish in wishes_of(self._config, agent, self.number)]
        self.refused = {}

    async def dial(self, dialect: Dialect, spawn: Spawn, *, caller: str = "") -> OpenLeg:
        """Open a model leg; raises what ``wire.websocket.connect`` raises."""
        leg = await self._connect(dialect, spawn, caller)
        codec = live_codec(self._config.live) if dialect is Dialect.LIVE else codec_of(dialect)
        return OpenLeg(leg, codec, self.unsupported)

    async def _connect(self, dialect: Dialect, spawn: Spawn, caller: str) -> Leg:
        headers = self._headers(dialect, caller)
        if self._config.wire.model == "trio-websocket":
            return await connect_trio_websocket(
                self._url,
                headers=headers,
                tls=self._tls,
                timeout_s=_DIAL_S,
                spawn=spawn,
            )
        return await connect(self._url, headers=headers, tls=self._tls, timeout_s=_DIAL_S)

    async def keep_asking(self) -> None:
        """Ask until all is well; a task that needs the dialect meanwhile waits for this one."""
        attempt = 0
        while True:
            await self.dialects.resolve()  # a call may have begun to ask before us
            with self.dialects.asking():
                self.trouble = await self.ask(self._wishes)
            if self.trouble is not None:
                log.warning("no model session yet", extra={"trouble": self.trouble})
            elif not self.refused:
                return
            await trio.sleep(_ASK_AGAIN_S[min(attempt, len(_ASK_AGAIN_S) - 1)])
            attempt += 1

    async def ask(self, wishes: Sequence[Wish] = ()) -> str | None:
        """None when a session was accepted and confirmed, else what is in the way, in a word.

        What the endpoint refuses of later updates to an accepted session is in ``refused``.
        """
        dialect = self.dialects.answer or Dialect.FLAT
        trouble = await self._ask(dialect, wishes)
        if trouble in (_SPEAKS_GA, _NOT_ULAW) and dialect is Dialect.FLAT:
            if known_dialect(self._realtime) is not None:
                return trouble
            if trouble == _SPEAKS_GA:
                self.dialects.remember(Dialect.GA)
            self.unsupported.names = profile_of(self._realtime).unsupported  # that was of the other dialect
            trouble = await self._ask(Dialect.GA, wishes)
        return trouble

    async def _ask(self, dialect: Dialect, wishes: Sequence[Wish]) -> str | None:
        trouble = await self._ask_once(dialect, wishes)
        if dialect is Dialect.LIVE and trouble is None:
            refused: dict[str, str] = {}
            for agent in dict.fromkeys(name for name, _ in wishes):
                refused |= await self._ask_for_one(agent, [each for each in wishes if each[0] == agent])
            self._note_refused(refused)
        return trouble

    async def _ask_for_one(self, agent: str, wishes: Sequence[Wish]) -> dict[str, str]:
        """GPT-Live takes a session's settings once, so an agent is asked for on a session of its own."""
        try:
            return await self.visit(Dialect.LIVE, partial(_refused, wishes=wishes), within_s=_ASK_S)
        except NO_SESSION as exc:
            return {agent: failure_word(exc)}

    async def _ask_once(self, dialect: Dialect, wishes: Sequence[Wish]) -> str | None:
        talk = partial(self._configure, wishes=wishes)
        with contained() as failure:
            return await self.visit(dialect, talk, within_s=_ASK_S + len(wishes))
        if isinstance(failure.error, NO_SESSION):
            return failure_word(failure.error)
        log.error("asking for a session failed", extra={"errors": failure.kinds})
        return "fault"

    async def visit(self, dialect: Dialect, talk: Callable[[OpenLeg], Awaitable[T]], *, within_s: float) -> T:
        """Open a session that belongs to no call, talk with it, and close it whatever happens.

        Raises:
            one of ``NO_SESSION``: there was none, or it ended; ``failure_word`` says why.
        """
        failure: Exception | None = None
        with trio.fail_after(within_s):
            try:
                async with trio.open_nursery() as nursery:
                    opened = await self.dial(dialect, nursery.start_soon)
                    try:
                        opened.leg.attach(nursery.start_soon, lambda end: None)
                        answer = await talk(opened)
                    finally:
                        with trio.move_on_after(1.0, shield=True):
                            await say_bye(opened)
                            await opened.leg.aclose()
                        opened.leg.abort()
                        nursery.cancel_scope.cancel(reason="asked")
            except* NO_SESSION as group:
                failure = _first(group)
        if failure is not None:
            raise failure
        return answer

    async def _configure(self, opened: OpenLeg, wishes: Sequence[Wish]) -> str | None:
        dialect = opened.codec.dialect
        realtime = self._realtime
        if dialect is Dialect.LIVE:
            fields = live_session_fields(self._config.at(self.number), Agent())
        else:
            fields = session_fields(realtime, instructions="", tools=[], eagerness=realtime.eagerness)
        answer = await configure(opened, UpdateSession(fields, "question"))
        if isinstance(answer, model_events.ModelError):
            speaks_ga = dialect is Dialect.FLAT and is_dialect_refusal(answer)
            return _SPEAKS_GA if speaks_ga else answer.code or "error"
        if not confirms_ulaw(answer):
            return _NOT_ULAW
        self.dialects.remember(dialect)
        if not self.accepted.is_set():
            self.accepted.set()
            log.info("model session accepted", extra={"dialect": self._known()})
        if wishes and dialect is not Dialect.LIVE:
            self._note_refused(await _refused(opened, wishes))
        return None

    def _note_refused(self, refused: dict[str, str]) -> None:
        for agent, why in refused.items():
            if self.refused.get(agent) != why:
                log.error("an agent's settings are refused", extra={"agent": agent, "trouble": why})
        self.refused = refused

    def _headers(self, dialect: Dialect, caller: str) -> list[tuple[str, str]]:
        realtime = self._realtime
        headers = list(connect_headers(dialect))
        if key_header(realtime) == "api-key":
            headers.append(("api-key", realtime.api_key))
        elif realtime.api_key:
            headers.append(("Authorization", f"Bearer {realtime.api_key}"))
        if realtime.organization:
            headers.append(("OpenAI-Organization", realtime.organization))
        if realtime.project:
            headers.append(("OpenAI-Project", realtime.project))
        if dialect is not Dialect.LIVE and (safety := safety_identifier(realtime, caller)):
            headers.append(("OpenAI-Safety-Identifier", safety))
        return headers

    def _known(self) -> str:
        return self.dialects.answer.value if self.dialects.answer is not None else "unknown"


async def _refused(opened: OpenLeg, wishes: Sequence[Wish]) -> dict[str, str]:
    """Whose settings a session refuses, and why.

    They are asked for in turn, on one session: nothing was said, so even the voice may change.
    """
    refused: dict[str, str] = {}
    for agent, fields in wishes:
        try:
            answer = await configure(opened, UpdateSession(fields, "question"))
        except (LegClosed, RemoteProtocolError) as exc:
            refused.setdefault(agent, failure_word(exc))
            break
        if isinstance(answer, model_events.ModelError):
            where = f" at {answer.param}" if answer.param else ""
            refused.setdefault(agent, (answer.code or "error") + where)
    return refused


def wishes_of(config: Config, agent: Agent, endpoint: int = 0) -> list[Wish]:
    """What an agent's session at this endpoint is asked for: opening settings, and each later update."""
    plan = plan_call(config, agent)
    opening = plan.endpoints[endpoint].session
    return [(agent.name, opening), *((agent.name, update.session) for update in plan.schedule)]


async def configure(
    opened: OpenLeg, update: UpdateSession
) -> model_events.SessionUpdated | model_events.ModelError:
    """Send a leg's first update; returns the server's answer. Bounded by its caller.

    A setting that the endpoint does not know, and a session can do without, is remembered and left out.

    Raises:
        LegClosed: the leg ended before there was one.
        RemoteProtocolError: nothing that came can be read.
    """
    while True:
        sent = without(update.session, opened.unsupported.names)
        answer = await _answer(opened, attrs.evolve(update, session=sent))
        if not isinstance(answer, model_events.ModelError):
            return answer
        name = setting_not_understood(answer, sent)
        if not name or (opened.codec.dialect is Dialect.FLAT and is_dialect_refusal(answer)):
            return answer
        opened.unsupported.remember(name)


async def _answer(
    opened: OpenLeg, update: UpdateSession
) -> model_events.SessionUpdated | model_events.ModelError:
    leg, codec = opened.leg, opened.codec
    if (payload := codec.encode(update)) is not None:
        leg.send_nowait(payload)
    unreadable = 0
    while True:
        for message in await leg.receive():
            try:
                event = codec.decode(message)
            except RemoteProtocolError:
                unreadable += 1
                if unreadable >= MOST_BAD_IN_ROW:
                    raise
                continue
            unreadable = 0
            for each in events_in(event):
                if isinstance(each, model_events.SessionUpdated | model_events.ModelError):
                    return each


def _first(group: ExceptionGroup[E]) -> E:
    exc = group.exceptions[0]
    return _first(exc) if isinstance(exc, ExceptionGroup) else exc
