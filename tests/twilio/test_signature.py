"""Signatures, against the published vector and against HMAC-SHA1 computed here by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from llcphone.twilio.signature import valid_upgrade, valid_webhook

TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC = "https://phone.example.com"


def signed(text: str, token: str = TOKEN) -> str:
    """What Twilio puts into the header for this text."""
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def test_the_published_vector_is_valid_and_any_change_is_not() -> None:
    url = "https://example.com/myapp.php?foo=1&bar=2"
    form = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675310"),
        ("From", "+14158675310"),
        ("Digits", "1234"),
        ("To", "+18005551212"),
    ]
    signature = "L/OH5YylLD5NRKLltdqwSvS0BnU="
    assert valid_webhook("12345", url, form, signature)
    assert valid_webhook("12345", url, MultiDict(form), signature)
    assert not valid_webhook("12346", url, form, signature)
    assert not valid_webhook("12345", url + "3", form, signature)
    assert not valid_webhook("12345", url, form[1:], signature)
    assert not valid_webhook("12345", url, [*form, ("Extra", "")], signature)
    assert not valid_webhook("12345", url, form, signature[:-2] + "V=")


def test_repeated_and_blank_fields_are_part_of_what_is_signed() -> None:
    form = [("b", "2"), ("a", ""), ("b", "1")]
    signature = signed(f"{PUBLIC}/twimlab1b2")
    assert valid_webhook(TOKEN, f"{PUBLIC}/twiml", form, signature)
    assert valid_webhook(TOKEN, f"{PUBLIC}/twiml", MultiDict(form), signature)
    assert not valid_webhook(TOKEN, f"{PUBLIC}/twiml", [("a", ""), ("b", "2")], signature)


def test_a_get_is_signed_by_its_url_alone() -> None:
    assert valid_webhook(TOKEN, f"{PUBLIC}/twiml?a=1", [], signed(f"{PUBLIC}/twiml?a=1"))


@pytest.mark.parametrize("signature", [None, "", "x", "ü", "\udcff", signed(PUBLIC)])
def test_a_missing_or_odd_signature_is_a_no(signature: str | None) -> None:
    assert not valid_webhook(TOKEN, f"{PUBLIC}/twiml", [("a", "1")], signature)
    assert not valid_upgrade(TOKEN, PUBLIC, "/media/t0", signature)


def test_without_an_auth_token_nothing_is_valid() -> None:
    assert not valid_webhook("", f"{PUBLIC}/twiml", [], signed(f"{PUBLIC}/twiml", ""))
    assert not valid_upgrade("", PUBLIC, "/media/t0", signed("wss://phone.example.com/media/t0", ""))


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("public_url", [PUBLIC, PUBLIC + "/"])
def test_an_upgrade_is_signed_in_its_wss_form_with_or_without_a_slash(public_url: str, slash: str) -> None:
    signature = signed(f"wss://phone.example.com/media/t0{slash}")
    assert valid_upgrade(TOKEN, public_url, "/media/t0", signature)
    assert valid_upgrade(TOKEN, public_url, "/media/t0/", signature)
    assert not valid_upgrade(TOKEN, public_url, "/media/t1", signature)
    assert not valid_upgrade(TOKEN, "https://other.example.com", "/media/t0", signature)


def test_an_upgrade_signed_as_https_is_a_no() -> None:
    assert not valid_upgrade(TOKEN, PUBLIC, "/media/t0", signed(f"{PUBLIC}/media/t0"))


def test_a_simulator_on_loopback_signs_the_ws_form_with_its_port() -> None:
    signature = signed("ws://127.0.0.1:8081/media/t0")
    assert valid_upgrade(TOKEN, "http://127.0.0.1:8081", "/media/t0", signature)


@pytest.mark.parametrize("path", ["/phone/media/t0", "/media/t0"])
def test_a_proxy_may_keep_or_strip_the_public_urls_own_path(path: str) -> None:
    signature = signed("wss://phone.example.com/phone/media/t0")
    assert valid_upgrade(TOKEN, f"{PUBLIC}/phone", path, signature)


@pytest.mark.parametrize("public_url", ["", "http://phone.example.com", "https://[", "https://a:b:c"])
def test_a_useless_public_url_is_a_no(public_url: str) -> None:
    assert not valid_upgrade(TOKEN, public_url, "/media/t0", signed("wss://phone.example.com/media/t0"))
    assert not valid_webhook(TOKEN, public_url, [], signed(PUBLIC))


ODD = st.text(":/?#[]@%=&aé0 \n\udcff", max_size=20)


@settings(max_examples=60)
@given(ODD, st.lists(st.tuples(ODD, ODD), max_size=3), ODD)
def test_nothing_a_stranger_sends_raises(url: str, form: list[tuple[str, str]], signature: str) -> None:
    assert not valid_webhook(TOKEN, url, form, signature)
    assert not valid_upgrade(TOKEN, PUBLIC, url, signature)
