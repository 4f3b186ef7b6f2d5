"""A user's agent file: what it does wrong is one line, and it stays apart from others of its name."""

from __future__ import annotations

import calendar
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llcphone import Agent, ConfigError
from llcphone.config import Config
from llcphone.modes.agent_file import load_agent
from tests.patience import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("modules_as_they_were")

SHOP = """
import dataclasses
import llcphone

@dataclasses.dataclass
class Bread:
    name: str = "{bread}"

agent = llcphone.Agent("We have {bread}.", name="{bread}")
agent.start_hook = Bread

@agent.tool
async def order(bread: Bread) -> str:
    return bread.name
"""


def write(folder: Path, **files: str) -> Path:
    """Python files by name; returns the path of the first."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder / f"{next(iter(files))}.py"


def load(path: Path) -> Any:
    return load_agent(path, Config())


# -- neighbours and namesakes ---------------------------------------------------------------------


def test_a_module_beside_the_agent_can_be_imported_at_once_and_later(tmp_path) -> None:
    agent = "import llcphone, prices\nagent = llcphone.Agent(prices.RYE)\n"
    agent += "def later():\n    import more\n    return more\n"
    path = write(tmp_path, shop=agent, prices="RYE = 'rye'\n", more="X = 1\n")
    assert load(path).instructions == "rye"
    (module,) = [each for name, each in sys.modules.items() if "_shop_" in name]
    assert module.later().X == 1
    assert sys.path[-1] == str(tmp_path)
    load(path)
    assert sys.path.count(str(tmp_path)) == 1


def test_an_agent_named_like_a_module_of_python_replaces_nothing(tmp_path) -> None:
    path = write(tmp_path, calendar=SHOP.format(bread="rye"), queue=SHOP.format(bread="bun"))
    assert load(path).instructions == "We have rye."
    assert sys.modules["calendar"] is calendar
    import queue

    load(tmp_path / "queue.py")
    assert sys.modules["queue"] is queue
    assert calendar.monthrange(2026, 11)[1] == 30


def test_two_files_of_one_name_are_both_right(tmp_path) -> None:
    for bread in ("rye", "bun"):
        write(tmp_path / bread, shop=SHOP.format(bread=bread))
    rye, bun = (load(tmp_path / bread / "shop.py") for bread in ("rye", "bun"))
    for agent, bread in ((rye, "rye"), (bun, "bun")):
        assert agent.instructions == f"We have {bread}."
        made = agent.start_hook()
        assert pickle.loads(pickle.dumps(made)) == made
        assert agent.tools["order"].read('{"bread": {}}') == {"bread": made}


def test_neighbours_of_one_name_are_each_their_own_agents(tmp_path) -> None:
    for bread in ("rye", "bun"):
        write(
            tmp_path / bread,
            shop="import llcphone, prices as p\nfrom parts import flour as f\n"
            "agent = llcphone.Agent(p.WHAT + f.WHAT)\n",
            prices=f"WHAT = '{bread}'\n",
        )
        write(tmp_path / bread / "parts", __init__="", flour=f"WHAT = '{bread}'\n")
    for bread in ("rye", "bun", "rye"):
        assert load(tmp_path / bread / "shop.py").instructions == bread * 2


# -- failures -------------------------------------------------------------------------------------

GROUP = "raise BaseExceptionGroup('x', [SystemExit(3)])"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import llcphone\n1 / 0\n", "bad.py, line 2: ZeroDivisionError"),
        ("x = 1\ndef f(:\n", "bad.py, line 2: SyntaxError: invalid syntax"),
        ("import sys\n\nsys.exit(3)\n", "bad.py, line 3: SystemExit"),
        (
            "import no_such_thing\n",
            "bad.py, line 1: ModuleNotFoundError: No module named 'no_such_thing'. Fix: install",
        ),
        ("import broken\n", "broken.py, line 2: KeyError"),
        ("raise RuntimeError('sk-secret')\n", "bad.py, line 1: RuntimeError"),
        ("print(agnet)\n", "bad.py, line 1: NameError: name 'agnet' is not defined"),
        ("import asyncio\nraise asyncio.CancelledError\n", "bad.py, line 2: CancelledError"),
        (f"{GROUP}\n", "bad.py, line 1: SystemExit"),
        ("\x00", "bad.py"),
        ("def make(house):\n    return 1 / 0\n", "bad.py, line 2: ZeroDivisionError"),
        ("def agents(house):\n    raise SystemExit(1)\n", "bad.py, line 2: SystemExit"),
        ("async def make(house): ...\n", "make and agents must be plain functions"),
        ("agent = 7\n", "bad.py defines no agent. Fix: define agent = llcphone.Agent(...)"),
        (
            "import llcphone\nclass make:\n    def __init__(self, house):\n        1 / 0\n",
            "line 4: ZeroDivisionError",
        ),
    ],
    ids=range(15),
)
def test_whatever_a_file_does_wrong_is_one_line_with_its_place(tmp_path, text: str, why: str) -> None:
    path = write(tmp_path, bad=text, broken="x = {}\nx['secret']\n")
    before = set(sys.modules)
    with pytest.raises(ConfigError) as told:
        load(path)
    assert told.value.key == "agent.file"
    assert why in str(told.value)
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)
    assert [name for name in set(sys.modules) - before if "bad" in name] == []


def test_a_file_that_cannot_be_read_is_told(tmp_path) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "latin.py").write_bytes(b"x = '\xe9'\n")
    for name in ("none.py", "folder.py", "latin.py", "agent.txt"):
        with pytest.raises(ConfigError, match=name):
            load(tmp_path / name)


def test_a_tool_that_cannot_be_one_keeps_its_own_words(tmp_path) -> None:
    text = "import llcphone\nagent = llcphone.Agent()\n@agent.tool(name='crm.lookup')\nasync def f(): ...\n"
    with pytest.raises(ConfigError, match=r"^tool crm\.lookup: its name must be"):
        load(write(tmp_path, shop=text))


def test_a_failure_leaves_what_was_loaded_before(tmp_path) -> None:
    path = write(tmp_path, shop=SHOP.format(bread="rye"))
    made = load(path).start_hook()
    path.write_text("1 / 0  # a longer text, so that it is compiled again" + " " * 500)
    with pytest.raises(ConfigError):
        load(path)
    assert pickle.loads(pickle.dumps(made)) == made


def test_ctrl_c_is_no_fault_of_the_file(tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(write(tmp_path, slow="raise KeyboardInterrupt\n"))


def test_a_command_shows_the_line_and_no_traceback(tmp_path) -> None:
    bad = write(tmp_path, bad="1 / 0\n")
    command = [sys.executable, "-m", "llcphone", "prompt", "--agent", str(bad)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert ran.returncode != 0
    assert "bad.py, line 1: ZeroDivisionError" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_ordinary_file_gives_its_agent(tmp_path) -> None:
    assert isinstance(load(write(tmp_path, shop=SHOP.format(bread="rye"))), Agent)
