"""The model's session: key, model, dialect, and whether the session configuration is accepted.

A refused ``session.update`` is the silent killer: the socket stays open, and the session runs on other
settings than ours. So a session is opened as a call opens it, with every agent's own first settings and full
tools, and each update must be confirmed. It costs no tokens; ``--live`` asks for one short text besides, or
GPT-Live for a word.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
import trio
from attrs import frozen

from llcphone.agent import Agent
from llcphone.audio import silence_payload
from llcphone.call.codec import events_in
from llcphone.call.endpoint import Endpoint, configure, wishes_of
from llcphone.call.model_leg import NO_SESSION, failure_word
from llcphone.doctor.agents import load_agents
from llcphone.doctor.context import INSTALL_CERTIFICATES, plain
from llcphone.doctor.model import KEY_FIX, judge_model, models_of, told_of
from llcphone.doctor.report import Finding, fail, good, unknown, warn
from llcphone.errors import ConfigError
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
    from collections.abc import Mapping, Sequence

    from llcphone.call.session_source import OpenLeg
    from llcphone.config import Config
    from llcphone.doctor.context import Check, DoctorContext
    from llcphone.realtime.messages import ModelMessage

PROBE_S = 12.0
_EVENTS_S = 1.0
_NOTHING = "item_llcphone_doctor"
"""An item that no conversation has."""
_KNOWN_WHOLE = ("openai", "azure")
"""Profiles of endpoints that know every event."""
_SLOW_MS = 2_000.0
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


async def model(context: DoctorContext) -> list[Finding]:
    """Whether there are such models, and how long."""
    config, today = context.config, datetime.fromtimestamp(context.now(), UTC).date()
    return [judge_model(each, today, await told_of(config, each)) for each in models_of(config)]


async def session(context: DoctorContext) -> list[Finding]:
    """Whether the agents get a session; without them, whether a plain agent does."""
    config, unseen = context.config, []
    try:
        agents = list(load_agents(context).values())
    except ConfigError:
        agents = [Agent("You answer the telephone.", name="a plain agent")]
        fix = "see: llcphone doctor --only settings"
        unseen = [unknown("agents' sessions", "not examined: the agents cannot be loaded", fix)]
    found = await _examined(config, agents, live=context.live)
    for number in range(1, len(config.endpoints)):
        there = await _examined(config.at(number), agents, live=context.live)
        found += [attrs.evolve(each, check=f"elsewhere[{number}] {each.check}") for each in there]
    return [*unseen, *found]


async def _examined(config: Config, agents: Sequence[Agent], *, live: bool) -> list[Finding]:
    """What one endpoint says to a session."""
    try:
        probes = await ask_endpoint(config, agents, live=live)
    except ConfigError as exc:
        return [unknown("session", f"not examined: {exc.key}: {exc.why}", exc.fix)]
    return judge_session(config, probes)


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


def judge_session(config: Config, probes: Sequence[Probe]) -> list[Finding]:
    """Whether calls get a session, and in which dialect."""
    last = probes[-1]
    if last.code:
        return [_refusal(config, last)]
    profile = profile_of(config.realtime).name
    asked = "asked: auto, " if known_dialect(config.realtime) is None else ""
    seen = f"accepted: connected within {last.connect_ms:.0f} ms, confirmed {last.update_ms:.0f} ms later"
    facts = {"connect_ms": round(last.connect_ms), "update_ms": round(last.update_ms)}
    slow = last.connect_ms + last.update_ms > _SLOW_MS
    told = warn("session", f"{seen}: slow", "another network or region; see docs/06-latency-tuning.md")
    findings = [good("dialect", f"{last.dialect.value} ({asked}profile {profile})")]
    findings.append(attrs.evolve(told, facts=facts) if slow else good("session", seen, **facts))
    findings += _left_out(last.unsupported)
    if last.answer_code:
        findings.append(_no_answer(last.answer_code))
    if last.answer_ms is not None:
        what = "the first sound of the voice" if last.dialect is Dialect.LIVE else "a short text"
        took = f"{what} within {last.answer_ms:.0f} ms"
        findings.append(good("answer", took, answer_ms=round(last.answer_ms)))
    return findings


def _left_out(names: frozenset[str]) -> list[Finding]:
    """What the endpoint does not understand: the user's settings among it, and what calls do without."""
    settings = sorted(each.removeprefix("session.") for each in names if each.startswith("session."))
    others = sorted(each for each in names if not each.startswith("session."))
    found = []
    if settings:
        seen = f"the endpoint does not know, so it is not sent: {', '.join(settings)}"
        found.append(warn("settings sent", seen, "unset what is set of it in [realtime]"))
    if others:
        found.append(good("endpoint", f"calls do without what it does not know: {', '.join(others)}"))
    return found


def _no_answer(code: str) -> Finding:
    check, seen, fix = _FIXES.get(
        code, ("answer", "the model fails to answer", "see the vendor's status page")
    )
    return fail(check, f"{seen} [{code}]", fix, code=code)


def _refusal(config: Config, probe: Probe) -> Finding:
    code, dialect = probe.code, probe.dialect.value
    if probe.speaks_other:
        other = "ga" if probe.dialect is Dialect.FLAT else "flat"
        seen = f"the endpoint does not speak {dialect} [{code}]"
        return fail("dialect", seen, f'set realtime.dialect = "auto" (or "{other}")', code=code)
    if code in _FIXES:
        check, seen, fix = _FIXES[code]
        return fail(check, f"{seen} [{code}]", fix, code=code)
    if code in _UNREACHED:
        seen = f"{plain(config.realtime.url)} gives no session: {_UNREACHED[code]} [{code}]"
        fix = "check realtime.url, the network, and the vendor's status page"
        return fail("session", seen, INSTALL_CERTIFICATES if code == "tls" else fix, code=code)
    where = f" at {probe.param}" if probe.param else ""
    whose = f", with the settings of agent {probe.agent}" if probe.agent else ""
    seen = f"the session is refused in the {dialect} dialect{whose}: {code}{where}"
    return fail("session", seen, _setting_to_fix(probe.param), code=code, param=probe.param)


def _setting_to_fix(param: str) -> str:
    """Which of our settings the vendor's parameter is."""
    for word, fix in (
        ("delegation.responses.model", "set live.backend_model to a current one"),
        ("reasoning", "unset live.backend_effort, or set one that the backend's model has"),
        ("tools", "fix that tool's signature or schema in the agent module"),
        ("voice", "set realtime.voice to one the model has, such as cedar or marin"),
        ("instructions", "shorten or fix the agent's instructions"),
        ("turn_detection", "set realtime.turn_detection and realtime.eagerness back to their defaults"),
        ("transcription", "set realtime.transcription_model to another one, or unset it"),
        ("noise_reduction", "unset realtime.noise_reduction"),
        ("model", "set realtime.model to a current one"),
    ):
        if word in param:
            return f"{fix}; or llcphone snapshot restore <name>"
    return "set [realtime] back to what worked: llcphone snapshot diff, llcphone snapshot restore <name>"


_FIXES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "invalid_api_key": ("key", "the key is refused", KEY_FIX),
        "invalid_request_error": ("key", "the key is missing or refused", KEY_FIX),
        "http_401": ("key", "the key is refused", KEY_FIX),
        "http_403": ("key", "the key may not open sessions", KEY_FIX),
        "closed_3000": ("key", "the key is missing or refused", KEY_FIX),
        "insufficient_quota": (
            "account",
            "the account has no credit",
            "add credit at the vendor's billing page",
        ),
        "billing_hard_limit_reached": (
            "account",
            "the account's limit is reached",
            "raise it at the vendor's",
        ),
        "account_deactivated": (
            "account",
            "the account is switched off",
            "ask the vendor, or use another key",
        ),
        "invalid_model": ("model", "the endpoint has no such model", "set realtime.model to a current one"),
        "model_not_found": ("model", "the endpoint has no such model", "set realtime.model to a current one"),
        "missing_model": ("model", "no model was named", "set realtime.model"),
        "http_429": ("session", "too many sessions or requests", "wait, or raise the account's limits"),
        "http_404": ("session", "there is no Realtime API at realtime.url", "correct realtime.url"),
        "audio_format": (
            "session",
            "the endpoint does not confirm 8 kHz µ-law both ways",
            "use an endpoint that takes g711_ulaw; check realtime.url and realtime.model",
        ),
    }
)
_UNREACHED: Mapping[str, str] = MappingProxyType(
    {
        "timeout": f"no answer within {PROBE_S:.0f} s",
        "refused": "nobody listens there",
        "unreachable": "it cannot be reached",
        "tls": "its certificate is not trusted",
        "handshake": "it is no WebSocket",
        "http_500": "its own trouble",
        "http_502": "its own trouble",
        "http_503": "it is overloaded",
    }
)


CHECKS: Mapping[str, Check] = MappingProxyType({"model": model, "session": session})
