"""Which agent answers: by the number that was dialled, as ``[routes]`` says; what we place has a scenario."""

from __future__ import annotations

import inspect
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from llcphone.agent import Agent, Agents
from llcphone.errors import ConfigError
from llcphone.modes import csr, ivr, outbound, receptionist
from llcphone.modes.base import House
from llcphone.twilio.forms import direction_of
from llcphone.validation.phone_numbers import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.config import Config

INBOUND: dict[str, Callable[[House], Agent]] = {
    "receptionist": receptionist.make,
    "ivr": ivr.make,
    "csr": csr.make,
}

_OUTBOUND = "custom"
"""The agent for a placed call that names none."""


@attrs.frozen
class Routed(Agents):
    """The agents of a house, and which of our numbers is whose."""

    numbers: Mapping[str, str]
    """Number, by its identity, to agent."""
    otherwise: str

    def __call__(self, form: Mapping[str, str]) -> Agent:
        """The agent that answers this call, or speaks in it if we placed it."""
        if direction_of(form) == "outbound":
            return self.by_name[_OUTBOUND]
        dialled = re.search(r"\+[0-9]+", form.get("To", ""))  # a SIP address has the number in it
        return self.by_name[self.numbers.get(identity(dialled[0]) if dialled else "", self.otherwise)]


def routed(
    config: Config, load: Callable[[Path, Config], Agent | Agents], *, clock: Callable[[], float] = time.time
) -> Routed:
    """The modes of a configuration, ready to answer; ``load`` reads a Python file of the user's.

    Raises:
        ConfigError: a setting or a file cannot be used.
    """
    house = House(config, clock)
    _check(house)
    agents = {name: make(house) for name, make in INBOUND.items()} | outbound.agents(house)
    table: dict[str, str] = {**config.routes.table, "": config.routes.default}
    files = {str(who) for who in table.values() if who not in INBOUND}
    for who in sorted(files):
        agent = load(Path(who), config)
        if not isinstance(agent, Agent):
            raise ConfigError(
                "routes.files",
                f"{who} does not define one agent",
                "define agent = llcphone.Agent(...), or make(house) that returns one",
            )
        agents[who] = agent
    otherwise = table.pop("")
    return Routed(agents, {identity(number): who for number, who in table.items()}, otherwise)


def _check(house: House) -> None:
    """Report now what a caller would find out later."""
    company = house.config.company
    _ = house.zone
    known = {"", *house.destinations}
    for key, names in (
        ("company.escalate_to", {company.escalate_to}),
        ("company.desk_hours", set(company.desk_hours)),
    ):
        if unknown := names - known:
            raise ConfigError(
                key,
                f"{min(unknown)}: there is no such name in transfers.destinations",
                "add it there, or name one that is there",
            )


def source_of(mode: str, house: House | None = None) -> str:
    """The text of a mode's module, to be copied and edited; its prompts in the company's language.

    Raises:
        ConfigError: there is no such mode.
    """
    modules = {"ivr": ivr, "receptionist": receptionist, "csr": csr, "outbound": outbound}
    if mode not in modules:
        raise ConfigError("mode", "there is no such mode", f"use one of {', '.join(modules)}")
    module = modules[mode]
    source = inspect.getsource(module)
    scenarios: Mapping[str, str] = getattr(module, "SCENARIOS", {})
    if house is None:
        return source
    for name, english in {"": module.PROMPT, **scenarios}.items():
        source = source.replace(f'"""{english}"""', f'"""{house.prompt(mode, english, name)}"""')
    return source
