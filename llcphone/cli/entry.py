"""The commands by name and group, and how each of them ends.

Only the module of the command that is run is imported. Exit codes: 0 it did what it should, 1 it did
not, 2 the command or a setting is wrong, 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

import cyclopts
from cyclopts import Group, Parameter

import llcphone
from llcphone.cli import mistakes


def _worth_showing(default: Any) -> Any:
    """An empty text and "no" are what one expects: they need no words."""
    return None if default is False or default == "" else default


def _app(**how: Any) -> cyclopts.App:
    return cyclopts.App(
        backend="trio",
        help_format="plaintext",
        suppress_keyboard_interrupt=False,  # `run` says it
        default_parameter=Parameter(negative=(), show_default=_worth_showing),
        **how,
    )


app = _app(
    name="llcphone",
    version_flags=(),  # `_version` says it, without rich and the package's metadata
    help="Phone calls with an AI voice agent. Begin with: llcphone phone, then llcphone init.",
)

_GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Begin here": {
        "phone": ("phone:phone", "Talk to an agent with your browser as telephone; no account needed."),
        "demo": ("demo:demo", "Hold whole calls on this machine, between simulators; no account needed."),
        "init": ("setup:init", "Ask what is needed, and write llcphone.toml and .env."),
        "new": (
            "agents:new",
            "Write a first agent of your own: a commented Python file with a tool.",
        ),
        "doctor": ("ops:doctor", "Check everything that calls need, and say how to fix what is wrong."),
        "certify": (
            "certify:certify",
            "Ask your account what documentation leaves open, and write a report. Costs money.",
        ),
    },
    "Calls": {
        "serve": ("serve:serve", "Answer calls until SIGTERM or Ctrl-C, then drain."),
        "call": ("call:call", "Call a number: a dry run unless --yes."),
        "number": ("ops:number", "Show or set the webhook that Twilio calls when your number rings."),
        "dnc": ("dnc:dnc", "The do-not-call list of all processes: show it, add, remove."),
        "console": ("console:console", "Print a link to the pages that show the server's calls."),
        "tunnel": ("ops:tunnel", "Open a tunnel to the server, and set everything that depends on its URL."),
    },
    "The server in the background": {
        "start": ("ops:start", "Start the server in the background, unless it is running."),
        "stop": ("ops:stop", "Drain the server and stop it."),
        "restart": (
            "ops:restart",
            "Start a new server beside the old one, hand over the port, and check it.",
        ),
        "status": ("ops:status", "Show whether the server takes calls."),
        "unit": ("ops:unit", "Write the file for systemd, pm2 or HAProxy that keeps the server running."),
    },
    "What was said and done": {
        "calls": ("calls:calls", "List the calls that have ended."),
        "show": ("calls:show", "Show a call's record (without the transcript)."),
        "transcript": ("calls:transcript", "Show what was said and heard in a call."),
        "tail": ("calls:tail", "Show each call as it ends."),
        "export": ("calls:export", "Write all calls as CSV or JSON lines."),
        "store": ("store:store", "The database of calls: make one to try, delete from it."),
    },
    "Settings and agents": {
        "config": ("settings:config", "Show the settings in effect, and where each comes from."),
        "prompt": ("agents:prompt", "Show how large an agent's prompt is, part by part, and what it costs."),
        "mode": (
            "agents:mode",
            "Copy a ready-made agent (receptionist, ivr, csr, outbound) to edit it.",
        ),
        "snapshot": ("snapshot:app", "Known-good settings: save, compare, restore."),
        "rescue": ("snapshot:rescue", "Restore the simplest shipped settings."),
        "skill": ("skill:app", "The skill for OpenClaw and Claude Code."),
    },
    "Tests": {
        "sim": ("sim:app", "Simulators of the Realtime API, of a caller and of Twilio; no account needed."),
        "torture": ("torture:torture", "Test a bridge, ours or yours, with calls that often break bridges."),
        "replay": ("replay:replay", "Replay a recorded call: this version must make the same decisions."),
    },
}

for _order, (_title, _commands) in enumerate(_GROUPS.items()):
    _group = Group(_title, sort_key=_order)
    for _place, (_name, (_where, _what)) in enumerate(_commands.items()):
        app.command(f"llcphone.cli.{_where}", name=_name, help=_what, group=_group, sort_key=_place)
_options = app["--help"].group = Group("Options", sort_key=len(_GROUPS))


@app.command(name="--version", group=_options)
def _version() -> None:
    """Display the version."""
    print(llcphone.__version__)


def load(tokens: list[str]) -> None:
    """Import the module of the command; what is wrong with its words, `run` says."""
    with suppress(Exception):
        _, apps, _ = app.parse_commands(tokens)
        _ = apps[-1].default_command


def run(tokens: list[str]) -> int:
    """Run one command; returns its exit code. An ordinary mistake is one line on standard error."""
    _have_streams()
    try:
        try:
            app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has stopped, as ``head`` does
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (until the process ends)
        return 0
    except BaseException as error:
        told = mistakes.told(error)
        if told is None:
            raise
        for line in told.lines:
            print(f"llcphone: {line}", file=sys.stderr)
        return told.code
    return code


def _have_streams() -> None:
    """Closed streams and terminals of another encoding are no reason to fail."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 (until the process ends)
        elif name != "stdin" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
