"""``llcphone sim``: both voice APIs of OpenAI, a caller and Twilio, simulated; to test without an account."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import cyclopts
import trio
from cyclopts import Parameter
from cyclopts.validators import Number

from llcphone import settings
from llcphone.cli.mistakes import in_one_line
from llcphone.cli.options import ConfigPath, Port
from llcphone.config import Config
from llcphone.errors import ConfigError
from llcphone.process.health import local_url
from llcphone.sim import voices
from llcphone.sim.wav import SpeechFileError, read_speech

app = cyclopts.App(
    name="sim", help="Simulators of OpenAI's voice APIs, of a caller and of Twilio; no account needed."
)

Webhook = Annotated[str, Parameter(help="the server's voice webhook; default this machine, at server.port")]
Token = Annotated[str, Parameter(help="signs the requests as Twilio does; default TWILIO_AUTH_TOKEN of .env")]
PublicUrl = Annotated[str, Parameter(help="the URL the server believes it has; default PUBLIC_URL of .env")]


@app.command
async def model(
    *,
    host: str = "127.0.0.1",
    port: Port = 9101,
    script: Path | None = None,
    dialects: Literal["ga", "flat", "both"] = "ga",
    profile: Literal["openai", "azure", "xai", "generic"] = "openai",
) -> None:
    """Run the simulated Realtime API until Ctrl-C.

    Args:
        host: address to listen on.
        port: port to listen on.
        script: what it says, turn by turn (TOML or JSON; docs/10-simulators.md has the format).
        dialects: which session shapes it accepts.
        profile: which kind of endpoint it plays, with what that one refuses.
    """
    from llcphone.sim.model import load_script, run_model
    from llcphone.sim.model.load import ScriptError

    with in_one_line([ScriptError], place=f"{host}, port {port}", fix="docs/10-simulators.md has the format"):
        read = load_script(script) if script else None
        async with trio.open_nursery() as nursery:
            simulator = await nursery.start(
                run_model, host, port, read, dialects, profile, name="simulated model"
            )
            print("The simulated Realtime API listens. The line for .env:", flush=True)
            print(f"LLCPHONE_REALTIME__URL={simulator.url}", flush=True)


@app.command
async def live(*, host: str = "127.0.0.1", port: Port = 9103, script: Path | None = None) -> None:
    """Run the simulated GPT-Live until Ctrl-C.

    Args:
        host: address to listen on.
        port: port to listen on.
        script: what it says, turn by turn (TOML or JSON; docs/10-simulators.md has the format).
    """
    from llcphone.sim.live.load import load_live_script
    from llcphone.sim.live.simulator import run_live
    from llcphone.sim.model.load import ScriptError

    with in_one_line([ScriptError], place=f"{host}, port {port}", fix="docs/10-simulators.md has the format"):
        read = load_live_script(script) if script else None
        async with trio.open_nursery() as nursery:
            simulator = await nursery.start(run_live, host, port, read, name="simulated GPT-Live")
            print("The simulated GPT-Live listens. The lines for .env:", flush=True)
            print("LLCPHONE_REALTIME__PROTOCOL=live", flush=True)
            print(f"LLCPHONE_REALTIME__URL={simulator.url}", flush=True)


@app.command
async def phone(
    *,
    to: Webhook = "",
    auth_token: Token = "",
    public_url: PublicUrl = "",
    say: list[str] | None = None,
    out: Path | None = None,
    config: ConfigPath = None,
) -> None:
    """Call a running server and speak to it.

    Args:
        say: WAV or .ulaw files, or names of recordings that ship, spoken in turn when the agent has finished.
        out: a stereo WAV of the call: the caller left, the agent right.
    """
    from llcphone.sim.twilio.run import DEFAULT_SAY, run_phone

    loaded = Config() if to and auth_token else settings.load(config).config
    line = line_to(loaded, to, auth_token, public_url)
    _check_place(out)
    with in_one_line([SpeechFileError]):
        speeches = [_speech(name) for name in say or DEFAULT_SAY]
        summary = await run_phone(**line, say=speeches, wav=out)
    print(*summary.lines(), sep="\n")
    print(*_advice(summary.record.requests, line["url"]), sep="\n", end="")
    if out is not None:
        print(f"listen: {out}")
    sys.exit(0 if summary.ok else 1)


@app.command
async def twilio(
    *,
    port: Port = 9102,
    to: Webhook = "",
    auth_token: Token = "",
    public_url: PublicUrl = "",
    answer: Literal["answers", "busy", "no-answer", "failed", "voicemail"] = "answers",
    say: str = "hello_opening_hours",
    ring_s: Annotated[float, Parameter(validator=Number(gte=0, lte=60))] = 2.0,
    hangs_up_after_s: Annotated[float, Parameter(validator=Number(gt=0))] = 15.0,
    config: ConfigPath = None,
) -> None:
    """Run the simulated Twilio REST API until Ctrl-C, with a callee for llcphone call --yes.

    Args:
        port: of the REST API.
        answer: what becomes of each call.
        say: a WAV or .ulaw file, or the name of a recording that ships, said on picking up.
        ring_s: how long it rings.
        hangs_up_after_s: how long after answering they hang up.
    """
    from llcphone.sim.twilio import Callee
    from llcphone.sim.twilio.run import run_rest

    line = line_to(settings.load(config).config, to, auth_token, public_url)
    with in_one_line([SpeechFileError], place=f"127.0.0.1, port {port}"):
        says = _load(_speech(say))
        machine = answer == "voicemail"
        callee = Callee(
            outcome="answers" if machine else answer,
            answered_by="machine_start" if machine else "human",
            says=says,
            ring_s=ring_s,
            hangs_up_after_s=hangs_up_after_s,
        )
        await run_rest(**line, callee=callee, port=port, printer=partial(print, flush=True))


def line_to(loaded: Config, to: str, auth_token: str, public_url: str) -> dict[str, Any]:
    """How the server is reached, and which account and address it has: as given, or of its settings."""
    from llcphone.sim.twilio import ACCOUNT_SID, NUMBER

    server, token = loaded.server, auth_token or loaded.twilio.auth_token
    here = to or f"{local_url(server.host, server.port)}/twiml"
    parts = urlsplit(here)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise ConfigError("--to", f"{here} has a port above 65535", "write another") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("--to", "is not a web address", "write it as http://127.0.0.1:8081/twiml")
    twilio, numbers = loaded.twilio, [loaded.twilio.phone_number, *loaded.own_numbers]
    account = {
        "auth_token": token,
        "account_sid": twilio.account_sid or ACCOUNT_SID,
        "numbers": tuple(filter(None, dict.fromkeys(numbers))) or (NUMBER,),
    }
    known = public_url or server.public_url
    if not known:
        return {**account, "url": here, "public_url": None, "connect_to": None}
    return {
        **account,
        "url": f"{known.rstrip('/')}{parts.path or '/twiml'}",
        "public_url": known,
        "connect_to": None if known.startswith("http://") and to else (parts.hostname, port),
    }


def _check_place(out: Path | None) -> None:
    """Before a call of a minute, not after it."""
    if out is not None and not out.absolute().parent.is_dir():
        raise ConfigError("--out", f"{out.parent} is no folder", "make it, or name another file")


def _speech(name: str) -> Path | str:
    """A recording that ships, by its name, or a file."""
    return name if name in voices.TEXTS else Path(name)


def _load(speech: Path | str) -> bytes:
    return voices.load(speech) if isinstance(speech, str) else read_speech(speech)


def _advice(requests: list[tuple[str, int, int]], url: str) -> list[str]:
    """What most likely is behind a webhook that was refused, with a line break after each."""
    refused = {status for _, status, _ in requests if not 200 <= status < 300}
    if 403 in refused:
        return [
            "the server refuses the signature (HTTP 403). Fix: give --auth-token and --public-url as the "
            "server has them (TWILIO_AUTH_TOKEN, PUBLIC_URL), or run this where its .env is\n"
        ]
    if 0 in refused:
        return [f"no server answers at {url}. Fix: start the server (llcphone serve), or name it with --to\n"]
    if refused:
        return [f"the server answers HTTP {max(refused)}. Fix: see its log; llcphone doctor\n"]
    return []
