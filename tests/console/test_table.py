"""How much is read of live calls, and how much at a time; calls and rows are stand-ins here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
import msgspec
import trio

from llcphone.config.console import ConsoleConfig
from llcphone.console import table as table_module
from llcphone.console.rows import Row
from llcphone.console.table import EVERY, LATER, SLICE, Table
from llcphone.console.watch import EVERY as RECHECKED
from llcphone.console.watch import FIRST_LINES, FIRST_TURNS, LATE_LINES, LATE_TURNS, Watch
from llcphone.engine.notes import AgentSpeaks, FloorMoved, Tokens, ToolBegun
from llcphone.engine.resumed import Speaker
from llcphone.engine.status import Floor, SpokenLine

ROW = Row(
    id="",
    direction="inbound",
    from_="…01",
    to="…02",
    agent="agent",
    state="talking",
    floor="nobody",
    since_s=0.0,
    turns=0,
    gap_ms=None,
    worst="",
    tools=(),
    usd=0.0,
    warm=True,
    approvals=(),
    attention="",
    silent_s=None,
)


@attrs.define
class Reads:
    """Stands in for `row_of`: which calls were read."""

    ids: list[str] = attrs.field(factory=list)
    now: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """By the call: what its row says now."""

    def __call__(self, call: Any, config: ConsoleConfig, now_ms: int, *, before: Row | None) -> Row:
        self.ids.append(call.call_id)
        return msgspec.structs.replace(ROW, id=call.call_id, **self.now.get(call.call_id, {}))

    def taken(self) -> list[str]:
        ids, self.ids = self.ids, []
        return ids


class Calls:
    """Stands in for a phone that has calls of these ids."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids

    @property
    def calls_by_id(self) -> dict[str, Any]:
        return {call_id: SimpleNamespace(call_id=call_id) for call_id in self.ids}


def table_of(calls: list[str], monkeypatch: Any) -> tuple[Table, Reads]:
    reads = Reads()
    monkeypatch.setattr(table_module, "row_of", reads)
    phone: Any = Calls(calls)
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
    for usd, note, looks in (
        (0.1, AgentSpeaks(300), [LATER]),
        (0.2, Tokens(0.1, 0.2, of_turn=True, cached_share=0.0), [LATER]),
        (0.3, ToolBegun("pay", "t1"), [1, LATER]),
    ):
        await table.look(whole=True)
        reads.taken()
        reads.now[calls[7]] = {"usd": usd}
        table.noted(calls[7], note)
        seen = [(await table.look(), reads.taken()) for _ in range(EVERY - 1)]
        read_in = [look for look, (_, ids) in enumerate(seen, 1) if ids]
        assert read_in == looks, f"{note}: no other row is read, and this one no more often"
        assert [(row.id, row.usd) for (changed, _), _ in seen for row in changed] == [(calls[7], usd)]
    await table.look(whole=True)
    table.noted(calls[3], ToolBegun("pay", "t1"))
    await table.look()
    reads.taken()
    for _ in range(EVERY - 1):
        await table.look()
    again = reads.taken()
    assert again.count(calls[3]) == 1, "its figures; a row that was read meanwhile is not due yet"
    assert sorted(set(again) - {calls[3]}) == [*calls[:3], *calls[4:]]
    del calls[7]
    assert await table.look(whole=True) == ([], [f"{7:016x}"])
    assert len(table.rows) == len(reads.taken()) == 199


async def test_no_row_is_read_because_the_floor_has_moved_unless_it_wants_attention(monkeypatch: Any) -> None:
    calls = ["a", "b"]
    table, reads = table_of(calls, monkeypatch)
    reads.now["b"] = {"attention": "dead air (model)", "silent_s": 1.0}
    await table.look()
    reads.taken()
    for call_id in ("a", "b", "unknown"):
        table.noted(call_id, FloorMoved("caller"))
        table.noted(call_id, FloorMoved("model thinking"))
    reads.now["b"] = {"floor": "thinking"}
    changed, gone = await table.look()
    assert ([(row.id, row.floor, row.attention) for row in changed], gone) == (
        [("a", "thinking", ""), ("b", "thinking", "")],
        [],
    )
    assert reads.taken() == ["b"]
    table.noted("a", FloorMoved("model thinking"))
    assert await table.look() == ([], [])
    table.noted("a", FloorMoved("caller"))
    del calls[0]
    assert await table.look() == ([], ["a"]), "a call that has ended is gone, and nothing else"


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
    run.status = SimpleNamespace(floor=Floor.NOBODY)
    call: Any = SimpleNamespace(run=run, record=None)
    watch = Watch(call, words=True)
    looks = [watch.news(words=True, noted=True)]
    assert looks[0][-1][1]["item"] == "i299", "what is said now comes first"
    while watch.behind:
        looks.append(watch.news(words=True, noted=True))
    assert max(map(len, looks)) <= LATE_TURNS + LATE_LINES
    seen = [fields for look in looks for _, fields in look]
    items = [each["item"] for each in seen if "item" in each]
    assert len(items) == len(set(items))
    assert FIRST_LINES <= len(items) < FIRST_LINES + LATE_LINES
    assert FIRST_TURNS <= len(seen) - len(items) < FIRST_TURNS + LATE_TURNS
    assert watch.news(words=True, noted=True) == []
    lines.append(attrs.evolve(lines[0], item_id="i300"))
    assert [fields["item"] for _, fields in watch.news(words=True, noted=True)] == ["i300"]
    assert watch.news(words=False, noted=True) == []
    assert len(watch.news(words=True, noted=True)) == LATE_LINES, "what was hidden comes anew"
    while watch.behind:
        watch.news(words=True, noted=True)
    # Without a note only what is being heard is read, and now and then all.
    lines.append(attrs.evolve(lines[0], item_id="i301"))
    turns.append({"index": 101})
    unnoted = [watch.news(words=True, noted=False) for _ in range(RECHECKED)]
    assert [kind for news in unnoted for kind, _ in news] == ["turn", "heard"]
    lines.append(attrs.evolve(lines[0], item_id="i302"))
    turns.append({"index": 102})
    run.status.floor = Floor.AGENT
    unnoted = [[kind for kind, _ in watch.news(words=True, noted=False)] for _ in range(RECHECKED)]
    assert unnoted[0] == ["heard"]
    assert sorted(kind for kinds in unnoted for kind in kinds) == ["heard", "turn"]
