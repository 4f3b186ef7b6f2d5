"""The tunnel programs: how each is started, and which of its lines says what.

A program's output is read in whole lines. Only a line of the kind that carries the URL is believed: error
messages name addresses too, such as the program's own API.
"""

from __future__ import annotations

import re
from collections import deque

import trio
from attrs import frozen

_KEPT = 200
"""Lines of the program that are kept, to say why it failed."""
_LONGEST = 65_536
"""Characters of one line; what is longer is cut into several."""
_TOLD = 3
_TROUBLE = re.compile(r"\b(ERR|FTL|ERROR|error|[Ff]ailed|lvl=(eror|crit))\b")
_TOKEN = re.compile(r"(?i)(token\W{1,3})[\w-]{16,}")


@frozen
class Program:
    """A tunnel program: how it is started, and what it says."""

    name: str
    arguments: tuple[str, ...]
    url: re.Pattern[str]
    """A whole line that carries the URL, in the group ``url``."""
    ready: re.Pattern[str]
    """Part of the line that says that the tunnel is connected."""

    def command(self, port: int) -> list[str]:
        return [self.name, *(each.format(port=port) for each in self.arguments)]

    def url_in(self, line: str) -> str:
        """The tunnel's URL, if this is the line that says it."""
        found = self.url.fullmatch(line)
        return found["url"] if found else ""


PROGRAMS = (
    Program(
        "cloudflared",
        ("tunnel", "--no-autoupdate", "--url", "http://127.0.0.1:{port}"),
        # The URL is alone in a box: "2026-11-30T10:00:00Z INF |  https://four-words.trycloudflare.com  |"
        re.compile(r".*\|\s+(?P<url>https://(?!api\.)[a-z0-9-]+\.trycloudflare\.com)\s+\|\s*"),
        re.compile(r"Registered tunnel connection"),
    ),
    Program(
        "ngrok",
        ("http", "{port}", "--log", "stdout", "--log-format", "logfmt"),
        re.compile(r'.*\bmsg="started tunnel" .*(?<!\S)url=(?P<url>https://[\w.-]+)(\s.*)?'),
        re.compile(r'msg="started tunnel"'),
    ),
)


class Output:
    """What a tunnel program says, read to its end: a full pipe would stop it."""

    def __init__(self, program: Program) -> None:
        self.url = ""
        self.found, self.connected, self.ended = trio.Event(), trio.Event(), trio.Event()
        self._program = program
        self._lines: deque[str] = deque(maxlen=_KEPT)

    async def read(self, chunks: trio.abc.ReceiveStream) -> None:
        """Read all of it; waiting tasks are woken at its end as well."""
        rest = ""
        async for data in chunks:
            *lines, rest = (rest + data.decode(errors="replace")).split("\n")
            if len(rest) > _LONGEST:
                lines, rest = [*lines, rest], ""
            for line in lines:
                self._take(line.rstrip("\r"))
        self._take(rest)
        for event in (self.ended, self.connected, self.found):
            event.set()

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        self._lines.append(line.strip())
        if not self.url and (url := self._program.url_in(line)):
            self.url = url
            self.found.set()
        if self._program.ready.search(line):
            self.connected.set()

    def reason(self) -> str:
        """Its last complaints in its own words, without a token; else its last line."""
        troubles = [line for line in self._lines if _TROUBLE.search(line)]
        last = troubles[-_TOLD:] or [*self._lines][-1:]
        return "; ".join(_TOKEN.sub(r"\1«hidden»", line) for line in last) or "it said nothing"
