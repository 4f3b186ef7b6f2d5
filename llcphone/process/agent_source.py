"""The agent of a server, and the files that it was loaded from: so that it can be loaded again.

An audit hook of Python reports these files: the agent's module, the modules of the user's own that it
imports, and the prompts that they read meanwhile. Each is kept with the size and times that it had when it
was opened, so a change during the load is noticed. Installed packages are ignored.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from contextlib import contextmanager, suppress
from importlib.util import source_from_cache
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

import llcphone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from llcphone.agent import Agent, Agents

Look = tuple[int, int, int] | None
"""How a file looked: time of change, size, inode. None: it was not there."""

_PLACES = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
_PLACES.append(str(Path(llcphone.__file__).parent))
_INSTALLED = tuple({f"{place}{os.sep}" for each in _PLACES for place in (each, os.path.realpath(each))})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def looks_of(paths: Iterable[str | Path]) -> dict[str, Look]:
    """How these files look now, by their absolute paths."""
    return {path: _look(path) for path in map(os.path.abspath, paths)}


@attrs.define(eq=False)
class AgentSource:
    """Loads the agent, and knows what it was loaded from."""

    _load: Callable[[], Agent | Agents]
    looks: dict[str, Look] = attrs.field(factory=dict, init=False)
    """Its files as they were read; after a failure also their folders, for a file may be missing there."""
    _others: frozenset[str] = attrs.field(factory=lambda: frozenset(sys.modules), init=False)
    """Modules that were there before any agent: never loaded again."""

    def load(self, use: Callable[[Agent | Agents], object] = lambda agent: None) -> Agent | Agents:
        """The agent as its files are now, once ``use`` has taken it.

        Raises:
            ConfigError: it cannot be loaded or used; the modules of the one before are in place again.
        """
        before = {name: sys.modules.pop(name) for name in self._modules()}
        read: dict[str, Look] = {}
        try:
            with _reading(read):
                agent = self._load()
            use(agent)
        except BaseException:
            for name in self._modules():
                del sys.modules[name]
            sys.modules.update(before)
            self.looks |= read
            self.looks |= looks_of({os.path.dirname(path) for path in self.looks if not os.path.isdir(path)})
            raise
        self.looks = read
        return agent

    def note_imports(self) -> None:
        """Add modules that were imported since the load, such as those inside of a tool."""
        for file in self._modules().values():
            if file.endswith(".py") and file not in self.looks:
                self.looks[file] = _look(file)

    def _modules(self) -> dict[str, str]:
        """The user's own modules, and where each is from."""
        found = {name: _place_of(name) for name in list(sys.modules) if name not in self._others}
        return {name: place for name, place in found.items() if place}


def _place_of(name: str) -> str:
    """The file of a module of the user's, or the folder of a package without one; "" for all others."""
    known = getattr(sys.modules.get(name), "__dict__", {})  # not by attribute: some load themselves on that
    places = [known.get("__file__")] if known.get("__file__") else list(known.get("__path__") or ())
    place = places[0] if places else None
    return place if isinstance(place, str) and not place.startswith(_INSTALLED) else ""


def _look(path: str) -> Look:
    with suppress(OSError, ValueError):
        found = os.stat(path)
        return found.st_mtime_ns, found.st_size, found.st_ino
    return None


# -- which files are opened ---------------------------------------------------------------------

_note: Callable[[str], None] | None = None
"""What hears of files opened for reading; an audit hook cannot be removed, so it is there once."""


def _audit(event: str, details: tuple[object, ...]) -> None:
    if event == "open" and _note is not None:
        path, mode, flags = details
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else False
        writes = writes or (mode is None and isinstance(flags, int) and bool(flags & _WRITES))
        if isinstance(path, str | bytes | os.PathLike) and not writes:
            _note(os.fsdecode(path))


@contextmanager
def _reading(read: dict[str, Look]) -> Iterator[None]:
    """A block whose files are noted, if this thread opens them, and which writes no byte code.

    Python matches byte code to its source by size and second: another save within a second would be missed.
    """
    global _note
    thread = threading.get_ident()

    def note(path: str) -> None:
        if threading.get_ident() == thread:
            with suppress(OSError, ValueError):
                path = os.path.abspath(path)
                path = source_from_cache(path) if path.endswith(".pyc") else path
                if not path.startswith(_INSTALLED):
                    read.setdefault(path, _look(path))

    if _note is None:
        sys.addaudithook(_audit)
    writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    _note = note
    try:
        yield
    finally:
        _note, sys.dont_write_bytecode = _ignore, writes_none


def _ignore(path: str) -> None:
    """Nothing listens for it."""
