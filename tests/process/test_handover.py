"""A restart under live calls: what concerns a call of the old process reaches it, all else the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest
import trio

from llcphone.process.health import ask_health, ask_ready
from llcphone.sim import voices
from llcphone.sim.model import CallTool, Say
from llcphone.sim.twilio import DialOutcome, SimCall, sign
from llcphone.testing import ACCOUNT_SID, AUTH_TOKEN
from tests.calls.test_kill_nine import all_of
from tests.process.deployment import Deployment, deploy

if TYPE_CHECKING:
    from llcphone.process.pidfile import PidFile

API_KEY = "key-of-the-handover-test-0123456789"
SALES, CALLEE = "+15550100001", "+15550100002"
BACK = "I am sorry, they are not there."
AGENT = '''
from llcphone import Agent, CallHandle, Outcome

agent = Agent("Be brief.")


@agent.tool(lean=True)
async def put_through(call: CallHandle) -> Outcome:
    """Put the caller through to sales."""
    return await call.transfer("sales", summary="Wants a cake.")
'''


def script(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
    texts = str(conversation)
    if "tried to put the caller through" in texts:
        return Say(BACK, 1_000)
    if turn == 1:
        return Say("Hello, this is the bakery.", 1_000)
    return CallTool("put_through", {}) if "function_call_output" not in texts else Say("One moment.", 1_000)


async def serve(deployed: Deployment, *, journal: bool) -> trio.Process:
    """A server whose live calls may continue for minutes after a restart."""
    (deployed.folder / "agent.py").write_text(AGENT)
    deployed.configure(
        server={"head_timeout_s": 60},
        drain={"limit_s": 300},
        overload={"lag_limit_ms": 0},
        journal={"enabled": journal},
        api={"key": API_KEY},
        outbound={"allow_prefixes": [CALLEE]},
        **{"transfers.destinations.sales": {"number": SALES}},
    )
    return await deployed.serve("--agent", "agent.py")


async def restarted(deployed: Deployment, old: trio.Process) -> PidFile:
    """Restart; returns who serves then, while the old one still has its calls."""
    code, said = await deployed.run("restart")
    assert code == 0, said
    assert old.poll() is None, "it has live calls"
    pid_file = deployed.note()
    assert pid_file is not None
    assert pid_file.pid != old.pid
    return pid_file


async def ask(deployed: Deployment, method: str, path: str, **body: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        return await client.request(method, deployed.url + path, headers=headers, json=body or None)


def webhook(deployed: Deployment, call_sid: str) -> bytes:
    form = {
        "AccountSid": ACCOUNT_SID,
        "CallSid": call_sid,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "From": "+15550000001",
        "To": "+15550000002",
    }
    body = urlencode(form)
    head = [
        "POST /twiml HTTP/1.1",
        f"Host: 127.0.0.1:{deployed.port}",
        f"X-Twilio-Signature: {sign(AUTH_TOKEN, deployed.url + '/twiml', form)}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", body]).encode()


async def answer(stream: trio.SocketStream) -> str:
    """All that is said on this connection."""
    return b"".join([part async for part in stream]).decode()


def document(said: str) -> str:
    """The TwiML of an answer: a media stream."""
    assert said.startswith("HTTP/1.1 200"), said
    assert "<Connect" in said
    return said[said.index("<?xml") if "<?xml" in said else said.index("<Response") :]


async def greeted(call: SimCall) -> None:
    await call.hears(0.5, stream=1)
    await call.silence_for(300)


def statuses(call: SimCall) -> dict[str, set[int]]:
    """What Twilio's requests about this call were answered, by their purpose."""
    found: dict[str, set[int]] = {}
    for purpose, status, _ in call.record.requests:
        found.setdefault(purpose, set()).add(status)
    return found


@pytest.mark.slow
async def test_what_concerns_a_call_of_the_old_process_is_answered_there(tmp_path) -> None:
    async with deploy(tmp_path, script, dial=DialOutcome("no-answer", ring_s=0.1)) as deployed:
        old = await serve(deployed, journal=True)
        live, asks = deployed.twilio.ring_nowait(), deployed.twilio.ring_nowait()
        await all_of(greeted, [live, asks])
        placed = (await ask(deployed, "POST", "/calls", to=CALLEE)).json()["id"]
        callee = await deployed.twilio.outbound(1)
        await callee.stream_started()
        calls = (await ask(deployed, "GET", "/calls")).json()["calls"]
        ids = {each["call_sid"]: each["id"] for each in calls}

        new = await restarted(deployed, old)
        health = await ask_health("127.0.0.1", deployed.port)
        assert health is not None
        assert health.process == new.identity, "who asks how the server is, means the new one"
        assert await ask_ready("127.0.0.1", deployed.port) == []

        for each in ids.values():
            assert (await ask(deployed, "GET", f"/calls/{each}")).json()["state"] == "talking"
        # The call leaves: what next, <Dial>, its action, and a stream back to the agent who was told.
        await asks.speak(voices.load("yes_please"))
        await asks.hears(0.3, stream=2)
        assert statuses(asks)["<Connect> action"] == {200}
        assert statuses(asks)["<Dial> action"] == {200}
        ours = (await ask(deployed, "GET", "/calls")).json()["calls"]
        living = [each["call_sid"] for each in ours if each["state"] != "ended"]
        assert asks.sid not in living, "the list has the new server's live calls; ended ones are in the store"
        # Its last status callback, and the API's own word.
        callee.hang_up()
        await callee.ended()
        assert {status for _, status, _ in callee.record.requests} <= {200, 204}
        assert (await ask(deployed, "POST", f"/calls/{ids[live.sid]}/hangup")).status_code < 300
        await live.ended()
        assert [len(call.record.streams) for call in (live, asks, callee)] == [1, 2, 1]
        assert placed in ids.values()
        asks.hang_up()
        assert await old.wait() == 0
        assert await ask_ready("127.0.0.1", deployed.port) == []


@pytest.mark.slow
async def test_half_a_webhook_and_a_late_stream_lose_nobody(tmp_path) -> None:
    """The port changes hands within a request, and between webhook and stream; no journal helps."""
    async with deploy(tmp_path, script) as deployed:
        old = await serve(deployed, journal=False)
        live = deployed.twilio.ring_nowait()
        await greeted(live)
        async with await trio.open_tcp_stream("127.0.0.1", deployed.port) as stream:
            await stream.send_all(webhook(deployed, "CA" + "1" * 32))
            answered_before = document(await answer(stream))
        request = webhook(deployed, "CA" + "2" * 32)
        halves: list[trio.SocketStream] = []  # one after the other, for each has but a minute
        async with trio.open_nursery() as nursery:
            nursery.start_soon(restarted, deployed, old)
            while deployed.serving(old.pid):
                halves.append(await trio.open_tcp_stream("127.0.0.1", deployed.port))
                await halves[-1].send_all(request[:40])
                with trio.move_on_after(5):
                    await deployed.until(lambda: not deployed.serving(old.pid))
            half = halves[-2:][0]  # the last one may have come to the new process
            await half.send_all(request[40:])
            begun_before = document(await answer(half))
        for each in halves:
            await each.aclose()
        late = [deployed.twilio.ring_nowait(twiml=each) for each in (answered_before, begun_before)]
        await all_of(SimCall.stream_started, late)  # another process would answer 403
        assert old.poll() is None
        for call in (live, *late):  # the late ones have another CallSid than their webhooks
            call.hang_up()
        assert await old.wait() == 0
        await greeted(deployed.twilio.ring_nowait())
