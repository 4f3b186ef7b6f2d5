"""Settings of [console]: the pages that show calls in a browser, and a telephone there."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.addresses import HOST, is_loopback_host, split_url
from llcphone.config.fields import Rule, Section, between, matching, setting
from llcphone.errors import ConfigError

_KEY = matching(r"([\x21-\x7e]{32,})?", "at least 32 printable ASCII characters without spaces")
Shown = Literal["never", "ask", "show"]


def is_origin(text: object) -> bool:
    """Whether this is what a browser sends as Origin: scheme, host and perhaps a port, nothing behind it."""
    parts = split_url(text) if isinstance(text, str) else None
    if parts is None or text != f"{parts.scheme}://{parts.netloc}".lower():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(parts.hostname or ""))


_ORIGINS = Rule(
    "a list of origins such as https://console.example.com (plain http:// on loopback only)",
    lambda value: all(map(is_origin, value)),
)


@frozen(kw_only=True)
class ConsoleConfig(Section):
    """[console]: pages that show calls in a browser, on a port of their own."""

    host: str = setting("127.0.0.1", HOST, advanced=True)
    """Address to listen on. The default is enough for ssh -L and for a proxy on the same machine; another
    address needs console.origins, and a proxy that adds TLS."""
    port: int = setting(0, between(0, 65_535))
    """Port of the console under `llcphone serve`; 0: none."""
    key: str = setting("", _KEY, secret=True)
    """Key of which links to the console are made (llcphone console); it never leaves this machine. Who has a
    link may place calls. "": a new key for each start, and a link in the server's output."""
    read_key: str = setting("", _KEY, secret=True, advanced=True)
    """Key of read-only links (llcphone console --read); "": there are none."""
    origins: tuple[str, ...] = setting((), _ORIGINS, private=True, advanced=True)
    """Addresses under which browsers see the console behind a proxy with TLS; empty: only this machine's."""
    act: bool = setting(True, advanced=True)
    """Whether links may act: place and end calls, drain. False: all links are read-only."""
    words: Shown = setting("ask", advanced=True)
    """Whether what is said is shown: "never", "ask" (a click shows one call for a minute, and is logged), or
    "show"."""
    numbers: Shown = setting("ask", advanced=True)
    """The same for telephone numbers, of which else two digits are shown."""
    audio: Shown = setting("ask", advanced=True)
    """The same for recordings."""
    phone: bool = setting(True, advanced=True)
    """Whether the page can call this server, with the browser as telephone. Such a call costs as much as any
    other; it comes in by the public port."""
    viewers: int = setting(16, between(1, 1_000), advanced=True)
    """Most browsers that watch live calls at the same time."""

    def check_together(self) -> None:
        """Without TLS nobody's links are safe on a network."""
        if not is_loopback_host(self.host) and not (self.key and self.origins):
            raise ConfigError(
                "console.host",
                "is not on loopback, and console.key or console.origins is not set",
                "set both, behind a proxy with TLS; or use 127.0.0.1 and ssh -L",
            )
        if self.key and self.key == self.read_key:
            raise ConfigError("console.read_key", "is console.key, which acts", "set another one")
