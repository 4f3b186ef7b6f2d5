"""Which questions are asked, on whose account, and the most that it costs: what a person agrees to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from llcphone.certify import formats, lifetime, memory, turns
from llcphone.certify.live import limits, sound, speaking
from llcphone.certify.live.session import MODELS
from llcphone.certify.question import Part, Question
from llcphone.certify.telephone import media, placing, webhooks
from llcphone.errors import ConfigError
from llcphone.price_lists import price_list
from llcphone.telemetry.redaction import masked_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llcphone.config import Config

QUESTIONS: tuple[Question, ...] = (
    *formats.QUESTIONS,
    *lifetime.QUESTIONS,
    *memory.QUESTIONS,
    *turns.QUESTIONS,
    *media.QUESTIONS,
    *webhooks.QUESTIONS,
    *placing.QUESTIONS,
    *speaking.QUESTIONS,
    *sound.QUESTIONS,
    *limits.QUESTIONS,
)
"""All of them, in the order in which they are asked: the dialect first, as the others speak it."""


@frozen
class Plan:
    """The questions of one run."""

    questions: tuple[Question, ...]
    to: str = ""
    """The number that is called; "": no call is placed."""

    @property
    def places_calls(self) -> bool:
        """Whether calls are placed."""
        return any(each.bound.calls for each in self.questions)

    def most_usd(self, config: Config) -> float | None:
        """The most that the vendor of the model charges; None: the price list does not name a model."""
        listed = price_list(config.money.price_file)
        rates, minute_usd = listed.rates(config.realtime.model), listed.minute_usd(MODELS[0])
        usd = 0.0
        for bound in (each.bound for each in self.questions):
            if (bound.responses and rates is None) or (bound.live_s and minute_usd is None):
                return None
            usd += bound.model_usd(rates) if rates is not None else 0.0
            usd += bound.live_s / 60 * (minute_usd or 0.0)
        return usd

    @property
    def minutes(self) -> int:
        """Begun minutes of telephone calls, at most."""
        return sum(each.bound.minutes for each in self.questions)

    @property
    def limit_s(self) -> float:
        """Longest time of all questions."""
        return sum(each.limit_s for each in self.questions)


def plan(only: Sequence[str] = (), *, long: bool = False, to: str = "") -> Plan:
    """Choose questions.

    Args:
        only: ids of questions, or parts (``model``, ``telephone``, ``live``); none: all.
        to: the number that is called.
        long: also those that take an hour or more.

    Raises:
        ConfigError: there is no such question.
    """
    known = {each.id for each in QUESTIONS} | {part.value for part in Part}
    if unknown := [name for name in only if name not in known]:
        names = ", ".join(sorted(known))
        raise ConfigError("--only", f"there is no question {unknown[0]}", f"use one of {names}")
    chosen = [
        each
        for each in QUESTIONS
        if (not only or each.id in only or each.part.value in only)
        and (long or not each.is_long or each.id in only)
    ]
    return Plan(tuple(chosen), to)


def usual_parts(config: Config) -> list[str]:
    """What is asked unless a person chooses: what the deployment uses."""
    model = Part.LIVE if config.realtime.protocol == "live" else Part.MODEL
    return [model.value, *([Part.TELEPHONE.value] if config.twilio.phone_number else [])]


def lines(plan: Plan, config: Config, folder: str) -> list[str]:
    """What is shown before a person agrees: what is done, on whose account, at what cost at most."""
    minutes = -(-round(plan.limit_s) // 60)
    told = [f"llcphone certify asks {len(plan.questions)} questions, in at most {minutes} minutes:"]
    told += [f"  {each.id:<16} {each.how}" for each in plan.questions]
    told.append(f"Account: {_account(config)}")
    if plan.places_calls:
        told.append(f"Twilio:  the account that ends in …{config.twilio.account_sid[-4:]}")
        told.append(f"Calls:   from {masked_number(config.twilio.phone_number)} to {masked_number(plan.to)}")
    told.append(f"Cost:    {cost(plan, config)}")
    told.append(f"Report:  {folder}/report.md, with the recorded events beside it, personal details replaced")
    return told


def _account(config: Config) -> str:
    key = config.realtime.api_key
    shown = f"the key that ends in …{key[-4:]}" if len(key) >= 20 else "no key" if not key else "a key"
    return f"{shown}, model {config.realtime.model}"


def cost(plan: Plan, config: Config) -> str:
    """The most that it costs, in words."""
    usd = plan.most_usd(config)
    listed = price_list(config.money.price_file)
    model = f"at most ${usd or 0:.2f} for the model (prices of {listed.date})"
    if usd is None:
        model = (
            f"unknown for the model: the price list of {listed.date} does not name {config.realtime.model}"
        )
    if not plan.minutes:
        return model
    return f"{model}, and at most {plan.minutes} begun minutes of telephone calls, each billed for both legs"
