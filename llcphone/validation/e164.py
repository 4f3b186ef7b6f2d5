"""Any spelling of a telephone number as E.164, by the package phonenumbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from llcphone.validation.phone_numbers import respelt

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_LONGEST_EXTENSION = 6
"""Digits; what is longer is a second number, which must not be lost from a list."""


def e164(text: str, country: str | None) -> str | None:
    """A number in any spelling as E.164; None if it is none.

    Args:
        text: "+44 (0)20 7946 0000", "tel:…", "(415) 555-2671 x5" (the extension is dropped), …
        country: ISO code of the country whose national numbers are understood too.
    """
    number = parsed(text, country)
    if number is not None and (today := respelt(written := canonical(number))) != written:
        number = parsed(today, None)
    if number is None or not is_possible(number) or len(number.extension or "") > _LONGEST_EXTENSION:
        return None
    return canonical(number)


def country_of(number: str) -> str | None:
    """ISO code of the country of an E.164 number; None when phonenumbers knows no such range."""
    found = parsed(number, None)
    return None if found is None else phonenumbers.region_code_for_number(found)


def parsed(text: str, country: str | None) -> PhoneNumber | None:
    """A number in any spelling, as phonenumbers reads it."""
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None


def is_possible(number: PhoneNumber) -> bool:
    """Whether its length exists; ``is_possible_number`` would take a number without its area code too."""
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def canonical(number: PhoneNumber) -> str:
    """It as E.164."""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
