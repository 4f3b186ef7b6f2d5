"""Where the time went between the caller's last sound and the agent's first, answer by answer. Pure.

The inner steps are those of the call record's turns; both ends are the telephone's own: the moment the mouth
fell silent (the vendor dates the end of speech later, at the sample that decided it) and the moment the ear
heard something. A tool and what is said after it belong to one answer, because the caller waits for both.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from llcphone.demo.facts import Facts


class Share(Enum):
    """Whose time a stretch of waiting is."""

    DETECTION = "turn detection"
    MODEL = "model"
    TOOL = "tool"
    LINE = "telephone"
    OURS = "llcphone"


@attrs.frozen
class Stretch:
    """One step on the way from the caller's last sound to the agent's first."""

    name: str
    share: Share
    ms: int


@attrs.frozen
class Answer:
    """One answer of the agent, or its greeting."""

    title: str
    stretches: tuple[Stretch, ...]
    heard: bool

    @property
    def total_ms(self) -> int:
        return sum(stretch.ms for stretch in self.stretches)

    def of(self, share: Share) -> int:
        """Milliseconds that belong to one of the processes."""
        return sum(stretch.ms for stretch in self.stretches if stretch.share is share)


@attrs.define
class _Chain:
    """Stretches in the making: each ends where the next begins."""

    title: str
    at_ms: float
    stretches: list[Stretch] = attrs.field(factory=list)
    tools: list[str] = attrs.field(factory=list)
    heard: bool = False

    def until(self, name: str, share: Share, at_ms: float | None) -> None:
        if at_ms is not None:
            self.stretches.append(Stretch(name, share, max(0, round(at_ms) - round(self.at_ms))))
            self.at_ms = max(self.at_ms, at_ms)

    def answer(self) -> Answer:
        title = f"{self.title}, with {' and '.join(self.tools)}" if self.tools else self.title
        return Answer(title, tuple(self.stretches), self.heard)


def waterfall(facts: Facts) -> list[Answer]:
    """Every answer of the call; a tool and what is said after it belong to one."""
    if facts.record is None:
        return []
    chains: list[_Chain] = []
    for turn in facts.record.turns:
        if turn["asked"] == "tools" and chains:
            chain = chains[-1]
        else:
            chain = _begin(facts, turn)
            chains.append(chain)
        chain.until("answer begun", Share.MODEL, turn["created_ms"])
        chain.until("first audio", Share.MODEL, turn["first_delta_ms"])
        if turn["sent_ms"] is not None:
            started_ms = facts.record.started_after_ms
            if started_ms is not None and started_ms > chain.at_ms:
                chain.until("line open", Share.LINE, started_ms)
            chain.until("passed on", Share.OURS, turn["sent_ms"])
            chain.until("heard", Share.OURS, _first_heard(facts, turn["sent_ms"]))
            chain.heard = chain.stretches[-1].name == "heard"
        if not chain.heard:
            _add_tools(facts, turn, chain)
    return [chain.answer() for chain in chains]


def _begin(facts: Facts, turn: dict[str, Any]) -> _Chain:
    if turn["asked"] == "greeting" or turn["decided_ms"] is None:
        chain = _Chain("greeting" if turn["asked"] == "greeting" else "answer", 0.0)
        if facts.record is not None:
            chain.until("set-up", Share.MODEL, facts.record.ready_after_ms)
        return chain
    chain = _Chain("answer", turn["decided_ms"])
    if facts.phone is not None:  # the mouth knows best when it fell silent: the vendor dates it later
        ends = [facts.call_ms(at + length) for at, length in facts.phone.said]
        chain.at_ms = max((end for end in ends if end <= turn["decided_ms"]), default=chain.at_ms)
    chain.until("turn over", Share.DETECTION, turn["decided_ms"])
    return chain


def _add_tools(facts: Facts, turn: dict[str, Any], chain: _Chain) -> None:
    """The tools a turn called, one after the other as they ended."""
    done = {entry.fields["call_id"]: entry.at_ms for entry in facts.notes("tool done")}
    for entry in facts.notes("tool"):
        end_ms = done.get(entry.fields["call_id"])
        if entry.at_ms >= turn["created_ms"] and end_ms is not None and entry.fields["name"] in turn["tools"]:
            chain.tools.append(entry.fields["name"])
            chain.until("tool call", Share.MODEL, entry.at_ms)
            chain.until(entry.fields["name"], Share.TOOL, end_ms)


def _first_heard(facts: Facts, sent_ms: int) -> float | None:
    """When the caller heard the audio that was sent then; None when they never did."""
    starts = [facts.call_ms(at) for at, _ in facts.phone.ear] if facts.phone is not None else []
    return next((start for start in starts if sent_ms - 10 <= start < sent_ms + 3000), None)


def own_share_ms(answers: list[Answer]) -> list[int]:
    """What llcphone itself added to each answer that was heard."""
    return [answer.of(Share.OURS) for answer in answers if answer.heard]
