"""``llcphone call``: on paper, for real, and how it ends; vendors simulated, no process but one."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from llcphone import Agent, ConfigError
from llcphone.cli.call import CallOptions, run_call
from llcphone.cli.ring import not_dialled
from llcphone.sim import voices
from llcphone.sim.twilio import Callee
from llcphone.testing import ACCOUNT_SID, AUTH_TOKEN, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llcphone.config import Config
    from llcphone.sim.twilio import SimCall, TwilioSimulator

TO = "+15551239999"
LIMIT_S = 300


@attrs.frozen
class Terminal:
    config: Config
    twilio: TwilioSimulator
    lines: list[str] = attrs.field(factory=list)

    async def call(self, to: str = TO, *, yes: bool = True, **wish: Any) -> int:
        agent = Agent("You confirm appointments.", name="desk")
        agent.offer_hang_up()
        with trio.fail_after(LIMIT_S):
            return await run_call(
                self.config, CallOptions(to, agent, **wish), yes=yes, tell=self.lines.append
            )

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@asynccontextmanager
async def open_terminal(
    callee: Callee | None = None, script: Any = None, **sections: dict[str, Any]
) -> AsyncIterator[Terminal]:
    async with open_stage(script, callee=callee or Callee()) as stage:
        yield Terminal(stage.make_config(sections), stage.twilio)


async def with_callee(terminal: Terminal, party: Callable[[SimCall], Any], **how: Any) -> int:
    """Call while somebody at the other end does something."""
    code = -1
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await party(await terminal.twilio.outbound(1))

        nursery.start_soon(answer)
        code = await terminal.call(**how)
    return code


# -- on paper


async def test_on_paper_everything_is_shown_and_nobody_is_called(autojump_clock) -> None:
    async with open_terminal() as terminal:
        assert await terminal.call(yes=False, context="A table for two, please.") == 0
        for words in (
            "Add --yes",
            "may be called now",
            "…99",
            "…02",
            "listen: the callee speaks first",
            "500 ms of silence",
            "hang up (detected while talking)",
            "about 7 tokens, and 6 of this call's context",
            "1 at first",
            terminal.config.server.public_url,
        ):
            assert words in terminal.text
        assert TO not in terminal.text
        assert terminal.twilio.rest.requests == []


@pytest.mark.parametrize(
    ("to", "sections", "words"),
    [
        ("+19005550123", {}, "[premium]"),
        ("5551239999", {}, "[not_e164]"),
        (TO, {"outbound": {"allow_prefixes": [], "allow_countries": ["GB"]}}, "[impossible_number]"),
        (TO, {"server": {"public_url": ""}}, "server.public_url"),
        (TO, {"twilio": {"account_sid": ""}}, "TWILIO_ACCOUNT_SID"),
        (TO, {"twilio": {"phone_number": ""}}, "TWILIO_PHONE_NUMBER"),
    ],
)
async def test_on_paper_a_call_that_would_be_refused_says_why(to, sections, words, autojump_clock) -> None:
    async with open_terminal(**sections) as terminal:
        assert await terminal.call(to, yes=False) == 1
        assert words in terminal.text
        assert "may be called now" not in terminal.text


async def test_a_number_of_the_do_not_call_list_is_not_called(tmp_path):
    # on the real clock: the list is read in a thread, and a clock that jumps would not wait for it
    listed = tmp_path / "never"
    listed.write_text(f"{TO}\n")
    outbound = {"allow_prefixes": ["+1555"], "do_not_call_file": str(listed)}
    async with open_terminal(outbound=outbound) as terminal:
        assert await terminal.call(yes=False) == 1
        assert await terminal.call() == 1
        assert terminal.text.count("do-not-call list") == 2
        listed.write_text("")
        assert await terminal.call(yes=False) == 0
        listed.unlink()
        assert await terminal.call(yes=False) == 1
        assert "do_not_call_unreadable" in terminal.text
        assert terminal.twilio.calls == []


# -- for real


async def test_a_whole_call_is_told_line_by_line(autojump_clock) -> None:
    async def party(callee: SimCall) -> None:
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))
        await callee.hears_out(0.5, 300)
        callee.hang_up()

    async with open_terminal(script=["Your table is booked."]) as terminal:
        assert await with_callee(terminal, party, context="The table is for two.") == 0
        told = [line for line in terminal.lines if " s  " in line]
        words = [
            "warming",
            "model ready",
            "dialling",
            "ringing",
            "on the line",
            "agent: Your table is booked.",
        ]
        places = [next(at for at, line in enumerate(told) if word in line) for word in words]
        assert places == sorted(places)
        assert "ended: caller hung up" in terminal.text
        assert terminal.twilio.calls[0].sid in terminal.text
        assert TO not in terminal.text


async def test_nobody_answering_is_no_success(autojump_clock) -> None:
    async with open_terminal(Callee(outcome="no-answer", ring_s=5)) as terminal:
        assert await terminal.call() == 1
        assert "no answer" in terminal.text


async def test_a_machine_is_no_success(autojump_clock) -> None:
    async with open_terminal(Callee(answered_by="machine_start", detection_s=1)) as terminal:
        assert await terminal.call() == 1
        assert "answered by machine_start" in terminal.text


async def test_the_guard_judges_the_real_call_too(autojump_clock) -> None:
    async with open_terminal() as terminal:
        assert await terminal.call("+19005550123") == 1
        assert "premium" in terminal.text
        assert terminal.twilio.calls == []


async def test_ctrl_c_hangs_up_and_the_call_ends_well(autojump_clock) -> None:
    async def party(callee: SimCall) -> None:
        await callee.stream_started()
        await trio.sleep(2)
        os.kill(os.getpid(), signal.SIGINT)
        await callee.ended()

    async with open_terminal() as terminal:
        assert await with_callee(terminal, party) == 0
        assert "ended: agent hung up" in terminal.text


async def test_ctrl_c_while_it_rings_cancels_the_call(autojump_clock) -> None:
    async def party(callee: SimCall) -> None:
        await trio.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)
        await callee.ended()
        assert callee.status == "canceled"

    async with open_terminal(Callee(ring_s=20)) as terminal:
        assert await with_callee(terminal, party) == 1


async def test_a_second_ctrl_c_does_not_wait_for_the_agents_last_word(autojump_clock) -> None:
    async def party(callee: SimCall) -> None:
        await callee.stream_started()
        await callee.speak(voices.load("yes_please"))
        await callee.hears(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
        await callee.ended()

    async with open_terminal(
        script=["A sentence that goes on and on, so that nobody wants to wait."]
    ) as terminal:
        assert await with_callee(terminal, party) == 1
        assert "ended: cancelled" in terminal.text


async def test_whoever_rings_us_meanwhile_hears_that_it_is_busy(autojump_clock) -> None:
    async def party(callee: SimCall) -> None:
        await callee.stream_started()
        other = await terminal.twilio.ring()
        await other.ended()
        assert other.stream is None
        callee.hang_up()

    async with open_terminal() as terminal:
        assert await with_callee(terminal, party) == 0


async def test_what_is_missing_or_taken_is_a_wrong_setting(autojump_clock) -> None:
    async with open_terminal(twilio={"account_sid": ""}) as terminal:
        with pytest.raises(ConfigError, match=r"twilio\.account_sid"):
            await terminal.call()
    async with open_terminal() as terminal:
        port = terminal.config.server.port
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_tcp, None, port)
            with pytest.raises(ConfigError, match=r"server\.port.*taken"):
                await terminal.call()
            nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_the_command_itself_is_a_dry_run_with_an_exit_code(tmp_path) -> None:
    (tmp_path / "speaker.py").write_text("from llcphone import Agent\nagent = Agent('Be brief.')\n")
    settings = {
        "OPENAI_API_KEY": "sk-rehearsal-0123456789",
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_PHONE_NUMBER": "+14155552600",
        "PUBLIC_URL": "https://phone.example.test",
    }
    for to, code, words in [("+14155552671", 0, "may be called"), ("+19005550123", 1, "premium")]:
        command = [sys.executable, "-m", "llcphone", "call", to, "--agent", "speaker.py", "--context", "Hi."]
        done = await trio.run_process(
            command, capture_stdout=True, check=False, cwd=tmp_path, env={**os.environ, **settings}
        )
        assert done.returncode == code
        assert words in done.stdout.decode()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("no_connection", "not dialled: Twilio was not reached [no_connection]. Fix: check the network"),
        ("21211", "Twilio refused to dial [21211]"),
    ],
)
def test_a_network_that_is_down_is_no_refusal_of_twilios(code: str, words: str) -> None:
    assert not_dialled(code).startswith(words)
