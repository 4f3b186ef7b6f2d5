"""The model's session: key, model, dialect, and whether the session configuration is accepted.

A refused ``session.update`` is the silent killer: the socket stays open, and the session runs on other
settings than ours. So a session is opened as a call opens it, with every agent's own first settings and full
tools, and each update must be confirmed. It costs no tokens; ``--live`` asks for one short text besides, or
GPT-Live for a word.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from llcphone.agent import Agent
from llcphone.doctor.agents import load_agents
from llcphone.doctor.context import INSTALL_CERTIFICATES, plain
from llcphone.doctor.model import KEY_FIX, judge_model, models_of, told_of
from llcphone.doctor.probe import PROBE_S, Probe, ask_endpoint
from llcphone.doctor.report import Finding, fail, good, unknown, warn
from llcphone.errors import ConfigError
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.profiles import known_dialect, profile_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.config import Config
    from llcphone.doctor.context import Check, DoctorContext

_SLOW_MS = 2_000.0


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
