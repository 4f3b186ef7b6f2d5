"""Schemas the vendor takes for every type we take, and arguments read as models write them."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import functools
import json
import typing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llcphone import Agent, ConfigError
from llcphone.tools.tool import Tool, make_tool

# -- what the vendor takes ------------------------------------------------------------------------

KEYWORDS = {"type", "description", "enum", "const", "default", "format", "pattern", "anyOf"}
KEYWORDS |= {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
KEYWORDS |= {"minLength", "maxLength", "contentEncoding", "items", "minItems", "maxItems", "uniqueItems"}
KEYWORDS |= {"properties", "required", "additionalProperties", "minProperties", "maxProperties"}


def refusals(schema: Any, at: str = "parameters") -> list[str]:
    """What the vendor would refuse of a function's parameters, by its published rules; of its own."""
    if not isinstance(schema, dict):
        return [f"{at}: is no schema"]
    found = [f"{at}: {key} is not known to be taken" for key in schema.keys() - KEYWORDS]
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        found.append(f"{at}: array schema missing items")
    if at == "parameters" and (schema.get("type") != "object" or "properties" not in schema):
        found.append(f"{at}: must be an object with properties")
    for name, each in schema.get("properties", {}).items():
        found += refusals(each, f"{at}.{name}")
    for each in schema.get("anyOf", []):
        found += refusals(each, f"{at}|")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found += refusals(schema[key], f"{at}[]")
    if set(schema.get("required", ())) - schema.get("properties", {}).keys():
        found.append(f"{at}: requires what it does not have")
    return found


@attrs.frozen
class Crate:
    loaves: list  # type: ignore[type-arg]
    marks: tuple = ()  # type: ignore[type-arg]


@dataclasses.dataclass
class Route:
    stops: list[list]  # type: ignore[type-arg]


class Basket(TypedDict, total=False):
    default: list[Crate]
    title: set  # type: ignore[type-arg]


class Place(NamedTuple):
    north: float
    names: list[Any] = []  # noqa: RUF012


class Tagged(msgspec.Struct, tag=True):
    rows: list  # type: ignore[type-arg]


class Other(msgspec.Struct, tag=True):
    x: int


class Row(msgspec.Struct, array_like=True):
    a: int
    b: list[str] = []


SEQUENCES: list[tuple[Any, str, Any]] = [
    (list, '[1, "a"]', [1, "a"]),
    (typing.List, '[1, "a"]', [1, "a"]),  # noqa: UP006
    (list[Any], '[1, "a"]', [1, "a"]),
    (list[str], '["a"]', ["a"]),
    (list[int | str], '[1, "a"]', [1, "a"]),
    (list[list], "[[1], []]", [[1], []]),
    (list[list[int]], "[[1], []]", [[1], []]),
    (set, "[1, 1]", {1}),
    (set[int], "[1, 1]", {1}),
    (frozenset, "[1]", frozenset({1})),
    (tuple, "[1, 2]", (1, 2)),
    (tuple[()], "[]", ()),
    (tuple[int, ...], "[1, 2]", (1, 2)),
    (tuple[int, str], '[1, "a"]', (1, "a")),
    (tuple[int, int], "[1, 2]", (1, 2)),
    (tuple[int, list], "[1, [2]]", (1, [2])),
    (collections.abc.Sequence, "[1]", [1]),
    (collections.abc.Sequence[str], '["a"]', ["a"]),
    (collections.abc.Collection, "[1]", [1]),
    (collections.abc.MutableSequence[int], "[1]", [1]),
    (collections.abc.Set, "[1]", {1}),
    (dict[str, list], '{"a": [1]}', {"a": [1]}),
    (dict[str, tuple[int, str]], '{"a": [1, "b"]}', {"a": (1, "b")}),
    (list | None, "[1]", [1]),
    (list[Any] | str, "[1]", [1]),
    (Annotated[list, msgspec.Meta(min_length=1)], "[1]", [1]),
    (list[Annotated[list, "rows"]], "[[1]]", [[1]]),
    (list[dict], '[{"a": 1}]', [{"a": 1}]),
    (Crate, '{"loaves": [1]}', Crate([1])),
    (list[Crate], '[{"loaves": [1], "marks": [2]}]', [Crate([1], (2,))]),
    (Route, '{"stops": [[1]]}', Route([[1]])),
    (Basket, '{"default": [{"loaves": []}], "title": [1]}', {"default": [Crate([])], "title": {1}}),
    (Place, '[1.5, ["a"]]', Place(1.5, ["a"])),
    (Tagged | Other, '{"type": "Tagged", "rows": [1]}', Tagged([1])),
    (Row, '[1, ["a"]]', Row(1, ["a"])),
]


def tool_of(hint: Any, *default: Any) -> Tool:
    """A tool with one parameter, ``it``."""

    async def take(it):  # type: ignore[no-untyped-def]
        ...

    take.__annotations__ = {"it": hint}
    take.__defaults__ = default or None
    return make_tool(take)


@pytest.mark.parametrize(("hint", "written", "value"), SEQUENCES, ids=lambda each: str(each)[:40])
def test_every_way_to_write_a_sequence_says_of_what_and_is_still_read(
    hint: Any, written: str, value: Any
) -> None:
    tool = tool_of(hint)
    assert refusals(tool.schema["parameters"]) == []
    assert tool.read(f'{{"it": {written}}}') == {"it": value}


PLAIN_HINTS = [str, int, bool, Any, date, Decimal, list, dict, tuple, set, Crate, Basket, Place, Row]
ATOMS = st.sampled_from(PLAIN_HINTS)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda each: list[each], inner),  # type: ignore[valid-type]
        st.builds(lambda each: tuple[each, ...], inner),  # type: ignore[valid-type]
        st.builds(lambda one, other: tuple[one, other], inner, inner),  # type: ignore[valid-type]
        st.builds(lambda each: dict[str, each], inner),  # type: ignore[valid-type]
        st.builds(lambda each: each | None, inner.filter(lambda each: each is not Any)),
        st.builds(lambda each: Annotated[each, "words"], inner),
        st.builds(lambda each: collections.abc.Sequence[each], inner),  # type: ignore[valid-type]
    )


@given(st.recursive(ATOMS, containers, max_leaves=6))
@settings(max_examples=150, deadline=None)
def test_a_hint_has_a_schema_that_the_vendor_takes_or_is_refused_by_name(hint: Any) -> None:
    trouble = ""
    try:
        found = refusals(tool_of(hint).schema["parameters"])
    except ConfigError as exc:
        found, trouble = [], exc.why
    assert found == []
    assert not trouble or "parameter 'it'" in trouble


def test_a_tuple_says_how_many_it_has() -> None:
    schema = tool_of(tuple[int, str]).schema["parameters"]["properties"]["it"]
    kinds = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert schema == {"type": "array", "items": kinds, "minItems": 2, "maxItems": 2}


def test_the_judge_of_schemas_refuses_what_it_should() -> None:
    bare = {"type": "object", "properties": {"a": {"type": "array"}, "b": {"anyOf": [{"$ref": "B"}]}}}
    assert refusals(bare) == [
        "parameters.a: array schema missing items",
        "parameters.b|: $ref is not known to be taken",
    ]


@pytest.mark.parametrize("hint", [collections.abc.Iterable[int], collections.deque, complex], ids=str)
def test_a_type_without_a_schema_is_refused_with_the_name_of_its_parameter(hint: Any) -> None:
    with pytest.raises(ConfigError, match="parameter 'it'"):
        tool_of(hint)


# -- names ----------------------------------------------------------------------------------------


async def anything() -> None: ...


@pytest.mark.parametrize(
    "name", ["look up order", "crm.lookup", "x" * 65, "a/b", "tool\n", "日本語", "", "é"]
)
def test_a_name_that_the_vendor_refuses_is_refused_where_it_is_declared(name: str) -> None:
    with pytest.raises(ConfigError, match="its name must be 1 to 64"):
        make_tool(anything, name=name)


def test_the_functions_own_name_is_held_to_the_same_rule() -> None:
    async def öffnungszeiten() -> None: ...

    with pytest.raises(ConfigError, match="its name must be 1 to 64"):
        Agent().tool(öffnungszeiten)
    assert make_tool(öffnungszeiten, name="opening_hours").name == "opening_hours"


def test_good_names_are_taken_and_capitals_tell_two_tools_apart() -> None:
    agent = Agent()
    for name in ("x" * 64, "ok-1_A", "A", "a"):
        agent.tool(name=name)(anything)
    assert len(agent.tools) == 4
    with pytest.raises(ConfigError, match="two tools of this name"):
        agent.tool(name="a")(anything)


# -- descriptions and limits in annotations -------------------------------------------------------


@dataclasses.dataclass
class Wish:
    what: Annotated[str, "what they want"]
    more: str = ""


@dataclasses.dataclass
class Limited:
    loaves: Annotated[int, pydantic.Field(ge=1)]


def test_words_in_an_annotation_describe_the_parameter() -> None:
    async def order(
        what: Annotated[str, "which bread"],
        loaves: Annotated[int, pydantic.Field(description="how many", ge=1, le=9)],
        wish: Wish,
        tags: list[Annotated[str, pydantic.Field(min_length=1)]],
        size: int = pydantic.Field(default=2, ge=1, description="how big"),
        day: Annotated[str, pydantic.Field(default="today")] = "now",
        note: Annotated[str | None, pydantic.Field(default=None, max_length=9)] = None,
    ) -> None:
        """Order.

        Args:
            what: not these words.
        """

    tool = make_tool(order)
    told = tool.schema["parameters"]["properties"]
    assert told["what"] == {"type": "string", "description": "which bread"}
    assert told["loaves"] == {"type": "integer", "description": "how many", "minimum": 1, "maximum": 9}
    assert told["wish"]["properties"]["what"]["description"] == "what they want"
    assert told["tags"]["items"] == {"type": "string", "minLength": 1}
    assert told["size"] == {"type": "integer", "description": "how big", "minimum": 1, "default": 2}
    given = '{"what": "rye", "loaves": 3, "wish": {"what": "x"}, "tags": []}'
    assert (tool.read(given)["size"], tool.read(given)["day"]) == (2, "now")
    assert told["note"]["anyOf"] == [{"type": "string", "maxLength": 9}, {"type": "null"}]
    with pytest.raises(ValueError, match=r"<= 9"):
        tool.read(given.replace("3", "10"))


def test_a_default_in_the_annotation_is_a_default() -> None:
    tool = tool_of(Annotated[int, pydantic.Field(default=3)])
    assert tool.read("{}") == {"it": 3}


@pytest.mark.parametrize(
    "hint",
    [Annotated[int, pydantic.AfterValidator(abs)], Limited, list[Limited], pydantic.BaseModel],
    ids=str,
)
def test_a_check_that_nobody_would_make_is_refused(hint: Any) -> None:
    with pytest.raises(ConfigError, match="parameter 'it'"):
        tool_of(hint)


def test_metadata_of_somebody_else_is_left_alone() -> None:
    class Marker: ...

    assert tool_of(Annotated[int, Marker()]).schema["parameters"]["properties"]["it"] == {"type": "integer"}


# -- what may be called ---------------------------------------------------------------------------


async def look_up(db: complex, order: int, *, deep: bool = False) -> str:
    """Look an order up."""
    return f"{db} {order} {deep}"


@functools.wraps(look_up)
def wrapper(*args: Any, **kwargs: Any) -> Any:
    return look_up(1j, *args, **kwargs)


class LookUp:
    """Look up, with a connection of its own."""

    async def __call__(self, order: int) -> str:
        return f"{order}"

    async def method(self, order: int) -> str:
        """Look one up."""
        return f"{order}"


def test_a_partial_is_a_tool_without_what_it_has_been_given() -> None:
    for partial in (functools.partial(look_up, 1j), functools.partial(look_up, db=1j)):
        tool = make_tool(functools.partial(partial, deep=True))
        assert (tool.name, tool.schema["description"]) == ("look_up", "Look an order up.")
        assert list(tool.schema["parameters"]["properties"]) == ["order"]


def test_methods_and_objects_that_can_be_called_are_tools() -> None:
    tool, method = make_tool(LookUp(), name="look_up"), make_tool(LookUp().method)
    assert (tool.name, tool.schema["description"]) == ("look_up", "Look up, with a connection of its own.")
    assert (method.name, method.schema["description"]) == ("method", "Look one up.")
    assert make_tool(LookUp()).name == "LookUp"
    for each in (tool, method):
        assert list(each.schema["parameters"]["properties"]) == ["order"]


def test_what_has_no_docstring_has_no_description() -> None:
    for each in (anything, functools.partial(anything)):
        assert make_tool(each).schema["description"] == ""


def test_a_plain_wrapper_of_an_async_function_is_a_tool() -> None:
    @functools.wraps(anything)
    def timed(*args: Any, **kwargs: Any) -> Any:
        return anything(*args, **kwargs)

    assert make_tool(timed).name == "anything"


@pytest.mark.parametrize(
    "thing",
    [len, LookUp, "look_up", None, 7, lambda: None, classmethod(look_up)],
    ids=lambda thing: type(thing).__name__,
)
def test_what_cannot_be_a_tool_is_refused_in_one_line(thing: Any) -> None:
    with pytest.raises(ConfigError) as told:
        make_tool(thing)
    assert "\n" not in str(told.value)


# -- null -----------------------------------------------------------------------------------------


class Bread(enum.Enum):
    RYE = "rye"


@attrs.frozen
class Nested:
    day: str = "today"
    inner: list[Wish] = attrs.field(factory=list)


@pytest.mark.parametrize(
    ("hint", "default"),
    [
        (str, "today"),
        (int, 3),
        (float, 1.5),
        (bool, True),
        (Bread, Bread.RYE),
        (list[str], []),
        (dict[str, int], {}),
        (tuple[int, int], (1, 2)),
        (Literal["a", "b"], "a"),
        (date, date(2026, 12, 2)),
        (time, time(10, 0)),
        (Decimal, Decimal("1.50")),
        (Nested, Nested()),
        (int | str, 7),
        (Annotated[int, msgspec.Meta(ge=1)], 2),
    ],
    ids=str,
)
def test_null_where_a_default_stands_is_the_default(hint: Any, default: Any) -> None:
    assert tool_of(hint, default).read('{"it": null}') == {"it": default}


def test_null_in_a_class_is_that_fields_default_too() -> None:
    read = tool_of(list[Nested]).read
    assert read('{"it": [{"day": null, "inner": [{"what": "x", "more": null}]}]}') == {
        "it": [Nested("today", [Wish("x")])]
    }
    assert tool_of(Place).read('{"it": [1.0, null]}') == {"it": Place(1.0, [])}
    assert tool_of(dict[str, Nested]).read('{"it": {"a": {"day": null}}}') == {"it": {"a": Nested()}}
    assert tool_of(Nested | None).read('{"it": {"day": null}}') == {"it": Nested()}
    assert tool_of(Basket).read('{"it": {"title": null}}') == {"it": {}}
    assert tool_of(int | Row).read('{"it": [1, null]}') == {"it": Row(1)}


def test_null_that_the_type_has_stays_null() -> None:
    for hint in (str | None, Any, Literal["a", None], Annotated[str | None, "words"]):
        assert tool_of(hint, "today").read('{"it": null}') == {"it": None}


def test_null_for_what_must_be_given_is_told() -> None:
    with pytest.raises(ValueError, match=r"Expected `str`, got `null` - at `\$.it`"):
        tool_of(str).read('{"it": null}')
    with pytest.raises(ValueError, match="got `null`"):
        tool_of(list[str]).read('{"it": [null]}')


@pytest.mark.parametrize("arguments", ["null", " null\n", "", "  ", "{}"])
def test_null_as_a_whole_is_nothing_given(arguments: str) -> None:
    assert tool_of(str, "today").read(arguments) == {"it": "today"}
    with pytest.raises(ValueError, match="missing required field `it`"):
        tool_of(str).read(arguments)


def test_no_digit_is_lost_beside_a_null() -> None:
    async def pay(sum: Decimal, count: int, note: str = "") -> None: ...  # noqa: A002

    read = make_tool(pay).read('{"sum": 12345678901234567.891, "count": 123456789012345678901, "note": null}')
    assert read == {"sum": Decimal("12345678901234567.891"), "count": 123456789012345678901, "note": ""}


# -- days and times -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "written", "value"),
    [
        (time, "10:00", time(10)),
        (time, "9:05", time(9, 5)),
        (time, " 10:00 ", time(10)),
        (time, "T10:00", time(10)),
        (time, "10:00:00", time(10)),
        (time, "10:00:00.5", time(10, 0, 0, 500_000)),
        (time, "10:00Z", time(10, tzinfo=UTC)),
        (time, "10:00:00Z", time(10, tzinfo=UTC)),
        (time, "2026-12-02T10:00", time(10)),
        (datetime, "2026-12-02T10:00", datetime(2026, 12, 2, 10)),
        (datetime, "2026-12-02 10:00", datetime(2026, 12, 2, 10)),
        (datetime, "2026-12-02T10:00Z", datetime(2026, 12, 2, 10, tzinfo=UTC)),
        (datetime, "2026-12-02T10:00+0000", datetime(2026, 12, 2, 10, tzinfo=UTC)),
        (datetime, "2026-12-02", datetime(2026, 12, 2)),
        (date, "2026-12-02", date(2026, 12, 2)),
        (date, "2026-12-02T00:00", date(2026, 12, 2)),
        (date, "2026-12-02T10:00:00Z", date(2026, 12, 2)),
        (time | None, "10:00", time(10)),
        (list[time], "10:00", [time(10)]),
    ],
    ids=str,
)
def test_days_and_times_are_read_as_models_write_them(hint: Any, written: str, value: Any) -> None:
    given = [written] if hint == list[time] else written
    assert tool_of(hint).read(json.dumps({"it": given})) == {"it": value}


@pytest.mark.parametrize(
    ("hint", "written"),
    [
        (time, "ten"),
        (time, "2026-12-02"),
        (time, "25:00"),
        (date, "10:00"),
        (date, "2026-13-02"),
        (datetime, "10:00"),
    ],
    ids=str,
)
def test_what_is_no_time_is_told(hint: Any, written: str) -> None:
    with pytest.raises(ValueError, match=r"at `\$.it`"):
        tool_of(hint).read(json.dumps({"it": written}))


def test_text_that_looks_like_a_time_stays_text() -> None:
    assert tool_of(str).read('{"it": "10:00"}') == {"it": "10:00"}
