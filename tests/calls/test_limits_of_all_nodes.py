"""Whole calls beside another node: what it has counts here, and what is here counts there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from sqlalchemy import event, select

from llcphone import Agent, EndReason
from llcphone.errors import DialRefused, NotAdmitted, StoreUnavailable
from llcphone.shared import do_not_call, nodes, places, requests, spend
from llcphone.shared.places import Place
from llcphone.shared.tables import PLACES, SENT
from llcphone.sim.twilio import Callee, DialOutcome
from llcphone.testing import Rehearsal, rehearse
from tests.calls.stage import QUESTION, nothing_left
from tests.calls.test_limits_across_runs import FIRST, SECOND
from tests.calls.test_resume import in_mid_answer, script
from tests.calls.test_transfer_cold import staged
from tests.server.api_stage import BUSY, TO, code_of, open_api
from tests.shared.kit import Process
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection
    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures("no_threads")

RULES = {"allow_prefixes": ["+1555"], "per_number_min_gap_s": 0.0, "calls_per_second": 1000.0}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Process]:
    """Another node; it has just beaten."""
    process = Process(shared_url(tmp_path), "n2")
    yield process
    process.place.close()


def shared_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'shared.db'}"


def sections(folder: Path, **more: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings of a node that shares a database."""
    shared = {"url": shared_url(folder), **more.pop("shared", {})}
    outbound = {**RULES, **more.pop("outbound", {})}
    return {"shared": shared, "outbound": outbound, **more}


def alone(folder: Path, **more: Any) -> Any:
    return rehearse(Agent("Be brief."), script=script, callee=Callee(), settings=sections(folder, **more))


def hold(other: Process, *ids: str, outbound: bool = True) -> None:
    other.run(places.hold, [Place(id_, outbound=outbound) for id_ in ids], life=other.node.life)


def held(other: Process) -> list[str]:
    """Ids of calls that other nodes have."""
    theirs = select(PLACES.c.id).where(PLACES.c.life != other.node.life).order_by(PLACES.c.id)
    return list(other.run(lambda db: db.execute(theirs).scalars().all()))


async def settles(holds: Callable[[], bool]) -> None:
    with trio.fail_after(600):  # virtual
        while not holds():  # noqa: ASYNC110
            await trio.sleep(0.1)


# -- inbound ----------------------------------------------------------------------------------------


async def test_an_inbound_call_takes_a_place_among_all_and_gives_it_back(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    async with alone(tmp_path, shared={"max_calls": 2}) as stage:
        hold(other, "theirs", outbound=False)
        call = await stage.ring()
        assert held(other) == [call.sid]
        busy = stage.twilio.ring_nowait()
        await busy.ended()
        assert stage.phone.admission.turned_away == {"at shared.max_calls": 1}
        assert not stage.phone.admission.reasons()  # a caller gets no further at another node
        call.hang_up()
        await stage.record()
        await settles(lambda: held(other) == [])
        again = await stage.ring()
        again.hang_up()
        await stage.record(2)


async def test_a_webhook_that_is_repeated_or_turned_away_here_takes_no_place(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    async with alone(tmp_path, shared={"max_calls": 1}) as stage:
        call = await stage.ring()
        form = {"CallSid": call.sid, "CallStatus": "ringing", "From": "+15550100099", "To": "+15550100001"}
        assert "<Stream" in await stage.phone.take(form)
        assert held(other) == [call.sid]
        call.hang_up()
        await stage.record()
        await settles(lambda: held(other) == [])
        stage.phone.admission.draining = True
        assert "<Stream" not in await stage.phone.take({**form, "CallSid": "CA" + "1" * 32})
        await trio.sleep(2)
        assert held(other) == []


async def test_a_call_that_goes_on_here_keeps_its_place_and_the_other_lets_go_of_nothing(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    settings = sections(tmp_path, shared={"max_calls": 1}, journal={"url": url_of(tmp_path)})
    async with rehearse(Agent("Be brief."), script=script, settings=settings) as stage:
        call = await in_mid_answer(stage)
        call.drop()
        await call.stream_started(2)
        await stage.record()
        await trio.sleep(2)
        assert held(other) == [call.sid]
        other.run(places.release, [call.sid], life=other.node.life)  # as the one before would
        assert held(other) == [call.sid]
        call.hang_up()
        await stage.record(2)
        await settles(lambda: held(other) == [])


async def test_while_the_database_is_away_inbound_calls_come_in_up_to_our_share(
    tmp_path: Path, other: Process, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with alone(tmp_path, shared={"max_calls": 2}) as stage:
        shared = stage.phone.shared
        assert shared is not None
        await settles(lambda: shared.beat.alive == 2)
        with monkeypatch.context() as away:
            away.setattr(shared._place, "ask", unavailable)
            call = await stage.ring()
            busy = stage.twilio.ring_nowait()
            await busy.ended()
            with pytest.raises(NotAdmitted, match="limits of all nodes are not known"):
                await stage.phone.order_call(FIRST)
            record = await stage.phone.place_call(FIRST)
            assert (record.reason, record.failure) == (EndReason.DIAL_REFUSED, "limits of all nodes unknown")
            assert not (await stage.phone.calls()[0].send_sms("caller", "Hello")).ok
        await settles(lambda: held(other) == [call.sid])  # told afterwards
        call.hang_up()
        await stage.record(2)
        assert stage.twilio.rest.creates == []
        assert stage.twilio.rest.messages == []


async def unavailable(*args: object, **how: object) -> None:
    await trio.lowlevel.checkpoint()
    raise StoreUnavailable("timeout")


# -- outbound ---------------------------------------------------------------------------------------


async def test_a_limit_that_the_others_have_reached_refuses_a_call_before_twilio_hears_of_it(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    async with alone(tmp_path, outbound={"max_concurrent": 2}) as stage:
        hold(other, "a", "b")
        record = await stage.phone.place_call(FIRST)
        assert (record.reason, record.failure) == (
            EndReason.DIAL_REFUSED,
            "limit of all nodes: too_many_now",
        )
        with pytest.raises(DialRefused) as refused:
            await stage.phone.order_call(FIRST)
        assert refused.value.code == "too_many_now"
        assert stage.twilio.rest.creates == []
        other.run(places.release, ["a"], life=other.node.life)
        call = await stage.phone.order_call(FIRST)
        assert held(other) == [call.call_id]
        callee = await stage.twilio.outbound()
        await callee.stream_started()
        callee.hang_up()
        await call
        await settles(lambda: held(other) == [])
        assert other.run(lambda db: len(db.execute(select(SENT.c.n)).all())) == 1


async def test_a_number_that_another_node_has_called_or_listed_is_not_called(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    async with alone(tmp_path, outbound={"per_number_per_day": 1}) as stage:
        call = await stage.phone.order_call(FIRST)
        call.end()
        await call
        guard = stage.phone.dialler
        assert guard is not None
        guard.guard._called.clear()  # as after a restart
        with pytest.raises(DialRefused) as refused:
            await stage.phone.order_call(FIRST)
        assert refused.value.code == "rate_number"
        assert refused.value.retry_after_s
        other.run(do_not_call.add, [SECOND])
        with pytest.raises(DialRefused) as refused:
            await stage.phone.order_call(SECOND)
        assert refused.value.code == "do_not_call"


async def test_a_call_that_ends_while_its_limits_are_asked_leaves_no_place(
    tmp_path: Path, other: Process, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with alone(tmp_path, outbound={"dial": "at_once"}) as stage:
        shared, asked, go_on = stage.phone.shared, trio.Event(), trio.Event()
        assert shared is not None
        ask = shared._place.ask

        async def slow(work: Any, **how: Any) -> Any:
            asked.set()
            await go_on.wait()
            return await ask(work, **how)

        monkeypatch.setattr(shared._place, "ask", slow)
        call = stage.phone.place_call(FIRST)
        await asked.wait()
        call.end()
        await call
        go_on.set()
        await trio.sleep(3)
        assert held(other) == []
        assert stage.twilio.rest.creates == []


async def test_a_callee_who_was_transferred_counts_for_all_until_twilio_says_completed(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    dial = DialOutcome(ring_s=1.0, talk_s=20.0)
    async with staged(callee=Callee(), dial=dial, **sections(tmp_path)) as stage:
        stage.phone.place_call(FIRST)
        call = await stage.twilio.outbound()
        await call.stream_started()
        await call.speak(QUESTION)
        await call.hears_out(0.5, 300)
        if not stage.records:
            await call.speak(QUESTION)
        assert (await stage.record()).reason is EndReason.TRANSFERRED
        await settles(lambda: held(other) == [call.sid])
        await call.ended()
        await settles(lambda: held(other) == [])


async def test_a_callee_who_was_transferred_by_a_process_before_is_freed_by_twilios_word(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    left = Place("CA" + "1" * 32, outbound=True, lasts_s=3_600.0)
    other.run(places.hold, [left], life="of a process that was restarted")
    async with alone(tmp_path, outbound={"max_concurrent": 1}) as stage:
        with pytest.raises(DialRefused):
            await stage.phone.order_call(FIRST)
        assert stage.phone.dialler is not None
        stage.phone.dialler.status("unknown", {"CallSid": left.id, "CallStatus": "completed"})
        await settles(lambda: held(other) == [])
        (await stage.phone.order_call(FIRST)).end()


# -- API --------------------------------------------------------------------------------------------


async def test_the_api_says_at_once_what_all_nodes_allow(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    async with open_api(callee=BUSY, **sections(tmp_path, outbound={"max_concurrent": 1})) as api:
        hold(other, "a")
        answer = await api.post("/calls", {"to": TO}, "k1")
        assert (answer.status_code, code_of(answer)) == (429, "too_many_now")
        other.run(places.release, ["a"], life=other.node.life)
        answer = await api.post("/calls", {"to": TO}, "k1")  # it was refused: its key is free
        assert answer.status_code == 202
        await api.ended(answer.json()["id"])


async def test_one_key_places_one_call_whichever_node_is_asked(
    tmp_path: Path, other: Process, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_api(callee=BUSY, **sections(tmp_path)) as api:
        first = await api.post("/calls", {"to": TO}, "k1")
        await api.ended(first.json()["id"])
    async with open_api(callee=BUSY, **sections(tmp_path)) as api:  # the next process, or another one
        again = await api.post("/calls", {"to": TO}, "k1")
        assert (again.status_code, again.content) == (202, first.content)
        assert again.headers["Location"] == first.headers["Location"]
        conflict = await api.post("/calls", {"to": "+15551239998"}, "k1")
        assert (conflict.status_code, code_of(conflict)) == (409, "idempotency_conflict")
        claim = requests.claim

        def claimed(db: Connection, key: str, fingerprint: str) -> Any:
            claim(db, key, fingerprint)  # another node is a moment faster
            return claim(db, key, fingerprint)

        monkeypatch.setattr(requests, "claim", claimed)
        pending = await api.post("/calls", {"to": TO}, "k2")
        assert (pending.status_code, code_of(pending)) == (409, "idempotency_pending")
        assert int(pending.headers["Retry-After"]) > 0
        assert len(api.stage.twilio.calls) == 0


# -- money, names, cost -----------------------------------------------------------------------------


async def test_a_budget_that_the_others_have_spent_lets_no_call_in(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    async with alone(tmp_path, money={"day_budget_usd": 1.0}) as stage:
        assert stage.phone.admission.reasons() == []
        other.run(spend.add, spend.today(), 1.5)
        await settles(lambda: bool(stage.phone.admission.reasons()))
        assert stage.phone.admission.reasons() == ["the day's budget is spent"]
        assert stage.phone.day_budget.today_usd == 1.5


async def test_what_a_call_costs_is_in_the_sum_of_all(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    async with alone(tmp_path) as stage:
        call = await in_mid_answer(stage)
        call.hang_up()
        cost_usd = (await stage.record()).cost_usd
        assert cost_usd
        assert stage.phone.day_budget.today_usd == pytest.approx(cost_usd, abs=1e-6)
    assert other.run(spend.sum_of, spend.today()) == pytest.approx(cost_usd, abs=1e-6)


async def test_a_node_whose_name_was_taken_lets_no_new_call_in(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    async with alone(tmp_path, server={"node": "n1"}) as stage:
        assert stage.phone.shared is not None
        life = stage.phone.shared.beat.node.life
        other.run(nodes.leave, life)
        usurper = Process(shared_url(tmp_path), "n1")
        await settles(lambda: bool(stage.phone.admission.reasons()))
        assert stage.phone.admission.reasons() == ["another process has this node's name"]
        usurper.place.close()


async def test_a_drained_node_says_so_and_is_gone_at_its_end(
    tmp_path: Path, other: Process, autojump_clock: MockClock
) -> None:
    async with alone(tmp_path) as stage:
        call = await stage.ring()
        stage.phone.admission.draining = True
        await trio.sleep(2)
        seen = [(each.name, each.live, each.state) for each in other.run(nodes.seen)]
        assert seen == [("", 1, "draining"), ("n2", 0, "serving")]
        call.hang_up()
        await stage.record()
    assert [each.name for each in other.run(nodes.seen)] == ["n2"]


class Counted:
    """What calls, not beats, ask of the database."""

    def __init__(self, stage: Rehearsal) -> None:
        assert stage.phone.shared is not None
        self.statements: list[str] = []
        self._beat = stage.phone.shared.beat
        event.listen(stage.phone.shared._place._engine, "before_cursor_execute", self._note)

    def _note(self, conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        of_a_beat = ("BEGIN", "UPDATE llcphone_nodes", "SELECT llcphone_nodes", "SELECT llcphone_spend")
        if not statement.startswith((*of_a_beat, "INSERT INTO llcphone_spend")):
            self.statements.append(" ".join(statement.split()[:3]))


@pytest.mark.parametrize(("max_calls", "inbound", "outbound"), [(0, 0, 5), (10, 3, 5)])
async def test_a_call_costs_a_few_statements_and_nothing_in_its_middle(
    tmp_path: Path, autojump_clock: MockClock, max_calls: int, inbound: int, outbound: int
) -> None:
    """On PostgreSQL each question begins with one more, the lock."""
    async with nothing_left(), alone(tmp_path, shared={"max_calls": max_calls}) as stage:
        await trio.sleep(3)  # old rows are deleted at the start
        counted = Counted(stage)
        call = await stage.ring()
        await trio.sleep(5)
        call.hang_up()
        await stage.record()
        await trio.sleep(3)
        assert len(counted.statements) <= inbound, counted.statements
        counted.statements.clear()
        ours = await stage.phone.order_call(FIRST)
        callee = await stage.twilio.outbound()
        await callee.stream_started()
        await trio.sleep(5)
        callee.hang_up()
        await ours
        await trio.sleep(3)
        assert len(counted.statements) <= outbound, counted.statements


async def test_a_process_that_counts_alone_has_no_database_and_no_task_for_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    settings = {"journal": {"url": url_of(tmp_path)}}
    async with rehearse(Agent("Be brief."), settings=settings) as stage:
        assert stage.phone.shared is None
        assert "shared limits" not in {task.name for task in stage.phone._calls._nursery.child_tasks}
