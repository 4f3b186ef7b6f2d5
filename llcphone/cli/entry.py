"""The ``llcphone`` command: everything a person runs, one function each.

Exit codes: 0 it did what it should, 1 it did not, 2 the command or a setting is wrong.
"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import cyclopts
import trio
from cyclopts import Parameter

from llcphone.agent_file import agent_of
from llcphone.errors import ConfigError, LLCPhoneError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llcphone.config import Config

app = cyclopts.App(name="llcphone", help="Phone calls an AI model holds by voice.", backend="trio")
sim = cyclopts.App(name="sim", help="Simulators of the two vendors, to test agents without an account.")
app.command(sim)

ConfigPath = Annotated[Path | None, Parameter(name="--config", help="llcphone.toml to read")]


@app.command
async def serve(*, config: ConfigPath = None, agent: Path | None = None) -> None:
    """Answer calls until SIGTERM or SIGINT, then drain.

    Args:
        config: settings file; default llcphone.toml here, with .env beside it.
        agent: a Python file with an ``agent``; default the one in [agent].
    """
    from llcphone.logs import configure_logs
    from llcphone.masking import secrets_of
    from llcphone.process.serving import serve_as_process
    from llcphone.settings import with_journal, with_store
    from llcphone.store.lines import open_record_file

    loaded = with_store(with_journal(_load(config)), config)
    loaded.check_ready_to_serve()
    configure_logs(loaded.log, secrets_of(loaded))
    chosen = agent_of(loaded, agent)
    print(f"Give Twilio this voice URL (POST): {loaded.server.public_url}/twiml", file=sys.stderr)
    async with AsyncExitStack() as stack:
        path = loaded.records.path
        keep = await stack.enter_async_context(open_record_file(path)) if path else None
        await serve_as_process(loaded, chosen, keep)


@app.command
async def call(
    to: str,
    *,
    agent: Path | None = None,
    context: str = "",
    caller_id: str = "",
    config: ConfigPath = None,
    yes: bool = False,
) -> None:
    """Ring a number: a dry run unless --yes.

    Args:
        to: whom to ring, as +<country><number>.
        agent: a Python file with an ``agent``; default the one in [agent].
        context: what this call is about; it stands last in the prompt.
        caller_id: which of our numbers they see; default the first.
        config: settings file; default llcphone.toml here, with .env beside it.
        yes: really ring them.
    """
    from llcphone.cli.call import Wish, run_call
    from llcphone.logs import configure_logs
    from llcphone.masking import secrets_of
    from llcphone.settings import with_store

    loaded = with_store(_load(config), config)
    configure_logs(attrs.evolve(loaded.log, level="warning"), secrets_of(loaded))
    wish = Wish(to, agent_of(loaded, agent), context, caller_id)
    sys.exit(await run_call(loaded, wish, yes=yes, tell=print))


@app.command
def demo(
    *,
    caller: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    out: Path = Path("demo-out"),
    dialect: Literal["ga", "flat"] = "ga",
    inbound_only: bool = False,
    quiet: bool = False,
    mode: Literal["ivr", "receptionist", "csr"] | None = None,
    dial: str = "",
    config: ConfigPath = None,
) -> None:
    """Hold whole calls over loopback with simulators of both vendors; no account needed.

    Args:
        caller: your own speech, WAV files, said in turn instead of the scripted caller.
        out: where the stereo WAV, the timeline and the call record go.
        dialect: what the simulated Realtime API speaks.
        inbound_only: hold the call that comes in; place none.
        quiet: print the summary only.
        mode: instead, one call to this mode, with the company, routes and modules of your settings.
        dial: the same, by ringing this number: whoever your routes say answers.
        config: settings file for a mode; default llcphone.toml here.
    """
    if mode or dial:
        from llcphone.demo.modes import demo_mode

        sys.exit(trio.run(partial(demo_mode, _load(config), mode or "", out, print, dial=dial)))
    from llcphone.demo.run import run_demo

    sys.exit(run_demo(out, caller=caller or [], dialect=dialect, inbound_only=inbound_only, quiet=quiet))


@app.command
def mode(name: Literal["ivr", "receptionist", "csr", "outbound"], file: Path | None = None) -> None:
    """Copy a mode that ships, to be edited: `routes.files` or `agent.file` then names the copy.

    Args:
        name: which.
        file: where to; it must not exist. Without one, it is printed.
    """
    from llcphone.modes import source_of

    if file is None:
        print(source_of(name), end="")
    elif file.exists():
        raise ConfigError("mode", f"{file} exists already")
    else:
        file.write_text(source_of(name), "utf-8")


@app.command
def replay(file: Path, *, accept: bool = False) -> None:
    """Give the tape of a call to this version's engine: it must decide the same.

    Args:
        file: a tape out of the folder ``records.blackbox_dir``.
        accept: write what this version decides into the tape.
    """
    from llcphone.cli.replay import run_replay

    sys.exit(run_replay(file, accept=accept, tell=print))


app.command(
    "llcphone.cli.torture:torture", help="Try a bridge, ours or another, with the calls that break bridges."
)
app.command(
    "llcphone.cli.snapshot:app", name="snapshot", help="Known-good configurations: save, compare, restore."
)
for _name, _what in {
    "calls": "List the calls that have ended.",
    "show": "Show all that is kept of a call but its words.",
    "transcript": "Show what was said in a call, as it was heard.",
    "tail": "Show each call as it ends.",
    "export": "Write all calls as CSV or JSON lines.",
}.items():
    app.command(f"llcphone.cli.calls:{_name}", help=_what)
app.command("llcphone.cli.calls:store", name="store", help="The store: a demo database, and forgetting.")
for _name, _what in (
    ("doctor", "Look at everything that calls need, and say what mends what is broken."),
    ("restart", "Drain the server, clear its port, start it, and see that it is well."),
    ("start", "Start the server in the background, unless one runs."),
    ("stop", "Drain the server and stop it."),
    ("status", "Show how the server stands."),
    ("unit", "Write the file with which systemd or pm2 keeps the server running."),
    ("init", "Ask the few things that are needed, and write llcphone.toml and .env."),
    ("tunnel", "Open a tunnel to the server, and set everything that depends on its URL."),
):
    app.command(f"llcphone.cli.ops:{_name}", help=_what)
app.command("llcphone.cli.ops:number", name="number", help="Who is asked when the number rings.")
app.command("llcphone.cli.snapshot:rescue", help="Restore the plainest configuration that ships.")
app.command("llcphone.cli.skill:app", name="skill", help="The skill for OpenClaw and Claude Code.")


@app.command(name="config")
def show_config(*, config: ConfigPath = None, explain: bool = False) -> None:
    """Show the effective settings.

    Args:
        config: settings file; default llcphone.toml here, with .env beside it.
        explain: also where each value came from.
    """
    from llcphone import settings

    _finish_restore(config)
    for key, value, origin in settings.explain(settings.load(config)):
        print(f"{key} = {value}" + (f"    # {origin}" if explain else ""))


@app.command
def prompt(*, config: ConfigPath = None, agent: Path | None = None, context: str = "") -> None:
    """Show what a prompt holds, in the order in which it is cached, with estimated tokens and cost.

    Args:
        config: settings file; default llcphone.toml here, with .env beside it.
        agent: a Python file with an ``agent``; default the one in [agent].
        context: what a call would be about; it stands last.
    """
    from llcphone.agent import agents_of
    from llcphone.cli.prompt import prompt_lines

    loaded = _load(config)
    for each in agents_of(agent_of(loaded, agent)).values():
        print(*prompt_lines(loaded, each, context), sep="\n")


@sim.command(name="model")
async def sim_model(
    *,
    host: str = "127.0.0.1",
    port: int = 9101,
    script: Path | None = None,
    dialects: Literal["ga", "flat", "both"] = "ga",
) -> None:
    """Run the simulated Realtime API until interrupted.

    Args:
        host: address to listen on.
        port: port to listen on.
        script: what it says, turn by turn (TOML or JSON).
        dialects: which session shapes it accepts.
    """
    from llcphone.sim.model import load_script, run_model
    from llcphone.sim.model_load import ScriptError

    with _in_one_line(ScriptError, place=f"{host}, port {port}"):
        await run_model(host, port, load_script(script) if script else None, dialects)


@sim.command(name="phone")
async def sim_phone(
    *,
    to: str = "http://127.0.0.1:8081/twiml",
    auth_token: str = "",
    public_url: str | None = None,
    say: list[Path] | None = None,
) -> None:
    """Ring a running server and speak to it.

    Args:
        to: the server's voice webhook.
        auth_token: signs the requests as Twilio does.
        public_url: the URL the server believes it has, when it differs from ``to``.
        say: WAV or .ulaw files, spoken in turn after the agent has finished.
    """
    from llcphone.sim.phone_run import DEFAULT_SAY, run_phone
    from llcphone.sim.wav import SpeechFileError

    with _in_one_line(SpeechFileError):
        summary = await run_phone(to, auth_token, say or DEFAULT_SAY, public_url=public_url)
    print(*summary.lines(), sep="\n")
    sys.exit(0 if summary.ok else 1)


@contextmanager
def _in_one_line(*kinds: type[Exception], place: str = "") -> Iterator[None]:
    """A file or an address that cannot be had is the person's to mend: one line, not a traceback.

    Args:
        kinds: errors of the same sort, besides ``OSError``.
        place: what was asked for, where the error names no file.
    """
    troubles: list[BaseException] = []
    mendable: tuple[type[Exception], ...] = (OSError, *kinds)
    try:
        yield
    except* mendable as group:
        troubles = _leaves(group)
    if troubles:
        raise LLCPhoneError("; ".join(_plainly(each, place) for each in troubles))


def _plainly(error: BaseException, place: str) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename or place}: {error.strerror}"


def _load(path: Path | None) -> Config:
    from llcphone import settings

    _finish_restore(path)
    return settings.load(path).config


def _finish_restore(path: Path | None) -> None:
    """Of a restore that was broken off, all or nothing is in effect."""
    from llcphone.settings import DEFAULT_FILE
    from llcphone.snapshots import finish

    finish(path or DEFAULT_FILE)


def main() -> None:
    """Run the command line; a wrong setting is one line, not a traceback."""
    try:
        app()
    except LLCPhoneError as exc:
        print(f"llcphone: {exc}", file=sys.stderr)
        sys.exit(2)
    except BaseExceptionGroup as group:
        _, rest = group.split(LLCPhoneError)
        if rest is not None:
            raise
        for each in _leaves(group):
            print(f"llcphone: {each}", file=sys.stderr)
        sys.exit(2)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for exc in group.exceptions:
        leaves += _leaves(exc) if isinstance(exc, BaseExceptionGroup) else [exc]
    return leaves
