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

``python -m tests.test_docs`` writes docs/configuration.md and the table of variables in docs/09 anew.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio

from llcphone.agent import Agent
from llcphone.call.setup import plan_call
from llcphone.cli.entry import app as cli
from llcphone.config import SECTIONS, SETTINGS, Config, RealtimeConfig, toml_value
from llcphone.dial_guard.guard import WHY
from llcphone.engine.events import EndReason
from llcphone.price_lists import price_list
from llcphone.realtime.dialects import Dialect, encode
from llcphone.realtime.messages import UpdateSession
from llcphone.server.app import make_app
from llcphone.settings import ORIGINAL_DESTINATIONS, ORIGINAL_NAMES, OWN_NAMES, USUAL_NAMES
from llcphone.sim import voices
from llcphone.sim.model import CallTool, open_model
from llcphone.sim.phone import open_twilio
from llcphone.sim.ports import free_port
from llcphone.testing import AUTH_TOKEN
from llcphone.tools.tool import ToolOptions

ROOT = Path(__file__).parent.parent
CONFIGURATION = ROOT / "docs" / "configuration.md"
PLACES = [ROOT, ROOT / "llcphone"]
"""What a path in the docs may begin at."""
SKILL = ROOT / "skill" / "llc-phone" / "SKILL.md"
SKILL_PAGE = ROOT / "docs" / "09-openclaw-config.md"
REQUIRED = ["OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"]
"""What the skill asks for, as the original did."""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), SKILL]

OPENAI = {"session", "response", "conversation", "input_audio_buffer", "rate_limits"}
FOREIGN = {"llcphone", "phone", "start", *OPENAI}
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


def plain_default(key: str) -> str:
    """A default as a sentence has it, save for the commas in long numbers: 10 s, on, greet, not set."""
    match SETTINGS[key].default:
        case None | "" | ():
            return "not set"
        case bool(on):
            return "on" if on else "off"
        case int() | float() as number:
            unit = {"ms": " ms", "s": " s"}.get(key.rpartition("_")[2], "")
            return str(number).removesuffix(".0") + unit
        case other:
            return str(other)


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


def configuration_page() -> str:
    """docs/configuration.md, made of the declarations of the settings."""
    lines = [CONFIGURATION_HEAD]
    lines += [f"| `{variable}` | `{key}` |" for variable, key in (USUAL_NAMES | ORIGINAL_NAMES).items()]
    destinations = ORIGINAL_DESTINATIONS.items()
    lines += [f"| `{variable}` | `transfers.destinations`, as `{name}` |" for variable, name in destinations]
    for name, section in SECTIONS.items():
        about = inspect.getdoc(section).partition(": ")[2]
        lines += ["", f"## [{name}]", "", about[0].upper() + about[1:], ""]
        lines += ["| setting | default | may be | what it is |", "|---|---|---|---|"]
        told = told_of(section)
        for setting in SETTINGS.values():
            if setting.section == name:
                kind = " *Secret.*" if setting.secret else " *Of one deployment.*" if setting.private else ""
                default = toml_value(setting.default)
                cells = [f"`{setting.key}`", f"`{default}`", setting.wants(), told[setting.name] + kind]
                lines.append(f"| {' | '.join(cells)} |".replace("<", "&lt;"))
    return "\n".join(lines) + "\n"


CONFIGURATION_HEAD = """# Configuration

Made from the code by `python -m tests.test_docs`; a test compares. `llcphone config --explain` shows what is
in effect and where it came from.

Later wins: default, `llcphone.toml` (or `--config`), the `.env` beside it, the environment. Every setting is
also read from `LLCPHONE_<SECTION>__<KEY>`; a variable that begins so and is no setting is an error. `""`
unsets what may be unset. A list stands in a variable with commas, without brackets
(`LLCPHONE_OUTBOUND__ALLOW_PREFIXES=+1202,+44`), a table as JSON. A *secret* is shown by no command and
written to no log or snapshot; what is *of one deployment* is in no snapshot either.

These names are read too. Within one source `LLCPHONE_…` wins, then those of the trade, then those of the
original.

| variable | setting |
|---|---|"""


def told_of(section: type) -> dict[str, str]:
    """What stands under each setting of a section."""
    body = ast.parse(dedent(inspect.getsource(section))).body[0].body
    return {
        each.target.id: " ".join(below.value.value.split())
        for each, below in pairwise(body)
        if isinstance(each, ast.AnnAssign) and isinstance(below, ast.Expr)
    }


def test_the_table_of_settings_is_what_the_code_declares() -> None:
    assert CONFIGURATION.read_text("utf-8") == configuration_page(), "run: python -m tests.test_docs"


def skill_page() -> str:
    """docs/09-openclaw-config.md with every name that is read, its setting and default."""
    names = [each for each in (USUAL_NAMES | ORIGINAL_NAMES).items() if each[0] not in REQUIRED]
    rows = [f"| `{variable}` | `{key}` | {plain_default(key)} |" for variable, key in names]
    destinations = ORIGINAL_DESTINATIONS.items()
    rows += [f"| `{each}` | `transfers.destinations`, as `{name}` | not set |" for each, name in destinations]
    above, below = r"(\| `TWILIO_PHONE_NUMBER` \|[^\n]*\n)", r"(?:\|[^\n]*\n)*"
    text = SKILL_PAGE.read_text("utf-8")
    return re.sub(above + below, lambda found: found[1] + "\n".join(rows) + "\n", text)


def test_the_table_of_variables_is_what_is_read() -> None:
    assert SKILL_PAGE.read_text("utf-8") == skill_page(), "run: python -m tests.test_docs"


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
        config=config, agent=Agent(), observers=[], on_end=[], dialler=None, answer=print, join=print
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
    page = read(ROOT / "docs" / "03-prewarm-outbound.md")
    assert set(WHY) <= set(page.spans)
    source = "".join(path.read_text() for path in (ROOT / "llcphone" / "server" / "api").glob("*.py"))
    raised = set(re.findall(r'ApiError\(\s*(\d+),\s*"(\w+)"', source))
    assert set(re.findall(r"^\| (\d+) \| `(\w+)` \|", page.prose, re.M)) == raised


def test_every_option_of_a_tool_is_told() -> None:
    spans = read(ROOT / "docs" / "05-async-tools.md").spans
    assert set(ToolOptions.__annotations__) <= set(spans)


def test_every_end_reason_is_told() -> None:
    assert {reason.value for reason in EndReason} <= set(read(ROOT / "docs" / "reliability.md").spans)


@pytest.mark.parametrize("dialect", list(Dialect), ids=lambda dialect: dialect.value)
def test_the_session_update_shown_is_the_one_sent(dialect: Dialect) -> None:
    shown = dict(read(ROOT / "docs" / "02-session-config.md").blocks)[f"json {dialect.value}"]
    session = plan_call(Config(), Agent("You answer the telephone of a bakery."), call_sid="").session
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
            define(text)


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
    port = free_port()
    public_url = f"http://127.0.0.1:{port}"
    values = {"OPENAI_API_KEY": "sk-quick-start", "TWILIO_AUTH_TOKEN": AUTH_TOKEN, "PUBLIC_URL": public_url}
    (asked,) = [text for _, text in readme.blocks if "PUBLIC_URL" in text]
    assert {line.partition("=")[0] for line in asked.split()} == set(values), "what .env needs"
    async with open_model(["Good morning!", asks, "Seven to noon."]) as model:
        for name, value in {**values, "PORT": str(port), "LLCPHONE_REALTIME__URL": model.url}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(define(program)["main"])
            await trio.sleep(1)
            await ask_for_the_hours(f"{public_url}/twiml")
            nursery.cancel_scope.cancel()
        items = [item for session in model.sessions for item in session.items]
        outputs = [item.text for item in items if item.type == "function_call_output"]
    assert outputs == ["seven to noon"]


async def ask_for_the_hours(webhook_url: str) -> None:
    async with open_twilio(webhook_url=webhook_url, auth_token=AUTH_TOKEN) as twilio:
        call = await twilio.ring()
        await call.stream_started()
        await call.hears(0.3)
        await call.silence_for(500)
        await call.speak(voices.load("hello_opening_hours"))
        await call.hears(0.3)
        call.hang_up()
        await call.ended()


if __name__ == "__main__":
    CONFIGURATION.write_text(configuration_page(), "utf-8")
    SKILL_PAGE.write_text(skill_page(), "utf-8")
