"""From a function to a tool: its schema, the check of the model's arguments, and its options."""

from __future__ import annotations

import dataclasses
import enum
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import attrs
import msgspec
import pytest

from llcphone import Agent, CallHandle, Config, ConfigError, ToolContext
from llcphone.announcements import stored
from llcphone.call.setup import plan_call, tool_plan
from llcphone.config.tools import ToolsConfig
from llcphone.tools.tool import Tool, make_tool

if TYPE_CHECKING:
    from pathlib import Path


class Bread(enum.Enum):
    RYE = "rye"
    WHEAT = "wheat"


@attrs.frozen
class Line:
    """One line of an order.

    Attributes:
        bread: which bread.
        loaves: how many.
    """

    bread: Bread
    loaves: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen
class Order:
    lines: list[Line]
    notes: dict[str, str] = attrs.field(factory=dict)


@dataclasses.dataclass
class Slot:
    day: date
    at: time | None = None


@attrs.define
class Tree:
    branches: list[Tree]


def properties(tool: Tool) -> dict[str, Any]:
    properties: dict[str, Any] = tool.schema["parameters"]["properties"]
    return properties


# -- the schema ---------------------------------------------------------------------------------


def test_a_tool_is_told_as_the_api_takes_it() -> None:
    async def order(bread: Bread, loaves: int = 1) -> None:
        """Order bread.

        It is baked at night.

        Args:
            bread: which bread.
        """

    assert make_tool(order).schema == {
        "type": "function",
        "name": "order",
        "description": "Order bread. It is baked at night.",
        "parameters": {
            "type": "object",
            "properties": {
                "bread": {"description": "which bread.", "enum": ["rye", "wheat"]},
                "loaves": {"type": "integer", "default": 1},
            },
            "required": ["bread"],
            "additionalProperties": False,
        },
    }


def test_classes_stand_in_the_schema_itself_with_the_words_of_their_docstrings() -> None:
    async def order(order: Order, again: Line | None = None) -> None: ...

    told = properties(make_tool(order))
    line = {
        "description": "One line of an order.",
        "type": "object",
        "properties": {
            "bread": {"description": "which bread.", "enum": ["rye", "wheat"]},
            "loaves": {"description": "how many.", "type": "integer", "default": 1},
        },
        "required": ["bread"],
    }
    assert told["order"]["properties"]["lines"] == {"type": "array", "items": line}
    assert told["again"] == {"anyOf": [line, {"type": "null"}], "default": None}


def test_plain_types_and_containers_have_schemas() -> None:
    async def many(
        a: str,
        b: float,
        c: bool,
        d: Literal["x", "y"],
        e: list[int],
        f: dict[str, int],
        g: tuple[int, str],
        h: set[str],
        i: date,
        j: UUID,
        k: Decimal,
        m: int | str,
        n: Annotated[int, msgspec.Meta(ge=1, le=9)],
        o: Any,
    ) -> None: ...

    told = properties(make_tool(many))
    assert told["d"] == {"enum": ["x", "y"]}
    pair = {"anyOf": [{"type": "integer"}, {"type": "string"}]}  # prefixItems is not known to be taken
    assert told["g"] == {"type": "array", "items": pair, "minItems": 2, "maxItems": 2}
    assert told["i"] == {"type": "string", "format": "date"}
    assert told["j"] == {"type": "string", "format": "uuid"}
    assert told["n"] == {"type": "integer", "minimum": 1, "maximum": 9}


def test_how_a_moment_is_written_is_told_where_the_schema_cannot() -> None:
    async def book(at: datetime, until: time | None = None) -> None:
        """Book.

        Args:
            at: when it begins.
        """

    told = properties(make_tool(book))
    assert told["at"]["description"] == "when it begins. (ISO 8601: 2026-11-30T14:30:00)"
    assert told["until"]["description"] == "(ISO 8601: 14:30:00)"


def test_what_the_call_gives_is_no_part_of_the_schema() -> None:
    async def order(loaves: int, call: CallHandle, tool: ToolContext) -> None: ...

    assert list(properties(make_tool(order))) == ["loaves"]


def test_a_name_and_a_description_of_ones_own_go_before_the_functions() -> None:
    async def order() -> None:
        """Order bread."""

    schema = make_tool(order, name="order_bread", description="Order.").schema
    assert (schema["name"], schema["description"]) == ("order_bread", "Order.")


async def no_hint(bread) -> None: ...  # type: ignore[no-untyped-def]
async def many(*breads: str) -> None: ...
async def positional(bread: str, /) -> None: ...
async def complicated(bread: complex) -> None: ...
async def endless(tree: Tree) -> None: ...
async def nameless(bread: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def two_classes(bread: Line | Slot) -> None: ...
async def shared(breads: list[str] = ["rye"]) -> None: ...  # noqa: B006


def plain() -> None: ...


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (plain, "is not async, so it could block the calls. Fix: write it with async def"),
        (no_hint, "parameter 'bread' needs a type hint"),
        (many, "parameter 'breads': the model passes parameters by name only. Fix: give it a plain name"),
        (
            positional,
            "parameter 'bread': the model passes parameters by name only. Fix: give it a plain name",
        ),
        (complicated, "parameter 'bread': no JSON schema for its type (type <class 'complex'>"),
        (endless, "parameter 'tree': no JSON schema for its type (Tree contains itself)"),
        (nameless, "the type 'Nowhere' of a parameter cannot be found"),
        (two_classes, "parameter 'bread': no JSON schema for its type"),
        (shared, "mutable"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_function_that_can_be_no_tool_is_refused_where_it_is_declared(function: Any, why: str) -> None:
    with pytest.raises(ConfigError) as told:
        make_tool(function)
    assert told.value.key == f"tool {function.__name__}"
    assert why in str(told.value)


# -- arguments ----------------------------------------------------------------------------------


class Handle:
    call_id, call_sid, caller, dialled = "1", "CA1", "anonymous", "sim"

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def hang_up(self) -> None: ...


def test_arguments_arrive_as_the_types_of_the_signature() -> None:
    async def order(
        order: Order, slot: Slot, day: date, key: UUID, price: Decimal, who: str | None = None
    ) -> None: ...

    values = make_tool(order).read(
        '{"order": {"lines": [{"bread": "rye", "loaves": "2"}]}, "slot": {"day": "2026-12-05"},'
        ' "day": "2026-12-05", "key": "12345678-1234-5678-1234-567812345678", "price": "4.50"}'
    )
    assert values == {
        "order": Order([Line(Bread.RYE, 2)]),
        "slot": Slot(date(2026, 12, 5)),
        "day": date(2026, 12, 5),
        "key": UUID("12345678-1234-5678-1234-567812345678"),
        "price": Decimal("4.50"),
        "who": None,
    }


def test_the_call_and_the_context_are_given_beside_the_arguments() -> None:
    async def order(loaves: int, call: CallHandle, tool: ToolContext) -> None: ...

    call: Any = Handle()
    context = ToolContext(call, "c1", "CA1:c1", attempt=2)
    assert make_tool(order).bind('{"loaves": 2}', context) == {"loaves": 2, "call": call, "tool": context}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ('{"order": {"lines": [{"bread": "rye"}, {"bread": 7}]}}', "$.order.lines[1].bread"),
        ('{"order": {"lines": [{"bread": "rye", "loaves": 0}]}}', "'loaves' must be >= 1"),
        ('{"order": {}}', "missing required field `lines` - at `$.order`"),
        ("{}", "missing required field `order`"),
        ('{"order": {"lines": []}, "tip": 5}', "unknown field `tip`"),
        ("[]", "Expected `object`, got `array`"),
        ('{"order": ', "truncated"),
        ("", "missing required field `order`"),
        ('{"order": {"lines": [], "notes": ' + '{"a":' * 100_000, "Expected `str`, got `object`"),
        ('{"order": "\ud800"}', "surrogates not allowed"),
    ],
)
def test_arguments_that_do_not_fit_say_where_and_why(arguments: str, why: str) -> None:
    async def order(order: Order) -> None: ...

    with pytest.raises(ValueError, match=r".") as told:
        make_tool(order).read(arguments)
    assert why in str(told.value)


def test_a_tool_without_parameters_takes_what_the_model_sends_for_nothing() -> None:
    async def hours() -> None: ...

    assert make_tool(hours).read("") == make_tool(hours).read("{}") == {}


# -- options ------------------------------------------------------------------------------------


async def pay() -> None: ...


async def yes(call: CallHandle, name: str, arguments: dict[str, Any]) -> bool:
    return True


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"irreversible": True}, "Fix: give approve=, an async function (call, name, arguments) -> True"),
        (
            {"approve": lambda call, name, arguments: True},
            "approve has a wrong value. Fix: give an async function",
        ),
        ({"approve": "somebody"}, "approve has a wrong value. Fix: give an async function"),
        ({"late": "sometimes"}, 'late has a wrong value. Fix: set late to "drop" or "deliver"'),
        ({"retry": -1}, "retry is not a number of tries. Fix: set retry to 0 or more"),
        ({"retry": True}, "retry is not a number of tries. Fix: set retry to 0 or more"),
        ({"timeout_s": 0}, "timeout_s must be more than 0 seconds"),
        ({"timeout_s": 5, "limit_s": 4}, "is less than timeout_s. Fix: set limit_s to timeout_s or more"),
        ({"patience": 3}, "has no option patience. Fix: use one of name, description, lean"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_where_the_tool_is_declared(
    options: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigError) as told:
        Agent().tool(**options)(pay)
    assert told.value.key == "tool pay"
    assert why in str(told.value)


@pytest.mark.parametrize(
    ("options", "times"),
    [
        ({}, (15, 15, 0)),
        ({"timeout_s": 5}, (5, 5, 0)),
        ({"timeout_s": 5, "limit_s": 30}, (5, 30, 0)),
        ({"detached": True}, (15, 120, 0)),
        ({"late": "deliver", "timeout_s": 3}, (3, 120, 0)),
        ({"late": "deliver", "timeout_s": 300}, (300, 300, 0)),
        ({"approve": yes}, (15, 15, 30)),
        ({"irreversible": True, "approve": "operator", "approve_timeout_s": 5}, (15, 15, 5)),
    ],
)
def test_a_tool_has_its_own_times_before_those_of_the_configuration(
    options: dict[str, Any], times: tuple[float, float, float]
) -> None:
    found = make_tool(pay, **options).times(ToolsConfig())
    assert (found.timeout_s, found.limit_s, found.approve_s) == times


def test_the_engine_waits_for_the_approval_and_for_the_tool() -> None:
    agent = Agent()
    agent.tool(timeout_s=5, approve=yes, late="deliver")(pay)
    (rule,) = plan_call(Config(), agent).tool_plan.rules
    assert (rule.name, rule.timeout_ms, rule.goes_on, rule.deliver) == ("pay", 35_000, True, True)


def test_fillers_are_off_until_they_are_asked_for() -> None:
    assert tool_plan(Config()).filler == ()
    plan = tool_plan(Config.from_dict({"filler": {"tool_after_ms": 900, "sound": "tone"}}))
    assert plan.filler == stored("tone")


def test_a_filler_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    config = Config.from_dict({"filler": {"sound": str(tmp_path / "gone.ulaw")}})
    with pytest.raises(ConfigError, match=r"^filler\.sound: cannot be read"):
        tool_plan(config)
