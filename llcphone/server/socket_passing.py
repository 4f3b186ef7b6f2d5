"""Bytes and open sockets between two processes of one user, over a Unix socket."""

from __future__ import annotations

import array
import os
import socket
import struct
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

YES, NO = b"\1", b"\0"
_MOST_BYTES = 32 * 1024 * 1024
_MOST_SOCKETS = 64


class Unreachable(Exception):
    """The other process does not answer, or not as agreed."""


async def connect(address: str) -> trio.SocketStream:
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        await sock.connect("\0" + address)
        if uid_of(sock) != os.getuid():
            raise Unreachable("another user's")
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)


def uid_of(sock: trio.socket.SocketType) -> int:
    """Whose process is at the other end: any user may find a name of the abstract namespace."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


async def exactly(stream: trio.SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await stream.receive_some(count - len(data))
        if not more:
            raise Unreachable("it left")
        data += more
    return data


async def block(stream: trio.SocketStream) -> bytes:
    (size,) = struct.unpack("!I", await exactly(stream, 4))
    if size > _MOST_BYTES:
        raise Unreachable("too long")
    return await exactly(stream, size)


async def pass_sockets(stream: trio.SocketStream, sockets: Sequence[trio.socket.SocketType]) -> None:
    numbers = array.array("i", [each.fileno() for each in sockets])
    await stream.socket.sendmsg([YES], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)])


async def passed_sockets(stream: trio.SocketStream, count: int) -> list[socket.socket]:
    room = socket.CMSG_SPACE(_MOST_SOCKETS * array.array("i").itemsize)
    _, control, flags, _ = await stream.socket.recvmsg(1, room)
    numbers = array.array("i")
    for level, kind, payload in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
    sockets = [socket.socket(fileno=number) for number in numbers]
    for each in sockets:
        each.setblocking(False)
        each.set_inheritable(False)
    if len(sockets) != count or flags & socket.MSG_CTRUNC:  # no free descriptors: they are lost silently
        for each in sockets:
            each.close()
        raise Unreachable("not all sockets came")
    return sockets


def close(listeners: Sequence[trio.SocketListener]) -> None:
    """Close listening sockets; a process with copies of them still listens."""
    for listener in listeners:
        listener.socket.close()


def detach(stream: trio.SocketStream) -> socket.socket:
    """Take the socket out of its Trio wrapper, which is then closed."""
    sock = socket.socket(fileno=stream.socket.detach())
    sock.setblocking(False)
    return sock
