"""Texts are cut to an estimate of tokens, between words, and nothing is lost between the pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llcphone.live.tokens import APPEND_TOKENS, estimated_tokens, fitting, pieces

TEXTS = st.text(st.sampled_from("ab é漢\n "), max_size=300)
LIMITS = st.integers(2, 40)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("word", 2), ("a" * 400, 115), ("漢" * 200, 115)])
def test_an_estimate_has_a_margin(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


def test_the_measured_spanish_texts_are_on_their_sides_of_the_limit() -> None:
    assert len(fitting("a" * 1_900, APPEND_TOKENS)) < 1_750
    assert len(fitting("a" * 1_900, APPEND_TOKENS)) > 1_700
    assert len(fitting("漢" * 1_900, APPEND_TOKENS)) < 1_000


def test_a_text_is_cut_between_words() -> None:
    text = "one two three four five six seven eight nine ten"
    assert fitting(text, 5) == "one two three"
    assert pieces(text, 5) == ["one two three", "four five six", "seven eight", "nine ten"]


def test_a_word_that_is_too_long_is_cut() -> None:
    assert [len(each) for each in pieces("x" * 20, 3)] == [8, 8, 4]


@given(TEXTS, LIMITS)
def test_no_piece_is_too_long_and_no_character_is_lost(text: str, most: int) -> None:
    parts = pieces(text, most)
    assert all(part.strip() and estimated_tokens(part) <= most for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert fitting(text, most) in ("", *[text[: len(text) - n].rstrip() for n in range(len(text) + 1)])
    assert estimated_tokens(fitting(text, most)) <= most


@given(TEXTS)
def test_what_fits_is_left_as_it_is(text: str) -> None:
    assert fitting(text, 1_000) == text.rstrip()
    assert pieces(text, 1_000) == ([text.strip()] if text.strip() else [])
