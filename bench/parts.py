"""Where the time of a message goes: the bridge built up layer by layer, in one process.

Each row forwards the same caller frames over the same kind of loopback TCP sockets with one layer
more than the row before, so the differences are the layers: kernel, poller (Trio's turn included), wire,
call, TLS. The last row is what the poller's would be if each socket had a task of its own. Frames
come in small batches, as they do to a busy bridge. Writing them, reading them back and the
measuring task itself are not counted. The best of many batches counts: a shared machine can only
add. The caches are warm here, so a bridge under load takes about twice as long for the same work.

    python -m bench.parts [--calls 40] [--seconds 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import array
import fcntl
import json
import select
import socket
import ssl
import tempfile
import termios
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio
from rich.console import Console
from rich.table import Table
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from bench.audio import caller_tail, delta, label
from bench.bridges import certificate
from bench.loop import frame
from llcphone import Agent, Config, open_phone
from llcphone.wire.frames import masked_text_frame
from llcphone.wire.poller import Poller
from llcphone.wire.socket import Socket, TLSSocket
from llcphone.wire.websocket import WebSocketLeg, accept
from llcphone.wire.websocket_leg import read_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FRAME = frame(
    b'{"event":"media","sequenceNumber":"1234","media":{"track":"inbound","chunk":"1233","timestamp":"24660",'
    b'"payload":"' + label(b"C", 1, 1233) + caller_tail() + b'"},"streamSid":"MZ1"}',
    client=True,
)
APPEND = masked_text_frame(b'{"type":"input_audio_buffer.append","audio":"' + b"f" * 216 + b'"}')
DELTA = frame(
    b'{"type":"response.audio.delta","event_id":"event_1","response_id":"resp_1","item_id":"item_1",'
    b'"output_index":0,"content_index":0,"delta":"' + delta(1, 1, 300) + b'"}',
    client=False,
)
START = (
    b'{"event":"start","start":{"streamSid":"MZ1","callSid":"%b","mediaFormat":{"encoding":"audio/x-mulaw"}}}'
)
UPDATED = (
    b'{"type":"session.updated","session":'
    b'{"input_audio_format":"g711_ulaw","output_audio_format":"g711_ulaw"}}'
)
BATCH = 8
"""Frames that come at once."""


@attrs.define(eq=False)
class Line:
    """A call as this program sees it: the two far ends."""

    phone: socket.socket
    model: socket.socket


# -- the rows -----------------------------------------------------------------------------------


def kernel(calls: int, seconds: float) -> float:
    """The system calls of a frame in a bare loop: wait, receive, send."""
    epoll, lines, by_fd = select.epoll(), [], {}
    for _ in range(calls):
        (phone, phone_near), (model, model_near) = tcp_pair(), tcp_pair()
        lines.append(Line(phone, model))
        by_fd[phone_near.fileno()] = (phone_near, model_near)
        epoll.register(phone_near, select.EPOLLIN)
    best, stop = float("inf"), time.monotonic() + seconds
    while time.monotonic() < stop:
        say(lines, "phone", FRAME)
        done, began = 0, time.perf_counter()
        while done < BATCH:
            for fd, _ in epoll.poll(0):
                near, to = by_fd[fd]
                near.recv(65536)
                to.send(APPEND)
                done += 1
        best = min(best, time.perf_counter() - began)
        drain(lines)
    return best / BATCH * 1e6


async def poller(calls: int, nursery: trio.Nursery) -> list[Line]:
    """One wait for all sockets: the poller calls, we receive and send; no WebSocket, no call."""
    watcher, lines = Poller(), []
    nursery.start_soon(watcher.run)

    def bridge(near: socket.socket, to: socket.socket) -> None:
        near.recv(65536)
        to.send(APPEND)

    for _ in range(calls):
        (phone, phone_near), (model, model_near) = tcp_pair(), tcp_pair()
        lines.append(Line(phone, model))
        watcher.watch(phone_near.fileno(), partial(bridge, phone_near, model_near))
    return lines


async def tasks(calls: int, nursery: trio.Nursery) -> list[Line]:
    """What the poller spares: a task that waits for each socket."""

    async def bridge(near: socket.socket, to: socket.socket) -> None:
        while True:
            await trio.lowlevel.wait_readable(near)
            near.recv(65536)
            to.send(APPEND)

    lines = []
    for _ in range(calls):
        (phone, phone_near), (model, model_near) = tcp_pair(), tcp_pair()
        lines.append(Line(phone, model))
        nursery.start_soon(bridge, phone_near, model_near)
    return lines


async def wire(calls: int, nursery: trio.Nursery) -> list[Line]:
    """Two legs of ours; the message goes out as it came in."""
    watcher, lines = Poller(), []
    nursery.start_soon(watcher.run)
    for _ in range(calls):
        (phone, phone_near), (model, model_near) = tcp_pair(), tcp_pair()
        protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"))
        protocol.state = OPEN
        model_leg = WebSocketLeg(Socket.from_accepted(model_near), protocol, max_message=2**24)
        lines.append(Line(phone, model))
        nursery.start_soon(read_all, phone_leg(phone_near), model_leg.send_nowait, watcher)
    return lines


async def call(
    calls: int, nursery: trio.Nursery, tls: ssl.SSLContext | None = None, ca: str = ""
) -> list[Line]:
    """Whole calls of a phone: codec, engine, nursery, three standing tasks."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        listener.setblocking(False)
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{listener.getsockname()[1]}/v1/realtime"
        toml = (
            f'[realtime]\nurl = "{url}"\ndialect = "flat"\napi_key = "sk-bench-0123456789abcdef"\n'
            f'[opening]\ninbound = "listen"\n[wire]\nca_file = "{ca}"\n'
            '[server]\npublic_url = "http://127.0.0.1:1"\ncheck_signatures = false\nmax_calls = 5000\n'
            '[records]\npath = ""\n'
            "[overload]\nlag_limit_ms = 0\n"
        )

        async def house(task_status: trio.TaskStatus[list[Line]]) -> None:
            async with open_phone(Config.from_toml(toml), Agent("Be brief.")) as phone:
                await far_model(listener, tls, nursery)  # the question every phone asks at its start
                lines = []
                for number in range(calls):
                    call_sid = f"CA{number:032d}"
                    answer = phone.answer({"CallSid": call_sid})
                    model = await far_model(listener, tls, nursery)
                    far, near = tcp_pair()
                    phone.join(answer.partition("/media/")[2].partition('"')[0], phone_leg(near))
                    far.send(frame(START % call_sid.encode(), client=True))
                    lines.append(Line(far, model))
                await trio.sleep(0.3)
                task_status.started(lines)
                await trio.sleep_forever()

        return await nursery.start(house)


async def timed(
    calls: int,
    seconds: float,
    build: Callable[[int, trio.Nursery], Awaitable[list[Line]]],
    talker: str = "phone",
) -> float:
    """Microseconds per message through what ``build`` puts between the far ends."""
    listener = "model" if talker == "phone" else "phone"
    message = FRAME if talker == "phone" else DELTA
    async with trio.open_nursery() as nursery:
        lines = await build(calls, nursery)
        await trio.sleep(0.1)
        drain(lines)
        best = empty = float("inf")
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            empty = min(empty, await empty_turn(lines, listener))
            say(lines, talker, message)
            turns, began = 0, time.perf_counter()
            while arrived(lines, listener) < BATCH:
                await trio.lowlevel.checkpoint()
                turns += 1
            best = min(best, time.perf_counter() - began - turns * empty)
            await trio.lowlevel.checkpoint()
            drain(lines)
            lines.append(lines.pop(0))  # the next batch is of other calls
        nursery.cancel_scope.cancel()
    return best / BATCH * 1e6


async def empty_turn(lines: list[Line], listener: str) -> float:
    """What the measuring itself costs per turn of the scheduler."""
    began = time.perf_counter()
    for _ in range(4):
        arrived(lines, listener)
        await trio.lowlevel.checkpoint()
    return (time.perf_counter() - began) / 4


# -- the far ends -------------------------------------------------------------------------------


def say(lines: list[Line], talker: str, message: bytes) -> None:
    """One message in each of the first calls."""
    for line in lines[:BATCH]:
        getattr(line, talker).send(message)


def arrived(lines: list[Line], listener: str) -> int:
    """How many of the first calls have something for the far end; a message leaves in one write."""
    waiting = array.array("i", [0])
    count = 0
    for line in lines[:BATCH]:
        fcntl.ioctl(getattr(line, listener).fileno(), termios.FIONREAD, waiting)
        count += waiting[0] > 0
    return count


def drain(lines: list[Line]) -> None:
    for line in lines:
        for far in (line.model, line.phone):
            try:
                while far.recv(65536):
                    pass
            except (BlockingIOError, ssl.SSLWantReadError):
                pass


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a loopback connection, the far one first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    for sock in (far, near):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
    return far, near


def phone_leg(near: socket.socket) -> WebSocketLeg:
    protocol = ServerProtocol()
    protocol.state = OPEN
    return WebSocketLeg(Socket.from_accepted(near), protocol, max_message=65536)


async def far_model(
    listener: socket.socket, tls: ssl.SSLContext | None, nursery: trio.Nursery
) -> socket.socket:
    """Accept one session, confirm what it asks for, and return its bare socket."""
    await trio.lowlevel.wait_readable(listener)
    bare, _ = listener.accept()
    bare.setblocking(False)
    if tls is None:
        sock = Socket.from_accepted(bare)
    else:
        bare = tls.wrap_socket(bare, server_side=True, do_handshake_on_connect=False)
        sock = TLSSocket(bare)
        await sock.handshake()
    head = b""
    while b"\r\n\r\n" not in head:
        if (data := sock.recv()) is None:
            await sock.wait_readable()
        else:
            head += data
    leg = accept(sock, head)
    leg.attach(nursery.start_soon, lambda end: None)
    while not any(b'"session.update"' in message for message in await leg.receive()):
        pass
    leg.send_nowait(UPDATED)
    return bare


# -- the table ----------------------------------------------------------------------------------


def measure(calls: int, seconds: float) -> dict[str, float]:
    """Every row, in microseconds per message."""
    with tempfile.TemporaryDirectory() as folder:
        leaf, ca_file = certificate(Path(folder))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(server)

        async def secure(calls: int, nursery: trio.Nursery) -> list[Line]:
            return await call(calls, nursery, server, ca_file)

        return {
            "kernel": kernel(calls, seconds),
            "+ poller": trio.run(timed, calls, seconds, poller),
            "+ wire": trio.run(timed, calls, seconds, wire),
            "+ call": trio.run(timed, calls, seconds, call),
            "+ TLS": trio.run(timed, calls, seconds, secure),
            "a delta of 300 ms": trio.run(timed, calls, seconds, call, "model"),
            "a task per socket": trio.run(timed, calls, seconds, tasks),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=40, help="calls open at once")
    parser.add_argument("--seconds", type=float, default=2.0, help="per row")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    rows = measure(options.calls, options.seconds)
    table = Table("layer", "µs so far", "µs of it", title="a caller's frame, telephone to model")
    before = 0.0
    for name, so_far in rows.items():
        table.add_row(name, f"{so_far:.1f}", f"{so_far - before:.1f}" if name.startswith("+") else "")
        before = so_far
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
