"""What an agent is loaded from: which files count, and what a failed load leaves behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import trio

from llcphone import Agent, ConfigError
from llcphone.config import Config
from llcphone.modes.agent_file import load_agent
from llcphone.process import agent_source
from llcphone.process.agent_source import AgentSource, looks_of
from llcphone.process.reloading import Reloading
from llcphone.testing import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("modules_as_they_were")

PLAIN = "import llcphone\nagent = llcphone.Agent('{}')\n"


@pytest.fixture(autouse=True)
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.chdir(tmp_path)

    def write(**files: str) -> None:
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    return write


def source_in(folder: Path) -> AgentSource:
    return AgentSource(lambda: load_agent(folder / "shop.py", Config()))


def said(source: AgentSource) -> str:
    agent = source.load()
    assert isinstance(agent, Agent)
    return agent.instructions


def names(source: AgentSource, folder: Path) -> set[str]:
    return {path.removeprefix(f"{folder}/") for path in source.looks}


def test_modules_of_ones_own_and_prompts_that_they_read_are_its_files(tmp_path, write) -> None:
    write(shop="import bread, parts.rolls, json, httpx\n" + PLAIN.format("x"), parts__rolls="X = 1\n")
    opened = "from pathlib import Path\nPath('made.txt').write_text('x')\n"
    write(bread=f"{opened}PROMPT = Path('prompt.txt').read_text()\n")
    (tmp_path / "prompt.txt").write_text("Be brief.")
    source = source_in(tmp_path)
    source.load()
    assert names(source, tmp_path) == {"shop.py", "bread.py", "parts/rolls.py", "prompt.txt"}


def test_all_modules_of_ones_own_are_loaded_again_and_nobody_elses(tmp_path, write) -> None:
    write(shop="import json\nfrom parts import rolls\n" + PLAIN.replace("'{}'", "rolls.SAID"))
    write(parts__rolls="SAID = 'one'\n")
    source, others = source_in(tmp_path), sys.modules["json"]
    assert said(source) == "one"
    write(parts__rolls="SAID = 'two'\n")  # as many letters, in the same second
    assert said(source) == "two"
    assert sys.modules["json"] is others
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_module_that_a_tool_imports_counts_from_then_on(tmp_path, write) -> None:
    write(shop=PLAIN.format("x") + "def tool():\n    import late\n    return late.X\n", late="X = 1\n")
    source = source_in(tmp_path)
    source.load()
    (module,) = [each for name, each in sys.modules.items() if "_shop_" in name]
    assert module.tool() == 1
    source.note_imports()
    assert names(source, tmp_path) == {"shop.py", "late.py"}


def test_a_failed_load_leaves_the_modules_from_before(tmp_path, write) -> None:
    write(shop="import bread\n" + PLAIN.format("x"), bread="KIND = 'rye'\n")
    source = source_in(tmp_path)
    source.load()
    before = {name: sys.modules[name] for name in source._modules()}
    write(shop="import bread, cake\n" + PLAIN.format("x"), bread="KIND = 'oat'\n", cake="1 / 0\n")
    with pytest.raises(ConfigError, match=r"cake.py, line 1: ZeroDivisionError"):
        source.load()
    assert {name: sys.modules[name] for name in source._modules()} == before
    assert sys.modules["bread"].KIND == "rye"


def test_after_a_failure_a_file_that_was_missing_counts_once_it_is_there(tmp_path, write) -> None:
    write(shop=PLAIN.format("x"))
    source = source_in(tmp_path)
    source.load()
    write(shop="import cake\n" + PLAIN.format("x"))
    for _ in range(2):
        with pytest.raises(ConfigError, match="cake"):
            source.load()
    assert names(source, tmp_path) == {"shop.py", str(tmp_path)}
    write(cake="X = 1\n")
    now = looks_of(source.looks)
    assert now != source.looks
    source.load()
    assert names(source, tmp_path) == {"shop.py", "cake.py"}


def test_a_prompt_that_is_missing_is_waited_for(tmp_path, write) -> None:
    write(shop="from pathlib import Path\n" + PLAIN.replace("'{}'", "Path('p.txt').read_text()"))
    source = source_in(tmp_path)
    with pytest.raises(ConfigError, match="FileNotFoundError"):
        source.load()
    assert source.looks[str(tmp_path / "p.txt")] is None


def test_who_refuses_the_agent_leaves_the_one_before(tmp_path, write) -> None:
    write(shop=PLAIN.format("one"))
    source = source_in(tmp_path)
    source.load()
    before = [sys.modules[name] for name in source._modules()]

    def refuse(agent: object) -> None:
        raise ConfigError("silence.after_s", "is no number", "write one")

    with pytest.raises(ConfigError, match="is no number"):
        source.load(refuse)
    assert [sys.modules[name] for name in source._modules()] == before


def test_files_are_heard_of_only_while_an_agent_is_loaded(tmp_path, write) -> None:
    write(shop=PLAIN.format("x"))
    source = source_in(tmp_path)
    source.load()
    (tmp_path / "shop.py").read_text()
    (tmp_path / "other.txt").write_text("x")
    (tmp_path / "other.txt").read_text()
    assert names(source, tmp_path) == {"shop.py"}
    assert agent_source._note is agent_source._ignore


# -- the task -------------------------------------------------------------------------------------


async def test_an_agent_of_the_settings_alone_cannot_be_loaded_again(tmp_path) -> None:
    config = Config.from_dict({"agent": {"instructions": "Be brief."}})
    reloading = Reloading(AgentSource(lambda: load_agent(None, config)), {}, print)
    with pytest.raises(ConfigError, match=r"--reload: .* Fix: llcphone new agent.py"):
        reloading.begin()


@pytest.mark.slow
async def test_what_changed_is_told_and_the_task_ends_when_it_is_cancelled(tmp_path, write) -> None:
    write(shop=PLAIN.format("one"))
    settings, told = tmp_path / ".env", trio.Event()
    lines: list[str] = []

    def tell(text: str) -> None:
        lines.append(text)
        told.set()

    reloading = Reloading(source_in(tmp_path), looks_of([settings]), tell)
    first = reloading.begin()
    assert isinstance(first, Agent)

    async def after(change: Callable[[], object]) -> str:
        nonlocal told
        told = trio.Event()
        change()
        await told.wait()
        return lines[-1]

    with trio.fail_after(30):
        async with rehearse(first) as stage, trio.open_nursery() as nursery:
            nursery.start_soon(reloading.run, stage.phone)
            text = await after(lambda: settings.write_text("X=1\n"))
            assert text == ".env: settings are read only at the start. Fix: restart the server"
            text = await after(lambda: write(shop=PLAIN.format("two")))
            assert text == "shop.py changed: new calls get the new agent"
            assert stage.phone.agents.choose({}).instructions == "two"
            text = await after(
                lambda: write(
                    shop=PLAIN.format("three").replace("')", "', settings={'turns': {'silnce_s': 1}})")
                )
            )
            assert "New calls get the agent from before. Fix: " in text
            assert text.endswith(", then save the file")
            assert stage.phone.agents.choose({}).instructions == "two"
            nursery.cancel_scope.cancel()
    assert len(lines) == 4
