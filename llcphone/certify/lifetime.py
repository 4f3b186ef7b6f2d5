"""Questions about a session's socket: how long it lasts, and whether pings and Close are answered."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.question import Part, Question
from llcphone.errors import LegClosed
from llcphone.realtime.events import ModelError, SessionCreated
from llcphone.wire.leg import CLOSE_TIMEOUT_S

if TYPE_CHECKING:
    from typing import Any

    from llcphone.certify.site import Site
    from llcphone.certify.talk import Talk
    from llcphone.wire.leg import Leg

HOUR_S = 3600.0
_NEAR_S = 60.0
"""A lifetime is a whole number of minutes, and clocks differ."""
LONGEST_S = 3 * HOUR_S
_LONGEST_LIFE_S = 24 * HOUR_S
PONG_LIMIT_S = 10.0
_LOOK_S = 0.01


# -- lifetime -----------------------------------------------------------------------------------


async def expiry(site: Site) -> Answer:
    """How long a session lasts, as the server announces it."""
    lasts_s = await site.session(partial(_announced, site), within_s=30)
    if lasts_s is not None and not 0 < lasts_s <= _LONGEST_LIFE_S:
        raise Unanswered("clock")  # ours or the vendor's is wrong
    if lasts_s is None:
        return Answer("not_announced", "the server announces no end", _ages(site, HOUR_S))
    return Answer(
        _length(lasts_s), f"announced: {lasts_s:.0f} s", _ages(site, lasts_s), {"announced_s": round(lasts_s)}
    )


async def _announced(site: Site, talk: Talk) -> float | None:
    created = (await talk.until(SessionCreated)).event
    assert isinstance(created, SessionCreated)
    return None if created.expires_at is None else created.expires_at - site.now()


async def lifetime(site: Site) -> Answer:
    """A session without a word, as the warm pool keeps it, until the server ends it."""
    lasted_s, code = await site.session(partial(_outlive, site), within_s=LONGEST_S + 60)
    if lasted_s is None:
        return Answer("longer", f"still open after {LONGEST_S:.0f} s", _ages(site, LONGEST_S))
    seen = f"ended after {lasted_s:.0f} s, with {code}"
    return Answer(_length(lasted_s), seen, _ages(site, lasted_s), {"lasted_s": round(lasted_s), "code": code})


async def _outlive(site: Site, talk: Talk) -> tuple[float | None, str]:
    """How long it was open, and the last error before its end."""
    await talk.configure(site.fields())
    code = ""
    with trio.move_on_after(LONGEST_S):
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_keep_alive, talk, name="certify pings")
                while True:
                    heard = await talk.next()
                    if isinstance(heard.event, ModelError):
                        code = heard.event.code
        except* LegClosed:
            pass
        return trio.current_time() - talk.opened_s, code or "no error"
    return None, code


async def _keep_alive(talk: Talk) -> None:
    """The pings that a session in the warm pool gets."""
    while True:
        due_s = talk.leg.keepalive_nowait(trio.current_time())
        await trio.sleep_until(due_s)


def _length(lasts_s: float) -> str:
    if abs(lasts_s - HOUR_S) <= _NEAR_S:
        return "60_minutes"
    return "shorter" if lasts_s < HOUR_S else "longer"


def _ages(site: Site, lasts_s: float) -> dict[str, Any]:
    """The settings as they are, unless a session is shorter than 60 minutes.

    Then a waiting session is replaced after a quarter of its life, and a used one 300 s before its end.
    """
    config = site.config
    ages = {
        "warm.max_age_s": config.warm.max_age_s,
        "renewal.at_age_s": config.renewal.at_age_s,
        "call.max_duration_s": config.call.max_duration_s,
    }
    if lasts_s < HOUR_S - _NEAR_S:
        whole_s = max(60.0, round(lasts_s / 60) * 60.0)
        ages["warm.max_age_s"] = min(ages["warm.max_age_s"], whole_s / 4)
        ages["renewal.at_age_s"] = min(ages["renewal.at_age_s"], max(0.0, whole_s - 300.0))
    return ages


# -- control frames -----------------------------------------------------------------------------


async def control_frames(site: Site) -> Answer:
    """One ping, then a Close."""
    answer_ms, close_ms = await site.session(partial(_answered, site), within_s=60)
    words = {
        (True, True): "both",
        (True, False): "no_close",
        (False, True): "no_pong",
        (False, False): "neither",
    }
    word = words[answer_ms is not None, close_ms is not None]
    pong = f"a ping was answered after {answer_ms} ms" if answer_ms is not None else "a ping was not answered"
    close = f"Close after {close_ms} ms" if close_ms is not None else "Close was not"
    return Answer(word, f"{pong}, {close}", facts={"pong_ms": answer_ms, "close_ms": close_ms})


async def _answered(site: Site, talk: Talk) -> tuple[int | None, int | None]:
    await talk.configure(site.fields())
    leg = talk.leg
    took_ms = await pong_ms(leg)
    began_s = trio.current_time()
    await leg.aclose()
    took_s = trio.current_time() - began_s
    return took_ms, round(took_s * 1000) if took_s < CLOSE_TIMEOUT_S else None


async def pong_ms(leg: Leg, *, read: bool = True) -> int | None:
    """How long the answer to a ping takes on a leg that is quiet otherwise; None: none came in time.

    Args:
        leg: the leg.
        read: whether it must be read here, as no other task does.
    """
    began_s, seen = trio.current_time(), leg.stats.bytes_in
    leg.keepalive_nowait(began_s - HOUR_S)  # as if the leg had been opened that long ago, so a ping is due
    leg.keepalive_nowait(began_s)
    with trio.move_on_after(PONG_LIMIT_S):
        while leg.stats.bytes_in == seen:
            await trio.sleep(_LOOK_S)
            if read:
                leg.receive_nowait()
        return round((trio.current_time() - began_s) * 1000)
    return None


_LENGTHS = {
    "60_minutes": "a session lasts 60 minutes",
    "shorter": "a session lasts less than 60 minutes",
    "longer": "a session lasts more than 60 minutes",
}
_AGES = ("warm.max_age_s", "renewal.at_age_s", "call.max_duration_s")
_ASKS = "Does a session last 60 minutes from its start, also in the warm pool?"

QUESTIONS = (
    Question(
        id="expiry",
        part=Part.MODEL,
        asks=_ASKS,
        how="opens a session and reads the end that the server announces",
        answers={**_LENGTHS, "not_announced": "the server announces no end"},
        settings=_AGES,
        limit_s=30.0,
        ask=expiry,
    ),
    Question(
        id="control_frames",
        part=Part.MODEL,
        asks="Does the vendor answer pings and Close in time?",
        how="sends one ping and one Close",
        answers={
            "both": "a ping and a Close are answered in time",
            "no_pong": "a ping is not answered in time",
            "no_close": "a Close is not answered in time",
            "neither": "neither a ping nor a Close is answered in time",
        },
        limit_s=60.0,
        ask=control_frames,
    ),
    Question(
        id="lifetime",
        part=Part.MODEL,
        asks=_ASKS,
        how="keeps a session without a word, as the warm pool does, until the server ends it",
        answers=_LENGTHS,
        settings=_AGES,
        limit_s=LONGEST_S + 120,
        is_long=True,
        ask=lifetime,
    ),
)
