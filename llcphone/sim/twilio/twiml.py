"""Reads TwiML as strictly as Twilio does.

Names are case-sensitive; a document that is not XML is error 12100 and ends the call; an element or attribute
Twilio does not know is error 12200 and is passed over. Document types and entities are refused: TwiML
never needs them, and they are how XML parsers are attacked.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOCUMENT_LIMIT = 64 * 1024
VERB_LIMIT = 200

_SAY = "voice loop language"
_RECORDING = "recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent"
_CALLBACK = "statusCallback statusCallbackMethod"
_STREAM = f"url name track connectorName {_CALLBACK}"
_NUMBER = f"sendDigits url method statusCallbackEvent byoc {_CALLBACK}"

# element -> (attributes, children). Children that are missing here are not simulated and have no rules.
_SCHEMA: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    name: (frozenset(attributes.split()), frozenset(children.split()))
    for name, attributes, children in (
        (
            "Response",
            "",
            "Connect Start Stop Hangup Pause Say Play Redirect Dial Record Reject "
            "Gather Enqueue Leave Refer Sms Pay",
        ),
        ("Connect", "action method", "Stream Room Conversation VirtualAgent ConversationRelay Autopilot"),
        ("Start", "action method", "Stream Siprec Transcription Recording"),
        ("Stream", _STREAM, "Parameter"),
        ("Parameter", "name value", ""),
        ("Hangup", "", "Parameter"),
        ("Pause", "length", ""),
        ("Say", _SAY, "break emphasis lang p phoneme prosody s say-as sub w"),
        ("Play", "loop digits", ""),
        ("Redirect", "method", ""),
        ("Reject", "reason", "Parameter"),
        (
            "Dial",
            "action method timeout hangupOnStar timeLimit callerId record trim answerOnBridge ringTone "
            f"recordingTrack sequential referUrl referMethod events {_RECORDING}",
            "Number Conference Client Queue Sim Sip Application WhatsApp",
        ),
        ("Number", _NUMBER, ""),
        ("Sip", f"username password url method statusCallbackEvent {_CALLBACK}", ""),
        (
            "Gather",
            "input action method timeout speechTimeout maxSpeechTime profanityFilter finishOnKey numDigits "
            "partialResultCallback partialResultCallbackMethod language hints bargeIn debug speechModel "
            "actionOnEmptyResult enhanced",
            "Say Play Pause",
        ),
        ("Recording", f"trim track channels {_RECORDING}", ""),
        (
            "Conference",
            "muted beep startConferenceOnEnter endConferenceOnExit waitUrl waitMethod maxParticipants "
            "record region coach trim eventCallbackUrl jitterBufferSize participantLabel statusCallbackEvent "
            f"{_CALLBACK} {_RECORDING}",
            "",
        ),
        (
            "Record",
            "action method timeout finishOnKey maxLength playBeep trim transcribe transcribeCallback "
            f"recordingTrack {_RECORDING}",
            "",
        ),
    )
}


@attrs.frozen
class Verb:
    """One element of TwiML."""

    name: str
    attributes: Mapping[str, str]
    text: str
    children: tuple[Verb, ...]

    def child(self, name: str) -> Verb | None:
        return next((child for child in self.children if child.name == name), None)

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def number(self, name: str, default: int) -> int:
        """An attribute as a whole number; the default when it is missing or none."""
        value = self.attributes.get(name, "")
        return int(value) if value.isascii() and value.isdigit() else default


class BadTwiML(Exception):
    """The document is refused whole; the call cannot go on with it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def parse(text: str, warn: Callable[[int, str], None]) -> tuple[Verb, ...]:
    """The verbs of a document; ``warn`` receives what Twilio logs but passes over.

    Raises:
        BadTwiML: Twilio would refuse the document.
    """
    if len(text.encode()) > DOCUMENT_LIMIT:
        raise BadTwiML(11750, "TwiML larger than 64 KB")
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise BadTwiML(12100, "a document type declaration")
    try:
        root = ET.fromstring(text.lstrip("\ufeff").strip())
    except (ET.ParseError, ValueError, RecursionError):
        raise BadTwiML(12100, "the document is not XML") from None
    if root.tag != "Response":
        raise BadTwiML(12100, "the root element is not <Response>")
    response = _read(root, warn)
    if len(response.children) > VERB_LIMIT:
        raise BadTwiML(12100, "too many verbs")
    return response.children


def _read(element: ET.Element, warn: Callable[[int, str], None]) -> Verb:
    """One element and its children, without what the schema does not know."""
    schema = _SCHEMA.get(element.tag)
    attributes = dict(element.attrib)
    children: list[Verb] = []
    if schema is not None:
        for name in [name for name in attributes if name not in schema[0]]:
            warn(12200, f"<{element.tag}> has no attribute {name}")
            del attributes[name]
        for child in element:
            if child.tag in schema[1]:
                children.append(_read(child, warn))
            else:
                warn(12200, f"<{element.tag}> may not contain <{child.tag}>")
    return Verb(element.tag, attributes, "".join(element.itertext()).strip(), tuple(children))
