"""Questions about turns: priming, turn detection at 8 kHz, eagerness in mid-call, noise reduction."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from llcphone.call.session_settings import eagerness_update
from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.question import Bound, Part, Question
from llcphone.certify.speech import BYTES_PER_MS, halves, noise, play, quieter, sentence, silence
from llcphone.realtime.events import ModelError, SpeechStarted, SpeechStopped
from llcphone.realtime.messages import CreateResponse, UserText

if TYPE_CHECKING:
    from llcphone.certify.site import Site
    from llcphone.certify.talk import Talk

PAIRS = 5
"""Sessions with priming, and as many without, in turns: so a slow minute meets both."""
NOTICEABLE_MS = 100
PAUSE_MS = 700
"""A pause for thought: longer than one between words, shorter than a wait for an answer."""
PATIENCE_MS = 9_000
"""Silence after the last word; the least eager detection waits 8 s."""
LEAD_MS = 500
"""Silence before the first word."""
NOISE_MS = 3_000
AFTER_MS = 2_000
"""Silence after noise or a sentence, if only the begin of a turn counts."""
NOISE_DB = -35.0
SENTENCES = 3
FAINT_DB = 14.0
"""A caller who speaks softly: so much below the recordings."""


# -- priming ------------------------------------------------------------------------------------


async def priming(site: Site) -> Answer:
    """Time to the first sound of a session's first answer, with priming and without."""
    times: dict[bool, list[int]] = {False: [], True: []}
    for _ in range(PAIRS):
        for primed in (False, True):
            times[primed].append(await site.session(partial(_first_answer, site, primed), within_s=30))
    plain, primed_ms = round(median(times[False])), round(median(times[True]))
    gain = plain - primed_ms
    word = "shorter" if gain >= NOTICEABLE_MS else "longer" if gain <= -NOTICEABLE_MS else "no_difference"
    helps = word == "shorter"
    settings = {"opening.priming_inbound": helps, "opening.priming_outbound": helps}
    seen = f"first sound after {plain} ms without priming, {primed_ms} ms with it (medians of {PAIRS})"
    return Answer(word, seen, settings, {"plain_ms": times[False], "primed_ms": times[True]})


async def _first_answer(site: Site, primed: bool, talk: Talk) -> int:
    await talk.configure(site.fields())
    if primed:
        await talk.response(CreateResponse("priming", priming=True))
    talk.send(UserText("Hello, is anybody there?"))
    spoken = await talk.response(CreateResponse("certify"))
    if spoken.first_ms is None or not spoken.audio_bytes:
        raise Unanswered("no_sound")
    return spoken.first_ms


# -- turn detection -----------------------------------------------------------------------------


@frozen
class _Heard:
    """What a kind of turn detection made of one sentence with a pause in its middle."""

    too_early: bool
    """It took the pause for the end."""
    wait_ms: int | None
    """From the last word to the end of the turn; None: the turn did not end."""


_CHOICES: dict[str, dict[str, Any]] = {
    "high": {"turn_detection": "semantic_vad", "eagerness": "high"},
    "medium": {"turn_detection": "semantic_vad", "eagerness": "medium"},
    "low": {"turn_detection": "semantic_vad", "eagerness": "low"},
    "server_vad": {"turn_detection": "server_vad", "vad_silence_ms": PAUSE_MS + 200},
}


async def turn_detection(site: Site) -> Answer:
    """The same sentence to each kind of turn detection: the fastest that lets the caller finish is best."""
    found = {
        name: await site.session(partial(_one_turn, site, changes), within_s=60)
        for name, changes in _CHOICES.items()
    }
    good = {
        name: each.wait_ms for name, each in found.items() if each.wait_ms is not None and not each.too_early
    }
    word = min(good, key=lambda name: good[name]) if good else "none"
    settings: dict[str, Any] = {f"realtime.{key}": value for key, value in _CHOICES.get(word, {}).items()}
    seen = "; ".join(f"{name}: {_told(each)}" for name, each in found.items())
    return Answer(word, seen, settings, {name: each.wait_ms for name, each in found.items()})


def _told(heard: _Heard) -> str:
    if heard.wait_ms is None:
        return "no end of the turn"
    return f"{heard.wait_ms} ms after the last word" + (
        ", and an end in the pause" if heard.too_early else ""
    )


async def _one_turn(site: Site, changes: dict[str, Any], talk: Talk) -> _Heard:
    await talk.configure(site.fields(create_response=False, **changes))
    first, second = halves()
    audio = silence(LEAD_MS) + first + silence(PAUSE_MS) + second
    played = await play(talk, audio + silence(PATIENCE_MS))
    ends, last_ms = played.times_ms(SpeechStopped), len(audio) // BYTES_PER_MS
    second_ms = last_ms - len(second) // BYTES_PER_MS
    late = [end - last_ms for end in ends if end >= last_ms]
    return _Heard(any(end <= second_ms for end in ends), late[0] if late else None)


# -- eagerness ----------------------------------------------------------------------------------


async def eagerness(site: Site) -> Answer:
    """Half a sentence under high eagerness, and again after a change to low."""

    first = site.config.realtime.eagerness

    async def talk(session: Talk) -> Answer:
        realtime = attrs.evolve(site.config.realtime, turn_detection="semantic_vad", create_response=False)
        await session.configure(
            site.fields(turn_detection="semantic_vad", eagerness="high", create_response=False)
        )
        before = await _wait(session)
        changed = await session.try_update(eagerness_update(realtime, "low"))
        if isinstance(changed, ModelError):
            return Answer(
                "refused", f"the change is refused: {changed.code}", {"realtime.eagerness_after": first}
            )
        after = await _wait(session)
        seen = f"half a sentence ended a turn after {before} ms with high, {after} ms after the change to low"
        if after - before >= NOTICEABLE_MS:
            keep = site.config.realtime.eagerness_after
            return Answer("effective", seen, {"realtime.eagerness_after": keep})
        return Answer("ignored", seen, {"realtime.eagerness_after": first})

    return await site.session(talk, within_s=60)


async def _wait(talk: Talk) -> int:
    """From the last word of half a sentence to the end of the turn, in ms; at most ``PATIENCE_MS``."""
    audio = silence(LEAD_MS) + halves()[0]
    played = await play(talk, audio + silence(PATIENCE_MS))
    last_ms = len(audio) // BYTES_PER_MS
    return next((end - last_ms for end in played.times_ms(SpeechStopped) if end >= last_ms), PATIENCE_MS)


# -- noise reduction ----------------------------------------------------------------------------

_FILTERS = (None, "near_field", "far_field")


async def noise_reduction(site: Site) -> Answer:
    """Noise alone, then a soft voice: with each filter, how often is either taken for the other?"""
    faults: dict[str, int] = {}
    for each in _FILTERS:
        found = await site.session(partial(_mistaken, site, each), within_s=60)
        if isinstance(found, str):
            return Answer("refused", f"{each}: {found}", {"realtime.noise_reduction": None})
        faults[each or "none"] = found
    seen = "; ".join(f"{name}: {count} mistakes" for name, count in faults.items())
    best = min(faults, key=lambda name: faults[name])
    if faults[best] < faults["none"]:
        return Answer("helps", seen, {"realtime.noise_reduction": best}, faults)
    misleads = max(faults.values()) > faults["none"]
    return Answer(
        "misleads" if misleads else "no_difference", seen, {"realtime.noise_reduction": None}, faults
    )


async def _mistaken(site: Site, noise_filter: str | None, talk: Talk) -> int | str:
    """Turns begun by noise, and sentences that were not heard; or why the filter is refused."""
    changes: dict[str, Any] = {"turn_detection": "semantic_vad", "create_response": False}
    answer = await talk.try_update(site.fields(noise_reduction=noise_filter, **changes))
    if isinstance(answer, ModelError):
        return answer.code or "error"
    street = await play(talk, noise(NOISE_MS, NOISE_DB) + silence(AFTER_MS))
    false_starts = len(street.times_ms(SpeechStarted))
    missed = 0
    for _ in range(SENTENCES):
        voice = await play(talk, quieter(sentence(), FAINT_DB) + silence(AFTER_MS))
        missed += not voice.times_ms(SpeechStarted)
    return false_starts + missed


QUESTIONS = (
    Question(
        id="priming",
        part=Part.MODEL,
        asks="Does priming shorten the first answer?",
        how=f"opens {2 * PAIRS} sessions, every second one primed; each says one sentence",
        answers={
            "shorter": "the first answer comes earlier after priming",
            "no_difference": "priming makes no difference that a caller notices",
            "longer": "the first answer comes later after priming",
        },
        settings=("opening.priming_inbound", "opening.priming_outbound"),
        bound=Bound(responses=3 * PAIRS, output_tokens=100, input_tokens=200),
        limit_s=300.0,
        ask=priming,
    ),
    Question(
        id="turn_detection",
        part=Part.MODEL,
        asks="How good is semantic turn detection at 8 kHz, and a change of eagerness in mid-call?",
        how=f"says a sentence with a pause of {PAUSE_MS} ms to each kind of turn detection",
        answers={
            "high": "semantic detection with high eagerness lets the caller finish, and is the fastest",
            "medium": "semantic detection with medium eagerness is the fastest that lets the caller finish",
            "low": "semantic detection with low eagerness is the fastest that lets the caller finish",
            "server_vad": "detection by silence is the fastest that lets the caller finish",
            "none": "no detection both lets the caller finish and ends the turn",
        },
        settings=("realtime.turn_detection", "realtime.eagerness", "realtime.vad_silence_ms"),
        limit_s=200.0,
        ask=turn_detection,
    ),
    Question(
        id="eagerness",
        part=Part.MODEL,
        asks="How good is semantic turn detection at 8 kHz, and a change of eagerness in mid-call?",
        how="says half a sentence twice, and changes the eagerness between",
        answers={
            "effective": "a change of eagerness is confirmed, and later turns wait longer",
            "ignored": "a change of eagerness is confirmed, but later turns do not wait longer",
            "refused": "a change of eagerness in mid-call is refused",
        },
        settings=("realtime.eagerness_after",),
        limit_s=90.0,
        ask=eagerness,
    ),
    Question(
        id="noise_reduction",
        part=Part.MODEL,
        asks="Does noise reduction help turn detection, or mislead it?",
        how=f"plays noise and {SENTENCES} soft sentences to a session without filter, and with each filter",
        answers={
            "helps": "a filter makes fewer mistakes than none",
            "no_difference": "the filters make as many mistakes as none",
            "misleads": "a filter makes more mistakes than none, and no filter makes fewer",
            "refused": "a filter is refused",
        },
        settings=("realtime.noise_reduction",),
        limit_s=300.0,
        ask=noise_reduction,
    ),
)
