"""What the model costs, by tokens or minutes: a dated list of prices, and the arithmetic of a bill. Pure.

Every number is an estimate by the list's date: the vendor bills, and may change its prices on any day.
A model that the list does not name has no price, which is something else than costing nothing: its
cost is None, and stays None through every sum.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from llcphone.realtime.events import Usage

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PER = 1_000_000


@attrs.frozen
class Rates:
    """US$ per million tokens of one model, by kind."""

    input_text: float
    input_audio: float
    cached_text: float
    cached_audio: float
    output_text: float
    output_audio: float

    def cost_usd(self, usage: Usage) -> float:
        """What these tokens cost; cached ones are part of the input and have a price of their own."""
        return (
            max(0, usage.input_text - usage.cached_text) * self.input_text
            + max(0, usage.input_audio - usage.cached_audio) * self.input_audio
            + usage.cached_text * self.cached_text
            + usage.cached_audio * self.cached_audio
            + usage.output_text * self.output_text
            + usage.output_audio * self.output_audio
        ) / _PER


@attrs.frozen
class PriceList:
    """The prices of one day."""

    date: str
    """The day on which they were read, YYYY-MM-DD."""
    source: str
    models: Mapping[str, Rates]
    minutes: Mapping[str, float]
    """US$ per minute of session of the models that are billed by time."""

    def rates(self, model: str) -> Rates | None:
        """The rates of a model by its name, or by its name without a date; None: it has no price here."""
        return self.models.get(model) or self.models.get(_undated(model))

    def minute_usd(self, model: str) -> float | None:
        """What a minute of session costs, by the same names; None: the list has no such price."""
        return self.minutes.get(model, self.minutes.get(_undated(model)))


def _undated(model: str) -> str:
    return re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model)


def parse_prices(text: str, key: str = "prices") -> PriceList:
    """Read a price list.

    Args:
        text: TOML with ``date``, ``source`` and a table of rates for each model under ``models``.
        key: the setting that names the file, for complaints.

    Raises:
        ConfigError: it is no such list; the text says what is wrong and where.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(key, f"is no TOML: {exc}", "correct that line") from None
    date, source, models = (data.pop(name, None) for name in ("date", "source", "models"))
    if data:
        raise ConfigError(
            key, f"has something besides date, source and models: {sorted(data)[0]}", "take it out"
        )
    if _DATE.fullmatch(str(date)) is None:
        raise ConfigError(key, "has no date on which the prices were read", 'add date = "YYYY-MM-DD"')
    if not isinstance(source, str) or not source:
        raise ConfigError(key, "has no source", "add source, the page that the prices were read from")
    if not isinstance(models, Mapping) or not models:
        raise ConfigError(
            key, "has no table of rates", 'add a table for each model, such as [models."gpt-realtime-1.5"]'
        )
    tables = {name: _table(name, table, key) for name, table in models.items()}
    return PriceList(
        date=str(date),
        source=source,
        models={name: Rates(**(_NO_AUDIO | t)) for name, t in tables.items() if _PER_MINUTE not in t},
        minutes={name: table[_PER_MINUTE] for name, table in tables.items() if _PER_MINUTE in table},
    )


_PER_MINUTE = "per_minute"
_BY_TOKEN = frozenset(each.name for each in attrs.fields(Rates))
_OF_TEXT = frozenset({"input_text", "cached_text", "output_text"})
_NO_AUDIO = dict.fromkeys(_BY_TOKEN - _OF_TEXT, 0.0)


def _table(model: str, table: Any, key: str) -> dict[str, float]:
    """A model's prices: of its tokens, of text tokens only, or of a minute."""
    if not isinstance(table, Mapping) or set(table) not in (_BY_TOKEN, _OF_TEXT, {_PER_MINUTE}):
        names = [each.name for each in attrs.fields(Rates)]
        raise ConfigError(
            key,
            f"models.{model} has not exactly the rates of a model",
            f"give it exactly: {', '.join(names)}; or only those of text; or only {_PER_MINUTE}",
        )
    for name, value in table.items():
        if type(value) not in (int, float) or not 0 <= value < float("inf"):
            unit = "a minute" if name == _PER_MINUTE else "per million tokens"
            raise ConfigError(key, f"models.{model}.{name} is no price", f"give US$ {unit}, 0 or more")
    return {name: float(value) for name, value in table.items()}
