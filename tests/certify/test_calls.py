"""Calls of ``llcphone certify`` are hung up whatever happens, and nothing personal is kept of them."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from llcphone.certify.plan import lines, plan
from llcphone.certify.results import NOT_ASKED, UNANSWERED
from llcphone.certify.run import Run, last_reports, started
from llcphone.certify.site import Site
from llcphone.certify.telephone.line import open_line
from llcphone.cli.certify import certify
from llcphone.errors import ConfigError
from llcphone.server.run import bind
from llcphone.sim.twilio import Callee
from llcphone.sim.twilio.rest_faults import RestError
from llcphone.testing import ACCOUNT_SID, AUTH_TOKEN, NUMBER, write_toml
from tests.certify.test_telephone_questions import ask, deployment, nothing_is_left

if TYPE_CHECKING:
    from pathlib import Path

    from llcphone.config import Config

FOREIGN = "+4930123456"


async def run_until_placed(twilio: Any, run: Run, status: str) -> None:
    """Run, and cancel it as Ctrl-C does when the first call has this status."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.ask_all)
        call = await twilio.outbound()
        while call.status != status:
            await call.log.changed.park()
        nursery.cancel_scope.cancel()


def run_of(config: Config, base: Path, *only: str) -> Run:
    site, chosen = Site(config=config), plan(only, to=NUMBER)
    return Run(plan=chosen, site=site, folder=base / "run", report=started(chosen, site), tell=lambda _: None)


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress"])
async def test_a_run_that_is_cut_leaves_no_call(
    tmp_path: Path, status: str, autojump_clock, no_threads
) -> None:
    async with deployment() as (twilio, config):
        run = run_of(config, tmp_path, "frames")
        await run_until_placed(twilio, run, status)
        await trio.sleep(1)
        nothing_is_left(twilio, 1)
    ((_, report),) = last_reports(tmp_path)
    assert [each.status for each in report.results] == [NOT_ASKED]


async def test_a_call_that_twilio_did_not_confirm_is_found_and_hung_up(autojump_clock, no_threads) -> None:
    async with deployment() as (twilio, config):
        twilio.rest.faults.plant(on="create", done=True, reset=True)
        result = await ask("frames", config)
        await trio.sleep(1)
        nothing_is_left(twilio, 1)
        assert len(twilio.rest.creates) == 1
    assert (result.status, result.seen) == (UNANSWERED, "twilio_no_answer")


async def test_a_call_that_twilio_refuses_is_no_answer(autojump_clock, no_threads) -> None:
    async with deployment() as (twilio, config):
        twilio.rest.faults.plant(on="create", refuse=RestError(400, 21266, "the same number"))
        result = await ask("frames", config)
        nothing_is_left(twilio, 0)
    assert (result.status, result.seen) == (UNANSWERED, "twilio_21266")


async def test_a_number_that_is_busy_is_no_answer(autojump_clock, no_threads) -> None:
    async with deployment() as (twilio, config):
        twilio.exchange.unknowns.to_itself = None
        twilio.callee = lambda _: Callee(outcome="busy")
        result = await ask("frames", config)
        nothing_is_left(twilio, 1)
    assert (result.status, result.seen) == (UNANSWERED, "no_media_stream")


async def test_the_port_answers_nobody_but_twilio(autojump_clock, no_threads) -> None:
    async with (
        deployment() as (_, config),
        open_line(config, NUMBER, Site(config=config).recording) as line,
        httpx.AsyncClient() as client,
    ):
        url = config.server.public_url
        assert (await client.post(f"{url}/twiml", data={"CallSid": "CA1"})).status_code == 403
        assert (await client.get(f"{url}/media/token")).status_code == 403
        assert (await client.get(url, headers={"X": "y" * 20_000})).status_code == 431
        assert not line.port.webhooks
        assert not line.port.streams


async def test_it_says_first_what_is_in_the_way(autojump_clock, no_threads) -> None:
    async with deployment() as (twilio, config):
        recording = Site(config=config).recording
        with pytest.raises(ConfigError, match="no number of this account"):
            async with open_line(config, FOREIGN, recording):
                pass
        listeners = await bind(config.server)
        with pytest.raises(ConfigError, match=r"server\.port"):
            async with open_line(config, NUMBER, recording):
                pass
        for each in listeners:
            await each.aclose()
        twilio.rest.voice_url = "https://elsewhere.example/twiml"
        with pytest.raises(ConfigError, match="do not come here"):
            async with open_line(config, NUMBER, recording):
                pass
        assert not twilio.calls


async def test_nothing_personal_is_kept_of_a_call(tmp_path: Path, autojump_clock, no_threads) -> None:
    async with deployment() as (twilio, config):
        run = run_of(config, tmp_path, "telephone")
        await run.ask_all()
        await trio.sleep(1)
        nothing_is_left(twilio, 13)
        sids = {call.sid for call in twilio.calls}
        streams = {each.stream_sid for call in twilio.calls for each in call.record.streams}
        tokens = {each.url.rpartition("/")[2] for call in twilio.calls for each in call.record.streams}
    assert not run.report.left
    written = "".join(path.read_text() for path in run.folder.rglob("*.*"))
    for private in (NUMBER[1:], ACCOUNT_SID, AUTH_TOKEN, "127.0.0.1", *sids, *streams, *tokens):
        assert private not in written
    assert '"event":"start"' in (run.folder / "fixtures" / "frames.jsonl").read_text()


def test_the_plan_says_who_is_called_and_how_many_minutes() -> None:
    from llcphone.config import Config

    config = Config.from_dict({"twilio": {"phone_number": NUMBER, "account_sid": ACCOUNT_SID}})
    text = "\n".join(lines(plan(["telephone"], to=NUMBER), config, "certification/x"))
    assert "from …02 to …02" in text
    assert "the account that ends in …0000" in text
    assert ACCOUNT_SID not in text
    assert "at most 13 begun minutes of telephone calls, each billed for both legs" in text
    assert NUMBER not in text


async def test_ctrl_c_leaves_no_call_ringing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with deployment() as (twilio, config), trio.open_nursery() as nursery:
        account = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "phone_number": NUMBER}
        server = {"public_url": config.server.public_url, "port": config.server.port}
        sections = {
            "realtime": {"api_key": config.realtime.api_key},
            "server": server,
            "twilio": {**account, "api_url": twilio.api_url},
        }
        write_toml(tmp_path / "llcphone.toml", sections)

        async def interrupt() -> None:
            call = await twilio.outbound()
            while call.status != "ringing":
                await call.log.changed.park()
            os.kill(os.getpid(), signal.SIGINT)

        nursery.start_soon(interrupt)
        with trio.fail_after(60), pytest.raises(SystemExit) as left:
            await certify(config=tmp_path / "llcphone.toml", only=["frames"], yes=True)
        assert left.value.code == 130
        for call in twilio.calls:
            await call.ended()
        nothing_is_left(twilio, 1)


async def test_without_a_number_only_the_model_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER", "PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    write_toml(tmp_path / "llcphone.toml", {"realtime": {"api_key": "sk-0123456789abcdef0123"}})
    with pytest.raises(SystemExit):
        await certify(config=tmp_path / "llcphone.toml")
    assert "begun minutes" not in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"twilio\.account_sid: is not set"):
        await certify(config=tmp_path / "llcphone.toml", only=["telephone"])


async def test_the_terminal_names_the_setting_in_full_and_the_report_no_host(
    tmp_path: Path, autojump_clock, no_threads
) -> None:
    told: list[str] = []
    async with deployment() as (_, config):
        run = run_of(config, tmp_path, "signature")
        run.tell = told.append
        await run.ask_all()
    assert f'  `server.public_url = "{config.server.public_url}"`, as it is' in told
    assert '`server.public_url = "http://certify.example"`' in (run.folder / "report.md").read_text()


async def test_a_run_that_cannot_begin_leaves_nothing(tmp_path: Path, autojump_clock, no_threads) -> None:
    async with deployment() as (twilio, config):
        twilio.rest.voice_url = "https://elsewhere.example/twiml"
        run = run_of(config, tmp_path, "frames")
        with pytest.raises(ConfigError, match="do not come here"):
            await run.ask_all()
        assert not twilio.calls
    assert not run.folder.exists()
