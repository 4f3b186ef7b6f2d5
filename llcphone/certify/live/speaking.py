"""Questions about what makes GPT-Live speak, and what makes it stop: greetings, history, interruptions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.live.session import MODELS, LiveTalk, live_session
from llcphone.certify.question import Bound, Part, Question
from llcphone.certify.speech import FRAME_MS, silence
from llcphone.sim import voices

if TYPE_CHECKING:
    from llcphone.certify.site import Site

SESSION_S = 40.0
GREETING = "Good day. How can I help you?"
LONG = (
    "We open from Tuesday to Thursday at noon and close at nine. On Friday and Saturday we stay open until "
    "eleven. The kitchen closes one hour before. On Sunday we serve lunch only. You can sit in the garden."
)
SPEAKS_MS = 5_000
INTERRUPT_AFTER_MS = 2_000
FAST_MS = 800
YIELDS_MS = 4_000

HISTORY = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Are you open today?"}]},
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Yes, until nine this evening."}],
    },
]


async def models(site: Site) -> Answer:
    """Does the account have each model, with µ-law?"""
    found: dict[str, str] = {}
    for model in MODELS:

        async def talk(session: LiveTalk, model: str = model) -> str:
            try:
                await session.start(model)
            except Unanswered as failed:
                return failed.code
            return ""

        found[model] = await live_session(site, talk, within_s=20.0)
    taken = [model for model, why in found.items() if not why]
    seen = "; ".join(f"{model}: {why or 'started'}" for model, why in found.items())
    if not taken:
        return Answer("none", seen, {}, found)
    if site.live_model not in taken:
        site.live_model = taken[0]
    word = "both" if len(taken) == len(MODELS) else "newer_only" if taken[0] == MODELS[0] else "older_only"
    return Answer(word, seen, {"realtime.model": taken[0]}, found)


async def greeting(site: Site) -> Answer:
    """A greeting by commentary, and one by instructions: which is spoken, and how soon?"""
    times = {
        by: await live_session(site, partial(_greeted, by=by), within_s=SESSION_S)
        for by in ("commentary", "instructions")
    }
    spoken = {by: ms for by, ms in times.items() if ms is not None}
    seen = "; ".join(f"{by}: {'not spoken' if ms is None else f'{ms} ms'}" for by, ms in times.items())
    if not spoken:
        return Answer("neither", seen, facts=times)
    first = min(spoken, key=lambda by: spoken[by])
    return Answer(first if len(spoken) == len(times) else f"{first}_only", seen, facts=times)


async def _greeted(session: LiveTalk, by: str) -> int | None:
    await session.start()
    await session.wait(500)
    began_s = trio.current_time()
    session.ask_to_say(GREETING, by)
    await session.wait(SPEAKS_MS)
    loud = session.loud(began_s)
    return round((loud[0].at_s - began_s) * 1000) if loud else None


async def history(site: Site) -> Answer:
    """A session that is given earlier words: does it speak of itself?"""

    async def talk(session: LiveTalk) -> Answer:
        await session.start(input=HISTORY)
        began_s = await session.wait(SPEAKS_MS)
        loud = session.loud(began_s)
        if not loud:
            return Answer("silent", f"silent for {SPEAKS_MS} ms")
        return Answer("speaks", f"it spoke after {round((loud[0].at_s - began_s) * 1000)} ms")

    return await live_session(site, talk, within_s=SESSION_S)


async def interruption(site: Site) -> Answer:
    """The caller cuts in, two seconds into a long answer: when is the model silent?"""

    async def talk(session: LiveTalk) -> Answer:
        await session.start()
        await session.wait(500)
        session.ask_to_say(LONG)
        for _ in range(SPEAKS_MS // FRAME_MS):
            if session.loud():
                break
            await session.wait(FRAME_MS)
        if not session.loud():
            raise Unanswered("no_speech")
        await session.wait(INTERRUPT_AFTER_MS)
        began_s = trio.current_time()
        await session.play(voices.load("interrupt_wait")[:24_000] + silence(YIELDS_MS))
        still = [each.at_s for each in session.loud(began_s) if each.at_s - began_s <= YIELDS_MS / 1000]
        yield_ms = _silent_after_ms(still, began_s)
        if yield_ms is None:
            return Answer("never", f"still speaking {YIELDS_MS} ms after the caller began")
        seen, facts = f"silent {yield_ms} ms after the caller began", {"yield_ms": yield_ms}
        return Answer("fast" if yield_ms <= FAST_MS else "slow", seen, facts=facts)

    return await live_session(site, talk, within_s=SESSION_S)


def _silent_after_ms(loud_s: list[float], began_s: float) -> int | None:
    """When the first pause of half a second began, in ms; None: there was none."""
    last_s = began_s
    for at_s in loud_s:
        if at_s - last_s >= 0.5:
            break
        last_s = at_s
    ms = round((last_s - began_s) * 1000)
    return ms if ms <= YIELDS_MS - 500 else None


def _question(name: str, sessions: int = 1, within_s: float = SESSION_S, **fields: Any) -> Question:
    bound = Bound(live_s=sessions * round(within_s + 3))
    return Question(
        id=f"live_{name}", part=Part.LIVE, bound=bound, limit_s=sessions * within_s + 10, **fields
    )


QUESTIONS = (
    _question(
        "models",
        sessions=2,
        within_s=20.0,
        asks="GPT-Live: do both models start with µ-law?",
        how="starts and closes a session of each model",
        answers={
            "both": "both models start with µ-law",
            "newer_only": "only gpt-live-1.1 starts with µ-law",
            "older_only": "only gpt-live-1 starts with µ-law",
            "none": "no model starts with µ-law",
        },
        settings=("realtime.model",),
        ask=models,
    ),
    _question(
        "greeting",
        sessions=2,
        asks="GPT-Live: which append makes the configured voice greet?",
        how="asks one session for a greeting by commentary, another one by instructions",
        answers={
            "commentary": "both make it greet, commentary sooner",
            "instructions": "both make it greet, instructions sooner",
            "commentary_only": "only commentary makes it greet",
            "instructions_only": "only instructions make it greet",
            "neither": "neither makes it greet",
        },
        ask=greeting,
    ),
    _question(
        "history",
        asks="GPT-Live: does history in `input` make it speak?",
        how="starts a session with earlier words, and gives it silence",
        answers={"silent": "history does not make it speak", "speaks": "history makes it speak"},
        ask=history,
    ),
    _question(
        "interruption",
        asks="GPT-Live: how soon is it silent when the caller cuts in?",
        how="asks a session for a long text, and interrupts it once",
        answers={
            "fast": f"it is silent within {FAST_MS} ms",
            "slow": f"it is silent later than after {FAST_MS} ms",
            "never": "it speaks on",
        },
        ask=interruption,
    ),
)
