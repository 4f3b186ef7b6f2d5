"""How much is read of live calls, and how much at a time; calls and rows are stand-ins here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
import trio

from llcphone.config.console import ConsoleConfig
from llcphone.console import table as table_module
from llcphone.console.table import EVERY, LATER, SLICE, Table
from llcphone.console.watch import FIRST_LINES, FIRST_TURNS, LATE_LINES, LATE_TURNS, Watch
from llcphone.engine.notes import AgentSpeaks, FloorMoved, Tokens
from llcphone.engine.resumed import Speaker
from llcphone.engine.status import SpokenLine


@attrs.define
class Reads:
    """Stands in for `row_of`: which calls were read."""

    ids: list[str] = attrs.field(factory=list)
    usd: dict[str, float] = attrs.field(factory=dict)

    def __call__(self, call: Any, config: ConsoleConfig, now_ms: int, *, before: Any) -> Any:
        self.ids.append(call.call_id)
        return SimpleNamespace(id=call.call_id, gap_ms=None, turns=0, usd=self.usd.get(call.call_id, 0.0))

    def taken(self) -> list[str]:
        ids, self.ids = self.ids, []
        return ids


def table_of(calls: list[str], monkeypatch: Any) -> tuple[Table, Reads]:
    reads = Reads()
    monkeypatch.setattr(table_module, "row_of", reads)
    phone: Any = SimpleNamespace(calls=lambda: [SimpleNamespace(call_id=call_id) for call_id in calls])
    return Table(phone, ConsoleConfig()), reads


async def test_a_row_is_read_after_a_note_of_its_call_and_else_seldom(monkeypatch: Any) -> None:
    calls = [f"{number:016x}" for number in range(200)]
    table, reads = table_of(calls, monkeypatch)
    changed, gone = await table.look()
    assert ([row.id for row in changed], gone) == (calls, [])
    assert reads.taken() == calls, "a new call is read at once"
    for _ in range(EVERY):
        assert await table.look() == ([], [])
    assert sorted(reads.taken()) == calls, "each once in so many looks"
    for note, looks in (
        (FloorMoved("agent"), [1]),
        (AgentSpeaks(300), [1, LATER]),
        (Tokens(0.01, 0.5, of_turn=True, cached_share=0.0), [LATER]),
    ):
        await table.look(whole=True)
        reads.taken()
        table.noted(calls[7], note)
        reads.usd[calls[7]] = reads.usd.get(calls[7], 0.0) + 0.5
        seen = [(await table.look(), reads.taken()) for _ in range(EVERY - 1)]
        read_in = [look for look, (_, ids) in enumerate(seen, 1) if ids]
        assert read_in == looks, f"{note}: no other row is read, and this one no more often"
        assert [row.id for (changed, _), _ in seen for row in changed] == [calls[7]]
    await table.look(whole=True)
    table.noted(calls[3], FloorMoved("caller"))
    await table.look()
    reads.taken()
    for _ in range(EVERY - 1):
        await table.look()
    assert sorted(reads.taken()) == [*calls[:3], *calls[4:]], "a row that was read meanwhile is not due yet"
    del calls[7]
    assert await table.look(whole=True) == ([], [f"{7:016x}"])
    assert len(table.rows) == len(reads.taken()) == 199


async def test_a_few_rows_are_read_between_two_turns_of_other_tasks(monkeypatch: Any) -> None:
    calls = [f"{number:016x}" for number in range(5 * SLICE)]
    table, reads = table_of(calls, monkeypatch)
    held: list[int] = []

    async def other(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        while True:
            held.append(len(reads.taken()))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        await nursery.start(other)
        await table.look()
        nursery.cancel_scope.cancel()
    assert max(held) <= 2 * SLICE, "Trio wakes tasks in any order, each once in a turn"
    assert sum(held) + len(reads.ids) == len(calls)


def test_a_long_call_is_shown_from_its_end_a_little_at_a_time() -> None:
    lines = [
        SpokenLine(f"i{at}", Speaker.CALLER, at, "Yes.", "Yes.", sounds=False, heard_whole=True, cut=False)
        for at in range(300)
    ]
    turns = [{"index": at} for at in range(1, 101)]

    def part(of: list[Any], last: int, skip: int = 0) -> tuple[Any, ...]:
        end = max(0, len(of) - skip)
        return tuple(of[max(0, end - last) : end])

    run = SimpleNamespace(
        turns=lambda last, skip=0: part(turns, last, skip), lines=lambda last, skip=0: part(lines, last, skip)
    )
    call: Any = SimpleNamespace(run=run, record=None)
    watch = Watch(call, words=True)
    looks = [watch.news(words=True)]
    assert looks[0][-1][1]["item"] == "i299", "what is said now comes first"
    while watch.behind:
        looks.append(watch.news(words=True))
    assert max(map(len, looks)) <= LATE_TURNS + LATE_LINES
    seen = [fields for look in looks for _, fields in look]
    items = [each["item"] for each in seen if "item" in each]
    assert len(items) == len(set(items))
    assert FIRST_LINES <= len(items) < FIRST_LINES + LATE_LINES
    assert FIRST_TURNS <= len(seen) - len(items) < FIRST_TURNS + LATE_TURNS
    assert watch.news(words=True) == []
    lines.append(attrs.evolve(lines[0], item_id="i300"))
    assert [fields["item"] for _, fields in watch.news(words=True)] == ["i300"]
    assert watch.news(words=False) == []
    assert len(watch.news(words=True)) == LATE_LINES, "what was hidden comes anew"
