"""Hostile calls beside ordinary ones: what do the ordinary calls lose, and what is kept of the hostile?

    python -m bench.hostile [--calls 200] [--beside 20] [--at-once 12] [--postgres] [--pace 0.5]

Whole calls over loopback sockets, both vendors simulated in the same process, with store and journal in a
database. Trio's clock runs at ``--pace``, so a machine that others use too can be given time.

Each hostile call performs one act of `hostile_acts`: its tool, hook, brief, chooser or observer raises, or a
text that is none reaches results, state, notes, customers, context or transcript. The ordinary callers talk
all the while. They must lose nothing: every frame reaches the model, every question is answered, each call
ends by its caller's hang-up. The process must live. Every call must be in the database, or be counted as
lost with a line in the log.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import logging
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
import trio
from trio.testing import MockClock

from bench.hostile_acts import ACTS, WAYS, Act, agent_of, turns_of
from llcphone import Agent, CallRecord, EndReason
from llcphone.sim import voices
from llcphone.sim.model import CallTool, Say
from llcphone.testing import rehearse
from tests.store.servers import empty, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llcphone import Call
    from llcphone.testing import Rehearsal

QUESTION = voices.load("book_table")
SALT = "hostile"
"""Sessions carry their caller's digest, which identifies them."""
HOSTILE, ORDINARY = "+1555666", "+1555111"
LASTS_S = 3.0
"""A hostile call, until its caller hangs up."""
PATIENCE_S = 30.0


@attrs.define
class Outcome:
    hostile: int
    beside: int
    url: str
    seconds: float = 0.0
    reasons: Counter[str] = attrs.field(factory=Counter)
    """Of hostile calls."""
    refused: int = 0
    """Hostile calls that never began: their chooser failed."""
    kept: int = 0
    """Of all calls, in the database."""
    lost: int = 0
    """Counted by the store as given up."""
    questions: int = 0
    answers: int = 0
    frames: int = 0
    """Of ordinary callers, sent to the model; all of them, or ``strange`` says so."""
    late_ms: list[float] = attrs.field(factory=list)
    """By call: how much later than 20 ms after the one before a frame came to the model, at worst."""
    lines: Counter[str] = attrs.field(factory=Counter)
    """Warnings and errors logged."""
    strange: list[str] = attrs.field(factory=list)

    @property
    def clean(self) -> bool:
        """The ordinary calls lost nothing, and no call was forgotten without a word."""
        return not self.strange


class Lines(logging.Handler):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(logging.WARNING)
        self.outcome = outcome

    def emit(self, record: logging.LogRecord) -> None:
        kinds = vars(record).get("errors") or vars(record).get("error") or ""
        self.outcome.lines[f"{vars(record).get('event') or record.getMessage()} {kinds}"] += 1
        if "planted" in str(vars(record)):
            self.outcome.strange.append(f"an exception's text was logged: {record.getMessage()}")


def choice(calls: int) -> list[Act]:
    """An act for each of this many calls: as many different ones as there are."""
    return [ACTS[number * 7 % len(ACTS)] for number in range(calls)]


async def run_hostile(
    chosen: Sequence[Act], beside: int, url: str, folder: str, *, at_once: int = 12
) -> Outcome:
    """Hold the ordinary calls, and beside them one hostile call for each act."""
    acts = {f"{HOSTILE}{number:04}": act for number, act in enumerate(chosen)}
    outcome = Outcome(len(acts), beside, url.partition(":")[0])
    lines = Lines(outcome)
    logging.getLogger("llcphone").addHandler(lines)
    gc.collect()
    gc.freeze()  # as the server does
    began = time.perf_counter()
    settings = {
        "store": {"url": url},
        "journal": {"url": f"sqlite:///{folder}/journal.db" if url.startswith("sqlite") else url},
        "transfers": {"destinations": {"sales": {"number": "+15551230009"}}, "voicemail": True},
        "records": {"transcript": True, "blackbox_dir": f"{folder}/boxes"},
        "filler": {"tool_after_ms": 0},
        "overload": {"lag_limit_ms": 0},
        "realtime": {"safety_salt": SALT},
    }
    try:
        async with rehearse(chooser(acts), script=script, settings=settings) as stage:
            plant_listeners(stage, acts)
            over = trio.Event()
            async with trio.open_nursery() as everybody:
                for number in range(beside):
                    everybody.start_soon(talk, stage, number, over, outcome)
                await trio.sleep(1)
                limiter = trio.Semaphore(at_once)
                async with trio.open_nursery() as crowd:
                    for caller in acts:
                        await limiter.acquire()
                        crowd.start_soon(harass, stage, caller, outcome, limiter)
                        await trio.sleep(LASTS_S / at_once)
                over.set()
            await look_at_the_books(stage, outcome)
            refused = sum(place == "chooser raises" for place, _ in chosen)
            if outcome.refused != refused:
                outcome.strange.append(
                    f"{outcome.refused} hostile calls never began; {refused} should not have"
                )
    except BaseException as exc:
        if isinstance(exc, KeyboardInterrupt | trio.Cancelled):
            raise
        outcome.strange.append("THE PHONE DIED OF " + "".join(traceback.format_exception(exc)))
    finally:
        logging.getLogger("llcphone").removeHandler(lines)
    outcome.seconds = time.perf_counter() - began
    return outcome


# -- the parties --------------------------------------------------------------------------------


def chooser(acts: Mapping[str, Act]) -> Any:
    ordinary = Agent("Be brief.", name="ordinary")

    @ordinary.tool(lean=True)
    async def look_up() -> str:
        await trio.sleep(0.05)
        return "a table by the window"

    def choose(form: Mapping[str, str]) -> Agent:
        act = acts.get(form.get("From", ""))
        if act is None:
            return ordinary
        if act[0] == "chooser raises":
            raise WAYS[act[1]]()
        return agent_of(act)

    return choose


def plant_listeners(stage: Rehearsal, acts: Mapping[str, Act]) -> None:
    """Observers of the user's own that raise for certain calls."""

    def told(place: str, call: Call) -> None:
        act = acts.get(call.caller)
        if act is not None and act[0] == place:
            raise WAYS[act[1]]()

    stage.phone.observers.insert(0, lambda call, note: told("note raises", call))
    stage.phone.on_end.insert(0, lambda call: told("record raises", call))


def script(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
    """The model: hostile acts, or an ordinary conversation in which every question has its answer."""
    if (hostile := turns_of(past, tools)) is not None:
        return hostile
    if not any(item.get("role") == "assistant" for item in past):
        return Say("Good morning.", 500)
    return (
        Say("It is by the window.", 700)
        if past[-1]["type"] == "function_call_output"
        else CallTool("look_up")
    )


async def harass(stage: Rehearsal, caller: str, outcome: Outcome, limiter: trio.Semaphore) -> None:
    try:
        sim = await stage.twilio.ring(from_=caller)
        with trio.move_on_after(LASTS_S):
            await trio.sleep(LASTS_S / 3)
            if not sim.over:
                sim.press("1")
            await sim.ended()
        sim.hang_up()
        await sim.ended()
    finally:
        limiter.release()


async def talk(stage: Rehearsal, number: int, over: trio.Event, outcome: Outcome) -> None:
    """One ordinary caller: asks, listens, asks again."""
    await trio.sleep(number * 0.2)
    sim = await stage.ring(from_=f"{ORDINARY}{number:04}")
    call = next(call for call in stage.phone.calls() if call.call_sid == sim.record.call_sid)
    await sim.hears(0.4)
    while not over.is_set():
        await sim.silence_for(1_500)
        outcome.questions += 1
        await sim.speak(QUESTION)
        with trio.move_on_after(PATIENCE_S):
            await sim.hears(0.5)
            outcome.answers += 1
    sim.hang_up()
    record = await call.wait()
    digest = hashlib.sha256(f"{SALT}:{call.caller}".encode()).hexdigest()[:32]
    sessions = [one for one in stage.model.sessions if one.headers.get("openai-safety-identifier") == digest]
    heard = [
        each.time_s
        for session in sessions
        for each in session.received
        if each.event["type"] == "input_audio_buffer.append"
    ]
    sent = sim.record.streams[-1].frames_sent
    outcome.frames += len(heard)
    missing = record.frames - record.frames_held_back - len(heard)
    if len(sessions) != 1 or sent != record.frames or missing > 0:
        outcome.strange.append(
            f"{sent} frames sent, {record.frames} received, {record.frames_held_back} held back, "
            f"{len(heard)} with the model, in {len(sessions)} sessions"
        )
    if heard:
        outcome.late_ms.append(max((later - sooner) * 1000 - 20 for sooner, later in pairwise(heard)))


async def look_at_the_books(stage: Rehearsal, outcome: Outcome) -> None:
    """Each call that began has a record, and is in the database or counted as lost."""
    records = {record.call_id: record for record in stage.records}
    store = stage.phone.store
    assert store is not None
    with trio.move_on_after(PATIENCE_S):
        while store.writer.waiting:  # noqa: ASYNC110 (a thread sets no event)
            await trio.sleep(0.1)
    for record in records.values():
        outcome.kept += await store.call(record.call_id) is not None
        if record.agent == "hostile":
            outcome.reasons[record.reason.value] += 1
        elif record.reason is not EndReason.CALLER_HUNG_UP or record.gaps:
            outcome.strange.append(f"an ordinary call ended as {record.reason.value}, gaps {record.gaps}")
    outcome.lost = store.writer.lost
    began = {record.call_sid for record in records.values() if record.agent == "hostile"}
    outcome.refused = outcome.hostile - len(began)  # one that fails is resumed: it has several records
    _check_books(list(records.values()), outcome)


def _check_books(records: Sequence[CallRecord], outcome: Outcome) -> None:
    if outcome.kept + outcome.lost < len(records):
        outcome.strange.append(f"{len(records)} records, {outcome.kept} kept, {outcome.lost} counted as lost")
    said = sum(count for line, count in outcome.lines.items() if line.startswith("not kept"))
    if outcome.lost and not said:
        outcome.strange.append("the store has lost something and has not said so")
    if outcome.answers < outcome.questions:
        outcome.strange.append(f"{outcome.questions} questions, {outcome.answers} answers")


# -- a person runs it ---------------------------------------------------------------------------


def report(outcome: Outcome) -> Iterable[str]:
    late = sorted(outcome.late_ms) or [0.0]
    yield ""
    yield f"{outcome.url}: {outcome.hostile} hostile calls beside {outcome.beside}, {outcome.seconds:.0f} s"
    yield f"ordinary: {outcome.questions} questions, {outcome.answers} answers, {outcome.frames} frames"
    median, worst = late[len(late) // 2], late[-1]
    yield f"a frame was late by at most {median:.0f} ms (median of calls), {worst:.0f} ms (worst)"
    yield "hostile: " + ", ".join(f"{reason} {n}" for reason, n in sorted(outcome.reasons.items()))
    yield f"never began {outcome.refused}; in the database {outcome.kept}; counted as lost {outcome.lost}"
    for line, count in outcome.lines.most_common():
        yield f"  {count:>5}  {line}"
    yield from outcome.strange
    yield "nothing lost" if outcome.clean else "NOT CLEAN"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and print what became of the calls; 1 when something was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--beside", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=12, help="hostile calls at the same time")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL started for this")
    parser.add_argument("--url", help="a database of yours; a PostgreSQL is emptied first")
    parser.add_argument("--pace", type=float, default=1.0, help="seconds of the calls per second")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = options.url or f"sqlite:///{folder}/phone.db"
        if options.postgres:
            url = stack.enter_context(postgres_server()).url
        if url.startswith("postgresql"):
            empty(url)

        async def run() -> Outcome:
            return await run_hostile(
                choice(options.calls), options.beside, url, folder, at_once=options.at_once
            )

        outcome = trio.run(run, clock=MockClock(rate=options.pace))
    print("\n".join(report(outcome)))
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
