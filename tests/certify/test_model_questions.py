"""Each question to the model, asked of simulators that answer it in each possible way."""

from __future__ import annotations

import pytest
from attrs import field, frozen

from llcphone.certify.plan import QUESTIONS
from llcphone.certify.question import Part
from llcphone.certify.results import ANSWERED, Result
from llcphone.certify.run import _asked
from llcphone.certify.site import Site
from llcphone.certify.talk import Allowance
from llcphone.price_lists import price_list
from llcphone.realtime.dialects import Dialect
from llcphone.sim.model import Faults, ModelSimulator, Pace, Unknowns, open_model
from llcphone.testing import rehearsal_config
from tests.certify.saying import check_report

BY_ID = {each.id: each for each in QUESTIONS if each.part is Part.MODEL}
OURS = "gpt-realtime-1.5"
OTHER = "gpt-realtime-2.1"
WRONG = Faults(wrong_format=True)
PCM = {"opening.priming_inbound": False, "opening.priming_outbound": False}


@frozen(kw_only=True)
class Case:
    """A simulator, and what is to be found of it."""

    id: str
    word: str
    settings: dict = field(factory=dict)
    unknowns: Unknowns = field(factory=Unknowns)
    faults: object = None
    pace: Pace = field(factory=Pace)
    dialects: str = "ga"


def ages(warm: float, renewal: float) -> dict:
    return {"warm.max_age_s": warm, "renewal.at_age_s": renewal, "call.max_duration_s": 3600.0}


def semantic(eagerness: str) -> dict:
    return {"realtime.turn_detection": "semantic_vad", "realtime.eagerness": eagerness}


def waits(high: int, medium: int, low: int) -> Pace:
    return Pace(silence_ms={"high": high, "medium": medium, "auto": medium, "low": low})


MODELS = len(price_list().models)
CASES = [
    Case(id="dialect", word="ga", settings={"realtime.dialect": "ga"}),
    Case(id="dialect", word="flat", settings={"realtime.dialect": "flat"}, dialects="flat"),
    Case(id="dialect", word="both", settings={"realtime.dialect": "auto"}, dialects="both"),
    Case(id="dialect", word="neither", faults=Faults(refuse_update="server_error")),
    Case(id="ulaw", word="all", settings={"realtime.model": OURS}),
    Case(id="ulaw", word="some", settings={"realtime.model": OURS}, faults=[Faults(), WRONG]),
    Case(id="ulaw", word="others", settings={"realtime.model": OTHER}, faults=[WRONG]),
    Case(
        id="ulaw",
        word="confirmed_only",
        settings={"realtime.model": OTHER},
        unknowns=Unknowns(says_pcm=True),
    ),
    Case(
        id="ulaw",
        word="confirmed_only",
        settings={"realtime.model": OTHER},
        unknowns=Unknowns(hears_pcm=True),
    ),
    Case(id="ulaw", word="none", faults=WRONG),
    Case(id="end_of_model", word="available", settings={"realtime.model": OURS}),
    Case(
        id="end_of_model",
        word="ends_soon",
        settings={"realtime.model": OTHER},
        unknowns=Unknowns(shutdown_dates={OURS: "2026-12-20"}),
    ),
    Case(
        id="end_of_model",
        word="gone",
        settings={"realtime.model": OTHER},
        unknowns=Unknowns(gone=frozenset({OURS})),
    ),
    Case(id="end_of_model", word="not_listed", dialects="flat"),
    Case(id="expiry", word="60_minutes", settings=ages(900.0, 3300.0)),
    Case(id="expiry", word="shorter", settings=ages(450.0, 1500.0), unknowns=Unknowns(announces_s=1800)),
    Case(id="expiry", word="longer", settings=ages(900.0, 3300.0), unknowns=Unknowns(announces_s=7200)),
    Case(id="expiry", word="not_announced", settings=ages(900.0, 3300.0), unknowns=Unknowns(announces_s=0)),
    Case(id="lifetime", word="60_minutes", settings=ages(900.0, 3300.0)),
    Case(id="lifetime", word="shorter", settings=ages(450.0, 1500.0), faults=Faults(expire_after_s=1800)),
    Case(id="lifetime", word="longer", settings=ages(900.0, 3300.0), faults=Faults(expire_after_s=7200)),
    Case(id="lifetime", word="longer", settings=ages(900.0, 3300.0), faults=Faults(expire_after_s=20_000)),
    Case(id="control_frames", word="both"),
    Case(id="control_frames", word="no_pong", faults=Faults(ignore_pings=True)),
    Case(id="control_frames", word="no_close", faults=Faults(never_answer_close=True)),
    Case(id="control_frames", word="neither", faults=Faults(ignore_pings=True, never_answer_close=True)),
    Case(
        id="cache",
        word="across_sessions",
        settings={"realtime.prompt_cache_key": None},
        unknowns=Unknowns(cache="account", cache_from=1024),
    ),
    Case(
        id="cache",
        word="within_a_session",
        settings={"realtime.prompt_cache_key": None},
        unknowns=Unknowns(cache="session"),
    ),
    Case(
        id="cache",
        word="within_a_session",
        settings={"realtime.prompt_cache_key": "llcphone"},
        unknowns=Unknowns(cache="session"),
        dialects="flat",
    ),
    Case(
        id="cache",
        word="never",
        settings={"realtime.prompt_cache_key": None},
        unknowns=Unknowns(cache="none"),
    ),
    Case(id="truncate", word="unchanged"),
    Case(id="truncate", word="changed", unknowns=Unknowns(refused_truncate="changes")),
    Case(id="truncate", word="removed", unknowns=Unknowns(refused_truncate="removes")),
    Case(id="truncate", word="accepted", unknowns=Unknowns(refused_truncate="accepts")),
    Case(
        id="priming",
        word="shorter",
        settings={"opening.priming_inbound": True, "opening.priming_outbound": True},
        pace=Pace(cold_ms=600),
    ),
    Case(id="priming", word="no_difference", settings=PCM),
    Case(id="priming", word="longer", settings=PCM, unknowns=Unknowns(later_ms=400)),
    Case(id="turn_detection", word="high", settings=semantic("high"), pace=waits(800, 1000, 1200)),
    Case(id="turn_detection", word="medium", settings=semantic("medium"), pace=waits(300, 800, 1200)),
    Case(id="turn_detection", word="low", settings=semantic("low"), pace=waits(300, 600, 820)),
    Case(
        id="turn_detection",
        word="server_vad",
        settings={"realtime.turn_detection": "server_vad", "realtime.vad_silence_ms": 900},
    ),
    Case(id="turn_detection", word="none", unknowns=Unknowns(hears_turns=False)),
    Case(id="eagerness", word="effective", settings={"realtime.eagerness_after": "medium"}),
    Case(
        id="eagerness",
        word="ignored",
        settings={"realtime.eagerness_after": "high"},
        unknowns=Unknowns(changes_eagerness=False),
    ),
    Case(
        id="eagerness",
        word="refused",
        settings={"realtime.eagerness_after": "high"},
        faults=Faults(refuse_later=True),
    ),
    Case(
        id="noise_reduction",
        word="helps",
        settings={"realtime.noise_reduction": "far_field"},
        unknowns=Unknowns(filter_db={"far_field": 6}),
    ),
    Case(id="noise_reduction", word="no_difference", settings={"realtime.noise_reduction": None}),
    Case(
        id="noise_reduction",
        word="misleads",
        settings={"realtime.noise_reduction": None},
        unknowns=Unknowns(filter_db={"near_field": 40, "far_field": 40}),
    ),
    Case(
        id="noise_reduction",
        word="refused",
        settings={"realtime.noise_reduction": None},
        faults=[Faults(), Faults(refuse_update="invalid_value")],
    ),
]


async def ask(name: str, model: ModelSimulator, dialect: Dialect = Dialect.GA) -> Result:
    question = BY_ID[name]
    site = Site(config=rehearsal_config(model.url), dialect=dialect)
    site.allowance = Allowance(question.bound.responses)
    result = await _asked(question, site)
    bound, used = question.bound, [each.usage for each in _responses(model)]
    assert len(used) <= bound.responses
    for each in used:
        assert each["output_tokens"] <= bound.output_tokens
        assert each["input_token_details"]["text_tokens"] <= bound.input_tokens * 2
        assert each["input_token_details"]["audio_tokens"] <= bound.input_audio_s * 10
    return result


def _responses(model: ModelSimulator) -> list:
    return [each for session in model.sessions for each in session.responses if each.usage]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.id}-{case.word}-{n}" for n, case in enumerate(CASES)])
async def test_the_answer_and_its_settings(case: Case, autojump_clock, no_threads) -> None:
    async with open_model(
        dialects=case.dialects, faults=case.faults, pace=case.pace, unknowns=case.unknowns
    ) as model:
        dialect = Dialect.FLAT if case.dialects == "flat" else Dialect.GA
        result = await ask(case.id, model, dialect)
    assert (result.status, result.word) == (ANSWERED, case.word), result.seen
    check_report(result, BY_ID[case.id], rehearsal_config(model.url), case.settings)


def test_each_possible_answer_has_a_simulator() -> None:
    possible = {(each.id, word) for each in BY_ID.values() for word in each.answers}
    assert {(case.id, case.word) for case in CASES} == possible


async def test_no_answer_is_said_to_be_none(autojump_clock) -> None:
    async with open_model(faults=Faults(refuse_status=401)) as model:
        for name in BY_ID:
            if name not in ("dialect", "ulaw"):
                result = await ask(name, model)
                assert (result.status, result.word) == ("unanswered", ""), name
