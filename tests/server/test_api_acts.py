"""What the API does to live calls: whole calls over loopback, from the request to what the caller hears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, EndReason
from llcphone.engine.status import Floor
from llcphone.server.api.acts import ACTS, MOST_WAITING
from llcphone.sim.model import CallTool, Say
from llcphone.sim.twilio import Callee
from tests.calls.stage import QUESTION
from tests.calls.test_digits_and_recording import keys_in
from tests.server.api_stage import BUSY, code_of, open_api

if TYPE_CHECKING:
    import httpx

    from tests.server.api_stage import Api

SALES = "+15550100001"
TRANSFERS = {"destinations": {"sales": {"number": SALES}}}
READ_KEY = "a-key-that-only-looks"
BODIES: dict[str, dict[str, Any] | None] = {
    "hangup": None,
    "end": None,
    "say": {"text": "We close at six."},
    "tell": {"text": "They are a good customer."},
    "transfer": {"to": "sales", "summary": "Wants a cake."},
    "digits": {"digits": "12#"},
    "approve": {"approval": "a", "allow": True},
}
"""A good one for each act."""
ENDS = {"hangup": "agent hung up", "end": "cancelled"}
"""The acts that make sense also before and after the conversation, and what the record says then."""
CUES = (
    "Say this to the caller now, word for word and nothing else: ",
    "Say in one short sentence that you put",
)


def parrot(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
    """A model that greets, answers the caller, and says what it is told to say."""
    if turn == 1:
        return Say("Hello.", 600)
    last = conversation[-1]
    text = str(last.get("content"))
    if last.get("role") == "system" and CUES[0] in text:
        return Say(text.partition(CUES[0])[2].rstrip("]}'"), 800)
    if last.get("role") == "system" and CUES[1] in text:
        return Say("I put you through.", 800)
    return Say("We open at nine.", 800)


async def talking(api: Api) -> tuple[Any, str]:
    """A caller who has heard the greeting, and the call's id."""
    caller = await api.stage.ring()
    await caller.hears_out(0.3, 300)
    (call,) = api.stage.phone.calls()
    return caller, call.call_id


async def speaks(api: Api, caller: Any) -> None:
    """The caller has begun a question."""
    caller.speak_nowait(QUESTION)
    (call,) = api.stage.phone.calls()
    while call.run.status.floor is not Floor.CALLER:  # noqa: ASYNC110 (no event tells the test)
        await trio.sleep(0.05)


async def act(api: Api, call_id: str, name: str, body: Any = None, key: str = "") -> httpx.Response:
    return await api.post(f"/calls/{call_id}/{name}", BODIES[name] if body is None else body, key)


def spoken(record: Any, speaker: str) -> list[str]:
    return [line["text"] for line in record.transcript if line["speaker"] == speaker]


async def test_the_agent_says_it_in_these_words(autojump_clock):
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        answer = await act(api, call_id, "say")
        assert (answer.status_code, answer.json()["id"]) == (202, call_id)
        assert "*" in answer.json()["from"] or "…" in answer.json()["from"]
        await caller.hears_out(0.5, 300)
        caller.hang_up()
        record = await api.stage.record()
        assert spoken(record, "agent") == ["Hello.", "We close at six."]
        assert spoken(record, "operator") == [CUES[0] + "We close at six."]
        assert [turn["asked"] for turn in record.turns] == ["greeting", "operator"]


async def test_who_speaks_now_is_answered_first(autojump_clock):
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        await speaks(api, caller)
        assert (await act(api, call_id, "say")).status_code == 202
        await caller.hears_out(1.5, 900)
        caller.hang_up()
        record = await api.stage.record()
        assert spoken(record, "agent") == ["Hello.", "We open at nine.", "We close at six."]
        assert record.barge_ins == record.unasked_responses == 0


async def test_the_agent_knows_what_it_was_told_and_does_not_speak_of_it(autojump_clock):
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        assert (await act(api, call_id, "tell")).status_code == 202
        await trio.sleep(2)
        session = await api.stage.session()
        assert session.items[-1].render()["content"][0]["text"] == "They are a good customer."
        caller.hang_up()
        record = await api.stage.record()
        assert spoken(record, "agent") == ["Hello."]
        assert spoken(record, "operator") == ["They are a good customer."]


async def test_the_caller_is_told_and_put_through(autojump_clock):
    async with open_api(script=parrot, transfers=TRANSFERS) as api:
        caller, call_id = await talking(api)
        assert (await act(api, call_id, "transfer")).status_code == 202
        again = await act(api, call_id, "transfer")
        assert (again.status_code, code_of(again)) == (409, "call_ending")
        record = await api.stage.record()
        assert (record.reason, record.transferred_to) == (EndReason.TRANSFERRED, "sales")
        assert spoken(record, "agent") == ["Hello.", "I put you through."]
        assert (await caller.ended()).dialled == [SALES]


async def test_a_caller_who_speaks_is_answered_and_then_put_through(autojump_clock):
    async with open_api(script=parrot, transfers=TRANSFERS) as api:
        caller, call_id = await talking(api)
        await speaks(api, caller)
        assert (await act(api, call_id, "transfer")).status_code == 202
        record = await api.stage.record()
        assert (record.reason, record.transferred_to) == (EndReason.TRANSFERRED, "sales")
        assert spoken(record, "agent") == ["Hello.", "We open at nine.", "I put you through."]
        await caller.ended()


async def test_a_transfer_that_cannot_be_is_refused(autojump_clock):
    async with open_api(script=parrot, transfers=TRANSFERS) as api:
        caller, call_id = await talking(api)
        answer = await act(api, call_id, "transfer", {"to": "nobody"})
        assert (answer.status_code, code_of(answer)) == (422, "unknown_destination")
        assert answer.json()["fix"] == "use one of: sales"
        (call,) = api.stage.phone.calls()
        call.state["llcphone.rung"] = {"sales": 3}
        answer = await act(api, call_id, "transfer")
        assert (answer.status_code, code_of(answer)) == (409, "transfer_refused")
        caller.hang_up()
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        answer = await act(api, call_id, "transfer")
        assert (answer.status_code, code_of(answer)) == (503, "not_configured")
        assert "transfers.destinations" in answer.json()["detail"]
        caller.hang_up()


async def test_keys_are_heard_as_tones(autojump_clock):
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        begin = len(caller.heard_ulaw())
        assert (await act(api, call_id, "digits")).status_code == 202
        await caller.hears_out(0.3, 300)
        assert keys_in(caller.heard_ulaw()[begin:]) == "12#"
        for bad in ("", "12a", "1" * 33):
            answer = await act(api, call_id, "digits", {"digits": bad})
            assert (answer.status_code, code_of(answer)) == (422, "bad_field")
        caller.hang_up()


@pytest.mark.parametrize("allow", [True, False])
async def test_a_person_decides_whether_a_tool_runs(allow, autojump_clock):
    agent = Agent("Be brief.", name="desk")
    paid = []

    @agent.tool(lean=True, irreversible=True, approve="operator", approve_timeout_s=60)
    async def pay(euros: int) -> str:
        "Pay."
        paid.append(euros)
        return "paid"

    script = ["Hello.", [Say("One moment.", 400), CallTool("pay", {"euros": 5})], Say("Well then.", 400)]
    async with open_api(agent, script=script) as api:
        caller, call_id = await talking(api)
        await caller.speak(QUESTION)
        await caller.hears_out(0.3, 1_000)
        shown = (await api.get(f"/calls/{call_id}")).json()["approvals"]
        (approval,) = shown
        assert (approval["tool"], approval["arguments"]) == ("pay", None)
        worded = (await api.get(f"/calls/{call_id}?words=1")).json()["approvals"]
        assert worded == [{**approval, "arguments": {"euros": 5}}]
        wrong = await act(api, call_id, "approve", {"approval": "another", "allow": True})
        assert (wrong.status_code, code_of(wrong)) == (404, "no_such_approval")
        verdict = {"approval": approval["id"], "allow": allow, "why": "" if allow else "too much"}
        assert (await act(api, call_id, "approve", verdict)).status_code == 202
        assert code_of(await act(api, call_id, "approve", verdict)) == "no_such_approval"
        await caller.hears_out(0.2, 300)
        session = await api.stage.session()
        outputs = [item.render() for item in session.items if item.render()["type"] == "function_call_output"]
        assert ("too much" in str(outputs)) is not allow
        caller.hang_up()
        await api.stage.record()
        assert paid == ([5] if allow else [])


async def test_hanging_up_waits_for_the_last_word_and_no_longer_than_one_answer(autojump_clock):
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        await speaks(api, caller)
        assert (await act(api, call_id, "hangup")).status_code == 202
        record = await api.stage.record()
        assert record.reason is EndReason.AGENT_HUNG_UP
        assert spoken(record, "agent") == ["Hello.", "We open at nine."]
        assert (await act(api, call_id, "hangup")).json()["reason"] == "agent hung up"


async def test_a_caller_whose_noise_never_ends_can_be_hung_up_on(autojump_clock):
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        caller.speak_nowait(QUESTION * 100)
        await speaks(api, caller)
        assert (await act(api, call_id, "hangup")).status_code == 202
        await trio.sleep(10)
        assert not caller.over, "whoever speaks is answered first"
        began = trio.current_time()
        assert (await act(api, call_id, "end")).status_code == 202
        record = await api.stage.record()
        assert record.reason is EndReason.CANCELLED
        await caller.ended()
        assert trio.current_time() - began < 2.5


@pytest.mark.parametrize("name", sorted(ACTS))
async def test_an_act_on_a_call_that_is_over_or_unknown(name, autojump_clock):
    async with open_api(callee=BUSY, transfers=TRANSFERS) as api:
        call_id = await api.place()
        await api.ended(call_id)
        answer = await act(api, call_id, name)
        if name in ENDS:
            assert answer.status_code == 202
        else:
            assert (answer.status_code, code_of(answer)) == (409, "call_over")
        answer = await act(api, "nobody", name)
        assert (answer.status_code, code_of(answer)) == (404, "no_such_call")


@pytest.mark.parametrize("name", sorted(ACTS))
async def test_an_act_on_a_call_that_rings(name, autojump_clock):
    async with open_api(callee=Callee(ring_s=20), transfers=TRANSFERS) as api:
        call_id = await api.place()
        await api.stage.twilio.outbound(1)
        answer = await act(api, call_id, name)
        if name in ENDS:
            assert answer.status_code == 202
            assert (await api.ended(call_id))["reason"] == ENDS[name]
        else:
            assert (answer.status_code, code_of(answer)) == (409, "not_talking")


async def test_the_same_request_again_does_nothing_more(autojump_clock):
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        first = await act(api, call_id, "say", key="k1")
        await caller.hears_out(0.3, 300)
        again = await act(api, call_id, "say", key="k1")
        assert (again.status_code, again.content) == (202, first.content)
        other = await act(api, call_id, "tell", key="k1")
        assert (other.status_code, code_of(other)) == (409, "idempotency_conflict")
        assert (await act(api, call_id, "approve", key="k2")).status_code == 404
        assert (await act(api, call_id, "tell", key="k2")).status_code == 202, "what was refused did nothing"
        caller.hang_up()
        record = await api.stage.record()
        assert spoken(record, "agent") == ["Hello.", "We close at six."]
        assert (await act(api, call_id, "say", key="k1")).content == first.content


async def test_so_much_may_wait_and_no_more(autojump_clock):
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        await speaks(api, caller)
        answers = [(await act(api, call_id, "say")).status_code for _ in range(MOST_WAITING)]
        assert set(answers) == {202}
        answer = await act(api, call_id, "tell")
        assert (answer.status_code, code_of(answer)) == (429, "too_much_to_say")
        assert int(answer.headers["Retry-After"]) > 0
        caller.hang_up()


@pytest.mark.parametrize("text", ["", "  \n", "x" * 2_001, None])
async def test_what_is_no_text_is_refused(text, autojump_clock):
    async with open_api(script=parrot) as api:
        caller, call_id = await talking(api)
        answer = await act(api, call_id, "say", {"text": text})
        assert (answer.status_code, code_of(answer)) == (422, "bad_field")
        caller.hang_up()


async def test_a_key_that_only_looks(autojump_clock):
    async with open_api(script=parrot, api={"read_key": READ_KEY}) as api:
        caller, call_id = await talking(api)
        headers = {"Authorization": f"Bearer {READ_KEY}"}
        for path in ("/calls", f"/calls/{call_id}", "/openapi.json", "/tools", "/public-url"):
            assert (await api.client.get(path, headers=headers)).status_code == 200
        for path in ("/calls", "/outbound-call", *(f"/calls/{call_id}/{name}" for name in ACTS)):
            answer = await api.client.post(path, headers=headers, json={})
            assert (answer.status_code, code_of(answer)) == (403, "read_only"), path
        caller.hang_up()
        record = await api.stage.record()
        assert record.reason is EndReason.CALLER_HUNG_UP
    async with open_api(api={"key": "", "read_key": READ_KEY}) as api:
        assert (await api.client.get("/calls", headers=headers)).status_code == 200
        assert (await api.get("/calls")).status_code == 401
        assert (await api.client.get("/calls", headers={"Authorization": "Bearer wrong"})).status_code == 401
