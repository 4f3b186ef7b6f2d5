"""Calls of a process that has died, and about which Twilio asks nothing: they are redirected by its REST API.

Usually Twilio requests the action URL when a media stream breaks, and another process resumes the call. The
sweep is for calls that Twilio does not bring back (``shared.sweep``, off by default). Each process looks once
a second for calls that the journal has under a dead process. It takes them over one by one, and has Twilio
request the same address. A process counts as dead in two cases:

    its last beat is `SILENT_S` old, and it does not answer at its own address    it has died, or it hangs
    for `SILENT_S` it has not been in the table of nodes     it has ended, or its successor has taken its name

While our own beats are late, no process counts as dead: the database is away. A call that is taken over has
our life in its row. So no other process takes it unless we die, too, and the dead process changes nothing if
it wakes. The run number stays: if Twilio asks meanwhile, the call is resumed as usual.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.call import node_names
from llcphone.carrier.orders import CarrierError
from llcphone.errors import ConfigError, StoreUnavailable
from llcphone.runtime.containment import contained
from llcphone.runtime.http_answer import get_json
from llcphone.runtime.log_lines import logger
from llcphone.shared.nodes import BEAT_S, SILENT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.carrier.rest import Carrier
    from llcphone.config import Config
    from llcphone.phone.calls import LiveCalls
    from llcphone.shared.nodes import SeenNode
    from llcphone.shared.shared import Shared
    from llcphone.store.journal import CallRow
    from llcphone.store.journal_writer import JournalWriter

log = logger("llcphone.shared")

_FAILED = "a call of a lost node cannot be redirected"
_A_LOOK = 10
"""Most calls that are taken over before the processes are looked at again."""


def check_sweep(config: Config) -> None:
    """See to it that a sweep is possible if it is asked for.

    Raises:
        ConfigError: it cannot be.
    """
    if not config.shared.sweep:
        return
    needed = {
        "shared.url": config.shared_url,
        "journal.url": config.journal.enabled and config.journal.url,
        "twilio.account_sid": config.twilio.account_sid,
    }
    for key, value in needed.items():
        if not value:
            fix = f"set {key}, or shared.sweep to false"
            raise ConfigError("shared.sweep", f"is true, but {key} is not set", fix)


@attrs.define(eq=False)
class Sweep:
    """Of one process, for the calls of the others."""

    _shared: Shared
    _journal: JournalWriter
    _carrier: Carrier
    _calls: LiveCalls
    _resume_url: Callable[[int, str], str]
    """By run number and node."""
    _absent: dict[str, float] = attrs.field(factory=dict, init=False)
    """Lives that have calls and are not in the table of nodes: since when, by Trio's clock."""
    _answering: set[str] = attrs.field(factory=set, init=False)
    """Lives that do not beat, but answer."""

    async def run(self) -> None:
        """Look until cancelled."""
        async with trio.open_nursery() as redirects:
            while True:
                await trio.sleep(BEAT_S)
                try:
                    await self._look(redirects)
                except StoreUnavailable:  # whoever writes there logs it
                    self._absent.clear()

    async def _look(self, redirects: trio.Nursery) -> None:
        if not self._shared.beat.steady:
            self._absent.clear()
            return
        if not (dead := await self._dead()):
            return
        for _ in range(_A_LOOK):
            await self._shared.redirect_turn()
            row = await self._journal.take_over(dead, self._shared.beat.node.life)
            if row is None:
                return
            redirects.start_soon(self._bring_back, row, name=f"redirect of call {row.id}")

    async def _dead(self) -> list[str]:
        """Processes that have calls in the journal, and will never continue them."""
        having = await self._journal.lives() - {self._shared.beat.node.life}
        now = trio.current_time()
        known = {node.life: node for node in self._shared.beat.seen}
        self._absent = {life: self._absent.get(life, now) for life in having if life not in known}
        dead = [life for life, since in self._absent.items() if now - since >= SILENT_S]
        silent = [known[life] for life in having if life in known and known[life].silent_s >= SILENT_S]
        return dead + [node.life for node in silent if not await self._answers(node)]

    async def _answers(self, node: SeenNode) -> bool:
        """Whether it lives, and only its way to the database is broken: its calls go on undisturbed."""
        said = await get_json(f"{node.url}/healthz?nonce={secrets.token_hex(8)}") if node.url else None
        process = "" if said is None else str(said.get("process", ""))
        if not process or not node.life.startswith(process):
            return False
        if node.life not in self._answering:
            self._answering.add(node.life)
            log.error("a node answers, but does not reach the shared database", extra={"node": node.name})
        return True

    async def _bring_back(self, row: CallRow) -> None:
        """Redirect this call; whatever fails costs this call alone, as the others are taken over already."""
        with contained() as failure:
            await self._redirect(row)
        if failure.error is not None:
            fields = {"call": row.id, "run_number": row.run_number, "error": ", ".join(failure.kinds)}
            log.error(_FAILED, extra=fields)

    async def _redirect(self, row: CallRow) -> None:
        """Let Twilio ask what next for this call."""
        fields = {"call": row.id, "run_number": row.run_number}
        url = self._resume_url(row.run_number, node_names.node_of(row.run))
        try:
            is_live = await self._carrier.redirect(
                row.call_sid, url, wanted=lambda: not self._calls.runs_of(row.call_sid)
            )
        except CarrierError as error:
            log.error(_FAILED, extra={**fields, "error": error.code})
            return
        if is_live:
            log.info("a call of a lost node is redirected", extra=fields)
        else:
            self._journal.is_over(row.call_sid, "ended at Twilio")
