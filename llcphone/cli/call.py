"""``llcphone call``: call one number from the terminal.

Without ``--yes`` it is a dry run: it shows the guard's verdict, the call's options and the prompt's size,
but dials no number and sends nothing. With it, the running server is asked to place the call
(`through_server`); where none runs, a phone and its server are opened for this one call (`ring`). What
happens is shown line by line, and the record at the end. Ctrl-C lets the agent finish its word and hangs up;
twice ends at once.

Exit codes: 0 somebody answered (or, in a dry run, could be called), 1 not, 2 a setting is wrong.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import Parameter

from llcphone import settings
from llcphone.agent import agents_of
from llcphone.call.setup import CallStart, plan_call
from llcphone.cli.options import AgentPath, AsJson, ConfigPath, number_of
from llcphone.cli.ring import check_ready, ring
from llcphone.cli.through_server import serving_at, through_server
from llcphone.dial_guard.guard import DialGuard, DialRequest
from llcphone.errors import ConfigError, DialRefused
from llcphone.modes.agent_file import agent_of
from llcphone.phone.do_not_call import DoNotCallFile, offset_s
from llcphone.realtime.session import prompt_tokens, tools_tokens
from llcphone.telemetry.logs import configure_logs
from llcphone.telemetry.redaction import masked_number, secrets_of
from llcphone.validation.e164 import country_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.agent import Agent, Agents
    from llcphone.config import Config

    Tell = Callable[[str], None]


@attrs.frozen
class CallOptions:
    to: str = attrs.field(repr=False)
    choice: Agent | Agents
    context: str = attrs.field(default="", repr=False)
    caller_id: str = attrs.field(default="", repr=False)

    @property
    def agent(self) -> Agent:
        """The agent that speaks."""
        return next(iter(agents_of(self.choice).values()))


async def call(
    to: str,
    /,
    *,
    agent: AgentPath = None,
    context: str = "",
    caller_id: str = "",
    config: ConfigPath = None,
    yes: Annotated[bool, Parameter(help="really call them")] = False,
    as_json: AsJson = False,
) -> None:
    """Call a number: a dry run unless --yes. If the server runs, it places the call (with api.key).

    Args:
        to: number to call, as +<country><number>.
        context: what this call is about; the last part of the prompt.
        caller_id: which of your numbers the callee sees; default the first.
    """
    loaded = settings.with_store(settings.load(config).config, config)
    number, shown = (
        number_of(to, "the number to call"),
        number_of(caller_id, "--caller-id") if caller_id else "",
    )
    configure_logs(attrs.evolve(loaded.log, level="warning"), secrets_of(loaded))
    outcome: dict[str, Any] = {}
    tell = _to_stderr if as_json else print
    if yes and await serving_at(loaded):
        if agent is not None:
            why = "cannot be chosen while the server runs: it has its own"
            raise ConfigError("--agent", why, "leave it out, or llcphone stop")
        code = await through_server(
            loaded, number, context=context, caller_id=shown, tell=tell, outcome=outcome
        )
    else:
        options = CallOptions(number, agent_of(loaded, agent), context, shown)
        code = await run_call(loaded, options, yes=yes, tell=tell, outcome=outcome)
    if as_json:
        print(json.dumps({"ok": code == 0, **outcome}, indent=1))
    sys.exit(code)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


async def run_call(
    config: Config, options: CallOptions, *, yes: bool, tell: Tell, outcome: dict[str, Any] | None = None
) -> int:
    """Do what the command says, without another server; returns its exit code.

    Args:
        config: all settings.
        options: the call.
        yes: really call them.
        tell: receives each line for the terminal.
        outcome: filled with what a program wants to know.

    Raises:
        ConfigError: a setting that the call needs is missing or wrong.
    """
    outcome = {} if outcome is None else outcome
    if not yes:
        return await _dry_run(config, options, tell, outcome)
    return await ring(
        config,
        options.to,
        options.agent,
        context=options.context,
        caller_id=options.caller_id,
        tell=tell,
        outcome=outcome,
    )


async def _dry_run(config: Config, options: CallOptions, tell: Tell, outcome: dict[str, Any]) -> int:
    guard = DialGuard(config, offset_s)
    if config.outbound.do_not_call_file:
        await DoNotCallFile(config.outbound.do_not_call_file, guard).refresh()
    from_ = options.caller_id or next(iter(guard.own_numbers), "")
    troubles = _missing(config)
    try:
        guard.check(DialRequest(to=options.to, from_=from_), round(time.time() * 1000))
    except DialRefused as refused:
        troubles.append(f"{refused.why} [{refused.code}]")
    facts = _facts(config, options, from_)
    outcome |= {"dry_run": True, "refused": troubles, **dict(facts)}
    if troubles:
        tell("Dry run: this call would be refused.")
    else:
        tell("Dry run: no number is dialled; it may be called now. Add --yes to call it.")
    for trouble in troubles:
        tell(f"  refused    {trouble}")
    for name, text in facts:
        tell(f"  {name:<10} {text}")
    return 1 if troubles else 0


def _missing(config: Config) -> list[str]:
    """The first setting without which no call can be placed."""
    try:
        check_ready(config)
    except ConfigError as exc:
        return [str(exc)]
    return []


def _facts(config: Config, options: CallOptions, from_: str) -> list[tuple[str, str]]:
    """What would be sent, number by number masked."""
    agent, realtime, outbound = options.agent, config.realtime, config.outbound
    setup = plan_call(config, agent, CallStart(outbound=True, context=options.context))
    static = prompt_tokens(agent.instructions or config.agent.instructions)
    lean, full = agent.lean_tools(), agent.full_tools()
    tools = f"{len(lean)} at first, about {tools_tokens(lean)} tokens"
    if len(full) != len(lean):
        tools += f"; then {len(full)}, about {tools_tokens(full)}"
    when = "at once" if outbound.dial == "at_once" else "when the model is ready"
    host = config.twilio.api_url.partition("//")[2]
    edge = f", edge {config.twilio.edge}" if config.twilio.edge else ""
    moments = {"async": "while talking", "sync": "before the first word"}
    machine = f"{outbound.machine.replace('_', ' ')} (detected {moments.get(outbound.amd)})"
    return [
        ("to", f"{masked_number(options.to)} ({country_of(options.to) or 'country unknown'})"),
        ("from", masked_number(from_) or "(no number)"),
        ("carrier", f"{host}{edge}; dialled {when}, rings at most {outbound.ring_timeout_s} s"),
        ("callbacks", config.server.public_url or "(no public URL)"),
        ("model", f"{realtime.model}, voice {agent.voice or realtime.voice}, dialect {realtime.dialect}"),
        ("opening", "greet: the agent speaks first" if setup.greets else "listen: the callee speaks first"),
        ("pad", f"{setup.pad_ms} ms of silence before the first word"),
        ("priming", "on" if setup.priming else "off"),
        ("machine", "not detected" if outbound.amd == "off" else machine),
        ("prompt", f"about {static} tokens, and {prompt_tokens(options.context)} of this call's context"),
        ("tools", tools),
    ]
