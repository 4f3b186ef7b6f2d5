"""What happens in a call to a mode: what the person wants, and what the simulated model makes of it.

The model says the greeting it was briefed with, and uses the tools it was given as the story wants it: so
changed routes, hours, desks and greetings are heard. What it says are recordings, where there is one: the
words of a bicycle shop, which the house is when no settings name a company. For other words espeak-ng speaks,
or, where that is not installed, a hum stands.
"""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.config.company import CompanyConfig
from llcphone.demo.mode_words import voice_of, words_in
from llcphone.demo.script import times_spoken
from llcphone.sim import voices
from llcphone.sim.model import CallTool, Say
from llcphone.sim.wav import read_speech

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llcphone.sim.model.script import Turn

Json = dict[str, Any]

SHOP: dict[str, Any] = {"name": "Harbour Bicycles", "greeting": voices.AGENT["shop_greeting"]}
"""The company of the demo, when the settings name none; the greeting is English."""
REMINDER = "Remind them of their bicycle service tomorrow at nine in the morning, and ask if they can come."
"""What the call we place is about."""
NAME = "Adam Bell"
"""The caller, as in the records."""
_WORDS = {words: name for name, words in voices.AGENT.items()}
_DAYS = 7
"""The number of days that are asked for a free time."""


@attrs.frozen
class Story:
    """One person's call."""

    lines: tuple[str, ...]
    """Recordings of what they say, each when the agent has finished."""
    reason: str
    """What they want, as a person would note it."""
    destination: str = ""
    """Whom they are put through to."""
    what: str = "an appointment"
    """What they make an appointment for."""
    places_call: bool = False


def choose_story(tools: Iterable[str], destinations: list[str], *, own_company: bool) -> Story:
    """What fits the agent's tools and the company.

    Args:
        tools: names of what the agent can do.
        destinations: whom it can put callers through to.
        own_company: the settings name a company, so the caller does not ask it for bicycles.
    """
    if "book_appointment" in tools:
        line, what = "next_free_time", "a bicycle service"
        if own_company:
            line, what = "appointment_please", "an appointment"
        return Story((line, "yes_please", "goodbye"), f"Wants {what} at the next free time.", what=what)
    line, wish, reason = "buy_bicycles", "sales", "Wants to buy two bicycles."
    if "check_availability" not in tools:
        line, wish, reason = "brakes_fail", "support", "The brakes of a new bicycle do not work."
    if own_company or wish not in destinations:
        line, wish, reason = "somebody_please", next(iter(destinations), ""), "Wants to speak to somebody."
    return Story((line, "yes_please", "goodbye"), reason, wish)


REMINDED = Story(("hello", "will_be_there"), "Reminded of tomorrow at nine.", places_call=True)


@attrs.define(eq=False)
class Actor:
    """The simulated model's side: what it does follows from what it received last."""

    story: Story
    prompt: Callable[[], str]
    """The instructions of the live session."""
    today: datetime.date
    company: CompanyConfig = attrs.field(factory=CompanyConfig)
    """Whose language is spoken."""
    hummed: set[str] = attrs.field(factory=set)
    """What it said that is not recorded and that nothing here can speak."""

    def reply(self, turn: int, past: list[Json], tools: list[Json]) -> Turn:
        """The next turn."""
        names = {tool["name"] for tool in tools}
        calls = {item["call_id"]: item for item in past if item["type"] == "function_call"}
        spoken = times_spoken(past)
        last = past[-1] if past else {}
        if last.get("type") == "function_call_output" and not last["call_id"].startswith("told"):
            asked = calls[last["call_id"]]
            return self._after(asked["name"], json.loads(asked["arguments"]), _read(last["output"]))
        if self.story.places_call:
            return self._remind(spoken, names)
        if spoken == 0:
            return self.say(self._greeting())
        if spoken == 1:
            return self._first(names)
        booked = [item for item in calls.values() if item["name"] == "book_appointment"]
        if spoken == 2 and booked:
            return CallTool("book_appointment", json.loads(booked[-1]["arguments"]))
        if spoken == 2 and "take_message" in names:
            wish = {"name": NAME, "reason": self.story.reason, "urgency": "normal"}
            return CallTool("take_message", wish)
        return self._end(names, "thanks")

    def say(self, text: str) -> Say:
        """Words with their sound."""
        said = speak(text, voice_of(self.company.language))
        if said.audio is None:
            self.hummed.add(text)
        return said

    def _recorded(self, name: str) -> Say:
        return self.say(self._words[name])

    @property
    def _words(self) -> Mapping[str, str]:
        return words_in(self.company.language)

    def _end(self, names: set[str], farewell: str) -> Turn:
        return [self._recorded(farewell), *([CallTool("hang_up")] if "hang_up" in names else [])]

    def _greeting(self) -> str:
        prompt, mark = self.prompt(), self.company.sentence("brief_greeting").partition("{greeting}")[0]
        return prompt.rpartition(mark)[2].splitlines()[0] if mark in prompt else self._words["hello"]

    def _remind(self, spoken: int, names: set[str]) -> Turn:
        if spoken < 2:
            return self._recorded("shop_reminder")
        note = CallTool("add_call_note", {"text": self.story.reason, "outcome": "confirmed"})
        ending = self._end(names, "see_you_tomorrow")
        return [note, *ending] if "add_call_note" in names and isinstance(ending, list) else ending

    def _first(self, names: set[str]) -> Turn:
        """What it does when the caller has said what they want."""
        if "book_appointment" in names:
            return self._ask_for(1)
        if "check_availability" in names:
            return CallTool("check_availability", {"person_or_department": self.story.destination})
        wish = {"destination": self.story.destination, "reason": self.story.reason}
        return CallTool("transfer_call", wish)

    def _ask_for(self, days_ahead: int) -> CallTool:
        day = self.today + datetime.timedelta(days=days_ahead)
        return CallTool("check_availability", {"day": day.isoformat()})

    def _after(self, tool: str, arguments: Json, answer: Any) -> Turn:
        """What it does with a tool's answer."""
        match tool, answer:
            case "check_availability", {"free": [first, *_]}:
                wish = {"day": arguments["day"], "time": f"{first}:00", "what": self.story.what, "name": NAME}
                return CallTool("book_appointment", wish)
            case "check_availability", {"free": []}:
                ahead = (datetime.date.fromisoformat(arguments["day"]) - self.today).days + 1
                return self._ask_for(ahead) if ahead <= _DAYS else self._recorded("cannot_do_that")
            case "check_availability", {"available": True, "destination": name}:
                return CallTool("transfer_call", {"destination": name, "reason": self.story.reason})
            case "check_availability", {"hours": _}:
                return self._recorded("nobody_there")
            case "book_appointment", {"read_back": what}:
                if self._tomorrow_at_nine(arguments):
                    return self._recorded("free_at_nine")
                return self.say(self._words["free_at"].format(what=what))
            case "book_appointment", {"saved": True, "when": when}:
                tomorrow = self._tomorrow_at_nine(arguments)
                booked = self._words["booked_at"].format(when=when)
                done = self._recorded("booked_at_nine") if tomorrow else self.say(booked)
                return [done, CallTool("add_call_note", {"text": self.story.reason, "outcome": "booked"})]
            case "transfer_call", {"ok": True}:
                by_line = {"buy_bicycles": "to_sales", "brakes_fail": "to_support"}
                return self._recorded(by_line.get(self.story.lines[0], "put_through"))
            case "take_message", {"saved": True}:
                return self._recorded("message_taken")
            case _:
                return self._recorded("cannot_do_that")

    def _tomorrow_at_nine(self, wish: Json) -> bool:
        tomorrow = self.today + datetime.timedelta(days=1)
        return bool(wish["day"] == tomorrow.isoformat() and wish["time"] == "09:00:00")


def _read(output: str) -> Any:
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        return output


@cache
def speak(text: str, voice: str) -> Say:
    """Words with their sound: recorded ahead, else spoken where this machine can, else without."""
    if (name := _WORDS.get(text)) is not None:
        return Say(text, voices.load(name))
    if (espeak := shutil.which("espeak-ng")) is None:
        return Say(text)
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "spoken.wav"
        spoken = subprocess.run([espeak, "-v", f"{voice}+f3", "-s", "150", "-w", str(wav), text], check=False)
        return Say(text, read_speech(wav)) if spoken.returncode == 0 else Say(text)
