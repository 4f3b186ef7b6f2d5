"""A call that ``llcphone call`` places itself: a phone and its server, opened for this one call."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.engine.events import EndReason
from llcphone.errors import ConfigError, DialRefused, NotAdmitted
from llcphone.phone.do_not_call import DoNotCallFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llcphone.agent import Agent
    from llcphone.call.call import Call
    from llcphone.call.record import CallRecord
    from llcphone.config import Config
    from llcphone.engine.note import Note
    from llcphone.server.listener import PublicListener

    Tell = Callable[[str], None]

_TALKED = frozenset({EndReason.CALLER_HUNG_UP, EndReason.AGENT_HUNG_UP, EndReason.TIME_LIMIT, EndReason.IDLE})
_TALKED |= {EndReason.TRANSFERRED}
"""Ends of a call that went well, once the media stream had started."""


def check_ready(config: Config) -> None:
    """Raise the ConfigError of the first setting without which no call can be placed."""
    config.check_ready_to_serve()
    if not config.twilio.account_sid:
        raise ConfigError(
            "twilio.account_sid", "TWILIO_ACCOUNT_SID is not set", "copy it from Twilio's console"
        )
    if not config.twilio.phone_number and not config.outbound.caller_ids:
        raise ConfigError(
            "twilio.phone_number", "TWILIO_PHONE_NUMBER is not set: calls come from it", "set it in .env"
        )


async def ring(
    config: Config,
    to: str,
    agent: Agent,
    *,
    context: str,
    caller_id: str,
    tell: Tell,
    outcome: dict[str, Any],
) -> int:
    """Place the call from this process; the command's exit code. ``outcome`` gets the record."""
    # A dry run, or a call that the running server places, needs neither of them.
    from llcphone.phone.open import open_phone
    from llcphone.server.run import bind, serve

    check_ready(config)
    # Other callers of this number hear a busy tone meanwhile: this server is there for one call.
    config = attrs.evolve(config, server=attrs.evolve(config.server, max_calls=1))
    listeners = await bind(config.server)  # outside every nursery: its complaint arrives bare
    live = Live(tell, trio.current_time())
    async with open_phone(config, agent, on_note=live.note) as phone, trio.open_nursery() as nursery:
        listener: PublicListener = await nursery.start(
            partial(serve, phone, config, listeners=listeners), name="server"
        )
        if phone.dialler is not None and config.outbound.do_not_call_file:
            await DoNotCallFile(config.outbound.do_not_call_file, phone.dialler.guard).refresh()
        record = await _call(partial(phone.place_call, to, agent, context=context, caller_id=caller_id), live)
        await phone.drain()
        listener.stop_accepting()
    if record is None:
        return 1
    outcome |= {"call": record.call_id, "call_sid": record.call_sid, "reason": record.reason.value}
    outcome |= {"duration_s": record.duration_s, "cost_usd": record.cost_usd, "failure": record.failure}
    for line in _summary(record):
        tell(line)
    return 0 if record.started_after_ms is not None and record.reason in _TALKED else 1


async def _call(place: Callable[[], Call], live: Live) -> CallRecord | None:
    """The call from its birth to its record; None when it was refused."""
    try:
        call = place()
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
    """Reports what happens in the call, with the seconds since it began."""

    def __init__(self, tell: Tell, began_s: float) -> None:
        self._tell = tell
        self._began_s = began_s

    def say(self, text: str) -> None:
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
            "dial failed": not_dialled(field.get("code", "")),
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


def not_dialled(code: str) -> str:
    """Why no call was placed: Twilio refused it, or was not asked."""
    if code in _NOT_ASKED:
        return f"not dialled: Twilio was not reached [{code}]. Fix: check the network and twilio.api_url"
    return f"Twilio refused to dial [{code}]"


_NOT_ASKED = frozenset({"no_connection", "tls", "no_answer"})
_CARRIER = {"initiated": "Twilio dials", "in-progress": "answered", "no-answer": "no answer"}
"""A status of Twilio in better words; the others are good enough."""


def _cost(record: CallRecord) -> str:
    if record.cost_usd is None:
        return "unknown: the price list does not name this model"
    uncounted = f", {record.unbilled_responses} cut off and not counted" if record.unbilled_responses else ""
    return f"about ${record.cost_usd:.4f} for the model{uncounted}"


def _summary(record: CallRecord) -> list[str]:
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
