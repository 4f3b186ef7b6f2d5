"""Questions about what a session keeps: the cache of prompts, and an item after a refused truncate."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.question import Bound, Part, Question
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import ItemTruncated, ModelError, UnknownModelEvent
from llcphone.realtime.messages import CreateResponse, Truncate, UserText

if TYPE_CHECKING:
    from llcphone.certify.site import Site
    from llcphone.certify.talk import Talk

SIZES = (256, 512, 1024, 2048, 4096)
"""Tokens of the prompts that are tried."""
_WORDS = "one two six ten "
"""Four tokens; the bill says how many there were."""


# -- the cache ----------------------------------------------------------------------------------


async def cache(site: Site) -> Answer:
    """Each prompt is used twice in one session, then once in another one."""
    again: dict[int, int] = {}
    elsewhere: dict[int, int] = {}
    for size in SIZES:
        # Unlike any prompt before, from its first character on.
        prompt = f"{secrets.token_hex(8)}: {_WORDS * (size // 4)}"
        tokens, again_cached = await site.session(partial(_twice, site, prompt), within_s=40)
        again[tokens] = again_cached
        elsewhere[tokens] = await site.session(partial(_once, site, prompt), within_s=40)
    within, across = _first(again), _first(elsewhere)
    word = "across_sessions" if across else "within_a_session" if within else "never"
    # The key groups calls with the same beginning; only the flat dialect has a place for it.
    keyed = word == "within_a_session" and site.dialect is Dialect.FLAT
    key = (site.config.realtime.prompt_cache_key or "llcphone") if keyed else None
    seen = f"in the same session {_from(within)}; in another one {_from(across)}"
    facts = {"same_session": _table(again), "another_session": _table(elsewhere)}
    return Answer(word, seen, {"realtime.prompt_cache_key": key}, facts)


def _first(cached: dict[int, int]) -> int | None:
    return min((tokens for tokens, share in cached.items() if share), default=None)


def _from(tokens: int | None) -> str:
    return "nothing is cached" if tokens is None else f"prompts are cached from {tokens} tokens on"


def _table(cached: dict[int, int]) -> dict[str, int]:
    return {f"of {tokens}": count for tokens, count in cached.items()}


async def _twice(site: Site, prompt: str, talk: Talk) -> tuple[int, int]:
    """Tokens of the prompt, and how many of them were cached at its second use."""
    await talk.configure(site.fields(instructions=prompt))
    tokens = (await talk.response(CreateResponse("priming", priming=True))).done.usage.input_text
    return tokens, (await talk.response(CreateResponse("priming", priming=True))).done.usage.cached_text


async def _once(site: Site, prompt: str, talk: Talk) -> int:
    await talk.configure(site.fields(instructions=prompt))
    return (await talk.response(CreateResponse("priming", priming=True))).done.usage.cached_text


# -- truncate -----------------------------------------------------------------------------------


async def truncate(site: Site) -> Answer:
    """An answer is truncated five seconds behind its end; then the item is read again."""
    word, seen = await site.session(partial(_overlong, site), within_s=60)
    return Answer(word, seen)


async def _overlong(site: Site, talk: Talk) -> tuple[str, str]:
    await talk.configure(site.fields())
    talk.send(UserText("Hello, is anybody there?"))
    spoken = await talk.response(CreateResponse("certify"))
    if not spoken.item_id:
        raise Unanswered("no_sound")
    before = await _read(talk, spoken.item_id)
    talk.send(Truncate(spoken.item_id, spoken.audio_bytes // 8 + 5_000))
    refused = await _truncated(talk)
    after = await _read(talk, spoken.item_id)
    if before is None:
        raise Unanswered("item_not_found")
    if not refused:
        return "accepted", "the truncate was not refused"
    if after is None:
        return "removed", f"refused with {refused}; the item is gone"
    if after == before:
        return "unchanged", f"refused with {refused}; words and audio are as before"
    kept = [f"{name} {'kept' if after[name] == before[name] else 'changed'}" for name in before]
    return "changed", f"refused with {refused}; {', '.join(kept)}"


async def _truncated(talk: Talk) -> str:
    """The code of the refusal; "" when the item was truncated."""
    while True:
        heard = await talk.next()
        if isinstance(heard.event, ModelError):
            return heard.event.code or "error"
        if isinstance(heard.event, ItemTruncated):
            return ""


async def _read(talk: Talk, item_id: str) -> dict[str, Any] | None:
    """Words and size of an item, as the server keeps it; None: it has no such item."""
    talk.send_raw({"type": "conversation.item.retrieve", "item_id": item_id})
    while True:
        heard = await talk.next()
        if isinstance(heard.event, ModelError):
            return None
        if isinstance(heard.event, UnknownModelEvent) and heard.event.kind == "conversation.item.retrieved":
            item = msgspec.json.decode(heard.raw)["item"]
            parts = item.get("content") or []
            return {
                "words": "".join(part.get("transcript") or part.get("text") or "" for part in parts),
                "audio": sum(len(part.get("audio") or "") for part in parts),
            }


QUESTIONS = (
    Question(
        id="cache",
        part=Part.MODEL,
        asks="From which prompt length does the cache work?",
        how=f"sends prompts of about {', '.join(map(str, SIZES))} tokens three times each; nothing is spoken",
        answers={
            "across_sessions": "a prompt is cached for later sessions, too",
            "within_a_session": "a prompt is cached within its session only",
            "never": "no prompt of these lengths is cached",
        },
        settings=("realtime.prompt_cache_key",),
        # The prompts' own estimate is four characters a token; the bound takes three.
        bound=Bound(
            responses=3 * len(SIZES), output_tokens=16, input_tokens=sum(SIZES) * 4 // 3 // len(SIZES) + 50
        ),
        limit_s=300.0,
        ask=cache,
    ),
    Question(
        id="truncate",
        part=Part.MODEL,
        asks="What is left of an item after a refused truncate?",
        how="lets the model say a sentence, truncates it behind its end, and reads the item again",
        answers={
            "unchanged": "a refused truncate changes nothing",
            "changed": "a refused truncate changes the item",
            "removed": "a refused truncate removes the item",
            "accepted": "a truncate behind the end is not refused",
        },
        bound=Bound(responses=1, output_tokens=100, input_tokens=200),
        limit_s=60.0,
        ask=truncate,
    ),
)
