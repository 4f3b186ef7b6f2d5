"""The fast lane decides as the protocol does, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from llcphone.wire.frames import (
    MAX_FRAGMENTS,
    SLOW_FRAMES_PER_TURN,
    FrameReader,
    masked_text_frame,
    text_frame,
)
from llcphone.wire.websocket import SILENT, Client, Server
from tests.wire.peers import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame, parse

LIMIT = 1000


def protocol(masked: bool):
    if masked:
        return Server(state=OPEN, max_size=LIMIT, logger=SILENT)
    return Client(parse_uri("ws://x/"), state=OPEN, max_size=LIMIT, logger=SILENT)


def reader(masked: bool = True) -> FrameReader:
    return FrameReader(protocol(masked), masked=masked, max_message=LIMIT)


def feed_all(reader: FrameReader, *pieces: bytes) -> list[bytes]:
    messages = []
    for piece in pieces:
        messages += reader.feed(piece)
        while reader.more:
            messages += reader.feed(b"")
        if reader.ended:
            break
    return messages


def code_sent(reader: FrameReader) -> int | None:
    sent = reader.protocol.close_sent
    return None if sent is None else int(sent.code)


def by_protocol(masked: bool, data: bytes) -> tuple[list[bytes], int | None]:
    """What websockets' protocol alone makes of it, with UTF-8 checked as its own callers do."""
    judge = protocol(masked)
    judge.receive_data(data)
    messages, parts, binary = [], [], False
    for event in judge.events_received():
        if event.opcode > BINARY:
            continue
        if event.opcode != CONT:
            parts, binary = [], event.opcode == BINARY
        parts.append(bytes(event.data))
        if event.fin and not binary:
            message = b"".join(parts)
            try:
                message.decode()
            except UnicodeDecodeError:
                return messages, 1007
            messages.append(message)
    return messages, None if judge.close_sent is None else int(judge.close_sent.code)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 900])
def test_a_text_frame_split_at_every_byte_is_one_message(masked, size):
    data = frame(TEXT, b"x" * size, masked=masked)
    for cut in range(len(data) + 1):
        assert feed_all(reader(masked), data[:cut], data[cut:]) == [b"x" * size]


@pytest.mark.parametrize("masked", [True, False])
def test_a_mixed_stream_byte_by_byte_gives_every_message_in_order(masked):
    f = lambda *a, **k: frame(*a, masked=masked, **k)  # noqa: E731
    data = (
        f(TEXT, b"one") + f(PING, b"p") + f(TEXT, b"t\xc3", fin=False) + f(PONG) + f(CONT, b"\xbcwo")
        + f(BINARY, b"\xff") + f(TEXT, b"three")
    )  # fmt: skip
    subject = reader(masked)
    assert feed_all(subject, *(data[i : i + 1] for i in range(len(data)))) == [
        b"one",
        "tüwo".encode(),
        b"three",
    ]
    assert subject.skipped == 1
    assert parse(b"".join(subject.protocol.data_to_send())) == [(PONG, b"p")]


def test_a_long_message_in_many_reads_is_joined_once():
    data = frame(TEXT, b"y" * 300_000)
    subject = FrameReader(protocol(False), masked=False, max_message=2**20)
    pieces = [data[i : i + 1000] for i in range(0, len(data), 1000)]
    assert feed_all(subject, *pieces) == [b"y" * 300_000]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(3, b"", masked=True), 1002),
        (frame(TEXT, b"x", masked=True, rsv=4), 1002),
        (frame(PING, b"x" * 126, masked=True), 1002),
        (frame(PING, b"x", fin=False, masked=True), 1002),
        (frame(CONT, b"x", masked=True), 1002),
        (frame(TEXT, b"a", fin=False, masked=True) + frame(TEXT, b"b", masked=True), 1002),
        (frame(CLOSE, b"\x03", masked=True), 1002),
        (frame(CLOSE, b"\x00\x01", masked=True), 1002),
        (frame(TEXT, b"\xff", masked=True), 1007),
        (frame(TEXT, b"\xc3", fin=False, masked=True) + frame(CONT, b"x", masked=True), 1007),
        (frame(TEXT, b"x" * 1001, masked=True), 1009),
        (frame(TEXT, b"x" * 600, fin=False, masked=True) + frame(CONT, b"x" * 401, masked=True), 1009),
        (b"\x81\xff" + (2**62).to_bytes(8, "big"), 1009),
        (b"\x81\xff" + (2**64 - 1).to_bytes(8, "big"), 1009),
    ],
)
def test_a_broken_stream_is_failed_with_its_code_and_nothing_after_it_is_read(data, code):
    subject = reader()
    before = frame(TEXT, b"before", masked=True)
    assert feed_all(subject, before + data + frame(TEXT, b"after", masked=True)) == [b"before"]
    assert subject.ended
    assert code_sent(subject) == code


def test_a_header_that_announces_too_much_fails_before_its_body_comes():
    subject = reader()
    assert subject.feed(b"\x81\xfe\xff\xff") == []
    assert code_sent(subject) == 1009


def test_a_message_of_endless_empty_fragments_is_refused():
    subject = reader()
    feed_all(subject, frame(TEXT, b"", fin=False, masked=True))
    feed_all(subject, frame(CONT, b"", fin=False, masked=True) * MAX_FRAGMENTS)
    assert code_sent(subject) == 1009


def test_many_pings_in_one_read_are_served_in_turns():
    subject = reader()
    pings = SLOW_FRAMES_PER_TURN * 2 + 1
    messages = subject.feed(frame(PING, masked=True) * pings + frame(TEXT, b"last", masked=True))
    turns = 1
    while subject.more:
        assert messages == []
        messages = subject.feed(b"")
        turns += 1
    assert turns == 3
    assert messages == [b"last"]
    assert len(parse(b"".join(subject.protocol.data_to_send()))) == pings


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_our_own_frames_are_read_back_by_an_independent_parser(size):
    payload = os_bytes(size)
    assert parse(text_frame(payload)) == [(TEXT, payload)]
    assert parse(masked_text_frame(payload)) == [(TEXT, payload)]


def test_every_masked_frame_has_a_key_of_its_own():
    keys = {masked_text_frame(b"x")[2:6] for _ in range(3000)}
    assert len(keys) > 2990


def os_bytes(size: int) -> bytes:
    return (b"0123456789" * (size // 10 + 1))[:size]


FRAMES = st.builds(
    frame,
    st.sampled_from([TEXT] * 6 + [CONT] * 3 + [BINARY, PING, PONG, CLOSE, 3, 11]),
    st.one_of(
        st.binary(max_size=8),
        st.text(max_size=60).map(str.encode),
        st.integers(120, 1010).map(lambda n: b"z" * n),
    ),
    fin=st.sampled_from([True, True, True, False]),
    masked=st.sampled_from([True] * 20 + [False]),
    rsv=st.sampled_from([0] * 20 + [1, 4]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAMES, max_size=8), st.data())
def test_fast_lane_and_protocol_decide_the_same_for_random_frame_streams(frames, data):
    stream = b"".join(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    subject = reader()
    messages = feed_all(
        subject, *(stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True))
    )
    assert (messages, code_sent(subject)) == by_protocol(True, stream)


@settings(max_examples=300, deadline=None)
@given(st.booleans(), st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_at_all_are_read_without_an_exception(masked, pieces):
    subject = reader(masked)
    messages = feed_all(subject, *pieces)
    assert all(message.decode() is not None for message in messages)
    assert code_sent(subject) in {None, 1000, 1002, 1005, 1007, 1009, *range(1001, 5000)}
