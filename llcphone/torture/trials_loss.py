"""Trials of the provider's own failures, in the middle of an answer and before one.

Every word of the answer has a pitch of its own, so the sound shows which words were heard, which twice and
which never. The model continues after the words that it was sent as heard, so a wrong history is audible,
whatever the bridge claims.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio

from llcphone.sim.model import Faults, Pace, Say
from llcphone.sim.twilio import CallOver
from llcphone.torture.rig import ANSWER_S, GaveUp, until
from llcphone.torture.sounds import sounds_in, tone
from llcphone.torture.trials import caller_turns, trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from llcphone.sim.model import ModelSession
    from llcphone.sim.model.script import Chooser
    from llcphone.torture.judge import Judge
    from llcphone.torture.profile import Profile
    from llcphone.torture.rig import Caller, Rig
    from llcphone.torture.sounds import Sound

WORD_MS = 480
HELLO = "hello"
_WORDS = "every first lunch costs seven euros while apple juice water bread cakes wines comes extra"
ANSWER = _WORDS.split()
OVER = "indeed"
"""Said by a model that is asked to continue when no words are left."""
PARDON = "pardon"
"""Said by a model that never received the question."""
PITCH = {word: 400 + 150 * number for number, word in enumerate([*ANSWER, HELLO, OVER, PARDON])}

PACE = Pace(speed=3, first_audio_ms=400, ack_delay_s=0.05)
HANDSHAKE = Faults(handshake_delay_s=0.3)
"""The provider's own delays."""
DEAD_S = 12.0
"""A line that was silent for this long is dead."""
GAP_MS = 3_000
"""Longest silence that the caller hears after a loss (bench/recovery.py: 3 s without a pool)."""
STALL_MS = 10_000
"""Longest wait for the answer of a provider that went silent: somebody has to notice first."""


def speaks_on(_: Profile) -> Chooser:
    """A model that continues after the last word that it was sent as heard."""

    def reply(number: int, items: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say:
        told = words_told(items)
        heard = [word for word in told if word in ANSWER]
        if heard:
            return _say(ANSWER[ANSWER.index(heard[-1]) + 1 :] or [OVER])
        if caller_turns(items):
            return _say(ANSWER)
        return _say([PARDON] if HELLO in told else [HELLO])

    return reply


def _say(words: Sequence[str]) -> Say:
    return Say(" ".join(words), b"".join(tone(PITCH[word], WORD_MS) for word in words))


def words_told(items: Iterable[dict[str, Any]]) -> list[str]:
    """The agent's own words, as the model has them, however the bridge has spaced them."""
    parts = [part for item in items if item.get("role") == "assistant" for part in item["content"]]
    return _known_words(" ".join(part.get("text") or part.get("transcript") or "" for part in parts))


def _known_words(text: str) -> list[str]:
    return re.findall("|".join(PITCH), text)


async def _answered_again(caller: Caller, rig: Rig, lost: ModelSession) -> None:
    """Until the caller has heard another session, the line is cut, or it is dead."""

    def spoken() -> bool:
        fresh = [each for each in rig.model.sessions if each.number != lost.number]
        replies = [r for each in fresh for r in each.responses if r.in_conversation and r.items]
        return caller.is_cut or any(r.status == "completed" for r in replies if _is_answer(r.text))

    with trio.move_on_after(DEAD_S), suppress(CallOver):
        await until(spoken, DEAD_S + 1, "another session's answer")
        await caller.sim.silence_for(500)


def _is_answer(text: str) -> bool:
    return bool({*ANSWER, OVER, PARDON} & set(_known_words(text)))


async def _lose(rig: Rig, judge: Judge, heard_s: float, fail: Callable[[ModelSession], None]) -> None:
    """Lose the session so far into an answer of seven seconds; what was generated so far plays on."""
    caller = await rig.ring_and_settle()
    await caller.ask()
    await caller.hears(heard_s)
    session, lost_ms = caller.session, caller.sim.log.now_ms
    rig.model.faults = HANDSHAKE
    fail(session)
    cut_before = caller.is_cut
    await _answered_again(caller, rig, session)
    if caller.is_cut and not cut_before:
        after_s = ((caller.sim.record.streams[-1].ended_at_ms or 0) - lost_ms) / 1000
        judge.measured = f"line cut after {after_s:.2f} s"
        judge.must(False, "the caller is thrown out of the line")
        return
    heard = await sounds_in(caller.sim.ear, list(PITCH.values()))
    judge.should(_length(heard, HELLO) <= 1.8 * WORD_MS, "the caller is greeted again")
    later = [each for each in heard if each.hz in _pitches(ANSWER) and each.end_ms > lost_ms]
    if not any(each.hz == PITCH[ANSWER[-1]] for each in heard) and not _fresh_sound(caller, later, lost_ms):
        await _try_to_wake(caller, judge)
        return
    _judge_words(judge, heard, lost_ms)


def _length(heard: Iterable[Sound], word: str) -> float:
    """How many milliseconds of a word were heard in all."""
    return sum(each.ms for each in heard if each.hz == PITCH[word])


def _pitches(words: Iterable[str]) -> set[int]:
    return {PITCH[word] for word in words}


def _fresh_sound(caller: Caller, later: list[Sound], lost_ms: float) -> bool:
    """Whether words were heard that the lost session had not generated."""
    generated = max((each.generated_ms for each in caller.session.items if each.is_spoken), default=0)
    known = _pitches(ANSWER[: -(-generated // WORD_MS)])
    return any(each.hz not in known for each in later)


async def _try_to_wake(caller: Caller, judge: Judge) -> None:
    """Nothing more comes by itself; perhaps when the caller speaks."""
    judge.measured = f"silent for {DEAD_S:.0f} s"
    await caller.ask()
    try:
        await caller.hears()
    except GaveUp:
        judge.must(False, "the line is dead")
    else:
        judge.should(False, "the agent talks again only when spoken to")


def _judge_words(judge: Judge, heard: list[Sound], lost_ms: float) -> None:
    """Which words the caller heard, and how long they waited for the next one."""
    lengths = {word: _length(heard, word) for word in PITCH}
    repeated = [word for word in ANSWER if lengths[word] > 1.8 * WORD_MS]
    skipped = [word for word in ANSWER if not lengths[word]]
    gap_ms, silent_from = 0.0, lost_ms
    for each in heard:
        if each.end_ms > lost_ms:
            gap_ms = max(gap_ms, each.start_ms - silent_from)
            silent_from = each.end_ms
    judge.figures |= {"gap_ms": gap_ms, "repeated": len(repeated), "skipped": len(skipped)}
    judge.measured = f"{gap_ms:.0f} ms of silence, {len(repeated)} words repeated, {len(skipped)} lost"
    judge.should(gap_ms <= GAP_MS, "too long a silence")
    judge.should(not repeated, "words are said twice")
    judge.should(len(skipped) <= 1, "words that the caller did not hear count as heard")
    judge.should(not lengths[PARDON], "the question is lost")


_BAR = "talks on within 3 s, no word twice, at most one lost"


@trial("drop-closed", "The provider closes with 1011 in mid-answer", _BAR, speaks_on, pace=PACE)
async def closed(rig: Rig, judge: Judge) -> None:
    await _lose(rig, judge, 1.0, lambda session: session.close(1011))


@trial(
    "drop-reset", "The provider's connection is reset at an answer's first word", _BAR, speaks_on, pace=PACE
)
async def reset(rig: Rig, judge: Judge) -> None:
    """So early that little is left to play: what the caller waits is heard."""
    await _lose(rig, judge, 0.2, lambda session: session.reset())


@trial(
    "drop-stalled",
    "The provider goes silent while an answer is due",
    "answered within 10 s, question not lost",
    speaks_on,
    pace=PACE,
)
async def stalled(rig: Rig, judge: Judge) -> None:
    caller = await rig.ring_and_settle()
    session = caller.session
    turns = caller_turns([item.render() for item in session.items])
    await caller.ask()
    asked_ms = caller.sim.log.now_ms
    await until(
        lambda: caller_turns([item.render() for item in session.items]) > turns, ANSWER_S, "the caller's turn"
    )
    session.link.then(session.stall)
    rig.model.faults = HANDSHAKE
    with trio.move_on_after(STALL_MS / 1000 + 2):
        await _answered_again(caller, rig, session)
    heard = await sounds_in(caller.sim.ear, list(PITCH.values()))
    answer = [each.start_ms for each in heard if each.hz in _pitches([*ANSWER, OVER, PARDON])]
    if caller.is_cut:
        judge.measured = f"line cut after {(caller.sim.log.now_ms - asked_ms) / 1000:.1f} s"
        judge.must(False, "the caller is thrown out of the line")
    elif not answer:
        judge.measured = f"silent for {DEAD_S:.0f} s"
        judge.must(False, "the line is dead")
    else:
        waited_ms = answer[0] - asked_ms
        judge.figures["answer_ms"] = waited_ms
        judge.measured = f"answered after {waited_ms / 1000:.1f} s"
        judge.should(waited_ms <= STALL_MS, "too long a silence")
        judge.should(not any(each.hz == PITCH[PARDON] for each in heard), "the question is lost")
        judge.should(_length(heard, HELLO) <= 1.8 * WORD_MS, "the caller is greeted again")
