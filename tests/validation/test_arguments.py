"""Arguments of a wrong type: each public function refuses them at once, by type, in one line with the fix."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, Config, load_config, open_phone, until_signal
from llcphone.server import make_app, serve, serve_until_signal
from llcphone.testing import rehearsal_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

CONFIG = rehearsal_config("ws://127.0.0.1:9/v1/realtime", {"realtime": {"dialect": "ga"}})
AGENT = Agent("Be brief.")


async def wait(*_: object) -> str:
    """An async function, where a plain one is wanted."""
    return ""


def plain(*_: object) -> str:
    """The reverse."""
    return ""


SYNC: dict[str, Callable[[], object]] = {
    "load_config: path": lambda: load_config(7),  # type: ignore[arg-type]
    "Config.from_toml: text": lambda: Config.from_toml(b""),  # type: ignore[arg-type]
    "Config.from_dict: data": lambda: Config.from_dict("x"),  # type: ignore[arg-type]
    "Agent: instructions": lambda: Agent(None),  # type: ignore[arg-type]
    "Agent: name": lambda: Agent("", name=1),  # type: ignore[arg-type]
    "Agent: voice": lambda: Agent("", voice=1),  # type: ignore[arg-type]
    "Agent: opening": lambda: Agent("", opening=1),  # type: ignore[arg-type]
    "Agent: greeting_cue": lambda: Agent("", greeting_cue=1),  # type: ignore[arg-type]
    "Agent: priming": lambda: Agent("", priming="yes"),  # type: ignore[arg-type]
    "Agent: schedule": lambda: Agent("", schedule="x"),  # type: ignore[arg-type]
    "Agent: tool_groups": lambda: Agent("", tool_groups=["a"]),  # type: ignore[arg-type]
    "Agent: settings": lambda: Agent("", settings="x"),  # type: ignore[arg-type]
    "Agent: needs": lambda: Agent("", needs="name"),
    "Agent: stand_in": lambda: Agent("", stand_in="x"),  # type: ignore[arg-type]
    "brief: hook": lambda: AGENT.brief(wait),  # type: ignore[arg-type]
    "on_start: hook": lambda: AGENT.on_start(plain),  # type: ignore[arg-type]
    "on_digit: hook": lambda: AGENT.on_digit(None),  # type: ignore[arg-type]
    "make_app: phone": lambda: make_app(object()),  # type: ignore[arg-type]
}

OF_A_PHONE: dict[str, Callable[[Any], object]] = {
    "answer: form": lambda phone: phone.answer("CallSid=CA1"),
    "join: token": lambda phone: phone.join(None, object()),
    "place_call: to": lambda phone: phone.place_call(15551230001),
    "place_call: agent": lambda phone: phone.place_call("+15551230001", "x"),
    "place_call: context": lambda phone: phone.place_call("+15551230001", context=1),
    "drain: limit_s": lambda phone: phone.drain("1"),
    "serve_leg: websocket": lambda phone: phone.serve_leg(object(), "t"),
}

OPENED: dict[str, Callable[[], Any]] = {
    "open_phone: config": lambda: open_phone("llcphone.toml", AGENT),  # type: ignore[arg-type]
    "open_phone: agent": lambda: open_phone(CONFIG, "notanagent"),  # type: ignore[arg-type]
    "open_phone: agent ": lambda: open_phone(CONFIG, Agent),  # type: ignore[arg-type]
    "open_phone: agent  ": lambda: open_phone(CONFIG, wait),  # type: ignore[arg-type]
    "open_phone: on_record": lambda: open_phone(CONFIG, AGENT, on_record=wait),  # type: ignore[arg-type]
    "open_phone: on_note": lambda: open_phone(CONFIG, AGENT, on_note=[]),  # type: ignore[arg-type]
    "until_signal: phone": lambda: until_signal(object()),  # type: ignore[arg-type]
}

AWAITED: dict[str, Callable[[], Any]] = {
    "serve: phone": lambda: serve(object(), CONFIG),  # type: ignore[arg-type]
    "serve_until_signal: config": lambda: serve_until_signal("x", AGENT),  # type: ignore[arg-type]
}


def in_one_line(refused: pytest.ExceptionInfo[TypeError], name: str) -> None:
    text = str(refused.value)
    assert text.startswith(f"{name.strip()}: must ")
    assert ". Fix: give it " in text
    assert "\n" not in text


@pytest.mark.parametrize("name", SYNC)
def test_a_plain_function_refuses(name: str) -> None:
    with pytest.raises(TypeError) as refused:
        SYNC[name]()
    in_one_line(refused, name)


@pytest.mark.parametrize("name", OF_A_PHONE)
async def test_a_phone_refuses(name: str, autojump_clock: MockClock) -> None:
    async with open_phone(CONFIG, AGENT) as phone:
        with pytest.raises(TypeError) as refused:
            await OF_A_PHONE[name](phone)  # type: ignore[misc]
        in_one_line(refused, name)


@pytest.mark.parametrize("name", OPENED)
async def test_what_is_opened_refuses(name: str) -> None:
    with pytest.raises(TypeError) as refused:
        async with OPENED[name]():
            raise AssertionError("it was opened")
    in_one_line(refused, name)


@pytest.mark.parametrize("name", AWAITED)
async def test_what_is_awaited_refuses(name: str) -> None:
    with pytest.raises(TypeError) as refused:
        await AWAITED[name]()
    in_one_line(refused, name)


def test_a_path_may_be_a_text(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text("[server]\nport = 1234\n")
    assert load_config(str(tmp_path / "my.toml")).server.port == 1234


@pytest.mark.parametrize("function", ["open_phone", "serve", "serve_until_signal", "until_signal"])
def test_asyncio_is_told_that_this_runs_on_trio(function: str) -> None:
    async def main() -> None:
        match function:
            case "open_phone":
                async with open_phone(CONFIG, AGENT):
                    pass
            case "until_signal":
                async with until_signal(None):  # type: ignore[arg-type]
                    pass
            case "serve":
                await serve(None, CONFIG)  # type: ignore[arg-type]
            case _:
                await serve_until_signal(CONFIG, AGENT)

    with pytest.raises(RuntimeError, match=rf"{function}: llcphone runs on Trio.*Fix: .*trio\.run\(main\)"):
        asyncio.run(main())


async def test_signals_are_for_the_main_thread() -> None:
    async def elsewhere() -> None:
        async with open_phone(CONFIG, AGENT) as phone, until_signal(phone):
            pass

    def run() -> None:
        only = pytest.RaisesExc(RuntimeError, match="only the main thread can take signals")
        with pytest.RaisesGroup(only, flatten_subgroups=True):
            trio.run(elsewhere)

    await trio.to_thread.run_sync(run)
