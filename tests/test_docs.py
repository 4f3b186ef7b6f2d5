"""The docs say what is so: what they name exists, what they quote is the code's, what they show runs.

How the docs write things, and what is checked of them:

    `section.key`           a setting that exists
    `section.key` (10 s)    and has this default
    `section.key = value`   and takes this value, as TOML writes it
    `NAME_IN_CAPITALS`      an environment variable that is read
    `llcphone x --flag`, `./dev x`, `python -m x`   a command that exists
    `dir/file`, [text](path#heading)                a file, a heading
    `POST /path`            a route of the server
    ```python, ```toml      runs; is accepted as llcphone.toml

``./dev docs`` writes the pages that are made from the code (docs_tools/make_docs.py) and builds the site.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
import threading
import tomllib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio

from docs_tools.make_docs import MADE_PAGES, WRAPPED, plain_default
from docs_tools.wrap import wrapped
from llcphone.agent import Agent
from llcphone.call.setup import plan_session
from llcphone.cli.entry import app as cli
from llcphone.config import SECTIONS, SETTINGS, Config, RealtimeConfig
from llcphone.dial_guard.guard import WHY
from llcphone.engine.events import EndReason
from llcphone.price_lists import price_list
from llcphone.realtime.dialects import REALTIME_DIALECTS, Dialect, encode
from llcphone.realtime.messages import UpdateSession
from llcphone.server.app import make_app
from llcphone.settings import ORIGINAL_DESTINATIONS, ORIGINAL_NAMES, OWN_NAMES, USUAL_NAMES
from llcphone.sim import voices
from llcphone.sim.model import CallTool
from llcphone.testing import API_KEY, AUTH_TOKEN, Stage, open_stage
from llcphone.tools.tool import ToolOptions
from tests.patience import HANG_S

ROOT = Path(__file__).parent.parent
PLACES = [ROOT, ROOT / "llcphone"]
"""What a path in the docs may begin at."""
SKILL = ROOT / "skill" / "llc-phone" / "SKILL.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), SKILL]

OPENAI = {"session", "response", "conversation", "input_audio_buffer", "rate_limits"}
FOREIGN = {"llcphone", "phone", "engine", "start", "trio", "attrs", *OPENAI}
"""What stands before the dot in names that are no settings: our own objects, the vendors' events."""
FILES = {"py", "md", "toml", "json", "jsonl", "ulaw"}
VARIABLES = {*OWN_NAMES, *USUAL_NAMES, *ORIGINAL_NAMES, *ORIGINAL_DESTINATIONS}

_KEY = r"([a-z_]+)\.([a-z_]+)"
_VARIABLE = re.compile(
    r"\b(?:LLCPHONE_[A-Z0-9_]+|VOSS_\w+|TWILIO_\w+|OPENAI_\w+|[A-Z]+_(?:DID|NUMBER)|PUBLIC_URL|PORT)\b"
)


@attrs.frozen
class Page:
    """A page taken apart."""

    path: Path
    prose: str
    blocks: list[tuple[str, str]]
    """Info string and text of every code block; indented ones have no info."""

    @property
    def spans(self) -> list[str]:
        return re.findall(r"`([^`\n]+)`", self.prose)

    @property
    def code(self) -> list[str]:
        """Lines of code that are no program: spans, and blocks of commands or settings."""
        lines = [line for info, text in self.blocks if info in ("", "sh") for line in text.splitlines()]
        return [*self.spans, *lines]


def read(path: Path) -> Page:
    prose: list[str] = []
    blocks: list[tuple[str, list[str]]] = []
    fenced = indented = False
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("```"):
            fenced, indented = not fenced, False
            if fenced:
                blocks.append((line[3:].strip(), []))
        elif fenced:
            blocks[-1][1].append(line)
        elif line.startswith("    ") and (indented or not prose or not prose[-1]):
            if not indented:
                blocks.append(("", []))
            indented = True
            blocks[-1][1].append(line[4:])
        else:
            indented = indented and not line
            prose.append(line)
    return Page(path, "\n".join(prose), [(info, "\n".join(lines) + "\n") for info, lines in blocks])


pages = pytest.mark.parametrize("page", [read(path) for path in PAGES], ids=[path.stem for path in PAGES])


# -- settings ---------------------------------------------------------------------------------


@pages
def test_every_setting_named_exists_and_takes_the_value_named(page: Page) -> None:
    for span in page.code:
        if (found := re.fullmatch(rf"{_KEY}(?: = (.+))?", span)) is None:
            found = re.fullmatch(r"\[(\w+)\] (\w+)(?: = (.+))?", span)
        if (section := re.fullmatch(r"\[([a-z]+)\]", span)) is not None:
            assert section[1] in SECTIONS, span
        if found is None or found[1] in FOREIGN or found[2] in FILES:
            continue
        setting = SETTINGS.get(f"{found[1]}.{found[2]}")
        assert setting is not None, f"{span} is no setting"
        if found[3]:
            setting.check(setting.read_value(tomllib.loads(f"value = {found[3]}")["value"]))


@pages
def test_every_default_named_is_the_codes(page: Page) -> None:
    for section, name, said in re.findall(rf"`{_KEY}` \(([^)]+)\)", page.prose):
        if section not in SECTIONS:
            continue
        assert said.replace(",", "") == plain_default(f"{section}.{name}"), f"{section}.{name}"


@pages
def test_every_variable_named_is_read(page: Page) -> None:
    named = {name for _, text in page.blocks for name in _VARIABLE.findall(text)}
    named |= {name for span in page.spans for name in _VARIABLE.findall(span)}
    assert named <= VARIABLES


@pages
def test_every_block_of_settings_is_accepted(page: Page) -> None:
    for info, text in page.blocks:
        if info == "toml":
            Config.from_toml(text)


@pytest.mark.parametrize("path", MADE_PAGES, ids=lambda path: path.stem)
def test_a_page_made_from_the_code_is_up_to_date(path: Path) -> None:
    assert path.read_text("utf-8") == MADE_PAGES[path](), "run: ./dev docs"


# -- commands, files, routes --------------------------------------------------------------------


@pages
def test_every_command_named_exists_with_its_flags(page: Page) -> None:
    for line in page.code:
        words = line.partition("#")[0].split()
        if words and words[0] == "llcphone" and len(words) > 1:
            check_command(words[1:])
        for name in re.findall(r"\./dev (\w+)", line):
            assert re.search(rf"^{name}\)", (ROOT / "dev").read_text(), re.M), line
        for name in re.findall(r"python -m ([\w.]+)", line):
            path = ROOT / name.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), line


def check_command(words: list[str]) -> None:
    command: Any = cli
    while words and not words[0].startswith("-") and command.default_command is None:
        command = command[words.pop(0)]  # KeyError: there is no such command
    flags = {"--help", "--version"}
    if command.default_command is not None:
        for each in command.assemble_argument_collection():
            flags |= set(each.names)
    assert {word for word in words if word.startswith("--")} <= flags, words


@pages
def test_every_file_and_heading_named_exists(page: Page) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.prose):
        if not target.startswith("http"):
            name, _, heading = target.partition("#")
            path = page.path.parent / name if name else page.path
            assert path.exists(), target
            assert not heading or heading in headings(path), target
    for span in page.spans:
        if re.fullmatch(r"\.?[\w-][\w.-]*(/[\w.-]+)*/?", span) and "/" in span:
            first = span.partition("/")[0]
            ours = any((place / first).is_dir() for place in PLACES) or span.endswith((".py", ".md", ".toml"))
            assert not ours or any((place / span).exists() for place in PLACES), span


def headings(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", read(path).prose, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_route_named_is_served() -> None:
    config = Config.from_dict({"api": {"key": "a-key-of-enough-characters"}})
    phone: Any = SimpleNamespace(
        config=config,
        agent=Agent(),
        observers=[],
        on_end=[],
        dialler=None,
        shared=None,
        answer=print,
        join=print,
    )
    served = {
        (method, re.sub(r"<[^>]*>", "*", rule.rule))
        for rule in make_app(phone).url_map.iter_rules()
        for method in rule.methods or ()
    }
    for path in PAGES:
        for line in read(path).code:
            for method, route in re.findall(r"\b(GET|POST) +(/[^\s?,;]*)", line):
                assert (method, re.sub(r"[<{][^>}]*[>}]", "*", route)) in served, f"{path.name}: {line}"


# -- words that programs read -------------------------------------------------------------------


def test_every_refusal_of_the_guard_and_of_the_api_is_told() -> None:
    assert set(WHY) <= set(read(ROOT / "docs" / "03-prewarm-outbound.md").spans)
    page = read(ROOT / "docs" / "http-api.md")
    source = "".join(path.read_text() for path in (ROOT / "llcphone" / "server" / "api").glob("*.py"))
    raised = set(re.findall(r'ApiError\(\s*(\d+),\s*"(\w+)"', source))
    assert set(re.findall(r"^\| (\d+) \| `(\w+)` \|", page.prose, re.M)) == raised


def test_every_option_of_a_tool_is_told() -> None:
    spans = read(ROOT / "docs" / "05-async-tools.md").spans
    assert set(ToolOptions.__annotations__) <= set(spans)


def test_every_end_reason_is_told() -> None:
    assert {reason.value for reason in EndReason} <= set(read(ROOT / "docs" / "reliability.md").spans)


PRIVATE_WORDS = re.compile(
    r"\b(mends?|way out|put by|whereto|in the ear|the (?:house|door|original)|lobby|strangers?|judges?)\b",
    re.IGNORECASE,
)
"""Words of our own for which the trade has a name: see the glossary."""


@pytest.mark.parametrize("path", WRAPPED, ids=lambda path: path.stem)
def test_prose_is_wrapped_at_100_columns(path: Path) -> None:
    assert path.read_text("utf-8") == wrapped(path.read_text("utf-8")), "run: ./dev docs"


@pages
def test_pages_use_the_words_of_the_trade(page: Page) -> None:
    prose = re.sub(r"`[^`]*`", "", page.prose)
    assert [line for line in prose.splitlines() if PRIVATE_WORDS.search(line)] == []


@pages
def test_a_page_says_who_needs_it(page: Page) -> None:
    if page.path.parent.name == "docs":
        first = page.prose.split("\n\n")[1]
        assert first.startswith("For "), f"{page.path.name}: {first}"


def glossary(text: str) -> list[tuple[str, str]]:
    """Each row's terms, and its classes."""
    return re.findall(r"^\| (?!term|---)(.+) \| .+ \| (.*?) ?\|$", text, re.M)


def repeated_terms(text: str) -> list[str]:
    terms = Counter(term for row, _ in glossary(text) for term in row.split(", "))
    return [term for term, times in terms.items() if times > 1]


def wrong_classes(text: str) -> list[str]:
    """Classes that do not exist, or stand for two terms."""
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "llcphone").rglob("*.py"))
    classes = set(re.findall(r"^class (\w+)", sources, re.M))
    named = Counter(name for _, row in glossary(text) for name in re.findall(r"`(\w+)`", row))
    return [name for name, times in named.items() if times > 1 or name not in classes]


def test_the_glossary_has_one_meaning_per_term_and_one_term_per_class() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    assert len(glossary(text)) > 50
    assert repeated_terms(text) == []
    assert wrong_classes(text) == []


def test_a_glossary_that_says_a_thing_twice_or_names_no_class_is_found() -> None:
    text = "| call, run | one | `Call` |\n| run | two | `Call` |\n| leg | three | `Lobby` |\n"
    assert repeated_terms(text) == ["run"]
    assert wrong_classes(text) == ["Call", "Lobby"]


@pytest.mark.parametrize("dialect", REALTIME_DIALECTS, ids=lambda dialect: dialect.value)
def test_the_session_update_shown_is_the_one_sent(dialect: Dialect) -> None:
    shown = dict(read(ROOT / "docs" / "02-session-config.md").blocks)[f"json {dialect.value}"]
    config = Config()
    if dialect is Dialect.XAI:
        config = Config.from_dict({"realtime": {"profile": "xai", "voice": "eve"}})
    session = plan_session(config, Agent("You answer the telephone of a bakery."))
    assert json.loads(shown) == json.loads(encode(UpdateSession(session), dialect))


def test_every_model_of_the_overview_has_a_price() -> None:
    page = read(ROOT / "docs" / "01-overview.md")
    models = re.findall(r"^\| `(gpt-[\w.-]+)` \|", page.prose, re.M)
    assert RealtimeConfig().model in models
    assert {model for model in models if price_list().rates(model) is None} == set()


# -- programs -----------------------------------------------------------------------------------


@pages
def test_every_program_shown_runs_as_far_as_its_definitions(page: Page) -> None:
    for info, text in page.blocks:
        if info == "python":
            for made in define(text).values():
                if isinstance(made, asyncio.AbstractEventLoop):
                    made.close()


def define(text: str) -> dict[str, Any]:
    """Run a program but for its last line, if that is ``trio.run(main)``."""
    tree = ast.parse(text)
    if ast.unparse(tree.body[-1]) == "trio.run(main)":
        tree.body.pop()
    namespace: dict[str, Any] = {"__name__": "shown"}
    exec(compile(tree, "shown", "exec"), namespace)
    return namespace


async def test_the_quick_start_answers_a_call(autojump_clock, tmp_path, monkeypatch) -> None:
    readme = read(ROOT / "README.md")
    (program,) = [text for info, text in readme.blocks if info == "python"]
    asks = CallTool("opening_hours", {"day": "sunday"})
    (asked,) = [text for _, text in readme.blocks if "PUBLIC_URL" in text]
    async with open_stage(["Good morning!", asks, "Seven to noon."]) as stage:
        values = {"OPENAI_API_KEY": API_KEY, "TWILIO_AUTH_TOKEN": AUTH_TOKEN, "PUBLIC_URL": stage.url}
        assert {line.partition("=")[0] for line in asked.split()} == set(values), "what .env needs"
        values |= {"PORT": str(stage.port), "LLCPHONE_REALTIME__URL": stage.model.url}
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(define(program)["main"])
            await trio.sleep(1)
            await ask_for_the_hours(stage)
            nursery.cancel_scope.cancel()
        items = [item for session in stage.model.sessions for item in session.items]
        outputs = [item.text for item in items if item.type == "function_call_output"]
    assert outputs == ["seven to noon"]


ASYNCIO_PAGE = ROOT / "docs" / "asyncio.md"


def test_the_bridge_to_asyncio_that_is_shown_is_that_of_the_example() -> None:
    def bridge(source: str) -> str:
        functions = [each for each in ast.parse(source).body if isinstance(each, ast.AsyncFunctionDef)]
        (found,) = [ast.unparse(each) for each in functions if each.name == "in_asyncio"]
        return found

    (shown,) = [text for info, text in read(ASYNCIO_PAGE).blocks if info == "python"]
    assert bridge(shown) == bridge((ROOT / "examples" / "asyncio_tool.py").read_text("utf-8"))


async def test_the_bridge_to_asyncio_that_is_shown_brings_results_and_cancellation() -> None:
    (shown,) = [text for info, text in read(ASYNCIO_PAGE).blocks if info == "python"]
    names = define(shown)
    loop, in_asyncio = names["loop"], names["in_asyncio"]
    begun, cancelled = threading.Event(), threading.Event()

    async def price() -> str:
        await asyncio.sleep(0)
        return "four euros"

    async def hang() -> str:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()
        return ""

    names["start_asyncio"]()
    try:
        assert await in_asyncio(price()) == "four euros"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(in_asyncio, hang())
            assert await trio.to_thread.run_sync(begun.wait, HANG_S)
            nursery.cancel_scope.cancel()
        assert await trio.to_thread.run_sync(cancelled.wait, HANG_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        for thread in threading.enumerate():
            if thread.name == "asyncio":
                await trio.to_thread.run_sync(thread.join, HANG_S)
        loop.close()


async def ask_for_the_hours(stage: Stage) -> None:
    call = await stage.ring()
    await call.hears_out(0.3, 500)
    await call.speak(voices.load("hello_opening_hours"))
    await call.hears(0.3)
    call.hang_up()
    await call.ended()
