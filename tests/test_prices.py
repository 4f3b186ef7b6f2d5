"""Price lists: read strictly, replaced whole, and honest about what they do not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llcphone import Config, ConfigError
from llcphone.call.setup_money import endpoint_rates
from llcphone.price_lists import SHIPPED, price_list
from llcphone.prices import Rates, parse_prices
from llcphone.realtime.events import Usage
from llcphone.realtime.usage import add

if TYPE_CHECKING:
    from pathlib import Path

RATES = Rates(
    input_text=4, input_audio=32, cached_text=0.4, cached_audio=0.4, output_text=16, output_audio=64
)
TABLE = "\n".join(f"{name} = {value}" for name, value in attrs.asdict(RATES).items())
HEAD = 'date = "2026-11-20"\nsource = "https://example.com/prices"\n'
LIST = f'{HEAD}[models."some-model"]\n{TABLE}\n'

counts = st.integers(0, 100_000)
usages = st.builds(
    lambda text, audio, cached_text, cached_audio, out_text, out_audio: Usage(
        text + cached_text, audio + cached_audio, cached_text, cached_audio, out_text, out_audio
    ),
    *[counts] * 6,
)


def test_a_million_tokens_of_a_kind_cost_what_the_list_says() -> None:
    million = 1_000_000
    assert RATES.cost_usd(Usage(input_text=million)) == 4
    assert RATES.cost_usd(Usage(input_audio=million)) == 32
    assert RATES.cost_usd(Usage(output_text=million)) == 16
    assert RATES.cost_usd(Usage(output_audio=million)) == 64


def test_cached_tokens_are_part_of_the_input_and_have_their_own_price() -> None:
    assert RATES.cost_usd(Usage(input_text=1_000, cached_text=1_000)) == pytest.approx(0.4 / 1_000)
    assert RATES.cost_usd(Usage(input_audio=1_000, cached_audio=250)) == pytest.approx(
        (750 * 32 + 250 * 0.4) / 1e6
    )


@given(usages, usages)
def test_two_responses_cost_what_they_cost_together(one: Usage, other: Usage) -> None:
    both = RATES.cost_usd(add(one, other))
    assert both >= 0
    assert both == pytest.approx(RATES.cost_usd(one) + RATES.cost_usd(other))


def test_the_shipped_list_says_its_date_and_knows_the_default_model() -> None:
    shipped = price_list()
    assert f"{shipped.date}.toml" == SHIPPED
    assert shipped.source.startswith("https://")
    assert shipped.rates(Config().realtime.model) == RATES


def test_a_model_with_a_date_in_its_name_has_the_price_of_the_one_without() -> None:
    shipped = price_list()
    assert shipped.rates("gpt-realtime-mini-2025-12-15") == shipped.rates("gpt-realtime-mini") is not None


def test_an_unknown_model_has_no_price_rather_than_a_price_of_nothing() -> None:
    assert price_list().rates("my-azure-deployment") is None
    assert price_list().rates("gpt-realtime-9") is None
    assert endpoint_rates(Config.from_dict({"realtime": {"model": "my-azure-deployment"}})) == (None,)


@pytest.mark.parametrize("model", ["gpt-live-1", "gpt-live-1.1", "gpt-live-1-2026-09-10"])
def test_a_voice_that_is_billed_by_the_minute_has_no_token_rates(model: str) -> None:
    assert price_list().minute_usd(model) == 0.05
    assert price_list().rates(model) is None


def test_a_model_that_is_billed_by_tokens_has_no_price_per_minute() -> None:
    assert price_list().minute_usd("gpt-realtime-1.5") is None
    assert price_list().minute_usd("unknown") is None


def test_a_text_model_has_rates_of_text_only() -> None:
    rates = price_list().rates("gpt-5.6-terra")
    assert rates == Rates(2, 0, 0.2, 0, 12, 0)
    assert rates.cost_usd(Usage(input_text=1_000_000, cached_text=500_000, output_text=100_000)) == (
        pytest.approx(0.5 * 2 + 0.5 * 0.2 + 0.1 * 12)
    )


@pytest.mark.parametrize("key", ["call_budget_usd", "day_budget_usd"])
def test_a_budget_for_a_model_without_a_price_is_refused(key: str) -> None:
    config = Config.from_dict({"realtime": {"model": "my-azure-deployment"}, "money": {key: 1.0}})
    with pytest.raises(ConfigError, match="no price") as refusal:
        endpoint_rates(config)
    assert refusal.value.key == f"money.{key}"


def test_a_list_of_ones_own_replaces_the_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(LIST)
    config = Config.from_dict(
        {"realtime": {"model": "some-model"}, "money": {"price_file": str(file), "call_budget_usd": 0.5}}
    )
    assert endpoint_rates(config) == (RATES,)
    assert price_list(str(file)).rates("gpt-realtime-1.5") is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not toml", "no TOML"),
        (LIST.replace("2026-11-20", "yesterday"), "date"),
        (LIST.replace("source", "origin"), "origin"),
        (HEAD, "table of rates"),
        (LIST.replace("cached_text = 0.4\n", ""), "exactly"),
        (LIST.replace("= 32", "= -1"), "input_audio"),
        (LIST.replace("= 32", "= inf"), "input_audio"),
        (LIST.replace("= 32", '= "32"'), "input_audio"),
        (LIST.replace("= 32", "= true"), "input_audio"),
        (f"{HEAD}[models]\nsome-model = 3\n", "exactly"),
        (f'{HEAD}[models."m"]\nper_minute = -0.1\n', "a minute"),
        (f'{HEAD}[models."m"]\nper_minute = 0.1\ninput_text = 1\n', "exactly"),
        (f'{HEAD}[models."m"]\ninput_text = 1\noutput_text = 1\n', "exactly"),
    ],
)
def test_a_list_that_is_none_is_refused_with_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_prices(text)


def test_a_list_that_cannot_be_read_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        price_list(str(tmp_path / "missing.toml"))
    assert refusal.value.key == "money.price_file"


def test_more_cached_than_given_costs_no_less_than_the_cached() -> None:
    assert RATES.cost_usd(Usage(input_text=10, cached_text=4_000)) >= 0
    assert RATES.cost_usd(Usage(input_audio=10, cached_audio=4_000, output_audio=1)) > 0
