"""Keys of the AI IVR: with a model, without one, and when nobody is there."""

from __future__ import annotations

import pytest

from llcphone import ConfigError, EndReason
from llcphone.config import Config
from llcphone.modes import routed
from llcphone.modes.agent_file import load_agent
from llcphone.modes.menu import PAUSE_MS
from llcphone.sim.model import Faults, Say
from llcphone.sim.twilio import DialOutcome
from tests.calls.stage import nothing_left
from tests.modes.all_modes import SALES, SETTINGS, SUPPORT, open_modes

pytestmark = pytest.mark.usefixtures("no_threads")

ANSWERS = DialOutcome(ring_s=2.0, talk_s=5.0)
LONG = [Say("Casa Verde, how can I direct your call?", 20_000)]


async def test_a_key_puts_through_at_once_in_the_middle_of_a_sentence(tmp_path, autojump_clock) -> None:
    async with nothing_left(), open_modes(tmp_path, LONG, dial_outcome=ANSWERS) as modes:
        call = await modes.ring("ivr")
        call.press("2")
        record = await modes.stage.record()
        assert record.reason is EndReason.TRANSFERRED
        assert record.duration_s < 5
        assert (await call.ended()).joined == [SUPPORT]


async def test_a_key_puts_through_when_there_is_no_model(tmp_path, autojump_clock) -> None:
    refused = Faults(refuse_status=503)
    async with nothing_left(), open_modes(tmp_path, [], dial_outcome=ANSWERS, faults=refused) as modes:
        call = await modes.stage.ring(to="+15551230003")
        await call.hears(2.0)  # the stored menu
        call.press("1")
        record = await modes.stage.record()
        assert record.reason is EndReason.TRANSFERRED
        assert "(apology)" in str(record.transcript)
        assert (await call.ended()).joined == [SALES]


async def test_the_menu_answers_also_when_new_calls_are_not_let_in_for_want_of_a_model(
    tmp_path, autojump_clock
) -> None:
    refused, breaker = Faults(refuse_status=503), {"failures": 1}
    async with open_modes(tmp_path, [], dial_outcome=ANSWERS, faults=refused, breaker=breaker) as modes:
        first = await modes.stage.ring(to="+15551230003")
        await modes.stage.record()
        await first.ended()
        assert modes.stage.phone.endpoints.is_open
        turned_away = await modes.stage.twilio.ring(to="+15551230005")
        assert not (await turned_away.ended()).streams
        call = await modes.stage.ring(to="+15551230003")
        await call.hears(2.0)
        call.press("2")
        assert (await call.ended()).joined == [SUPPORT]


async def test_without_a_model_and_without_a_key_the_menu_is_said_twice_and_then_the_apology(
    tmp_path, autojump_clock
) -> None:
    async with open_modes(tmp_path, [], faults=Faults(refuse_status=503)) as modes:
        call = await modes.stage.ring(to="+15551230003")
        record = await modes.stage.record()
        await call.ended()
        menu_ms = len(modes.stage.phone.agent({"To": "+15551230003"}).stand_in) / 8  # type: ignore[operator]
        assert menu_ms > PAUSE_MS + 2_000
        assert record.duration_s * 1000 > 2 * menu_ms + 5_000
        assert record.reason is EndReason.MODEL_UNREACHABLE


async def test_a_key_to_a_desk_that_is_closed_is_explained_by_the_agent(tmp_path, autojump_clock) -> None:
    script = [Say("Casa Verde.", 500), Say("They are closed.", 500)]
    closed = {"desk_hours": {"sales": "sun 10:00-12:00"}}
    async with open_modes(tmp_path, script, company=closed) as modes:
        call = await modes.ring("ivr")
        await call.silence_for(1_000)
        call.press("1")
        await call.silence_for(2_000)
        assert "closed until Sunday" in await modes.told()
        assert "They are closed." in str([note.words for note in modes.stage.noted("agent said")])
        call.hang_up()
        assert (await modes.stage.record()).reason is EndReason.CALLER_HUNG_UP


async def test_a_key_that_means_nothing_does_nothing(tmp_path, autojump_clock) -> None:
    async with open_modes(tmp_path, LONG) as modes:
        call = await modes.ring("ivr")
        call.press("9")
        await call.silence_for(1_000)
        assert not call.over
        assert "told" not in {note.kind for _, note in modes.stage.notes}


def test_a_key_to_nobody_is_refused_at_the_start() -> None:
    config = Config.from_dict({**SETTINGS, "ivr": {"keys": {"1": "butler"}}})
    with pytest.raises(ConfigError, match=r"ivr\.keys"):
        routed(config, load_agent)


def test_keys_stand_in_the_prompt_as_configured() -> None:
    config = Config.from_dict({**SETTINGS, "ivr": {"keys": {"7": "support"}}})
    agent = routed(config, load_agent).by_name["ivr"]
    assert "press a key: 7 is support." in agent.instructions
