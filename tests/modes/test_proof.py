"""Who has not proved who they are is told nothing and changes nothing, whatever the model is talked into."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llcphone.sim.model import CallTool, Say
from llcphone.sim.twilio import Callee
from tests.calls.stage import INTERRUPTION, QUESTION
from tests.modes.all_modes import ADA, ModesStage, open_modes
from tests.store.store_kit import WEEK, next_weekday

pytestmark = pytest.mark.usefixtures("no_threads")

SHORT = 500
LOOK = "lookup_customer"


async def customer(modes: ModesStage) -> int:
    await modes.store.set_hours(WEEK, timezone="Europe/Madrid")
    ada = await modes.store.add_customer("Ada Lovelace", ADA)
    await modes.store.book(ada.id, next_weekday(), what="check-up")
    return ada.id


@pytest.mark.parametrize("verstat", ["", "TN-Validation-Passed-B", "TN-Validation-Passed-A-Diverted"])
async def test_a_number_that_nobody_vouches_for_opens_no_record(verstat, tmp_path, autojump_clock) -> None:
    new = {"day": next_weekday(2).date().isoformat(), "time": "11:00:00", "what": "x", "name": "Ada"}
    script = [
        Say("Good morning.", SHORT),
        [
            CallTool(LOOK),
            CallTool("get_appointments"),
            CallTool("book_appointment", {**new, "instead_of": 1}),
        ],
        [CallTool("book_appointment", new)],
        Say("I cannot.", SHORT),
    ]
    async with open_modes(tmp_path, script) as modes:
        ada = await customer(modes)
        call = await modes.ring("csr", fields={"StirVerstat": verstat})
        await modes.says(call, QUESTION)
        await call.silence_for(1_000)
        told = await modes.told()
        assert "Ada Lovelace" not in told
        assert "check-up" not in told
        (kept,) = await modes.store.appointments(ada)
        assert kept.starts_at.replace(tzinfo=None) == next_weekday()
        assert len(await modes.outputs()) == 5


async def test_a_number_counts_as_proof_where_the_house_says_so(tmp_path, autojump_clock):
    async with open_modes(
        tmp_path, [Say("Good morning.", SHORT)], company={"trust_caller_id": True}
    ) as modes:
        await customer(modes)
        call = await modes.ring("csr")
        await call.silence_for(500)
        assert "Ada Lovelace" in await modes.told()


@pytest.mark.parametrize("right", [True, False])
async def test_a_code_that_is_texted_and_read_back_proves_it(right, tmp_path, autojump_clock) -> None:
    texts: list[dict[str, Any]] = []

    def reply(turn: int, past: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        spoken = sum(item.get("role") == "user" and "input_audio" in str(item) for item in past)
        if past[-1]["type"] == "function_call_output" or not spoken:
            return Say("Well.", SHORT)
        if spoken == 1:
            return CallTool(LOOK, {"may_text": True})
        (text,) = texts
        code = re.findall("[0-9]{6}", text["Body"])[0]
        wrong = "000000" if code != "000000" else "111111"
        return CallTool(LOOK, {"code": " ".join(code if right else wrong)})

    async with open_modes(tmp_path, reply, callee=Callee()) as modes:
        await customer(modes)
        call = await modes.ring("csr")
        await modes.says(call, QUESTION)
        texts.extend(modes.stage.twilio.rest.messages)
        assert texts[0]["To"] == ADA
        for _ in range(1 if right else 4):
            await modes.says(call, INTERRUPTION)
        last = json.loads((await modes.outputs())[-1])
        assert last["proved"] is right
        assert ("Ada Lovelace" in await modes.told()) is right
        if not right:
            assert "last try" in last["do"]


async def test_no_code_is_texted_before_the_caller_was_asked(tmp_path, autojump_clock):
    script = [[Say("Good morning.", SHORT), CallTool(LOOK, {"may_text": True})], Say("Hm.", SHORT)]
    async with open_modes(tmp_path, script, callee=Callee()) as modes:
        await customer(modes)
        call = await modes.ring("csr")
        await call.silence_for(2_000)
        assert len(await modes.outputs()) == 2
        assert not modes.stage.twilio.rest.messages


async def test_a_text_message_goes_out_only_when_the_caller_has_answered(tmp_path, autojump_clock) -> None:
    text = CallTool("send_sms", {"text": "We are at 1 Green Street."})
    script = [Say("Good morning.", SHORT), text, [text, Say("May I?", SHORT)], Say("Hm.", SHORT), text]
    async with open_modes(tmp_path, script, callee=Callee()) as modes:
        call = await modes.ring("receptionist")
        await modes.says(call, QUESTION)
        assert not modes.stage.twilio.rest.messages, "the model asked twice, the caller was not"
        await call.silence_for(1_000)
        await modes.says(call, INTERRUPTION)
        (sent,) = modes.stage.twilio.rest.messages
        assert (sent["To"], sent["Body"]) == (ADA, "We are at 1 Green Street.")


async def test_a_number_that_is_vouched_for_goes_before_a_spoken_one(tmp_path, autojump_clock) -> None:
    spoken = {"name": "Ada", "reason": "A cake.", "number": "+15557654321"}
    script = [Say("Good morning.", SHORT), CallTool("take_message", spoken), Say("Noted.", SHORT)]
    for number, vouched in enumerate((True, False), 1):
        (tmp_path / str(number)).mkdir()
        async with open_modes(tmp_path / str(number), script) as modes:
            call = await modes.ring("receptionist", vouched=vouched)
            await modes.says(call, QUESTION)
            await call.silence_for(500)
            call.hang_up()
            (message,) = (await modes.kept()).messages
            assert message.number == (ADA if vouched else "+15557654321")
            assert "5557654321" in message.reason + message.number


@pytest.mark.parametrize("withheld", ["+266696687", "+86282452253", "anonymous"])
async def test_withheld_callers_are_nobodys_customer(withheld, tmp_path, autojump_clock) -> None:
    script = [Say("Good morning.", SHORT), [CallTool(LOOK)], Say("I see.", SHORT)]
    async with open_modes(tmp_path, script, company={"trust_caller_id": True}) as modes:
        await modes.store.set_hours(WEEK, timezone="Europe/Madrid")
        if withheld != "anonymous":  # what a version that took it for a number has kept
            await modes.store.add_customer("Anna Secret", withheld)
        call = await modes.ring("csr", vouched=True, from_=withheld)
        await modes.says(call, QUESTION)
        await call.silence_for(500)
        told = await modes.told()
        assert "Anna Secret" not in told
        assert "withheld" in told
        instructions = (await modes.stage.session()).config["instructions"]
        assert "number is withheld" in instructions
        call.hang_up()
        await modes.stage.record()


async def test_a_yes_to_one_service_books_no_other(tmp_path, autojump_clock) -> None:
    when = {"day": next_weekday(2).date().isoformat(), "time": "11:00:00"}
    script = [
        Say("Good morning.", SHORT),
        [CallTool("book_appointment", {**when, "what": "check-up"})],
        [CallTool("book_appointment", {**when, "what": "surgery"})],
        Say("One moment.", SHORT),
        Say("Good-bye.", SHORT),
    ]
    async with open_modes(tmp_path, script) as modes:
        ada = await customer(modes)
        call = await modes.ring("csr", vouched=True)
        await modes.says(call, QUESTION)
        await call.silence_for(800)
        await call.speak(INTERRUPTION)
        await call.silence_for(1_500)
        assert [each.what for each in await modes.store.appointments(ada)] == ["check-up"]  # the one she had
        call.hang_up()
        await modes.stage.record()
