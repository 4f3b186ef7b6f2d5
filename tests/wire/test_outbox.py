"""What leaves the outbox is always a concatenation of whole frames."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llcphone.wire.frames import text_frame
from llcphone.wire.outbox import Outbox
from tests.wire.peers import parse


class Pipe:
    """A socket that takes what it is told to; ``bind`` makes it behave as TLS does when it blocks."""

    def __init__(self, takes, bind: bool = False) -> None:
        self.takes, self.bind = iter(takes), bind
        self.out = bytearray()
        self.held = 0
        self._bound = b""

    def send(self, data) -> int:
        assert bytes(data[: len(self._bound)]) == self._bound, "TLS was not offered the same head"
        taken = min(next(self.takes, 0), len(data))
        self.out += data[:taken]
        blocked = self.bind and taken < len(data)
        self._bound = bytes(data[taken : taken + 16384]) if blocked else b""
        self.held = len(self._bound)
        return taken


def offer(outbox: Outbox, pipe: Pipe, frames: list[bytes], media: bool) -> None:
    """As a leg does."""
    if outbox.size_bytes:
        outbox.put(frames, media)
        return
    sent = pipe.send(b"".join(frames))
    if sent < sum(map(len, frames)):
        outbox.put_rest(frames, media, sent=sent, held=pipe.held)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(st.integers(0, 30), min_size=1, max_size=4), st.booleans()),
        st.tuples(st.just("drop")),
        st.tuples(st.just("flush")),
    ),
    max_size=12,
)


@given(STEPS, st.lists(st.integers(0, 40), max_size=60), st.booleans())
def test_bytes_sent_are_whole_frames_in_order_and_only_media_is_dropped(steps, takes, bind):
    outbox, pipe, sent, dropped, number = Outbox(), Pipe(takes, bind), [], 0, 0
    for step in steps:
        if step[0] == "send":
            frames = []
            for size in step[1]:
                payload = b"%06d" % number + (b"m" if step[2] else b"c") + b"." * size
                sent.append(payload)
                frames.append(text_frame(payload))
                number += 1
            offer(outbox, pipe, frames, step[2])
        elif step[0] == "drop":
            dropped += outbox.drop_media()
        else:
            outbox.flush(pipe)
    pipe.takes = iter(lambda: 7, None)
    outbox.flush(pipe)
    while outbox.size_bytes:
        outbox.flush(pipe)
    arrived = [payload for _, payload in parse(bytes(pipe.out))]
    assert arrived == sorted(arrived)
    missing = set(sent) - set(arrived)
    assert len(missing) == dropped
    assert all(payload[6:7] == b"m" for payload in missing)


def test_a_begun_frame_is_never_dropped():
    outbox, pipe = Outbox(), Pipe([3])
    frames = [text_frame(b"first"), text_frame(b"second"), text_frame(b"third")]
    offer(outbox, pipe, frames, True)
    assert outbox.drop_media() == 2
    assert outbox.begun
    pipe.takes = iter([100])
    outbox.flush(pipe)
    assert bytes(pipe.out) == frames[0]
    assert outbox.size_bytes == 0


def test_frames_that_a_blocked_tls_write_has_bound_are_begun():
    outbox, pipe = Outbox(), Pipe([0], bind=True)
    frames = [text_frame(b"first"), text_frame(b"second")]
    offer(outbox, pipe, frames, True)
    assert outbox.drop_media() == 0
    pipe.takes = iter([100])
    outbox.flush(pipe)
    assert bytes(pipe.out) == b"".join(frames)


def test_a_full_socket_at_a_frame_boundary_leaves_every_frame_droppable():
    outbox, pipe = Outbox(), Pipe([0, 0])
    offer(outbox, pipe, [text_frame(b"first")], True)
    outbox.flush(pipe)
    assert not outbox.begun
    assert outbox.drop_media() == 1
    assert outbox.size_bytes == 0


def test_a_frame_that_blocks_while_flushing_tls_is_begun():
    outbox, pipe = Outbox(), Pipe([3], bind=True)
    frames = [text_frame(b"first"), text_frame(b"second")]
    offer(outbox, pipe, frames[:1], True)
    outbox.put(frames[1:], True)
    pipe.takes = iter([100, 0])
    outbox.flush(pipe)
    assert outbox.begun
    assert outbox.drop_media() == 0
