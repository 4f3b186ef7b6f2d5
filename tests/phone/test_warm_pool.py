"""The warm pool by itself: parked sessions live, die, age and are replaced, and never too many of them.

Against the simulated Realtime API where the wire matters, against memory legs where numbers do. Whole
calls that adopt a session are in ``tests/calls/test_warm_calls.py``.
"""

from __future__ import annotations

import random
import ssl
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
import trio.testing
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone import Agent, ConfigError, open_phone
from llcphone.call.codec import codec_of
from llcphone.call.endpoint import Endpoint
from llcphone.call.session_source import OpenLeg, UnsupportedMemory
from llcphone.errors import LegClosed
from llcphone.phone.warm_pool import WarmHealth, WarmPool
from llcphone.phone.warm_session import BACKOFF_S, key_of
from llcphone.realtime.dialects import Dialect
from llcphone.sim.model import Faults, ModelSimulator, open_model
from tests.calls.memory import Json, MemoryEndpoint, MemoryLeg, MemoryModel
from tests.calls.stage import make_config, nothing_left, task_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from trio.testing import MockClock

    from llcphone.config import Config
    from llcphone.sim.model import ModelSession
    from llcphone.wire.leg import OnLost, Spawn

AGENT = Agent("You answer for a bakery.")


def config_for(model: ModelSimulator | None, sessions: int, **warm: Any) -> Config:
    url = model.url if model is not None else "ws://127.0.0.1:9/v1/realtime"
    sections = {section: warm.pop(section) for section in ("wire", "realtime") if section in warm}
    return make_config(url, **sections, warm={"sessions": sessions, **warm})


@attrs.frozen
class PoolUnderTest:
    """A running pool and the model behind it."""

    pool: WarmPool
    endpoint: Endpoint
    model: ModelSimulator
    config: Config

    @property
    def live(self) -> list[ModelSession]:
        return [session for session in self.model.sessions if session.is_open]

    def take(self, agent: Agent = AGENT) -> Any:
        return self.pool.take(key_of(self.config, agent))


@asynccontextmanager
async def open_pool(
    sessions: int = 2,
    *,
    agent: Agent | Callable[[Mapping[str, str]], Agent] = AGENT,
    faults: Faults | list[Faults] | None = None,
    wall_clock: Callable[[], float] | None = None,
    settle_s: float = 2.0,
    dialects: Any = "ga",
    **warm: Any,
) -> AsyncIterator[PoolUnderTest]:
    """A pool that had the time to fill; ``faults`` start after the endpoint's own question."""
    clock = {} if wall_clock is None else {"wall_clock": wall_clock}
    async with open_model(dialects=dialects) as model, trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = trio.current_time() + 10_000  # a pool's looks never end by themselves
        config = config_for(model, sessions, **warm)
        endpoint = Endpoint(config)
        pool = WarmPool(config, endpoint, agent, **clock)
        await endpoint.keep_asking()
        model.sessions.clear()
        model.connections = 0
        if faults is not None:
            model.faults = faults
        nursery.start_soon(pool.run, name="warm pool")
        await trio.sleep(settle_s)
        yield PoolUnderTest(pool, endpoint, model, config)
        await pool.aclose()
        nursery.cancel_scope.cancel()


# -- parked -------------------------------------------------------------------------------------


async def test_an_idle_pool_configures_its_sessions_and_never_asks_them_anything(
    autojump_clock: MockClock,
) -> None:
    async with open_pool(2) as tested:
        await trio.sleep(600)
        assert tested.pool.health == WarmHealth(ready=2)
        assert len(tested.model.sessions) == 2
        for session in tested.model.sessions:
            assert [each.event["type"] for each in session.received] == ["session.update"]
            assert session.config["instructions"] == AGENT.instructions
            assert session.config["audio"]["output"]["format"] == {"type": "audio/pcmu"}
            assert session.responses == []


async def test_no_task_waits_on_a_parked_session(autojump_clock: MockClock) -> None:
    async with open_pool(3) as tested:
        assert tested.pool.health.ready == 3
        theirs = ("sim", "llcphone.sim", "pytest", "trio", "<")
        assert [name for name in task_names().elements() if not name.startswith(theirs)] == ["warm pool"]


async def test_pings_are_answered_while_parked(autojump_clock: MockClock) -> None:
    async with open_pool(2) as tested:
        await trio.sleep(300)
        assert task_names()["sim model ping"] <= 2  # one that waits for the next look; never more
        await trio.sleep(1.5)
        assert task_names()["sim model ping"] == 0
        assert len(tested.live) == 2


async def test_parked_sessions_live_over_tls_as_well(tmp_path: Path, autojump_clock: MockClock) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with open_model(ssl_context=context) as model:
        config = config_for(model, 1, wire={"ca_file": str(tmp_path / "ca.pem")})
        async with open_phone(config, AGENT) as phone:
            await phone.endpoints.first.accepted.wait()
            model.sessions.clear()
            await trio.sleep(301.5)
            assert phone.warm is not None
            assert phone.warm.health == WarmHealth(ready=1)
            assert task_names()["sim model ping"] == 0
            warm = phone.warm.take(key_of(config, AGENT))
            assert warm is not None
            await warm.leg.aclose()
            (session,) = model.sessions
            await session.until(lambda: session.close_code == 1000)


async def test_a_session_whose_server_no_longer_answers_pings_is_replaced(autojump_clock: MockClock) -> None:
    async with open_pool(1) as tested:
        tested.model.sessions[0].faults.ignore_pings = True
        tested.model.sessions[0].stall()  # else its own pings prove that it lives
        await trio.sleep(60)
        assert not tested.model.sessions[0].is_open
        assert tested.model.sessions[1].is_open
        assert tested.pool.health == WarmHealth(ready=1, died=1)


# -- ends ---------------------------------------------------------------------------------------

ENDS: list[Callable[[ModelSession], None]] = [
    lambda session: session.close(1011),
    lambda session: session.reset(),
    lambda session: session.expire(),
    lambda session: session.emit({"type": "error", "error": {"type": "server_error", "message": "x"}}),
    lambda session: session.emit({"no": "event"}),
]


@pytest.mark.parametrize("end", ENDS, ids=["close", "reset", "expire", "error", "rubbish"])
async def test_a_session_that_ends_while_parked_is_replaced(
    end: Callable[[ModelSession], None], autojump_clock: MockClock
) -> None:
    async with nothing_left(), open_pool(2) as tested:
        await trio.sleep(60)
        end(tested.model.sessions[0])
        await trio.sleep(2)
        assert tested.pool.health == WarmHealth(ready=2, died=1)
        assert [session.number for session in tested.live] == [2, 3]


async def test_a_dead_session_is_not_given_to_a_call_even_between_two_looks(
    autojump_clock: MockClock,
) -> None:
    async with open_pool(2, settle_s=2.5) as tested:
        for session in tested.model.sessions:
            session.reset()
        await trio.testing.wait_all_tasks_blocked()
        assert tested.pool.health.ready == 2  # the pool's task has not looked yet
        assert tested.take() is None
        assert tested.pool.health == WarmHealth(ready=0, died=2, misses=1)


async def test_a_server_that_ends_every_session_soon_is_dialled_less_and_less(
    autojump_clock: MockClock,
) -> None:
    async with open_pool(1, faults=Faults(close_after_s=0.5), settle_s=0) as tested:
        await trio.sleep(47)  # pauses of 1, 2, 5, 10, 30 seconds, each after a look that finds it dead
        assert 4 <= len(tested.model.sessions) <= 6
        await trio.sleep(310)
        assert len(tested.model.sessions) <= 16
        tested.model.faults = Faults()
        await trio.sleep(90)
        assert tested.pool.health.ready == 1
        await trio.sleep(60)
        tested.live[0].reset()  # it had lasted: the next is there at once
        await trio.sleep(2)
        assert tested.pool.health.ready == 1
        tested.live[0].reset()  # that was short; but what had failed before is forgotten
        await trio.sleep(3)
        assert tested.pool.health.ready == 1


async def test_a_session_that_lives_on_does_not_speak_for_an_endpoint_that_fails(
    autojump_clock: MockClock,
) -> None:
    async with open_pool(2) as tested:
        await trio.sleep(60)
        tested.model.faults, tested.model.connections = Faults(refuse_status=503), 0
        tested.model.sessions[1].reset()
        await trio.sleep(60)
        assert tested.pool.health.ready == 1
        assert tested.model.connections == 6  # at 0, 1, 3, 8, 18, 48 s


# -- age ----------------------------------------------------------------------------------------


async def test_sessions_are_recycled_before_their_age_one_after_the_other(autojump_clock: MockClock) -> None:
    async with open_pool(2, max_age_s=600.0) as tested:
        first = list(tested.model.sessions)
        await trio.sleep(500)
        assert all(session.is_open for session in first)
        await trio.sleep(80)
        assert sum(session.is_open for session in first) == 1
        assert tested.pool.health.ready == 2
        await trio.sleep(20)
        assert [session.close_code for session in first] == [1000, 1000]
        assert tested.pool.health == WarmHealth(ready=2, recycled=2)


async def test_a_session_is_replaced_before_the_server_ends_it(autojump_clock: MockClock) -> None:
    def fifty_minutes_later() -> float:  # the simulator ends a session 3600 s from now, by the real clock
        return time.time() + 3000

    async with open_pool(1, wall_clock=fifty_minutes_later) as tested:
        await trio.sleep(530)
        assert tested.pool.health == WarmHealth(ready=1)
        await trio.sleep(15)  # 600 s less the margin of 60
        assert tested.pool.health == WarmHealth(ready=1, recycled=1)


async def test_a_clock_that_is_wrong_does_not_recycle_for_ever(autojump_clock: MockClock) -> None:
    async with open_pool(1, wall_clock=lambda: 4e9, max_age_s=600.0) as tested:
        await trio.sleep(400)
        assert tested.pool.health == WarmHealth(ready=1)


# -- failures -----------------------------------------------------------------------------------


async def test_refused_dials_back_off_and_the_pool_fills_when_the_server_is_back(
    autojump_clock: MockClock,
) -> None:
    async with open_pool(8, faults=Faults(refuse_status=503), settle_s=0) as tested:
        tried = []
        for _ in range(200):
            await trio.sleep(0.5)
            tried.append(tested.model.connections)
        assert tried[0] == 4  # at once, then one by one
        assert tried[-1] == 4 + 6  # after 1, 3, 8, 18, 48 and 78 s
        assert tested.pool.health.failed == 10
        tested.model.faults = Faults()
        await trio.sleep(31)
        assert tested.pool.health.ready == 8
        assert BACKOFF_S[-1] == 30


async def test_a_server_that_names_its_own_pause_is_given_it(autojump_clock: MockClock) -> None:
    async with open_pool(1, faults=Faults(refuse_status=429, retry_after_s=120), settle_s=0) as tested:
        await trio.sleep(119)
        assert tested.model.connections == 1
        await trio.sleep(3)
        assert tested.model.connections == 2


@pytest.mark.parametrize(
    "faults",
    [
        Faults(refuse_update=True),
        Faults(wrong_format=True),
        Faults(silent=True),
        Faults(handshake_delay_s=99),
    ],
    ids=["update refused", "not u-law", "silent", "slow"],
)
async def test_a_session_that_cannot_be_configured_is_closed_and_counted(
    faults: Faults, autojump_clock: MockClock
) -> None:
    async with nothing_left(), open_pool(1, faults=faults, settle_s=0) as tested:
        await trio.sleep(20)
        assert tested.pool.health.ready == 0
        assert tested.pool.health.failed >= 1
        assert tested.model.live_sessions <= 1


async def test_nothing_is_dialled_before_the_endpoint_has_accepted_a_session(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_model(faults=Faults(refuse_status=503)) as model,
        open_phone(config_for(model, 3), AGENT) as phone,
    ):
        await trio.sleep(60)
        assert phone.warm is not None
        assert phone.warm.health == WarmHealth()
        model.faults = Faults()
        await trio.sleep(35)
        assert phone.warm.health == WarmHealth(ready=3)


# -- taking -------------------------------------------------------------------------------------


async def test_the_freshest_session_is_taken(autojump_clock: MockClock) -> None:
    async with open_pool(2) as tested:
        await trio.sleep(60)
        tested.model.sessions[1].reset()
        await trio.sleep(2)
        warm = tested.take()
        warm.leg.abort()
        await trio.sleep(0.5)
        assert [session.is_open for session in tested.model.sessions] == [True, False, False, True]


async def test_what_was_taken_is_the_takers_and_is_replaced_at_once(autojump_clock: MockClock) -> None:
    async with open_pool(2) as tested:
        warm = tested.take()
        assert warm.codec.dialect is Dialect.GA
        assert tested.pool.health.ready == 1
        await trio.sleep(0.2)  # no look in between
        assert tested.pool.health == WarmHealth(ready=2, taken=1)
        assert len(tested.live) == 3  # the taken one is the taker's
        await warm.leg.aclose()
        await trio.sleep(1)
        assert [each.close_code for each in tested.model.sessions if not each.is_open] == [1000]
        await trio.sleep(60)
        assert tested.pool.health == WarmHealth(ready=2, taken=1)


async def test_what_was_taken_outlives_the_pool(autojump_clock: MockClock) -> None:
    async with open_pool(2) as tested:
        warm = tested.take()
        await tested.pool.aclose()
        assert len(tested.live) == 1
        assert warm.leg.receive_nowait() == []
        warm.leg.abort()


@pytest.mark.parametrize("change", ["instructions", "voice", "tools"])
async def test_a_call_of_another_static_part_finds_nothing(change: str, autojump_clock: MockClock) -> None:
    other = Agent(AGENT.instructions)
    match change:
        case "instructions":
            other.instructions += " Be brief."
        case "voice":
            other.voice = "marin"
        case "tools":
            other.offer_hang_up()
    async with open_pool(1) as tested:
        assert tested.take(other) is None
        assert tested.pool.health == WarmHealth(ready=1, misses=1)
        twin = Agent(AGENT.instructions, name="twin", greeting_cue="Hello")  # what no session knows
        warm = tested.take(twin)
        warm.leg.abort()


async def test_a_call_that_needs_the_other_dialect_finds_nothing(autojump_clock: MockClock) -> None:
    async with open_pool(1) as tested:
        key = key_of(tested.config, AGENT)
        assert tested.pool.take(key, Dialect.FLAT) is None
        warm = tested.pool.take(key, Dialect.GA)
        assert warm is not None
        warm.leg.abort()


async def test_a_closed_pool_gives_nothing_and_keeps_nothing(autojump_clock: MockClock) -> None:
    async with nothing_left(), open_pool(2) as tested:
        await tested.pool.aclose()
        assert tested.take() is None
        assert tested.live == []
        await tested.pool.aclose()
        await tested.pool.run()  # never comes back


# -- what is wished for -------------------------------------------------------------------------


async def test_when_the_agent_changes_the_old_sessions_are_closed(autojump_clock: MockClock) -> None:
    agent = Agent("You answer for a bakery.")
    async with open_pool(2, agent=agent) as tested:
        agent.instructions = "You answer for a garage."
        await trio.sleep(2.5)
        assert [s.config["instructions"] for s in tested.live] == ["You answer for a garage."] * 2
        assert tested.pool.health.recycled == 2


async def test_when_the_endpoint_turns_out_to_speak_otherwise_the_old_sessions_are_closed(
    autojump_clock: MockClock,
) -> None:
    async with open_pool(2, dialects="both", realtime={"dialect": "auto"}) as tested:
        assert [session.dialect.value for session in tested.live] == ["flat"] * 2
        tested.endpoint.dialects.remember(Dialect.GA)
        await trio.sleep(2.5)
        assert [session.dialect.value for session in tested.live] == ["ga"] * 2


async def test_a_function_that_chooses_agents_is_asked_once_about_nobodys_call(
    autojump_clock: MockClock,
) -> None:
    asked: list[Mapping[str, str]] = []

    def choose(form: Mapping[str, str]) -> Agent:
        asked.append(form)
        return AGENT

    async with open_pool(1, agent=choose) as tested:
        await trio.sleep(30)
        assert asked == [{}]
        assert tested.live[0].config["instructions"] == AGENT.instructions


# -- settings that do not go with a pool --------------------------------------------------------


def by_number(form: Mapping[str, str]) -> Agent:
    return {"+15550001": AGENT}[form["To"]]


@pytest.mark.parametrize(
    ("sections", "agent", "fix"),
    [
        ({"wire": {"model": "trio-websocket"}}, AGENT, 'wire.model = "fast"'),
        ({"realtime": {"safety_salt": "salt-0123456789abcdef"}}, AGENT, "realtime.safety_salt empty"),
        ({}, by_number, "answer an empty form"),
    ],
    ids=["transport", "identifier", "no default agent"],
)
async def test_a_pool_that_cannot_be_is_refused_before_anything_is_opened(
    sections: dict[str, Any], agent: Any, fix: str
) -> None:
    with pytest.raises(ConfigError, match=fix) as refusal:
        async with open_phone(config_for(None, 1, **sections), agent):
            pass  # pragma: no cover
    assert refusal.value.key == "warm.sessions"
    async with open_phone(config_for(None, 0, **sections), agent) as phone:
        assert phone.warm is not None
        assert phone.warm.taker(AGENT) is None


# -- numbers, with legs in memory ---------------------------------------------------------------


@attrs.define(eq=False)
class Boat(MemoryLeg):
    """A leg that takes its time to close, and that nobody may read but its owner."""

    taken: bool = False
    spawn: Spawn | None = attrs.field(default=None, init=False)
    lose: OnLost | None = attrs.field(default=None, init=False)

    def attach(self, spawn: Spawn, on_lost: OnLost) -> None:
        super().attach(spawn, on_lost)
        self.spawn, self.lose = spawn, on_lost

    def receive_nowait(self) -> list[bytes]:
        assert not self.taken
        return super().receive_nowait()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await trio.sleep(0.4)
        await super().aclose(code, reason)


@attrs.define(eq=False)
class Shore(MemoryEndpoint):
    """An endpoint that has accepted a session, and that takes so many of the pool's sockets at most."""

    sessions: int = 0
    accepted: trio.Event = attrs.field(factory=trio.Event)
    refusing: bool = False
    boats: list[Boat] = attrs.field(factory=list)
    dialling: int = 0
    expires_at: int = 0

    async def dial(self, dialect: Dialect, spawn: Spawn, *, caller: str = "") -> OpenLeg:
        self.dialling += 1
        assert self.sockets <= self.sessions
        try:
            await trio.sleep(self.dial_takes_s)
        finally:
            self.dialling -= 1
        if self.refusing:
            raise ConnectionRefusedError
        self.boats.append(Boat(self.reply))
        return OpenLeg(self.boats[-1], codec_of(dialect), UnsupportedMemory())  # type: ignore[arg-type]

    def reply(self, message: Json) -> list[Json]:
        answers = MemoryModel([]).reply(message)
        if self.expires_at and message["type"] == "session.update":
            answers[0]["session"]["expires_at"] = self.expires_at
        return answers

    @property
    def mine(self) -> list[Boat]:
        """The pool's own open legs."""
        return [boat for boat in self.boats if boat.freed_at is None and not boat.taken]

    @property
    def sockets(self) -> int:
        """The pool's sockets."""
        return len(self.mine) + self.dialling


def take_boat(pool: WarmPool, agent: Agent = AGENT) -> Boat | None:
    """Take a session as a call does; from here on it is not the pool's to touch."""
    warm = pool.take(key_of(pool._config, agent))
    if warm is None:
        return None
    assert isinstance(warm.leg, Boat)
    assert not warm.leg.closed
    assert not warm.leg.taken
    warm.leg.taken = True
    return warm.leg


@asynccontextmanager
async def open_shore(sessions: int, dial_takes_s: float = 0.3) -> AsyncIterator[tuple[WarmPool, Shore]]:
    shore = Shore([], dial_takes_s, sessions=sessions)
    shore.accepted.set()
    pool = WarmPool(config_for(None, sessions), shore, AGENT)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        yield pool, shore
        await pool.aclose()
        assert shore.sockets == 0
        nursery.cancel_scope.cancel()


async def random_weather(sessions: int, seed: int) -> None:
    """Minutes of deaths, refusals, calls and changes of the agent, at random."""
    chance = random.Random(seed)
    agent = Agent("a")
    async with open_shore(sessions, chance.choice([0.0, 0.4, 3.0])) as (pool, shore):
        pool.agent = agent
        for _ in range(80):
            await trio.sleep(chance.choice([0.0, 0.1, 0.7, 5.0]))
            match chance.randrange(6):
                case 0 if shore.mine:
                    chance.choice(shore.mine).end(chance.choice([1000, 1006, 1011]))
                case 1 if shore.mine and (lost := chance.choice(shore.mine)).lose is not None:
                    lost.lose(LegClosed(1006))
                case 2:
                    shore.refusing = not shore.refusing
                case 3:
                    agent.instructions = chance.choice("ab")
                case 4 | 5:
                    take_boat(pool, agent)
            taken = [boat for boat in shore.boats if boat.taken]
            assert shore.sockets <= sessions
            assert pool.health.ready + pool.health.dialling <= sessions
            assert pool.health.taken == len(taken)
        shore.refusing = False
        await trio.sleep(70 + 3 * sessions)
        assert pool.health.ready == sessions
        assert [boat.freed_at for boat in taken] == [None] * len(taken)  # what it gave away it never touches


@settings(max_examples=25, deadline=None)
@given(sessions=st.integers(1, 5), seed=st.integers(0, 2**32))
def test_there_are_never_more_sockets_than_were_asked_for(sessions: int, seed: int) -> None:
    trio.run(random_weather, sessions, seed, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_calls_may_take_while_a_large_pool_is_being_looked_at(autojump_clock: MockClock) -> None:
    began_s = trio.current_time()
    async with open_shore(200, 0.0) as (pool, shore):
        await trio.sleep(5.5)
        assert pool.health.ready == 200
        for look in range(6, 10):
            await trio.sleep_until(began_s + look)  # the pool's own moment
            for _ in range(20):
                await trio.lowlevel.checkpoint()
                assert take_boat(pool) is not None
        shore.mine[150].end(1011)
        await trio.sleep(5)
        assert pool.health == WarmHealth(ready=200, taken=80, died=1)


@pytest.mark.parametrize("how", ["lost", "asks for a task"])
async def test_a_leg_that_is_lost_or_whose_kernel_takes_no_more_bytes_is_replaced(
    how: str, autojump_clock: MockClock
) -> None:
    async with open_shore(1) as (pool, shore):
        await trio.sleep(60)
        (boat,) = shore.mine
        assert boat.lose is not None
        assert boat.spawn is not None
        if how == "lost":
            boat.lose(LegClosed(1006, "no pong"))
        else:
            boat.spawn(boat.receive, name="flush")  # see WebSocketLeg._need_flush
        assert take_boat(pool) is None
        await trio.sleep(1)
        assert boat.freed_at is not None
        assert pool.health == WarmHealth(ready=1, died=1, misses=1)


async def test_a_fault_in_one_session_costs_that_session(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_shore(2) as (pool, shore):
        await trio.sleep(1.5)

        shore.boats[0].taken = True  # reading it raises, as a bug would
        await trio.sleep(5)
        assert shore.boats[0].freed_at is not None
        assert pool.health == WarmHealth(ready=2, died=1)
        assert take_boat(pool) is not None
    assert [record.event for record in caplog.records] == ["warm session failed"]


async def test_a_session_whose_age_cannot_be_reckoned_is_closed_and_the_pool_goes_on(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def planted() -> float:
        raise OverflowError("planted")

    async with open_shore(1) as (pool, shore):
        shore.expires_at = 2_000_000_000
        real, pool._wall_clock = pool._wall_clock, planted
        await trio.sleep(18)
        assert (pool.health.ready, pool.health.failed) == (0, 4)  # it backs off: at 0.3, 1.6, 3.9 and 9.2 s
        assert shore.sockets == 0
        pool._wall_clock = real
        await trio.sleep(10)
        assert pool.health.ready == 1
    assert {record.event for record in caplog.records} == {"warm session failed"}


async def test_a_fault_in_the_pool_itself_is_begun_anew_after_a_pause(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent("You answer for a bakery.")
    async with open_shore(2) as (pool, shore):
        pool.agent = agent
        await trio.sleep(2)
        agent.settings = {"turns": {"silnce_s": 1}}  # no session can be specified by it
        await trio.sleep(10)
        agent.settings = {}
        await trio.sleep(20)
        assert pool.health.ready == 2
        assert shore.sockets == 2
    assert {record.event for record in caplog.records if record.levelname == "ERROR"} == {"warm pool failed"}
    assert pool.faults.counts["warm pool failed"] > 2


@pytest.mark.parametrize("at_s", [0.0, 0.1, 0.35, 1.0, 60.0])
async def test_a_pool_may_be_cancelled_at_any_time(at_s: float, autojump_clock: MockClock) -> None:
    async with nothing_left(), open_model() as model:
        config = config_for(model, 3)
        with trio.move_on_after(at_s):
            async with open_phone(config, AGENT):
                await trio.sleep_forever()
        await trio.sleep(1.1)
        assert model.live_sessions == 0
