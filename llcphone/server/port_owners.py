"""The owner of a port: the process, whether it is ours, and what ends it.

Two programs may listen on one port number (one address each, or SO_REUSEPORT), and then calls go
astray at random; so every listening socket is listed, not only the first one found. Without privileges the
kernel names only processes of the same user: another's socket has no pid here.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Kind(Enum):
    """Whose socket it is."""

    OURS = "ours"
    SYSTEMD = "systemd"
    """Held for socket activation: neither an orphan nor a second owner."""
    FOREIGN = "foreign"
    HIDDEN = "hidden"
    """Of a process that this user may not see."""


@frozen
class Owner:
    """One listening process."""

    kind: Kind
    pid: int | None
    name: str
    """Its program, never its arguments: they may hold secrets."""
    address: str
    started_at: float = 0.0
    """See ``began``."""
    settings: str = ""
    """The settings file of a llcphone that serves; "" of others, and where it cannot be seen."""

    def __str__(self) -> str:
        match self.kind:
            case Kind.OURS:
                of = f" of {PurePath(self.settings).parent}" if self.settings else ""
                return f"pid {self.pid} ({self.name}{of}, on {self.address})"
            case Kind.HIDDEN:
                return f"a process of another user (on {self.address})"
            case Kind.FOREIGN if self.name.startswith("llcphone "):
                return f"pid {self.pid} ({self.name}, on {self.address})"
            case _:
                return f"pid {self.pid} ({self.name}, not llcphone, on {self.address})"

    def fix(self, port: int) -> str:
        """The command that ends it."""
        match self.kind:
            case Kind.OURS:
                return f"end it with: llcphone stop   (or: kill {self.pid})"
            case Kind.SYSTEMD:
                return "systemd holds this socket: systemctl stop the .socket unit"
            case Kind.HIDDEN:
                return f"name it with: sudo ss -ltnp 'sport = :{port}'"
            case _:
                return f"end it with: kill {self.pid}"


def port_owners(port: int) -> list[Owner]:
    """Every process that listens on this TCP port, each once, oldest first."""
    import psutil  # type: ignore[import-untyped]

    found: dict[tuple[int | None, str], Owner] = {}
    for pid, host in _listening(psutil, port):
        owner = _owner(psutil, pid, f"{host}:{port}")
        if owner is not None:
            found.setdefault((pid, "" if pid else owner.address), owner)
    return sorted(found.values(), key=lambda each: (each.started_at, each.pid or 0))


def is_server(argv: Sequence[str]) -> bool:
    """Whether a command line is one of llcphone that listens: ``serve``, or ``call`` while it rings."""
    return _command_of(argv) in ("serve", "call")


def _command_of(argv: Sequence[str]) -> str:
    """Which command of llcphone this is; "" of another program."""
    for at, word in enumerate(argv[:-1]):
        if word == "-m" and argv[at + 1] == "llcphone":
            return argv[at + 2] if len(argv) > at + 2 else ""
        if (at <= 1 and PurePath(word).stem == "llcphone") or (
            PurePath(word).parts[-2:] == ("llcphone", "__main__.py")
        ):
            return argv[at + 1]
    return ""


def settings_of(argv: Sequence[str], cwd: str) -> str:
    """The settings file that a command line of llcphone reads, started in this folder; its real path."""
    name = "llcphone.toml"
    for at, word in enumerate(argv):
        if word == "--config" and at + 1 < len(argv):
            name = argv[at + 1]
        elif word.startswith("--config="):
            name = word.partition("=")[2]
    return real_path(Path(cwd, name))


def real_path(file: Path) -> str:
    """A key that is equal if two settings files are the same file."""
    return os.path.realpath(file)


def began(pid: int) -> float:
    """When a process began, by a clock that cannot be set: seconds since the system's start, if known.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    try:
        # psutil adds the time of the system's start, which moves when somebody sets the clock
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        import psutil

        return float(psutil.Process(pid).create_time())


def _listening(psutil: Any, port: int) -> Iterator[tuple[int | None, str]]:
    try:
        sockets = [(each.pid, each) for each in psutil.net_connections("tcp")]
    except psutil.AccessDenied:  # macOS lists all sockets only for root, but a user's own for everybody
        sockets = []
        for process in psutil.process_iter():
            try:
                sockets += [(process.pid, each) for each in process.net_connections("tcp")]
            except psutil.Error:
                continue
    for pid, each in sockets:
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port:
            yield pid, each.laddr.ip


def _settings(psutil: Any, process: Any, argv: Sequence[str]) -> str:
    try:
        return settings_of(argv, process.cwd())
    except psutil.Error:
        return ""


def _owner(psutil: Any, pid: int | None, address: str) -> Owner | None:
    if pid is None:
        return Owner(Kind.HIDDEN, None, "", address)
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            argv, name, started_at = process.cmdline(), process.name(), began(pid)
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return None
    except psutil.Error:
        return Owner(Kind.HIDDEN, pid, "", address)
    if is_server(argv):
        return Owner(Kind.OURS, pid, "llcphone", address, started_at, _settings(psutil, process, argv))
    if command := _command_of(argv):
        name = f"llcphone {command}"
    kind = Kind.SYSTEMD if name == "systemd" else Kind.FOREIGN
    return Owner(kind, pid, name, address, started_at)
