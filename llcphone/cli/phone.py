"""``llcphone phone``: talk to an agent with the browser as telephone, without an account."""

from __future__ import annotations

import json
import os
import signal
import sys
import webbrowser
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import trio
from cyclopts import Parameter
from cyclopts.validators import Number

from llcphone import settings
from llcphone.cli.mistakes import in_one_line
from llcphone.cli.options import AgentPath, AsJson, ConfigPath
from llcphone.config.addresses import is_loopback_url
from llcphone.config.config import is_placeholder
from llcphone.config.console import ConsoleConfig
from llcphone.console.listening import bind_console
from llcphone.errors import ConfigError
from llcphone.runtime.containment import contained
from llcphone.telemetry.logs import configure_logs
from llcphone.telemetry.redaction import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.config import Config
    from llcphone.console.console import Console

USUAL_PORT = 8082
REAL = "The real model answers, which costs money."
SIMULATED = "The model is simulated: it follows a script and does not understand your words."
_AnyPort = Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))]


async def phone(
    *,
    agent: AgentPath = None,
    mode: Literal["ivr", "receptionist", "csr"] | None = None,
    sim: bool = False,
    real: bool = False,
    script: Path | None = None,
    port: _AnyPort = None,
    record: bool = False,
    no_open: bool = False,
    to: str = "",
    auth_token: str = "",
    public_url: str = "",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Open a telephone in the browser and talk to an agent; no account needed.

    With OPENAI_API_KEY the real model answers, which costs money; else a simulated one.

    Args:
        mode: talk to this mode, for your company or a made-up one.
        sim: the simulated model, also where there is a key.
        real: the real model.
        script: what the simulated model says, turn by turn (docs/10-simulators.md has the format).
        port: of the page; default 8082, or a free one where that is taken. 0: a free one.
        record: keep what is said and heard until this ends, to see and hear it in the page.
        no_open: print the link, and open no browser.
        to: instead, ring the server with this voice webhook: llcphone's or another's for Media Streams.
        auth_token: of --to, signs the requests as Twilio does; default TWILIO_AUTH_TOKEN of .env.
        public_url: of --to, the URL the server believes it has; default PUBLIC_URL of .env.
    """
    if sim and real:
        raise ConfigError("--sim", "and --real are given", "give one of them")
    if script and real:
        raise ConfigError("--script", "is for the simulated model, and --real is given", "give one of them")
    loaded = settings.load(config).config
    configure_logs(attrs.evolve(loaded.log, level="warning"), secrets_of(loaded))
    is_real = _is_real(loaded, sim=sim or script is not None, real=real)
    shown = ShownAsJson() if as_json else Shown(no_open)
    if not (as_json or to):
        print(f"{_model(loaded) if is_real else SIMULATED}\nStarting ...", flush=True)
    # Imported here: they take a second, and a wrong option is said before.
    from llcphone.demo.browser import behind, open_browser_phone, open_line_to
    from llcphone.sim.model.load import ScriptError

    if to:
        from llcphone.cli.sim import line_to

        open_page = partial(open_line_to, line_to(loaded, to, auth_token, public_url))
    else:
        with in_one_line([ScriptError], place=str(script), fix="docs/10-simulators.md has the format"):
            answers = behind(loaded, agent, mode or "", real=is_real, script=script)
        answers.record = record
        open_page = partial(open_browser_phone, answers)
    opened = open_page(await _listen(port))
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with opened as console, trio.open_nursery() as nursery:
            shown.first(console)
            nursery.start_soon(_new_links, partial(shown.again, console), name="new links")
            async for _ in signals:
                break
            nursery.cancel_scope.cancel(reason="interrupted")


@attrs.frozen
class Shown:
    """What a person is told."""

    no_open: bool

    def first(self, console: Console) -> None:
        """The console is open."""
        elsewhere, opened = os.environ.get("SSH_CONNECTION", "").split(), False
        address = console.link()
        if elsewhere:
            here = elsewhere[2] if len(elsewhere) > 2 else "this-machine"
            print(f"On your own computer:  ssh -N -L {console.port}:127.0.0.1:{console.port} {here}")
        elif not self.no_open:
            opened = _open_browser(address)
        self._print(address, "opened in your browser; " if opened else "")
        print("Enter: a new link. Ctrl-C: end everything.", flush=True)

    def again(self, console: Console) -> None:
        """Another link is wanted."""
        self._print(console.link(), "")

    def _print(self, address: str, opened: str) -> None:
        print(f"Open  {address}   ({opened}good once, for two minutes)", flush=True)


@attrs.frozen
class ShownAsJson:
    """What a program is told: a line for each link."""

    def first(self, console: Console) -> None:
        """The console is open."""
        said = {"url": console.link(), "origin": console.origin, "port": console.port, "model": console.model}
        print(json.dumps(said), flush=True)

    again = first


def _open_browser(address: str) -> bool:
    """Open a browser with windows, if there is one: another kind would take the terminal."""
    windows = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    opened = False
    with contained():
        opened = bool(windows) and webbrowser.open(address)
    return opened


def _model(config: Config) -> str:
    """Which model answers where it is not the simulated one of this process."""
    url = config.realtime.url
    return f"The model at {url} answers (realtime.url)." if is_loopback_url(url) else REAL


def _is_real(config: Config, *, sim: bool, real: bool) -> bool:
    """Whether the real model answers."""
    key = config.realtime.api_key
    has_key = (key != "" and not is_placeholder(key)) or is_loopback_url(config.realtime.url)
    if real and not has_key:
        raise ConfigError(
            "realtime.api_key", "is not set: it pays for the model", "set OPENAI_API_KEY in .env"
        )
    return has_key and not sim


async def _listen(port: int | None) -> list[trio.SocketListener]:
    """Where the page is served."""
    try:
        return await bind_console(ConsoleConfig(port=USUAL_PORT if port is None else port))
    except ConfigError:
        if port is not None:
            raise
        return await bind_console(ConsoleConfig(port=0))


async def _new_links(again: Callable[[], None]) -> None:
    """Make a new link for each line of the input, until it ends."""
    if sys.stdin is None or sys.platform == "win32":  # only sockets can be waited for there
        return
    with suppress(OSError, ValueError):  # closed, or a file, which cannot be waited for either
        while True:
            await trio.lowlevel.wait_readable(sys.stdin.fileno())
            if not os.read(sys.stdin.fileno(), 4096):
                return
            again()
