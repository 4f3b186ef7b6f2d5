"""``llcphone tunnel``: a public URL for a machine without one, by cloudflared or ngrok.

The tunnel lives as long as this command. All that depends on its URL is set: ``PUBLIC_URL`` in ``.env``, the
running server (it checks signatures against that URL, so it is restarted), and the number's webhook.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import trio
from attrs import evolve, frozen

from llcphone import settings
from llcphone.errors import ConfigError
from llcphone.process.env_file import set_variables
from llcphone.process.health import ask_health
from llcphone.process.restarting import Wish, restart
from llcphone.process.webhook import set_webhook
from llcphone.settings import DEFAULT_FILE
from llcphone.twilio.addresses import same_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL_S = 30.0
"""What a tunnel gets to tell its URL."""
_STOP_S = 5.0


@frozen
class Program:
    """A tunnel program: how it is started, and what its URL looks like."""

    name: str
    arguments: tuple[str, ...]
    url: re.Pattern[str]

    def command(self, port: int) -> list[str]:
        """What starts it."""
        return [self.name, *(each.format(port=port) for each in self.arguments)]


PROGRAMS = (
    Program(
        "cloudflared",
        ("tunnel", "--no-autoupdate", "--url", "http://127.0.0.1:{port}"),
        re.compile(r"https://[a-z0-9-]+\.trycloudflare\.com"),
    ),
    Program(
        "ngrok",
        ("http", "{port}", "--log", "stdout", "--log-format", "logfmt"),
        re.compile(r"(?<=url=)https://[\w.-]+"),
    ),
)


@frozen(kw_only=True)
class TunnelWish:
    """What is asked for, and who is asked."""

    path: Path | None
    program: str
    ask: Callable[[str], bool]
    tell: Callable[[str], None]


def chosen(name: str = "") -> Program:
    """The tunnel program that is installed.

    Raises:
        ConfigError: none is.
    """
    for each in PROGRAMS:
        if name in ("", each.name) and shutil.which(each.name):
            return each
    known = " or ".join(each.name for each in PROGRAMS if name in ("", each.name)) or name
    raise ConfigError("tunnel", f"{known} is not installed here; install it, or set PUBLIC_URL to your proxy")


async def run_tunnel(wish: TunnelWish) -> int:
    """Open the tunnel, set what depends on it, and hold it until interrupted or it ends."""
    program = chosen(wish.program)
    port = settings.load(wish.path).config.server.port
    process = await trio.lowlevel.open_process(
        program.command(port), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                told = _Listener(program)
                nursery.start_soon(told.listen, process, name="tunnel output")
                with trio.move_on_after(URL_S):
                    await told.found.wait()
                if not told.url:
                    wish.tell(f"{program.name} told no URL within {URL_S:.0f} s")
                    nursery.cancel_scope.cancel(reason="no tunnel")
                    return 1
                await _set_all(wish, told.url)
                wish.tell(f"the tunnel is open: {told.url}   (Ctrl-C closes it)")
                nursery.start_soon(_until_signal, signals, nursery.cancel_scope, name="signals")
                await told.ended.wait()
                wish.tell(f"{program.name} has ended by itself")
                nursery.cancel_scope.cancel(reason="the tunnel has ended")
                return 1
        wish.tell("the tunnel is closed: callers reach nobody until it is opened again")
        return 0
    finally:
        await _end(process)


class _Listener:
    """Reads what the program tells, to its end: a full pipe would stop it."""

    def __init__(self, program: Program) -> None:
        self.url = ""
        self.found, self.ended = trio.Event(), trio.Event()
        self._program = program

    async def listen(self, process: trio.Process) -> None:
        assert process.stdout is not None
        text = ""
        async for data in process.stdout:
            if not self.url:
                text += data.decode(errors="replace")
                if (match := self._program.url.search(text)) is not None:
                    self.url = match.group()
                    self.found.set()
        self.ended.set()
        self.found.set()


async def _until_signal(signals: object, scope: trio.CancelScope) -> None:
    async for _ in signals:  # type: ignore[attr-defined]
        scope.cancel(reason="interrupted")


async def _set_all(wish: TunnelWish, url: str) -> None:
    env = (wish.path or DEFAULT_FILE).parent / ".env"
    set_variables(env, {"PUBLIC_URL": url})
    wish.tell(f"wrote PUBLIC_URL to {env}")
    config = settings.load(wish.path).config
    if not same_address(config.server.public_url, url):
        wish.tell("the environment sets PUBLIC_URL too, and wins: unset it there")
        config = evolve(config, server=evolve(config.server, public_url=url))
    elif await ask_health(config.server.host, config.server.port) is not None:
        if wish.ask("Restart the running server, so that it takes this URL?"):
            await restart(Wish(path=wish.path, tell=wish.tell))
    else:
        wish.tell("no server runs yet: llcphone serve, in another terminal")
    if not config.twilio.account_sid or not config.twilio.phone_number:
        wish.tell(f"give Twilio this voice URL (POST): {url}/twiml")
        return
    try:
        await set_webhook(config, wish.tell, wish.ask)
    except ConfigError as exc:
        wish.tell(f"the number's webhook is not set: {exc}")


async def _end(process: trio.Process) -> None:
    with trio.CancelScope(shield=True):
        process.terminate()
        with trio.move_on_after(_STOP_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
        if process.stdout is not None:
            await process.stdout.aclose()
