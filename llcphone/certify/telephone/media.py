"""Questions about media streams: the upgrade's signature, frames, marks, the longest message."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trio
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.question import Bound, Part, Question
from llcphone.certify.speech import sentence
from llcphone.certify.telephone.line import CALL_S
from llcphone.twilio.addresses import spellings
from llcphone.twilio.twiml import websocket_url

if TYPE_CHECKING:
    from llcphone.certify.site import Site
    from llcphone.certify.telephone.stream import Stream
    from llcphone.config import Config

FRAME_BYTES = 160
"""20 ms."""
LISTEN_S = 20.0
GAP_MS = 200
"""A pause between two frames that jitter does not explain."""
SILENT_S = 1.5
MARK_WAIT_S = 10.0
AT_ONCE_MS = 1_000
SIZES = (2_000, 16_000, 64_000, 256_000, 1_000_000)
"""Bytes of base64 in one message; llcphone's own are the first."""
HEARD_WITHIN_S = 4.0

_ONE = Bound(calls=1, call_s=CALL_S)


# -- the signature ------------------------------------------------------------------------------


async def signature(site: Site) -> Answer:
    """What was signed is found by trying: the address as it is, with a slash, in other spellings."""
    async with site.the_line.legs() as legs:
        stream = legs.callee
    if not stream.signature:
        return Answer("unsigned", "the upgrade carries no signature")
    found = signed_text(site.config, stream)
    shown = {"server.public_url": site.config.server.public_url}
    if found is None:
        return Answer("something_else", "neither the address, nor with a slash, nor in another spelling")
    kind, base = found
    if kind == "other_spelling":
        return Answer(kind, "the address in another spelling of its host", {"server.public_url": base})
    return Answer(
        kind, "the address as it is configured" + (", and a slash" if kind == "slash" else ""), shown
    )


def signed_text(config: Config, stream: Stream) -> tuple[str, str] | None:
    """Which text was signed, and the public URL that it belongs to; None: none that is known."""
    validator = RequestValidator(config.twilio.auth_token)
    public = config.server.public_url
    plain = websocket_url(public) + stream.path.removeprefix(urlsplit(public).path.rstrip("/"))
    secure = "wss://" + plain.partition("://")[2]

    def is_signed(text: str) -> bool:
        return bool(validator.compute_signature(text, {}) == stream.signature)

    for kind, slash in (("plain", ""), ("slash", "/")):
        if is_signed(secure + slash) or is_signed(plain + slash):
            return kind, public
    for each in spellings(secure, stream.host):
        if is_signed(each) or is_signed(f"{each}/"):
            scheme, host = urlsplit(public).scheme, urlsplit(each).netloc
            return "other_spelling", f"{scheme}://{host}{urlsplit(public).path}"
    return None


# -- frames -------------------------------------------------------------------------------------


async def frames(site: Site) -> Answer:
    """What the called leg receives while the calling one sends nothing at all."""
    async with site.the_line.legs() as legs:
        began_s = trio.current_time()
        await legs.callee.until(lambda: False, LISTEN_S)
        if legs.callee.ended is not None:
            raise Unanswered("stream_ended")
        received = legs.callee.media(began_s)
    times = [began_s, *(each.at_s for each in received), began_s + LISTEN_S]
    longest_ms = max(round((after - before) * 1000) for before, after in pairwise(times))
    sizes = sorted({len(each.audio) for each in received})
    now_s = site.config.call.media_timeout_s
    seen = (
        f"{len(received)} frames of {sizes or 'no'} bytes in {LISTEN_S:.0f} s; longest pause {longest_ms} ms"
    )
    facts = {"frames": len(received), "sizes": sizes, "longest_pause_ms": longest_ms}
    if longest_ms > GAP_MS:
        # Marks keep such a call, if they come back: see the question about them.
        wanted_s = max(now_s, 2.0 * -(-longest_ms // 1000))
        return Answer("pauses", seen, {"call.media_timeout_s": wanted_s}, facts)
    word = "steady" if sizes == [FRAME_BYTES] else "other_sizes"
    return Answer(word, seen, {"call.media_timeout_s": now_s}, facts)


# -- marks --------------------------------------------------------------------------------------


async def marks(site: Site) -> Answer:
    """A mark to a leg that has nothing to play."""
    async with site.the_line.legs() as legs:
        await trio.sleep(1.0)
        sent_s = trio.current_time()
        legs.callee.mark("certify")
        await legs.callee.until(lambda: legs.callee.mark_s("certify") is not None, MARK_WAIT_S)
        back_s = legs.callee.mark_s("certify")
        if legs.callee.ended is not None:
            raise Unanswered("stream_ended")
    if back_s is None:
        seen = f"no mark came back within {MARK_WAIT_S:.0f} s"
        return Answer("never", seen, {"call.media_timeout_s": 300.0})
    took_ms = round((back_s - sent_s) * 1000)
    now_s = site.config.call.media_timeout_s
    seen, facts = f"the mark came back after {took_ms} ms", {"took_ms": took_ms}
    if took_ms <= AT_ONCE_MS:
        return Answer("at_once", seen, {"call.media_timeout_s": now_s}, facts)
    return Answer("late", seen, {"call.media_timeout_s": now_s + -(-took_ms // 1000)}, facts)


# -- the longest message ------------------------------------------------------------------------


async def message_size(site: Site) -> Answer:
    """Longer and longer messages from the calling leg: are they heard on the called one?"""
    taken: list[int] = []
    async with site.the_line.legs() as legs:
        for size in SIZES:
            words = sentence()
            audio = (words * (size // len(words) + 1))[: size // 4 * 3]
            is_heard = partial(legs.callee.loud, trio.current_time())
            legs.caller.say(audio)
            if not await legs.callee.until(is_heard, HEARD_WITHIN_S):
                break
            taken.append(size)
            legs.caller.clear()
            await trio.sleep(SILENT_S)
    seen = f"heard up to {taken[-1] if taken else 0} bytes of {SIZES[-1]}"
    word = "no_limit" if len(taken) == len(SIZES) else "limit" if taken else "too_short"
    return Answer(word, seen, facts={"longest_taken": taken[-1] if taken else 0})


QUESTIONS = (
    Question(
        id="signature",
        part=Part.TELEPHONE,
        asks="Which string exactly does Twilio sign for the upgrade?",
        how="places a call and compares the signature of its media stream with each possible address",
        answers={
            "plain": "the address of the stream as llcphone wrote it",
            "slash": "the address of the stream and a slash",
            "other_spelling": "the address in another spelling of its host",
            "unsigned": "the upgrade is not signed",
            "something_else": "something that llcphone does not know",
        },
        settings=("server.public_url",),
        bound=_ONE,
        limit_s=120.0,
        ask=signature,
    ),
    Question(
        id="frames",
        part=Part.TELEPHONE,
        asks="Is a frame always 20 ms, also in silence, on hold and when muted?",
        how=f"places a call and sends nothing for {LISTEN_S:.0f} s (hold and mute need a person: not asked)",
        answers={
            "steady": "frames of 20 ms come without a pause, also in silence",
            "other_sizes": "frames come without a pause in silence, but not all of them are 20 ms long",
            "pauses": "no frames come in silence",
        },
        settings=("call.media_timeout_s",),
        bound=_ONE,
        limit_s=150.0,
        ask=frames,
    ),
    Question(
        id="marks",
        part=Part.TELEPHONE,
        asks="Is a mark returned at once when nothing is queued, on hold too?",
        how="places a call and sends a mark in silence (hold needs a person: not asked)",
        answers={
            "at_once": "a mark comes back at once when nothing is queued",
            "late": "a mark comes back late when nothing is queued",
            "never": "a mark does not come back when nothing is queued",
        },
        settings=("call.media_timeout_s",),
        bound=_ONE,
        limit_s=120.0,
        ask=marks,
    ),
    Question(
        id="message_size",
        part=Part.TELEPHONE,
        asks="How long may a message on a stream be?",
        how=f"places a call and sends audio in messages of {SIZES[0]} to {SIZES[-1]} bytes",
        answers={
            "no_limit": "messages of all these lengths are played",
            "limit": "longer messages are not played; those that llcphone sends are",
            "too_short": "not even messages as long as llcphone's own are played",
        },
        bound=_ONE,
        limit_s=150.0,
        ask=message_size,
    ),
)
