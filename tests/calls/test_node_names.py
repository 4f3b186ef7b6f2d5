"""With `server.node` the path of each address that Twilio brings back says which node it belongs to."""

from __future__ import annotations

import re
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from llcphone import Agent, CallHandle, EndReason, Outcome, open_phone
from llcphone.call import node_names
from llcphone.config.drain import LEAVING_S
from llcphone.recorder.folder import path_of
from llcphone.server import listener
from llcphone.server.run import serve_until_signal
from llcphone.sim import voices
from llcphone.sim.model import CallTool, Say
from llcphone.sim.twilio import Callee, DialOutcome
from llcphone.telemetry.redaction import Mask
from llcphone.testing import open_stage, rehearse
from tests.calls import test_transfer_warm as warm
from tests.calls.stage import QUESTION
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures("no_threads")

CALLEE = "+15551239999"
SALES = "+15550100001"
BY_TOKEN = {"media", "status", "amd", "twiml", "transfer"}
BY_NAME = {"resume", "voicemail", "recording"}
NEW = "/twiml"
"""The number's webhook: any node takes a new call."""


def node_in(path: str) -> str:
    """The rule that a proxy follows; "" for what any node may answer."""
    fields = path.partition("?")[0].split("/")
    if fields[1] in BY_TOKEN and len(fields) > 2:
        return fields[2].partition(".")[0]
    if fields[1] in BY_NAME and len(fields) > 3:
        return fields[3]
    if fields[1] == "calls" and len(fields) > 2:
        return fields[2].partition("-")[0]
    return ""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that servers of this test were asked at."""
    paths: list[str] = []
    read = listener.parse_head

    def noted(raw: bytes) -> Any:
        head = read(raw)
        paths.append(head.path.decode())
        return head

    monkeypatch.setattr(listener, "parse_head", noted)
    return paths


def kinds(asked: list[str]) -> set[str]:
    """What they were asked, after it was seen that each path but a new call's names the node."""
    assert {node_in(path) for path in asked if path != NEW} == {"n1"}, asked
    return {path.split("/")[1] for path in asked if path != NEW}


def settings(folder: Path, **sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"server": {"node": "n1"}, "journal": {"url": url_of(folder)}, **sections}


def put_through(way: str) -> Agent:
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def put_through(call: CallHandle) -> Outcome:
        return call.voicemail() if way == "voicemail" else await call.transfer(way, warm=way == "warm")

    return agent


def script(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
    if turn == 1:
        return Say("Hello.", 500)
    return Say("One moment.", 500) if "function_call_output" in str(conversation) else CallTool("put_through")


async def test_a_stream_that_is_lost(tmp_path: Path, asked: list[str], autojump_clock: MockClock) -> None:
    async with rehearse(Agent("Be brief."), settings=settings(tmp_path)) as stage:
        call = await stage.ring()
        await call.hears(0.2)
        call.drop()
        await call.stream_started(2)
        call.hang_up()
        first, second = await stage.record(1), await stage.record(2)
        assert second.resumed_from == first.call_id
    assert kinds(asked) == {"media", "resume"}
    for record in (first, second):
        assert re.fullmatch("n1-[0-9a-f]{16}", record.call_id)
        assert Mask().text(record.call_id) == record.call_id
        assert path_of(tmp_path, record.call_id) is not None


@pytest.mark.parametrize("amd", ["async", "sync"])
async def test_a_call_that_we_place(
    amd: str, tmp_path: Path, asked: list[str], autojump_clock: MockClock
) -> None:
    own = settings(tmp_path, outbound={"amd": amd, "allow_prefixes": ["+1555"]})
    async with rehearse(Agent("Be brief."), settings=own, callee=Callee(detection_s=1.0)) as stage:
        call = stage.phone.place_call(CALLEE)
        callee = await stage.twilio.outbound()
        await callee.stream_started()
        await trio.sleep(2)
        callee.hang_up()
        assert (await call).call_id.startswith("n1-")
        await trio.sleep(1)
    verdict = {"amd"} if amd == "async" else {"twiml"}
    assert kinds(asked) >= {"media", "status"} | verdict


@pytest.mark.parametrize(("way", "answers"), [("sales", True), ("sales", False), ("voicemail", True)])
async def test_callers_who_leave(
    way: str, answers: bool, tmp_path: Path, asked: list[str], autojump_clock: MockClock
) -> None:
    to = {"number": SALES, "whisper": "A caller.", "accept": True, "on_no_answer": "agent"}
    own = settings(
        tmp_path,
        transfers={"destinations": {"sales": to}, "voicemail": True, "record_calls": True},
    )
    dial = DialOutcome("completed" if answers else "busy", ring_s=1.0, talk_s=2.0, presses="1")
    async with rehearse(put_through(way), script=script, settings=own, dial_outcome=dial) as stage:
        call = await stage.ring()
        await call.hears_out(0.3, 300)
        await call.speak(QUESTION)
        await stage.record()
        if way == "voicemail":
            while "Record" not in call.record.verbs:
                await call.log.wait_change(trio.current_time() + 1)
            await call.speak(voices.load("goodbye"))
            await trio.sleep(8)
            call.hang_up()
        elif not answers:
            await call.stream_started(2)
            call.hang_up()
        await call.ended()
        await trio.sleep(1)
    expected = {"voicemail", "recording"} if way == "voicemail" else {"transfer"}
    assert kinds(asked) >= {"media", "resume", *expected}


@pytest.mark.parametrize("colleague", ["take_call", "refuse_call"])
async def test_a_warm_transfer(
    colleague: str, tmp_path: Path, asked: list[str], autojump_clock: MockClock
) -> None:
    own = settings(tmp_path, transfers={"destinations": {"sales": {"number": SALES}}})
    own["outbound"] = {"allow_prefixes": ["+1555"]}
    model = warm.make_script(colleague)
    async with rehearse(warm.receptionist(), script=model, settings=own, callee=Callee()) as stage:
        call = await warm.on_hold(stage)
        told = await warm.is_briefed(stage)
        await told.speak(warm.YES)
        if colleague == "take_call":
            await warm.both_inside(stage, call, told)
            told.hang_up()
            await told.ended()
        else:
            await call.stream_started(2)
        call.hang_up()
        await call.ended()
        await trio.sleep(1)
    steps = {path.split("/")[5] for path in asked if path.startswith("/transfer/")}
    assert {"room", "left" if colleague == "take_call" else "back"} <= steps
    assert kinds(asked) >= {"media", "resume", "status", "transfer"}


async def test_another_node_claims_what_its_owner_does_not_serve(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rehearse(Agent("Be brief."), settings=settings(tmp_path)) as stage:
        call = await stage.ring()
        await call.hears(0.2)
        form = {"CallSid": call.sid, "CallStatus": "in-progress", "From": "+1", "To": "+2"}
        config = stage.make_config(settings(tmp_path, server={"node": "n2"}))
        async with open_phone(config, Agent("Be brief.")) as other:
            claimed = await other.after_stream(form, 0, node="n1")
            assert re.search(r"/media/n2\.[\w-]+\"", claimed)
            assert "/resume/1/n2#" in claimed
            late = await stage.phone.after_stream(form, 0, node="n1")  # the owner is asked, too, and later
            assert late == claimed, "the owner gives the address of the node that has the call now"
            other.calls()[0].end()


async def test_a_node_that_is_about_to_end_sends_its_callers_to_any_other(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rehearse(Agent("Be brief."), settings=settings(tmp_path)) as stage:
        call = await stage.ring()
        await call.hears(0.2)
        form = {"CallSid": call.sid, "CallStatus": "in-progress", "From": "+1", "To": "+2"}
        stage.phone.calls()[0].end(EndReason.DRAINED)
        at_once = await stage.phone.after_stream(form, 0, node="n1")
        assert re.search(r"<Redirect[^>]*>[^<]*/resume/0#rc", at_once)
        assert "<Pause" not in at_once
        config = stage.make_config(settings(tmp_path, server={"node": "n2"}))
        async with open_phone(config, Agent("Be brief.")) as other:
            assert "/media/n2." in await other.after_stream(form, 0), "all was written before we answered"
            other.calls()[0].end()
        again = await stage.phone.after_stream(form, 0)
        assert "<Pause" in again, "nobody else was there: not at once again"


async def test_a_node_that_is_asked_to_stop_says_so_before_it_turns_callers_away(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_stage() as stage, trio.open_nursery() as nursery:
        config = stage.make_config(settings(tmp_path), {"drain": {"limit_s": 1}})
        await nursery.start(partial(serve_until_signal, config, Agent("Be brief.")))
        await trio.sleep(1)
        async with httpx.AsyncClient(base_url=stage.url) as client:
            assert (await client.get("/readyz")).status_code == 200
            signal.raise_signal(signal.SIGTERM)
            await trio.sleep(0.5)
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["reasons"]) == (503, ["draining"])
        call = await stage.ring()
        await call.hears(0.2)
        await trio.sleep(LEAVING_S)
        assert (await stage.twilio.ring()).record.verbs == ["Reject"]
        call.hang_up()


def test_without_a_name_nothing_is_added() -> None:
    assert node_names.token("", "secret") == "secret"
    assert node_names.call_id("", "0a") == "0a"
    assert node_names.at_node("/resume/0", "") == "/resume/0"
    assert node_names.node_of("0a") == ""
    assert node_names.node_of(node_names.call_id("n1", "0a")) == "n1"
