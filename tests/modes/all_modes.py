"""All modes between simulators of both vendors, with a store of their own.

async with open_modes(tmp_path, script) as modes:
    call = await modes.ring("csr", vouched=True)
    await modes.says(call, QUESTION)
"""

from __future__ import annotations

import datetime
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import attrs
import trio

from llcphone.config import Config
from llcphone.modes import routed
from llcphone.modes.agent_file import load_agent
from llcphone.testing import rehearse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llcphone.sim.twilio import SimCall
    from llcphone.store import CallDetails, Store
    from llcphone.testing import Rehearsal

IVR, CSR, FRONT = "+15551230003", "+15551230004", "+15551230005"
NUMBERS = {"ivr": IVR, "csr": CSR, "receptionist": FRONT}
ADA = "+15551230001"
SALES, SUPPORT = "+15550100001", "+15550100002"
ZONE = ZoneInfo("Europe/Madrid")
WEDNESDAY = datetime.datetime(2026, 11, 25, 9, 30, tzinfo=ZONE)

SETTINGS: dict[str, dict[str, Any]] = {
    "company": {"name": "Casa Verde", "time_zone": "Europe/Madrid", "hours": "mon-fri 09:00-17:00"},
    "transfers": {"destinations": {"sales": {"number": SALES}, "support": {"number": SUPPORT}}},
    "routes": {"ivr": [IVR], "csr": [CSR]},
}


@attrs.frozen
class ModesStage:
    stage: Rehearsal
    store: Store

    async def ring(self, mode: str, *, vouched: bool = False, **how: Any) -> SimCall:
        """Somebody rings a mode's number, and has heard the beginning of the greeting."""
        fields = {"StirVerstat": "TN-Validation-Passed-A" if vouched else "TN-Validation-Passed-C"}
        call = await self.stage.ring(**{"to": NUMBERS[mode], "from_": ADA, "fields": fields, **how})
        await call.hears(0.5)
        return call

    async def says(self, call: SimCall, speech: bytes) -> None:
        """The caller says something when the agent has finished, and hears the beginning of the answer."""
        await call.silence_for(1_500)
        await call.speak(speech)
        await call.hears(0.3)

    async def kept(self, number: int = 1) -> CallDetails:
        """What the store has of a call that is over."""
        record = await self.stage.record(number)
        with trio.fail_after(10):
            while (kept := await self.store.call(record.call_id)) is None:  # noqa: ASYNC110 (a thread writes it)
                await trio.sleep(0.05)
        return kept

    async def told(self, number: int = 1) -> str:
        """All items of a model session."""
        session = await self.stage.session(number)
        return str([item.render() for item in session.items])

    async def outputs(self, number: int = 1) -> list[str]:
        """What the model read of its tools."""
        session = await self.stage.session(number)
        return [item.render()["output"] for item in session.items if item.type == "function_call_output"]


@asynccontextmanager
async def open_modes(
    folder: Path, script: Any, *, now: datetime.datetime = WEDNESDAY, **how: Any
) -> AsyncIterator[ModesStage]:
    """All modes; ``how`` are settings, or what ``rehearse`` takes."""
    settings = {name: dict(table) for name, table in SETTINGS.items()}
    settings["store"] = {"url": f"sqlite:///{folder / 'phone.db'}"}
    settings["realtime"] = {"transcription_model": "gpt-4o-transcribe"}
    stage_only = {name: how.pop(name) for name in ("callee", "dial_outcome", "faults", "pace") if name in how}
    for name, table in how.items():
        settings[name] = settings.get(name, {}) | table
    choice = routed(Config.from_dict(settings), load_agent, clock=lambda: now.timestamp())
    async with rehearse(choice, script=script, settings=settings, **stage_only) as stage:
        assert stage.phone.store is not None
        yield ModesStage(stage, stage.phone.store)
