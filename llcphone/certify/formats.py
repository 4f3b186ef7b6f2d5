"""Questions about what a session takes: the dialect, µ-law, and which models there are."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from llcphone.call.model_leg import NO_SESSION, failure_word
from llcphone.certify.answer import Answer, Unanswered
from llcphone.certify.question import AUDIO_TOKENS_PER_S, Bound, Part, Question
from llcphone.certify.speech import sentence
from llcphone.doctor.model import judge_model, models_of, told_of
from llcphone.doctor.report import Status
from llcphone.price_lists import price_list
from llcphone.realtime.dialects import Dialect
from llcphone.realtime.events import ModelError
from llcphone.realtime.messages import AppendAudio, CommitInput, CreateResponse
from llcphone.realtime.profiles import known_dialect
from llcphone.realtime.session import confirms_ulaw

if TYPE_CHECKING:
    from llcphone.certify.site import Site
    from llcphone.certify.talk import Talk
    from llcphone.config import Config

SESSION_S = 15.0
OUTPUT_TOKENS_PER_S = 20
"""Of what the agent says (OpenAI costs, in docs/vendor-facts.md)."""
_HALF, _TWICE = 0.5, 2.0
"""Between them a size counts as expected: tokens are rounded; a wrong format is six times as large."""


async def accepts(site: Site, dialect: Dialect, model: str = "") -> str:
    """Whether a session is confirmed: "", else why not, in a word."""

    async def talk(session: Talk) -> str:
        answer = await session.try_update(site.fields())
        if isinstance(answer, ModelError):
            return answer.code or "error"
        return "" if confirms_ulaw(answer) else "audio_format"

    try:
        return await site.session(talk, within_s=SESSION_S, dialect=dialect, model=model)
    except NO_SESSION as exc:
        return failure_word(exc)


async def find_dialect(site: Site) -> None:
    """Settle in which dialect the other questions are asked: the configured one, or the first accepted."""
    if site.dialect is not None:
        return
    site.dialect = known_dialect(site.config.realtime)
    if site.dialect is not None:
        return
    for each in (Dialect.GA, Dialect.FLAT):
        if await accepts(site, each) in ("", "audio_format"):
            site.dialect = each
            return


async def dialect(site: Site) -> Answer:
    """Both dialects in turn."""
    refusals = {each.value: await accepts(site, each) for each in (Dialect.FLAT, Dialect.GA)}
    # A session that answers with another audio format does speak the dialect.
    spoken = [name for name, why in refusals.items() if why in ("", "audio_format")]
    word = "both" if len(spoken) == 2 else spoken[0] if spoken else "neither"
    seen = "; ".join(f"{name}: {why or 'accepted'}" for name, why in refusals.items())
    settings = {} if word == "neither" else {"realtime.dialect": "auto" if word == "both" else word}
    return Answer(word, seen, settings, refusals)


async def ulaw(site: Site) -> Answer:
    """Every model of the price list is opened; the configured one also hears and says a sentence."""
    spelt, ours = site.dialect or Dialect.GA, site.config.realtime.model
    refusals = {model: await accepts(site, spelt, model) for model in _models(site.config)}
    takes = [model for model, why in refusals.items() if not why]
    there = [model for model, why in refusals.items() if why in ("", "audio_format")]
    seen = "; ".join(f"{model}: {why or 'confirmed'}" for model, why in refusals.items())
    if refusals[ours] == "":
        heard, said = await site.session(partial(_sizes, site), within_s=60)
        seen += f". {ours}: {heard:.2f} of the expected size heard, {said:.2f} said"
        if not (_HALF < heard < _TWICE and _HALF < said < _TWICE):
            others = [model for model in takes if model != ours]
            return Answer("confirmed_only", seen, {"realtime.model": others[0]} if others else {}, refusals)
        word = "all" if takes == there else "some"
        return Answer(word, seen, {"realtime.model": ours}, refusals)
    if takes:
        return Answer("others", seen, {"realtime.model": takes[0]}, refusals)
    return Answer("none", seen, {}, refusals)


async def _sizes(site: Site, talk: Talk) -> tuple[float, float]:
    """What the model heard and said, as parts of what 8 kHz µ-law would be."""
    await talk.configure(site.fields(turn_detection="none"))
    audio = sentence() * 3
    talk.send(AppendAudio(base64.b64encode(audio)))
    talk.send(CommitInput())
    spoken = await talk.response(CreateResponse("certify"))
    usage = spoken.done.usage
    if not (usage.input_audio and usage.output_audio and spoken.audio_bytes):
        raise Unanswered("no_usage")
    heard = usage.input_audio / (len(audio) / 8000 * AUDIO_TOKENS_PER_S)
    return heard, spoken.audio_bytes / (usage.output_audio / OUTPUT_TOKENS_PER_S * 8000)


def _models(config: Config) -> list[str]:
    """The configured model, then those of the price list, which other endpoints than OpenAI's do not know."""
    ours = config.realtime.model
    listed = price_list(config.money.price_file).models if _is_openai(config) else {}
    spoken = [model for model, rates in listed.items() if rates.output_audio]
    return [ours, *(model for model in spoken if model != ours)]


def _is_openai(config: Config) -> bool:
    return urlsplit(config.realtime.url).path == "/v1/realtime" and "model=" not in config.realtime.url


async def end_of_model(site: Site) -> Answer:
    """What the endpoint's list of models and llcphone's own list say of the configured model."""
    named = models_of(site.config)[0]
    told = await told_of(site.config, named)
    found = judge_model(named, datetime.fromtimestamp(site.now(), UTC).date(), told)
    word = {Status.PASS: "available", Status.WARN: "ends_soon", Status.FAIL: "gone"}.get(found.status, "")
    if not word or isinstance(told, str) or told.status in (401, 403):
        raise Unanswered("list_of_models")
    if word == "ends_soon" and told.status == 404:
        return Answer("not_listed", found.evidence)
    model = site.config.realtime.model
    if word == "available":
        return Answer(word, found.evidence, {"realtime.model": model})
    return Answer(word, found.evidence, {"realtime.model": await _another(site)})


async def _another(site: Site) -> str:
    """The first model of the price list that is available, and for longer.

    Raises:
        Unanswered: there is none.
    """
    today = datetime.fromtimestamp(site.now(), UTC).date()
    for model in _models(site.config)[1:]:
        config = attrs.evolve(site.config, realtime=attrs.evolve(site.config.realtime, model=model))
        named = models_of(config)[0]
        if judge_model(named, today, await told_of(config, named)).status is Status.PASS:
            return model
    raise Unanswered("no_other_model")


QUESTIONS = (
    Question(
        id="dialect",
        part=Part.MODEL,
        asks="Which dialect does an endpoint accept?",
        how="opens a session in each dialect and configures it",
        answers={
            "ga": "only the nested format is accepted",
            "flat": "only the flat format is accepted",
            "both": "both formats are accepted",
            "neither": "no session is accepted",
        },
        settings=("realtime.dialect",),
        limit_s=3 * SESSION_S,
        ask=dialect,
    ),
    Question(
        id="ulaw",
        part=Part.MODEL,
        asks="Does every model accept µ-law both ways? (two reports say no)",
        how="configures a session of each model of the price list; the configured one answers one sentence",
        answers={
            "all": "every model that the account has confirms µ-law; the configured one hears and sends it",
            "some": "the configured model hears and sends µ-law; other models do not confirm it",
            "others": "the configured model gives no session with µ-law, another one does",
            "confirmed_only": "the configured model confirms µ-law, but hears or sends something else",
            "none": "no model gives a session with µ-law",
        },
        settings=("realtime.model",),
        bound=Bound(responses=1, output_tokens=100, input_tokens=400, input_audio_s=10),
        limit_s=240.0,
        ask=ulaw,
    ),
    Question(
        id="end_of_model",
        part=Part.MODEL,
        asks="When is `gpt-realtime-1.5` switched off?",
        how="reads the endpoint's list of models",
        answers={
            "available": "the configured model is available, and nothing says that it ends within 90 days",
            "ends_soon": "the configured model is switched off within 90 days",
            "gone": "the configured model is not available",
            "not_listed": "this endpoint has no list of models",
        },
        settings=("realtime.model",),
        limit_s=90.0,
        ask=end_of_model,
    ),
)
