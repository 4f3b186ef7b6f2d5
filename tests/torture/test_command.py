"""``llcphone torture`` as a person uses it: choosing, profiles, what it says, how it exits."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio
from rich.console import Console

from llcphone.cli import torture as cli_torture
from llcphone.cli.torture import own_profile, torture
from llcphone.errors import LLCPhoneError
from llcphone.sim import voices
from llcphone.sim.ports import free_port
from llcphone.torture import report
from llcphone.torture.bridge import start_process
from llcphone.torture.judge import Finding, Judge, Verdict, score
from llcphone.torture.profile import Place, Profile, ProfileError, read_profile
from llcphone.torture.run import chosen, run_trials
from llcphone.torture.sounds import pitch_of, sounds_in, tone
from llcphone.torture.trials import TRIALS
from tests.torture.mini import PROFILE, start_mini

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from llcphone.torture.bridge import Bridge

PLACE = Place(port=1, model_url="ws://model", twilio_url="http://twilio", folder="/empty")


def finding(verdict: Verdict, **more: Any) -> Finding:
    usual = {
        "name": "sigterm",
        "title": "t",
        "measured": "m",
        "bar": "b",
        "reading": "",
        "figures": {},
        "took_s": 1,
    }
    return Finding(**{**usual, "verdict": verdict, **more})


# -- verdict and score ------------------------------------------------------------------------------------


def test_what_must_hold_decides_before_what_should() -> None:
    judge = Judge()
    assert judge.verdict is Verdict.PASS
    judge.should(False, "slow")
    assert (judge.verdict, judge.reading) == (Verdict.PARTIAL, "slow")
    judge.must(False, "broken")
    assert (judge.verdict, judge.reading) == (Verdict.FAIL, "broken; slow")


def test_only_whole_passes_count_and_what_does_not_apply_is_not_counted() -> None:
    verdicts = [Verdict.PASS, Verdict.PARTIAL, Verdict.FAIL, Verdict.NOT_APPLICABLE]
    assert score([finding(each) for each in verdicts]) == (1, 3)


# -- profiles ---------------------------------------------------------------------------------------------


def test_a_profile_needs_only_a_command(tmp_path: Path) -> None:
    file = tmp_path / "bridge.json"
    file.write_text('{"cmd": "node bridge.js --port {port}"}')
    profile = read_profile(file)
    assert [PLACE.fill(word) for word in profile.words()] == ["node", "bridge.js", "--port", "1"]
    assert (profile.webhook, profile.dialect, profile.slow_tools) == ("/twiml", "ga", [])


@pytest.mark.parametrize("text", ["{", "{}", '{"cmd": "x", "webhok": "/"}', '{"cmd": "x", "port": "five"}'])
def test_a_wrong_profile_is_one_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bridge.json"
    file.write_text(text)
    with pytest.raises(ProfileError, match=r"bridge\.json"):
        read_profile(file)


def test_the_profiles_of_the_rivals_can_be_read() -> None:
    files = sorted((Path(__file__).parent.parent.parent / "bench" / "profiles").glob("*.json"))
    assert [read_profile(each).cwd for each in files] == [".", "."]


def test_a_bridge_gets_the_simulators_addresses_and_no_key_of_ours() -> None:
    profile = Profile(cmd="x", env={"URL": "{model_url}/{unknown}", "PORT": "{port}0"})
    outer = {"PATH": "/bin", "OPENAI_API_KEY": "sk-real", "TWILIO_AUTH_TOKEN": "real", "LLCPHONE_X": "1"}
    env = PLACE.environment(profile, outer)
    assert env["URL"] == "ws://model/{unknown}"
    assert env["PORT"] == "10"
    assert env["PATH"] == "/bin"
    assert "LLCPHONE_X" not in env
    assert not {"sk-real", "real"} & set(env.values())


# -- sounds -----------------------------------------------------------------------------------------------


async def test_words_are_told_apart_by_pitch_and_a_voice_is_none() -> None:
    pitches = [400, 550, 700]
    audio = tone(400, 480) + tone(550, 480) + b"\xff" * 800 + tone(550, 480)
    heard = await sounds_in([(100.0, audio)], pitches)
    assert [each.hz for each in heard] == [400, 550, 550]
    assert all(abs(each.ms - 480) <= 40 for each in heard)
    assert heard[0].start_ms == 100
    speech = voices.load("book_table")
    windows = [pitch_of(speech[at : at + 320], pitches) for at in range(0, len(speech), 320)]
    assert windows.count(None) > 0.9 * len(windows)


# -- the command ------------------------------------------------------------------------------------------


async def test_the_list_names_every_trial(capsys: pytest.CaptureFixture[str]) -> None:
    await torture(list_=True)
    shown = capsys.readouterr().out
    assert all(name in shown for name in TRIALS)


@pytest.mark.parametrize(("port", "most"), [(0, 3), (1, 1)])
async def test_a_bridge_with_a_port_of_its_own_is_tried_once_at_a_time(
    port: int, most: int, autojump_clock: MockClock
) -> None:
    running, peak = 0, 0

    @asynccontextmanager
    async def start(profile: Profile, place: Place) -> AsyncIterator[Bridge]:
        nonlocal running, peak
        async with start_mini()(profile, place) as bridge:
            running += 1
            peak = max(peak, running)
            yield bridge
            running -= 1

    profile = msgspec.structs.replace(PROFILE, port=free_port() if port else 0)
    trials = chosen(["barge-in", "forged-webhook"])
    findings = await run_trials(profile, trials, start=start)
    assert peak == most
    assert {each.verdict for each in findings} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([Verdict.PASS, Verdict.NOT_APPLICABLE], 0),
        ([Verdict.PASS, Verdict.PARTIAL], 1),
        ([Verdict.FAIL], 1),
    ],
)
async def test_only_a_perfect_bridge_exits_with_0(
    found: list[Verdict],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def tried(*_: Any, **__: Any) -> list[Finding]:
        return [finding(each, reading="why [not]") for each in found]

    monkeypatch.setattr(cli_torture, "run_trials", tried)
    with pytest.raises(SystemExit) as exited:
        await torture(only=["sigterm"], out=tmp_path / "found.json")
    assert exited.value.code == code
    counted = [each for each in found if each is not Verdict.NOT_APPLICABLE]
    written = json.loads((tmp_path / "found.json").read_text())
    assert (written["passed"], written["applicable"]) == (counted.count(Verdict.PASS), len(counted))
    assert [each["verdict"] for each in written["findings"]] == [each.value for each in found]
    assert "why [not]" in capsys.readouterr().out


async def test_an_unknown_trial_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LLCPhoneError, match=r"sigint.*sigterm"):
        await torture(only=["sigint"])


@pytest.mark.parametrize(
    ("cmd", "says"),
    [
        (["{python}", "-c", "raise SystemExit('no such setting')"], "no such setting"),
        (["/no/such/program"], "cannot be started"),
    ],
)
async def test_a_bridge_that_does_not_start_says_why(cmd: list[str], says: str, tmp_path: Path) -> None:
    place = Place(port=free_port(), model_url="", twilio_url="", folder=str(tmp_path))
    with pytest.raises(ProfileError, match=says):
        async with start_process(Profile(cmd=cmd), place):
            pass


async def test_a_bridges_process_is_counted_and_ended_with_its_children(tmp_path: Path) -> None:
    port = free_port()
    program = (
        "import socket, subprocess, sys\n"
        f"with socket.create_server(('127.0.0.1', {port})) as server:\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "    while True: server.accept()[0].close()\n"
    )
    place = Place(port=port, model_url="", twilio_url="", folder=str(tmp_path))
    async with start_process(Profile(cmd=["{python}", "-c", program]), place) as bridge:
        usage = bridge.usage()
        assert not bridge.has_ended
    assert bridge.has_ended
    assert usage is None or (usage.descriptors >= 4 and usage.rss_kb > 1_000)


def test_the_table_tells_score_and_reading() -> None:
    screen = Console(width=120, record=True, file=StringIO())
    screen.print(report.table("a bridge", [finding(Verdict.PASS), finding(Verdict.FAIL, reading="it leaks")]))
    text = screen.export_text()
    assert "a bridge: 1 of 2" in text
    assert "it leaks" in text


def test_our_own_profile_starts_the_server_that_is_installed() -> None:
    profile = own_profile()
    assert profile.words()[1:4] == ["-m", "llcphone", "serve"]
    assert profile.slow_tools == ["look_up", "check_stock"]


async def test_ours_is_tried_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Profile] = []

    async def run(profile: Profile, *_: Any, **__: Any) -> list[Finding]:
        await trio.lowlevel.checkpoint()
        tried.append(profile)
        return [finding(Verdict.PASS)]

    monkeypatch.setattr(cli_torture, "run_trials", run)
    for arguments in ({}, {"cmd": "node x.js", "webhook": "/incoming-call", "dialect": "flat"}):
        with pytest.raises(SystemExit):
            await torture(**arguments)
    assert tried[0] == own_profile()
    assert (tried[1].webhook, tried[1].dialect) == ("/incoming-call", "flat")
