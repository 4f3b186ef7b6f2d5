"""Settings of [server]: the public port."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import (
    BASE_ADDRESS_OR_EMPTY,
    HOST,
    is_loopback_host,
    is_loopback_url,
)
from llcphone.config.fields import Section, between, matching, setting
from llcphone.errors import ConfigError

_NODE = matching(r"[a-z0-9]{0,16}", "up to 16 lower-case letters and digits")


@frozen(kw_only=True)
class ServerConfig(Section):
    """[server]: the one public port of `llcphone serve`."""

    host: str = setting("127.0.0.1", HOST)
    """Address to listen on. The default is enough behind a tunnel or proxy on the same machine."""
    port: int = setting(8081, between(0, 65_535))
    """Port to listen on; usually set as PORT. 0 takes a free port."""
    public_url: str = setting("", BASE_ADDRESS_OR_EMPTY, private=True)
    """Address under which Twilio reaches this server; usually set as PUBLIC_URL. Signatures are checked
    against it."""
    node: str = setting("", _NODE, private=True)
    """Name of this process among several that serve one public URL, such as n1; "": it is the only one. The
    name stands in every address that Twilio or a client brings back, so that a proxy finds the process."""
    max_calls: int = setting(200, between(1, 100_000))
    """Most calls at the same time. The next caller gets the fallback. The default leaves a margin: one
    core carried 350 calls well when it was measured, and 500 at most."""
    head_timeout_s: float = setting(5.0, between(0.1, 60.0), advanced=True)
    """Longest time from an accepted connection to its complete request head."""
    max_pending: int = setting(256, between(1, 100_000), advanced=True)
    """Most connections that have not shown a valid signature. One more replaces the oldest connection of the
    address that holds most. Authenticated connections do not count, because behind a proxy all have one
    address."""
    check_signatures: bool = setting(True)
    """Whether Twilio's signatures are checked. It can be false only on this machine, for simulators."""

    def check_together(self) -> None:
        """Unsigned webhooks start paid calls, so they must come from this machine."""
        on_this_machine = is_loopback_url(self.public_url) and is_loopback_host(self.host)
        if not self.check_signatures and not on_this_machine:
            raise ConfigError(
                "server.check_signatures",
                "is false, and server.public_url or server.host is not on loopback",
                "set it to true, or use http://127.0.0.1:8081",
            )
