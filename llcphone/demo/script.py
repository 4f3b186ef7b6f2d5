"""The story of ``llcphone demo``: who calls whom, and what each of them says.

A caller asks a restaurant when it is open, interrupts the long answer, books a table and says good-bye. Then
the restaurant rings a guest who waits for a table, and another one whose line is busy.
The words are those of the recordings in ``llcphone.sim.voices``. The agent is an ordinary ``Agent``; the
model's side is a script of the simulated Realtime API and decides by what stands in its conversation; the
caller's side is a list of lines for the simulated telephone. Each side takes only its own part from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs
import msgspec
import trio

from llcphone.agent import Agent
from llcphone.sim import voices
from llcphone.sim.model import CallTool, ModelScript, Say
from llcphone.sim.wav import read_speech

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llcphone.sim.model.script import Chooser, Turn

BOOKING_WORK_S = 0.4
"""What the booking system takes: long enough to be seen, and audio must not notice."""

INTERRUPT_AFTER_S = 2.5
"""How much of the long answer the caller listens to."""

REACTION_MS = 600
"""A pause between two speakers, as people make it."""


# -- the agent: what a user of llcphone writes --------------------------------------------------------

Day = Literal["weekday", "saturday", "sunday"]

OPEN = {"weekday": "noon to nine", "saturday": "noon to eleven", "sunday": "noon to four"}


def make_agent() -> Agent:
    """Casa Verde's telephone: one tool that is offered at once, one later, and hanging up."""
    agent = Agent(
        "You answer the telephone of Casa Verde, a small restaurant. Be warm and brief. "
        "Never guess opening hours or tables: use the tools. "
        "When the caller is done, say good-bye and hang up.",
        name="casa-verde",
    )

    @agent.tool(lean=True)
    async def opening_hours(day: Day) -> str:
        """When the restaurant is open.

        Args:
            day: the kind of day.
        """
        return OPEN[day]

    @agent.tool
    async def book_table(guests: int, time: str) -> dict[str, Any]:
        """Book a table for tonight.

        Args:
            guests: how many will come.
            time: when, as 19:00.
        """
        await trio.sleep(BOOKING_WORK_S)
        return {"booked": True, "guests": guests, "time": time}

    agent.offer_hang_up()
    return agent


WAITING_LIST = (
    "You ring guests of Casa Verde, a small restaurant, who asked for a table. Let them speak first. "
    "Confirm their table in one sentence. When they are done, say good-bye and hang up."
)
CONTEXT = "This guest asked for a table for two tonight. There is one at seven."
"""What the placed call is about; static text comes before it, so that it can be cached."""


def make_calling_agent() -> Agent:
    """The agent that calls the guests."""
    agent = Agent(WAITING_LIST, name="casa-verde-calling")
    agent.offer_hang_up()
    return agent


# -- the caller -------------------------------------------------------------------------------------------


@attrs.frozen
class Line:
    """What the caller says next, and when."""

    speech: str
    """Name of a recording, or path of a file."""
    after_s: float | None = None
    """Speak after this much of the agent's voice; None: after the agent has finished."""

    def load(self) -> bytes:
        """The speech as raw 8 kHz µ-law."""
        return voices.load(self.speech) if self.speech in voices.CALLER else read_speech(self.speech)


STORY = (
    Line("hello_opening_hours"),
    Line("interrupt_wait", after_s=INTERRUPT_AFTER_S),
    Line("book_table"),
    Line("goodbye"),
)


GUEST, BUSY_GUEST = "+15551230010", "+15551230011"
"""Numbers as films have them: no telephone of this world rings."""

GUEST_SAYS = (Line("yes_please"), Line("goodbye"))
"""Of the guest who answers; the first of it on picking up."""


def own_lines(files: Sequence[Path]) -> tuple[Line, ...]:
    """The user's own recordings, each said when the agent has finished."""
    return tuple(Line(str(file)) for file in files)


# -- the model --------------------------------------------------------------------------------------------

TOOL_ARGUMENTS: dict[str, dict[str, Any]] = {
    "opening_hours": {"day": "weekday"},
    "book_table": {"guests": 2, "time": "19:00"},
}
TOOL_RESULTS: dict[str, Any] = {
    "opening_hours": OPEN["weekday"],
    "book_table": {"booked": True, **TOOL_ARGUMENTS["book_table"]},
}
"""What the model must learn from the tools."""

_AFTER_TOOL = {"opening_hours": "long_answer", "book_table": "booking_ok"}
_SMALL_TALK = ("hours", "sunday", "booking_ok")


def say(name: str) -> Say:
    """A recording of the agent's voice with its words."""
    return Say(voices.TEXTS[name], voices.load(name))


def story_script() -> ModelScript:
    """The model's side of the story."""
    answers: list[Turn] = [
        say("greeting"),
        CallTool("opening_hours", TOOL_ARGUMENTS["opening_hours"]),
        say("sunday"),
        CallTool("book_table", TOOL_ARGUMENTS["book_table"]),
        [say("farewell"), CallTool("hang_up")],
    ]
    return ModelScript(_replies(answers), hears=tuple(voices.CALLER[line.speech] for line in STORY))


def calling_script() -> ModelScript:
    """The model's side of the placed call; were it asked to greet, everybody would hear it."""
    answers: list[Turn] = [say("greeting"), say("booking_ok"), [say("farewell"), CallTool("hang_up")]]
    return ModelScript(_replies(answers), hears=tuple(voices.CALLER[line.speech] for line in GUEST_SAYS))


def own_script(files: Sequence[Path]) -> ModelScript:
    """Small talk: nothing here understands the user's recordings, so every one gets some answer."""
    answers: list[Turn] = [say("greeting")]
    answers += [say(_SMALL_TALK[number % len(_SMALL_TALK)]) for number in range(len(files))]
    return ModelScript(_replies(answers), hears=tuple(f"({file.name})" for file in files))


def _replies(answers: Sequence[Turn]) -> Chooser:
    """Answer by how often the caller has spoken, and a tool's answer by which tool it was."""

    def reply(turn: int, conversation: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Turn:
        last = conversation[-1] if conversation else {}
        if last.get("type") == "function_call_output":
            names = {
                item["call_id"]: item["name"] for item in conversation if item["type"] == "function_call"
            }
            return say(_AFTER_TOOL[names[last["call_id"]]])
        return answers[min(times_spoken(conversation), len(answers) - 1)]

    return reply


def times_spoken(conversation: Sequence[dict[str, Any]]) -> int:
    """How often the caller has spoken.

    A session that replaces a lost one has as text what was said before; text ahead of the agent's first words
    is the cue for the greeting.
    """
    first = next((at for at, item in enumerate(conversation) if item.get("role") == "assistant"), None)
    return sum(
        part["type"] == "input_audio" or (first is not None and at > first)
        for at, item in enumerate(conversation)
        if item.get("role") == "user"
        for part in item["content"]
    )


def same_result(output: str, expected: Any) -> bool:
    """Whether a tool's answer, as the model got it, says what it should."""
    try:
        return bool(msgspec.json.decode(output) == expected)
    except msgspec.DecodeError:
        return bool(output == expected)
