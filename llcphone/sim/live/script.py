"""What the simulated GPT-Live says: a script of the Realtime simulator, and what a caller who cuts in causes.

One turn of the script is used up by each answer: to a commentary (or instructions) that asks for speech, to
a caller who has finished, and by each ``response.create`` that continues the backend. In a turn

- ``Say`` is spoken by the voice, in one utterance; in a turn of the backend it is the backend's text, which
  the voice reads out;
- ``CallTool`` is a function call of the backend;
- ``Silence`` is a pause between two utterances;
- ``Event`` is sent as it is;
- ``Fail``, ``Incomplete`` and ``Stall`` (never ends) become of the backend's response, so they follow a call
  or stand in a turn of the backend.

``Write`` and ``Cancel`` mean nothing here and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import attrs

from llcphone.sim.model.script import (
    Cancel,
    ModelScript,
    Reading,
    Scripted,
    Step,
    Write,
    as_script,
    steps_of,
    words_to_say,
)

BargeIn = Literal["yield", "talk on", "backchannel"]
"""What a caller who speaks while the agent speaks causes: the agent falls silent and then answers; it
finishes and then answers; or it goes on, and the caller's sound is no turn."""

_EXACTLY = re.compile(
    r"(exactly|genau|exactement|exactamente|exatamente)[^:]*: (?P<text>.+)", re.IGNORECASE | re.DOTALL
)
_STOP = re.compile(r"\bstop (speaking|talking)\b", re.IGNORECASE)


@attrs.frozen
class LiveScript(ModelScript):
    """Everything the model will say on one connection, and how it takes interruptions."""

    barge_ins: Iterable[BargeIn] = ()
    """For each caller who cuts in, in order; then ``yield``."""


def as_live_script(script: Scripted) -> LiveScript:
    """Make a Live script of one of the other simulator, or of turns."""
    script = as_script(script)
    if not isinstance(script, LiveScript):
        fields = {field.name: getattr(script, field.name) for field in attrs.fields(ModelScript)}
        script = LiveScript(**fields)
    if isinstance(script.turns, Sequence):
        for turn in script.turns:
            checked(steps_of(turn))
    return script


def checked(steps: list[Step]) -> list[Step]:
    """The same steps.

    Raises:
        ValueError: one of them means nothing to GPT-Live.
    """
    for step in steps:
        if isinstance(step, Write | Cancel):
            raise ValueError(f"{type(step).__name__} means nothing in a Live session")
    return steps


def exact_words(order: str) -> str:
    """What an append wants said word for word, after a colon; empty: it is worded otherwise."""
    if words := words_to_say(order):
        return words
    found = _EXACTLY.search(order)
    return found["text"].strip() if found else ""


def wants_silence(order: str) -> bool:
    """Whether instructions order the model to stop speaking."""
    return _STOP.search(order) is not None


@attrs.define(eq=False)
class LiveReading(Reading):
    """One connection's place in a script."""

    _barge_ins: Iterator[BargeIn] = attrs.field(kw_only=True)

    @classmethod
    def of(cls, script: LiveScript) -> LiveReading:
        """A reading from the script's beginning."""
        return cls(script, barge_ins=iter(script.barge_ins))

    def next_barge_in(self) -> BargeIn:
        """What the next caller who cuts in causes."""
        return next(self._barge_ins, "yield")
