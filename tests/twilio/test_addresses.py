"""Addresses that mean the same place, and signatures over another spelling of ours."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from llcphone.twilio.addresses import canonical, leads_to, same_address, spellings
from llcphone.twilio.signature import valid_upgrade, valid_webhook

TOKEN = "0123456789abcdef0123456789abcdef"
OURS = "https://phone.example.test/twiml"
SAME = [
    "https://phone.example.test/twiml",
    "https://Phone.Example.Test/twiml",
    "https://PHONE.example.TEST/twiml",
    "HTTPS://phone.example.test/twiml",
    "Https://phone.example.test/twiml",
    "https://phone.example.test./twiml",
    "https://phone.example.test:443/twiml",
    "https://phone.example.test/twiml/",
    "https://phone.example.test/twiml#rc=2&rp=all",
    "https://user:secret@phone.example.test/twiml",
]
OTHER = [
    "https://phone.example.test/Twiml",
    "https://phone.example.test/twiml?agent=x",
    "https://phone.example.test/twiml/x",
    "https://phone.example.test:8443/twiml",
    "https://phone.example.test:80/twiml",
    "http://phone.example.test/twiml",
    "https://phone.example.test.evil.test/twiml",
    "https://other.example.test/twiml",
    "/twiml",
    "phone.example.test/twiml",
    "https://[/twiml",
    "https://phone.example.test:port/twiml",
    "",
]


def signed(url: str, form: dict[str, str] | None = None) -> str:
    return str(RequestValidator(TOKEN).compute_signature(url, form or {}))


@pytest.mark.parametrize("url", SAME)
def test_one_address_may_be_written_in_many_ways(url: str) -> None:
    assert same_address(url, OURS)
    assert same_address(OURS, url)


@pytest.mark.parametrize("url", OTHER)
def test_another_place_is_not_the_same(url: str) -> None:
    assert not same_address(url, OURS)
    assert not same_address(OURS, url)


def test_what_is_no_address_is_not_even_the_same_as_itself() -> None:
    assert not same_address("", "")
    assert canonical("https://[") == ""


def test_an_ipv6_address_keeps_its_brackets() -> None:
    assert canonical("http://[::1]:80/a/") == "http://[::1]/a"
    assert not same_address("http://[::1]:8081/a", "http://[::1]/a")


def test_an_address_below_ours_leads_to_us() -> None:
    ours = "https://Phone.example.test/a"
    assert leads_to("https://phone.example.test:443/a/fallback?x=1", ours)
    assert leads_to("https://phone.example.test./a", ours)
    assert not leads_to("https://phone.example.test/ab", ours)
    assert not leads_to("https://phone.example.test.evil.test/a", ours)
    assert not leads_to("", ours)
    assert not leads_to("https://phone.example.test", "")


@pytest.mark.parametrize(
    ("config", "console"),
    [
        (OURS, "https://Phone.Example.Test/twiml"),
        ("https://Phone.Example.Test/twiml", OURS),
        (OURS, "HTTPS://phone.example.test/twiml"),
        (OURS, "https://phone.example.test./twiml"),
        ("https://phone.example.test./twiml", OURS),
        (OURS, "https://phone.example.test:443/twiml"),
        ("https://phone.example.test:443/twiml", OURS),
        ("https://Phone.example.test:443/twiml", OURS),
    ],
)
def test_a_webhook_is_twilios_in_any_spelling_of_our_host(config: str, console: str) -> None:
    form = {"CallSid": "CA1", "From": "+15550000001"}
    assert valid_webhook(TOKEN, config, list(form.items()), signed(console, form))
    assert not valid_webhook(TOKEN, config, [], signed(console, form))
    assert not valid_webhook("other", config, list(form.items()), signed(console, form))


def test_the_host_header_says_how_the_host_is_written_and_not_which_it_is() -> None:
    odd = "https://pHoNe.example.test/twiml"
    assert not valid_webhook(TOKEN, OURS, [], signed(odd))
    assert valid_webhook(TOKEN, OURS, [], signed(odd), "pHoNe.example.test")
    assert valid_webhook(TOKEN, OURS, [], signed(odd), "pHoNe.example.test:443")
    assert not valid_webhook(TOKEN, OURS, [], signed("https://evil.test/twiml"), "evil.test")


@pytest.mark.parametrize("url", ["https://phone.example.test/Twiml", "https://other.example.test/twiml"])
def test_another_path_or_host_stays_a_no(url: str) -> None:
    assert not valid_webhook(TOKEN, OURS, [], signed(url), url.split("/")[2])


@pytest.mark.parametrize("config", ["https://Phone.Example.Test", "https://phone.example.test:443"])
@pytest.mark.parametrize(
    "told", ["wss://phone.example.test", "wss://Phone.Example.Test", "WSS://phone.example.test"]
)
def test_an_upgrade_is_twilios_in_any_spelling_of_our_host(config: str, told: str) -> None:
    assert valid_upgrade(TOKEN, config, "/media/Tok", signed(f"{told}/media/Tok"))
    assert not valid_upgrade(TOKEN, config, "/media/Tok", signed(f"{told}/media/tok"))


def test_a_stranger_costs_few_signatures() -> None:
    assert len(list(spellings(OURS, "PHONE.example.test"))) <= 8
