"""What a model reads of whatever a tool returns."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import itertools
import json
import os
import sqlite3
import uuid
from collections import UserDict, deque
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest
import regex
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone.call.tool_results import LONGEST, error_json, shortened, shown


class Point(NamedTuple):
    x: int
    y: str


@attrs.frozen
class Order:
    id: int
    lines: list[Any]
    _private: str = "secret"


@dataclasses.dataclass
class Node:
    name: str
    other: Any = None


class Model(pydantic.BaseModel):
    id: int
    name: str
    at: datetime.date | None = None


class Many(pydantic.RootModel[list[int]]): ...


class Struct(msgspec.Struct, rename="camel"):
    first_name: str


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Plain:
    pass


class Worded:
    def __str__(self) -> str:
        return "worded"


class Broken:
    def __str__(self) -> str:
        raise SystemExit(3)


def row(sql: str = "select 7 as id, 'Ana' as name") -> sqlite3.Row:
    with sqlite3.connect(":memory:") as db:
        db.row_factory = sqlite3.Row
        found: sqlite3.Row = db.execute(sql).fetchone()
    db.close()
    return found


def alchemy() -> Any:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as db:
        found = db.execute(sqlalchemy.text("select 7 as id, 'Ana' as name")).one()
    engine.dispose()
    return found


ANA = {"id": 7, "name": "Ana"}
KEY = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (None, None),
        (True, True),
        (2**70, 2**70),
        (1.5, 1.5),
        (float("nan"), None),
        ({"a": [1, None, {"b": "ç"}]}, {"a": [1, None, {"b": "ç"}]}),
        ({(1, 2): "x"}, {"(1, 2)": "x"}),
        ({1: "a", None: "b", False: "c", Colour.RED: "d"}, {"1": "a", "null": "b", "false": "c", "red": "d"}),
        (row(), ANA),
        ([row()], [ANA]),
        (alchemy(), ANA),
        (Model(id=7, name="Ana"), {**ANA, "at": None}),
        (
            {"who": [Model(id=7, name="Ana", at=datetime.date(2026, 12, 2))]},
            {"who": [{**ANA, "at": "2026-12-02"}]},
        ),
        (Many([1, 2]), [1, 2]),
        (Struct("Ana"), {"firstName": "Ana"}),
        (UserDict(ANA), ANA),
        (Point(1, "b"), {"x": 1, "y": "b"}),
        (Order(1, [Point(1, "b")]), {"id": 1, "lines": [{"x": 1, "y": "b"}]}),
        (Node("a", Node("b")), {"name": "a", "other": {"name": "b", "other": None}}),
        ((each for each in (1, 2)), [1, 2]),
        (map(str, [1]), ["1"]),
        (ANA.keys(), ["id", "name"]),
        ({1}, [1]),
        (deque([1]), [1]),
        (range(3), [0, 1, 2]),
        (decimal.Decimal("4.50"), "4.50"),
        (datetime.datetime(2026, 12, 2, 10), "2026-12-02T10:00:00"),
        ([datetime.time(10), datetime.timedelta(hours=1), KEY], ["10:00:00", "PT3600S", str(KEY)]),
        ([Colour.RED, Level.HIGH], ["red", 3]),
        ([b"caf\xc3\xa9", b"\xff\xfe"], ["café", "(2 bytes that are no text)"]),
        (Worded(), "worded"),
        (os.fsdecode(b"caf\xe9.pdf"), "caf\ufffd.pdf"),
        ({"file": os.fsdecode(b"caf\xe9.pdf"), "\ud83d": 1}, {"file": "caf\ufffd.pdf", "\ufffd": 1}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_result_is_told_as_json(result: Any, told: Any) -> None:
    found = shown(result)
    assert (found.text if isinstance(result, str) else json.loads(found.text)) == told
    assert "0x" not in found.text
    assert (found.trouble, found.lost) == ("", False)


@pytest.mark.parametrize(
    ("result", "told", "trouble"),
    [
        ([Plain(), 1, Plain()], ["(Plain: cannot be shown)", 1, "(Plain: cannot be shown)"], "Plain"),
        (
            {"f": lambda: 1, "p": Plain()},
            {"f": "(function: cannot be shown)", "p": "(Plain: cannot be shown)"},
            "function, Plain",
        ),
    ],
    ids=["list", "dict"],
)
def test_a_part_that_cannot_be_shown_is_named_to_the_developer(result: Any, told: Any, trouble: str) -> None:
    found = shown(result)
    assert json.loads(found.text) == told
    assert (found.trouble, found.lost) == (f"in part: {trouble}", False)


def test_text_is_told_as_it_is() -> None:
    assert shown("x" * 3_000).text == "x" * 3_000
    assert shown('{"already": "json"}').text == '{"already": "json"}'


def looped() -> Node:
    first, second = Node("a"), Node("b")
    first.other, second.other = second, first
    return first


class Raises(dict[str, int]):
    def items(self) -> Any:
        raise BaseExceptionGroup("planted", [SystemExit(1)])


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (looped(), "Node refers back to itself"),
        (Plain(), "Plain"),
        (Broken(), "SystemExit"),
        (Raises(), "SystemExit"),
        ([Broken()], "SystemExit"),
        (object(), "object"),
        ((1 / each for each in (1, 0)), "ZeroDivisionError"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_cannot_be_shown_is_told_as_done(result: Any, why: str) -> None:
    found = shown(result)
    assert json.loads(found.text) == {"status": f"done, but its result cannot be shown ({why})"}
    assert (found.trouble, found.lost) == (why, False)


def test_a_forgotten_await_is_named() -> None:
    async def find_order() -> None: ...

    for result in (find_order(), [find_order(), find_order()], {"a": find_order()}):
        found = shown(result)
        assert found.lost
        assert "misses an await before find_order()" in json.loads(found.text)["error"]


# -- bounds ---------------------------------------------------------------------------------------


def test_a_long_text_is_cut_and_says_how_much_is_left_out() -> None:
    text = shown("x" * 5_000_000).text
    assert len(text) == LONGEST
    kept = text.index("…")
    assert text.endswith(f"…(cut, {5_000_000 - kept} characters left out)")


@pytest.mark.parametrize(
    ("result", "left"),
    [
        ([{"id": at, "name": "Ana"} for at in range(100_000)], "left out)"),
        ({f"key {at}": "x" * 50 for at in range(10_000)}, "left out)"),
        ({"text": "x" * 300_000, "after": 1}, "characters left out)"),
        (["x" * 300_000], "characters left out)"),
        (itertools.count(), "more left out)"),
        (({"a": [at, "é"]} for at in itertools.count()), "more left out)"),
        (itertools.repeat(""), "more left out)"),
        (itertools.repeat([]), "more left out)"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_long_result_is_cut_and_is_json_still(result: Any, left: str) -> None:
    text = shown(result).text
    assert len(text) <= LONGEST
    json.loads(text)
    assert left in text


def test_how_many_rows_are_left_out_is_told() -> None:
    told = json.loads(shown(list(range(100_000))).text)
    assert told[-1] == f"…(cut, {100_000 - len(told) + 1} left out)"


def test_whatever_is_in_it_the_text_has_its_bound() -> None:
    for text in ('"' * 50_000, "\n" * 50_000, "\x00" * 50_000, "\U0001f600" * 50_000):
        for result in (text, [text], {text: text}, [text[:100]] * 10_000):
            assert len(shown(result).text) <= LONGEST
    assert len(error_json("x" * 100_000)) <= LONGEST


@given(
    st.text(
        st.sampled_from("ae\u0301\u0e01\u0e33漢\u0915\u093f\ufe0f\U0001f1e9\U0001f1ea")
        | st.characters(codec="utf-8")
    )
)
@settings(max_examples=200, deadline=None)
def test_a_text_is_cut_where_a_text_element_ends(text: str) -> None:
    ends = {0, *(match.end() for match in regex.finditer(r"\X", text * 10))}
    cut = shortened(text * 10, 50)
    assert cut == text * 10 or cut.rindex("…(cut,") in ends


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize("unit", ["e\u0301", FAMILY, "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "क\u093f"])
def test_a_text_is_cut_between_characters_as_people_see_them(unit: str) -> None:
    for most in range(200, 220):
        cut = shortened(unit * 1_000, most)
        kept = cut[: cut.index("…")]
        assert kept == unit * (len(kept) // len(unit))
        assert len(cut) <= most + 5
        assert cut.endswith(f"…(cut, {len(unit) * 1_000 - len(kept)} characters left out)")


def test_a_text_of_nothing_but_marks_is_cut_too() -> None:
    assert len(shortened("\u0301" * 1_000, 100)) <= 100
    assert shortened("abc", 3) == "abc"


# -- whatever it is -------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXTS,
    st.binary(max_size=20),
    st.decimals(),
    st.datetimes(timezones=st.none() | st.just(datetime.UTC)),
    st.timedeltas(),
    st.uuids(),
    st.complex_numbers(),
    st.fractions(),
    st.sampled_from([Colour.RED, Level.HIGH, Plain(), Plain, len, ValueError("x"), Struct("é")]),
)
KEYS = st.one_of(TEXTS, st.integers(), st.none(), st.booleans(), st.tuples(TEXTS, st.integers()), st.dates())
RESULTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(KEYS, inner, max_size=5),
        st.tuples(inner, inner),
        st.builds(Node, TEXTS, inner),
        st.builds(lambda each: Order(1, [each]), inner),
        st.builds(lambda each: iter([each]), inner),
    ),
    max_leaves=30,
)


@given(RESULTS, st.integers(1, 2_000))
@settings(max_examples=200, deadline=None)
def test_any_result_is_told_within_the_bound_as_text_that_can_be_sent(result: Any, times: int) -> None:
    for each in (result, [result] * times):
        told = shown(each)
        assert len(told.text) <= LONGEST
        told.text.encode()
        assert "\x00" not in told.text
        if not isinstance(each, str) and not told.text.endswith("left out)"):
            json.loads(told.text)
