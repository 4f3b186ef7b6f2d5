"""Limits over all processes, statement by statement: on SQLite, PostgreSQL and behind PgBouncer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from llcphone.shared import do_not_call, nodes, pace, places, requests, sent, spend
from llcphone.shared.nodes import LEASE_S
from llcphone.shared.places import Place
from llcphone.shared.requests import KEPT_S, Request
from llcphone.shared.tables import CREATES, NODES, PACE, PLACES, REDIRECTS, REQUESTS, SENT, SPEND, VERSIONED
from llcphone.shared.tidy import too_old
from llcphone.store.deletion import DAY_S, in_pieces
from llcphone.store.versions import WrongSchema
from tests.shared.kit import TO, Process, at_once, begun, calls, config, one, other

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

__all__ = ["begun", "one", "other"]


def take(process: Process, id_: str, most: int) -> bool:
    return process.run(places.take, Place(id_), life=process.node.life, most=most)


def ids(process: Process) -> list[str]:
    return sorted(process.run(lambda db: db.execute(select(PLACES.c.id)).scalars().all()))


def falls_silent(process: Process, for_s: float) -> None:
    """Its last beat was so long ago."""
    ours = NODES.c.life == process.node.life
    process.run(lambda db: db.execute(update(NODES).where(ours).values(beat_at=NODES.c.beat_at - for_s)))


# -- calls at the same time -------------------------------------------------------------------------


def test_places_are_counted_over_all_processes_and_free_when_a_call_is_over(
    one: Process, other: Process
) -> None:
    assert [take(one, "a", 2), take(other, "b", 2), take(one, "c", 2), take(other, "c", 2)] == [
        True,
        True,
        False,
        False,
    ]
    one.run(places.release, ["a", "unknown"], life=one.node.life)
    assert take(other, "c", 2)


def test_a_webhook_that_two_processes_get_takes_one_place(one: Process, other: Process) -> None:
    assert take(one, "a", 1)
    assert take(other, "a", 1)
    one.run(places.release, ["a"], life=one.node.life)  # it is the other's by now
    assert ids(one) == ["a"]


def test_the_places_of_a_process_that_died_are_free_after_its_lease(one: Process, other: Process) -> None:
    assert take(one, "a", 1)
    falls_silent(one, LEASE_S - 3)
    assert not take(other, "b", 1)
    falls_silent(one, 3)
    assert take(other, "b", 1)


def test_ones_own_places_count_however_late_ones_beat_is(one: Process) -> None:
    assert take(one, "a", 1)
    falls_silent(one, LEASE_S + 1)
    assert not take(one, "b", 1)


def test_a_call_that_nobody_holds_counts_until_it_is_over_or_its_time_is(
    one: Process, other: Process
) -> None:
    one.run(places.hold, [Place("CA1", outbound=True, lasts_s=60.0)], life=one.node.life)
    one.run(nodes.leave, one.node.life)
    assert other.admit(calls(max_concurrent=1), call_id="c1") == "too_many_now"
    other.run(places.release, ["CA1"], life=other.node.life)
    assert other.admit(calls(max_concurrent=1), call_id="c1") == ""
    other.run(places.hold, [Place("CA2", outbound=True, lasts_s=-1.0)], life="")
    assert other.admit(calls(max_concurrent=2), call_id="c2") == ""


def test_of_many_that_ask_at_once_as_many_are_let_in_as_may_be(
    begun: Callable[[str], Process],
) -> None:
    processes = [begun(f"n{i}") for i in range(4)]
    kind = calls(max_concurrent=10)

    def ask(process: Process, at: int) -> Callable[[], list[str]]:
        return lambda: [process.admit(kind, f"+1415555{at:02}{n:02}", f"c{at}-{n}") for n in range(6)]

    found = at_once([ask(process, at) for at, process in enumerate(processes)])
    assert sorted(code for codes in found for code in codes) == [""] * 10 + ["too_many_now"] * 14


def test_inbound_calls_count_for_the_account_but_not_for_the_outbound_limit(
    one: Process, other: Process
) -> None:
    assert take(one, "a", 9)
    assert other.admit(calls(max_concurrent=1, max_calls=2), call_id="c1") == ""
    assert other.admit(calls(max_concurrent=2, max_calls=2), call_id="c2") == "too_many_on_all_nodes"
    assert not take(one, "b", 2)


# -- calls and texts of a day -----------------------------------------------------------------------


def earlier(process: Process, by_s: float) -> None:
    """All that was sent was sent so much longer ago."""
    process.run(lambda db: db.execute(update(SENT).values(at=SENT.c.at - by_s)))


@pytest.mark.parametrize(
    ("limit", "code", "same_number", "span_s"),
    [
        ({"max_per_day": 2}, "daily_limit", False, DAY_S),
        ({"calls_per_minute": 2}, "rate_global", False, 60.0),
        ({"per_number_per_day": 2}, "rate_number", True, DAY_S),
    ],
)
def test_what_was_placed_by_one_counts_for_the_other(
    one: Process, other: Process, limit: dict[str, int], code: str, same_number: bool, span_s: float
) -> None:
    numbers = [TO] * 3 if same_number else [f"+1415555010{n}" for n in range(3)]
    kind = calls(**limit)
    assert [one.admit(kind, numbers[0]), other.admit(kind, numbers[1])] == ["", ""]
    assert [one.admit(kind, numbers[2]), other.admit(kind, numbers[2])] == [code, code]
    earlier(one, span_s - 5)
    assert one.admit(kind, numbers[2]) == code
    earlier(one, 6)
    assert other.admit(kind, numbers[2]) == ""


def test_a_number_has_a_gap_between_its_calls_and_others_have_none(one: Process, other: Process) -> None:
    kind = calls(per_number_min_gap_s=60.0)
    assert [one.admit(kind), other.admit(kind), other.admit(kind, "+14155550199")] == ["", "rate_number", ""]
    earlier(one, 61)
    assert other.admit(kind) == ""


def test_a_refusal_says_when_to_ask_again_and_counts_for_nothing(one: Process) -> None:
    kind = calls(calls_per_minute=1)
    assert one.admit(kind) == ""
    earlier(one, 20)
    for _ in range(3):
        assert one.admit(kind, "+14155550199") == "rate_global"
    with pytest.raises(Exception, match=r"outbound\.calls_per_minute") as refused:
        one.run(sent.admit, kind, number=TO, hashed="x", life="", call_id=None)
    assert 38 <= getattr(refused.value, "retry_after_s", 0) <= 40
    assert one.run(lambda db: db.execute(select(SENT.c.n)).scalars().all()) == [1]


def test_text_messages_have_limits_of_their_own(one: Process, other: Process) -> None:
    rules = config(outbound={"sms_per_number_per_day": 1, "sms_per_day": 2}).outbound
    kind = sent.texts_of(rules)
    assert one.admit(calls(), call_id="c1") == ""
    found = [one.admit(kind), other.admit(kind), other.admit(kind, "+14155550199")]
    assert found == ["", "sms_number", ""]
    assert one.admit(kind, "+14155550198") == "sms_daily"


def test_a_number_on_the_list_is_neither_called_nor_written_to(one: Process, other: Process) -> None:
    assert one.run(do_not_call.add, [TO, "+14155550199", TO]) == 2
    assert one.run(do_not_call.add, [TO]) == 0
    texts = sent.texts_of(config().outbound)
    assert [other.admit(calls(), call_id="c1"), other.admit(texts)] == ["do_not_call", "do_not_call"]
    assert one.run(do_not_call.numbers) == [TO, "+14155550199"]
    assert one.run(do_not_call.remove, TO)
    assert not one.run(do_not_call.remove, TO)
    assert other.admit(calls(), call_id="c1") == ""
    assert ids(one) == ["c1"]


# -- pace, requests, money --------------------------------------------------------------------------


def test_all_have_one_pace_and_a_pause_gives_nobody_two_turns(one: Process, other: Process) -> None:
    waits = [each.run(pace.take_turn, CREATES, 1.0) for each in (one, other, one)]
    assert waits[0] == 0.0
    assert 0.5 < waits[1] <= 1.0
    assert 1.5 < waits[2] <= 2.0
    one.run(lambda db: db.execute(update(PACE).values(next_at=PACE.c.next_at - 100.0)))
    assert one.run(pace.take_turn, CREATES, 1.0) == 0.0
    assert other.run(pace.take_turn, CREATES, 1.0) > 0.5


def test_redirects_have_a_pace_of_their_own(one: Process, other: Process) -> None:
    assert one.run(pace.take_turn, CREATES, 60.0) == 0.0
    waits = [each.run(pace.take_turn, REDIRECTS, 10.0) for each in (one, other)]
    assert waits[0] == 0.0
    assert 5.0 < waits[1] <= 10.0


def test_one_key_is_claimed_once_and_its_answer_is_known_to_all(begun: Callable[[str], Process]) -> None:
    processes = [begun(f"n{i}") for i in range(6)]
    found = at_once([lambda each=each: each.run(requests.claim, "k", "f") for each in processes])  # type: ignore[misc]
    assert sorted(map(str, found)) == sorted([*["Request(fingerprint='f', call='')"] * 5, "None"])
    processes[0].run(requests.answered, "k", "c1", "{}")
    assert processes[1].run(requests.claim, "k", "other") == Request("f", "c1", "{}")
    processes[1].run(requests.forget, "k")  # it was answered: it stays
    assert processes[2].run(requests.known, "k") == Request("f", "c1", "{}")
    processes[2].run(lambda db: db.execute(update(REQUESTS).values(at=REQUESTS.c.at - KEPT_S - 1)))
    assert processes[3].run(requests.claim, "k", "new") is None


def test_a_key_of_a_refused_request_may_be_used_again(one: Process, other: Process) -> None:
    assert one.run(requests.claim, "k", "f") is None
    one.run(requests.forget, "k")
    assert other.run(requests.claim, "k", "f") is None


def test_each_adds_what_it_spent_and_reads_the_sum(one: Process, other: Process) -> None:
    one.run(spend.add, "2026-11-30", 1.5)
    other.run(spend.add, "2026-11-30", 0.25)
    other.run(spend.add, "2026-12-01", 9.0)
    assert one.run(spend.sum_of, "2026-11-30") == 1.75
    assert one.run(spend.sum_of, "2026-12-02") == 0.0


# -- the tables -------------------------------------------------------------------------------------


def test_what_is_old_is_deleted_and_the_rest_stays(one: Process, other: Process) -> None:
    one.admit(calls(), call_id="c1")
    earlier(one, DAY_S + 1)
    other.admit(calls(), call_id="c2")
    other.run(places.hold, [Place("CA1", lasts_s=-1.0), Place("CA2", lasts_s=60.0)], life="")
    other.run(requests.claim, "k", "f")
    other.run(spend.add, "2020-01-01", 1.0)
    other.run(spend.add, spend.today(), 1.0)
    falls_silent(one, DAY_S + 1)
    in_pieces(too_old(), one.place.run)
    assert ids(one) == ["CA2", "c2"]

    def left(db: Connection) -> list[int]:
        return [len(db.execute(select(table)).all()) for table in (SENT, NODES, REQUESTS, SPEND)]

    assert one.run(left) == [1, 1, 1, 1]
    assert other.admit(calls(max_per_day=1), "+14155550199") == "daily_limit"


def test_tables_of_a_newer_version_are_left_alone(one: Process) -> None:
    row = VERSIONED.row
    one.run(lambda db: db.execute(update(row).values(version=VERSIONED.version + 1)))
    with pytest.raises(WrongSchema, match="newer llcphone"):
        one.run(VERSIONED.prepare)
