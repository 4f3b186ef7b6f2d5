"""Tokens added up over a call."""

from __future__ import annotations

import pytest

from llcphone.realtime.events import Usage
from llcphone.realtime.usage import add, cached_share, cached_tokens, input_tokens

GREETING = Usage(input_text=120, cached_text=64, output_text=20, output_audio=60)
ANSWER = Usage(150, 30, 128, 10, 15, 80)


def test_two_responses_are_added_kind_by_kind() -> None:
    assert add(GREETING, ANSWER) == Usage(270, 30, 192, 10, 35, 140)


def test_the_sums_count_cached_tokens_as_input() -> None:
    assert (input_tokens(ANSWER), cached_tokens(ANSWER)) == (180, 138)


def test_the_cached_share_is_of_the_whole_call() -> None:
    assert cached_share(add(GREETING, ANSWER)) == pytest.approx(202 / 300)


def test_a_call_without_responses_cost_nothing() -> None:
    assert cached_share(Usage()) == 0.0
