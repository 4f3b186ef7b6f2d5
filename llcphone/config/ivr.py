"""Settings of [ivr]: keys of the AI IVR; they also work without a model."""

from __future__ import annotations

import re
from typing import Any

from attrs import frozen

from llcphone.config.fields import Rule, Section, are_texts, setting

_KEYS = Rule(
    "a table of destinations by key 0 to 9",
    lambda table: all(re.fullmatch("[0-9]", key) for key in table) and are_texts(table, ".+"),
)


@frozen(kw_only=True)
class IvrConfig(Section):
    """[ivr]: keys of the AI IVR; they also work without a model."""

    keys: dict[str, Any] = setting({}, _KEYS, private=True)
    """Key to destination, or to voicemail. Empty: 1 is the first destination, and so on."""
    menu_file: str = setting("", private=True, advanced=True)
    """8 kHz µ-law file that lists the keys when there is no model; "": it is made of shipped words."""
