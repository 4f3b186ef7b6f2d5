"""Settings of [routes]: which mode or module answers which number, unless [agent] names one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import frozen

from llcphone.config.fields import Rule, Section, are_texts, listing, matching, setting
from llcphone.errors import ConfigError
from llcphone.validation.phone_numbers import E164

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("ivr", "receptionist", "csr")
"""The inbound modes that ship; any other name is a Python file."""


_NUMBERS = listing(E164, "a list of +<country><number>, digits only")


_MODE = matching(r"ivr|receptionist|csr|.+\.py", f"one of {', '.join(MODES)}, or a Python file")


_FILES = Rule(
    "a table of Python files by number",
    lambda table: all(re.fullmatch(E164, number) for number in table) and are_texts(table, r".+\.py"),
)


@frozen(kw_only=True)
class RoutesConfig(Section):
    """[routes]: which mode or module answers which number, unless [agent] names one."""

    ivr: tuple[str, ...] = setting((), _NUMBERS, secret=True)
    """Numbers that the AI IVR answers; IVR_DID of llc-phone 3."""
    receptionist: tuple[str, ...] = setting((), _NUMBERS, secret=True)
    """Numbers of ours that the receptionist answers; RECEPTIONIST_DID of llc-phone 3."""
    csr: tuple[str, ...] = setting((), _NUMBERS, secret=True)
    """Numbers of ours that customer service answers; CSR_DID of llc-phone 3."""
    files: dict[str, Any] = setting({}, _FILES, secret=True)
    """Numbers of ours that modules of yours answer: number to Python file."""
    default: str = setting("receptionist", _MODE, private=True)
    """What answers every other number: a mode, or a Python file."""

    def check_together(self) -> None:
        """Each number has one route."""
        numbers = [*self.ivr, *self.receptionist, *self.csr, *self.files]
        if len(set(numbers)) < len(numbers):
            raise ConfigError("routes", "one number has two routes", "remove it from one of them")

    @property
    def table(self) -> Mapping[str, str]:
        """Number to mode or file."""
        named = {number: mode for mode in MODES for number in getattr(self, mode)}
        return named | self.files
