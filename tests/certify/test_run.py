"""A whole run: consent, report, fixtures, comparison, and what a cut run leaves."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from attrs import evolve

from llcphone.certify.plan import QUESTIONS, Plan, lines, plan
from llcphone.certify.results import ANSWERED, NOT_ASKED, UNANSWERED, Report, Result, decode
from llcphone.certify.run import Run, last_reports, started
from llcphone.certify.site import Site
from llcphone.cli.certify import certify
from llcphone.errors import ConfigError
from llcphone.realtime.decode import decode as decode_event
from llcphone.realtime.events import AudioDelta
from llcphone.sim.model import Faults, ModelScript, ModelSimulator, Say, Unknowns, open_model
from llcphone.testing import NUMBER, rehearsal_config, write_toml
from tests.certify.test_telephone_questions import deployment, nothing_is_left

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-secret-0123456789abcdefghij"
ORGANIZATION = "org-Canary99"
WORDS = "Mister Xavier lives at Canary Wharf"
SHORT = ("dialect", "expiry", "control_frames", "truncate")
LATER = itertools.count(0, 2)
"""Every run of these tests begins two seconds after the one before."""


def site_of(endpoint: ModelSimulator, **realtime: Any) -> Site:
    secrets = {"api_key": KEY, "organization": ORGANIZATION}
    later_s = next(LATER)
    return Site(
        config=rehearsal_config(endpoint.url, {"realtime": secrets | realtime}),
        now=lambda: time.time() + later_s,
    )


def run_of(site: Site, base: Path, chosen: Plan, report: Report | None = None, **more: Any) -> Run:
    report = report or started(chosen, site)
    folder = base / report.date.replace(":", "-")
    told: list[str] = []
    return Run(plan=chosen, site=site, folder=folder, report=report, tell=told.append, **more)


def by_id(report: Report) -> dict[str, Result]:
    return {each.id: each for each in report.results}


async def test_a_run_leaves_a_report_with_answers_and_settings(tmp_path: Path, autojump_clock) -> None:
    async with open_model(unknowns=Unknowns(announces_s=None)) as model:
        run = run_of(site_of(model), tmp_path, plan(SHORT))
        await run.ask_all()
    read = decode((run.folder / "report.json").read_bytes())
    assert read is not None
    assert read.finished
    assert [each.status for each in read.results] == [ANSWERED] * len(SHORT)
    text = (run.folder / "report.md").read_text()
    assert '`realtime.dialect = "ga"` (now `"auto"`)' in text
    assert "It decides no setting." in text
    assert "There is no earlier report." in text


async def test_nothing_personal_is_in_the_folder_and_fixtures_decode(tmp_path: Path, autojump_clock) -> None:
    async with open_model(ModelScript(otherwise=Say(WORDS))) as model:
        run = run_of(site_of(model), tmp_path, plan(["dialect", "truncate", "priming"]))
        await run.ask_all()
        ids = {session.config["id"] for session in model.sessions}
    written = "".join(path.read_text() for path in run.folder.rglob("*.*"))
    for canary in (KEY, ORGANIZATION, *ids, *WORDS.split()[1:2], "Canary", "127.0.0.1"):
        assert canary not in written
    fixture = [
        json.loads(line) for line in (run.folder / "fixtures" / "truncate.jsonl").read_text().splitlines()
    ]
    assert {each["way"] for each in fixture} == {"sent", "received"}
    received = [
        decode_event(json.dumps(each["event"]).encode()) for each in fixture if each["way"] == "received"
    ]
    sounds = [event for event in received if isinstance(event, AudioDelta)]
    assert sounds
    assert all(len(event.payload) > 8 for event in sounds)
    items = {event.item_id for event in sounds}
    assert len(items) == 1
    sent = [each["event"] for each in fixture if each["event"]["type"] == "conversation.item.truncate"]
    assert sent[0]["item_id"] in items, "the same id is replaced by the same"


async def test_the_report_says_what_changed(tmp_path: Path, autojump_clock) -> None:
    async with open_model() as model:
        first = run_of(site_of(model), tmp_path, plan(SHORT))
        await first.ask_all()
        model.unknowns = Unknowns(refused_truncate="removes", announces_s=1800)
        other = run_of(site_of(model), tmp_path, plan(["ulaw"]))
        await other.ask_all()
        former = [report for _, report in last_reports(tmp_path)]
        second = run_of(site_of(model, model="gpt-realtime-2.1"), tmp_path, plan(SHORT), former=former)
        await second.ask_all()
    text = (second.folder / "report.md").read_text()
    assert f"- expiry: shorter, but 60_minutes on {first.report.date}\n" in text
    assert f"- truncate: removed, but unchanged on {first.report.date}\n" in text
    assert f"- the model: gpt-realtime-2.1, but gpt-realtime-1.5 on {other.report.date}\n" in text
    assert "- 2 answers are the same as before" in text
    dates = [report.date for _, report in last_reports(tmp_path)]
    assert dates == [first.report.date, other.report.date, second.report.date]


async def test_a_cut_run_has_a_report_and_is_continued(tmp_path: Path, autojump_clock) -> None:
    async with open_model() as model:
        run = run_of(site_of(model), tmp_path, plan(SHORT))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run.ask_all)
            await (await model.session(5)).receives("conversation.item.create")
            nursery.cancel_scope.cancel()
        ((_, cut),) = last_reports(tmp_path)
        assert not cut.finished
        assert by_id(cut)["truncate"].status == NOT_ASKED
        assert "The run was cut short" in (run.folder / "report.md").read_text()
        sessions = len(model.sessions)
        again = run_of(site_of(model), tmp_path, plan([each.id for each in cut.results]), cut)
        await again.ask_all()
        assert again.folder == run.folder
        assert len(model.sessions) == sessions + 2, (
            "the dialect and one question: what has an answer is not asked again"
        )
    ((_, whole),) = last_reports(tmp_path)
    assert whole.finished
    assert not whole.left


async def test_more_responses_than_were_agreed_to_are_not_asked_for(tmp_path: Path, autojump_clock) -> None:
    question = next(each for each in QUESTIONS if each.id == "priming")
    mean = evolve(question, bound=evolve(question.bound, responses=4))
    async with open_model() as model:
        run = run_of(site_of(model), tmp_path, Plan((mean,)))
        await run.ask_all()
        assert sum(len(session.responses) for session in model.sessions) == 4
    result = by_id(run.report)["priming"]
    assert (result.status, result.seen) == (UNANSWERED, "bound_reached")


async def test_a_fault_of_ours_costs_one_question(tmp_path: Path, autojump_clock) -> None:
    async def broken(site: Site) -> Any:
        raise ZeroDivisionError

    first, second = plan(["expiry", "truncate"]).questions
    async with open_model() as model:
        run = run_of(site_of(model), tmp_path, Plan((evolve(first, ask=broken), second)))
        await run.ask_all()
    results = by_id(run.report)
    assert results["expiry"].seen == "something unforeseen: ZeroDivisionError"
    assert results["truncate"].word == "unchanged"


def test_reports_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    for name, content in (("a", b"{"), ("b", b'{"format":99}'), ("c", b"[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_bytes(content)
    assert last_reports(tmp_path) == []


# -- the plan -----------------------------------------------------------------------------------


def test_the_plan_says_account_cost_and_place() -> None:
    config = rehearsal_config("ws://127.0.0.1:1/v1/realtime", {"realtime": {"api_key": KEY}})
    text = "\n".join(lines(plan(["model"]), config, "certification/x"))
    assert "the key that ends in …ghij" in text
    assert KEY not in text
    (usd,) = re.findall(r"at most \$(\d+\.\d\d) for the model", text)
    assert 0.05 < float(usd) < 1.00
    assert "certification/x/report.md" in text
    unknown = rehearsal_config("ws://127.0.0.1:1/v1/realtime", {"realtime": {"model": "mine"}})
    assert "Cost:    unknown for the model" in "\n".join(lines(plan(), unknown, "x"))


def test_the_bound_is_the_price_of_every_response_at_its_longest() -> None:
    config = rehearsal_config("ws://127.0.0.1:1/v1/realtime")
    # 15 responses of 100 tokens of audio at $64, each with 200 tokens of text at $4 a million
    assert plan(["priming"]).most_usd(config) == pytest.approx(15 * (100 * 64 + 200 * 4) / 1e6)
    assert plan(["expiry"]).most_usd(config) == 0


def test_long_questions_are_asked_only_on_request() -> None:
    assert "lifetime" not in [each.id for each in plan().questions]
    assert "lifetime" in [each.id for each in plan(long=True).questions]
    assert [each.id for each in plan(["lifetime"]).questions] == ["lifetime"]
    with pytest.raises(ConfigError, match="no question nothing"):
        plan(["nothing"])


# -- the command --------------------------------------------------------------------------------


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("OPENAI_API_KEY", "TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "llcphone.toml"


def write_settings(model: ModelSimulator, file: Path) -> Path:
    write_toml(file, {"realtime": {"url": model.url, "api_key": KEY}})
    return file


async def command(model: ModelSimulator, file: Path, **how: Any) -> int:
    with pytest.raises(SystemExit) as left:
        await certify(config=write_settings(model, file), **how)
    assert isinstance(left.value.code, int)
    return left.value.code


async def test_without_a_terminal_and_yes_nothing_is_sent(settings_file: Path, capsys) -> None:
    async with open_model() as model:
        assert await command(model, settings_file) == 2
        assert model.connections == 0
    out = capsys.readouterr().out
    assert "at most $" in out
    assert "Nothing was sent" in out
    assert not (settings_file.parent / "certification").exists()


@pytest.mark.parametrize(("typed", "code"), [("yes", 0), ("y", 2), ("", 2)])
async def test_a_person_has_to_type_yes(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: typed)
    async with open_model() as model:
        assert await command(model, settings_file, only=["expiry"]) == code
        assert bool(model.connections) is (code == 0)


async def test_the_exit_code_says_whether_all_was_answered(settings_file: Path, capsys) -> None:
    async with open_model(unknowns=Unknowns()) as model:
        assert await command(model, settings_file, only=["expiry"], yes=True, as_json=True) == 0
        read = decode(capsys.readouterr().out.encode())
        assert read is not None
        assert by_id(read)["expiry"].word == "60_minutes"
        model.key = "sk-another"
        assert await command(model, settings_file, only=["expiry"], yes=True) == 1


async def test_continue_needs_something_to_continue(settings_file: Path) -> None:
    async with open_model() as model:
        with pytest.raises(ConfigError, match="there is no report"):
            await certify(config=write_settings(model, settings_file), resume=True)
        assert await command(model, settings_file, only=["expiry"], yes=True) == 0
        with pytest.raises(ConfigError, match="has answered everything"):
            await certify(config=write_settings(model, settings_file), resume=True)


async def test_ctrl_c_leaves_a_report_and_exit_code_130(settings_file: Path) -> None:
    async with open_model() as model, trio.open_nursery() as nursery:

        async def interrupt() -> None:
            await (await model.session(3)).receives("session.update")
            os.kill(os.getpid(), signal.SIGINT)

        nursery.start_soon(interrupt)
        wanted = partial(command, model, settings_file, only=["expiry", "turn_detection"], yes=True)
        with trio.fail_after(60):
            assert await wanted() == 130
    ((_, report),) = last_reports(settings_file.parent / "certification")
    assert not report.finished
    assert by_id(report)["turn_detection"].status == NOT_ASKED


async def test_settings_that_fit_stay_as_they_are(tmp_path: Path, autojump_clock) -> None:
    async with open_model(faults=Faults(refuse_later=True)) as model:
        site = site_of(model, eagerness="low")
        site.config = evolve(site.config, warm=evolve(site.config.warm, max_age_s=1200.0))
        run = run_of(site, tmp_path, plan(["expiry", "eagerness"]))
        await run.ask_all()
    results = by_id(run.report)
    assert results["expiry"].settings["warm.max_age_s"] == 1200.0
    assert results["eagerness"].settings == {"realtime.eagerness_after": "low"}


async def test_an_event_that_cannot_be_read_is_passed_over(tmp_path: Path, autojump_clock) -> None:
    odd = {"session.updated": {"session": 12}, "session.created": {"session": ...}}
    async with open_model(faults=[Faults(), Faults(extra_events=True), Faults(odd=odd)]) as model:
        run = run_of(site_of(model, dialect="ga"), tmp_path, plan(["truncate", "expiry", "control_frames"]))
        await run.ask_all()
    words = {each.id: each.word or each.status for each in run.report.results}
    assert words["expiry"] == "60_minutes"


@pytest.mark.slow
async def test_both_accounts_answer_all_in_one_run(tmp_path: Path, autojump_clock, no_threads) -> None:
    async with open_model() as model, deployment() as (twilio, config):
        realtime = evolve(config.realtime, url=model.url)
        site = Site(config=evolve(config, realtime=realtime))
        run = run_of(site, tmp_path, plan(["model", "telephone"], to=NUMBER))
        await run.ask_all()
        await trio.sleep(1)
        nothing_is_left(twilio, 13)
        assert model.live_sessions == 0
    assert run.report.finished
    assert not run.report.left
    text = (run.folder / "report.md").read_text()
    assert "Of 20 questions, 20 were answered, 0 were asked without an answer." in text
    names = {path.stem for path in (run.folder / "fixtures").iterdir()}
    assert names == {each.id for each in run.plan.questions}
