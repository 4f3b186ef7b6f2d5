"""The day's money beside the phone, and what the log is told: alarms and badly laid out prompts."""

from __future__ import annotations

import json
import logging
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Config, ConfigError, Note
from llcphone.engine.notes import CallerSaid, DeadAir, SessionReady, Tokens
from llcphone.phone.call_warnings import CallWarnings
from llcphone.phone.day_budget import DayBudget
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.prompt_cache import compare

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

NOON = 1_800_014_400.0
DAY = 86_400


class Clock:
    """A wall clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def spending(clock: Clock, path: Path | None = None, budget_usd: float = 0.0) -> DayBudget:
    money = {"day_budget_usd": budget_usd, "state_file": str(path or "")}
    return DayBudget(Config.from_dict({"money": money}).money, clock)


def call(name: str = "c1", cost_usd: float | None = None) -> Any:
    return SimpleNamespace(call_id=name, record=SimpleNamespace(cost_usd=cost_usd))


def costs(usd: float | None) -> Note:
    return Tokens(usd, usd, of_turn=True, cached_share=0.0)


def test_money_counts_with_every_response_and_not_only_when_a_call_ends() -> None:
    spent = spending(Clock(), budget_usd=1.0)
    spent.noted(call(), costs(0.6))
    assert not spent.over
    spent.noted(call("c2"), costs(0.4))
    assert spent.over
    assert spent.today_usd == pytest.approx(1.0)


def test_the_end_of_a_call_adds_what_no_note_had_told_and_nothing_twice() -> None:
    spent = spending(Clock())
    spent.noted(call(), costs(0.3))
    spent.ended(call(cost_usd=0.5))
    spent.ended(call("c2", cost_usd=0.25))
    spent.noted(call("c3"), costs(0.1))
    spent.ended(call("c3", cost_usd=0.1))
    assert spent.today_usd == pytest.approx(0.85)


def test_an_unknown_cost_is_no_sum() -> None:
    spent = spending(Clock(), budget_usd=0.01)
    spent.noted(call(), costs(None))
    spent.ended(call())
    assert spent.today_usd == 0
    assert not spent.over


def test_midnight_begins_anew() -> None:
    clock = Clock()
    spent = spending(clock, budget_usd=1.0)
    spent.noted(call(), costs(2.0))
    clock.now += DAY
    assert not spent.over
    spent.noted(call(), costs(0.5))
    assert spent.today_usd == 0.5


def test_no_budget_is_never_spent() -> None:
    spent = spending(Clock())
    spent.noted(call(), costs(1e6))
    assert not spent.over


def test_the_log_is_told_once_that_the_day_is_over(caplog) -> None:
    spent = spending(Clock(), budget_usd=1.0)
    for _ in range(3):
        spent.noted(call(), costs(2.0))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def let_threads_work(clock: MockClock) -> None:
    """Time must not jump while a thread writes: it knows nothing of threads."""
    clock.autojump_threshold = 0.05


async def test_the_days_money_survives_a_restart(
    autojump_clock: MockClock, no_threads: None, tmp_path: Path
) -> None:
    let_threads_work(autojump_clock)
    path, clock = tmp_path / "spent.json", Clock()
    async with trio.open_nursery() as nursery:
        spent = spending(clock, path)
        nursery.start_soon(spent.run)
        spent.noted(call(), costs(0.75))
        await trio.sleep(0.1)
        spent.noted(call(), costs(0.5))
        nursery.cancel_scope.cancel()  # the last write is made all the same
    again = spending(clock, path, budget_usd=1.0)
    assert again.today_usd == 1.25
    assert again.over
    assert os.listdir(tmp_path) == ["spent.json"]
    clock.now += DAY
    assert not spending(clock, path, budget_usd=1.0).over


async def test_the_file_is_written_while_calls_go_on_but_not_for_every_response(
    autojump_clock: MockClock, no_threads: None, tmp_path: Path, monkeypatch
) -> None:
    let_threads_work(autojump_clock)
    written: list[str] = []
    monkeypatch.setattr("llcphone.phone.day_budget._replace", lambda path, text: written.append(text))
    async with trio.open_nursery() as nursery:
        spent = spending(Clock(), tmp_path / "spent.json")
        nursery.start_soon(spent.run)
        for _ in range(10):
            for _ in range(10):
                spent.noted(call(), costs(0.01))
            await trio.sleep(0.4)
        await trio.sleep(2)
        assert 2 <= len(written) <= 6
        assert json.loads(written[-1])["usd"] == pytest.approx(1.0)
        nursery.cancel_scope.cancel()


async def test_a_disk_that_fails_is_logged_once_and_money_is_still_counted(
    autojump_clock: MockClock, tmp_path: Path, caplog
) -> None:
    let_threads_work(autojump_clock)
    async with trio.open_nursery() as nursery:
        spent = spending(Clock(), tmp_path / "missing" / "spent.json", budget_usd=1.0)
        nursery.start_soon(spent.run)
        for _ in range(3):
            spent.noted(call(), costs(0.5))
            await trio.sleep(2)
        nursery.cancel_scope.cancel()
    assert spent.over
    assert [record.event for record in caplog.records if record.levelname == "ERROR"] == [
        "the day's cost is not written"
    ]


@pytest.mark.parametrize("text", ["", "{}", '{"day": "2026-11-21", "usd": "much"}', "[1]"])
def test_a_file_that_cannot_be_read_is_a_wrong_setting_not_an_empty_day(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spent.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        spending(Clock(), path)
    assert refusal.value.key == "money.state_file"


# -- the layout of prompts ------------------------------------------------------------------------

STATIC = "You answer the telephone of a bakery. Be brief and friendly, and offer bread of yesterday. " * 4


def prompt(text: str, *tools: str) -> dict[str, Any]:
    return {"instructions": text, "tools": [{"name": name} for name in tools]}


def test_what_is_of_one_call_may_stand_last() -> None:
    layout = compare(prompt(f"{STATIC}The caller is Ann."), prompt(f"{STATIC}The caller is Bob."))
    assert not layout.is_wrong
    assert layout.same_tokens >= len(STATIC) // 4


def test_what_is_of_one_call_must_not_stand_before_what_is_static() -> None:
    layout = compare(prompt(f"It is 10:31. {STATIC}"), prompt(f"It is 11:47. {STATIC}"))
    assert layout.is_wrong
    assert layout.misplaced_tokens >= len(STATIC) // 4
    assert layout.same_tokens < 5


def test_a_closing_sentence_is_not_worth_a_word() -> None:
    assert not compare(prompt(f"{STATIC}Ann. Speak French."), prompt(f"{STATIC}Bob. Speak French.")).is_wrong


def test_tools_stand_before_all_text_so_other_tools_spoil_all_of_it() -> None:
    layout = compare(prompt(STATIC, "look_up"), prompt(STATIC, "look_up", "book"))
    assert (layout.same_tokens, layout.is_wrong) == (0, True)
    assert layout.misplaced_tokens == compare(prompt(STATIC), prompt(STATIC)).same_tokens


def test_two_equal_prompts_have_nothing_in_the_wrong_place() -> None:
    assert compare(prompt(STATIC, "a"), prompt(STATIC, "a")).misplaced_tokens == 0
    assert compare({}, {}).misplaced_tokens == 0


# -- the log --------------------------------------------------------------------------------------


def ready(name: str, session: dict[str, Any], dialect: Dialect = Dialect.GA) -> Any:
    setup, status = SimpleNamespace(session=session), SimpleNamespace(dialect=dialect)
    run = SimpleNamespace(agent=SimpleNamespace(name=name, settings={}), setup=setup, status=status)
    return SimpleNamespace(call_id="c1", run=run)


READY = SessionReady(1)


def test_a_badly_laid_out_prompt_is_told_once_per_agent_and_never_quoted(caplog) -> None:
    watch = CallWarnings()
    for minute in range(10, 15):
        for name in ("baker", "butcher"):
            watch.noted(ready(name, prompt(f"It is 10:{minute}. {STATIC}")), READY)
    watch.noted(ready("florist", prompt(STATIC)), READY)
    watch.noted(ready("florist", prompt(STATIC)), READY)
    assert [getattr(record, "agent", "") for record in caplog.records] == ["baker", "butcher"]
    assert not any("bakery" in str(vars(record)) for record in caplog.records)


def test_an_alarm_is_a_warning_with_its_figures(caplog) -> None:
    CallWarnings().noted(ready("a", {}), DeadAir(3_000, "tools"))
    CallWarnings().noted(ready("a", {}), CallerSaid("u1", "my secret"))
    (record,) = caplog.records
    assert (record.levelno, record.event) == (logging.WARNING, "dead air")
    assert (vars(record)["ms"], vars(record)["because"], vars(record)["call"]) == (3_000, "tools", "c1")


def test_a_key_that_the_dialect_has_no_place_for_is_told_once(caplog) -> None:
    watch = CallWarnings()
    for _ in range(2):
        watch.noted(ready("a", {"prompt_cache_key": "k"}, Dialect.FLAT), READY)
        assert not caplog.records
    for _ in range(2):
        watch.noted(ready("a", {"prompt_cache_key": "k"}), READY)
    assert [vars(record)["setting"] for record in caplog.records] == ["prompt_cache_key"]
