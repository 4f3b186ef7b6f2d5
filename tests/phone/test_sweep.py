"""Which processes count as dead, and what becomes of their calls: with a virtual clock and no database."""

from __future__ import annotations

import itertools
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from llcphone import Config, ConfigError
from llcphone.carrier.orders import CarrierError
from llcphone.errors import StoreUnavailable
from llcphone.phone.sweep import Sweep, check_sweep
from llcphone.shared.beat import Beat
from llcphone.shared.nodes import BEAT_S, SILENT_S, SeenNode
from llcphone.shared.shared import REDIRECTS_PER_S
from llcphone.store.database import NotDone
from llcphone.store.engines import Verdict
from tests.store.journal_kit import row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from trio.testing import MockClock

    from llcphone.store.journal import CallRow

ME, PROCESS = "me", "0123456789abcdef"


def node(life: str, *, url: str = "", name: str = "") -> SeenNode:
    more = {"capacity": 1, "version": "1", "beat_at": 0.0, "age_s": 0.0, "silent_s": 0.0}
    return SeenNode(life=life, name=name or life, url=url, **more)  # type: ignore[arg-type]


@attrs.define(eq=False)
class World:
    """The table of nodes, the journal, Twilio's REST API, and the calls of this process."""

    beating: dict[str, SeenNode] = attrs.field(factory=dict)
    last_beats: dict[str, float] = attrs.field(factory=dict)
    rows: list[CallRow] = attrs.field(factory=list)
    redirected: list[tuple[str, str, float]] = attrs.field(factory=list)
    over: list[str] = attrs.field(factory=list)
    failing: dict[str, BaseException | None] = attrs.field(factory=dict)
    """By CallSid; None: it is over."""
    here: set[str] = attrs.field(factory=set)
    away: bool = False
    turn_at: float = -math.inf

    # -- as a database --------------------------------------------------------------------------

    def lives_on(self, life: str, **how: Any) -> None:
        self.beating[life] = node(life, **how)

    def dies(self, life: str) -> None:
        self.last_beats[life] = trio.current_time()

    def leaves(self, life: str) -> None:
        del self.beating[life]

    def has(self, number: int, life: str, **fields: Any) -> None:
        own = {"id": f"c{number}", "call_sid": f"CA{number}", "run": f"n1-{number}", "life": life}
        self.rows.append(row(**{**own, **fields}))

    async def attempt(self, work: Callable[..., Any], **how: Any) -> Any:
        """What a beat finds; `Beat` takes it for its database."""
        await trio.lowlevel.checkpoint()
        if self.away:
            raise NotDone(Verdict.AWAY, "OperationalError")
        now = trio.current_time()
        seen = [
            attrs.evolve(each, silent_s=now - self.last_beats.get(life, now))
            for life, each in self.beating.items()
        ]
        return _Seen(seen)

    async def lives(self) -> set[str]:
        await self._answer()
        return {each.life for each in self.rows if each.life}

    async def take_over(self, dead: Collection[str], life: str) -> CallRow | None:
        await self._answer()
        for at, each in enumerate(self.rows):
            if each.life in dead:
                self.rows[at] = attrs.evolve(each, life=life)
                return each
        return None

    async def _answer(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.away:
            raise StoreUnavailable("OperationalError")

    def is_over(self, call_sid: str, why: str) -> None:
        self.over.append(call_sid)

    async def redirect_turn(self) -> None:
        await self._answer()
        self.turn_at = max(trio.current_time(), self.turn_at + 1 / REDIRECTS_PER_S)
        await trio.sleep_until(self.turn_at)

    # -- as Twilio, and as the calls --------------------------------------------------------------

    async def redirect(self, call_sid: str, url: str, wanted: Callable[[], bool]) -> bool:
        await trio.lowlevel.checkpoint()
        if not wanted():
            return True
        self.redirected.append((call_sid, url, trio.current_time()))
        if (failure := self.failing.get(call_sid, False)) is None:
            return False
        if failure:
            raise failure
        return True

    def runs_of(self, call_sid: str) -> list[str]:
        return [call_sid] if call_sid in self.here else []

    @property
    def sids(self) -> list[str]:
        return sorted(call_sid for call_sid, _, _ in self.redirected)


@attrs.frozen
class _Seen:
    nodes: list[SeenNode]
    spent_usd: tuple[str, float] = ("", 0.0)
    owner: None = None


@attrs.define
class _Shared:
    beat: Beat
    redirect_turn: Any


@asynccontextmanager
async def sweeping(world: World) -> AsyncIterator[Beat]:
    """A process that beats and sweeps, once its beats are steady."""
    world.lives_on(ME)
    beat = Beat(world, node(ME))  # type: ignore[arg-type]
    shared = _Shared(beat, world.redirect_turn)
    sweep = Sweep(shared, world, world, world, lambda number, name: f"/resume/{number}/{name}")  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(beat.run, name="beat")
        nursery.start_soon(sweep.run, name="sweep")
        await trio.sleep(SILENT_S + 2 * BEAT_S)
        yield beat
        nursery.cancel_scope.cancel()


FOUND_S = SILENT_S + 3 * BEAT_S


async def test_calls_of_a_node_that_died_are_redirected_once_to_their_own_address(
    autojump_clock: MockClock,
) -> None:
    world = World()
    world.lives_on("dead")
    world.lives_on("other")
    async with sweeping(world):
        for number in range(25):
            world.has(number, "dead", run_number=number, run=f"n7-{number}")
        world.has(100, "other")
        world.has(101, ME)
        began_s = trio.current_time()
        world.dies("dead")
        await trio.sleep(SILENT_S - BEAT_S)
        assert world.redirected == []
        await trio.sleep(60)
    assert world.sids == sorted(f"CA{number}" for number in range(25))
    assert {(call_sid, url) for call_sid, url, _ in world.redirected} == {
        (f"CA{number}", f"/resume/{number}/n7") for number in range(25)
    }
    times = [at for _, _, at in world.redirected]
    assert times[0] - began_s <= FOUND_S
    assert times[-1] - times[0] <= 25 / REDIRECTS_PER_S + 3 * BEAT_S
    pauses_s = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert min(pauses_s) >= 0.99 / REDIRECTS_PER_S


async def test_a_life_that_is_not_in_the_table_has_its_time_first(autojump_clock: MockClock) -> None:
    world = World()
    async with sweeping(world):
        world.has(1, "restarted")  # its successor has taken its name and deleted its row
        world.has(2, "new")
        await trio.sleep(2 * BEAT_S)
        world.lives_on("new")  # it began between two beats of ours
        await trio.sleep(SILENT_S - 3 * BEAT_S)
        assert world.redirected == []
        await trio.sleep(60)
    assert world.sids == ["CA1"]


async def test_a_node_that_ended_well_is_given_time_for_what_twilio_asks(autojump_clock: MockClock) -> None:
    world = World()
    world.lives_on("drained")
    async with sweeping(world):
        world.has(1, "drained")
        world.has(2, "drained")
        world.leaves("drained")
        await trio.sleep(BEAT_S)
        world.rows[0] = attrs.evolve(world.rows[0], life=ME)  # Twilio asked, and it was claimed
        await trio.sleep(60)
    assert world.sids == ["CA2"]


async def test_while_the_database_is_away_nobody_is_dead(autojump_clock: MockClock) -> None:
    world = World()
    world.lives_on("dead")
    world.lives_on("other")
    async with sweeping(world) as beat:
        world.has(1, "dead")
        world.has(2, "other")
        world.away = True
        await trio.sleep(30)
        world.away = False
        world.dies("dead")
        world.last_beats["other"] = trio.current_time() - 30  # its first beat afterwards is still to come
        await trio.sleep(2 * BEAT_S)
        assert not beat.steady
        del world.last_beats["other"]
        await trio.sleep(60)
        assert beat.steady
    assert world.sids == ["CA1"]


async def test_a_process_that_was_stopped_itself_judges_nobody_by_what_it_saw_before(
    autojump_clock: MockClock,
) -> None:
    world = World()
    world.lives_on("other")
    async with sweeping(world) as beat:
        assert beat.steady
        beat.seen_at -= 2 * SILENT_S  # as if no beat had come since
        assert not beat.steady


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (CarrierError("http_500"), "http_500"),
        (RuntimeError("planted"), "RuntimeError"),
        (SystemExit("planted"), "SystemExit"),
    ],
)
async def test_a_call_that_cannot_be_redirected_costs_no_other(
    fault: BaseException, word: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(failing={"CA1": fault, "CA2": None})
    world.lives_on("dead")
    async with sweeping(world):
        for number in range(4):
            world.has(number, "dead")
        world.here.add("CA3")  # Twilio asked, and this process has it
        world.dies("dead")
        await trio.sleep(60)
    assert world.sids == ["CA0", "CA1", "CA2"]
    assert world.over == ["CA2"]
    (failed,) = [each for each in caplog.records if "cannot be redirected" in each.getMessage()]
    assert (failed.call, failed.error) == ("c1", word)
    assert "planted" not in caplog.text


@pytest.mark.parametrize(
    ("said", "swept"),
    [({"process": PROCESS}, []), ({"process": "another-process."}, ["CA1"]), ({}, ["CA1"]), (None, ["CA1"])],
    ids=["it answers", "its successor answers", "an older version answers", "nobody answers"],
)
async def test_a_node_that_only_lost_its_way_to_the_database_keeps_its_calls(
    said: dict[str, str] | None,
    swept: list[str],
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = []

    async def get_json(url: str) -> dict[str, str] | None:
        await trio.lowlevel.checkpoint()
        asked.append(url)
        return said

    monkeypatch.setattr("llcphone.phone.sweep.get_json", get_json)
    world = World()
    life = f"{PROCESS}{PROCESS}"
    world.lives_on(life, url="http://10.0.0.5:8081", name="n1")
    async with sweeping(world):
        world.has(1, life)
        world.dies(life)
        await trio.sleep(60)
    assert world.sids == swept
    assert asked
    assert all(url.startswith("http://10.0.0.5:8081/healthz?nonce=") for url in asked)
    told = [each for each in caplog.records if "does not reach the shared database" in each.getMessage()]
    assert len(told) == (not swept)


def test_a_sweep_that_is_not_possible_is_refused_with_the_fix() -> None:
    whole = {
        "shared": {"sweep": True, "url": "sqlite:///shared.db"},
        "journal": {"url": "sqlite:///journal.db"},
        "twilio": {"account_sid": "AC" + "0" * 32},
    }
    check_sweep(Config.from_dict(whole))
    for section, key in (("shared", "url"), ("journal", "url"), ("twilio", "account_sid")):
        less = {**whole, section: {name: value for name, value in whole[section].items() if name != key}}
        with pytest.raises(ConfigError) as refused:
            check_sweep(Config.from_dict(less))
        assert f"shared.sweep: is true, but {section}.{key} is not set" in str(refused.value)
        assert f"Fix: set {section}.{key}" in str(refused.value)
        check_sweep(Config.from_dict({**less, "shared": {}}))
