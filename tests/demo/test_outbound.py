"""The verdict on the calls the demo places, by hand-made facts, one planted fault at a time."""

from __future__ import annotations

import io
from typing import Any

import attrs
import pytest
from rich.console import Console

from llcphone import EndReason
from llcphone.demo import script as story
from llcphone.demo.facts import Entry, Facts, OutboundFacts
from llcphone.demo.summary import show_checks
from llcphone.demo.verdict_outbound import judge_outbound
from tests.demo.test_demo import answered, good_facts, item, turn


def carrier(at_ms: int, status: str) -> Entry:
    return Entry(at_ms, "server", "carrier", {"status": status})


def good_outbound() -> OutboundFacts:
    """Placed calls as they should be; Twilio is told to ring 271 ms after a call was asked for."""
    inbound = good_facts()
    assert inbound.record is not None
    assert inbound.phone is not None
    assert inbound.model is not None
    guest = Facts(
        born_s=10.0,
        record=attrs.evolve(
            inbound.record,
            direction="outbound",
            ready_after_ms=268,
            started_after_ms=2650,
            warm="hit",
            warm_saved_ms=268,
            turns=(answered(4340), answered(14_600)),
            barge_ins=0,
        ),
        phone=attrs.evolve(
            inbound.phone,
            born_s=10.271,
            requests=[("status callback", 204, 6)] * 4,
            answered_ms=2000.0,
            said=[(2400.0, 1150.0), (10_800.0, 2950.0)],
            ear=[(4549.0, 5631.0), (14_809.0, 3170.0)],
            clears=[],
        ),
        model=attrs.evolve(
            inbound.model,
            instructions=f"{story.WAITING_LIST}\n\n{story.CONTEXT}",
            primed_s=10.75,
            closed_s=28.2,
            items=[item("message", role="assistant", generated_ms=3170)],
        ),
        timeline=[carrier(280, "initiated"), carrier(290, "ringing"), carrier(2290, "in-progress")],
    )
    assert guest.record is not None
    assert guest.phone is not None
    assert guest.model is not None
    busy = Facts(
        born_s=40.0,
        record=attrs.evolve(guest.record, reason=EndReason.BUSY, duration_s=1.09, turns=()),
        phone=attrs.evolve(guest.phone, answered_ms=None, said=[], ear=[]),
        model=attrs.evolve(guest.model, closed_s=41.1),
        timeline=[carrier(280, "initiated"), carrier(290, "ringing"), carrier(1085, "busy")],
    )
    return OutboundFacts(guest=guest, busy=busy, orders=[story.GUEST, story.BUSY_GUEST])


def test_good_placed_calls_pass_every_check() -> None:
    assert [check.name for check in judge_outbound(good_outbound()) if not check.ok] == []


GUEST = good_outbound().guest
assert GUEST.phone is not None
READY, PRIMED = "model ready before the phone rang", "model warmed up before anybody answered"
CONTEXT, SAVED = "what this call is about is last in the prompt", "the callee did not wait for the set-up"
SEEN, FIRST = "Twilio's progress reports seen", "the callee speaks first"
WORD, END = "the agent's last word was heard before it hung up", "ended because the agent hung up"
ONCE, BUSY = "nobody dialled twice", "a busy line is given up within a second"
STATIC = f"{story.CONTEXT}\n\n{story.WAITING_LIST}"
AGENT_FIRST = [(2300.0, 5631.0), *GUEST.phone.ear[1:]]

OUTBOUND_FAULTS: list[tuple[list[str], dict[str, Any]]] = [
    ([READY], {"guest.record.ready_after_ms": 300}),
    ([READY], {"guest.record.ready_after_ms": None}),
    ([PRIMED], {"guest.model.primed_s": None}),
    ([PRIMED], {"guest.model.primed_s": 12.5}),
    ([CONTEXT], {"guest.model.instructions": STATIC}),
    ([SAVED], {"guest.record.warm": "joined"}),
    ([SEEN], {"guest.phone.requests": [("status callback", 204, 6)] * 3}),
    ([SEEN], {"guest.phone.requests": [*[("status callback", 204, 6)] * 3, ("status callback", 403, 6)]}),
    ([SEEN], {"guest.timeline": GUEST.timeline[1:]}),
    ([FIRST], {"guest.phone.ear": AGENT_FIRST}),
    ([FIRST], {"guest.record.turns": (turn("greeting"), answered(4340), answered(14_600))}),
    ([WORD], {"guest.phone.ear": [GUEST.phone.ear[0], (14_809.0, 2000.0)]}),
    ([END], {"guest.record.reason": EndReason.CALLER_HUNG_UP}),
    ([END], {"guest.phone.gave_up": "an answer"}),
    (["no fault in between"], {"guest.record.unasked_responses": 1}),
    ([ONCE], {"orders": [story.GUEST, story.GUEST, story.BUSY_GUEST]}),
    ([ONCE], {"orders": [story.GUEST]}),
    ([BUSY], {"busy.record.reason": EndReason.NO_CALLBACK}),
    ([BUSY], {"busy.record.duration_s": 2.2}),
    ([BUSY], {"busy.model.closed_s": 42.2}),
    ([BUSY], {"busy.model.closed_s": None}),
    (["every call was placed and reported"], {"busy.model": None}),
]


@pytest.mark.parametrize(("names", "fault"), OUTBOUND_FAULTS)
def test_one_fault_planted_in_a_placed_call_fails_one_check(names: list[str], fault: dict[str, Any]) -> None:
    facts = good_outbound()
    for key, value in fault.items():
        *way, last = key.split(".")
        if len(way) == 2:
            call = getattr(facts, way[0])
            setattr(call, way[1], attrs.evolve(getattr(call, way[1]), **{last: value}))
        else:
            setattr(getattr(facts, way[0]) if way else facts, last, value)
    assert [check.name for check in judge_outbound(facts) if not check.ok] == names


def test_every_piece_of_evidence_fits_eighty_columns() -> None:
    file = io.StringIO()
    show_checks(Console(width=200, file=file, highlight=False), "Placed", judge_outbound(good_outbound()))
    assert max(map(len, file.getvalue().splitlines())) <= 80
