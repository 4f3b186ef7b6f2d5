"""``llcphone serve --reload``: while an agent is being written, each new call gets it as it was saved last.

One task looks at the agent's files twice a second or so, in a thread that it does not wait for once it is
cancelled. What has changed is loaded when two looks in a row are the same: an editor may write in several
steps. The load itself runs in the main thread, as the first one did, so live calls stand still for as long
as the module takes to import.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.errors import ConfigError
from llcphone.phone.open import use_agent
from llcphone.process.agent_source import AgentSource, Look, looks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.agent import Agent, Agents
    from llcphone.phone.phone import Phone

EVERY_S = 0.3


@attrs.define(eq=False)
class Reloading:
    """Keeps a phone's agent as its files are."""

    source: AgentSource
    settings: dict[str, Look]
    """The files of the settings, as they were read: a server reads them once."""
    tell: Callable[[str], object]
    _failure: str = attrs.field(default="", init=False)
    """Why the last load failed; a folder that changes again is no reason to repeat it."""

    def begin(self) -> Agent | Agents:
        """Load the agent for the first time.

        Raises:
            ConfigError: it cannot be loaded, or comes from no file that could change.
        """
        agent = self.source.load()
        if not self.source.looks:
            why = "the agent comes from no file of yours, so there is nothing to load again"
            raise ConfigError("--reload", why, "llcphone new agent.py, then --agent agent.py")
        self.tell(f"watching {_named(self.source.looks)}")
        return agent

    async def run(self, phone: Phone) -> None:
        """Load the agent again whenever it has changed, until cancelled; live calls keep theirs."""
        asking = trio.CancelScope()

        async def ask(scope: trio.CancelScope) -> None:
            with scope:  # of the agent before this one
                await phone.endpoints.keep_asking()

        async with trio.open_nursery() as nursery:
            while True:
                changed = await self._changed()
                if settings := self.settings.keys() & changed.keys():
                    self.settings |= {path: changed.pop(path) for path in settings}
                    self.tell(
                        f"{_named(settings)}: settings are read only at the start. Fix: restart the server"
                    )
                if changed and self._load(phone, changed):
                    asking.cancel(reason="another agent")
                    asking = trio.CancelScope()
                    nursery.start_soon(ask, asking, name="agent question")

    def _load(self, phone: Phone, changed: dict[str, Look]) -> bool:
        """Whether new calls get another agent from now on."""

        def use(agent: Agent | Agents) -> None:
            use_agent(phone, agent)

        self.source.looks |= changed
        try:
            self.source.load(use)
        except ConfigError as error:
            why = f"{error.key}: {error.why}. New calls get the agent from before"
            why = f"{why}. Fix: {error.fix}, then save the file"
            if why != self._failure or not all(os.path.isdir(path) for path in changed):
                self.tell(why)
            self._failure = why
            return False
        self._failure = ""
        live = phone.live_calls
        kept = f"; {live} live {'call keeps its' if live == 1 else 'calls keep their'} own" if live else ""
        self.tell(f"{_named(changed)} changed: new calls get the new agent{kept}")
        return True

    async def _changed(self) -> dict[str, Look]:
        """Wait until files have changed and are at rest; how these look now."""
        before: dict[str, Look] = {}
        while True:
            await trio.sleep(EVERY_S)
            self.source.note_imports()
            known = self.source.looks | self.settings
            now = await trio.to_thread.run_sync(looks_of, list(known), abandon_on_cancel=True)
            changed = {path: look for path, look in now.items() if look != known[path]}
            if changed and changed == before:
                return changed
            before = changed


def _named(paths: dict[str, Look] | set[str]) -> str:
    """Paths for a person: the first, and how many more."""
    first, *more = [os.path.relpath(path) for path in paths]
    return f"{first} and {len(more)} more" if more else first
