"""Callers without a telephone number of their own are put through all the same: whole calls over loopback."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from llcphone.sim.twilio import Callee, EndedBy
from tests.calls.stage import QUESTION
from tests.calls.test_transfer_cold import SALES, staged

if TYPE_CHECKING:
    from trio.testing import MockClock

    from llcphone.sim.twilio import SimCall

NUMBER = "+15551230002"
NO_NUMBER = [
    "client:anna",
    "sip:anna@house.example",
    "anonymous",
    "Restricted",
    "",
    "+266696687",
    "+7378742833",
    "+2562533",
    "+8656696",
    "+86282452253",
]


def caller_ids(call: SimCall) -> list[str | None]:
    """``callerId`` of each ``<Dial>`` that Twilio was given."""
    documents = [ET.fromstring(text) for text in call.record.documents]
    return [dial.get("callerId") for document in documents for dial in document.iter("Dial")]


async def put_through(stage: Any, **how: Any) -> SimCall:
    call = await stage.ring(**how)
    await call.hears_out(0.5, 300)
    await call.speak(QUESTION)
    await call.ended()
    return call


@pytest.mark.parametrize("from_", NO_NUMBER)
async def test_who_has_no_number_is_put_through_under_ours(from_: str, autojump_clock: MockClock) -> None:
    async with staged(callee=Callee()) as stage:
        call = await put_through(stage, from_=from_)
        assert caller_ids(call) == [NUMBER]
        assert (call.record.joined, call.record.ended_by) == ([SALES], EndedBy.HANGUP_VERB)
        assert 13214 not in call.record.error_codes


@pytest.mark.parametrize("from_", NO_NUMBER)
async def test_the_fallback_of_a_full_phone_is_theirs_too(from_: str, autojump_clock: MockClock) -> None:
    async with staged(callee=Callee(), fallback="sales") as stage:
        stage.phone.admission.draining = True
        call = await stage.twilio.ring(from_=from_)
        await call.ended()
        assert caller_ids(call) == [NUMBER]
        assert call.record.joined == [SALES]
        stage.phone.admission.draining = False


@pytest.mark.parametrize(
    ("from_", "to", "shown"),
    [
        ("+15550000001", {}, None),
        ("+26622123456", {}, None),  # a number of Lesotho, where one of the stand-ins would be
        ("client:anna", {"caller_id": NUMBER}, NUMBER),
        ("+15550000001", {"caller_id": NUMBER}, NUMBER),
        ("client:anna", {"number": "sip:sales@house.example"}, None),
    ],
)
async def test_a_caller_id_is_given_only_where_it_is_needed_or_set(
    from_: str, to: dict[str, Any], shown: str | None, autojump_clock: MockClock
) -> None:
    async with staged(callee=Callee(), to=to) as stage:
        call = await put_through(stage, from_=from_)
        assert caller_ids(call) == [shown]
        assert call.record.joined == [to.get("number", SALES)]


async def test_without_a_number_in_the_settings_the_one_that_was_dialled_is_shown(
    autojump_clock: MockClock,
) -> None:
    async with staged() as stage:
        call = await put_through(stage, from_="client:anna", to="+15550009999")
        assert caller_ids(call) == ["+15550009999"]
        assert call.record.joined == [SALES]
