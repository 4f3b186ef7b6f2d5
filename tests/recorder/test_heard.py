"""Where the agent was heard, by marks: late, cut, overdue and missing ones."""

from __future__ import annotations

from llcphone.recorder.heard import Heard
from tests.recorder.test_layout import Tape, begun, frame, speech, stretches


class Line:
    """A ledger in milliseconds."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.line = bytearray()

    def says(self, at: int, ms: int, value: int, mark: str = "") -> None:
        self.heard.sent(speech(ms, value), at * 8)
        if mark:
            self.heard.mark_sent(mark, at * 8)

    def clears(self, at: int) -> None:
        self.heard.clear_sent(at * 8)

    def back(self, mark: str, at: int) -> None:
        self.heard.mark_back(mark, at * 8, at * 8)

    def looks(self, at: int) -> int:
        """How far all is known, once frames until then have come."""
        known = max(self.heard.settle(at * 8, at * 8), len(self.line))
        self._take(known)
        return known // 8

    def ends(self, at: int) -> list[tuple[int, int, int]]:
        self.heard.finish(at * 8)
        self._take(at * 8)
        return stretches(self.line)

    def _take(self, end: int) -> None:
        audio = self.heard.take(end)
        assert len(audio) <= end - len(self.line)
        self.line += audio.ljust(end - len(self.line), b"\xff")


def test_audio_that_was_held_up_is_heard_when_its_mark_says_so() -> None:
    line = Line()
    line.says(100, 300, 1, "m1")
    line.says(110, 300, 2, "m2")
    line.back("m1", 1_405)
    line.back("m2", 1_704)
    assert line.ends(2_000) == [(1_105, 1_405, 1), (1_405, 1_705, 2)]


def test_marks_a_little_late_leave_no_gaps() -> None:
    line = Line()
    for number in range(10):
        line.says(0, 200, 1, f"m{number}")
        line.back(f"m{number}", 200 * number + 200 + number % 10)
    assert line.ends(3_000) == [(0, 2_000, 1)]


def test_a_clear_cuts_where_its_marks_come_back() -> None:
    """It takes 80 ms to arrive; what was sent behind it is heard."""
    line = Line()
    for number in range(5):
        line.says(0, 300, 1, f"m{number}")
    line.back("m0", 300)
    line.clears(450)
    for number in range(1, 5):
        line.back(f"m{number}", 530)
    line.says(900, 200, 2, "m5")
    line.back("m5", 1_100)
    assert line.ends(1_500) == [(0, 530, 1), (900, 1_100, 2)]


def test_a_mark_on_its_way_when_the_clear_was_sent_is_no_cut() -> None:
    line = Line()
    line.says(0, 300, 1, "m0")
    line.says(0, 300, 1, "m1")
    line.clears(330)
    line.back("m0", 340)
    line.back("m1", 380)
    assert line.ends(1_000) == [(40, 380, 1)]


def test_what_met_its_clear_on_the_way_was_never_heard() -> None:
    """The socket was held up from 350 until 3,000."""
    line = Line()
    line.says(0, 300, 1, "m0")
    line.back("m0", 300)
    for number in range(1, 4):
        line.says(400, 300, 2, f"m{number}")
    assert line.looks(2_900) >= 2_000, "the file does not wait for it"
    line.clears(2_900)
    line.says(2_950, 200, 3, "m4")
    for mark, at in (("m1", 3_401), ("m2", 3_401), ("m3", 3_401), ("m4", 3_600)):
        line.back(mark, at)
    assert line.ends(4_000) == [(0, 300, 1), (3_400, 3_600, 3)]


def test_audio_that_our_own_queue_dropped_was_not_heard() -> None:
    """Its mark was dropped, too, so none comes back with the others."""
    line = Line()
    line.says(0, 300, 1, "m0")
    line.back("m0", 300)
    line.says(400, 300, 2, "m1")
    line.clears(900)
    line.says(1_000, 100, 3, "m2")
    line.back("m2", 1_100)
    assert line.ends(1_500) == [(0, 300, 1), (1_000, 1_100, 3)]


def test_what_is_overdue_at_the_end_was_not_heard_and_what_is_not_was() -> None:
    for sent_at, heard in ((400, [(0, 300, 1)]), (900, [(0, 300, 1), (900, 1_000, 2)])):
        line = Line()
        line.says(0, 300, 1, "m0")
        line.back("m0", 300)
        line.says(sent_at, 300, 2, "m1")
        assert line.ends(1_000) == heard


def test_a_lost_mark_costs_nothing() -> None:
    line = Line()
    for number in range(3):
        line.says(0, 300, number + 1, f"m{number}")
    line.back("m2", 900)
    line.back("m1", 905)
    line.back("never sent", 906)
    assert line.ends(1_000) == [(0, 300, 1), (300, 600, 2), (600, 900, 3)]


def test_without_marks_all_is_heard_as_expected() -> None:
    line = Line()
    line.says(0, 300, 1, "m0")
    assert line.looks(5_000) == 0, "one may come yet"
    assert line.looks(6_000) == 6_000, "none will"
    line.says(6_100, 4_000, 2, "m1")
    assert line.looks(6_500) == 6_500
    line.clears(7_000)
    line.says(7_500, 100, 3, "m2")
    assert line.ends(8_000) == [(0, 300, 1), (6_100, 7_000, 2), (7_500, 7_600, 3)]


def test_a_mark_that_is_not_sent_is_not_waited_for() -> None:
    """The model stops in the middle of a word; after ten seconds it goes on."""
    line = Line()
    line.says(0, 300, 1, "m0")
    line.back("m0", 300)
    line.says(500, 200, 2)
    assert line.looks(1_000) == 500
    assert line.looks(1_600) == 1_600
    line.says(10_000, 200, 3, "m1")
    line.back("m1", 10_200)
    assert line.ends(11_000) == [(0, 300, 1), (500, 700, 2), (10_000, 10_200, 3)]


# -- with frames -------------------------------------------------------------------------------


def mark(name: str) -> bytes:
    return b'{"event":"mark","mark":{"name":"%b"}}' % name.encode()


def hold_up(tape: Tape, begin: int, end: int) -> None:
    """All that comes between these moments comes at the end."""
    tape.received = [(100 + end / 1000 if begin <= (at_s - 100) * 1000 < end else at_s, text)
                     for at_s, text in tape.received]  # fmt: skip


def test_a_mark_lies_between_its_frames_however_late_they_come() -> None:
    for begin, end in ((0, 0), (900, 4_000)):
        tape = begun()
        for number in range(250):
            tape.hears(number * 20, frame(1, 155 + number * 20))
            if number == 60:
                tape.hears(1_210, mark("m1"))
            if number == 75:
                tape.hears(1_510, mark("m2"))
        hold_up(tape, begin, end)
        tape.says(100, speech(300, 5), mark="m1")
        tape.says(100, speech(300, 6), mark="m2")
        tape.write(5_000, last=True)
        (first, second) = tape.agent
        assert abs(first[0] - 910) <= 20
        assert second == (first[1], first[1] + 300, 6)
        assert tape.caller == [(0, 5_000, 1)]


def test_a_mark_that_ends_a_batch_waits_for_the_frame_behind_it() -> None:
    tape = begun()
    for number in range(61):
        tape.hears(number * 20, frame(1, 155 + number * 20))
    tape.says(100, speech(300, 5), mark="m1")
    tape.hears(3_000, mark("m1"))
    tape.write(3_000)
    for number in range(61, 150):
        tape.hears(3_000, frame(1, 155 + number * 20))
    tape.write(3_010, last=True)
    assert tape.agent == [(910, 1_210, 5)], "between the frames of 900 and 920"
