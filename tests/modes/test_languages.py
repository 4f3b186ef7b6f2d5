"""A whole call per mode and language: outside English nobody is told or asked to say anything in English.

Collected are the texts that Twilio reads, the stored sound that is heard, and what the model is given: its
prompt, its cues, the words to read back. Names of tools are none of it.
"""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest
import trio

from llcphone import EndReason
from llcphone.announcements import stored
from llcphone.languages import ENGLISH, OWN, SHIPPED
from llcphone.modes import outbound
from llcphone.sim.model import CallTool, Faults, Pace, Say
from llcphone.sim.twilio import Callee, DialOutcome
from tests.calls.stage import INTERRUPTION, QUESTION, nothing_left
from tests.modes.all_modes import SETTINGS, open_modes
from tests.modes.english import english_in
from tests.server.api_stage import TO
from tests.store.store_kit import next_weekday

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from llcphone.testing import Rehearsal
    from tests.modes.all_modes import ModesStage

pytestmark = pytest.mark.usefixtures("no_threads")

languages = pytest.mark.parametrize("language", [each for each in SHIPPED if each != "en"])


def speaks(
    language: str, folder: Path, script: Any, *, transfers: dict[str, Any] | None = None, **how: Any
) -> AbstractAsyncContextManager[ModesStage]:
    """All modes in a language; every call is recorded, with a notice."""
    company = {"language": language, "about": "", **how.pop("company", {})}
    return open_modes(
        folder, script, company=company, transfers={"record_calls": True, **(transfers or {})}, **how
    )


def read_by_models(stage: Rehearsal) -> list[str]:
    """The prompts of all sessions, and what was written into them as a user or as the system."""
    found = []
    for session in stage.model.sessions:
        found.append(str(session.config["instructions"]))
        for item in [each.render() for each in session.items]:
            parts = item.get("content", []) if item.get("role") in {"user", "system"} else []
            found += [str(part["text"]) for part in parts if part["type"] == "input_text"]
    return found


def said_by_twilio(documents: Iterable[str], language: str) -> list[str]:
    """The texts of every ``<Say>``, each of which names the language."""
    says = [say for document in documents for say in ET.fromstring(document).iter("Say")]
    assert {say.get("language") for say in says} <= {SHIPPED[language]["twilio.say_language"]}
    return [say.text or "" for say in says]


def sound(name: str, language: str) -> bytes:
    return b"".join(map(base64.b64decode, stored(name, language)))


def test_english_is_recognised_and_no_other_language_is_taken_for_it() -> None:
    texts = [text for name, text in ENGLISH.items() if name not in {OWN + "text_code", OWN + "text_withheld"}]
    sentences = [text for text in texts if len(re.sub(r"\{\w+\}", "", text).split()) > 3]
    lists = [ENGLISH[OWN + name] for name in ("days", "months")]
    assert set(english_in(sentences)) >= set(sentences) - set(lists)
    for language in SHIPPED.keys() - {"en"}:
        plain = [re.sub(r"\{\w+\}", "", text) for text in SHIPPED[language].values()]
        assert english_in(plain) == {}


@languages
@pytest.mark.parametrize("mode", ["ivr", "receptionist", "csr"])
async def test_a_call_that_falls_silent_has_no_english(mode, language, tmp_path, autojump_clock) -> None:
    script = [Say("…", 800)] * 4
    async with nothing_left(), speaks(language, tmp_path, script) as modes:
        call = await modes.ring(mode, vouched=True)
        document = (await call.ended()).documents[0]
        assert (await modes.stage.record()).reason is EndReason.AGENT_HUNG_UP
        read = read_by_models(modes.stage)
        texts = SHIPPED[language]
        assert {texts["silence.cue"], texts["agent.goodbye_cue"]} <= set(read)
        assert texts[OWN + "inbound_cue"] in read
        wish = texts[OWN + "greeting"].format(
            wish=texts[OWN + "morning"], company="Casa Verde", assistant="Avery"
        )
        assert read[0].startswith(texts[OWN + "intro"].format(assistant="Avery", company="Casa Verde"))
        assert read[0].endswith(wish)
        said = said_by_twilio([document], language)
        assert said == [texts["transfers.record_notice"]]
        assert english_in([*read, *said]) == {}


@languages
@pytest.mark.parametrize("scenario", list(outbound.SCENARIOS))
async def test_a_call_that_is_placed_has_no_english(scenario, language, tmp_path, autojump_clock) -> None:
    person, patience = Callee(), {"speak_first_after_s": 3.0}
    script = [Say("…", 800), [Say("…", 800), CallTool("hang_up")]]
    async with nothing_left(), speaks(language, tmp_path, script, callee=person, outbound=patience) as modes:
        agent = modes.stage.phone.agent.by_name[scenario]  # type: ignore[union-attr]
        call = modes.stage.phone.place_call(TO, agent)
        callee = await modes.stage.twilio.outbound()
        await callee.stream_started()
        await callee.hears(0.3)
        await modes.says(callee, INTERRUPTION)
        await call
        documents = (await callee.ended()).documents
        read = read_by_models(modes.stage)
        assert SHIPPED[language][OWN + "outbound_cue"] in read
        assert english_in([*read, *said_by_twilio(documents, language)]) == {}


@languages
async def test_the_menu_the_apology_and_voicemail_are_in_the_language(language, tmp_path, autojump_clock):
    refused, voicemail = Faults(refuse_status=503), {"voicemail": True, "fallback": "voicemail"}
    async with speaks(language, tmp_path, [], faults=refused, transfers=transfers(**voicemail)) as modes:
        call = await modes.stage.ring(to="+15551230003")
        await modes.stage.record()
        heard = call.heard_ulaw()
        await call.silence_for(1_000)
        call.press("#")
        record = await call.ended()
        menu = [f"menu_{name}" for name in ("sales", "press_1", "support", "press_2", "voicemail", "press_3")]
        for name in [*menu, "apology"]:
            assert sound(name, language) in heard
            assert sound(name, "en") not in heard
        said = said_by_twilio(record.documents, language)
        assert SHIPPED[language]["transfers.voicemail_greeting"] in said
        assert english_in(said) == {}


def transfers(**more: Any) -> dict[str, Any]:
    return {**SETTINGS["transfers"], **more}


@languages
async def test_a_colleague_who_does_not_come_and_last_words_are_in_the_language(
    language: str, tmp_path, autojump_clock
) -> None:
    sales = {"number": "+15550100001", "whisper": "{summary}", "accept": True, "on_no_answer": "hang_up"}
    to = transfers(destinations={"sales": sales})
    script = [
        Say("…", 800),
        CallTool("transfer_call", {"destination": "sales", "reason": "…"}),
        Say("…", 800),
    ]
    nobody = DialOutcome(ring_s=1.0, unjoined="no-answer")
    async with speaks(language, tmp_path, script, transfers=to, dial_outcome=nobody) as modes:
        call = await modes.ring("ivr")
        await modes.says(call, QUESTION)
        said = said_by_twilio((await call.ended()).documents, language)
        texts = SHIPPED[language]
        assert f"… {texts['transfers.accept_prompt']}" in said
        assert texts["transfers.unavailable_message"] in said
        assert english_in(said) == {}


@languages
async def test_a_caller_who_comes_back_from_a_transfer_meets_no_english(language, tmp_path, autojump_clock):
    sales = {"number": "+15550100001", "on_no_answer": "agent"}
    to = transfers(destinations={"sales": sales})
    wish = CallTool("transfer_call", {"destination": "sales", "reason": "…"})
    script = [Say("…", 800), wish, *[Say("…", 800)] * 3]
    busy = DialOutcome("busy", 1.0)
    async with speaks(language, tmp_path, script, transfers=to, dial_outcome=busy) as modes:
        call = await modes.ring("ivr")
        await modes.says(call, QUESTION)
        await call.stream_started(2)
        await call.hears(0.3)
        texts, read = SHIPPED[language], read_by_models(modes.stage)
        why = texts[OWN + "transfer_busy"]
        news = texts[OWN + "transfer_failed"].format(name="sales", why=why)
        assert f"{news} {texts[OWN + 'no_repeat']}" in read
        assert english_in(read) == {}
        call.hang_up()


@languages
async def test_a_lost_session_goes_on_without_english(language, tmp_path, autojump_clock) -> None:
    script = [Say("…", 800), *[Say("Casa Verde, Casa Verde, Casa Verde", 6_000)] * 3]
    async with speaks(language, tmp_path, script, pace=Pace(speed=1.5)) as modes:
        call = await modes.ring("receptionist")
        await modes.says(call, QUESTION)
        await call.hears(2.0)
        modes.stage.model.sessions[-1].reset()
        await trio.sleep(4)
        texts, read = SHIPPED[language], read_by_models(modes.stage)
        assert texts[OWN + "line_cut"] in read
        assert english_in(read) == {}
        call.hang_up()


@languages
async def test_a_colleague_is_briefed_in_the_language(language, tmp_path, autojump_clock) -> None:
    wish = {"destination": "sales", "introduction": "…"}
    script = [Say("…", 800), CallTool("warm_transfer", wish), Say("…", 800), Say("…", 800)]
    async with speaks(language, tmp_path, script, callee=Callee(), transfers=transfers()) as modes:
        call = await modes.ring("receptionist")
        await modes.says(call, QUESTION)
        colleague = await modes.stage.twilio.outbound()
        await colleague.stream_started()
        await colleague.hears(0.3)
        texts, read = SHIPPED[language], read_by_models(modes.stage)
        who = texts[OWN + "briefing_caller"].format(summary="…")
        assert f"{texts['transfers.briefing']}\n\n{who}" in read
        assert texts[OWN + "briefing_cue"] in read
        assert english_in(read) == {}
        call.hang_up()


@languages
async def test_what_is_read_back_and_booked_is_in_the_language(language, tmp_path, autojump_clock) -> None:
    day = next_weekday(hour=9)
    wish = {"day": day.date().isoformat(), "time": "09:00:00", "what": "…", "name": "Bob"}
    script = [
        Say("…", 800),
        CallTool("book_appointment", wish),
        Say("…", 800),
        CallTool("book_appointment", wish),
        Say("…", 800),
    ]
    async with speaks(language, tmp_path, script) as modes:
        call = await modes.ring("csr")
        await modes.says(call, QUESTION)
        await modes.says(call, INTERRUPTION)
        await call.silence_for(1_500)
        first, second = [json.loads(each) for each in (await modes.outputs())[-2:]]
        texts = SHIPPED[language]
        weekday = texts[OWN + "days"].split(", ")[day.weekday()]
        month = texts[OWN + "months"].split(", ")[day.month - 1]
        for said in (first["read_back"], second["when"]):
            assert weekday in said
            assert month in said
        call.hang_up()
