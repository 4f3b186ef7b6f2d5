"""What the parts of the console share: the phone it shows, who uses it, and how it was started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from llcphone.console.access import link

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    import trio

    from llcphone.config.console import ConsoleConfig
    from llcphone.console.access import Access, Session
    from llcphone.console.live import Live
    from llcphone.console.recent_warnings import RecentWarnings
    from llcphone.phone.phone import Phone
    from llcphone.server.api.desk import Desk
    from llcphone.wire.leg import Leg

    ServeSocket = Callable[[Leg, Session], Awaitable[None]]
    """Serves one WebSocket until it is over; the port has let it in, and closes it."""

LINES = 2
"""Lines of a browser telephone: the second is the colleague of a transfer."""


@attrs.frozen(kw_only=True)
class Operations:
    """What the command line lets its console do."""

    drain: Callable[[], object] | None = None
    """Stops the process once live calls have ended."""
    doctor: Sequence[str] = ()
    """The command that prints a report as JSON; empty: there is none."""
    settings: Sequence[tuple[str, str, str]] = attrs.field(default=(), repr=False)
    """Key, value as shown, and where it comes from."""


@attrs.frozen(eq=False, kw_only=True)
class Console:
    """One console."""

    phone: Phone | None
    """What it shows; None: only a telephone that rings another server."""
    config: ConsoleConfig
    """In force: `llcphone phone` has defaults of its own."""
    key: str = attrs.field(repr=False)
    """The one that acts."""
    mode: Literal["phone", "serve"]
    model: str
    """Which model answers, in words."""
    simulated: bool
    """Whether that is the simulated one."""
    access: Access
    sockets: Mapping[str, ServeSocket]
    """By the first part of their path."""
    live: Live | None
    """The live calls of the phone, if there is one ..."""
    desk: Desk | None
    """... and what is done to calls."""
    operations: Operations
    """What the command line lets it do."""
    warnings: RecentWarnings
    tasks: trio.Nursery
    """For what goes on when a request has been answered."""
    port: int
    """The real one."""

    @property
    def origin(self) -> str:
        """Where a browser finds it."""
        return origin_of(self.config, self.port)

    def most(self, socket: str) -> int:
        """How many sockets of this kind there may be at once."""
        return self.config.viewers if socket == "live" else LINES

    @property
    def new_link(self) -> str:
        """Where a new link comes from, in words."""
        return (
            "press Enter where llcphone phone runs" if self.mode == "phone" else "llcphone console prints one"
        )

    def link(self) -> str:
        """A new link, good once and for two minutes."""
        return link(self.origin, self.key)


def origin_of(config: ConsoleConfig, port: int) -> str:
    """Where a browser finds a console of these settings that listens on this port."""
    if config.origins:
        return config.origins[0]
    host = "127.0.0.1" if config.host == "localhost" else config.host  # which may lead to ::1 first
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
