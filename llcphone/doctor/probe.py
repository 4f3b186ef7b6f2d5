"""A session that is opened for doctor as a call opens it, and what the endpoint said to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import trio
from attrs import frozen

from llcphone.audio import silence_payload
from llcphone.call.codec import events_in
from llcphone.call.endpoint import Endpoint, configure, wishes_of
from llcphone.call.model_leg import NO_SESSION, failure_word
from llcphone.realtime import events as model_events
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.error_codes import is_dialect_refusal
from llcphone.realtime.messages import (
    AppendAudio,
    CancelResponse,
    ClearInput,
    CreateResponse,
    DeleteItem,
    Speak,
    Truncate,
    UpdateSession,
)
from llcphone.realtime.profiles import known_dialect, profile_of
from llcphone.realtime.session import confirms_ulaw
from llcphone.realtime.unsupported import not_understood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.agent import Agent
    from llcphone.call.session_source import OpenLeg
    from llcphone.config import Config
    from llcphone.realtime.messages import ModelMessage

PROBE_S = 12.0
_EVENTS_S = 1.0
_NOTHING = "item_llcphone_doctor"
"""An item that no conversation has."""
_KNOWN_WHOLE = ("openai", "azure")
"""Profiles of endpoints that know every event."""
_FEED_MS = 100
"""GPT-Live speaks only while it receives audio: this much at a time."""

_GA_KEYS = frozenset({"session.type", "session.audio", "session.output_modalities"})
"""Keys that only the GA dialect has: an endpoint that rejects them speaks flat."""


@frozen(kw_only=True)
class Probe:
    """How opening a session went, in one dialect."""

    dialect: Dialect
    code: str = ""
    """Why it was not accepted; "" when it was."""
    param: str = ""
    agent: str = ""
    """Whose settings were refused."""
    speaks_other: bool = False
    """It is the dialect that is refused."""
    connect_ms: float = 0.0
    update_ms: float = 0.0
    answer_ms: float | None = None
    """With ``--live``: from asking to the whole of a short text."""
    answer_code: str = ""
    """Why there was none."""
    unsupported: frozenset[str] = frozenset()
    """What the endpoint does not understand (``realtime.unsupported``)."""


async def ask_endpoint(config: Config, agents: Sequence[Agent], *, live: bool = False) -> list[Probe]:
    """Open a session as a call does: flat first where that is open, GA if flat is refused."""
    known = known_dialect(config.realtime)
    if known is Dialect.LIVE:
        return [await _probe_each(config, agents, live=live)]
    probes = [await _probe(config, agents, known or Dialect.FLAT, live=live)]
    if known is None and (probes[0].speaks_other or probes[0].code == "audio_format"):
        probes.append(await _probe(config, agents, Dialect.GA, live=live))
    return probes


async def _probe(config: Config, agents: Sequence[Agent], dialect: Dialect, *, live: bool) -> Probe:
    began_s = trio.current_time()

    async def talk(opened: OpenLeg) -> Probe:
        connect_ms = (trio.current_time() - began_s) * 1000
        found = await _configured(opened, config, agents)
        found = attrs.evolve(found, connect_ms=connect_ms)
        if live and not found.code:
            found = await _answered(found, opened)
        if not found.code and profile_of(config.realtime).name not in _KNOWN_WHOLE:
            await _try_events(opened)
        return attrs.evolve(found, unsupported=opened.unsupported.names)

    try:
        return await Endpoint(config).visit(dialect, talk, within_s=PROBE_S)
    except NO_SESSION as exc:
        return Probe(dialect=dialect, code=failure_word(exc))


async def _probe_each(config: Config, agents: Sequence[Agent], *, live: bool) -> Probe:
    """GPT-Live takes a session's settings once: a session for each agent, up to the first that is refused."""
    probes: list[Probe] = []
    for agent in agents:
        first = not probes
        probes.append(await _probe(config, [agent], Dialect.LIVE, live=live and first))
        if probes[-1].code:
            return probes[-1]
    return probes[0]


async def _configured(opened: OpenLeg, config: Config, agents: Sequence[Agent]) -> Probe:
    """Each agent's settings in turn, on one session: nothing was said yet, so even the voice may change."""
    first_ms, dialect = 0.0, opened.codec.dialect
    for name, fields in [wish for agent in agents for wish in wishes_of(config, agent)]:
        began_s = trio.current_time()
        answer = await configure(opened, UpdateSession(fields, "doctor"))
        first_ms = first_ms or (trio.current_time() - began_s) * 1000
        if isinstance(answer, model_events.ModelError):
            other = _speaks_other(answer, dialect)
            return Probe(
                dialect=dialect, code=answer.code, param=answer.param, agent=name, speaks_other=other
            )
        if not confirms_ulaw(answer):
            return Probe(dialect=dialect, code="audio_format", agent=name)
    return Probe(dialect=dialect, update_ms=first_ms)


async def _try_events(opened: OpenLeg) -> None:
    """Send the events that some servers lack, about no item that is there; learn which are not known."""
    leg, codec = opened.leg, opened.codec
    tries: list[ModelMessage] = [Truncate(_NOTHING, 0), DeleteItem(_NOTHING), CancelResponse(), ClearInput()]
    for message in tries:
        if (data := codec.encode(message)) is not None:
            leg.send_nowait(data)
    answers = 0
    with trio.move_on_after(_EVENTS_S):
        while answers < len(tries):
            for each in await leg.receive():
                for event in events_in(codec.decode(each)):
                    answers += isinstance(event, model_events.ModelError | model_events.UnknownModelEvent)
                    if isinstance(event, model_events.ModelError) and (name := not_understood(event)):
                        opened.unsupported.remember(name)


def _speaks_other(error: model_events.ModelError, dialect: Dialect) -> bool:
    if dialect is Dialect.FLAT:
        return is_dialect_refusal(error)
    return error.code in ("unknown_parameter", "invalid_value") and error.param in _GA_KEYS


async def _answered(probe: Probe, opened: OpenLeg) -> Probe:
    """The same, and how long a short text took, or why none came."""
    began_s, codec = trio.current_time(), opened.codec
    live = codec.dialect is Dialect.LIVE
    _send(opened, Speak("Say hello.", "doctor") if live else CreateResponse("doctor", priming=True))
    while True:
        messages: list[bytes] = []
        with trio.move_on_after(_FEED_MS / 1000 if live else math.inf):
            messages = await opened.leg.receive()
        for event in [event for message in messages for event in events_in(codec.decode(message))]:
            match event:
                case model_events.ResponseDone(status=model_events.ResponseStatus.FAILED, error_code=code):
                    return attrs.evolve(probe, answer_code=code or "failed")
                case model_events.ResponseDone() | model_events.AudioDelta(quiet=False):
                    return attrs.evolve(probe, answer_ms=(trio.current_time() - began_s) * 1000)
                case model_events.ModelError(code=code):
                    return attrs.evolve(probe, answer_code=code or "error")
        if live and not messages:
            _send(opened, AppendAudio(silence_payload(_FEED_MS)))


def _send(opened: OpenLeg, message: ModelMessage) -> None:
    if (payload := opened.codec.encode(message)) is not None:
        opened.leg.send_nowait(payload)
