"""How one setting is declared, described, checked and read.

A setting is one annotated attribute of a section class. The annotation is the truth for
its type (``Literal`` lists its choices, ``| None`` means that it may be left unset), the
rule beside the default is the truth for its range, and the unit is the end of its name.
From these three come the check at construction, the reading of environment text and the
wording of every complaint, so no default, range or choice is spelled twice.

No complaint repeats the refused value: it may be a key that was put in the wrong place.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import types
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import frozen

from llcphone.errors import ConfigError
from llcphone.validation.text import is_clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

T = TypeVar("T")

_KIND_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "a table",
    tuple: "a list",
}
_TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_UNITS = {"ms": " ms", "s": " s"}


@frozen
class Rule:
    """What a value of the right type must fulfil, and the words that ask for it."""

    wants: str
    holds: Callable[[Any], bool]
    tidy: Callable[[Any], Any] | None = None
    """Makes several spellings one, before the check."""


def _plain(number: float) -> str:
    """1048576 and 0.5, not 1.04858e+06 and 3600.0."""
    return str(number).removesuffix(".0")


def between(low: float, high: float) -> Rule:
    """A number from ``low`` to ``high``, both included; NaN is refused."""
    word = "a whole number" if isinstance(low, int) else "a number"
    return Rule(f"{word} from {_plain(low)} to {_plain(high)}", lambda value: low <= value <= high)


def matching(pattern: str, wants: str) -> Rule:
    """Text that matches the regular expression from end to end."""
    return Rule(wants, lambda value: re.fullmatch(pattern, value) is not None)


def listing(pattern: str, wants: str) -> Rule:
    """A list of texts that each match the regular expression from end to end."""
    return Rule(wants, lambda value: all(type(each) is str and re.fullmatch(pattern, each) for each in value))


TYPED_TABLE = Rule('a table with a "type"', lambda value: isinstance(value.get("type"), str))
NOT_EMPTY = matching(r"(?s)\s*\S.*", "text that is not empty")
HEADER = matching(
    r"[\x21\x23-\x26\x28-\x7e]*", "printable ASCII without spaces and quotes: it is sent in an HTTP header"
)

TOOL_NAME = matching(
    r"[a-zA-Z0-9_-]{1,64}", "1 to 64 of a to z, A to Z, 0 to 9, _ and -, which is all the Realtime API takes"
)


def _names_one_tool(value: Any) -> bool:
    names = {"function": {"name"}, "mcp": {"server_label", "name"}}.get(str(value.get("type")), set())
    texts = [each for key, each in value.items() if key != "type"]
    needed = "server_label" if "server_label" in names else "name"
    fits = needed in value and value.keys() <= names | {"type"}
    return fits and all(type(each) is str and TOOL_NAME.holds(each) for each in texts)


ONE_TOOL = Rule(
    'a table {type = "function", name = "…"}, or with type = "mcp" and server_label', _names_one_tool
)


def setting(
    default: T,
    rule: Rule | None = None,
    *,
    secret: bool = False,
    private: bool = False,
    advanced: bool = False,
    note: str = "",
) -> T:
    """Declare one setting of a section.

    Args:
        default: the one place where the default stands.
        rule: what a value of the annotated type must fulfil besides.
        secret: never shown, printed or kept; a secret is private too.
        private: belongs to one deployment (address, account), so no snapshot carries it.
        advanced: few deployments change it. It stands on a page of its own, and `config` shows it with --all.
        note: added to every complaint about this setting.
    """
    metadata = {
        "rule": rule,
        "secret": secret,
        "private": private or secret,
        "advanced": advanced,
        "note": note,
    }
    return attrs.field(
        default=default, converter=None if rule is None else rule.tidy, repr=not secret, metadata=metadata
    )


@frozen
class Setting:
    """One setting as its declaration describes it."""

    section: str
    name: str
    kinds: frozenset[type]
    choices: tuple[str, ...]
    default: Any
    rule: Rule | None
    secret: bool
    private: bool
    advanced: bool
    note: str

    @property
    def key(self) -> str:
        """``section.name``, as errors and ``config --explain`` call it."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"LLCPHONE_{self.section}__{self.name}".upper()

    def wants(self) -> str:
        """What a value must be, in words."""
        words = [f'"{choice}"' for choice in self.choices]
        if self.rule:
            words.append(self.rule.wants + _UNITS.get(self.name.rpartition("_")[2], ""))
        else:
            words += [word for kind, word in _KIND_WORDS.items() if kind in self.kinds]
        if type(None) in self.kinds:
            words.append('"" for not set')
        return " or ".join(words) + (f"; {self.note}" if self.note else "")

    def check(self, value: Any) -> None:
        """Raise ConfigError unless the setting may have this value."""
        if value is None and type(None) in self.kinds:
            return
        if isinstance(value, str) and value in self.choices:
            return
        if not all(map(is_clean, _texts_in(value))):
            raise ConfigError(self.key, "has a NUL, a control character or half a character", "take it out")
        if self.secret and isinstance(value, str) and unquoted(value) != value:
            raise ConfigError(self.key, "has quotes that became part of it", "take them out")
        kind_fits = type(value) in self.kinds or (type(value) is int and float in self.kinds)
        if not kind_fits or not (self.rule is None or self.rule.holds(value)):
            raise ConfigError(self.key, "has a wrong value", f"set it to {self.wants()}")

    def read_value(self, value: Any) -> Any:
        """Take a value as TOML writes it: "" unsets what may be unset, 3 may stand for 3.0."""
        if value == "" and type(None) in self.kinds:
            return None
        if type(value) is int and float in self.kinds:
            return float(value)
        if type(value) is list and tuple in self.kinds:
            return tuple(value)
        return value

    def read_text(self, text: str) -> Any:
        """Read an environment variable's text by type; text that does not fit is left to ``check``."""
        if bool in self.kinds and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        with contextlib.suppress(ValueError):
            if int in self.kinds and re.fullmatch(r"[+-]?[0-9]+", text):
                return int(text)
            if float in self.kinds and text:
                return float(text)
            if dict in self.kinds and text.startswith("{"):
                return json.loads(text)
        if tuple in self.kinds and text.startswith("[{"):
            with contextlib.suppress(ValueError):
                return tuple(json.loads(text))
        if tuple in self.kinds:
            return tuple(text.replace(",", " ").split())
        return self.read_value(text)


def unquoted(text: str) -> str:
    """Text without the quotes around it: a shell removes them, ``docker --env-file`` does not."""
    inner = text[1:-1]
    return inner if len(text) > 1 and text[0] == text[-1] in "\"'" and text[0] not in inner else text


def _texts_in(value: Any) -> Iterator[str]:
    """Every text of a value, in tables and lists too."""
    match value:
        case str():
            yield value
        case dict():
            for key, each in value.items():
                yield from (*_texts_in(key), *_texts_in(each))
        case list() | tuple():
            for each in value:
                yield from _texts_in(each)


class Section:
    """Base of the section classes: every value is checked when the section is made."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        for each in settings_of(type(self)).values():
            each.check(getattr(self, each.name))
        self.check_together()

    def check_together(self) -> None:
        """Refuse values that are right alone and wrong beside each other."""


def section_name(section: type[Section]) -> str:
    """The table a section class describes: ``RealtimeConfig`` is ``[realtime]``."""
    return section.__name__.removesuffix("Config").lower()


_described: dict[type[Section], Mapping[str, Setting]] = {}


def settings_of(section: type[Section]) -> Mapping[str, Setting]:
    """Every setting of a section by its name, in the order of declaration."""
    if section not in _described:
        _described[section] = types.MappingProxyType(_describe(section))
    return _described[section]


def _describe(section: type[Any]) -> dict[str, Setting]:
    hints = get_type_hints(section)
    found: dict[str, Setting] = {}
    for attribute in attrs.fields(section):
        kinds, choices = _kinds_and_choices(hints[attribute.name])
        found[attribute.name] = Setting(
            section_name(section), attribute.name, kinds, choices, attribute.default, **attribute.metadata
        )
    return found


def _kinds_and_choices(hint: Any) -> tuple[frozenset[type], tuple[str, ...]]:
    """Take an annotation apart; a Literal gives choices and no kind of its own."""
    kinds: set[type] = set()
    choices: tuple[str, ...] = ()
    for part in get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,):
        if get_origin(part) is Literal:
            choices += get_args(part)
        else:
            kinds.add(get_origin(part) or part)
    return frozenset(kinds), choices


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like ``name``; there is always one, however far."""
    return difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)[0]


def are_texts(table: Mapping[str, Any], pattern: str) -> bool:
    """Whether all values of a table are texts of this pattern."""
    return all(isinstance(each, str) and re.fullmatch(pattern, each) for each in table.values())
