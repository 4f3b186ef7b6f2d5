"""Guards of the house: imports point downward, pure rooms stay pure, files stay readable.

docs/architecture.md draws the layers. The imports are read from the source, also those inside
functions and under ``TYPE_CHECKING``: a type alone is knowledge too.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import llcphone

PACKAGE = Path(llcphone.__file__).parent
MOST_LINES = 340

SHARED = ["errors", "validation", "audio", "languages", "config", "dial_guard", "tools", "agent", "dtmf"]
"""Each may import those before it."""
CODECS = {"twilio", "realtime", "live"}
ENGINE = {*SHARED, *CODECS, "prices", "engine"}
CALL = {*ENGINE, "runtime", "wire", "announcements", "price_lists", "call"}
BETWEEN = {*CALL, "carrier", "recorder", "store", "shared", "phone"}

MAY_IMPORT: dict[str, set[str]] = {
    **{room: set(SHARED[:at]) for at, room in enumerate(SHARED)},
    "twilio": set(SHARED),
    "realtime": set(SHARED),
    "live": {*SHARED, "realtime"},
    "prices": {*SHARED, *CODECS},
    "engine": ENGINE,
    "wire": {"errors", "runtime"},
    "runtime": {"errors", "validation"},
    "announcements": {"errors", "audio"},
    "price_lists": {"errors", "prices"},
    "call": CALL,
    "carrier": BETWEEN,
    "recorder": {*SHARED, "twilio", "runtime"},
    "store": BETWEEN,
    "shared": {*SHARED, "runtime", "store"},
    "phone": BETWEEN,
    "telemetry": BETWEEN,
    "server": {*BETWEEN, "telemetry"},
    "console": {*BETWEEN, "telemetry", "server", "sim"},
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


@cache
def imports_in(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """The file's import statements, wherever they stand; read once, as many tests ask."""
    found: list[ast.Import | ast.ImportFrom] = []
    inside: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while inside:
        node = inside.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        # Statements alone: an expression imports nothing.
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inside += getattr(node, part, ())
    return found


def imports_of(path: Path) -> set[str]:
    """Dotted names of all modules that the file imports."""
    found: set[str] = set()
    for node in imports_in(path):
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


def loaded_by(code: str, folder: Path) -> set[str]:
    """The names of the modules that a fresh interpreter has after this, with their packages'."""
    done = f"import sys\n{code}\nsys.stdout.flush()\nprint('loaded:', *sys.modules)"
    run = subprocess.run([sys.executable, "-c", done], capture_output=True, text=True, check=True, cwd=folder)
    return set(run.stdout.rpartition("loaded:")[2].split())


def test_importing_the_package_or_its_command_loads_next_to_nothing(tmp_path: Path) -> None:
    loaded = loaded_by("import llcphone.cli", tmp_path)
    assert {name for name in loaded if name.startswith("llcphone")} == {"llcphone", "llcphone.cli"}
    heavy = {"trio", "sqlalchemy", "twilio", "quart", "cyclopts", "attrs", "rich"}
    assert not heavy & loaded


LARGE = "rich pygments click httpx structlog asyncio sqlalchemy quart twilio.rest phonenumbers tomlkit"
"""A person waits for each of them: half of a short command's time, or more."""


@pytest.mark.parametrize(
    ("code", "not_needed"),
    [
        ("run(['--version'])", f"{LARGE} trio ssl msgspec llcphone.config"),
        ("run(['status'])", f"{LARGE} llcphone.agent llcphone.store llcphone.doctor"),
        ("import llcphone.cli.restart", f"{LARGE} llcphone.engine llcphone.phone"),
        (
            "load(['call'])",
            "sqlalchemy quart twilio.rest tomlkit llcphone.phone.open llcphone.store.store",
        ),
        (
            "load(['serve'])",
            "httpx twilio.rest tomlkit prometheus_client opentelemetry caldav psycopg "
            "llcphone.console llcphone.demo llcphone.doctor llcphone.sim llcphone.testing llcphone.torture",
        ),
    ],
    ids=["version", "status", "restart", "call", "serve"],
)
def test_a_command_loads_only_what_it_needs(tmp_path: Path, code: str, not_needed: str) -> None:
    loaded = loaded_by(f"from llcphone.cli.entry import load, run\n{code}", tmp_path)
    assert "cyclopts" in loaded
    assert loaded & set(not_needed.split()) == set()


COLLECTOR = """\
import atexit, gc, sys
from llcphone.cli import main

def began(phase, info):
    if phase == "start":
        looked_at.append(sum(len(gc.get_objects(generation=each)) for each in range(info["generation"] + 1)))

def told():
    print("looked at:", *looked_at, gc.get_count()[0])
    print("set aside:", gc.get_freeze_count() / (gc.get_freeze_count() + len(gc.get_objects())))

looked_at = []
gc.callbacks.append(began)
atexit.register(told)
sys.argv = ["llcphone", "calls"]
main()
"""


def test_a_command_does_not_search_its_modules_for_garbage(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", COLLECTOR]
    run = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 2, "there are no calls here"
    looked_at, set_aside = run.stdout.splitlines()
    # The modules alone are 90,000 objects.
    assert max(map(int, looked_at.removeprefix("looked at: ").split())) < 20_000
    # So the end of the process does not look at them either.
    assert float(set_aside.removeprefix("set aside: ")) > 0.9


@pytest.mark.parametrize(("name", "thing"), public_things(), ids=[name for name, _ in public_things()])
def test_every_public_name_is_documented(name: str, thing: object) -> None:
    assert thing.__doc__, name
    if inspect.isclass(thing):
        methods = {word: value for word, value in vars(thing).items() if not word.startswith("_")}
        functions = [word for word, value in methods.items() if inspect.isfunction(value)]
        silent = [word for word in functions if not inspect.getdoc(getattr(thing, word))]  # own or inherited
        assert not silent, f"{name}: {silent}"


# -- the engine's floors ------------------------------------------------------------------------

BELOW_PARTS = {
    "call_setup",
    "commands",
    "endpoint_plan",
    "events",
    "note",
    "notes",
    "resumed",
    "status",
    "words",
}
"""Plain data and pure functions: what the rest of the engine, and other rooms, may import."""

ENGINE_MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(BELOW_PARTS, BELOW_PARTS),
    "parts": {*BELOW_PARTS, "parts"},
    "state": {*BELOW_PARTS, "parts"},
    "policies": {*BELOW_PARTS, "parts", "state", "policies"},
    "call": {*BELOW_PARTS, "parts", "state", "policies"},
    "tape": {*BELOW_PARTS, "call", "tape"},
    "__init__": {"call", "call_setup"},
}


def floors_reached(names: set[str]) -> set[str]:
    """The floors of the engine among dotted module names."""
    return {name.split(".")[2] for name in names if name.startswith("llcphone.engine.")}


def engine_floor_of(path: Path) -> str:
    return path.relative_to(PACKAGE / "engine").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) == "engine"], ids=str)
def test_the_engines_floors_look_only_down(path: Path) -> None:
    floor = engine_floor_of(path)
    found = floors_reached(modules_of(path))
    assert found <= ENGINE_MAY_IMPORT[floor], f"{floor} reaches {sorted(found - ENGINE_MAY_IMPORT[floor])}"


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) != "engine"], ids=str)
def test_nobody_outside_the_engine_knows_its_parts_or_policies(path: Path) -> None:
    assert not floors_reached(modules_of(path)) & {"parts", "policies", "state"}


# -- circles ------------------------------------------------------------------------------------

BENCH = PACKAGE.parent / "bench"


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in [*FILES, *sorted(BENCH.glob("*.py"))]}


def modules_of(path: Path) -> set[str]:
    """The files that a file imports: of ``from package import name`` the file of that name, if it is one."""
    found: set[str] = set()
    for node in imports_in(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in whole}
    return found


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of more than one node (Tarjan)."""
    found: list[set[str]] = []
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(set(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_no_file_is_in_a_circle() -> None:
    graph = {name: (modules_of(path) & MODULES.keys()) - {name} for name, path in MODULES.items()}
    assert not circles(graph)


def test_a_planted_fault_is_found(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden.py"
    hidden.write_text(
        "try:\n    match 1:\n        case 2:\n            import a.b\nexcept OSError:\n    import c\n"
        "else:\n    if 1: from d import e\nfinally:\n    lambda: 1\n"
        "    async def f():\n        with g: import h\n"
        "    for i in j: pass\n    else:\n        class k: import l\n"
    )
    assert imports_of(hidden) == {"a.b", "c", "d", "h", "l"}
    assert floors_reached({"llcphone.engine.policies.silence", "llcphone.audio"}) == {"policies"}
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles({"a": {"b"}, "b": set()}) == []
