"""Questions about the ends and limits of a GPT-Live session."""

from __future__ import annotations

import base64
from array import array
from typing import TYPE_CHECKING, Any

import trio

from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.lifetime import pong_ms
from llcphone.certify.live.session import LiveTalk, live_session
from llcphone.certify.question import Bound, Part, Question
from llcphone.languages import SHIPPED
from llcphone.live.tokens import APPEND_TOKENS, fitting

if TYPE_CHECKING:
    from llcphone.certify.site import Site

TWO_HOURS_S = 7_200.0
NEAR_S = 60.0
IDLE_S = 31.0
IDLE_NEAR_S = 3.0
IDLE_LIMIT_S = 60.0
UNSTARTED_S = 60.0
ITEM_BYTES = 1_024
ITEMS = 40
CLOSE_LIMIT_S = 15.0
DELEGATION = {"type": "responses", "responses": {"model": "gpt-5.6-luna", "instructions": "Answer briefly."}}


async def expiry(site: Site) -> Answer:
    """How long a session lasts, as ``session.started`` says."""

    async def talk(session: LiveTalk) -> Answer:
        started, now_s = await session.start(), site.config.call.max_duration_s
        expires_at = started.get("expires_at")
        if not isinstance(expires_at, int | float):
            return Answer("not_announced", "no end is announced", {"call.max_duration_s": now_s})
        lasts_s = expires_at - site.now()
        if not 0 < lasts_s <= 12 * TWO_HOURS_S:
            raise Unanswered("clock")
        word = "shorter" if lasts_s < TWO_HOURS_S else "longer"
        word = "two_hours" if abs(lasts_s - TWO_HOURS_S) <= NEAR_S else word
        # A session has no successor, so no call may be longer.
        longest_s = min(now_s, max(60.0, round(lasts_s / 60) * 60.0 - 60.0))
        seen = f"announced: {lasts_s:.0f} s"
        return Answer(word, seen, {"call.max_duration_s": longest_s}, {"announced_s": round(lasts_s)})

    return await live_session(site, talk, within_s=25.0)


async def idle(site: Site) -> Answer:
    """A session without any audio: when is it closed?"""

    async def talk(session: LiveTalk) -> Answer:
        await session.start()
        began_s = trio.current_time()
        if not await session.until(lambda: bool(session.of("session.closed")), IDLE_LIMIT_S):
            return Answer("later", f"still open after {IDLE_LIMIT_S:.0f} s")
        closed = session.of("session.closed")[0]
        took_s, reason = closed.at_s - began_s, str(closed.event.get("reason", ""))
        seen, facts = f"closed after {took_s:.1f} s: {reason}", {"took_s": round(took_s, 1), "reason": reason}
        if abs(took_s - IDLE_S) <= IDLE_NEAR_S:
            return Answer("31_seconds", seen, facts=facts)
        return Answer("sooner" if took_s < IDLE_S else "later", seen, facts=facts)

    return await live_session(site, talk, within_s=IDLE_LIMIT_S + 20.0)


async def unstarted(site: Site) -> Answer:
    """A socket without ``session.start``: does it stay open, and can it be used then?"""

    async def talk(session: LiveTalk) -> Answer:
        began_s = trio.current_time()
        await session.until(lambda: False, UNSTARTED_S)
        if session.end is not None:
            return Answer("closed", f"closed after {(session.ended_s or 0) - began_s:.0f} s")
        try:
            await session.start()
        except Unanswered as failed:
            return Answer("unusable", f"open after {UNSTARTED_S:.0f} s, but the start fails: {failed.code}")
        return Answer("kept", f"open after {UNSTARTED_S:.0f} s, and started")

    return await live_session(site, talk, within_s=UNSTARTED_S + 25.0)


async def backend_bytes(site: Site) -> Answer:
    """Items of 1 KB for the backend, until it takes no more; it is asked for no response."""

    async def talk(session: LiveTalk) -> Answer:
        await session.start(delegation=DELEGATION)
        taken = 0
        for _ in range(ITEMS):
            event_id = session.send("response.item.create", item=_item(ITEM_BYTES))
            await session.wait(200)
            if session.refusal(event_id):
                break
            taken += ITEM_BYTES
        code = session.refusal()
        now = site.config.live.backend_bytes
        seen, facts = f"{taken} bytes taken" + (f", then {code}" if code else ""), {"taken": taken}
        if not taken:
            raise Unanswered(code or "no_item_taken")
        if not code:
            return Answer("more", seen, {"live.backend_bytes": taken}, facts)
        word = "as_expected" if abs(taken - now) <= ITEM_BYTES else "more" if taken > now else "less"
        wanted = now if word == "as_expected" else max(4_096, taken)
        return Answer(word, seen, {"live.backend_bytes": wanted}, facts)

    return await live_session(site, talk, within_s=40.0)


def _item(size: int) -> dict[str, Any]:
    """A message of so many bytes of JSON."""
    item: dict[str, Any] = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": ""}],
    }
    # {"type":"message","role":"user","content":[{"type":"input_text","text":""}]} has 77 bytes.
    item["content"][0]["text"] = "x" * (size - 77)
    return item


async def late_calls(site: Site) -> Answer:
    """An item of a function call that the backend never made: a result that came too late."""

    async def talk(session: LiveTalk) -> Answer:
        await session.start(delegation=DELEGATION)
        call = {
            "type": "function_call",
            "call_id": "call_certify",
            "name": "opening_hours",
            "arguments": "{}",
        }
        event_id = session.send("response.item.create", item=call)
        await session.wait(1_000)
        code = session.refusal(event_id)
        return Answer("refused", f"refused with {code}") if code else Answer("taken", "not refused")

    return await live_session(site, talk, within_s=30.0)


async def append_limit(site: Site) -> Answer:
    """The longest text that llcphone sends in one append, in several languages; it is never spoken."""

    async def talk(session: LiveTalk) -> Answer:
        await session.start()
        refused: dict[str, str] = {}
        for name, sentences in SHIPPED.items():
            text = fitting(" ".join(sentences.values()) * 4, APPEND_TOKENS)
            event_id = session.send("session.thinking.append", content=text, delegation_id=None)
            await session.wait(1_500)
            if code := session.refusal(event_id):
                refused[name] = code
        seen = f"refused: {', '.join(f'{name} ({code})' for name, code in refused.items()) or 'none'}"
        return Answer("too_long" if refused else "fits", f"{len(SHIPPED)} languages; {seen}", facts=refused)

    return await live_session(site, talk, within_s=35.0)


async def close(site: Site) -> Answer:
    """``session.close``: is it answered, and how does the socket end?"""

    async def talk(session: LiveTalk) -> Answer:
        await session.start()
        await session.wait(1_000)
        began_s = trio.current_time()
        session.send("session.close")
        await session.until(lambda: False, CLOSE_LIMIT_S)
        took_ms = round(((session.ended_s or trio.current_time()) - began_s) * 1000)
        closed = session.of("session.closed", since_s=began_s)
        if not closed:
            return Answer("not_answered", f"no session.closed within {took_ms} ms")
        reason, code = closed[0].event.get("reason"), session.end.code if session.end is not None else None
        seen, facts = f"{reason}; closed with {code} after {took_ms} ms", {"code": code, "took_ms": took_ms}
        return Answer("closed" if code is not None else "socket_stays_open", seen, facts=facts)

    return await live_session(site, talk, within_s=40.0)


async def fixture(site: Site) -> Answer:
    """A second of PCM at 24 kHz, played in a session of µ-law."""

    async def talk(session: LiveTalk) -> Answer:
        await session.start()
        await session.wait(500)
        began_s = trio.current_time()
        event_id = session.send("session.output_audio.fixture.play", audio=_tone_s())
        await session.wait(3_000)
        if code := session.refusal(event_id):
            return Answer("refused", f"refused with {code}")
        heard = len(session.loud(began_s))
        if not heard:
            return Answer("not_heard", "taken, but nothing is heard")
        return Answer("played", f"{heard} pieces of it are heard")

    return await live_session(site, talk, within_s=30.0)


def _tone_s() -> str:
    """A second of a tone of 400 Hz, as base64 of PCM16 at 24 kHz."""
    wave = [8_000 if at % 60 < 30 else -8_000 for at in range(24_000)]
    return base64.b64encode(array("h", wave).tobytes()).decode()


async def control_frames(site: Site) -> Answer:
    """One ping in a session that has not begun, so that nothing else comes."""

    async def talk(session: LiveTalk) -> Answer:
        took_ms = await pong_ms(session.leg, read=False)
        if took_ms is None:
            return Answer("not_answered", "a ping was not answered")
        return Answer("answered", f"a ping was answered after {took_ms} ms", facts={"pong_ms": took_ms})

    return await live_session(site, talk, within_s=25.0)


def _question(name: str, within_s: float, **fields: Any) -> Question:
    bound = Bound(live_s=round(within_s + 3))
    return Question(id=f"live_{name}", part=Part.LIVE, bound=bound, limit_s=within_s + 10, **fields)


QUESTIONS = (
    _question(
        "expiry",
        25.0,
        asks="GPT-Live: how long does a session last?",
        how="starts a session and reads the end that the server announces",
        answers={
            "two_hours": "a session lasts two hours",
            "shorter": "a session lasts less than two hours",
            "longer": "a session lasts more than two hours",
            "not_announced": "the server announces no end",
        },
        settings=("call.max_duration_s",),
        ask=expiry,
    ),
    _question(
        "idle",
        IDLE_LIMIT_S + 20.0,
        asks="GPT-Live: when does a session without audio end?",
        how=f"starts a session and gives it nothing for at most {IDLE_LIMIT_S:.0f} s",
        answers={
            "31_seconds": "a session without audio ends after about 31 s",
            "sooner": "a session without audio ends sooner than after 31 s",
            "later": "a session without audio lasts longer than 31 s",
        },
        ask=idle,
    ),
    _question(
        "unstarted",
        UNSTARTED_S + 25.0,
        asks="GPT-Live: how long may a socket wait for `session.start`?",
        how=f"opens a socket and starts the session {UNSTARTED_S:.0f} s later",
        answers={
            "kept": "a socket without a session may wait for a minute",
            "closed": "a socket without a session is closed within a minute",
            "unusable": "a socket that waited for a minute takes no start",
        },
        ask=unstarted,
    ),
    _question(
        "backend_bytes",
        40.0,
        asks="GPT-Live: how much input does the backend take?",
        how=f"sends {ITEMS} items of {ITEM_BYTES} bytes to the backend, which is asked for no response",
        answers={
            "as_expected": "the backend takes as many bytes as llcphone expects",
            "less": "the backend takes fewer bytes than llcphone expects",
            "more": "the backend takes more bytes than llcphone expects",
        },
        settings=("live.backend_bytes",),
        ask=backend_bytes,
    ),
    _question(
        "late_calls",
        30.0,
        asks="GPT-Live: does the backend take a call that it did not make?",
        how="sends the backend a function call of our own",
        answers={
            "refused": "a function call of ours is refused, as llcphone expects",
            "taken": "a function call of ours is taken, so late results could be sent as calls",
        },
        ask=late_calls,
    ),
    _question(
        "append_limit",
        35.0,
        asks="GPT-Live: does it take an append as long as llcphone sends?",
        how="sends one long text in each language of llcphone; nothing is spoken",
        answers={
            "fits": "the longest text that llcphone sends is taken in all languages",
            "too_long": "the longest text that llcphone sends is refused in some languages",
        },
        ask=append_limit,
    ),
    _question(
        "close",
        40.0,
        asks="GPT-Live: how does a session end after `session.close`?",
        how="starts a session and closes it",
        answers={
            "closed": "session.closed comes, and the socket is closed",
            "socket_stays_open": "session.closed comes, but the socket stays open",
            "not_answered": "session.closed does not come in time",
        },
        ask=close,
    ),
    _question(
        "fixture",
        30.0,
        asks="GPT-Live: does a fixture play in a session with µ-law?",
        how="plays one second of a tone as a fixture",
        answers={
            "played": "a fixture is played",
            "not_heard": "a fixture is taken, but not heard",
            "refused": "a fixture is refused",
        },
        ask=fixture,
    ),
    _question(
        "pings",
        25.0,
        asks="GPT-Live: are pings answered?",
        how="sends one ping before a session starts",
        answers={"answered": "pings are answered", "not_answered": "pings are not answered in time"},
        ask=control_frames,
    ),
)
