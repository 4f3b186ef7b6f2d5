"""Each question to GPT-Live, asked of simulators that answer it in each possible way."""

from __future__ import annotations

import math

import pytest
import trio
from attrs import field, frozen

from llcphone.certify.live.session import live_url
from llcphone.certify.plan import QUESTIONS, plan, usual_parts
from llcphone.certify.question import Part
from llcphone.certify.results import ANSWERED, UNANSWERED, Result
from llcphone.certify.run import Run, _asked, started
from llcphone.certify.site import Site
from llcphone.certify.talk import Allowance
from llcphone.config import Config
from llcphone.sim.live import Assumptions, Faults, LiveScript, LiveSimulator, Pace, open_live
from llcphone.testing import rehearsal_config
from tests.certify.saying import check_report

BY_ID = {each.id: each for each in QUESTIONS if each.part is Part.LIVE}
REFUSED = Faults(refuse_start="invalid_model")
LONGEST = {"call.max_duration_s": 3600.0}


@frozen(kw_only=True)
class Case:
    """A simulator, and what is to be found of it."""

    id: str
    word: str
    settings: dict = field(factory=dict)
    assumes: Assumptions = field(factory=Assumptions)
    faults: object = None
    pace: Pace = field(factory=Pace)
    barge_ins: tuple = ()


def lasts(seconds: float) -> Faults:
    return Faults(expire_after_s=seconds)


VOICES = frozenset({"cedar"})
CASES = [
    Case(id="live_models", word="both", settings={"realtime.model": "gpt-live-1.1"}),
    Case(
        id="live_models",
        word="newer_only",
        settings={"realtime.model": "gpt-live-1.1"},
        faults=[Faults(), REFUSED],
    ),
    Case(
        id="live_models",
        word="older_only",
        settings={"realtime.model": "gpt-live-1"},
        faults=[Faults(wrong_format=True)],
    ),
    Case(id="live_models", word="none", faults=REFUSED),
    Case(id="live_greeting", word="commentary"),
    Case(id="live_greeting", word="instructions", pace=Pace(commentary_ms=3000, instructions_ms=900)),
    Case(id="live_greeting", word="commentary_only", assumes=Assumptions(mute_voices=VOICES)),
    Case(id="live_greeting", word="instructions_only", faults=Faults(mute_greetings=1)),
    Case(id="live_greeting", word="neither", faults=Faults(voiceless=True)),
    Case(id="live_history", word="silent"),
    Case(id="live_history", word="speaks", assumes=Assumptions(speaks_first=True)),
    Case(id="live_interruption", word="fast"),
    Case(id="live_interruption", word="slow", pace=Pace(yield_ms=1500)),
    Case(id="live_interruption", word="never", barge_ins=("talk on",)),
    Case(id="live_quiet", word="pure", settings={"live.quiet_steps": 8}),
    Case(id="live_quiet", word="near", settings={"live.quiet_steps": 8}, assumes=Assumptions(quiet="noise")),
    Case(id="live_quiet", word="noisy", settings={"live.quiet_steps": 12}, assumes=Assumptions(quiet="hiss")),
    Case(id="live_quiet", word="loud", assumes=Assumptions(quiet="hum")),
    Case(id="live_jitter", word="within_cushion", settings={"live.cushion_ms": 160}),
    Case(
        id="live_jitter",
        word="beyond_cushion",
        settings={"live.cushion_ms": 360},
        faults=Faults(hold_every_ms=2000, hold_ms=360),
    ),
    Case(id="live_burst", word="at_once"),
    Case(id="live_burst", word="paced", assumes=Assumptions(burst="real time")),
    Case(id="live_burst", word="dropped", assumes=Assumptions(burst="dropped")),
    Case(id="live_early_audio", word="refused"),
    Case(id="live_early_audio", word="heard", assumes=Assumptions(early_audio="kept")),
    Case(id="live_early_audio", word="lost", assumes=Assumptions(early_audio="lost")),
    Case(id="live_word_times", word="equal"),
    Case(id="live_word_times", word="later", assumes=Assumptions(words_later_ms=700)),
    Case(id="live_word_times", word="earlier", assumes=Assumptions(words_later_ms=-700)),
    Case(id="live_expiry", word="two_hours", settings=LONGEST),
    Case(id="live_expiry", word="shorter", settings={"call.max_duration_s": 1740.0}, faults=lasts(1800)),
    Case(id="live_expiry", word="longer", settings=LONGEST, faults=lasts(14_400)),
    Case(
        id="live_expiry",
        word="not_announced",
        settings=LONGEST,
        faults=Faults(odd={"session.started": {"session.expires_at": ...}}),
    ),
    Case(id="live_idle", word="31_seconds"),
    Case(id="live_idle", word="sooner", pace=Pace(no_audio_s=12)),
    Case(id="live_idle", word="later", pace=Pace(no_audio_s=45)),
    Case(id="live_idle", word="later", pace=Pace(no_audio_s=600)),
    Case(id="live_unstarted", word="kept"),
    Case(id="live_unstarted", word="closed", assumes=Assumptions(unstarted_s=30)),
    Case(id="live_unstarted", word="unusable", faults=REFUSED),
    Case(id="live_backend_bytes", word="as_expected", settings={"live.backend_bytes": 32_768}),
    Case(
        id="live_backend_bytes",
        word="less",
        settings={"live.backend_bytes": 8_192},
        faults=Faults(buffer_bytes=8_192),
    ),
    Case(
        id="live_backend_bytes",
        word="more",
        settings={"live.backend_bytes": 40_960},
        faults=Faults(buffer_bytes=1_000_000),
    ),
    Case(id="live_late_calls", word="refused"),
    Case(id="live_late_calls", word="taken", assumes=Assumptions(takes_calls=True)),
    Case(id="live_append_limit", word="fits"),
    Case(id="live_append_limit", word="too_long", assumes=Assumptions(append_tokens=400)),
    Case(id="live_close", word="closed"),
    Case(id="live_close", word="socket_stays_open", assumes=Assumptions(stays_open=True)),
    Case(id="live_close", word="not_answered", faults=Faults(stall_after_ms=500)),
    Case(id="live_fixture", word="played"),
    Case(id="live_fixture", word="not_heard", assumes=Assumptions(recordings="silent")),
    Case(id="live_fixture", word="refused", assumes=Assumptions(recordings="refused")),
    Case(id="live_pings", word="answered"),
    Case(id="live_pings", word="not_answered", faults=Faults(ignore_pings=True)),
]


def settings_of(live: LiveSimulator) -> Config:
    return rehearsal_config(live.url.replace("/live/sessions", "/realtime"))


async def ask(name: str, live: LiveSimulator) -> Result:
    site = Site(config=settings_of(live))
    site.seconds = Allowance(BY_ID[name].bound.live_s)
    return await _asked(BY_ID[name], site)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.id}-{case.word}-{n}" for n, case in enumerate(CASES)])
async def test_the_answer_and_its_settings(case: Case, autojump_clock, no_threads) -> None:
    script = LiveScript(barge_ins=case.barge_ins)
    async with open_live(script, assumes=case.assumes, faults=case.faults, pace=case.pace) as live:
        result = await ask(case.id, live)
        billed_s = sum(math.ceil(session.seconds) for session in live.sessions)
        assert billed_s <= BY_ID[case.id].bound.live_s
        await trio.sleep(6)  # a simulator that is stalled learns late that its client has left
        assert live.live_sessions == 0
        assert not any(session.backend.responses for session in live.sessions), "no tokens of the backend"
    assert (result.status, result.word) == (ANSWERED, case.word), result.seen
    check_report(result, BY_ID[case.id], settings_of(live), case.settings)


def test_each_possible_answer_has_a_simulator() -> None:
    possible = {(each.id, word) for each in BY_ID.values() for word in each.answers}
    assert {(case.id, case.word) for case in CASES} == possible


async def test_no_answer_is_said_to_be_none(autojump_clock, no_threads) -> None:
    async with open_live(faults=Faults(refuse_status=401)) as live:
        for name in set(BY_ID) - {"live_models"}:
            result = await ask(name, live)
            assert (result.status, result.seen) == (UNANSWERED, "http_401"), name


async def test_a_session_that_nobody_agreed_to_pay_for_is_not_opened(autojump_clock, no_threads) -> None:
    async with open_live() as live:
        site = Site(config=settings_of(live))
        site.seconds = Allowance(10)
        result = await _asked(BY_ID["live_quiet"], site)
        assert live.connections == 0
    assert (result.status, result.seen) == (UNANSWERED, "bound_reached")


async def test_nothing_personal_is_kept_of_a_session(tmp_path, autojump_clock, no_threads) -> None:
    async with open_live(LiveScript(hears=["My name is Xavier Canary"])) as live:
        site = Site(config=settings_of(live))
        chosen = plan(["live_burst", "live_greeting"])
        run = Run(plan=chosen, site=site, folder=tmp_path, report=started(chosen, site), tell=lambda _: None)
        await run.ask_all()
        ids = {session.config["id"] for session in live.sessions}
    assert not run.report.left
    written = "".join(path.read_text() for path in tmp_path.rglob("*.*"))
    assert '"session.input_transcript.delta"' in written
    for private in (site.config.realtime.api_key, "Canary", "Xavier", *ids):
        assert private not in written


def test_the_bound_is_the_price_of_every_second() -> None:
    config = rehearsal_config("ws://127.0.0.1:1/v1/realtime")
    assert plan(["live_quiet"]).most_usd(config) == pytest.approx(48 / 60 * 0.05)
    assert 0.3 < (plan(["live"]).most_usd(config) or 0) < 1.5


def test_live_is_asked_where_it_is_used() -> None:
    live = Config.from_dict({"realtime": {"protocol": "live"}})
    assert usual_parts(live) == ["live"]
    assert usual_parts(Config()) == ["model"]
    assert live_url(live.realtime.url) == live.realtime.url
    assert live_url(Config().realtime.url) == live.realtime.url
