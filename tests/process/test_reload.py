"""llcphone serve --reload: each new call gets the agent as it was saved last; a live call keeps its own."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone.sim import voices
from llcphone.sim.model import CallTool, Say
from tests.calls.test_kill_nine import all_of
from tests.process.deployment import Deployment, deploy

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.sim.model import ModelSession
    from llcphone.sim.twilio import SimCall

AGENT = """\
from pathlib import Path

import llcphone
import bread

agent = llcphone.Agent(Path("prompt.txt").read_text(), name="bakery")
agent.offer_hang_up()


@agent.tool(lean=True)
async def sold() -> str:
    \"\"\"What is sold today.\"\"\"
    return bread.KIND
"""
AGAIN = "new calls get the new agent"


def speak(turn: int, conversation: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
    """A greeting; then every question is one for the tool, whose answer is said."""
    last = conversation[-1]
    if last["type"] == "function_call_output":
        return Say(last["output"], 600)
    return Say("Good morning.", 600) if turn == 1 else CallTool("sold")


def write(folder: Path, **files: str) -> None:
    """As an editor does that saves by renaming: other files of the same size within the same second."""
    for name, text in files.items():
        path = folder / name.replace("_", ".")
        new = path.with_suffix(".new")
        new.write_text(text)
        new.replace(path)


async def told(deployed: Deployment, text: str, times: int = 1) -> str:
    """The server's log, once it says this so often."""
    log = deployed.folder / "llcphone.log"
    await deployed.until(lambda: log.read_text().count(text) >= times, 30)
    return log.read_text()


async def ask(call: SimCall) -> None:
    """A question, and the answer to its end."""
    heard = len(call.ear)
    await call.speak(voices.load("yes_please"))
    with trio.fail_after(20):
        while len(call.ear) == heard:
            await call.hears(0.2)
    await call.silence_for(400)


async def greeted(deployed: Deployment) -> SimCall:
    call = deployed.twilio.ring_nowait()
    await call.hears(0.4, stream=1)
    await call.silence_for(400)
    return call


def sessions(deployed: Deployment) -> list[ModelSession]:
    return [session for session in deployed.model.sessions if session.has_spoken]


def prompt(session: ModelSession) -> str:
    return session.events("session.update")[0]["session"]["instructions"]


def answers(session: ModelSession) -> list[str]:
    items = [event["item"] for event in session.events("conversation.item.create")]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


@pytest.mark.slow
async def test_a_saved_agent_takes_the_next_call_and_leaves_the_live_one_alone(tmp_path) -> None:
    write(tmp_path, agent_py=AGENT, bread_py="KIND = 'rye'\n", prompt_txt="You are Ada.")
    async with deploy(tmp_path, speak) as deployed:
        deployed.configure(warm={"sessions": 1})
        server = await deployed.serve("--agent", "agent.py", "--reload")
        assert "reload: watching agent.py and 2 more" in await told(deployed, "reload: ")
        first = await greeted(deployed)

        write(tmp_path, bread_py="KIND = 'oat'\n", prompt_txt="You are Bob.")  # same size, same second
        log = await told(deployed, AGAIN)
        assert f"{AGAIN}; 1 live call keeps its own" in log
        second = await greeted(deployed)
        await all_of(ask, [first, second])

        write(tmp_path, agent_py=AGENT.replace("bread.KIND", "bread.KIND +"))
        log = await told(deployed, "reload: agent.file")
        assert f"reload: agent.file: {tmp_path / 'agent.py'}, line 13: SyntaxError: invalid syntax" in log
        assert "New calls get the agent from before" in log
        third = await greeted(deployed)

        write(tmp_path, agent_py=AGENT.replace("bread.KIND", "'cake'"))
        await told(deployed, AGAIN, 2)
        calls = [first, second, third, await greeted(deployed)]
        await all_of(ask, calls)
        assert [call.ended_by for call in calls if call.over] == []
        talks = sessions(deployed)
        assert [prompt(talk) for talk in talks] == ["You are Ada.", *["You are Bob."] * 3]
        assert [answers(talk) for talk in talks] == [["rye"] * 2, ["oat"] * 2, ["oat"], ["cake"]]
        for call in calls:
            call.hang_up()
        server.send_signal(signal.SIGTERM)
        assert await server.wait() == 0
