"""Base64 audio is counted and cut without being decoded; decoding it is the judge here."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llcphone.audio import (
    BYTES_PER_MS,
    SILENCE,
    is_base64,
    payload_bytes,
    silence_payload,
    split_payload,
)
from llcphone.errors import LocalProtocolError

AUDIO = st.binary(max_size=2000)


def lenient(payload: bytes) -> bytes:
    """The audio in base64 text whose padding may be missing."""
    body = payload.rstrip(b"=")
    body = body[:-1] if len(body) % 4 == 1 else body
    return base64.b64decode(body + b"=" * (-len(body) % 4))


@given(AUDIO)
def test_the_size_of_a_payload_is_the_size_of_its_audio(audio: bytes) -> None:
    payload = base64.b64encode(audio)
    assert payload_bytes(payload) == payload_bytes(payload.rstrip(b"=")) == len(audio)


@given(AUDIO, st.integers(1, 300))
def test_pieces_decode_alone_and_together_are_the_audio(audio: bytes, max_ms: int) -> None:
    pieces = split_payload(base64.b64encode(audio), max_ms)
    decoded = [base64.b64decode(payload, validate=True) for payload, _ in pieces]
    assert b"".join(decoded) == audio
    assert [len(each) for each in decoded] == [size for _, size in pieces]
    assert all(0 < size <= max_ms * BYTES_PER_MS for _, size in pieces)
    assert all(b"=" not in payload for payload, _ in pieces[:-1])


@given(AUDIO, st.integers(3, 300))
def test_all_pieces_but_the_last_are_whole_milliseconds(audio: bytes, max_ms: int) -> None:
    assert all(size % BYTES_PER_MS == 0 for _, size in split_payload(base64.b64encode(audio), max_ms)[:-1])


@given(st.text("ABab09+/", max_size=400), st.integers(1, 30))
def test_text_without_its_padding_keeps_every_sample(text: str, max_ms: int) -> None:
    payload = text.encode()
    pieces = split_payload(payload, max_ms)
    assert b"".join(base64.b64decode(piece, validate=True) for piece, _ in pieces) == lenient(payload)
    assert sum(size for _, size in pieces) == payload_bytes(payload)


def test_a_delta_is_cut_at_198_ms_when_200_are_allowed() -> None:
    pieces = split_payload(silence_payload(500), 200)
    assert [size // BYTES_PER_MS for _, size in pieces] == [198, 198, 104]


def test_a_short_payload_stays_the_very_same_object() -> None:
    payload = silence_payload(20)
    assert split_payload(payload, 20)[0][0] is payload


def test_an_empty_payload_has_no_pieces() -> None:
    assert split_payload(b"", 200) == []


def test_pieces_of_no_length_are_refused() -> None:
    with pytest.raises(LocalProtocolError):
        split_payload(silence_payload(20), 0)


def test_silence_is_the_zero_sample_for_the_time_asked() -> None:
    assert base64.b64decode(silence_payload(20)) == bytes([SILENCE]) * 160
    assert silence_payload(0) == b""


@given(AUDIO)
def test_what_the_encoder_writes_is_base64(audio: bytes) -> None:
    payload = base64.b64encode(audio)
    assert is_base64(payload)
    assert is_base64(payload.rstrip(b"="))


@pytest.mark.parametrize(
    "payload", [b'AA"A', b"AA\\A", b"AA\nA", b"A A=", b"AA=A", b"A===", b"-_AA", "Ä".encode()]
)
def test_text_that_could_break_out_of_a_json_string_is_not_base64(payload: bytes) -> None:
    assert not is_base64(payload)
