"""Two processes ring the same number, and a create did not answer: neither takes the other's call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.sim.twilio import Callee, CallFaults
from llcphone.testing import rehearse
from tests.calls.stage import nothing_left
from tests.calls.test_outbound_races import CALLEE, UNHEARD
from tests.store.journal_kit import change, open_file, row, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures("no_threads")


@pytest.mark.parametrize("owner", ["another call", "nobody"])
@pytest.mark.parametrize("gives_up", [False, True])
async def test_a_call_that_the_journal_knows_as_anothers_is_neither_adopted_nor_hung_up(
    owner: str, gives_up: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    settings = {
        "outbound": {"allow_prefixes": ["+1555"], "ring_timeout_s": 120, "no_callback_limit_s": 180},
        "journal": {"url": url_of(tmp_path)},
    }
    party = Callee(ring_s=120, faults=CallFaults(callbacks=UNHEARD))
    async with nothing_left(), rehearse(Agent("Hi."), callee=party, settings=settings) as stage:
        stage.twilio.rest.faults.plant(on="create", done=True, reset=True)
        call = stage.phone.place_call(CALLEE)
        sim = await stage.twilio.outbound(1)
        if owner == "another call":
            journal = open_file(tmp_path)
            journal.write([change(row(id="theirs", call_sid=sim.sid), first=True)])
            journal.close()
        if gives_up:
            call.end()
        else:
            await trio.sleep(50)
        if owner == "another call":
            record = await call
            assert record.call_sid == ""
            assert gives_up or record.reason is EndReason.DIAL_REFUSED
            await trio.sleep(10)
            assert not sim.over
            sim.hang_up()
        elif not gives_up:
            assert call.call_sid == sim.sid
            call.end()
            await call
        else:
            await call
        await sim.ended()
