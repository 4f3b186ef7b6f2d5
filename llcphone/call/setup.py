"""What a call starts from: an agent and a configuration, made into the engine's plain data."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.announcements import OFF, TONE, pieces, prompt
from llcphone.call.live_session import live_session_fields
from llcphone.call.loop_blocking import timed_at_once
from llcphone.call.session_settings import session_fields
from llcphone.call.setup_limits import call_limits, live_plan, renewal_plan
from llcphone.call.setup_money import endpoint_rates, money_plan
from llcphone.call.setup_turns import detection, echo_plan, silence_plan, turn_updates
from llcphone.call.tool_results import LONGEST, shortened
from llcphone.engine.call_setup import (
    AlarmPlan,
    CallSetup,
    GoodbyePlan,
    RecoveryPlan,
    RetellingTexts,
    ToolPlan,
    ToolRule,
)
from llcphone.engine.endpoint_plan import EndpointPlan
from llcphone.engine.resumed import Owed
from llcphone.realtime.profiles import known_dialect
from llcphone.runtime.containment import contained
from llcphone.runtime.log_lines import logger
from llcphone.validation.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from llcphone.agent import Agent
    from llcphone.config import Config
    from llcphone.engine.call_setup import DialPlan
    from llcphone.engine.resumed import Resumed
    from llcphone.realtime.dialects import Dialect
    from llcphone.tools.call_handle import CallHandle
    from llcphone.tools.tool import Tool

log = logger("llcphone.call")


@attrs.frozen(kw_only=True)
class CallStart:
    """What is known of a call when a run of it begins."""

    call_sid: str = ""
    """What ``start.callSid`` must say; empty: Twilio has not named the call yet."""
    outbound: bool = False
    """We called them: another opening, silence pad and priming apply."""
    person: str = ""
    """Number of the person on the line; GPT-Live receives a hash of it if ``realtime.safety_salt`` is set."""
    context: str = ""
    """What this call is about; last in the prompt, so that the static part is cached."""
    dial: DialPlan | None = None
    """How we dial them; None: the telephone call exists already."""
    resumed: Resumed | None = None
    """What an older run of this call has left; None: it is a new call."""
    lasted_s: float = 0.0
    """How long it lasted in older runs."""
    spent_usd: float = 0.0
    """What the older runs cost."""


def plan_call(
    config: Config,
    agent: Agent,
    start: CallStart | None = None,
    *,
    dialects: Sequence[Dialect | None] = (),
    down: Collection[int] = (),
) -> CallSetup:
    """The engine's setup for one run of a call.

    Args:
        config: the settings; the agent's own values take precedence.
        agent: the agent that answers.
        start: what is known of the call; None: it is inbound and new.
        dialects: what is known of each endpoint, None to ask; empty: nothing is.
        down: numbers of the endpoints that give no sessions now.
    """
    settings, start = agent.over(config), start or CallStart()
    endpoints = settings.endpoints
    begins_at = next((number for number in range(len(endpoints)) if number not in down), 0)
    protocol = endpoints[begins_at].protocol
    config = settings.at(begins_at)
    realtime, outbound = config.realtime, start.outbound or start.dial is not None
    detects_turns = realtime.turn_detection != "none"
    opening = config.opening
    first, *elsewhere = (
        EndpointPlan(
            session=plan_session(settings, agent, start.context, number, person=start.person),
            dialect=known_dialect(each) or (dialects[number] if dialects else None),
            may_switch=known_dialect(each) is None,
            rates=rates,
        )
        for number, (each, rates) in enumerate(zip(endpoints, endpoint_rates(settings), strict=True))
    )
    return CallSetup(
        session=first.session,
        call_sid=start.call_sid,
        greets=_greets(config, agent, start.resumed, outbound=outbound),
        greeting_cue=clean_text(agent.greeting_cue or opening.greeting_cue),
        pad_ms=opening.silence_pad_outbound_ms if outbound else opening.silence_pad_inbound_ms,
        priming=start.resumed is None and _primes(config, agent, outbound=outbound),
        schedule=turn_updates(config, agent),
        tools=frozenset(agent.tools),
        silent_tools=frozenset(name for name, tool in agent.tools.items() if tool.silent),
        tool_plan=tool_plan(config, agent.tools.values()),
        dial=start.dial,
        dialect=first.dialect,
        may_switch=first.may_switch,
        elsewhere=tuple(elsewhere),
        endpoints_down=tuple(down),
        endpoints_barred=tuple(number for number, each in enumerate(endpoints) if each.protocol != protocol),
        create_response=detects_turns and detection(config).create_response,
        interrupt_response=detects_turns and realtime.interrupt_response,
        echo=echo_plan(config),
        silence=silence_plan(config),
        recovery=recovery_plan(config, agent.stand_in),
        money=money_plan(config, first.rates, spent_usd=start.spent_usd),
        goodbye=GoodbyePlan(config.agent.goodbye_cue, _apology(config)),
        alarms=AlarmPlan(config.alarms.slow_turn_ms, config.alarms.dead_air_ms),
        renewal=renewal_plan(config),
        resumed=start.resumed,
        limits=call_limits(config, start.lasted_s),
        live=live_plan(config),
    )


def plan_session(
    config: Config, agent: Agent, context: str = "", endpoint: int = 0, *, person: str = ""
) -> dict[str, Any]:
    """The fields of a session's first update; with GPT-Live, of its start.

    Args:
        config: the settings; the agent's own values take precedence.
        agent: the agent that answers.
        context: what the call is about.
        endpoint: which of ``config.endpoints`` is to open it.
        person: number of the person on the line.
    """
    named = config.elsewhere.endpoints[endpoint - 1] if endpoint else {}
    config = agent.over(config).at(endpoint)
    if config.realtime.protocol == "live":
        return live_session_fields(config, agent, context, person)
    static = agent.instructions or config.agent.instructions
    return session_fields(
        detection(config),
        instructions=clean_text("\n\n".join(part for part in (static, context) if part)),
        tools=agent.lean_tools(),
        eagerness=config.realtime.eagerness,
        voice=None if "voice" in named else agent.voice,  # one vendor's voices are not another's
    )


def _greets(config: Config, agent: Agent, resumed: Resumed | None, *, outbound: bool) -> bool:
    """Whether the agent speaks first."""
    if resumed is not None:
        return resumed.owed is Owed.GREETING
    usual = config.opening.outbound if outbound else config.opening.inbound
    return (agent.opening or usual) == "greet"


def _primes(config: Config, agent: Agent, *, outbound: bool) -> bool:
    """Whether inference is warmed by a text-only response, which GPT-Live does not have."""
    if config.realtime.protocol == "live":
        return False
    if agent.priming is not None:
        return agent.priming
    return config.opening.priming_outbound if outbound else config.opening.priming_inbound


def brief_of(agent: Agent, call: CallHandle, context: str, held: Callable[[str, int], None]) -> str:
    """What this call is about: what the agent's hook says of it, then what its owner has said.

    ``held`` receives a hook that waits though it must not.
    """
    brief: object = ""
    if agent.brief_hook is not None:
        with contained() as failure, timed_at_once(partial(held, f"brief of {agent.name}")):
            brief = agent.brief_hook(call)
        kinds = (
            failure.kinds if brief is None or isinstance(brief, str) else [f"{type(brief).__name__} for str"]
        )
        if kinds:  # the user's code: a caller is answered without it
            log.error("brief failed", extra={"call": call.call_id, "errors": kinds})
    parts = (brief, context)
    texts = [shortened(part, LONGEST) for part in parts if isinstance(part, str) and part]
    return clean_text("\n\n".join(texts))


def tool_plan(config: Config, tools: Iterable[Tool] = ()) -> ToolPlan:
    """How the agent's tools are waited for.

    Raises:
        ConfigError: the filler cannot be read.
    """
    filler, sound = config.filler, _filler(config)
    return ToolPlan(
        rules=tuple(_rule(tool, config) for tool in tools),
        filler_after_ms=filler.tool_after_ms,
        filler_every_ms=filler.every_ms,
        filler=sound if filler.tool_after_ms else (),
    )


def _filler(config: Config) -> tuple[bytes, ...]:
    sound = config.filler.sound
    shipped = {"speech": "one_moment", "tone": TONE}.get(sound, "")
    return _sound(config, "" if shipped else sound, shipped, "filler.sound")


def _rule(tool: Tool, config: Config) -> ToolRule:
    times = tool.times(config.tools)
    return ToolRule(
        name=tool.name,
        timeout_ms=round(times.patience_s * 1000),
        goes_on=times.goes_on,
        deliver=tool.delivers_late,
        irreversible=tool.options.get("irreversible", False),
    )


def recovery_plan(config: Config, stand_in: bytes = b"") -> RecoveryPlan:
    """What is done when the model is lost.

    Args:
        config: the settings.
        stand_in: what the caller hears, twice, before the apology.

    Raises:
        ConfigError: a stored prompt cannot be read.
    """
    recovery, filler = config.recovery, config.filler
    return RecoveryPlan(
        enabled=recovery.enabled,
        limit_ms=round(recovery.limit_s * 1000),
        most=recovery.max_losses,
        stall_ms=round(recovery.stall_s * 1000),
        spread=tuple(round(random.uniform(0.75, 1.25), 3) for _ in range(8)),
        filler_after_ms=filler.loss_after_ms,
        filler_every_ms=filler.every_ms,
        filler=_filler(config),
        apology=pieces(stand_in * 2) + _apology(config),
        texts=RetellingTexts(
            **{each.name: config.company.sentence(each.name) for each in attrs.fields(RetellingTexts)}
        ),
    )


def _apology(config: Config) -> tuple[bytes, ...]:
    return _sound(config, config.recovery.apology_file, "apology", "recovery.apology_file")


def machine_message(config: Config) -> tuple[bytes, ...]:
    """What is left on an answering machine; nothing: the agent speaks the message itself.

    Raises:
        ConfigError: the recording cannot be read.
    """
    return prompt(config.outbound.machine_message_file or OFF, "", "outbound.machine_message_file")


def _sound(config: Config, path: str, stored: str, key: str) -> tuple[bytes, ...]:
    """What a setting asks for: its file, else what is stored in the company's language."""
    return prompt(path, stored, key, config.company.language, config.company.language_folder)
