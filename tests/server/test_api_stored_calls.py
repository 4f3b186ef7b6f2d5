"""Calls that this process never had, or has forgotten: shown from the store (real time, for its threads)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from llcphone.errors import StoreUnavailable
from llcphone.store.deletion import forgetting, in_pieces
from llcphone.store.writer import Writer
from tests.server.api_stage import BUSY, TO, code_of, open_api

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def test_a_call_of_the_process_before_is_shown_from_the_store(tmp_path: Path) -> None:
    store = {"url": f"sqlite:///{tmp_path / 'phone.db'}"}
    async with open_api(callee=BUSY, store=store) as api:
        call_id = await api.place()
        ended = await api.ended(call_id)
    async with open_api(store=store) as api:
        shown = (await api.get(f"/calls/{call_id}")).json()
        assert (shown["state"], shown["reason"], shown["to"]) == ("ended", "busy", "…99")
        unknown = {"dialled_after_ms": None, "answered_after_ms": None, "answered_by": None}
        assert shown == ended | unknown | {"created_at": round(shown["record"]["born_at"], 3)}
        assert TO in (await api.get(f"/calls/{call_id}", params={"numbers": "1"})).text
        hung_up = await api.post(f"/calls/{call_id}/hangup")
        assert (hung_up.status_code, hung_up.json()["state"]) == (202, "ended")
        missing = await api.get("/calls/no-such-call")
        assert (missing.status_code, code_of(missing)) == (404, "no_such_call")


async def test_a_store_that_gives_no_answer_is_no_missing_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_api(store={"url": f"sqlite:///{tmp_path / 'phone.db'}"}) as api:

        async def unreachable(*_: Any) -> None:
            raise StoreUnavailable("locked")

        monkeypatch.setattr(type(api.stage.phone.store), "call", unreachable)
        answer = await api.get("/calls/no-such-call")
        assert (answer.status_code, code_of(answer)) == (503, "store_unavailable")
        assert int(answer.headers["Retry-After"]) > 0


async def test_a_call_that_was_deleted_from_the_store_is_no_longer_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_api(callee=BUSY, store={"url": f"sqlite:///{tmp_path / 'phone.db'}"}) as api:
        call_id = await api.place()
        shown = await api.ended(call_id)
        assert shown["dialled_after_ms"] is not None
        store = api.stage.phone.store
        assert store is not None
        await trio.to_thread.run_sync(in_pieces, forgetting(TO), store.main.run)
        assert (await api.get(f"/calls/{call_id}")).status_code == 404
        assert (await api.get("/calls")).json()["calls"] == []
        monkeypatch.setattr(Writer, "waiting", 1)  # while calls are not written, they are remembered
        assert (await api.get(f"/calls/{call_id}")).json() == shown
