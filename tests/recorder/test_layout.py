"""Where the audio of a stream lies: late, lost and undated frames; gaps, clears and stalls of the agent."""

from __future__ import annotations

import base64
import json
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.recorder.layout import Layout
from llcphone.twilio.media import Clear, Mark, Media, PhoneMessage

QUIET = 0xFF
START = b'{"event":"start","start":{"streamSid":"MZ1"}}'
STOP = b'{"event":"stop"}'


def speech(ms: int, value: int = 1) -> bytes:
    return bytes((value,)) * (8 * ms)


def frame(value: int, ms: int | str = "", length_ms: int = 20) -> bytes:
    """A frame that Twilio dates so."""
    payload = base64.b64encode(speech(length_ms, value)).decode()
    media: dict[str, Any] = {"track": "inbound", "payload": payload}
    if ms != "":
        media["timestamp"] = str(ms)
    return json.dumps({"event": "media", "media": media}).encode()


@attrs.define
class Tape:
    """A layout, and the file that comes of it."""

    layout: Layout = attrs.field(factory=Layout)
    file: bytearray = attrs.field(factory=bytearray)
    received: list[tuple[float, bytes]] = attrs.field(factory=list)
    sent: list[tuple[float, PhoneMessage]] = attrs.field(factory=list)

    def hears(self, at_ms: float, message: bytes) -> None:
        self.received.append((100 + at_ms / 1000, message))

    def says(self, at_ms: float, *audio: bytes | None, mark: str = "") -> None:
        """Audio, a clear if it is None, and a mark."""
        at_s = 100 + at_ms / 1000
        self.sent += [(at_s, Clear() if each is None else Media(base64.b64encode(each))) for each in audio]
        self.sent += [(at_s, Mark(mark))] if mark else []

    def write(self, now_ms: float, *, last: bool = False) -> None:
        piece = self.layout.add(self.received, self.sent, 100 + now_ms / 1000, last=last)
        self.received, self.sent = [], []
        if piece is not None:
            there = self.file[piece.at * 2 : piece.agent_at * 2]
            assert len(there) == 2 * (piece.agent_at - piece.at)
            self.file[piece.at * 2 : (piece.at + piece.samples) * 2] = piece.over(bytes(there))
        assert len(self.file) == self.layout.written * 2

    @property
    def caller(self) -> list[tuple[int, int, int]]:
        return stretches(self.file[::2])

    @property
    def agent(self) -> list[tuple[int, int, int]]:
        return stretches(self.file[1::2])


def stretches(channel: bytes | bytearray) -> list[tuple[int, int, int]]:
    """What is not silence: (from ms, to ms, value)."""
    found: list[tuple[int, int, int]] = []
    for at, value in enumerate(channel):
        if value == QUIET:
            continue
        if found and found[-1][1] == at and found[-1][2] == value:
            found[-1] = (found[-1][0], at + 1, value)
        else:
            found.append((at, at + 1, value))
    return [(begin // 8, end // 8, value) for begin, end, value in found]


def begun() -> Tape:
    tape = Tape()
    tape.hears(0, START)
    return tape


def test_frames_lie_where_twilio_dates_them_however_late_they_came() -> None:
    tape = begun()
    for number in range(100):  # 2 s; those between 400 and 1,400 ms are held up and come at once
        spoken = number * 20
        came = 1_400 if 400 <= spoken < 1_400 else spoken + 3
        tape.hears(came + 10, frame(1 + number % 2, 155 + spoken))
        if came + 10 >= 500 and number == 24:
            tape.write(500)  # the file is a second behind those frames
            tape.write(1_000)
    tape.write(2_050, last=True)
    assert tape.caller == [(13 + 20 * n, 33 + 20 * n, 1 + n % 2) for n in range(100)]


def test_lost_frames_are_silence() -> None:
    tape = begun()
    for number in (*range(10), *range(60, 70)):
        tape.hears(number * 20, frame(1, 155 + number * 20))
    tape.write(1_400, last=True)
    assert tape.caller == [(0, 200, 1), (1_200, 1_400, 1)]


def test_frames_without_a_date_follow_each_other_unless_there_was_a_gap() -> None:
    tape = begun()
    for number, late in enumerate((0, 30, 5, 12)):
        tape.hears(40 + number * 20 + late, frame(1))
    tape.hears(1_000, frame(2))
    tape.hears(1_020, frame(2, "soon"))
    tape.write(1_100, last=True)
    assert tape.caller == [(40, 120, 1), (1_000, 1_040, 2)]


def test_a_date_that_cannot_be_right_is_not_believed() -> None:
    tape = begun()
    tape.hears(0, frame(1, 155))
    for at, date in ((20, 10**15), (40, -(10**9)), (60, 155 + 3_600_000)):
        tape.hears(at, frame(1, date))
    tape.write(100, last=True)
    assert tape.caller == [(0, 80, 1)]
    assert len(tape.file) == 2 * 800


def test_what_cannot_be_read_is_left_out() -> None:
    tape = begun()
    for text in (
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"event":"media"}',
        b'{"event":"media","media":{"payload":"*"}}',
    ):
        tape.hears(10, text)
    tape.hears(20, frame(1, 155))
    tape.says(30, b"")
    tape.sent.append((100.04, Media(b"*")))
    tape.write(50, last=True)
    assert tape.caller == [(20, 40, 1)]


def test_the_agent_is_laid_out_as_a_telephone_plays_it() -> None:
    tape = begun()
    tape.says(100, speech(300, 1))
    tape.says(110, speech(300, 2))  # behind the first
    tape.write(500)
    tape.says(900, speech(200, 3))  # the buffer was empty since 700
    tape.write(1_000)
    tape.write(2_000, last=True)
    assert tape.agent == [(100, 400, 1), (400, 700, 2), (900, 1_100, 3)]


def test_a_clear_cuts_what_was_not_played_and_what_follows_begins_anew() -> None:
    tape = begun()
    tape.says(0, speech(10_000, 1))
    tape.write(500)
    tape.says(777, None)
    tape.says(1_200, speech(100, 2))
    tape.says(1_250, None)
    tape.write(1_500)
    tape.says(1_600, None)
    tape.write(2_000, last=True)
    assert tape.agent == [(0, 777, 1), (1_200, 1_250, 2)]


def test_nothing_is_heard_after_the_stop_or_the_end() -> None:
    tape = begun()
    tape.says(0, speech(10_000, 1))
    tape.hears(300, STOP)
    tape.says(350, speech(100, 2))
    tape.write(500)
    assert tape.layout.over
    assert tape.agent == [(0, 300, 1)]
    ended = begun()
    ended.says(0, speech(10_000, 1))
    ended.write(400, last=True)
    assert ended.agent == [(0, 400, 1)]


def test_without_a_stream_there_is_nothing() -> None:
    tape = Tape()
    tape.write(500)
    tape.write(1_000, last=True)
    assert tape.file == b""


def test_clocks_that_drift_apart_move_the_agent_not_the_callers_words() -> None:
    """Twilio's clock is slow: after 20 minutes its frames come 120 ms later than they are dated."""
    tape = begun()
    for second in range(1_200):
        at = second * 1_000.0
        tape.hears(at + second / 10, frame(1, 155 + second * 1_000))
        if second == 1_199:
            tape.says(at + second / 10, speech(20, 2))
        tape.write(at + 999)
    tape.write(1_200_000, last=True)
    assert tape.caller[-1][0] == 1_199_000
    assert abs(tape.agent[-1][0] - 1_199_000) <= 3


def test_twilio_keeps_ten_minutes_and_so_do_we() -> None:
    tape = begun()
    for _ in range(11):
        tape.says(0, speech(60_000, 1))
    tape.write(500)
    tape.says(900, None)
    assert tape.layout._heard.size == 8 * 600_000
    tape.write(1_000)
    assert tape.agent == [(0, 900, 1)]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 800), st.sampled_from(["say", "clear", "write"]), st.integers(1, 3_000))
    ),
)
def test_whatever_happens_the_agent_is_heard_as_a_telephone_would_play_it(
    steps: list[tuple[int, str, int]],
) -> None:
    tape, now, free_at, line = begun(), 0, 0, bytearray()
    for wait, what, length in steps:
        now += wait
        match what:
            case "say":
                tape.says(now, speech(length, 1))
                start = max(now, free_at)
                line.extend(bytes((QUIET,)) * (start * 8 - len(line)))
                line += speech(length, 1)
                free_at = start + length
            case "clear":
                tape.says(now, None)
                free_at = min(free_at, now)
                del line[now * 8 :]
            case _:
                tape.write(now)
    tape.write(now, last=True)
    assert bytes(tape.file[1::2]) == bytes(line[: now * 8]).ljust(now * 8, bytes((QUIET,)))


NETWORK = st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=40, max_size=120)


@settings(deadline=None)
@given(NETWORK, st.lists(st.integers(0, 3_000), max_size=8))
def test_whatever_the_network_does_frames_lie_where_they_were_spoken(
    network: list[tuple[int, bool]], writes: list[int]
) -> None:
    """Each is late by what the network takes, never before the one before it; some are lost."""
    tape, came = begun(), 0.0
    network[0] = (0, False)  # one has come at once
    due, expected = sorted(writes), []
    for number, (late, lost) in enumerate(network):
        came = max(came, number * 20.0 + late)
        while due and due[0] < came:
            tape.write(due.pop(0))
        if not lost:
            tape.hears(came, frame(1 + number % 2, 155 + number * 20))
            expected.append((number * 20, number * 20 + 20, 1 + number % 2))
    tape.write(came + 3_000, last=True)
    assert tape.caller == expected
