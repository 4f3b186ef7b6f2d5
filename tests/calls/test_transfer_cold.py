"""Cold transfers, voicemail and what happens when nobody answers: whole calls over loopback."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from llcphone import Agent, CallHandle, ConfigError, EndReason, Outcome
from llcphone.sim.model import CallTool, Faults, Say
from llcphone.sim.twilio import Callee, DialOutcome, EndedBy
from llcphone.testing import rehearse
from tests.calls.stage import GOODBYE, QUESTION, nothing_left
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock

    from llcphone.sim.twilio import SimCall
    from llcphone.testing import Rehearsal

pytestmark = pytest.mark.usefixtures("no_threads")

SALES = "+15550100001"
GREETING = "Hello, this is the bakery."
THROUGH = "I put you through to sales."
BACK = "I am sorry, they are not there."
SUMMARY = "Wants a wedding cake for Saturday."


@attrs.define
class Desk:
    """What the agent did."""

    outcomes: list[Outcome] = attrs.field(factory=list)
    errors: list[Exception] = attrs.field(factory=list)


def script(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
    texts = str(conversation)
    if "tried to put the caller through" in texts:
        return Say(BACK, 1_000)
    if turn == 1:
        return Say(GREETING, 1_000)
    return CallTool("put_through", {}) if "function_call_output" not in texts else Say(THROUGH, 1_000)


def receptionist(desk: Desk, way: str = "sales", **how: Any) -> Agent:
    agent = Agent("Be brief.")

    @agent.tool(lean=True)
    async def put_through(call: CallHandle) -> Outcome:
        try:
            if way == "voicemail":
                outcome = call.voicemail()
            else:
                outcome = await call.transfer(way, **{"summary": SUMMARY, **how})
        except ConfigError as exc:
            desk.errors.append(exc)
            raise
        desk.outcomes.append(outcome)
        return outcome

    return agent


@asynccontextmanager
async def staged(
    journal: Path | None = None,
    *,
    to: dict[str, Any] | None = None,
    dial: DialOutcome = DialOutcome(ring_s=2.0, talk_s=5.0),  # noqa: B008 (frozen)
    way: str = "sales",
    desk: Desk | None = None,
    callee: Callee | None = None,
    script: Any = script,
    outbound: dict[str, Any] | None = None,
    shared: dict[str, Any] | None = None,
    **transfers: Any,
) -> AsyncIterator[Rehearsal]:
    settings: dict[str, Any] = {
        "transfers": {"destinations": {"sales": {"number": SALES, **(to or {})}}, **transfers}
    }
    if outbound is not None:
        settings["outbound"] = outbound
    if shared is not None:
        settings["shared"] = shared
    if journal is not None:
        settings["journal"] = {"url": url_of(journal)}
    agent = receptionist(desk or Desk(), way)
    async with rehearse(agent, script=script, settings=settings, dial_outcome=dial, callee=callee) as stage:
        yield stage


async def asks_for_sales(stage: Rehearsal) -> SimCall:
    """A caller who has heard the greeting and asks; the agent's good-bye is over."""
    call = await stage.ring()
    await call.hears_out(0.5, 300)
    await call.speak(QUESTION)
    await stage.record()
    return call


async def listens_for_message(call: SimCall) -> None:
    """The greeting of voicemail is over, and the tone."""
    while "Record" not in call.record.verbs:
        await call.log.wait_change(trio.current_time() + 1)


@pytest.fixture(params=["journal", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Both ways back to the agent: by the journal, and without one."""
    return tmp_path if request.param == "journal" else None


def answered(call: SimCall, purpose: str) -> list[int]:
    return [status for each, status, _ in call.record.requests if each == purpose]


def told(session: Any) -> str:
    return str([item.render() for item in session.items])


async def test_a_caller_is_put_through_after_the_last_word_was_heard(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    desk = Desk()
    async with nothing_left(), staged(journal, desk=desk) as stage:
        call = await asks_for_sales(stage)
        record = await call.ended()
        assert (record.dialled, record.joined) == ([SALES], [SALES])
        assert record.ended_by is EndedBy.HANGUP_VERB
        kept = await stage.record()
        assert (kept.reason, kept.transferred_to) == (EndReason.TRANSFERRED, "sales")
        assert stage.records[0].transcript[-1]["text"] == THROUGH
        assert desk.outcomes[0].ok
        assert len(record.streams) == len(stage.records) == 1
        assert not stage.twilio.rest.requests, "no REST request is needed"


@pytest.mark.parametrize(
    ("dial", "why"),
    [
        (DialOutcome("busy", 1.0), "line was busy"),
        (DialOutcome("completed", 60.0), "nobody answered"),
        (DialOutcome("failed", 0.5), "could not be placed"),
    ],
)
async def test_when_nobody_can_be_had_the_caller_is_back_with_the_agent_that_remembers(
    dial: DialOutcome, why: str, journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal, dial=dial) as stage:
        call = await asks_for_sales(stage)
        await call.stream_started(2)
        await call.hears_out(0.8, 300)
        memory = told(await stage.session(2))
        assert why in memory
        assert GREETING in memory
        assert THROUGH in memory
        call.hang_up()
        again = await stage.record(2)
        assert (again.reason, again.run_number) == (EndReason.CALLER_HUNG_UP, 1)
        assert again.resumed_from == stage.records[0].call_id
        assert [line["text"] for line in again.transcript if line["speaker"] == "agent"][-1] == BACK
        assert (await call.ended()).joined == []


async def test_a_phone_that_drains_takes_the_caller_back(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    """Their call had begun: it goes on to its end, like any live call."""
    async with nothing_left(), staged(journal, dial=DialOutcome("busy", 1.0)) as stage:
        other = await stage.ring()  # what the phone waits for
        await other.hears(0.5)
        call = await asks_for_sales(stage)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.phone.drain, 300.0, name="drain")
            await call.stream_started(2)
            await call.hears(0.8)
            other.hang_up()
            call.hang_up()
        await stage.record(3)
        # The two end at the same moment, so either record may be the last one.
        assert stage.records[0].call_id in [record.resumed_from for record in stage.records]


async def test_a_drain_waits_for_a_caller_whose_transfer_still_rings(autojump_clock: MockClock) -> None:
    """Without a journal only this process can take them back."""
    async with nothing_left(), staged(dial=DialOutcome("no-answer", 10.0)) as stage:
        call = await asks_for_sales(stage)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.phone.drain, 300.0, name="drain")
            await call.stream_started(2)
            await call.hears(0.8)
            call.hang_up()
        assert [record.reason for record in stage.records] == [
            EndReason.TRANSFERRED,
            EndReason.CALLER_HUNG_UP,
        ]


async def test_a_drain_does_not_wait_for_two_people_who_talk(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged(dial=DialOutcome(ring_s=2.0, talk_s=200.0)) as stage:
        call = await asks_for_sales(stage)
        before = trio.current_time()
        await stage.phone.drain(300.0)
        assert trio.current_time() - before < 60
        call.hang_up()
        await call.ended()


async def test_a_caller_who_comes_back_when_the_drain_limit_is_near_hears_why_the_line_closes(
    autojump_clock: MockClock,
) -> None:
    async with nothing_left(), staged(dial=DialOutcome("busy", 1.0)) as stage:
        call = await asks_for_sales(stage)
        stage.phone.admission.close()
        record = await call.ended()
        assert "nobody can take your call now" in record.documents[-1]
        assert (record.ended_by, stage.phone.live_calls) == (EndedBy.HANGUP_VERB, 0)


@pytest.mark.parametrize("unjoined", ["completed", "no-answer"])
async def test_a_colleague_hears_what_it_is_about_and_declines_by_pressing_no_key(
    unjoined: str, journal: Path | None, autojump_clock: MockClock
) -> None:
    to = {"whisper": "A call for you: {summary}", "accept": True}
    dial = DialOutcome(ring_s=1.0, unjoined=unjoined)
    async with nothing_left(), staged(journal, to=to, dial=dial) as stage:
        call = await asks_for_sales(stage)
        await call.stream_started(2)
        await call.hears(0.5)
        whispers = [text for text in call.record.documents if "<Gather" in text]
        assert len(whispers) == 1
        assert SUMMARY in whispers[0]
        assert ("take the call" if unjoined == "completed" else "nobody answered") in told(
            await stage.session(2)
        )
        call.hang_up()
        assert (await call.ended()).joined == []


async def test_a_colleague_who_presses_a_key_is_joined(autojump_clock: MockClock) -> None:
    to = {"accept": True}
    async with nothing_left(), staged(to=to, dial=DialOutcome(ring_s=1.0, presses="1")) as stage:
        call = await asks_for_sales(stage)
        record = await call.ended()
        assert (record.joined, record.ended_by) == ([SALES], EndedBy.HANGUP_VERB)
        assert answered(call, "whisper key") == [200]
        assert record.errors == [] or set(record.error_codes) == {31921}


async def test_a_whisper_without_a_key_joins_by_itself(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged(to={"whisper": "From the bakery."}) as stage:
        call = await asks_for_sales(stage)
        assert (await call.ended()).joined == [SALES]


async def test_a_caller_who_hangs_up_while_it_rings_leaves_nothing_behind(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal, dial=DialOutcome(ring_s=10.0)) as stage:
        call = await asks_for_sales(stage)
        await trio.sleep(2)
        call.hang_up()
        record = await call.ended()
        assert (record.ended_by, record.joined) == (EndedBy.CALLER, [])
        await trio.sleep(2)
        assert answered(call, "<Dial> action") == [200]
        assert (len(stage.records), stage.phone.live_calls) == (1, 0)


async def test_a_caller_who_hangs_up_during_the_good_bye_has_hung_up(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        await call.hears(0.3)
        call.hang_up()
        assert (await stage.record()).reason is EndReason.CALLER_HUNG_UP
        await trio.sleep(2)
        assert ((await call.ended()).dialled, stage.phone.live_calls) == ([], 0)


async def test_a_stream_that_breaks_during_the_good_bye_does_not_stop_the_transfer(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with nothing_left(), staged(journal) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        await call.hears(0.3)
        call.drop()
        assert (await call.ended()).joined == [SALES]


async def test_a_caller_who_speaks_into_the_good_bye_is_heard_and_the_model_asks_again(
    autojump_clock: MockClock,
) -> None:
    def script(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
        if turn == 1:
            return Say(GREETING, 1_000)
        last = conversation[-1]
        if last.get("type") == "function_call_output":
            return Say(THROUGH, 3_000)
        return CallTool("put_through", {})

    desk = Desk()
    async with nothing_left(), staged(script=script, desk=desk) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        await call.hears(0.5)
        await call.speak(GOODBYE)
        assert (await call.ended()).joined == [SALES]
        assert len(desk.outcomes) == 2
        assert len(stage.noted("transfer put off")) == 1
        assert "the transfer has not begun" in told(await stage.session())


async def test_nobody_there_may_mean_voicemail_and_the_recording_is_told(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    told: list[Any] = []
    to = {"on_no_answer": "voicemail"}
    async with nothing_left(), staged(journal, to=to, dial=DialOutcome("busy", 1.0), voicemail=True) as stage:
        stage.phone.transfers.recordings.on_ready.append(told.append)
        call = await asks_for_sales(stage)
        await listens_for_message(call)
        await call.speak(QUESTION)
        record = await call.ended()
        assert record.ended_by is EndedBy.HANGUP_VERB
        await trio.sleep(1)
        assert [(each.what, each.call_sid) for each in told] == [("voicemail", call.sid)]
        assert told[0].duration_s > 0
        assert stage.config.transfers.voicemail_thanks in record.documents[-1]


async def test_an_agent_offers_voicemail_and_a_caller_who_hangs_up_has_left_a_message(
    autojump_clock: MockClock,
) -> None:
    told: list[Any] = []
    async with nothing_left(), staged(way="voicemail", voicemail=True) as stage:
        stage.phone.transfers.recordings.on_ready.append(told.append)
        call = await asks_for_sales(stage)
        await listens_for_message(call)
        await call.speak(QUESTION)
        call.hang_up()
        assert (await call.ended()).ended_by is EndedBy.CALLER
        await trio.sleep(1)
        assert [each.what for each in told] == ["voicemail"]


async def test_a_silent_voicemail_ends_the_call(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged(way="voicemail", voicemail=True) as stage:
        call = await asks_for_sales(stage)
        assert (await call.ended()).ended_by is EndedBy.HANGUP_VERB


async def test_nobody_there_may_mean_good_bye(journal: Path | None, autojump_clock: MockClock) -> None:
    to = {"on_no_answer": "hang_up"}
    async with nothing_left(), staged(journal, to=to, dial=DialOutcome("busy", 1.0)) as stage:
        call = await asks_for_sales(stage)
        record = await call.ended()
        assert record.ended_by is EndedBy.HANGUP_VERB
        assert "nobody can take your call" in record.documents[-1]


async def test_an_unknown_destination_is_an_answer_and_a_missing_account_an_error(
    autojump_clock: MockClock,
) -> None:
    desk = Desk()
    async with nothing_left(), staged(way="nobody", desk=desk) as stage:
        call = await stage.ring()
        await call.hears_out(0.5, 300)
        await call.speak(QUESTION)
        await call.hears(0.5)
        assert not desk.outcomes[0].ok
        assert "sales" in desk.outcomes[0].says
        (ours,) = stage.phone.calls()
        with pytest.raises(ConfigError, match=r"twilio\.account_sid"):
            await ours.transfer("sales", warm=True)
        with pytest.raises(ConfigError, match=r"twilio\.account_sid"):
            await ours.send_sms("sales", "Hello")
        with pytest.raises(ConfigError, match=r"transfers\.voicemail"):
            ours.voicemail()
        with pytest.raises(ValueError, match="1 to 32"):
            ours.send_digits("12a")
        call.hang_up()
        await call.ended()


async def test_the_colleague_reads_what_it_is_about(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged(to={"sms": True}, callee=Callee()) as stage:
        call = await asks_for_sales(stage)
        await call.ended()
        (message,) = stage.twilio.rest.messages
        assert message["To"] == SALES
        assert SUMMARY in message["Body"]


async def test_texts_go_to_the_caller_and_a_refused_one_is_an_answer(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged(callee=Callee()) as stage:
        call = await stage.ring(from_="+15550100077")
        (ours,) = stage.phone.calls()
        assert (await ours.send_sms("caller", "Your table is booked.")).ok
        assert stage.twilio.rest.messages[0]["To"] == "+15550100077"
        assert not (await ours.send_sms("caller", "x" * 1_601)).ok
        assert not (await ours.send_sms("nobody", "Hello")).ok
        call.hang_up()
        await call.ended()


async def test_an_outbound_call_can_be_transferred_and_is_not_hung_up_by_us(
    journal: Path | None, autojump_clock: MockClock
) -> None:
    async with (
        nothing_left(),
        staged(journal, callee=Callee(), dial=DialOutcome(ring_s=1.0, talk_s=20.0)) as stage,
    ):
        stage.phone.place_call("+15550100055")
        call = await stage.twilio.outbound()
        await call.stream_started()
        await call.speak(QUESTION)
        await call.hears_out(0.5, 300)
        if not stage.records:
            await call.speak(QUESTION)
        assert (await stage.record()).reason is EndReason.TRANSFERRED
        assert (await call.ended()).joined == [SALES]
        updates = [each for each in stage.twilio.rest.requests if each[0] == "POST" and "Calls/" in each[1]]
        assert updates == []


@pytest.mark.parametrize("fallback", ["sales", "voicemail"])
async def test_without_a_model_the_fallback_is_taken_by_the_action_answer(
    fallback: str, journal: Path | None, autojump_clock: MockClock
) -> None:
    def script(turn: int, conversation: list[dict[str, Any]], tools: list[Any]) -> Any:
        return Say(GREETING, 1_000)

    async with nothing_left(), staged(journal, script=script, voicemail=True, fallback=fallback) as stage:
        call = await stage.ring()
        await call.hears(0.5)
        stage.model.faults = Faults(refuse_status=503)
        (await stage.session()).reset()
        record = await call.ended()
        assert (await stage.record()).reason in {EndReason.MODEL_LOST, EndReason.MODEL_UNREACHABLE}
        assert (SALES in record.joined) is (fallback == "sales")
        assert ("Record" in record.verbs) is (fallback == "voicemail")


async def test_a_new_call_that_is_not_let_in_takes_the_fallback(autojump_clock: MockClock) -> None:
    async with nothing_left(), staged(fallback="sales") as stage:
        stage.phone.admission.draining = True
        call = await stage.twilio.ring()
        record = await call.ended()
        assert (record.joined, record.ended_by) == ([SALES], EndedBy.HANGUP_VERB)
        stage.phone.admission.draining = False


SPANISH = {
    "accept_prompt": "Pulse una tecla para atender la llamada.",
    "unavailable_message": "Lo sentimos, nadie puede atenderle ahora.",
    "caller_gone_message": "El cliente ha colgado.",
    "voicemail_greeting": "Deje un mensaje.",
    "voicemail_thanks": "Gracias.",
    "record_notice": "Esta llamada se graba.",
}


@pytest.mark.parametrize("otherwise", ["voicemail", "hang_up"])
async def test_an_application_in_another_language_says_nothing_in_english(
    otherwise: str, autojump_clock: MockClock
) -> None:
    to = {"whisper": "Cliente: {summary}", "accept": True, "on_no_answer": otherwise}
    settings = {
        "transfers": {
            "destinations": {"sales": {"number": SALES, **to}},
            "voicemail": True,
            "record_calls": True,
            **SPANISH,
        },
        "twilio": {"say_language": "es-ES", "say_voice": "Polly.Lucia"},
    }
    agent, dial = receptionist(Desk()), DialOutcome(ring_s=1.0, unjoined="no-answer")
    async with rehearse(agent, script=script, settings=settings, dial_outcome=dial) as stage:
        call = await asks_for_sales(stage)
        if otherwise == "voicemail":
            await listens_for_message(call)
            await call.speak(QUESTION)
            call.press("#")
        documents = [ET.fromstring(text) for text in (await call.ended()).documents]
        said = [say for document in documents for say in document.iter("Say")]
        assert {(say.get("language"), say.get("voice")) for say in said} == {("es-ES", "Polly.Lucia")}
        texts = {text for say in said if (text := say.text or "")}
        asked = f"Cliente: {SUMMARY} {SPANISH['accept_prompt']}"
        left = ["voicemail_greeting", "voicemail_thanks"]
        ends = left if otherwise == "voicemail" else ["unavailable_message"]
        assert texts == {SPANISH["record_notice"], asked, *(SPANISH[name] for name in ends)}
