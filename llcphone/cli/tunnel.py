"""``llcphone tunnel``: a public URL for a machine without one, by cloudflared or ngrok.

The tunnel lives as long as this command. All that depends on its URL is set: ``PUBLIC_URL`` in ``.env``, the
running server (it checks signatures against that URL, so it is restarted), and the number's webhook.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import trio
from attrs import evolve, frozen

from llcphone import settings
from llcphone.cli.number import set_webhook
from llcphone.cli.restart import RestartOptions, restart
from llcphone.cli.tunnel_programs import PROGRAMS, Output, Program
from llcphone.doctor.context import ask
from llcphone.errors import ConfigError
from llcphone.process.env_file import set_variables
from llcphone.process.health import ask_health
from llcphone.settings import DEFAULT_FILE
from llcphone.twilio.addresses import same_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llcphone.config import ServerConfig

URL_S = 30.0
"""How long a tunnel may take to print its URL."""
CONNECT_S = 10.0
"""What it gets to say that it is connected: a host that is asked for too early stays unknown for long."""
REACH_S = 60.0
"""What its URL gets to lead here."""
_AGAIN_S = 1.0
_STOP_S = 5.0
_BAD_GATEWAY = 502
"""What a tunnel answers when nothing listens behind it."""


@frozen(kw_only=True)
class TunnelOptions:
    """The options of the command, and the function that asks the user."""

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
    raise ConfigError(
        "tunnel", f"{known} is not installed here", "install it, or set PUBLIC_URL to your proxy"
    )


async def run_tunnel(options: TunnelOptions) -> int:
    """Open the tunnel, set what depends on it, and hold it until interrupted or it ends.

    Nothing is set before the tunnel's URL leads to this machine.
    """
    program = chosen(options.program)
    server = settings.load(options.path).config.server
    process = await trio.lowlevel.open_process(
        program.command(server.port), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    assert process.stdout is not None
    output, opened = Output(program), False
    try:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(output.read, process.stdout, name="tunnel output")
                nursery.start_soon(_until_signal, signals, nursery.cancel_scope, name="signals")
                trouble = await _until_reached(output, program, server)
                if not trouble:
                    opened = True
                    await _set_all(options, output.url)
                    options.tell(f"the tunnel is open: {output.url}   (Ctrl-C closes it)")
                    await output.ended.wait()
                    trouble = f"{program.name} has ended: {output.reason()}"
                options.tell(trouble if opened else f"no tunnel, and nothing was changed: {trouble}")
                nursery.cancel_scope.cancel(reason="no tunnel")
                return 1
        callers = (
            "callers cannot reach the server until it is open again" if opened else "nothing was changed"
        )
        options.tell(f"the tunnel is closed: {callers}")
        return 0
    finally:
        await _end(process)


async def _until_reached(output: Output, program: Program, server: ServerConfig) -> str:
    """Wait until the tunnel's URL leads here; "" when it does, else why not."""
    with trio.move_on_after(URL_S):
        await output.found.wait()
    if output.ended.is_set():
        return f"{program.name} has ended: {output.reason()}"
    if not output.url:
        return f"{program.name} gave no URL within {URL_S:.0f} s: {output.reason()}"
    with trio.move_on_after(CONNECT_S):
        await output.connected.wait()
    seen = "no answer"
    with trio.move_on_after(REACH_S):
        while not output.ended.is_set():
            seen = await _not_reached(output.url, server)
            if not seen:
                return ""
            await trio.sleep(_AGAIN_S)
    if output.ended.is_set():
        return f"{program.name} has ended: {output.reason()}"
    return f"{output.url} does not lead here after {REACH_S:.0f} s ({seen}): {output.reason()}"


async def _not_reached(url: str, server: ServerConfig) -> str:
    """Why the tunnel's URL does not lead to this machine; "" when it does."""
    nonce = secrets.token_hex(8)
    answer = await ask(f"{url}/healthz?nonce={nonce}")
    if isinstance(answer, str):
        return answer
    said = answer.json if isinstance(answer.json, dict) else {}
    if said.get("nonce") == nonce:
        return ""
    nobody = await ask_health(server.host, server.port) is None
    return "" if nobody and answer.status == _BAD_GATEWAY else f"it answers {answer.status}"


async def _until_signal(signals: object, scope: trio.CancelScope) -> None:
    async for _ in signals:  # type: ignore[attr-defined]
        scope.cancel(reason="interrupted")


async def _set_all(options: TunnelOptions, url: str) -> None:
    env = (options.path or DEFAULT_FILE).parent / ".env"
    set_variables(env, {"PUBLIC_URL": url})
    options.tell(f"wrote PUBLIC_URL to {env}")
    config = settings.load(options.path).config
    if not same_address(config.server.public_url, url):
        options.tell("the environment sets PUBLIC_URL too, and wins: unset it there")
        config = evolve(config, server=evolve(config.server, public_url=url))
    elif await ask_health(config.server.host, config.server.port) is not None:
        if options.ask("Restart the running server, so that it takes this URL?"):
            await restart(RestartOptions(path=options.path, tell=options.tell))
    else:
        options.tell("no server runs yet: llcphone serve, in another terminal")
    if not config.twilio.account_sid or not config.twilio.phone_number:
        options.tell(f"give Twilio this voice URL (POST): {url}/twiml")
        return
    try:
        await set_webhook(config, options.tell, options.ask)
    except ConfigError as exc:
        options.tell(f"the number's webhook is not set: {exc}")


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
