"""A stream breaks while the journal's database cannot be reached: the caller is kept for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from sqlalchemy.exc import OperationalError

from llcphone import EndReason
from llcphone.sim.twilio import EndedBy
from llcphone.store.database import Database
from tests.calls.stage import nothing_left
from tests.calls.test_resume import FORM, actions, in_mid_answer, journalled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures("no_threads")


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the database be away from now on for so many seconds."""
    back_at, real = [0.0], Database.run

    def run(self: Database, *args: Any, **options: Any) -> Any:
        if trio.current_time() < back_at[0]:
            raise OperationalError("UPDATE words", {}, Exception("server closed the connection"))
        return real(self, *args, **options)

    monkeypatch.setattr(Database, "run", run)

    def begin(seconds: float) -> None:
        back_at[0] = trio.current_time() + seconds

    return begin


@pytest.mark.parametrize("away_s", [4.0, 20.0])
async def test_a_caller_is_kept_until_the_database_can_say_and_goes_on(
    away_s: float, tmp_path: Path, autojump_clock: MockClock, outage: Callable[[float], None]
) -> None:
    async with nothing_left(), journalled(tmp_path) as stage:
        call = await in_mid_answer(stage)
        outage(away_s)
        began = trio.current_time()
        call.drop()
        await call.stream_started(2)
        assert away_s <= trio.current_time() - began < away_s + 8
        await call.hears(0.5)
        call.hang_up()
        assert (await stage.record(2)).run_number == 1
        await call.ended()
        assert call.record.ended_by is EndedBy.CALLER
        assert len(actions(call)) == 1, "the rest was asked by our own <Redirect>"


async def test_after_half_a_minute_without_an_answer_the_call_ends(
    tmp_path: Path, autojump_clock: MockClock, outage: Callable[[float], None]
) -> None:
    async with nothing_left(), journalled(tmp_path) as stage:
        call = await in_mid_answer(stage)
        outage(600)
        began = trio.current_time()
        call.drop()
        record = await call.ended()
        assert record.ended_by is EndedBy.END_OF_TWIML
        assert 30 <= trio.current_time() - began < 45
        assert (await stage.record()).reason is EndReason.PHONE_LOST
        outage(0)


async def test_a_call_that_is_known_to_be_over_needs_no_database(
    tmp_path: Path, autojump_clock: MockClock, outage: Callable[[float], None]
) -> None:
    async with nothing_left(), journalled(tmp_path) as stage:
        call = await in_mid_answer(stage)
        call.hang_up()
        await stage.record()
        outage(600)
        began = trio.current_time()
        answer = await stage.phone.after_stream({**FORM, "CallSid": call.sid, "CallStatus": "completed"}, 0)
        assert "<Redirect" not in answer
        assert trio.current_time() == began
        outage(0)
