"""What the simulated model reads by itself, against what wsproto makes of the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage

from llcphone.sim.model.client_frames import ClientFrames


def sent(*events) -> list[bytes]:
    """The frames that a client sends for these, one for each."""
    client = Connection(ConnectionType.CLIENT)
    return [client.send(event) for event in events]


def texts_in(data: bytes) -> list[str]:
    """The whole text messages that wsproto finds."""
    server = Connection(ConnectionType.SERVER)
    server.receive_data(data)
    texts, parts = [], []
    for event in server.events():
        if isinstance(event, TextMessage):
            parts.append(event.data)
            if event.message_finished:
                texts.append("".join(parts))
                parts = []
    return texts


def read(pieces: list[bytes]) -> tuple[list[str], bytes, ClientFrames]:
    """The texts taken, what was passed on, and the reader."""
    texts: list[str] = []
    frames = ClientFrames(texts.append)
    return texts, b"".join(frames.take(piece) for piece in pieces), frames


TEXTS = st.one_of(st.text(max_size=200), st.integers(120, 70_000).map(lambda size: "x" * size))
EVENTS = st.one_of(
    st.builds(TextMessage, TEXTS, message_finished=st.booleans()),
    st.builds(Ping, st.binary(max_size=125)),
)


@given(st.lists(EVENTS, max_size=6), st.data())
def test_no_message_is_lost_or_repeated_however_the_bytes_are_cut(events, data):
    stream = b"".join(sent(*events))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    texts, passed, _ = read([piece for piece in pieces if piece])
    assert texts + texts_in(passed) == texts_in(stream)


def test_ordinary_messages_are_taken_between_pings_that_are_passed_on():
    hello, ping, more = sent(TextMessage("hello"), Ping(b"1234"), TextMessage("é" * 1000))
    texts, passed, frames = read([hello + ping + more])
    assert (texts, passed, frames.over) == (["hello", "é" * 1000], ping, False)


HELLO, LONG, BYE = sent(TextMessage("hello"), TextMessage("x" * 65536), CloseConnection(1000, ""))
MASKED_FF = b"\x81\x81\0\0\0\0\xff"


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(BYE, id="Close"),
        pytest.param(LONG, id="64 KiB"),
        pytest.param(b"\x01" + HELLO[1:], id="a fragment"),
        pytest.param(b"\x82" + HELLO[1:], id="binary"),
        pytest.param(b"\xc1" + HELLO[1:], id="a reserved bit"),
        pytest.param(b"\x81\x05hello", id="not masked"),
        pytest.param(b"\x81\xfe\0\x01\0\0\0\0x", id="length in two bytes that fits in one"),
        pytest.param(b"\x89\xfe\0\x7e" + bytes(4 + 126), id="a ping of 126 bytes"),
        pytest.param(MASKED_FF, id="not UTF-8"),
    ],
)
def test_what_is_not_ordinary_is_passed_on_with_all_that_follows(odd):
    texts, passed, frames = read([HELLO + odd + HELLO, HELLO])
    assert (texts, passed, frames.over) == (["hello"], odd + HELLO + HELLO, True)


def test_the_beginning_of_a_frame_is_passed_on_when_nothing_more_comes():
    texts, passed, frames = read([HELLO + HELLO[:-1], b""])
    assert (texts, passed, frames.over) == (["hello"], HELLO[:-1], True)


def test_a_message_may_end_the_short_way():
    def end(text: str) -> None:
        frames.over = True

    frames = ClientFrames(end)
    assert frames.take(HELLO + HELLO[:3]) == HELLO[:3]
    assert frames.take(HELLO[3:]) == HELLO[3:]
