"""Questions about GPT-Live's audio: silence, jitter, bursts, early audio, and the times of words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio

from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.live.session import LOUD_DB, LiveTalk, live_session, total_ms
from llcphone.certify.question import Bound, Part, Question
from llcphone.certify.speech import BYTES_PER_MS, level, sentence, silence

if TYPE_CHECKING:
    from llcphone.certify.site import Site

LISTEN_MS = 20_000
SESSION_S = 45.0
MOST_STEPS = 16
"""What ``live.quiet_steps`` takes."""
MOST_CUSHION_MS = 1_000
BURST_MS = 5_000
WORDS_MS = 6_000
"""Words come about 1.2 s after they were said."""
NEAR_MS = 300

_ONE = Bound(live_s=48)


async def quiet(site: Site) -> Answer:
    """Silence for 20 s: which bytes does the silence of the model have?"""

    async def talk(session: LiveTalk) -> Answer:
        await session.start()
        began_s = await session.wait(LISTEN_MS)
        pieces = session.audio(began_s)
        if not pieces:
            raise Unanswered("no_audio")
        sizes = sorted({len(each.audio) for each in pieces})
        # One word that nobody asked for must not decide: pieces with speech are left out.
        still = [each.audio for each in pieces if level(each.audio) <= LOUD_DB] or [
            each.audio for each in pieces
        ]
        steps = max(_steps(audio) for audio in still)
        seen = f"{len(pieces)} pieces of {sizes} bytes; silence is up to {steps} steps from zero"
        facts = {"steps": steps, "sizes": sizes}
        now = site.config.live.quiet_steps
        if steps > MOST_STEPS:
            return Answer("loud", seen, {}, facts)
        if steps > now:
            return Answer("noisy", seen, {"live.quiet_steps": steps}, facts)
        return Answer("near" if steps else "pure", seen, {"live.quiet_steps": now}, facts)

    return await live_session(site, talk, within_s=SESSION_S)


def _steps(audio: bytes) -> int:
    """How far from zero of either sign its samples are, in steps of µ-law."""
    return max((0x7F - (byte & 0x7F) for byte in audio), default=0)


async def jitter(site: Site) -> Answer:
    """Silence for 20 s: how late do pieces of audio come?"""

    async def talk(session: LiveTalk) -> Answer:
        await session.start()
        began_s = await session.wait(LISTEN_MS)
        late = sorted(lateness_ms(session, began_s))
        if not late:
            raise Unanswered("no_audio")
        p99 = late[min(len(late) - 1, int(len(late) * 0.99))]
        seen, now_ms = (
            f"{len(late)} pieces, 99 % of them at most {p99:.0f} ms late",
            site.config.live.cushion_ms,
        )
        facts = {"p50_ms": round(late[len(late) // 2]), "p99_ms": round(p99)}
        if p99 <= now_ms:
            return Answer("within_cushion", seen, {"live.cushion_ms": now_ms}, facts)
        wanted = min(MOST_CUSHION_MS, math.ceil(round(p99) / 20) * 20)
        return Answer("beyond_cushion", seen, {"live.cushion_ms": wanted}, facts)

    return await live_session(site, talk, within_s=SESSION_S)


def lateness_ms(session: LiveTalk, since_s: float) -> list[float]:
    """How much later than the earliest of all each piece came, by the audio before it."""
    offsets, sent_ms = [], 0.0
    for each in session.audio(since_s):
        sent_ms += len(each.audio) / BYTES_PER_MS
        offsets.append((each.at_s - since_s) * 1000 - sent_ms)
    return [offset - min(offsets) for offset in offsets]


async def burst(site: Site) -> Answer:
    """Five seconds of speech in one event: how fast does the session's clock run?"""

    async def talk(session: LiveTalk) -> Answer:
        await session.start()
        await session.wait(1_000)
        words = sentence() * (BURST_MS * BYTES_PER_MS // len(sentence()) + 1)
        began_s = trio.current_time()
        session.feed(words[: BURST_MS * BYTES_PER_MS])
        await session.wait(1_000)
        first_ms = total_ms(session.audio(began_s))
        await session.wait(BURST_MS + WORDS_MS)
        transcripts = len(session.of("session.input_transcript.delta", since_s=began_s))
        seen = f"{first_ms} ms of audio in the second after the burst; {transcripts} pieces of its transcript"
        if not transcripts:
            return Answer("dropped", seen)
        return Answer("at_once" if first_ms > BURST_MS * 0.6 else "paced", seen)

    return await live_session(site, talk, within_s=SESSION_S)


async def early_audio(site: Site) -> Answer:
    """A sentence between ``session.start`` and ``session.started``: is it heard?"""

    async def talk(session: LiveTalk) -> Answer:
        session.send_start()
        session.feed(sentence() + silence(700))
        await session.until(lambda: bool(session.of("session.started", "error")), 15.0)
        early = session.refusal()
        await session.started_despite()
        await session.wait(WORDS_MS)
        if early:
            return Answer("refused", f"refused with {early}")
        heard = len(session.of("session.input_transcript.delta"))
        return Answer("heard" if heard else "lost", f"{heard} pieces of its transcript")

    return await live_session(site, talk, within_s=SESSION_S)


async def word_times(site: Site) -> Answer:
    """A sentence of the model: does its audio begin where its words are said to begin?"""

    async def talk(session: LiveTalk) -> Answer:
        await session.start()
        await session.wait(500)
        session.ask_to_say("Welcome. Our kitchen is open until ten in the evening.")
        await session.wait(8_000)
        words = session.of("session.output_transcript.delta")
        loud = session.loud()
        if not words or not loud:
            raise Unanswered("no_speech")
        before = [each for each in session.audio() if each.at_s <= loud[0].at_s and each is not loud[0]]
        offset = round(words[0].event["start_ms"] - total_ms(before))
        seen, facts = f"words begin {offset} ms after their audio", {"offset_ms": offset}
        word = "equal" if abs(offset) <= NEAR_MS else "later" if offset > 0 else "earlier"
        return Answer(word, seen, facts=facts)

    return await live_session(site, talk, within_s=SESSION_S)


def _question(name: str, **fields: Any) -> Question:
    return Question(id=f"live_{name}", part=Part.LIVE, bound=_ONE, limit_s=SESSION_S + 10, **fields)


QUESTIONS = (
    _question(
        "quiet",
        asks="GPT-Live: which bytes are silence, and how long are pieces of audio?",
        how="gives a session 20 s of silence",
        answers={
            "pure": "silence is zero of either sign",
            "near": "silence is at most as far from zero as llcphone expects",
            "noisy": "silence is further from zero than llcphone expects",
            "loud": "what should be silence is too loud to be taken for it",
        },
        settings=("live.quiet_steps",),
        ask=quiet,
    ),
    _question(
        "jitter",
        asks="GPT-Live: how late do pieces of audio come?",
        how="gives a session 20 s of silence",
        answers={
            "within_cushion": "99 % of all pieces come in time for the cushion",
            "beyond_cushion": "the cushion is too short",
        },
        settings=("live.cushion_ms",),
        ask=jitter,
    ),
    _question(
        "burst",
        asks="GPT-Live: is input that comes in a burst taken at once, paced, or dropped?",
        how="gives a session 5 s of speech in one event",
        answers={
            "at_once": "a burst is taken at once, and as much audio comes back",
            "paced": "a burst is taken in real time",
            "dropped": "a burst is not heard",
        },
        ask=burst,
    ),
    _question(
        "early_audio",
        asks="GPT-Live: is audio before `session.started` heard?",
        how="sends a sentence right after session.start",
        answers={
            "refused": "audio before session.started is refused",
            "heard": "audio before session.started is heard",
            "lost": "audio before session.started is taken, and not heard",
        },
        ask=early_audio,
    ),
    _question(
        "word_times",
        asks="GPT-Live: do the times of words fit the audio?",
        how="asks a session for one sentence",
        answers={
            "equal": "words have the time of their audio",
            "later": "words have a later time than their audio",
            "earlier": "words have an earlier time than their audio",
        },
        ask=word_times,
    ),
)
