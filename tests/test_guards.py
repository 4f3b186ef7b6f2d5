"""Guards of the house: imports point downward, pure rooms stay pure, files stay readable.

docs/architecture.md draws the layers. The imports are read from the source, also those inside
functions and under ``TYPE_CHECKING``: a type alone is knowledge too.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import llcphone

PACKAGE = Path(llcphone.__file__).parent
MOST_LINES = 340

SHARED = ["errors", "validation", "audio", "languages", "config", "dial_guard", "tools", "agent", "dtmf"]
"""Each may import those before it."""
CODECS = {"twilio", "realtime"}
ENGINE = {*SHARED, *CODECS, "prices", "engine"}
CALL = {*ENGINE, "runtime", "wire", "announcements", "price_lists", "call"}
BETWEEN = {*CALL, "carrier", "store", "phone"}

MAY_IMPORT: dict[str, set[str]] = {
    **{room: set(SHARED[:at]) for at, room in enumerate(SHARED)},
    "twilio": set(SHARED),
    "realtime": set(SHARED),
    "prices": {*SHARED, *CODECS},
    "engine": ENGINE,
    "wire": {"errors", "runtime"},
    "runtime": {"errors", "validation"},
    "announcements": {"errors", "audio"},
    "price_lists": {"errors", "prices"},
    "call": CALL,
    "carrier": BETWEEN,
    "store": BETWEEN,
    "phone": BETWEEN,
    "telemetry": BETWEEN,
    "server": {*BETWEEN, "telemetry"},
    "sim": set(),
    "torture": {"sim"},
    "__init__": {*BETWEEN, "settings"},
}
"""A module that is not named here is run by a person: it may import anything, and no room imports it."""

PURE = {*SHARED, *CODECS, "prices", "engine"}
WAITS_OR_ASKS = (
    "trio asyncio anyio threading multiprocessing concurrent subprocess signal socket ssl select selectors "
    "os io pathlib shutil tempfile sys time datetime zoneinfo random secrets uuid logging warnings"
)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Dotted names of all modules that the file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which room they reach into"
            assert node.module is not None
            # "from llcphone import phone" reaches a room; "from llcphone.phone.phone import Phone" names it
            found.update(f"llcphone.{a.name}" for a in node.names if node.module == "llcphone")
            found.add(node.module)
    return found


FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_imports_point_downward(path: Path) -> None:
    room = room_of(path)
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("llcphone.")} - {room}
    if room in MAY_IMPORT:
        assert ours <= MAY_IMPORT[room], f"{room} reaches into {sorted(ours - MAY_IMPORT[room])}"
    if room != "__main__":
        assert "cli" not in ours, "nobody imports cli"


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) in PURE], ids=str)
def test_pure_rooms_know_no_clock_chance_system_or_waiting(path: Path) -> None:
    foreign = {name.split(".")[0] for name in imports_of(path)} & set(WAITS_OR_ASKS.split())
    assert not foreign
    waiting = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not any(isinstance(node, waiting) for node in ast.walk(ast.parse(path.read_text("utf-8"))))


def test_every_room_of_the_table_exists_or_is_still_to_be_built() -> None:
    built = {room_of(path) for path in FILES}
    assert set(MAY_IMPORT) <= built


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_can_be_read_in_one_sitting_and_says_what_it_is_for(path: Path) -> None:
    source = path.read_text("utf-8")
    assert source.count("\n") <= MOST_LINES
    if source.strip():
        assert ast.get_docstring(ast.parse(source)), "a file opens with what it is for"


def public_things() -> list[tuple[str, object]]:
    return [(name, getattr(llcphone, name)) for name in llcphone._HOMES]


def test_the_public_names_are_those_that_types_know() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    known = {
        alias.name: node.module
        for block in ast.walk(tree)
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert known == llcphone._HOMES
    assert set(known) <= set(dir(llcphone))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = llcphone.no_such_name  # type: ignore[attr-defined]


def test_importing_the_package_or_its_command_loads_next_to_nothing() -> None:
    code = "import llcphone.cli, sys; print(*(set(sys.modules) - set(sys.stdlib_module_names)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in run.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in loaded if name.startswith("llcphone")} == {"llcphone", "llcphone.cli"}
    heavy = {"trio", "sqlalchemy", "twilio", "quart", "cyclopts", "attrs", "rich"}
    assert not heavy & loaded


@pytest.mark.parametrize(("name", "thing"), public_things(), ids=[name for name, _ in public_things()])
def test_every_public_name_is_documented(name: str, thing: object) -> None:
    assert thing.__doc__, name
    if inspect.isclass(thing):
        methods = {word: value for word, value in vars(thing).items() if not word.startswith("_")}
        silent = [word for word, value in methods.items() if inspect.isfunction(value) and not value.__doc__]
        assert not silent, f"{name}: {silent}"
