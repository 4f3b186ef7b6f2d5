"""What leaves the queue is always a concatenation of whole frames."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llcphone.wire.frames import text_frame
from llcphone.wire.send_queue import SendQueue
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


def offer(queue: SendQueue, pipe: Pipe, frames: list[bytes], media: bool) -> None:
    """As a leg does."""
    if queue.size_bytes:
        queue.put(frames, media)
        return
    sent = pipe.send(b"".join(frames))
    if sent < sum(map(len, frames)):
        queue.put_rest(frames, media, sent=sent, held=pipe.held)


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
    queue, pipe, sent, dropped, number = SendQueue(), Pipe(takes, bind), [], 0, 0
    for step in steps:
        if step[0] == "send":
            frames = []
            for size in step[1]:
                payload = b"%06d" % number + (b"m" if step[2] else b"c") + b"." * size
                sent.append(payload)
                frames.append(text_frame(payload))
                number += 1
            offer(queue, pipe, frames, step[2])
        elif step[0] == "drop":
            dropped += queue.drop_media()
        else:
            queue.flush(pipe)
    pipe.takes = iter(lambda: 7, None)
    queue.flush(pipe)
    while queue.size_bytes:
        queue.flush(pipe)
    arrived = [payload for _, payload in parse(bytes(pipe.out))]
    assert arrived == sorted(arrived)
    missing = set(sent) - set(arrived)
    assert len(missing) == dropped
    assert all(payload[6:7] == b"m" for payload in missing)


def test_a_begun_frame_is_never_dropped():
    queue, pipe = SendQueue(), Pipe([3])
    frames = [text_frame(b"first"), text_frame(b"second"), text_frame(b"third")]
    offer(queue, pipe, frames, True)
    assert queue.drop_media() == 2
    assert queue.begun
    pipe.takes = iter([100])
    queue.flush(pipe)
    assert bytes(pipe.out) == frames[0]
    assert queue.size_bytes == 0


def test_frames_that_a_blocked_tls_write_has_bound_are_begun():
    queue, pipe = SendQueue(), Pipe([0], bind=True)
    frames = [text_frame(b"first"), text_frame(b"second")]
    offer(queue, pipe, frames, True)
    assert queue.drop_media() == 0
    pipe.takes = iter([100])
    queue.flush(pipe)
    assert bytes(pipe.out) == b"".join(frames)


def test_a_full_socket_at_a_frame_boundary_leaves_every_frame_droppable():
    queue, pipe = SendQueue(), Pipe([0, 0])
    offer(queue, pipe, [text_frame(b"first")], True)
    queue.flush(pipe)
    assert not queue.begun
    assert queue.drop_media() == 1
    assert queue.size_bytes == 0


def test_a_frame_that_blocks_while_flushing_tls_is_begun():
    queue, pipe = SendQueue(), Pipe([3], bind=True)
    frames = [text_frame(b"first"), text_frame(b"second")]
    offer(queue, pipe, frames[:1], True)
    queue.put(frames[1:], True)
    pipe.takes = iter([100, 0])
    queue.flush(pipe)
    assert queue.begun
    assert queue.drop_media() == 0
