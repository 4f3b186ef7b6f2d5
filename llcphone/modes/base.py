"""What the shipped modes share: the company they speak for, how they speak, and what code checks for them.

A mode is a function ``make(house) -> Agent``. Text that is the same in every call is in the static prompt,
so that it is cached. The rest (the time, the greeting, the caller) is the brief of each call and comes last.

Code decides two things, because a caller can talk a model out of any prompt:

    vouched     whether the caller's number proves their identity: attestation A, or a setting that says so
    agreed      whether the caller has spoken since a change was read back to them
"""

from __future__ import annotations

import datetime
import functools
import importlib
import re
import time
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.agent import Agent
from llcphone.errors import ConfigError
from llcphone.languages import base_of
from llcphone.modes import hours
from llcphone.runtime.time_zones import zone_of
from llcphone.store import BookingRefused, StoreUnavailable
from llcphone.validation.phone_numbers import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Unpack

    from llcphone.config import Config
    from llcphone.tools.call_handle import CallHandle
    from llcphone.tools.schema import ToolFunction
    from llcphone.tools.tool import ToolOptions

Json = dict[str, Any]


@attrs.frozen
class House:
    """Whom the modes speak for."""

    config: Config
    clock: Callable[[], float] = time.time
    """Unix time."""

    @property
    def zone(self) -> datetime.tzinfo:
        """The company's time zone.

        Raises:
            ConfigError: it does not exist, or this machine has no table of time zones.
        """
        return zone_of(self.config.company.time_zone, "company.time_zone")

    def now(self) -> datetime.datetime:
        """Local time."""
        return datetime.datetime.fromtimestamp(self.clock(), self.zone)

    @property
    def destinations(self) -> list[str]:
        """The destinations that can be dialled, by name."""
        return list(self.config.transfers.destinations)

    @property
    def human(self) -> str:
        """The destination for callers who want a person; empty: there is none."""
        return self.config.company.escalate_to or next(iter(self.destinations), "")

    def named(self, spoken: str) -> str:
        """The destination a model means; empty: there is none of that name."""
        name = re.sub(r"[^a-z0-9]+", "_", spoken.strip().lower()).strip("_")
        same = {re.sub(r"[^a-z0-9]+", "_", each): each for each in self.destinations}
        return same.get(name, "")

    # -- in the company's language ----------------------------------------------------------------

    def sentence(self, name: str, /, **values: object) -> str:
        """A sentence in the company's language, with these values in their places."""
        return self.config.company.sentence(name).format(**values)

    def say(self, when: datetime.datetime) -> str:
        """A time as it is read out."""
        return hours.say(self.config, when)

    def prompt(self, module: str, english: str, scenario: str = "") -> str:
        """A shipped mode's prompt in the company's language; of an edited copy, its ``english`` text."""
        shipped = importlib.import_module(f"llcphone.modes.{module}")
        usual = shipped.SCENARIOS[scenario] if scenario else shipped.PROMPT
        company, name = self.config.company, scenario or module
        in_english = base_of(company.language) == "en" and name not in company.sentences
        return english if english != usual or in_english else company.sentence(name)

    # -- what is said of a call -------------------------------------------------------------------

    @property
    def intro(self) -> str:
        """The agent's role and what it may reveal, for static prompts."""
        company = self.config.company
        intro = self.sentence("intro", assistant=company.assistant, company=company.name)
        about = self.sentence("about", company=company.name, about=company.about)
        return f"{intro}\n{about}" if company.about else intro

    def greeting(self) -> str:
        """The first sentence of a call that comes in."""
        company = self.config.company
        wish = hours.wish(self.config, self.now())
        usual = self.sentence("greeting", wish=wish, company=company.name, assistant=company.assistant)
        return company.greeting or usual

    def hours_now(self, desk: str = "") -> str:
        """Whether somebody is there, and until or from when."""
        now = self.now()
        if (closes := hours.closes_at(self.config, now, desk)) is not None:
            always = not self.config.company.desk_hours.get(desk, self.config.company.hours)
            return self.sentence("open") if always else self.sentence("open_until", time=f"{closes:%H:%M}")
        opens = hours.opens_at(self.config, now, desk)
        return (
            self.sentence("closed") if opens is None else self.sentence("closed_until", when=self.say(opens))
        )

    def brief(self, call: CallHandle) -> str:
        """The last part of this call's prompt."""
        lines = [self.sentence("brief", now=self.say(self.now()), hours=self.hours_now())]
        if call.direction == "inbound":
            known = self.sentence("brief_number", digits=" ".join(call.caller[-4:]))
            lines.append(known if is_number(call.caller) else self.sentence("brief_withheld"))
            lines.append(self.sentence("brief_greeting", greeting=self.greeting()))
        return " ".join(lines)

    # -- what code decides -------------------------------------------------------------------------

    def vouched(self, call: CallHandle) -> bool:
        """Whether the caller's number proves their identity; kept when the call continues in another run."""
        attested = call.state.setdefault("attestation", call.attestation) == "A"
        known = call.direction == "inbound" and is_number(call.caller)
        return known and (attested or self.config.company.trust_caller_id)

    def callback_number(self, call: CallHandle, spoken: str = "") -> str:
        """Where the caller can be reached: a number that is vouched for goes before a spoken one."""
        number = "+" * spoken.strip().startswith("+") + re.sub(r"\D", "", spoken)
        if self.vouched(call) or len(number) < 6:
            return person(call) if is_number(person(call)) else "unknown"
        return number


def person(call: CallHandle) -> str:
    """The number of the person on the line, in inbound and outbound calls."""
    return call.caller if call.direction == "inbound" else call.dialled


def agreed(call: CallHandle, change: str) -> bool:
    """Whether the caller has spoken since this very change was proposed; if not, it is proposed now.

    Only the last proposal counts: a caller who returns to an earlier one is asked again.
    """
    proposed, turns = call.state.get("proposed", ("", 0))
    if proposed == change and call.caller_turns > turns:
        del call.state["proposed"]
        return True
    if proposed != change:
        call.state["proposed"] = [change, call.caller_turns]
    return False


def make_agent(
    house: House,
    name: str,
    prompt: str,
    *,
    voice: str,
    cache_key: str,
    cue: str = "",
    settings: Mapping[str, Json] | None = None,
) -> Agent:
    """An agent with the company's rules and brief, a clock, and a way to hang up.

    Args:
        prompt: what is its own in the static prompt.
        cache_key: groups its calls in the vendor's prompt cache; one per prompt.
        cue: what makes it speak first; empty: the greeting of the brief is asked for.
        settings: sections of the configuration that are other for it.
    """
    sections = {key: dict(table) for key, table in (settings or {}).items()}
    sections["realtime"] = {"prompt_cache_key": cache_key, **sections.get("realtime", {})}
    agent = Agent(
        "\n\n".join([house.intro, prompt.strip(), house.sentence("rules")]),
        name=name,
        voice=voice,
        greeting_cue=cue or house.sentence("inbound_cue"),
        settings=sections,
    )
    agent.brief(house.brief)

    @offer(agent, lean=True)
    async def get_current_time() -> str:
        """The date and time where the company is, and whether it is open."""
        return f"{house.say(house.now())}; {house.hours_now()}"

    agent.offer_hang_up()
    return agent


def offer(agent: Agent, **options: Unpack[ToolOptions]) -> Callable[[ToolFunction], ToolFunction]:
    """``agent.tool``, where the model gets expected failures as text that it can pass on."""

    def add(function: ToolFunction) -> ToolFunction:
        @functools.wraps(function)
        async def told(**arguments: Any) -> Any:
            try:
                return await function(**arguments)
            except StoreUnavailable:
                return {"error": "the records cannot be reached now; say so, and offer a call back"}
            except BookingRefused as exc:
                return {"saved": False, "why": str(exc), "code": exc.code}
            except ConfigError:  # its text is for the operator, not for callers
                why = "this could not be finished, because something is not set up here"
                return {"error": f"{why}; say so, and offer to take a message instead"}

        agent.tool(**options)(told)
        return function

    return add
