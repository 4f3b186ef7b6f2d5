"""Every text that Twilio reads out has the language and voice of the settings, and a setting of its own."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import llcphone
from llcphone.config import SETTINGS, Config
from llcphone.errors import ConfigError
from llcphone.languages import ENGLISH, OWN
from llcphone.twilio import twiml, twiml_transfer

SPANISH = twiml.Speech("es-ES", "Polly.Lucia")
A = "https://a.example"


def says(document: str) -> list[tuple[str | None, str | None]]:
    return [(say.get("language"), say.get("voice")) for say in ET.fromstring(document).iter("Say")]


DOCUMENTS: list[Any] = [
    lambda speech: twiml.connect_stream("wss://a.example/media/t", recorded=twiml.Recorded("x", A, speech)),
    lambda speech: twiml.busy("x", speech),
    lambda speech: twiml_transfer.whisper("x", speech=speech),
    lambda speech: twiml_transfer.whisper("x", accept=A, prompt="y", speech=speech),
    lambda speech: twiml_transfer.voicemail("x", action=A, recording=A, limit_s=60, speech=speech),
    lambda speech: twiml_transfer.say_and_hang_up("x", speech),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_text_is_said_in_the_language_and_voice_of_the_settings(document: Any) -> None:
    assert says(document(SPANISH)) == [("es-ES", "Polly.Lucia")]
    assert says(document(twiml.Speech(language="de-DE"))) == [("de-DE", None)]
    assert says(document(twiml.PLAIN)) == [(None, None)]
    assert "<Say>" in document(twiml.PLAIN), "unset: as Twilio reads by itself"


def test_no_other_place_makes_a_say() -> None:
    for path in (Path(llcphone.__file__).parent / "twilio").glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        said = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "say"]
        for call in said:
            owner = ast.unparse(call.func.value)
            assert owner in {"where", "speech", "recorded.speech"}, f"{path.name}: {owner}.say"


def test_every_sentence_is_the_default_of_its_setting() -> None:
    default = Config()
    for key, sentence in ENGLISH.items():
        if not key.startswith(OWN):
            assert default.value(key) == sentence
            assert SETTINGS[key].private, (
                "it belongs to one deployment: no snapshot may bring another language"
            )


@pytest.mark.parametrize(
    ("key", "value", "holds"),
    [
        ("say_language", "", True),
        ("say_language", "es-ES", True),
        ("say_language", "cmn-Hans-CN", True),
        ("say_language", "spanish", False),
        ("say_language", "es_ES", False),
        ("say_voice", "", True),
        ("say_voice", "woman", True),
        ("say_voice", "Polly.Lucia-Neural", True),
        ("say_voice", "Google.es-ES-Standard-A", True),
        ("say_voice", 'x" loop="0', False),
    ],
)
def test_languages_and_voices_have_a_form(key: str, value: str, holds: bool) -> None:
    if holds:
        assert getattr(Config.from_dict({"twilio": {key: value}}).twilio, key) == value
    else:
        with pytest.raises(ConfigError, match=f"twilio.{key}"):
            Config.from_dict({"twilio": {key: value}})
