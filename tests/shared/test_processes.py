"""Processes beside each other, from Trio: real threads in real time."""

from __future__ import annotations

import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from sqlalchemy import update

from llcphone.errors import ConfigError, DialRefused, StoreUnavailable
from llcphone.shared.nodes import SILENT_S
from llcphone.shared.places import Place
from llcphone.shared.shared import open_shared
from llcphone.shared.spend import today
from llcphone.shared.tables import NODES
from tests.patience import HANG_S
from tests.shared.kit import TO, config
from tests.store.servers import Postgres, own_server
from tests.store.store_kit import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llcphone.shared.shared import Shared

__all__ = ["own_server"]


@asynccontextmanager
async def beside(
    url: str, name: str = "", *, replaces: bool = False, **sections: Any
) -> AsyncIterator[Shared]:
    """A process that beats."""
    server = {"node": name, **sections.pop("server", {})}
    outbound = {"per_number_min_gap_s": 0.0, **sections.pop("outbound", {})}
    settings = config(url, server=server, outbound=outbound, **sections)
    async with (
        open_shared(settings, version="1", replaces=replaces) as shared,
        trio.open_nursery() as nursery,
    ):
        assert shared is not None
        nursery.start_soon(shared.beat.run, name="beat")
        await until(lambda: shared.beat.seen)
        yield shared
        nursery.cancel_scope.cancel()


def names(shared: Shared) -> list[tuple[str, int, str]]:
    return [(each.name, each.live, each.state) for each in shared.beat.seen]


async def test_each_sees_the_others_until_they_leave(url: str) -> None:
    async with beside(url, "n1", server={"port": 8001, "max_calls": 7}) as one:
        async with beside(url, "n2") as other:
            other.beat.look = lambda: (3, "draining")
            await until(lambda: names(one) == [("n1", 0, "serving"), ("n2", 3, "draining")])
            assert one.beat.alive == 2
            seen = one.beat.seen[0]
            assert (seen.url, seen.capacity, seen.version) == ("http://127.0.0.1:8001", 7, "1")
        await until(lambda: names(one) == [("n1", 0, "serving")])
        assert one.beat.alive == 1


async def test_a_second_process_of_one_name_is_refused_with_the_fix(url: str) -> None:
    fix = "give each process a name of its own, or stop the other one"
    async with beside(url, "n1", server={"port": 8001}):
        with pytest.raises(ConfigError, match=re.escape("http://127.0.0.1:8001")) as refused:
            async with beside(url, "n1"):
                pass
        assert (refused.value.key, fix in refused.value.fix) == ("server.node", True)
        async with beside(url, "n1", replaces=True) as next_one:  # a restart
            assert [name for name, _, _ in names(next_one)] == ["n1", "n1"]
    async with beside(url, "n1"):
        pass


async def test_processes_without_a_name_are_not_kept_apart(url: str) -> None:
    async with beside(url), beside(url) as other:
        assert other.beat.alive == 2


async def test_the_name_of_a_process_that_hangs_is_free_and_it_knows_when_it_wakes(url: str) -> None:
    async with beside(url, "n1") as hung:
        life = hung.beat.node.life
        hung.beat._limiter.total_tokens = 1
        await hung.beat._limiter.acquire_on_behalf_of("what it hangs in")  # no beat gets through
        await until(lambda: hung.beat.trouble)
        ours = NODES.c.life == life
        aged = update(NODES).where(ours).values(beat_at=NODES.c.beat_at - SILENT_S)
        await hung._place.ask(lambda db: db.execute(aged), patient=True)
        async with beside(url, "n1") as next_one:
            assert [each.life == life for each in next_one.beat.seen] == [False]
            hung.beat._limiter.release_on_behalf_of("what it hangs in")
            await until(lambda: hung.beat.owner)
            assert hung.beat.owner is not None
            assert hung.beat.owner.life == next_one.beat.node.life
        await until(lambda: not hung.beat.owner)  # the name is its own again


async def test_places_are_taken_held_and_given_back(url: str) -> None:
    async with beside(url, shared={"max_calls": 2}) as one, beside(url, shared={"max_calls": 2}) as other:
        assert await one.take_place("CA1")
        assert await other.take_place("CA2")
        assert not await one.take_place("CA3")
        one.beat.release("CA1")
        one.beat.hold(Place("CA4"))
        one.beat.release("CA4")
        await until(lambda: not one.beat._news.places)
        with trio.fail_after(HANG_S):
            while not await one.take_place("CA3"):  # noqa: ASYNC110 (another thread frees it)
                await trio.sleep(0.05)
        assert [one.beat.has(id_) for id_ in ("CA1", "CA3", "CA4")] == [False, True, False]


async def test_a_process_that_was_taken_for_dead_has_its_places_again(url: str) -> None:
    async with beside(url, shared={"max_calls": 1}) as one, beside(url, shared={"max_calls": 1}) as other:
        assert await one.take_place("CA1")
        await other._place.ask(lambda db: db.exec_driver_sql("DELETE FROM llcphone_places"))
        await other._place.ask(lambda db: db.exec_driver_sql("DELETE FROM llcphone_nodes"))
        await until(lambda: one.beat.alive == 2)
        await until(lambda: other.beat.alive == 2)
        assert not await other.take_place("CA2")


async def test_what_one_spends_all_know_and_a_restart_too(url: str) -> None:
    day = today()
    async with beside(url) as one, beside(url) as other:
        one.beat.spend(day, 1.5)
        other.beat.spend(day, 0.5)
        assert one.beat.spent_usd(day) >= 1.5
        await until(lambda: one.beat.spent_usd(day) == other.beat.spent_usd(day) == 2.0)
        one.beat.spend(day, 0.25)  # a moment before it ends
    async with beside(url) as again:
        assert again.beat.spent_usd(day) == 2.25


async def test_orders_of_two_processes_are_an_interval_apart(url: str) -> None:
    pace = {"outbound": {"calls_per_second": 4.0}}
    async with beside(url, **pace) as one, beside(url, **pace) as other:
        turns = 0
        begun_s = time.monotonic()  # a busy machine wakes an order late, never early

        async def send(shared: Shared) -> None:
            nonlocal turns
            for _ in range(3):
                await shared.turn()
                turns += 1
                assert time.monotonic() - begun_s >= (turns - 1) * 0.25 - 0.01

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, one)
            nursery.start_soon(send, other)
        assert turns == 6


async def test_the_answer_to_a_key_is_waited_for(url: str) -> None:
    async with beside(url) as one, beside(url) as other:
        assert await one.claim("k", "f") is None
        found: list[Any] = []

        async def ask() -> None:
            found.append(await other.claim("k", "f"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await one.answered("k", "c1", "{}")
        assert (found[0].call, found[0].answer) == ("c1", "{}")
        assert await one.claim("k2", "f") is None
        pending = await other.claim("k2", "f")
        assert pending is not None
        assert pending.answer == ""
        await one.forget("k2")
        assert await other.claim("k2", "f") is None


async def test_limits_hold_after_a_restart(url: str) -> None:
    rules = {"outbound": {"per_number_per_day": 1}}
    async with beside(url, **rules) as one:
        await one.admit_call("c1", TO)
        with pytest.raises(DialRefused) as refused:
            await one.admit_call("c2", TO)
        assert refused.value.code == "rate_number"
        await one.admit_text(TO)
    async with beside(url, **rules) as again:
        with pytest.raises(DialRefused) as refused:
            await again.admit_call("c3", TO)
        assert refused.value.code == "rate_number"
        await again.admit_call("c4", "+14155550199")


async def test_numbers_are_not_in_the_database(url: str) -> None:
    async with beside(url) as one:
        await one.admit_call("c1", TO)
        await one.admit_text(TO)
        rows = await one._place.ask(lambda db: db.exec_driver_sql("SELECT * FROM llcphone_sent").all())
        assert len(rows) == 2
        assert TO[1:] not in str(rows)


@pytest.mark.slow
async def test_without_the_database_nothing_goes_out_and_each_lets_in_its_share(own_server: Postgres) -> None:
    settings = {"shared": {"max_calls": 5}}
    async with beside(own_server.url, **settings) as one, beside(own_server.url, **settings) as other:
        await until(lambda: one.beat.alive == 2)
        one.beat.look = lambda: (2, "serving")
        own_server.stop()
        with pytest.raises(StoreUnavailable):
            await one.admit_call("c1", TO)
        with pytest.raises(StoreUnavailable):
            await one.turn()
        assert await one.take_place("CA1")  # 2 of the 3 that are its share
        one.beat.look = lambda: (3, "serving")
        assert not await one.take_place("CA2")
        await until(lambda: one.beat.trouble)
        own_server.start()
        await until(lambda: not one.beat.trouble and not other.beat.trouble)
        one.beat.look = lambda: (1, "serving")
        with trio.fail_after(HANG_S):
            while True:
                try:
                    await one.admit_call("c1", TO)
                    break
                except StoreUnavailable:
                    await trio.sleep(0.2)  # it rests after failures
        held = await other._place.ask(
            lambda db: db.exec_driver_sql("SELECT id FROM llcphone_places ORDER BY id").scalars().all(),
            patient=True,
        )
        assert held == ["CA1", "c1"]
