"""Log lines about live calls: slow turns, dead air, spent budgets, refused updates.

An observer of the phone's calls. Lines hold ids, times and counts, never what was said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.engine.notes import (
    BudgetSpent,
    DeadAir,
    SessionReady,
    SessionUpdateRefused,
    SlowTurn,
    ToolOutputRefused,
)
from llcphone.realtime.dialects import Dialect, unsupported_keys
from llcphone.realtime.prompt_cache import compare
from llcphone.runtime.log_lines import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.agent import Agent
    from llcphone.call.call import Call
    from llcphone.engine.note import Note

log = logger("llcphone.call_warnings")

_ALARMS = SlowTurn | DeadAir | BudgetSpent
_MOST_AGENTS = 1_000


def look_at_tools(agent: Agent) -> None:
    """Warn of tools of which the model knows only the name."""
    if names := agent.undescribed_tools():
        log.warning(
            "tools without a description: write a docstring that says what each does and when to use it",
            extra={"agent": agent.name, "tools": names},
        )


class CallWarnings:
    """Turns notes of calls into log lines."""

    def __init__(self) -> None:
        self._prompts: dict[str, Mapping[str, Any]] = {}
        """The last call's opening settings, by agent."""
        self._warned: set[str] = set()
        self._unsent: set[str] = set()

    def noted(self, call: Call, note: Note) -> None:
        """Something happened in a call."""
        if isinstance(note, _ALARMS):
            log.warning(note.kind, extra={"call": call.call_id, **note.fields})
        elif isinstance(note, SessionUpdateRefused):
            log.error(
                "session update refused: the agent keeps its previous settings",
                extra={"call": call.call_id, "agent": call.run.agent.name, **note.fields},
            )
        elif isinstance(note, ToolOutputRefused):
            log.warning(
                "a tool's answer was refused, and is given again in short",
                extra={"call": call.call_id, "agent": call.run.agent.name, **note.fields},
            )
        elif isinstance(note, SessionReady):
            session = call.run.setup.session
            self._look_at_prompt(call.run.agent.name, session)
            if (dialect := call.run.status.dialect) is not None:
                self._look_at_keys(session, dialect, call.run.agent.settings.get("realtime", {}))

    def _look_at_prompt(self, agent: str, session: Mapping[str, Any]) -> None:
        """Two calls in a row of one agent: does text of one call stand before static text? Said once."""
        before = self._prompts.get(agent)
        if agent in self._warned or (before is None and len(self._prompts) >= _MOST_AGENTS):
            return
        self._prompts[agent] = session
        if before is not None and (layout := compare(before, session)).is_wrong:
            self._warned.add(agent)
            log.warning(
                "the prompt is laid out so that it cannot be cached: put what differs from call to call last",
                extra={
                    "agent": agent,
                    "same_tokens": layout.same_tokens,
                    "misplaced_tokens": layout.misplaced_tokens,
                },
            )

    def _look_at_keys(
        self, session: Mapping[str, Any], dialect: Dialect, of_agent: Mapping[str, Any]
    ) -> None:
        """A setting that this dialect has no place for is left out: said once, of what the user has set."""
        for key in set(unsupported_keys(session, dialect)) - self._unsent - set(of_agent):
            self._unsent.add(key)
            log.warning(
                "setting not sent: the dialect does not have it",
                extra={"setting": key, "dialect": dialect.value},
            )
