"""Notes: a class for each kind, whose text and plain fields are what logs and events had before."""

from __future__ import annotations

import pytest

from llcphone import Note
from llcphone.engine import notes

KINDS = Note.__subclasses__()


@pytest.mark.parametrize("kind", KINDS, ids=[each.__name__ for each in KINDS])
def test_each_note_says_its_kind_and_what_it_is_for(kind: type[Note]) -> None:
    assert kind.kind
    assert kind.__doc__


def test_a_kind_is_one_class() -> None:
    texts = [each.kind for each in KINDS]
    assert len(set(texts)) == len(texts)


def test_what_was_said_stands_in_no_field() -> None:
    note = notes.CallerSaid("u1", "my secret")
    assert (note.kind, note.fields, note.words) == ("caller said", {"item": "u1"}, "my secret")
    for kind in KINDS:
        assert "words" not in kind(*["x"] * len(kind.__annotations__)).fields


def test_a_note_without_words_has_none() -> None:
    assert notes.DialFailed("21211").words == ""
    assert notes.DialFailed("21211").fields == {"code": "21211"}


def test_a_time_that_is_not_known_is_left_out() -> None:
    assert "stop_ms" not in notes.BargeIn("i1", 10, 20, "Hello", None).fields
    assert notes.BargeIn("i1", 10, 20, "Hello", 300).fields["stop_ms"] == 300
