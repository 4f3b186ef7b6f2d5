"""Ordinary mistakes, in one line each: what is wrong, then how to fix it.

A traceback is for a fault of llcphone. A file that cannot be written, a port that is taken, an option that
does not exist, a terminal that is not there, Ctrl-C: `told` returns the lines that are shown for them, and
the exit code of the command.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
from cyclopts import CycloptsError

from llcphone.errors import LLCPhoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INTERRUPTED = 130
"""What a shell expects of a command that Ctrl-C ended."""
REFUSED = 2

_FIXES = {
    errno.EACCES: "choose a place that you may use, or change its permissions",
    errno.EPERM: "choose a place that you may use, or change its permissions",
    errno.EROFS: "choose a place that can be written",
    errno.ENOENT: "check the path; its folder must exist",
    errno.ENOTDIR: "check the path; a part of it is a file",
    errno.EISDIR: "name a file in this folder",
    errno.EEXIST: "name another file, or move this one away",
    errno.ENOSPC: "free space on the disk",
    errno.EDQUOT: "free space on the disk",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "check the path; its links lead back to each other",
    errno.EADDRINUSE: "name another port, or end the program that listens there",
    errno.EADDRNOTAVAIL: "name an address of this machine, such as 127.0.0.1",
    errno.ECONNREFUSED: "check the address, and that the program there runs",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


@attrs.frozen
class Told:
    """What a command says of its failure, and its exit code."""

    lines: tuple[str, ...]
    code: int


def told(error: BaseException) -> Told | None:
    """The lines and the exit code for an error; None if it is not an ordinary mistake."""
    found = leaves(error)
    if any(isinstance(each, KeyboardInterrupt) for each in found):
        return Told(("interrupted",), INTERRUPTED)
    lines = [_line(each) for each in found]
    if None in lines:
        return None
    return Told(tuple(dict.fromkeys(line for line in lines if line)), REFUSED)


def leaves(error: BaseException) -> list[BaseException]:
    """The errors themselves, out of all groups."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]


def _line(error: BaseException) -> str | None:
    match error:
        case LLCPhoneError():
            return str(error)
        case CycloptsError():
            command = " ".join(("llcphone", *(error.command_chain or ())))
            return f"{' '.join(str(error).split())} Fix: see {command} --help"
        case EOFError():
            return (
                "a question was not answered: the input has ended. Fix: use a terminal, or options (--help)"
            )
        case UnicodeError():
            return "a text is not UTF-8. Fix: save the file, or set the terminal, as UTF-8"
        case OSError():
            return of_system(error)
    return None


def of_system(error: OSError, place: str = "") -> str:
    """An error of the operating system, with the file or the ``place`` that it is about."""
    what = error.strerror or type(error).__name__
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    where = " -> ".join(names) or place
    fix = _FIXES.get(error.errno or 0, "check that it exists and that you may use it")
    return f"{where}: {what}. Fix: {fix}" if where else f"{what}. Fix: {fix}"


@contextmanager
def in_one_line(kinds: Sequence[type[Exception]] = (), *, place: str = "", fix: str = "") -> Iterator[None]:
    """A block in which these errors, and those of the system, are the person's to fix.

    Args:
        kinds: errors whose text is one line for a person.
        place: what was asked for, where an error of the system names no file.
        fix: what to do about errors of these kinds, unless they say it.
    """
    troubles: list[BaseException] = []
    fixable: tuple[type[Exception], ...] = (OSError, *kinds)
    try:
        yield
    except* fixable as group:
        troubles = leaves(group)
    if troubles:
        texts = [
            f"{each}. Fix: {fix}" if isinstance(each, tuple(kinds)) and fix else _place_told(each, place)
            for each in troubles
        ]
        raise LLCPhoneError("; ".join(dict.fromkeys(texts)))


def _place_told(error: BaseException, place: str) -> str:
    """An error of the system with its place; any other says its own."""
    return of_system(error, place) if isinstance(error, OSError) else str(error)
