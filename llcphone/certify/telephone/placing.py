"""Questions about placing calls: answering machine detection, and Twilio's list of calls."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import trio

from llcphone.carrier.orders import Amd
from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.question import Bound, Part, Question
from llcphone.certify.telephone.line import CALL_S, START_S
from llcphone.certify.telephone.port import twiml
from llcphone.twilio.twiml import connect_stream, hang_up, stream_url, wait

if TYPE_CHECKING:
    from llcphone.certify.site import Site

TIMEOUTS_S = (2, 3, 30, 59, 60)
DOCUMENTED = {3, 30, 59}
VERDICT_WITHIN_S = 40.0
LISTED_WITHIN_S = 40.0
"""llcphone looks for a call for that long."""
SOON_S = 5.0
LOOK_S = 0.5
STAYS_S = 45
"""How long a call stays without a stream."""


async def amd_range(site: Site) -> Answer:
    """Calls with different limits of detection, each hung up at once."""
    line = site.the_line
    line.reject_calls()
    taken: list[int] = []
    refused: dict[str, str] = {}
    for timeout_s in TIMEOUTS_S:
        path = line.path()
        line.port.answers[path] = line.port.answers[f"{path}/amd"] = lambda _: twiml(hang_up())
        amd = Amd("async", timeout_s, callback=line.url(f"{path}/amd"))
        try:
            async with line.placed(path, amd=amd):
                taken.append(timeout_s)
        except Unanswered as failed:
            if timeout_s == 30:
                raise  # the default: something else is wrong
            refused[str(timeout_s)] = failed.code
    seen = f"taken: {', '.join(map(str, taken))} s; refused: {', '.join(refused) or 'none'}"
    now_s = site.config.outbound.amd_timeout_s
    settings = {"outbound.amd_timeout_s": min(max(now_s, min(taken)), max(taken))}
    word = "documented" if set(taken) == DOCUMENTED else "wider" if set(taken) > DOCUMENTED else "narrower"
    return Answer(word, seen, settings, {"taken_s": taken, **refused})


async def amd_stream(site: Site) -> Answer:
    """A call with asynchronous detection: does its media stream run beside it, and does the verdict come?"""
    line, port = site.the_line, site.the_line.port
    path, verdict = line.path(), f"{line.path()}/amd"
    token = secrets.token_hex(16)
    line.answer_calls()
    where = stream_url(site.config.server.public_url, token)
    port.answers[path] = lambda _: twiml(connect_stream(where))
    port.answers[verdict] = lambda _: twiml(hang_up())
    async with line.placed(path, amd=Amd("async", 30, callback=line.url(verdict))):
        stream = await port.stream(token, START_S)
        if stream is not None:
            await stream.until(lambda: bool(stream.media()), START_S)
        await port.until(lambda: bool(port.asked(verdict)), VERDICT_WITHIN_S - START_S)
        heard = stream is not None and bool(stream.media())
        who = [each.form.get("AnsweredBy", "") for each in port.asked(verdict)]
    line.reject_calls()
    ran = "ran" if heard else "did not run"
    now = site.config.outbound.amd
    instead = "sync" if now == "async" else now  # which is over before the stream begins
    seen = f"the media stream {ran}; the verdict {who[0] if who else 'did not come'}"
    if not heard:
        return Answer("no_stream", seen, {"outbound.amd": instead})
    if not who:
        return Answer("no_verdict", seen, {"outbound.amd": instead})
    return Answer("both", seen, {"outbound.amd": now}, {"answered_by": who[0]})


async def listed(site: Site) -> Answer:
    """How soon a call that was placed is found in Twilio's list."""
    line = site.the_line
    path = line.path()
    line.answer_calls()
    line.port.answers[path] = lambda _: twiml(wait(STAYS_S))
    async with line.placed(path) as call:
        began_s, took_s = trio.current_time(), None
        while took_s is None and trio.current_time() - began_s < LISTED_WITHIN_S:
            if call.sid in await call.find():
                took_s = trio.current_time() - began_s
            else:
                await trio.sleep(LOOK_S)
    line.reject_calls()
    if took_s is None:
        return Answer("too_late", f"not found within {LISTED_WITHIN_S:.0f} s")
    word = "soon" if took_s <= SOON_S else "within_40_s"
    return Answer(word, f"found {took_s:.1f} s after it was placed", facts={"took_s": round(took_s, 1)})


QUESTIONS = (
    Question(
        id="amd_stream",
        part=Part.TELEPHONE,
        asks="Does async detection cost a media fork, and is 3 to 59 s its range?",
        how="places a call with asynchronous detection and a media stream",
        answers={
            "both": "the media stream runs beside asynchronous detection, and the verdict comes",
            "no_stream": "with asynchronous detection the media stream does not run",
            "no_verdict": "asynchronous detection reports no verdict while a media stream runs",
        },
        settings=("outbound.amd",),
        bound=Bound(calls=1, call_s=CALL_S),
        limit_s=150.0,
        ask=amd_stream,
    ),
    Question(
        id="amd_range",
        part=Part.TELEPHONE,
        asks="Does async detection cost a media fork, and is 3 to 59 s its range?",
        how=f"places calls with limits of {', '.join(map(str, TIMEOUTS_S))} s, and hangs each up at once",
        answers={
            "documented": "3 to 59 s are taken, 2 and 60 s are refused",
            "wider": "more than 3 to 59 s are taken",
            "narrower": "not all of 3 to 59 s are taken",
        },
        settings=("outbound.amd_timeout_s",),
        bound=Bound(calls=len(TIMEOUTS_S), call_s=CALL_S),
        limit_s=300.0,
        ask=amd_range,
    ),
    Question(
        id="listed",
        part=Part.TELEPHONE,
        asks="How soon is a call in Twilio's list if the request to dial was not answered?",
        how="places a call and looks for it in Twilio's list",
        answers={
            "soon": "a call is in the list within 5 s",
            "within_40_s": "a call is in the list within 40 s, as long as llcphone looks",
            "too_late": "a call is not in the list within 40 s",
        },
        bound=Bound(calls=1, call_s=CALL_S),
        limit_s=150.0,
        ask=listed,
    ),
)
