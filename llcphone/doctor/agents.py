"""The agents: does their file load, in time, and do their settings and tools make a session?"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llcphone.agent import Agent, agents_of
from llcphone.call.endpoint import wishes_of
from llcphone.doctor.report import Finding, good, refused, warn
from llcphone.errors import ConfigError
from llcphone.modes.agent_file import agent_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llcphone.config import Config
    from llcphone.doctor.context import DoctorContext

LOAD_S = 20.0
"""Longest an agents' file may take; the server answers no call meanwhile."""
_SLOW_S = 5.0
_DESCRIBE = "write a docstring that says what the tool does and when to use it; the model knows only its name"
_BLOCKS = (
    "do not wait, connect or ask at import: do it in an @agent.on_start hook, in a tool, or before open_phone"
)


class TooLong(BaseException):
    """Raised where the file waits; no ``except Exception`` of its own swallows it."""


def load_agents(context: DoctorContext) -> Mapping[str, Agent]:
    """The agents, loaded once for all checks, each with settings that fit.

    Raises:
        ConfigError: they cannot be loaded, or a call with them would fail.
    """
    if "agents" not in context.loaded:
        context.loaded["agents"] = _load(context)
    found = context.loaded["agents"]
    if isinstance(found, ConfigError):
        raise found
    agents: Mapping[str, Agent] = found
    return agents


def _load(context: DoctorContext) -> Mapping[str, Agent] | ConfigError:
    late = False
    began_s = time.perf_counter()
    try:
        with _limited(LOAD_S):
            choice = agent_of(context.config, context.agent)
            agents = agents_of(choice)
    except ConfigError as exc:
        late = time.perf_counter() - began_s >= LOAD_S
        why = exc.why.removesuffix(f": {TooLong.__name__}")
        return ConfigError(exc.key, f"{why}: not loaded within {LOAD_S:g} s", _BLOCKS) if late else exc
    finally:
        context.loaded["took_s"] = time.perf_counter() - began_s
    if _trouble(context.config, Agent("Be brief.")) is None:  # else it is the settings': see ``start``
        for agent in agents.values():
            if (trouble := _trouble(context.config, agent)) is not None:
                why = (
                    trouble.why if agent.name in trouble.why else f"{trouble.why}; agent {agent.name} has it"
                )
                return ConfigError(trouble.key, why, trouble.fix)
    context.loaded["choice"] = choice
    return agents


def _trouble(config: Config, agent: Agent) -> ConfigError | None:
    """Why no call can be planned for this agent."""
    try:
        wishes_of(config, agent)
    except ConfigError as exc:
        return exc
    return None


def check_agents(context: DoctorContext) -> Finding:
    """What came of loading them."""
    try:
        agents = load_agents(context)
    except ConfigError as exc:
        return refused("agent", exc)
    seen = f"{', '.join(agents)}, out of {context.agent or context.config.agent.file or 'the settings'}"
    took_s = context.loaded["took_s"]
    if took_s > _SLOW_S:
        return warn("agent", f"{seen}: loaded in {took_s:.0f} s, so every start takes as long", _BLOCKS)
    if silent := [
        f"{agent.name}: {', '.join(names)}"
        for agent in agents.values()
        if (names := agent.undescribed_tools())
    ]:
        return warn("agent", f"{seen}: tools without a description, {'; '.join(silent)}", _DESCRIBE)
    return good("agent", seen)


@contextmanager
def _limited(limit_s: float) -> Iterator[None]:
    """End what takes longer, where signals can; elsewhere it takes as long as it takes."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(*_: Any) -> None:
        raise TooLong

    former = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
