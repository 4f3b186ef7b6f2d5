"""``llcphone demo --mode``: one call to a mode, with your company, routes and prompts, and no account.

The vendors are simulated, and the model with them (``mode_story`` says what it does): changed routes, hours,
desks and greetings are heard; how a real model would talk, it cannot show.
"""

from __future__ import annotations

import contextlib
import datetime
import tempfile
from typing import TYPE_CHECKING, Any

import attrs
import trio
from rich.console import Console

from llcphone.demo.call import DemoCall, draw
from llcphone.demo.facts import Facts
from llcphone.demo.listening_in import play_live
from llcphone.demo.mode_story import NAME, REMINDED, REMINDER, SHOP, Actor, Story, choose_story, speak
from llcphone.demo.mode_words import ENGLISH, voice_of, words_in
from llcphone.demo.view import CallView
from llcphone.languages import NAMES, OWN, shipped
from llcphone.modes import routed
from llcphone.modes.agent_file import load_agent
from llcphone.runtime.time_zones import zone_of
from llcphone.sim import voices
from llcphone.sim.model import SILENCE_MS, ModelScript, Pace
from llcphone.sim.twilio import Callee, CallOver, DialOutcome
from llcphone.testing import Rehearsal, rehearsal_config, rehearse

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.agent import Agent
    from llcphone.call.record import CallRecord
    from llcphone.config import Config
    from llcphone.sim.twilio import SimCall
    from llcphone.store import Store

CALLER = "+15551230001"
MADE_UP = {"ivr": "+15551230003", "csr": "+15551230004", "receptionist": "+15551230005"}
"""Numbers as films have them, for modes to which none of yours leads."""
SCENARIO = "confirmation"
"""Which of the outbound scenarios ``--mode outbound`` shows."""
SHOWN = ("company", "routes", "transfers", "ivr", "turns", "tools")
"""Sections of your settings that the demo takes over."""
PACE = Pace(first_audio_ms=200, silence_ms={**SILENCE_MS, "high": 600})
"""A detector that understands words does not take the pause after "Hello." for the end of a question."""
LIMIT_S = 120.0
_HEARS_S = 6.0
WEEK = {day: [("09:00", "17:00")] for day in range(7)}


async def show_mode(
    config: Config,
    mode: str,
    out: Path,
    console: Console,
    player: tuple[str, ...] = (),
    *,
    dial: str = "",
    quiet: bool = False,
) -> Path | None:
    """Hold the call, show and play it while it runs; returns its WAV, None if it did not end in time."""
    number = dial or next((each for each, who in config.routes.table.items() if who == mode), "")
    number = number or MADE_UP.get(mode, "")
    tables = mode_settings(config, mode, number)
    words = words_in(config.company.language)
    own_company = tables["company"]["name"] != SHOP["name"]
    view = CallView(Console(quiet=True) if quiet else console)
    with tempfile.TemporaryDirectory() as folder:
        tables["store"] = {"url": f"sqlite:///{folder}/phone.db"}
        choice = routed(rehearsal_config("ws://127.0.0.1:9/", tables), load_agent)
        if mode == "outbound" and not dial:
            agent, story = choice.by_name[SCENARIO], REMINDED
            view.say(f"{tables['company']['name']} rings a customer: {agent.name} speaks")
        else:
            agent = choice({"To": number})
            desks = list(tables["transfers"]["destinations"])
            story = choose_story(agent.tools, desks, own_company=own_company)
            view.say(f"{number} is rung: {agent.name} answers")
        shown, actor = DemoCall(Facts()), Actor(story, lambda: _prompt(stage), _today(config), config.company)
        async with rehearse(
            choice,
            script=ModelScript(actor.reply, hears=[words[line] for line in story.lines]),
            pace=PACE,
            callee=Callee(ring_s=1.0),
            dial_outcome=DialOutcome(ring_s=1.0, talk_s=2.0),
            settings={**tables, "realtime": {"transcription_model": "gpt-4o-transcribe"}},
            on_note=shown.note,
        ) as stage:
            store = stage.phone.store
            assert store is not None
            held = ModeCall(stage, store, agent, story, shown, view, player)
            with trio.move_on_after(LIMIT_S):
                wav = await held.hold(number, out)
                await held.show_outcome(console)
                _show_hums(console, actor.hummed)
                console.print(f"  listen  {wav}", soft_wrap=True)
                return wav
    console.print("  the call did not end in time")
    return None


def mode_settings(config: Config, mode: str, number: str = "") -> dict[str, Any]:
    """The user's settings, with examples where there are none."""
    tables = {name: table for name, table in config.to_dict(secrets=True).items() if name in SHOWN}
    for key in (name for name in NAMES if not name.startswith(OWN)):  # the sentences of every section
        section, _, name = key.partition(".")
        tables.setdefault(section, {})[name] = config.value(key)
    words, in_english = shipped(config.company.language), words_in(config.company.language) is ENGLISH
    if number and number == MADE_UP.get(mode):
        tables["routes"][mode] = [number]
    if not tables["transfers"]["destinations"]:
        example = {"sales": {"number": "+15550100001"}, "support": {"number": "+15550100002"}}
        tables["transfers"]["destinations"] = example
    if config.company.name == words.get("company.name") and not config.company.greeting:
        tables["company"] |= SHOP if in_english else {"name": SHOP["name"]}
    return tables


def _prompt(stage: Rehearsal) -> str:
    return str(stage.model.sessions[-1].config["instructions"])


def _today(config: Config) -> datetime.date:
    return datetime.datetime.now(zone_of(config.company.time_zone, "company.time_zone")).date()


def _show_hums(console: Console, hummed: set[str]) -> None:
    """A hum in the recording is explained."""
    if hummed:
        sentences = "1 sentence of yours is" if len(hummed) == 1 else f"{len(hummed)} sentences of yours are"
        console.print(f"  note    {sentences} a hum in the recording; with espeak-ng here, they are spoken")


@attrs.frozen
class ModeCall:
    """One call with a mode."""

    stage: Rehearsal
    store: Store
    agent: Agent
    story: Story
    shown: DemoCall
    view: CallView
    player: tuple[str, ...]

    async def hold(self, number: str, out: Path) -> Path:
        """Hold the call to its end, drawing it; returns its WAV."""
        await self.store.set_hours(WEEK, timezone=self.stage.config.company.time_zone)
        await self.store.add_customer(NAME, CALLER)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._draw, name="view")
            call = await (self._rung() if self.story.places_call else self._ring(number))
            async with play_live(call, self.player, self.view.say):
                with contextlib.suppress(CallOver):  # put through, or the agent has hung up
                    for line in self.story.lines:
                        await self._speak(call, line)
                with trio.move_on_after(_HEARS_S):
                    await self.stage.record()
                if not self.stage.records:
                    call.hang_up()
                await self.stage.record()
                await call.ended()
            nursery.cancel_scope.cancel(reason="over")
        return self._write(call, out)

    def _write(self, call: SimCall, out: Path) -> Path:
        out.mkdir(parents=True, exist_ok=True)
        wav = out / f"call-{self.agent.name}.wav"
        call.write_wav(wav)
        return wav

    async def show_outcome(self, console: Console) -> None:
        """What came of it."""
        record, call = self.stage.records[0], self.stage.twilio.calls[-1]
        ended = await call.ended()
        console.print()
        for line in await self._kept(record):
            console.print(f"  kept    {line}")
        to = f" to {', '.join(joined)}" if (joined := self._names(ended.joined)) else ""
        console.print(f"  ended   {record.reason.value}{to}")

    async def _ring(self, number: str) -> SimCall:
        return await self.stage.ring(to=number, from_=CALLER)

    async def _rung(self) -> SimCall:
        """The server dials; the person called answers."""
        self.stage.phone.place_call(CALLER, self.agent, context=REMINDER)
        call = await self.stage.twilio.outbound()
        await call.stream_started()
        await call.speak(self._sound(self.story.lines[0]))
        return call

    async def _speak(self, call: SimCall, line: str) -> None:
        """Say something once the agent has finished, unless the call has gone elsewhere."""
        if self.story.places_call and line == self.story.lines[0]:
            return  # said on picking up
        with trio.move_on_after(_HEARS_S):
            await call.hears(0.3)
        if not self.stage.records:
            await call.silence_for(900)
        if not self.stage.records:
            await call.speak(self._sound(line))

    def _sound(self, line: str) -> bytes:
        """What the person says; where nothing here speaks their language, the English recording."""
        language = self.stage.config.company.language
        words = words_in(language)
        said = None if words is ENGLISH else speak(words[line], voice_of(language)).audio
        return said if isinstance(said, bytes) else voices.load(line)

    async def _draw(self) -> None:
        with self.view.open():
            await draw(self.view, lambda: self.shown)

    def _names(self, numbers: list[str]) -> list[str]:
        known = self.stage.config.transfers.destinations
        return [name for name, table in known.items() if table["number"] in numbers]

    async def _kept(self, record: CallRecord) -> list[str]:
        """What is in the store now."""
        lines: list[str] = []
        with trio.move_on_after(3):
            while (kept := await self.store.call(record.call_id)) is None:  # noqa: ASYNC110 (a thread writes)
                await trio.sleep(0.05)
            lines += [f"a message, {message.urgency}: {message.reason}" for message in kept.messages]
            lines += [f"a note, {note.outcome}: {note.text}" for note in kept.notes]
        if (customer := await self.store.find_customer(CALLER)) is not None:
            for each in await self.store.appointments(customer.id):
                lines.append(f"an appointment: {each.starts_at:%d %B, %H:%M}, {each.what}")
        return lines
