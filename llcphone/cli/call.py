"""``llcphone call``: ring one number from the terminal.

Without ``--yes`` it is a rehearsal on paper: the guard's verdict, who would be rung how, how large the
prompt is; nobody is called and nothing is sent. With it, a phone and its server are opened for this one
call (Twilio's callbacks and the media stream come to the public URL), what happens is told line by line,
and the record stands at the end. Ctrl-C lets the agent finish its word and hangs up; twice ends at once.

Exit codes: 0 somebody answered (or, on paper, could be called), 1 not, 2 a setting is wrong.
"""

from __future__ import annotations

import signal
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from llcphone.agent import agents_of
from llcphone.call.plan import plan_call
from llcphone.engine.dialling import DialPlan
from llcphone.engine.events import EndReason
from llcphone.errors import ConfigError, DialRefused, NotAdmitted
from llcphone.guard import DialGuard, DialRequest, country_of
from llcphone.guard_files import DoNotCallFile, offset_s
from llcphone.phone_open import open_phone
from llcphone.realtime.session import prompt_tokens, tools_tokens
from llcphone.server.api_shapes import masked_number
from llcphone.server.run import bind, serve
from llcphone.store.lines import open_record_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llcphone.agent import Agent, Agents
    from llcphone.call.handle import Call
    from llcphone.call.record import CallRecord
    from llcphone.config import Config
    from llcphone.engine.commands import Note
    from llcphone.phone import Phone
    from llcphone.server.door import Door

    Tell = Callable[[str], None]

_TALKED = frozenset({EndReason.CALLER_HUNG_UP, EndReason.AGENT_HUNG_UP, EndReason.TIME_LIMIT, EndReason.IDLE})
_TALKED |= {EndReason.TRANSFERRED}
"""Ends of a call that went well, once the media stream had started."""


@attrs.frozen
class Wish:
    """The call that is wanted."""

    to: str = attrs.field(repr=False)
    choice: Agent | Agents
    context: str = attrs.field(default="", repr=False)
    caller_id: str = attrs.field(default="", repr=False)

    @property
    def agent(self) -> Agent:
        """Who speaks."""
        return next(iter(agents_of(self.choice).values()))


async def run_call(config: Config, wish: Wish, *, yes: bool, tell: Tell) -> int:
    """Do what the command says; returns its exit code.

    Args:
        config: all settings.
        wish: the call.
        yes: really ring them.
        tell: takes each line for the terminal.

    Raises:
        ConfigError: a setting that the call needs is missing or wrong.
    """
    return await _ring(config, wish, tell) if yes else await _on_paper(config, wish, tell)


# -- on paper ---------------------------------------------------------------------------------


async def _on_paper(config: Config, wish: Wish, tell: Tell) -> int:
    guard = DialGuard(config, offset_s)
    if config.outbound.do_not_call_file:
        await DoNotCallFile(config.outbound.do_not_call_file, guard).refresh()
    from_ = wish.caller_id or next(iter(guard.own_numbers), "")
    tell("Dry run: nobody is called. Add --yes to ring them.")
    troubles = _missing(config)
    try:
        guard.check(DialRequest(to=wish.to, from_=from_), round(time.time() * 1000))
    except DialRefused as refused:
        troubles.append(f"{refused.why} [{refused.code}]")
    for name, text in _facts(config, wish, from_):
        tell(f"  {name:<10} {text}")
    for trouble in troubles:
        tell(f"  refused    {trouble}")
    if not troubles:
        tell("  guard      may be called now")
    return 1 if troubles else 0


def _missing(config: Config) -> list[str]:
    """The first setting without which no call can be placed."""
    try:
        _check_ready(config)
    except ConfigError as exc:
        return [str(exc)]
    return []


def _check_ready(config: Config) -> None:
    config.check_ready_to_serve()
    if not config.twilio.account_sid:
        raise ConfigError("twilio.account_sid", "is missing: dialling needs it; set TWILIO_ACCOUNT_SID")
    if not config.twilio.phone_number and not config.outbound.caller_ids:
        raise ConfigError("twilio.phone_number", "is missing: calls come from it; set TWILIO_PHONE_NUMBER")


def _facts(config: Config, wish: Wish, from_: str) -> list[tuple[str, str]]:
    """What would be sent, number by number masked."""
    agent, realtime, outbound = wish.agent, config.realtime, config.outbound
    setup = plan_call(config, agent, call_sid="", context=wish.context, dial=DialPlan())
    static = prompt_tokens(agent.instructions or config.agent.instructions)
    lean, full = agent.lean_tools(), agent.full_tools()
    tools = f"{len(lean)} at first, about {tools_tokens(lean)} tokens"
    if len(full) != len(lean):
        tools += f"; then {len(full)}, about {tools_tokens(full)}"
    when = "at once" if outbound.dial == "at_once" else "when the model is ready"
    host = config.twilio.api_url.partition("//")[2]
    edge = f", edge {config.twilio.edge}" if config.twilio.edge else ""
    machine = "no detection" if outbound.amd == "off" else f"{outbound.amd} detection: {outbound.machine}"
    return [
        ("to", f"{masked_number(wish.to)} ({country_of(wish.to) or 'country unknown'})"),
        ("from", masked_number(from_) or "(no number)"),
        ("carrier", f"{host}{edge}; dialled {when}, rings at most {outbound.ring_timeout_s} s"),
        ("callbacks", config.server.public_url or "(no public URL)"),
        ("model", f"{realtime.model}, voice {agent.voice or realtime.voice}, dialect {realtime.dialect}"),
        ("opening", "greet: the agent speaks first" if setup.greets else "listen: the callee speaks first"),
        ("pad", f"{setup.pad_ms} ms of silence before the first word"),
        ("priming", "on" if setup.priming else "off"),
        ("machines", machine),
        ("prompt", f"about {static} tokens, and {prompt_tokens(wish.context)} of this call's context"),
        ("tools", tools),
    ]


# -- for real ---------------------------------------------------------------------------------


async def _ring(config: Config, wish: Wish, tell: Tell) -> int:
    _check_ready(config)
    # Whoever rings this number meanwhile hears that it is busy: this server is there for one call.
    config = attrs.evolve(config, server=attrs.evolve(config.server, max_calls=1))
    try:
        listeners = await bind(config.server)  # outside every nursery: its complaint arrives bare
    except ConfigError as exc:
        raise ConfigError(
            exc.key, f"{exc.why}; if it is llcphone serve, let it ring them: POST /calls"
        ) from None
    live = Live(tell, trio.current_time())
    async with AsyncExitStack() as stack:
        path = config.records.path
        keep = await stack.enter_async_context(open_record_file(path)) if path else None
        phone = await stack.enter_async_context(
            open_phone(config, wish.agent, on_record=keep, on_note=live.note)
        )
        nursery = await stack.enter_async_context(trio.open_nursery())
        door: Door = await nursery.start(partial(serve, phone, config, listeners=listeners), name="server")
        if phone.dialler is not None and config.outbound.do_not_call_file:
            await DoNotCallFile(config.outbound.do_not_call_file, phone.dialler.guard).refresh()
        record = await _call(phone, wish, live)
        await phone.drain()
        door.stop_accepting()
    if record is None:
        return 1
    for line in _summary(record):
        tell(line)
    return 0 if record.started_after_ms is not None and record.reason in _TALKED else 1


async def _call(phone: Phone, wish: Wish, live: Live) -> CallRecord | None:
    """The call from its birth to its record; None when it was refused."""
    try:
        call = phone.place_call(wish.to, wish.agent, context=wish.context, caller_id=wish.caller_id)
    except (DialRefused, NotAdmitted) as refused:
        live.say(str(refused))
        return None
    live.say("warming")
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, signals, call, live, name="signals")
            record = await call
            nursery.cancel_scope.cancel(reason="the call has ended")
    return record


async def _obey(signals: AsyncIterator[int], call: Call, live: Live) -> None:
    """First Ctrl-C: hang up after the agent's word. Second: now."""
    async for _ in signals:
        live.say("hanging up; once more ends it at once")
        call.hang_up()
        break
    async for _ in signals:
        call.end()


class Live:
    """Tells what happens in the call, each with the seconds since it began."""

    def __init__(self, tell: Tell, began_s: float) -> None:
        self._tell = tell
        self._began_s = began_s

    def say(self, text: str) -> None:
        """One line."""
        self._tell(f"{trio.current_time() - self._began_s:7.2f} s  {text}")

    def note(self, call: Call, note: Note) -> None:
        """A note of the engine, if a person wants to know it."""
        field = {name: str(value) for name, value in note.fields.items()}
        text = {
            "session ready": f"model ready after {field.get('took_ms')} ms",
            "model connect failed": f"model not reached: {field.get('code')}",
            "session refused": f"model refused the session: {field.get('code')}",
            "dialling": "dialling",
            "dialled": "Twilio has the call",
            "dial failed": f"Twilio refused to dial: {field.get('code')}",
            "carrier": _CARRIER.get(field.get("status", ""), field.get("status", "")),
            "answered by": f"answered by {field.get('who')}",
            "stream started": "on the line",
            "caller said": f"they:  {note.words}",
            "agent said": f"agent: {note.words}",
            "barge-in": "they interrupt",
            "tool": f"tool {field.get('name')}",
            "model error": f"model error: {field.get('code')}",
            "hanging up": "hanging up",
        }.get(note.kind)
        if text:
            self.say(text)


_CARRIER = {"initiated": "Twilio dials", "in-progress": "answered", "no-answer": "no answer"}
"""A status of Twilio in better words; the others are good enough."""


def _cost(record: CallRecord) -> str:
    if record.cost_usd is None:
        return "unknown: the price list does not name this model"
    uncounted = f", {record.unbilled_responses} cut off and not counted" if record.unbilled_responses else ""
    return f"about ${record.cost_usd:.4f} for the model{uncounted}"


def _summary(record: CallRecord) -> list[str]:
    """The record, for a person."""
    gaps = sorted(turn["answer_gap_ms"] for turn in record.turns if turn.get("answer_gap_ms") is not None)
    kinds = ("input_text", "input_audio", "output_text", "output_audio")
    tokens = sum(record.usage.get(kind, 0) for kind in kinds)
    lines = [
        f"ended: {record.reason.value}, after {record.duration_s:.1f} s",
        f"  turns      {len(record.turns)}, interrupted {record.barge_ins} times",
        f"  tokens     {tokens}, {record.cached_share:.0%} of the input cached",
        f"  cost       {_cost(record)}",
        f"  call       {record.call_id} {record.call_sid}".rstrip(),
    ]
    if gaps:
        lines.insert(2, f"  answers    median {gaps[len(gaps) // 2]} ms after they stopped")
    if record.failure:
        lines.append(f"  trouble    {record.failure}")
    return lines
