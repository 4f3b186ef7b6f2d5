"""The ledger of spans: what was sent, marked and heard."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from llcphone.engine.parts.playout import Playout
from llcphone.engine.parts.sent_audio import Interruption, Kind
from llcphone.twilio.media import Mark, Media
from tests.engine.script import speech


def playing() -> Playout:
    playout = Playout(mark_every_ms=200)
    playout.start(0)
    return playout


def decoded(messages: list[object]) -> bytes:
    return b"".join(base64.b64decode(m.payload) for m in messages if isinstance(m, Media))


@given(st.lists(st.integers(0, 5_000), max_size=12), st.integers(20, 400))
def test_every_byte_is_sent_in_order_with_a_mark_at_least_that_often(sizes: list[int], every_ms: int) -> None:
    playout = Playout(mark_every_ms=every_ms)
    playout.start(0)
    deltas = [bytes(n * 7 % 251 for n in range(size)) for size in sizes]
    out: list[object] = []
    for audio in deltas:
        out += playout.add("r1", "i1", base64.b64encode(audio), 0)
    out += playout.finish_item("i1")
    assert decoded(out) == b"".join(deltas)
    run = 0
    for message in out:
        run = 0 if isinstance(message, Mark) else run + len(decoded([message]))
        assert run <= every_ms * 8
    assert run == 0  # the last word is marked
    marks = [m.name for m in out if isinstance(m, Mark)]
    assert len(set(marks)) == len(marks)


@given(st.lists(st.binary(min_size=1, max_size=700), min_size=1, max_size=8))
def test_audio_without_base64_padding_is_all_counted(chunks: list[bytes]) -> None:
    playout = playing()
    for chunk in chunks:
        playout.add("r1", "i1", base64.b64encode(chunk).rstrip(b"="), 0)
    item = playout.item("i1")
    assert item is not None
    assert item.generated == item.sent == sum(map(len, chunks))


def test_nothing_is_sent_before_the_stream_starts_and_all_of_it_after() -> None:
    playout = Playout(mark_every_ms=200)
    assert playout.add("r1", "i1", speech(100), 0) == []
    assert playout.holding
    assert not playout.silent
    assert decoded(list(playout.start(50))) == b"\x55" * 800
    assert not playout.holding


def test_an_item_finished_before_the_start_gets_its_last_mark_at_the_start() -> None:
    playout = Playout(mark_every_ms=200)
    playout.add("r1", "i1", speech(100), 0)
    playout.finish_item("i1")
    assert isinstance(playout.start(50)[-1], Mark)
    unfinished = Playout(mark_every_ms=200)
    unfinished.add("r1", "i1", speech(100), 0)
    assert isinstance(unfinished.start(50)[-1], Media)


def test_an_interruption_before_the_start_forgets_what_was_held() -> None:
    playout = Playout(mark_every_ms=200)
    playout.add("r1", "i1", speech(100), 0)
    cut = playout.interrupt(10)
    assert cut is not None
    assert [(c.item_id, c.heard_ms, c.generated_ms) for c in cut.cuts] == [("i1", 0, 100)]
    assert not cut.clear
    assert playout.start(50) == []


def test_a_filler_held_before_the_start_keeps_its_place() -> None:
    playout = Playout(mark_every_ms=200)
    assert playout.filler(speech(60), 0) == []
    playout.add("r1", "i1", speech(40), 0)
    sent = playout.start(10)
    assert [type(m) for m in sent] == [Media, Mark, Media]
    (span,) = playout.echoed("p1", 70)
    assert span.kind is Kind.FILLER


def test_another_item_ends_the_open_span_of_the_one_before() -> None:
    playout = playing()
    playout.add("r1", "i1", speech(60), 0)
    assert playout.add("r1", "i2", speech(60), 0) == [Mark("p1"), Media(speech(60))]


def test_audio_after_the_items_end_is_marked_when_its_response_ends() -> None:
    playout = playing()
    playout.add("r1", "i1", speech(60), 0)
    playout.finish_item("i1")
    playout.add("r1", "i1", speech(60), 0)
    assert playout.finish_response("r1") == [Mark("p2")]


def test_a_foreign_mark_proves_nothing() -> None:
    playout = playing()
    playout.add("r1", "i1", speech(400), 0)
    assert playout.echoed("elsewhere", 300) == []
    assert playout.stray_echoes == 1


def test_a_mark_not_sent_yet_proves_nothing() -> None:
    playout = playing()
    playout.add("r1", "i1", speech(60), 0)
    assert playout.echoed("p1", 60) == []
    assert playout.item("i1").heard == 0  # type: ignore[union-attr]


def test_an_echo_counts_once() -> None:
    playout = playing()
    playout.add("r1", "i1", speech(400), 0)
    playout.echoed("p1", 200)
    assert playout.echoed("p1", 200) == []
    assert playout.heard_ms("i1", 200) == 198  # long deltas are cut at whole base64 groups


def test_heard_of_a_response_is_the_sum_of_its_items() -> None:
    playout = playing()
    playout.add("r1", "i1", speech(100), 0)
    playout.add("r1", "i2", speech(100), 0)
    playout.finish_response("r1")
    playout.echoed("p1", 100)
    assert playout.heard_response_ms("r1", 150) == 150
    assert playout.heard_response_ms("r2", 150) == 0


def test_when_the_queue_ends_is_reckoned_from_what_is_being_played() -> None:
    playout = playing()
    assert playout.ends_ms == 0
    playout.add("r1", "i1", speech(400), 1_000)
    assert playout.ends_ms == 1_400
    playout.echoed("p1", 1_250)
    assert playout.ends_ms == 1_250 + 202


def test_nothing_unheard_is_no_interruption() -> None:
    playout = playing()
    playout.add("r1", "i1", speech(60), 0)
    playout.finish_item("i1")
    playout.echoed("p1", 60)
    assert playout.interrupt(70) is None


def test_only_clearing_is_left_when_the_clock_says_all_was_heard() -> None:
    playout = playing()
    playout.add("r1", "i1", speech(60), 0)
    playout.finish_item("i1")
    assert playout.interrupt(70) == Interruption((), clear=True)


def test_settled_items_are_forgotten_and_unsettled_ones_kept() -> None:
    playout = playing()
    playout.add("r0", "kept", speech(60), 0)
    for number in range(100):
        playout.add("r1", f"i{number}", speech(20), 0)
        playout.finish_item(f"i{number}")
        playout.echoed(f"p{number + 2}", 0)
        if number == 0:
            assert playout.item("kept") is not None
    assert playout.item("i99") is not None
    assert len(playout._items) <= 65


def test_cut_responses_are_remembered_long_enough_and_not_for_ever() -> None:
    playout = playing()
    for number in range(100):
        playout.cut_off(f"r{number}")
    assert playout.is_cut_off("r99")
    assert playout.is_cut_off("r40")
    assert not playout.is_cut_off("r0")
