"""The ear's arithmetic, in samples (8 per millisecond)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llcphone.sim.twilio.playout import BUFFER_LIMIT, Playout, lay_out

VOICE = b"\x20"


def test_audio_that_arrives_early_waits_for_its_turn():
    playout = Playout()
    playout.play(VOICE * 800, now=1000)
    playout.play(b"\x30" * 800, now=1100)
    assert playout.free_at == 2600
    assert playout.heard(1900) == [(1000, VOICE * 800 + b"\x30" * 100)]


def test_audio_that_arrives_late_starts_at_once_after_a_gap():
    playout = Playout()
    playout.play(VOICE * 80, now=0)
    playout.play(VOICE * 80, now=500)
    assert playout.heard(10_000) == [(0, VOICE * 80), (500, VOICE * 80)]


def test_a_mark_is_due_when_the_audio_before_it_has_been_played():
    playout = Playout()
    playout.play(VOICE * 1600, now=0)
    playout.mark("a", now=10)
    playout.play(VOICE * 800, now=20)
    playout.mark("b", now=30)
    assert playout.next_mark_at == 1600
    assert playout.due_marks(1599) == []
    assert playout.due_marks(1600) == ["a"]
    assert playout.due_marks(9999) == ["b"]
    assert playout.next_mark_at is None


def test_a_mark_on_an_empty_buffer_is_due_at_once():
    playout = Playout()
    playout.play(VOICE * 80, now=0)
    playout.mark("late", now=81)
    assert playout.due_marks(81) == ["late"]


def test_a_clear_cuts_the_audio_and_returns_all_pending_marks_at_once():
    playout = Playout()
    playout.play(VOICE * 8000, now=0)
    playout.mark("a", now=0)
    playout.play(VOICE * 8000, now=0)
    playout.mark("b", now=0)
    playout.clear(now=2000)
    assert playout.due_marks(2000) == ["a", "b"]
    assert playout.heard(99_999) == [(0, VOICE * 2000)]
    playout.play(b"\x30" * 80, now=2000)
    assert playout.heard(99_999) == [(0, VOICE * 2000 + b"\x30" * 80)]


def test_more_than_ten_minutes_in_the_buffer_are_discarded():
    playout = Playout(keep_audio=False)
    assert playout.play(VOICE * BUFFER_LIMIT, now=0)
    assert not playout.play(VOICE, now=0)
    assert playout.play(VOICE * 80, now=80)
    assert playout.free_at == BUFFER_LIMIT + 80


def test_digital_silence_plays_but_is_no_voice():
    playout = Playout()
    playout.play(b"\xff" * 4000, now=0)
    playout.play(VOICE * 800, now=0)
    assert playout.voiced(4400) == 400
    assert playout.voiced_reaches(800) == 4800
    assert playout.voiced_reaches(801) is None
    assert playout.voice_ends() == 4800
    assert playout.heard(4100) == [(0, b"\xff" * 4000), (4000, VOICE * 100)]


def test_nothing_is_heard_and_no_mark_returns_after_the_stream_has_ended():
    playout = Playout()
    playout.play(VOICE * 800, now=0)
    playout.mark("a", now=0)
    playout.stop(now=100)
    assert playout.due_marks(10_000) == []
    assert playout.voiced(10_000) == 100


@given(
    st.lists(
        st.tuples(st.sampled_from(["play", "clear"]), st.integers(1, 500), st.integers(0, 700)), max_size=40
    )
)
def test_never_more_is_heard_than_time_has_passed_and_never_two_sounds_at_once(steps):
    playout, now, sent = Playout(), 0, 0
    for kind, length, wait in steps:
        now += wait
        if kind == "play":
            playout.play(VOICE * length, now)
            sent += length
        else:
            playout.clear(now)
    pieces = playout.heard(now)
    heard = sum(len(audio) for _, audio in pieces)
    assert heard <= min(now, sent)
    assert heard == playout.voiced(now)
    ends = [start + len(audio) for start, audio in pieces]
    assert all(end <= start for end, (start, _) in zip(ends, pieces[1:], strict=False))


def test_pieces_are_laid_out_on_a_line_of_silence():
    assert lay_out([(2, b"ab"), (6, b"cdef")], 8) == b"\xff\xffab\xff\xffcd"
    assert lay_out([(9, b"x")], 4) == b"\xff" * 4
