"""The list of calls: pages and filters, from the store and without one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from llcphone.errors import StoreUnavailable
from llcphone.store.history import History
from tests.server.api_stage import BUSY, TO, Api, code_of, open_api
from tests.store.store_kit import BORN_AT, record, written

if TYPE_CHECKING:
    from pathlib import Path

OFTEN = {"per_number_min_gap_s": 0.0, "per_number_per_day": 9}


def a_store(folder: Path) -> dict[str, str]:
    return {"url": f"sqlite:///{folder / 'phone.db'}"}


async def listed(api: Api, **parameters: Any) -> list[str]:
    answer = await api.get("/calls", params=parameters)
    assert answer.status_code == 200, answer.text
    return [view["id"] for view in answer.json()["calls"]]


async def all_pages(api: Api, **parameters: Any) -> list[list[str]]:
    pages = []
    while True:
        page = (await api.get("/calls", params=parameters)).json()
        pages.append([view["id"] for view in page["calls"]])
        if page["next"] is None:
            return pages
        parameters["cursor"] = page["next"]


async def test_the_list_comes_from_the_store_page_by_page_whoever_had_the_calls(tmp_path: Path) -> None:
    async with open_api(callee=BUSY, store=a_store(tmp_path), outbound=OFTEN) as api:
        store = api.stage.phone.store
        assert store is not None
        for number in range(5):
            fields = {"born_at": BORN_AT + number, "agent": "desk" if number % 2 else "sales"}
            store.put_call(record(f"c{number}", **fields), caller=TO, dialled="+15551230002")
        await written(store)
        ours = await api.place()
        await api.ended(ours)
        assert await all_pages(api, limit=4) == [[ours, "c4", "c3", "c2"], ["c1", "c0"]]
        assert await listed(api, agent="sales") == ["c4", "c2", "c0"]
        assert await listed(api, outcome="busy") == [ours]
        assert await listed(api, direction="inbound", limit=1) == ["c4"]
        assert await listed(api, **{"from": BORN_AT + 14, "to": BORN_AT + 16}) == ["c3", "c2"]
        mine, old, *_ = (await api.get("/calls")).json()["calls"]
        assert (mine["reason"], mine["state"]) == ("busy", "ended")
        assert mine["dialled_after_ms"] is not None  # this process remembers it
        assert (old["state"], old["from"], old["duration_s"], old["dialled_after_ms"]) == (
            "ended",
            "…99",
            12.5,
            None,
        )
        whole = (await api.get("/calls", params={"numbers": "1"})).text
        assert TO in whole


async def test_live_calls_come_first_and_are_counted_into_the_pages(tmp_path: Path) -> None:
    async with open_api(store=a_store(tmp_path)) as api:
        store = api.stage.phone.store
        assert store is not None
        store.put_call(record("old", born_at=BORN_AT))
        await written(store)
        first = await api.stage.ring(from_="+15551230001")
        second = await api.stage.ring(from_="+15551230003")
        newest, oldest = [call.call_id for call in reversed(api.stage.phone.calls())]
        assert await all_pages(api) == [[newest, oldest, "old"]]
        assert await all_pages(api, limit=2) == [[newest, oldest], ["old"]]
        assert await all_pages(api, limit=1) == [[newest], [oldest], ["old"]]
        assert await listed(api, outcome="caller hung up") == ["old"]
        assert await listed(api, direction="outbound") == []
        assert await listed(api, to=BORN_AT + 3_000) == ["old"]
        assert await listed(api, **{"from": time.time() - 60}) == [newest, oldest]
        for phone in (first, second):
            phone.hang_up()
            await phone.ended()


async def test_without_a_store_what_is_remembered_has_pages_too(autojump_clock: Any) -> None:
    async with open_api(callee=BUSY, outbound=OFTEN) as api:
        ids = []
        for _ in range(3):
            ids.append(await api.place())
            await api.ended(ids[-1])
        assert await all_pages(api, limit=2) == [ids[:0:-1], [ids[0]]]
        assert await listed(api, outcome="busy", agent="desk", direction="outbound") == ids[::-1]
        assert await listed(api, agent="sales") == []


async def test_a_store_that_gives_no_answer_is_no_empty_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_api(store=a_store(tmp_path)) as api:

        async def unreachable(*_: Any, **__: Any) -> None:
            raise StoreUnavailable("locked")

        monkeypatch.setattr(History, "find", unreachable)
        answer = await api.get("/calls")
        assert (answer.status_code, code_of(answer)) == (503, "store_unavailable")
        caller = await api.stage.ring()
        assert len(await listed(api, limit=1)) == 1  # the live ones need no store
        caller.hang_up()


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=ten",
        "limit=1&limit=2",
        "cursor=x",
        "cursor=ended~1e5~c1",
        "cursor=ended~1~../../c1",
        "direction=up",
        "outcome=bored",
        "from=yesterday",
        "from=nan",
        "to=inf",
        "to=-1",
        f"agent={'a' * 256}",
    ],
)
async def test_a_parameter_without_sense_is_refused(autojump_clock: Any, query: str) -> None:
    async with open_api() as api:
        answer = await api.get(f"/calls?{query}")
        assert (answer.status_code, code_of(answer)) == (422, "bad_parameter")
        assert answer.json()["detail"].startswith(query.partition("=")[0])
