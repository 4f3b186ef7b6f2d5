"""TwiML, parsed back as Twilio would."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from llcphone.errors import ConfigError
from llcphone.twilio import twiml

Verb = tuple[str, dict[str, str], list["Verb"]]


def verbs(document: str) -> list[Verb]:
    """The document as (name, attributes, children)."""

    def read(element: ElementTree.Element) -> Verb:
        return element.tag, dict(element.attrib), [read(child) for child in element]

    root = ElementTree.fromstring(document)
    assert root.tag == "Response"
    return [read(child) for child in root]


def test_a_stream_is_joined_and_then_the_call_ends() -> None:
    assert verbs(twiml.connect_stream("wss://a.example/media/t0")) == [
        ("Connect", {}, [("Stream", {"url": "wss://a.example/media/t0"}, [])]),
        ("Hangup", {}, []),
    ]


def test_an_action_is_asked_by_post_and_its_url_is_escaped() -> None:
    document = twiml.connect_stream("wss://a.example/media/t0", action="https://a.example/after?a=1&b=2")
    stream: Verb = ("Stream", {"url": "wss://a.example/media/t0"}, [])
    assert verbs(document)[0] == (
        "Connect",
        {"action": "https://a.example/after?a=1&b=2", "method": "POST"},
        [stream],
    )


def test_the_retries_asked_of_twilio_stand_in_the_fragment_of_the_action() -> None:
    document = twiml.connect_stream(
        "wss://a.example/media/t0", action="https://a.example/resume/0#rc=5&rp=all"
    )
    assert verbs(document)[0][1]["action"] == "https://a.example/resume/0#rc=5&rp=all"


def test_whoever_cannot_answer_now_lets_twilio_ask_again() -> None:
    assert verbs(twiml.ask_again("https://a.example/resume/0", after_s=1)) == [
        ("Pause", {"length": "1"}, []),
        ("Redirect", {"method": "POST"}, []),
    ]
    assert "https://a.example/resume/0" in twiml.ask_again("https://a.example/resume/0", after_s=1)


def test_every_ending_ends_the_call() -> None:
    assert verbs(twiml.nothing()) == []
    assert verbs(twiml.hang_up()) == [("Hangup", {}, [])]
    assert verbs(twiml.busy()) == [("Reject", {"reason": "busy"}, [])]
    assert verbs(twiml.busy("We are sorry & call back.")) == [("Say", {}, []), ("Hangup", {}, [])]
    assert "We are sorry &amp; call back." in twiml.busy("We are sorry & call back.")


@pytest.mark.parametrize(
    ("public_url", "address"),
    [
        ("https://a.example", "wss://a.example/media/t-0_9"),
        ("https://a.example/", "wss://a.example/media/t-0_9"),
        ("https://a.example:8443/phone/", "wss://a.example:8443/phone/media/t-0_9"),
        ("http://127.0.0.1:8081", "ws://127.0.0.1:8081/media/t-0_9"),
        ("http://localhost:8081", "ws://localhost:8081/media/t-0_9"),
        ("http://[::1]:8081", "ws://[::1]:8081/media/t-0_9"),
    ],
)
def test_the_token_stands_in_the_path_of_the_stream(public_url: str, address: str) -> None:
    assert twiml.stream_url(public_url, "t-0_9") == address


def test_a_strange_token_cannot_leave_its_path_segment() -> None:
    assert twiml.stream_url("https://a.example", "a/b?c#d") == "wss://a.example/media/a%2Fb%3Fc%23d"


@pytest.mark.parametrize(
    "public_url",
    [
        "",
        "a.example",
        "ftp://a.example",
        "https://",
        "https://a.example?x=1",
        "http://a.example",
        "http://10.0.0.1",
    ],
)
def test_an_address_that_twilio_cannot_reach_is_a_bad_setting(public_url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        twiml.stream_url(public_url, "t0")
    assert caught.value.key == "server.public_url"
