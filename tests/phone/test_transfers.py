"""What of transfers no whole call is needed for: settings, routes, other processes, tapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import Agent, Config, ConfigError, EndReason, open_phone
from llcphone.dtmf import KEYS, tones_of
from llcphone.engine.events import DigitsAsked, Event, HangUpAsked
from llcphone.engine.tape.codec import as_data, read
from tests.calls.memory import open_memory
from tests.calls.stage import rehearsal
from tests.store.journal_kit import url_of

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

pytestmark = pytest.mark.usefixtures("no_threads")

SALES = {"number": "+15550100001"}
FORM = {"CallStatus": "in-progress", "From": "+15550000001", "To": "+15550000002", "Direction": "inbound"}


# -- settings -----------------------------------------------------------------------------------


def config(**transfers: Any) -> Config:
    return Config.from_dict({"transfers": transfers})


@pytest.mark.parametrize(
    "destinations",
    [
        {"sales": {}},
        {"sales": {"number": "0911 123456"}},
        {"sales": {"number": "+15550100001", "kind": "hot"}},
        {"sales": {"number": "+15550100001", "timeout_s": 1}},
        {"sales": {"number": "+15550100001", "timeout_s": True}},
        {"sales": {"number": "+15550100001", "sms": "yes"}},
        {"sales": {"number": "+15550100001", "caller_id": "me"}},
        {"sales": {"number": "+15550100001", "colour": "red"}},
        {"Sales Team": SALES},
        {"voicemail": SALES},
        {"caller": SALES},
    ],
)
def test_a_destination_that_cannot_be_meant_is_refused_without_its_number(destinations: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        config(destinations=destinations)
    assert refused.value.key == "transfers.destinations"
    assert "5550100001" not in str(refused.value)


@pytest.mark.parametrize(
    ("transfers", "key"),
    [
        ({"fallback": "voicemail"}, "transfers.fallback"),
        ({"fallback": "sales"}, "transfers.fallback"),
        ({"fallback": "agent"}, "transfers.fallback"),
        ({"destinations": {"sales": {**SALES, "on_no_answer": "voicemail"}}}, "transfers.destinations.sales"),
    ],
)
def test_a_way_that_leads_nowhere_is_refused(transfers: Any, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config(**transfers)
    assert refused.value.key == key


def test_numbers_of_colleagues_are_shown_to_nobody() -> None:
    ours = config(destinations={"sales": SALES})
    assert "5550100001" not in repr(ours)
    assert "destinations" not in ours.to_dict()["transfers"]
    assert "5550100001" not in repr(ours.tuning())


# -- other processes ----------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "back"), [("busy", True), ("no-answer", True), ("completed", False)])
async def test_another_process_answers_for_a_transfer_it_did_not_begin(
    status: str, back: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    settings: dict[str, Any] = {"journal": {"url": url_of(tmp_path)}}
    async with rehearsal(
        script=["Hello!"], transfers={"destinations": {"sales": SALES}}, **settings
    ) as stage:
        call = await stage.ring()
        await call.hears()
        await call.silence_for(300)
        (ours,) = stage.phone.calls()
        assert (await ours.transfer("sales")).ok
        assert (await stage.record()).reason is EndReason.TRANSFERRED
        await trio.sleep(1)
        form = {"CallSid": call.sid, **FORM, "DialCallStatus": status}
        async with open_phone(stage.config, Agent("Be brief.")) as other:
            answer = await other.transfers.webhooks.ask("done", 0, "sales", "forgotten", form)
            assert answer is not None
            assert ("<Connect" in answer) is back
            assert ("<Hangup" in answer) is True
            if back:
                (again,) = other.calls()
                assert again.run_number == 1
                await trio.sleep(0.1)
                assert "Hello!" in [line.text for line in again.run.lines()]
                again.end()
            else:
                assert "<Connect" not in await other.after_stream({"CallSid": call.sid, **FORM}, 0)
        call.hang_up()


async def test_a_transfer_nobody_remembers_ends_with_an_apology(autojump_clock: MockClock) -> None:
    async with open_memory(transfers={"destinations": {"sales": SALES}}) as stage:
        answers = stage.phone.transfers.webhooks
        form = {"CallSid": "CA9", **FORM, "DialCallStatus": "busy"}
        assert "nobody can take your call" in str(await answers.ask("done", 0, "sales", "t", form))
        assert "<Hangup" in str(await answers.ask("accept", 0, "sales", "t", {**form, "Digits": "1"}))
        assert await answers.ask("nonsense", 0, "sales", "t", form) is None


async def test_routes_want_twilios_signature(autojump_clock: MockClock) -> None:
    from llcphone.server.app import make_app

    async with open_memory(transfers={"destinations": {"sales": SALES}}) as stage:
        client = make_app(stage.phone).test_client()
        for path in ("/transfer/t/0/sales/done", "/voicemail/recorded", "/recording/call"):
            assert (await client.post(path, form=FORM)).status_code == 403


async def test_without_settings_nothing_is_asked_and_a_transfer_is_an_error(
    autojump_clock: MockClock,
) -> None:
    async with open_memory() as stage:
        call = stage.answer()
        assert "action" not in call.twiml
        with pytest.raises(ConfigError, match=r"transfers\.destinations"):
            await call.transfer("sales")
        call.end()


async def test_a_call_that_has_no_stream_yet_cannot_be_put_through(autojump_clock: MockClock) -> None:
    async with open_memory(transfers={"destinations": {"sales": SALES}}) as stage:
        call = stage.answer()
        assert "/resume/0" in call.twiml
        assert not (await call.transfer("sales")).ok
        call.end()


# -- keys and tapes -----------------------------------------------------------------------------


def test_every_key_has_a_sound_and_nothing_else_has() -> None:
    assert len(set(tones_of(KEYS))) == len(KEYS)
    for wrong in ("", "A", "1 2", "1" * 33):
        with pytest.raises(ValueError, match="1 to 32"):
            tones_of(wrong)


def test_a_tape_does_not_tell_which_keys_were_pressed() -> None:
    one, other = (as_data(DigitsAsked(tones_of(keys)), {}) for keys in ("12", "99"))
    assert one == other
    assert as_data(read(Event, one), {}) == one


def test_a_tape_of_older_days_knows_one_reason_for_hanging_up() -> None:
    assert read(Event, ["HangUpAsked", {}]) == HangUpAsked(EndReason.AGENT_HUNG_UP)
    leave = HangUpAsked(EndReason.TRANSFERRED)
    assert read(Event, as_data(leave, {})) == leave
