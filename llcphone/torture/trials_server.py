"""Trials of the program around the calls: stopping it, filling it, and Twilio's own habits."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import trio

from llcphone.sim.model import ModelScript, Say
from llcphone.sim.twilio import CallFaults, CallOver, Signature
from llcphone.torture.rig import GaveUp
from llcphone.torture.sounds import pitch_of, tone
from llcphone.torture.trials import GREETING, answers, trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from llcphone.sim.model.script import Turn
    from llcphone.torture.judge import Judge
    from llcphone.torture.rig import Caller, Rig

EXIT_S = 10.0
"""From the last caller's hang-up to the end of a process that was asked to stop."""
WATCH_S = 3.0
SHORT = Say("At nine in the morning.", 1_500)


@trial(
    "sigterm",
    "SIGTERM with a live call",
    "the call continues to its end, then the process exits within 10 s",
    answers(SHORT),
    may_end=True,
)
async def sigterm(rig: Rig, judge: Judge) -> None:
    caller = await rig.ring_and_settle()
    await caller.ask()
    await caller.hears(0.3)
    rig.bridge.terminate()
    asked_at = trio.current_time()
    try:
        await _goes_on(caller)
    except (GaveUp, CallOver):
        judge.must(False, "the call is not finished: the bridge does not drain")
    cut_s = ((caller.sim.record.streams[-1].ended_at_ms or 0) - caller.ms(asked_at)) / 1000
    line = f"line cut after {cut_s:.2f} s" if caller.is_cut else "call went on"
    judge.figures["cut_s"] = cut_s if caller.is_cut else None
    await caller.hang_up()
    over_at = trio.current_time()
    with trio.move_on_after(EXIT_S) as waiting:
        await rig.bridge.exited()
    exit_s = None if waiting.cancelled_caught else trio.current_time() - over_at
    judge.figures["exit_s"] = exit_s
    judge.must(exit_s is not None, "the process does not end")
    judge.measured = f"{line}, " + ("never exits" if exit_s is None else f"exits {exit_s:.1f} s after it")


async def _goes_on(caller: Caller) -> None:
    """The answer in progress, and one more.

    Raises:
        GaveUp: no answer came, or the stream was cut.
    """
    with trio.move_on_after(WATCH_S):
        while not caller.is_cut:  # noqa: ASYNC110
            await trio.sleep(0.02)
    if caller.is_cut:
        raise GaveUp("the line was cut")
    await caller.ask()
    await caller.hears(1.0)


# -- twenty calls -----------------------------------------------------------------------------------------

CALLS = 20
VOICES = [500 + 50 * number for number in range(52)]
"""The first for the model sessions, idle ones included; the last for the callers."""
SAID = VOICES[-CALLS:]


class Voices:
    """Turns for every connection in a voice of its own, in the order of the connections."""

    def __init__(self) -> None:
        self._numbers = count()

    def __iter__(self) -> Iterator[Turn]:
        """Called once for each connection."""
        sound = tone(VOICES[next(self._numbers) % len(VOICES)], 1_200)
        return iter([Say("This is my voice.", sound)] * 8)


@trial(
    "twenty-calls",
    "Twenty calls at once",
    "each answered, by its own model, in its own voice",
    lambda _: ModelScript(Voices()),
    alone=True,
)
async def twenty(rig: Rig, judge: Judge) -> None:
    """Every caller and every session has its own pitch, so the sound shows who heard whom."""
    before, began_at = rig.bridge.usage(), trio.current_time()
    silent: list[int] = []
    async with trio.open_nursery() as nursery:
        for number in range(CALLS):
            nursery.start_soon(_hold, rig, number, silent)
            await trio.sleep(0.05)
        await trio.sleep(8)
        during = rig.bridge.usage()
        took_s = trio.current_time() - began_at
    wrong = 0
    for number, caller in enumerate(rig.callers):
        wrong += await _crossed(rig, caller, SAID[number])
    answered = CALLS - len(silent)
    judge.figures |= {"answered": answered, "crossed": wrong}
    judge.measured = f"{answered} answered, {wrong} crossed"
    if before is not None and during is not None:
        cpu = (during.cpu_s - before.cpu_s) / took_s / CALLS * 100
        more_kb = (during.rss_kb - before.rss_kb) / CALLS
        judge.figures |= {"cpu_percent_per_call": round(cpu, 2), "rss_kb_per_call": round(more_kb)}
        judge.figures["rss_mb"] = round(during.rss_kb / 1024)
        judge.measured += f"; {cpu:.2f} % CPU and {more_kb:.0f} KB per call, {during.rss_kb / 1024:.0f} MB"
    judge.must(answered == CALLS, f"{len(silent)} callers hear nothing")
    judge.must(not wrong, f"{wrong} callers or models hear somebody else")


async def _hold(rig: Rig, number: int, silent: list[int]) -> None:
    caller = rig.ring(from_=f"+1555124{number:04}")
    try:
        await caller.join()
        with trio.move_on_after(2.5):
            await caller.sim.hears(1.0)
        await caller.sim.silence_for(400)
        await caller.ask(tone(SAID[number], 1_000))
        await caller.hears(1.0)
    except (GaveUp, CallOver):
        silent.append(number)
    await trio.sleep(max(0.0, 9.5 - caller.sim.log.now_ms / 1000))
    caller.sim.hang_up()


async def _crossed(rig: Rig, caller: Caller, said: int) -> bool:
    """Whether this caller heard two voices, or the model heard another caller."""
    ear = await _pitches(b"".join(audio for _, audio in caller.sim.ear))
    if not ear:
        return False
    if len(ear) > 1 or ear & set(SAID):
        return True
    session = rig.model.sessions[VOICES.index(ear.pop())]
    return await _pitches(session.received_audio) != {said}


async def _pitches(audio: bytes) -> set[int]:
    """The pitches of every quarter of a second."""
    found: set[int | None] = set()
    for at in range(0, len(audio), 2_000):
        await trio.lowlevel.checkpoint()
        found.add(pitch_of(audio[at : at + 640], VOICES))
    return {hz for hz in found if hz is not None}


# -- Twilio's habits --------------------------------------------------------------------------------------


@trial(
    "webhook-retry",
    "Twilio sends the voice webhook twice",
    "one call, one model session",
    answers(SHORT),
)
async def retry(rig: Rig, judge: Judge) -> None:
    caller = await rig.ring_and_settle(faults=CallFaults(repeat_webhook=True))
    await caller.ask()
    await caller.is_spoken_to()
    during = rig.sessions_left
    statuses = [status for _, status, _ in caller.sim.record.requests]
    await caller.hang_up()
    await trio.sleep(3)
    judge.figures |= {"sessions": during, "sessions_left": rig.sessions_left}
    judge.measured = f"{during} sessions during the call, {rig.sessions_left} after it"
    judge.must(statuses[:2] == [200, 200], f"a webhook is answered {statuses}")
    judge.must(during <= 1, "the retry opens another model session")
    judge.must(rig.sessions_left <= 0, "a session stays open after the call")


@trial(
    "forged-webhook",
    "A webhook with a wrong signature, and one with none",
    "refused, no model session",
    answers(GREETING),
    needs="signatures",
)
async def forged_webhook(rig: Rig, judge: Judge) -> None:
    await _let_in(rig)
    statuses = []
    for kind in (Signature.WRONG, Signature.MISSING):
        caller = rig.ring(faults=CallFaults(webhook_signature=kind))
        await caller.sim.answered()
        await trio.sleep(0.5)
        statuses += [status for _, status, _ in caller.sim.record.requests]
    judge.measured = "HTTP " + ", ".join(map(str, statuses))
    judge.must(not any(200 <= status < 300 for status in statuses), "unsigned requests start paid calls")
    judge.must(rig.sessions_left <= 0, "an unsigned request opens a model session")


@trial(
    "forged-stream",
    "A media stream with a wrong signature, and one with none",
    "refused before anything is heard",
    answers(GREETING),
    needs="signatures",
)
async def forged_stream(rig: Rig, judge: Judge) -> None:
    await _let_in(rig)
    heard_ms: Sequence[float] = [
        await _listen(rig.ring(faults=CallFaults(stream_signature=kind)))
        for kind in (Signature.WRONG, Signature.MISSING)
    ]
    judge.figures["heard_ms"] = sum(heard_ms)
    strangers = rig.callers[1:]
    judge.measured = _streams(strangers)
    judge.must(not any(heard_ms), "an unauthorized client talks to the agent")
    joined = [
        each for caller in strangers for each in caller.sim.record.streams if each.started_at_ms is not None
    ]
    judge.should(not joined, "the upgrade of an unauthorized client is accepted")


async def _let_in(rig: Rig) -> None:
    """A bridge that refuses everybody would pass this trial, so an honest call goes first."""
    caller = rig.ring()
    await caller.join()
    with trio.move_on_after(1):
        await caller.sim.hears()
    await caller.hang_up()
    await trio.sleep(1)


async def _listen(caller: Caller) -> float:
    """What a caller hears in a while."""
    with trio.move_on_after(2):
        await caller.sim.answered()
        await trio.sleep_forever()
    return caller.voiced_ms


def _streams(callers: Iterable[Caller]) -> str:
    codes = {code for caller in callers for code in caller.sim.record.error_codes}
    return ", ".join(f"Twilio error {code}" for code in sorted(codes)) or "no error"


_TWIML = "<Response><Connect><Stream url={}/></Connect></Response>"


@trial(
    "spent-token",
    "Streams come with the token of a live call, and with an invented one",
    "refused; the call continues undisturbed",
    answers(SHORT),
    needs="tokens",
)
async def spent_token(rig: Rig, judge: Judge) -> None:
    caller = await rig.ring_and_settle()
    url = caller.sim.record.streams[0].url
    strangers = [rig.ring(twiml=_TWIML.format(quoteattr(each))) for each in (url, f"{url}0")]
    heard_ms = sum([await _listen(stranger) for stranger in strangers])
    await caller.ask()
    await caller.is_spoken_to()
    judge.figures["heard_ms"] = heard_ms
    judge.measured = _streams(strangers)
    judge.must(not heard_ms, "an unauthorized client talks to the agent")
    judge.must(not caller.is_cut, "the unauthorized client ends the call")
