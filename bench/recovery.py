"""The provider dies in mid-call, at random moments: how soon does the agent talk on, is a word lost?

    python -m bench.recovery --cuts 200 [--seed 7] [--pair fast/fast]

Whole calls over loopback sockets with both vendors simulated, in virtual time, with the provider's delays
injected: 300 ms for a handshake, 50 ms for ``session.updated``, 400 ms to the first audio. Each call loses
its session once, by a reset at a random moment of an answer or of the caller's turn; half the calls have a
warm pool.

Nothing here relies on llcphone. Every word of the agent has a sound of its own, so what is heard shows
which words were heard; every frame of the caller is unlike any other, so what the simulated sessions received
shows which were lost, doubled or out of order. The simulated model continues from what it was sent.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio
import trio.testing

from llcphone import Agent
from llcphone.sim.model import Faults, Pace, Say
from tests.calls.stage import QUESTION, TRANSPORTS, rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llcphone import CallRecord
    from llcphone.sim.model import ModelSession
    from llcphone.sim.twilio import SimCall
    from tests.calls.stage import Rehearsal

GREETING = ["good", "morning", "this", "is", "the", "bakery"]
STORY = """
from tuesday to thursday we open at noon and close by nine while on friday or saturday everybody may stay
until eleven since there will be live music after eight o'clock before our kitchen shuts its doors
"""
ANSWER = STORY.split()
NO_MORE = ["indeed"]
"""Said by a model that is asked to continue when nothing is left to say."""
CODE = {word: code for code, word in enumerate([*GREETING, *ANSWER, *NO_MORE], start=1)}
"""Each word sounds like one µ-law level; all are loud, and none is silence."""
FILLER_CODE = 0x45
MS_PER_CHARACTER = 65
MARK_MS = {True: 1_500, False: 3_000}
"""Talking again at the 95th percentile, with a pool and without."""

HANDSHAKE_S, UPDATED_S, FIRST_AUDIO_MS = 0.3, 0.05, 400
SPEED = 3.0
"""Audio is generated this many times faster than it plays."""


class Cut(Enum):
    """What is going on when the session dies."""

    ANSWER = "mid-answer"
    TURN = "mid-turn"


@attrs.define
class Outcome:
    cut: Cut
    talking_ms: int | None = None
    """From the loss to the first new audio sent to the caller."""
    silence_ms: float = 0.0
    """Longest silence that the caller hears between two words of the answer."""
    filler_ms: float | None = None
    """From the beginning of that silence to the filler; None without one."""
    wrong: list[str] = attrs.field(factory=list)
    """What must not be."""
    skipped: int = 0
    """Words of the answer that were never heard."""
    begun_again: int = 0
    """Words that broke off and were said again from their beginning."""


# -- the model's voice --------------------------------------------------------------------------


def voice(words: Sequence[str]) -> bytes:
    """What these words sound like."""
    return b"".join(bytes((CODE[word], CODE[word] | 0x80)) * samples(word) for word in words)


def samples(word: str) -> int:
    """Pairs of samples of a word, with the pause behind it."""
    return (len(word) + 1) * MS_PER_CHARACTER * 4


def speak(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Say:
    """The model: greets, answers, or continues after the last word that it was sent as heard."""
    told = words_told(past)
    if not told:
        return say(GREETING)
    heard = [word for word in told if word in ANSWER]
    rest = ANSWER[ANSWER.index(heard[-1]) + 1 :] if heard else ANSWER
    return say(rest or NO_MORE)


def say(words: Sequence[str]) -> Say:
    return Say(" ".join(words), voice(words))


def words_told(items: Iterable[dict[str, Any]]) -> list[str]:
    """The agent's own words, as the model has them."""
    said = [item for item in items if item.get("role") == "assistant"]
    parts = [part for item in said for part in item["content"]]
    return " ".join(part.get("text") or part.get("transcript") or "" for part in parts).split()


# -- the caller's voice -------------------------------------------------------------------------


def murmur(seconds: float) -> bytes:
    """Frames too soft for turn detection, each unlike any other."""
    numbers = itertools.islice(itertools.product(b"\xfe\xfd\xfc\xfb", repeat=8), 0, int(seconds * 50))
    return b"".join(bytes(digit for digit in digits for _ in range(20)) for digits in numbers)


def frames(audio: bytes) -> list[bytes]:
    return [audio[at : at + 160] for at in range(0, len(audio), 160)]


# -- one call -----------------------------------------------------------------------------------


async def lose_once(stage: Rehearsal, cut: Cut, at: float) -> Outcome:
    """Hold a call whose session dies once; ``at`` is where in its moment, 0 to 1."""
    outcome = Outcome(cut)
    before = {session: len(session.received_audio) for session in stage.model.sessions}
    sim = await stage.ring()
    await sim.heard_audio(len(voice(GREETING)) // 8)
    await sim.silence_for(200)
    murmured = murmur(40)
    sim.speak_nowait(murmured[: 8 * 1_000])
    sim.speak_nowait(QUESTION)
    sim.speak_nowait(murmured[8 * 1_000 :])
    session = next(each for each in stage.model.sessions if each.is_open and each.responses)
    if cut is Cut.TURN:
        await trio.sleep(1 + at * len(QUESTION) / 8_000)
    else:
        await session.until(lambda: len(session.responses) > 1)
        generated_s = len(voice(ANSWER)) / 8_000 / SPEED + FIRST_AUDIO_MS / 1_000
        await trio.sleep(at * generated_s)
    session.reset()
    lost_ms = sim.log.now_ms
    with trio.move_on_after(25):
        await sim.heard_audio((len(voice(GREETING)) + len(voice(ANSWER))) // 8)
    await trio.sleep(0.5)
    sim.fall_silent()
    sim.hang_up()
    record = await stage.record(len(stage.records) + 1)
    received = {each: each.received_audio[before.get(each, 0) :] for each in stage.model.sessions}
    judge_words(outcome, sim, lost_ms)
    judge_frames(outcome, sim, [audio for audio in received.values() if audio])
    judge_record(outcome, record)
    judge_history(outcome, [each for each, audio in received.items() if audio])
    await sim.ended()
    return outcome


def judge_words(outcome: Outcome, sim: SimCall, lost_ms: int) -> None:
    """Which words the caller heard, whole and once."""
    heard: dict[int, int] = {}
    spoken: list[tuple[float, int]] = []  # when each run of one sound began, and which
    for start_ms, audio in sim.ear:
        at = 0
        for code, run in itertools.groupby(byte & 0x7F for byte in audio):
            spoken.append((start_ms + at / 8, code))
            length = sum(1 for _ in run)
            at += length
            heard[code] = heard.get(code, 0) + length
        spoken.append((start_ms + at / 8, 0))
    for word, code in CODE.items():
        length = heard.get(code, 0)
        if length >= 4 * samples(word):
            outcome.wrong.append(f"repeated: {word}")
        elif length > 2 * samples(word):
            outcome.begun_again += 1
        elif not length and word in ANSWER:
            outcome.skipped += 1
    order = [code for _, code in spoken if 0 < code < FILLER_CODE]
    if order != sorted(order):
        outcome.wrong.append("out of order")
    if outcome.cut is Cut.ANSWER:
        judge_silence(outcome, spoken, lost_ms)


def judge_silence(outcome: Outcome, spoken: list[tuple[float, int]], lost_ms: int) -> None:
    """How long the caller heard no word of the agent after the loss, and when the filler came."""
    first = CODE[ANSWER[0]]
    quiet_from = float(lost_ms)
    for (start_ms, code), (end_ms, _) in itertools.pairwise(spoken):
        if not first <= code < FILLER_CODE or end_ms <= lost_ms:
            continue
        if start_ms - quiet_from > outcome.silence_ms:
            outcome.silence_ms = start_ms - quiet_from
            fillers = (each for each, what in spoken if what == FILLER_CODE and quiet_from <= each < start_ms)
            outcome.filler_ms = next((each - quiet_from for each in fillers), None)
        quiet_from = max(quiet_from, end_ms)
    late = outcome.silence_ms > 500 and (outcome.filler_ms is None or outcome.filler_ms > 500)
    if late:
        outcome.wrong.append(f"dead line for {outcome.silence_ms:.0f} ms, filler after {outcome.filler_ms}")


def judge_frames(outcome: Outcome, sim: SimCall, received: list[bytes]) -> None:
    """What the caller said, against what the sessions together received."""
    said = frames(b"".join(audio for _, audio in sim.said))[:-2]  # the last ones met the hang-up
    number = {frame: index for index, frame in enumerate(said)}
    got: set[int] = set()
    for audio in received:
        numbers = [number[frame] for frame in frames(audio) if frame in number]
        got.update(numbers)
        if numbers != list(range(numbers[0], numbers[-1] + 1) if numbers else []):
            outcome.wrong.append("caller audio doubled, missing or out of order within a session")
    lost = set(range(len(said))) - got
    if lost:
        outcome.wrong.append(f"{len(lost) * 160} bytes of the caller lost")


def judge_record(outcome: Outcome, record: CallRecord) -> None:
    if len(record.gaps) != 1 or record.gaps[0]["restored_ms"] is None:
        outcome.wrong.append("the record does not show the gap")
    elif record.gaps[0]["spoke_ms"] is not None:
        outcome.talking_ms = record.gaps[0]["spoke_ms"] - record.gaps[0]["at_ms"]
    if [turn["asked"] for turn in record.turns].count("greeting") != 1:
        outcome.wrong.append("greeted again")


def judge_history(outcome: Outcome, sessions: list[ModelSession]) -> None:
    """The next session was sent the words of the lost one that have become sound: no more, none less."""
    lost, fresh = sessions
    sounded = sum(item.generated_ms for item in lost.items if item.role == "assistant" and item.response_id)
    ends = itertools.accumulate(2 * samples(word) / 8 for word in CODE)
    begun = [word for word, end in zip(CODE, ends, strict=True) if end - 2 * samples(word) / 8 < sounded]
    created = [each["item"] for each in fresh.events("conversation.item.create")]
    told = words_told(created)
    if told != begun[: len(told)] or len(begun) - len(told) > 1:
        outcome.wrong.append(f"told {len(told)} words of {len(begun)}")


# -- all of them --------------------------------------------------------------------------------


async def run(
    cuts: int, seed: int, *, pool: bool, transports: tuple[str, str] = TRANSPORTS[0]
) -> list[Outcome]:
    """This many calls in one stage, one after the other."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        filler = Path(folder) / "filler.ulaw"
        filler.write_bytes(bytes((FILLER_CODE, FILLER_CODE | 0x80)) * 4 * 1_480)
        async with rehearsal(
            agent=Agent("You are the bakery."),
            script=speak,
            transports=transports,
            faults=Faults(handshake_delay_s=HANDSHAKE_S),
            pace=Pace(SPEED, first_audio_ms=FIRST_AUDIO_MS, ack_delay_s=UPDATED_S),
            warm={"sessions": 2 if pool else 0},
            filler={"sound": str(filler)},
        ) as stage:
            outcomes = []
            for number in range(cuts):
                await trio.sleep(3)  # the pool fills
                cut = Cut.TURN if number % 4 == 3 else Cut.ANSWER
                outcomes.append(await lose_once(stage, cut, rng.random()))
            return outcomes


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def report(outcomes: list[Outcome], *, pool: bool) -> bool:
    """Print the figures; whether they are as they must be."""
    answers = [each for each in outcomes if each.cut is Cut.ANSWER]
    talking = [each.talking_ms for each in answers if each.talking_ms is not None]
    silences = [each.silence_ms for each in answers]
    wrong = [f"{each.cut.value}: {what}" for each in outcomes for what in each.wrong]
    p50, p95 = percentile(talking, 0.5), percentile(talking, 0.95)
    print(f"{'with a pool' if pool else 'cold'}: {len(outcomes)} cuts, {len(answers)} of them mid-answer")
    print(f"  talking again after the loss   p50 {p50:5.0f} ms   p95 {p95:5.0f} ms   mark {MARK_MS[pool]} ms")
    p50_s, p95_s = percentile(silences, 0.5), percentile(silences, 0.95)
    print(f"  silence in the caller's ear    p50 {p50_s:5.0f} ms   p95 {p95_s:5.0f} ms")
    skipped, again = sum(each.skipped for each in outcomes), sum(each.begun_again for each in outcomes)
    print(f"  words skipped {skipped}, begun again {again}; wrong {len(wrong)}")
    for line in wrong[:20]:
        print(f"    {line}")
    return not wrong and p95 <= MARK_MS[pool] and len(talking) > len(answers) // 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.recovery", description=__doc__.partition("\n")[0])
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pair", default="fast/fast", choices=["/".join(pair) for pair in TRANSPORTS])
    options = parser.parse_args()
    pair = tuple(options.pair.split("/"))
    good = True
    for pool in (False, True) if pair[0] == "fast" else (False,):
        clock = trio.testing.MockClock(autojump_threshold=0)
        outcomes = trio.run(
            lambda pool=pool: run(options.cuts // 2, options.seed, pool=pool, transports=pair), clock=clock
        )
        good = report(outcomes, pool=pool) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
