"""``llcphone demo --mode``: one call to a mode, with your company, routes and prompts, and no account.

The vendors are simulated, and the model with them: it says the greeting it was briefed with, and uses the
tools it was given as the scene wants it. So changed routes, hours, desks and greetings are heard; how a real
model would talk, it cannot show. With espeak-ng on this machine the words are spoken, else it babbles.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.agent_file import load_agent
from llcphone.modes import routed
from llcphone.rehearsal import Stage, rehearsal_config, rehearse
from llcphone.sim import voices
from llcphone.sim.model import CallTool, ModelScript, Pace, Say
from llcphone.sim.phone import Callee, CallOver, DialOutcome
from llcphone.sim.wav import read_speech

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.config import Config
    from llcphone.sim.phone import SimCall
    from llcphone.store import Store

CALLER = "+15551230001"
MADE_UP = {"ivr": "+15551230003", "csr": "+15551230004", "receptionist": "+15551230005"}
"""Numbers as films have them, for modes to which none of yours leads."""
SHOWN = ("company", "routes", "transfers", "ivr", "turns", "tools")
"""Sections of your settings that the demo takes over."""
LINES = ("book_table", "yes_please", "goodbye")
"""What the caller says, each when the agent has finished."""
REASON = "Wants a table for two, tonight at seven."
LIMIT_S = 120.0
_HEARS_S = 6.0
_WEEK = {day: [("09:00", "17:00")] for day in range(7)}

Json = dict[str, Any]


async def demo_mode(
    config: Config, mode: str, out: Path, tell: Callable[[str], None], *, dial: str = ""
) -> int:
    """Ring one mode, and tell how it went; 0 if the call came to a good end.

    Args:
        config: the user's settings; accounts and addresses in it are not used.
        mode: ``ivr``, ``receptionist`` or ``csr``.
        out: folder for ``call-<agent>.wav``.
        tell: takes lines.
        dial: which number is rung; empty: one that leads to the mode.
    """
    number = dial or next((each for each, who in config.routes.table.items() if who == mode), "")
    tables = {name: table for name, table in config.to_dict(secrets=True).items() if name in SHOWN}
    if not number:
        number = MADE_UP[mode]
        tables["routes"][mode] = [number]
    if not tables["transfers"]["destinations"]:
        example = {"sales": {"number": "+15550100001"}, "support": {"number": "+15550100002"}}
        tables["transfers"]["destinations"] = example
    with tempfile.TemporaryDirectory() as folder:
        tables["store"] = {"url": f"sqlite:///{folder}/phone.db"}
        choice = routed(rehearsal_config("ws://127.0.0.1:9/", tables), load_agent)
        agent = choice({"To": number}).name
        tell(f"{number} is rung: {agent} answers")
        actor = Actor()
        async with rehearse(
            choice,
            script=ModelScript(actor.reply, hears=[voices.CALLER[line] for line in LINES]),
            pace=Pace(first_audio_ms=200),
            callee=Callee(),
            dial_outcome=DialOutcome(ring_s=1.0, talk_s=2.0),
            settings={**tables, "realtime": {"transcription_model": "gpt-4o-transcribe"}},
        ) as stage:
            actor.stage = stage
            store = stage.phone.store
            assert store is not None
            return await Scene(stage, store, agent, out, tell).hold(number)


@attrs.define(eq=False)
class Actor:
    """The simulated model's side: what it does follows from what it was told last."""

    stage: Stage | None = None

    def reply(self, turn: int, past: list[Json], tools: list[Json]) -> Any:
        """The next turn."""
        names = {tool["name"] for tool in tools}
        calls = {item["call_id"]: item for item in past if item["type"] == "function_call"}
        last, spoken = (
            past[-1] if past else {},
            sum("input_audio" in str(item.get("content")) for item in past),
        )
        if turn == 1:
            return say(self._greeting())
        if last.get("type") == "function_call_output" and not last["call_id"].startswith("told"):
            asked = calls[last["call_id"]]
            return _after(asked["name"], json.loads(asked["arguments"]), _read(last["output"]))
        if spoken == 1:
            return _first(names)
        booked = [item for item in calls.values() if item["name"] == "book_appointment"]
        if spoken == 2 and booked:
            return CallTool("book_appointment", json.loads(booked[-1]["arguments"]))
        if spoken == 2 and "take_message" in names:
            wish = {"name": "Ada", "reason": REASON, "urgency": "normal"}
            return CallTool("take_message", wish)
        return [
            say("Thank you for calling. Good-bye."),
            *([CallTool("hang_up")] if "hang_up" in names else []),
        ]

    def _greeting(self) -> str:
        session = self.stage.model.sessions[-1] if self.stage is not None else None
        prompt = str(session.config["instructions"]) if session is not None else ""
        return prompt.rpartition("Greeting: ")[2].splitlines()[0] if "Greeting: " in prompt else "Hello!"


def _first(names: set[str]) -> Any:
    """What it does when the caller has said what they want."""
    if "book_appointment" in names:
        tomorrow = datetime.date.today() + datetime.timedelta(days=1)
        return CallTool("check_availability", {"day": tomorrow.isoformat()})
    if "check_availability" in names:
        return CallTool("check_availability", {"person_or_department": "sales"})
    return CallTool("transfer_call", {"destination": "sales", "reason": REASON})


def _after(tool: str, arguments: Json, answer: Any) -> Any:
    """What it does with a tool's answer."""
    match tool, answer:
        case "check_availability", {"free": [first, *_]}:
            wish = {"day": arguments["day"], "time": f"{first}:00", "what": "a table for two", "name": "Ada"}
            return CallTool("book_appointment", wish)
        case "check_availability", {"free": []}:
            return say("I am sorry, nothing is free tomorrow.")
        case "check_availability", {"available": True, "destination": name}:
            return CallTool("transfer_call", {"destination": name, "reason": REASON})
        case "check_availability", {"hours": times}:
            return say(f"They are {times}. May I take a message?")
        case "book_appointment", {"read_back": what}:
            return say(f"{what}. Is that right?")
        case "book_appointment", {"saved": True, "when": when}:
            note = {"text": REASON, "outcome": "booked"}
            return [say(f"It is booked: {when}."), CallTool("add_call_note", note)]
        case "transfer_call", {"ok": True}:
            return say("I put you through. Good-bye.")
        case "take_message", {"saved": True}:
            return say("I have noted that, and somebody will call you back.")
        case _:
            return say("I am sorry, I cannot do that. May I take a message?")


def _read(output: str) -> Any:
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        return output


@cache
def say(text: str) -> Say:
    """Words with their sound: spoken where this machine can, else babble as long as they are."""
    if (espeak := shutil.which("espeak-ng")) is None:
        return Say(text)
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "spoken.wav"
        spoken = subprocess.run([espeak, "-v", "en-gb+f3", "-w", str(wav), text], check=False)
        return Say(text, read_speech(wav)) if spoken.returncode == 0 else Say(text)


@attrs.frozen
class Scene:
    """One call to a mode."""

    stage: Stage
    store: Store
    agent: str
    out: Path
    tell: Callable[[str], None]

    async def hold(self, number: str) -> int:
        """Ring, speak, and tell what came of it."""
        await self.store.set_hours(_WEEK, timezone=self.stage.config.company.time_zone)
        await self.store.add_customer("Ada Lovelace", CALLER)
        with trio.move_on_after(LIMIT_S):
            call = await self.stage.ring(to=number, from_=CALLER)
            with contextlib.suppress(CallOver):  # put through, or the agent has hung up
                for line in LINES:
                    await self._speak(call, line)
            with trio.move_on_after(_HEARS_S):
                await self.stage.record()
            if not self.stage.records:
                call.hang_up()
            record = await self.stage.record()
            ended = await call.ended()
            self.out.mkdir(parents=True, exist_ok=True)
            call.write_wav(self.out / f"call-{self.agent}.wav")
            for each in record.transcript:
                self.tell(f"  {each['speaker']:>6}  {each['text']}")
            for tool in record.tools:
                self.tell(
                    f"    tool  {tool['name']}: {'done' if tool['ok'] else 'failed'}, {tool['took_ms']} ms"
                )
            self.tell(f"  rung    {', '.join(self._names(ended.joined)) or 'nobody'}")
            await self._kept(record.call_id)
            self.tell(f"  ended   {record.reason.value}; listen: {self.out / f'call-{self.agent}.wav'}")
            return 0
        self.tell("  the call did not end in time")
        return 1

    async def _speak(self, call: SimCall, line: str) -> None:
        """Say something once the agent has finished, unless the call has gone elsewhere."""
        with trio.move_on_after(_HEARS_S):
            await call.hears(0.3)
        if not self.stage.records:
            await call.silence_for(900)
        if not self.stage.records:
            await call.speak(voices.load(line))

    def _names(self, numbers: list[str]) -> list[str]:
        known = self.stage.config.transfers.destinations
        return [name for name, table in known.items() if table["number"] in numbers]

    async def _kept(self, call_id: str) -> None:
        with trio.move_on_after(3):
            while (kept := await self.store.call(call_id)) is None:  # noqa: ASYNC110 (a thread writes it)
                await trio.sleep(0.05)
            for message in kept.messages:
                self.tell(f"  kept    a message, {message.urgency}: {message.reason}")
            for note in kept.notes:
                self.tell(f"  kept    a note, {note.outcome}: {note.text}")
        if (customer := await self.store.find_customer(CALLER)) is not None:
            for each in await self.store.appointments(customer.id):
                self.tell(f"  kept    an appointment: {each.starts_at:%d %B, %H:%M}, {each.what}")
