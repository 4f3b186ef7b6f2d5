"""Each question to the carrier, asked of simulators that answer it in each possible way."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from attrs import field, frozen

from llcphone.certify.plan import QUESTIONS
from llcphone.certify.question import Part
from llcphone.certify.results import ANSWERED, Result
from llcphone.certify.run import _asked
from llcphone.certify.site import Site
from llcphone.certify.telephone.line import CALL_S, open_line
from llcphone.config import Config
from llcphone.sim.ports import free_port
from llcphone.sim.twilio import (
    CallbackFaults,
    Callee,
    CallFaults,
    Signature,
    TwilioSimulator,
    Unknowns,
    open_twilio,
)
from llcphone.testing import ACCOUNT_SID, AUTH_TOKEN, NUMBER
from tests.certify.saying import check_report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BY_ID = {each.id: each for each in QUESTIONS if each.part is Part.TELEPHONE}
ITSELF = CallFaults()
SILENCE = {"call.media_timeout_s": 10.0}


@frozen(kw_only=True)
class Case:
    """A simulator, and what is to be found of it."""

    id: str
    word: str
    settings: dict = field(factory=dict)
    callee: Callee = field(factory=Callee)
    """How the calling leg is served."""
    arrives: CallFaults = ITSELF
    """How the called leg is served."""
    unknowns: dict = field(factory=dict)


URL = "{url}"
CASES = [
    Case(id="signature", word="plain", settings={"server.public_url": URL}),
    Case(
        id="signature",
        word="slash",
        settings={"server.public_url": URL},
        unknowns={"signs": lambda url: url + "/"},
    ),
    Case(
        id="signature",
        word="other_spelling",
        settings={"server.public_url": "http://localhost:{port}"},
        unknowns={"signs": str.lower},
    ),
    Case(id="signature", word="something_else", unknowns={"signs": lambda url: f"{url}?CallSid=1"}),
    Case(id="signature", word="unsigned", arrives=CallFaults(stream_signature=Signature.MISSING)),
    Case(id="frames", word="steady", settings=SILENCE),
    Case(id="frames", word="other_sizes", settings=SILENCE, arrives=CallFaults(frame_ms=40)),
    Case(
        id="frames",
        word="pauses",
        settings={"call.media_timeout_s": 40.0},
        arrives=CallFaults(silence_suppressed=True),
    ),
    Case(
        id="frames",
        word="pauses",
        settings={"call.media_timeout_s": 12.0},
        arrives=CallFaults(gap_after_s=8, gap_s=5.5),
    ),
    Case(id="marks", word="at_once", settings=SILENCE),
    Case(id="marks", word="late", settings={"call.media_timeout_s": 13.0}, unknowns={"mark_delay_s": 3.0}),
    Case(
        id="marks",
        word="never",
        settings={"call.media_timeout_s": 300.0},
        unknowns={"mark_delay_s": math.inf},
    ),
    Case(id="message_size", word="no_limit"),
    Case(id="message_size", word="limit", unknowns={"longest_message": 65_536}),
    Case(id="message_size", word="too_short", unknowns={"longest_message": 1_000}),
    Case(
        id="lost_stream",
        word="asked_again",
        settings={"journal.enabled": True, "shared.sweep": False},
    ),
    Case(
        id="lost_stream",
        word="asked_once",
        settings={"journal.enabled": True, "shared.sweep": True},
        unknowns={"overrides": "ignored"},
    ),
    Case(
        id="lost_stream",
        word="not_asked",
        settings={"journal.enabled": True, "shared.sweep": True},
        arrives=CallFaults(asks_nothing=True),
    ),
    Case(id="overrides", word="heeded"),
    Case(id="overrides", word="ignored", unknowns={"overrides": "ignored"}),
    Case(id="amd_stream", word="both", settings={"outbound.amd": "async"}),
    Case(
        id="amd_stream",
        word="no_stream",
        settings={"outbound.amd": "sync"},
        callee=Callee(faults=CallFaults(connect_delay_s=50)),
    ),
    Case(
        id="amd_stream",
        word="no_verdict",
        settings={"outbound.amd": "sync"},
        callee=Callee(faults=CallFaults(callbacks=CallbackFaults(lost=frozenset({"amd"})))),
    ),
    Case(id="amd_range", word="documented", settings={"outbound.amd_timeout_s": 30}),
    Case(
        id="amd_range",
        word="wider",
        settings={"outbound.amd_timeout_s": 30},
        unknowns={"amd_range": (2, 120)},
    ),
    Case(
        id="amd_range",
        word="narrower",
        settings={"outbound.amd_timeout_s": 30},
        unknowns={"amd_range": (5, 30)},
    ),
    Case(id="listed", word="soon"),
    Case(id="listed", word="within_40_s", unknowns={"listed_after_s": 12}),
    Case(id="listed", word="too_late", unknowns={"listed_after_s": 100}),
]


@asynccontextmanager
async def deployment(case: Case | None = None, host: str = "127.0.0.1", **more: Any) -> AsyncIterator:
    """A simulated carrier, and the settings of an account that it knows."""
    case = case or Case(id="", word="")
    port = free_port()
    url = f"http://{host}:{port}"
    unknowns = Unknowns(to_itself=case.arrives, **case.unknowns)
    async with open_twilio(
        webhook_url=f"{url}/twiml", auth_token=AUTH_TOKEN, callee=case.callee, unknowns=unknowns, **more
    ) as twilio:
        config = Config.from_dict(
            {
                "realtime": {"api_key": "sk-0123456789abcdef0123"},
                "server": {"public_url": url, "port": port},
                "twilio": {
                    "account_sid": ACCOUNT_SID,
                    "auth_token": AUTH_TOKEN,
                    "phone_number": NUMBER,
                    "api_url": twilio.api_url,
                },
            }
        )
        yield twilio, config


async def ask(name: str, config: Config) -> Result:
    site = Site(config=config)
    async with open_line(config, NUMBER, site.recording) as site.line:
        return await _asked(BY_ID[name], site)


def nothing_is_left(twilio: TwilioSimulator, calls: int) -> None:
    """Every call has ended, and no more were placed than agreed to."""
    assert twilio.live_calls == 0
    assert len(twilio.rest.creates) <= calls
    assert all(form["TimeLimit"] == [str(CALL_S)] for form in twilio.rest.creates)
    assert max((call.record.duration_ms for call in twilio.calls), default=0) <= CALL_S * 1000


@pytest.mark.parametrize("case", CASES, ids=[f"{case.id}-{case.word}-{n}" for n, case in enumerate(CASES)])
async def test_the_answer_and_its_settings(case: Case, autojump_clock, no_threads) -> None:
    host = "LocalHost" if case.word == "other_spelling" else "127.0.0.1"
    async with deployment(case, host) as (twilio, config):
        result = await ask(case.id, config)
        await trio.sleep(1)
        nothing_is_left(twilio, BY_ID[case.id].bound.calls)
    assert (result.status, result.word) == (ANSWERED, case.word), result.seen
    place = {"url": config.server.public_url, "port": config.server.port}
    wanted = {
        key: value.format(**place) if isinstance(value, str) else value
        for key, value in case.settings.items()
    }
    check_report(result, BY_ID[case.id], config, wanted)


def test_each_possible_answer_has_a_simulator() -> None:
    possible = {(each.id, word) for each in BY_ID.values() for word in each.answers}
    assert {(case.id, case.word) for case in CASES} == possible
