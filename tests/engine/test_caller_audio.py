"""The caller's audio that a lost session would take with it: which is kept, how long, how much."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from llcphone.engine.parts.caller_audio import CallerAudioBuffer, joined
from tests.engine.script import frame


def remembering(*numbers: int) -> CallerAudioBuffer:
    recall = CallerAudioBuffer()
    add(recall, *numbers)
    return recall


def add(recall: CallerAudioBuffer, *numbers: int) -> None:
    for number in numbers:
        recall.add(frame(number))


def whole(*numbers: int) -> bytes:
    return base64.b64encode(b"".join(base64.b64decode(frame(number)) for number in numbers))


def test_while_the_caller_is_silent_only_the_last_moment_is_kept() -> None:
    recall = remembering(*range(500))
    assert recall.take() == [frame(number) for number in range(425, 500)]


def test_a_turn_is_kept_from_before_it_was_noticed() -> None:
    recall = remembering(1, 2)
    recall.speech_started()
    add(recall, *range(3, 203))
    assert recall.take() == [frame(number) for number in range(1, 203)]


def test_a_turn_without_end_is_kept_within_bounds() -> None:
    recall = remembering()
    recall.speech_started()
    add(recall, *range(5_000))
    assert len(recall) == 1_500
    recall.committed("u1", 0)
    assert len(recall) == 1_500


def test_a_committed_turn_is_one_payload_and_is_not_sent_again_as_frames() -> None:
    recall = remembering(1, 2, 3)
    recall.committed("u1", 0)
    add(recall, 4)
    assert recall.turn("u1") == whole(1, 2, 3)
    assert recall.take() == [frame(4)]


def test_what_came_after_the_turns_end_belongs_to_the_next_one() -> None:
    recall = remembering(1, 2, 3, 4)
    recall.committed("u1", 50)
    assert recall.turn("u1") == whole(1, 2)
    assert recall.take() == [frame(3), frame(4)]


def test_turns_are_kept_until_they_are_answered() -> None:
    recall = remembering(1)
    recall.committed("u1", 0)
    add(recall, 2)
    recall.committed("u2", 0)
    assert (recall.turn("u1"), recall.turn("u2")) == (whole(1), whole(2))
    recall.answered()
    assert recall.turn("u1") == recall.turn("u2") == b""


def test_of_many_turns_without_an_answer_the_oldest_go() -> None:
    recall = remembering()
    for number in range(5):
        recall.speech_started()
        add(recall, *range(400))
        recall.committed(f"u{number}", 0)
    assert [bool(recall.turn(f"u{number}")) for number in range(5)] == [False, False, True, True, True]
    assert len(recall) <= 1_500


def test_what_was_taken_is_remembered_again_as_it_is_sent() -> None:
    recall = remembering(1, 2)
    for payload in recall.take():
        recall.add(payload)
    add(recall, 3)
    assert recall.take() == [frame(1), frame(2), frame(3)]


def test_nothing_is_kept_once_nobody_is_to_be_heard() -> None:
    recall = remembering(1)
    recall.committed("u1", 0)
    add(recall, 2)
    recall.forget()
    assert len(recall) == 0


@given(st.lists(st.binary(max_size=40)), st.booleans())
def test_payloads_are_joined_to_the_audio_they_hold(pieces: list[bytes], padded: bool) -> None:
    payloads = [base64.b64encode(piece) for piece in pieces]
    if not padded:
        payloads = [payload.rstrip(b"=") for payload in payloads]
    assert base64.b64decode(joined(payloads)) == b"".join(pieces)
