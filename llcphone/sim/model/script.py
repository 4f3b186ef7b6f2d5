"""What the simulated model will say, turn by turn.

A script is consumed by the responses of the default conversation, one turn each; every connection reads it
from its beginning. A turn is one step or several: two ``Say`` are two items of one response, as 2.x models
send them. A turn can also be a plain string, or empty: a response of no items.

    ModelScript([
        "Good morning! How can I help?",
        [Say("One moment."), CallTool("opening_hours", {"day": "sunday"})],
        [Say("We are open from nine to five.", audio=Path("hours.ulaw"))],
    ])

Instead of a list, a callable decides at run time, for example by what a tool answered:

    def reply(turn_number, conversation, tools):
        last = conversation[-1]
        return [Say("Done.")] if last["type"] == "function_call_output" else [CallTool("book", {})]

One instruction is understood without a script, because a real model would obey it: to say something word
for word. It uses up no turn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from pathlib import Path


@attrs.frozen
class Say:
    """A message item: words and their sound."""

    text: str
    audio: bytes | int | Path | str | None = attrs.field(default=None, repr=False)
    """Raw µ-law bytes, a ``.ulaw`` or ``.wav`` file, or this many ms of babble; None: as long as the text."""


@attrs.frozen
class Write:
    """A message item in text, whatever the session asks for: no sound comes of it."""

    text: str


@attrs.frozen
class CallTool:
    """A function_call item. A model cannot call a tool it was not given, so neither does the script,
    unless ``hallucinated``."""

    name: str
    arguments: dict[str, Any] | str = attrs.field(factory=dict)
    """An object, or the raw text of one (to send broken JSON)."""
    call_id: str | None = None
    hallucinated: bool = False
    cut: bool = False
    """The arguments break off in the middle, and the item stays open: an ``Incomplete`` ends it."""

    @property
    def raw_arguments(self) -> str:
        """The arguments as they go over the wire."""
        raw = self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)
        return raw[: len(raw) // 2] if self.cut else raw


@attrs.frozen
class Silence:
    """A pause in the middle of an answer; an item in progress stays open."""

    ms: int


@attrs.frozen
class Stall:
    """The response never continues. Cancelling it works."""


@attrs.frozen
class Fail:
    """The response ends as failed, by default without an ``error`` event."""

    code: str = "server_error"
    message: str = "The server had an error while processing your request."
    type: str = "server_error"
    with_error_event: bool = False


@attrs.frozen
class Event:
    """Any event in the middle of an answer, sent as it is: an odd error, an unknown type."""

    body: dict[str, Any]
    """With its ``type``; ``$response`` and ``$item`` stand for the ids of the present ones."""


@attrs.frozen
class Incomplete:
    """The response ends early: ``max_output_tokens`` or ``content_filter``; its last item too."""

    reason: str = "max_output_tokens"


@attrs.frozen
class Cancel:
    """The server cancels its own response, whatever the caller does."""

    reason: str = "turn_detected"


Step = Say | Write | CallTool | Event | Silence | Stall | Fail | Incomplete | Cancel
Turn = str | Step | Sequence["str | Step"]
Chooser = Callable[[int, list[dict[str, Any]], list[dict[str, Any]]], Turn]
"""``(turn_number, conversation, tools) -> turn``: turns count from 1, items and tools are GA-shaped."""


_WORD_FOR_WORD = re.compile(
    r"(word for word|Wort für Wort|mot pour mot|palabra por palabra|palavra por palavra)[^:]*: (?P<text>.+)",
    re.IGNORECASE | re.DOTALL,
)


def words_to_say(instruction: str) -> str:
    """What the model is to say word for word, which follows a colon; empty: it is asked something else."""
    found = _WORD_FOR_WORD.search(instruction)
    return found["text"].strip() if found else ""


@attrs.frozen
class ModelScript:
    """Everything the model will say on one connection."""

    turns: Iterable[Turn] | Chooser = ()
    """A list is read by every connection from its start; a generator is shared by all."""
    otherwise: Turn = Say("Is there anything else I can help you with?")
    """Said when the turns are used up."""
    out_of_band: Turn = Say("Ready.")
    """The answer to every ``conversation: "none"`` response."""
    odd: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """What is odd in the events of every connection, as in ``Faults.odd``."""
    hears: Iterable[str] = ()
    """What the transcriber understands, per caller turn; then "(inaudible)"."""
    voice: Callable[[str], Say] = Say
    """Gives sound to words that have none, such as by a speech synthesizer; as it is: a hum."""


Scripted = ModelScript | Iterable[Turn] | Chooser | None
"""What the simulator takes as a script: a whole one, or just its turns."""


def as_script(script: Scripted) -> ModelScript:
    """Make a script of its turns."""
    if isinstance(script, ModelScript):
        return script
    return ModelScript() if script is None else ModelScript(script)


def steps_of(turn: Turn) -> list[Step]:
    """The steps of a turn, strings made sentences."""
    parts: Sequence[str | Step] = turn if isinstance(turn, Sequence) and not isinstance(turn, str) else [turn]
    return [Say(part) if isinstance(part, str) else part for part in parts]


@attrs.define(eq=False)
class Reading:
    """One connection's place in a script."""

    script: ModelScript
    turn_number: int = 0
    _turns: Iterator[Turn] = attrs.field(init=False)
    _hears: Iterator[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._turns = iter(()) if callable(self.script.turns) else iter(self.script.turns)
        self._hears = iter(self.script.hears)

    def next_turn(
        self, conversation: list[dict[str, Any]], tools: list[dict[str, Any]], instruction: str = ""
    ) -> list[Step]:
        """The steps of the next response of the default conversation.

        Args:
            conversation: its items.
            tools: those that the model may call.
            instruction: what the response is asked by; empty: by the conversation.
        """
        turn: Turn = words_to_say(instruction)
        if not turn:
            self.turn_number += 1
            if callable(self.script.turns):
                turn = self.script.turns(self.turn_number, conversation, tools)
            else:
                turn = next(self._turns, self.script.otherwise)
        return [self._with_sound(step) for step in steps_of(turn)]

    def _with_sound(self, step: Step) -> Step:
        return self.script.voice(step.text) if isinstance(step, Say) and step.audio is None else step

    def next_transcript(self) -> str:
        """What the transcriber makes of the next caller turn."""
        return next(self._hears, "(inaudible)")
