"""Text that not every receiver takes is replaced; all other text is left as it is."""

from __future__ import annotations

import pytest

from llcphone.validation.text import clean_text, is_clean


@pytest.mark.parametrize(
    "text", ["", "José", "line\nline\ttab\r", "日本語", "\U0001f600", "\ufeff", "\x7f", "\x85", "\ufffd"]
)
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert clean_text(text) == text
    assert is_clean(text)


@pytest.mark.parametrize("odd", ["\x00", "\ud83d", "\x1b", "\x0b", "\uffff"])
def test_what_utf_8_or_postgresql_or_xml_refuse_is_replaced(odd: str) -> None:
    assert clean_text(f"Jos{odd}e") == "Jos\ufffde"
    assert not is_clean(odd)
    clean_text(odd).encode()
