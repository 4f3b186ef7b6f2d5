"""Who rang whom is read in one place: calls that somebody else placed for us, and their webhook came here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llcphone import Agent
from llcphone.modes.base import person
from llcphone.sim.twilio import Callee
from llcphone.store.calls import KeptCall
from llcphone.store.webhook import body_of
from llcphone.testing import rehearse
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from llcphone.phone.phone import Phone
    from llcphone.testing import Rehearsal

pytestmark = pytest.mark.usefixtures("no_threads")

OURS, ANA = "+15551230002", "+15550000007"


def newest(phone: Phone) -> Any:
    return max(phone.calls(), key=lambda call: call.run_number)


async def texts(stage: Rehearsal) -> list[str]:
    """To whom a text message goes that is for the person on the line."""
    assert (await newest(stage.phone).send_sms("caller", "Your table is booked.")).ok
    return [message["To"] for message in stage.twilio.rest.messages]


@pytest.mark.parametrize(
    ("direction", "from_", "to", "ours"),
    [("outbound-api", OURS, ANA, "outbound"), ("inbound", ANA, OURS, "inbound")],
)
async def test_the_person_on_the_line_is_the_same_before_and_after_a_resume(
    direction: str, from_: str, to: str, ours: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    agent = Agent("Be brief.", opening="greet")
    settings = {"journal": {"url": url_of(tmp_path)}}
    async with rehearse(agent, callee=Callee(), settings=settings) as stage:
        ended: list[Any] = []
        stage.phone.on_end.append(ended.append)
        call = await stage.ring(from_=from_, to=to, fields={"Direction": direction})
        await call.hears(0.5)
        for run in (1, 2):
            now = newest(stage.phone)
            assert (now.direction, now.caller, now.dialled, person(now)) == (ours, from_, to, ANA)
            assert await texts(stage) == [ANA] * run
            if run == 1:
                call.drop()
                await call.stream_started(2)
        call.hang_up()
        records = [await stage.record(1), await stage.record(2)]
        assert [record.direction for record in records] == [ours, ours]


def kept(call: Any) -> KeptCall:
    return KeptCall(record=call.record, caller=call.caller, dialled=call.dialled)


async def test_a_call_placed_by_somebody_else_is_told_as_outbound(autojump_clock: MockClock) -> None:
    async with rehearse(Agent("Be brief.", opening="greet"), callee=Callee()) as stage:
        ended: list[Any] = []
        stage.phone.on_end.append(ended.append)
        call = await stage.ring(from_=OURS, to=ANA, fields={"Direction": "outbound-api"})
        await call.hears(0.5)
        call.hang_up()
        await stage.record()
        told = body_of(kept(ended[0]))
        assert (told["direction"], told["caller_phone"]) == ("outbound", ANA)
        assert not [path for method, path in stage.twilio.rest.requests if method == "POST"]


async def test_a_person_whom_somebody_else_rang_for_us_speaks_first(autojump_clock: MockClock) -> None:
    async with rehearse(
        Agent("Be brief."), settings={"opening": {"inbound": "greet", "outbound": "listen"}}
    ) as stage:
        await stage.ring(from_=OURS, to=ANA, fields={"Direction": "outbound-api"})
        await stage.ring(from_=ANA, to=OURS)
        by = {call.direction: call.run.setup.greets for call in stage.phone.calls()}
        assert by == {"outbound": False, "inbound": True}


@pytest.mark.parametrize(
    "form",
    [
        {"CallSid": "CA1", "CallStatus": status}
        for status in ("completed", "failed", "busy", "no-answer", "canceled")
    ],
)
async def test_a_webhook_of_a_call_that_is_over_begins_nothing(
    form: dict[str, str], autojump_clock: MockClock
) -> None:
    async with rehearse(Agent("Be brief.")) as stage:
        assert "Stream" not in stage.phone.answer(form)
        assert (stage.phone.live_calls, stage.model.sessions) == (0, [])
