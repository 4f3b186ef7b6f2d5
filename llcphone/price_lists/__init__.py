"""The shipped price list, and reading another one; what it means is ``llcphone.prices``.

Read once for the life of the process: a call's cost is of one list.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from llcphone.errors import ConfigError
from llcphone.prices import PriceList, parse_prices

SHIPPED = "2026-11-20.toml"


@lru_cache
def price_list(path: str = "") -> PriceList:
    """The list that ``money.price_file`` names, the shipped one when it is empty.

    Raises:
        ConfigError: the file cannot be read, or is no price list.
    """
    key = "money.price_file"
    if not path:
        return parse_prices(files(__name__).joinpath(SHIPPED).read_text("utf-8"), key)
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            key,
            f"cannot be read: {reason}",
            "name a TOML file of prices, or leave it empty for the shipped list",
        ) from None
    return parse_prices(text, key)
