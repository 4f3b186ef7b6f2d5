"""TwiML for callers who leave their agent, parsed back as Twilio would."""

from __future__ import annotations

import pytest

from llcphone.sim.twilio import twiml as phone_twiml
from llcphone.twilio import twiml, twiml_transfer
from tests.twilio.test_twiml import verbs

A = "https://a.example"


def test_a_number_is_dialled_with_its_caller_id_and_leads_on() -> None:
    document = twiml_transfer.dial("+15550100001", action=f"{A}/done", timeout_s=25, caller_id="+15550100002")
    ((name, attributes, children),) = verbs(document)
    assert (name, attributes) == (
        "Dial",
        {"action": f"{A}/done", "method": "POST", "timeout": "25", "callerId": "+15550100002"},
    )
    assert children == [("Number", {}, [])]
    assert ">+15550100001<" in document


def test_without_a_caller_id_twilio_shows_the_callers_own() -> None:
    ((_, attributes, _),) = verbs(twiml_transfer.dial("+15550100001", action=f"{A}/done", timeout_s=25))
    assert "callerId" not in attributes


def test_a_sip_address_is_dialled_as_one_and_hears_the_whisper() -> None:
    document = twiml_transfer.dial("sip:a@b.example", action=f"{A}/done", timeout_s=5, whisper=f"{A}/whisper")
    ((_, _, children),) = verbs(document)
    assert children == [("Sip", {"url": f"{A}/whisper", "method": "POST"}, [])]


@pytest.mark.parametrize("text", ["", "For you."])
def test_a_whisper_without_a_key_ends_and_so_joins(text: str) -> None:
    assert [name for name, _, _ in verbs(twiml_transfer.whisper(text))] == (["Say"] if text else [])


def test_a_whisper_with_a_key_ends_in_hanging_up() -> None:
    (gather, last) = verbs(twiml_transfer.whisper("For you.", accept=f"{A}/accept"))
    assert (gather[0], gather[1]["action"], gather[1]["numDigits"]) == ("Gather", f"{A}/accept", "1")
    assert last == ("Hangup", {}, [])


def test_a_caller_waits_for_the_colleague_and_either_ends_the_room() -> None:
    seats = {}
    for who in ("caller", "colleague"):
        document = twiml_transfer.conference("r", action=f"{A}/done", who=who)
        ((_, _, ((name, seats[who], _),)),) = verbs(document)
        assert name == "Conference"
    assert seats["caller"]["startConferenceOnEnter"] == "false"
    assert seats["colleague"]["startConferenceOnEnter"] == "true"
    assert {seat["endConferenceOnExit"] for seat in seats.values()} == {"true"}


def test_words_of_the_model_are_escaped() -> None:
    text = "A & B </Say><Dial>+15550009999</Dial>"
    assert [name for name, _, _ in verbs(twiml_transfer.whisper(text))] == ["Say"]


DOCUMENTS = [
    twiml_transfer.dial("+15550100001", action=f"{A}/done", timeout_s=25, whisper=f"{A}/w"),
    twiml_transfer.whisper("x", accept=f"{A}/a"),
    twiml_transfer.conference("r", action=f"{A}/done", who="caller", events=f"{A}/e", music=f"{A}/m"),
    twiml_transfer.voicemail("x", action=f"{A}/r", recording=f"{A}/c", limit_s=60),
    twiml_transfer.say_and_hang_up("x"),
    twiml_transfer.press("1w#", then=f"{A}/p"),
    twiml.connect_stream("wss://a.example/media/t", recorded=twiml.Recorded("x", f"{A}/c")),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_the_strict_reader_knows_every_word_of_ours(document: str) -> None:
    errors: list[object] = []
    assert phone_twiml.parse(document, lambda code, text: errors.append((code, text)))
    assert errors == []
