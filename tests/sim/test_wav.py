"""Speech files in, recordings out."""

from __future__ import annotations

import math
import struct
import wave
from array import array

import pytest

from llcphone.sim import ulaw, voices
from llcphone.sim.wav import SpeechFileError, read_speech, write_stereo_wav


def tone(hz, rate, seconds=0.5, amplitude=8000):
    return array(
        "h", (round(amplitude * math.sin(2 * math.pi * hz * n / rate)) for n in range(int(rate * seconds)))
    )


def write(path, samples, rate, *, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes((s >> 8) + 128 for s in samples) if width == 1 else samples.tobytes())


def chunked(encoding, rate, body, *, bits=8, channels=1, extra=b""):
    form = struct.pack("<HHIIHH", encoding, channels, rate, rate, 1, bits) + extra
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"LIST" + struct.pack("<I", 3) + b"abc\0"  # odd, so padded
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def strength(samples, hz, rate=8000):
    re = sum(s * math.cos(2 * math.pi * hz * n / rate) for n, s in enumerate(samples))
    im = sum(s * math.sin(2 * math.pi * hz * n / rate) for n, s in enumerate(samples))
    return 2 * math.hypot(re, im) / len(samples)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 24000, 44100, 48000])
def test_a_tone_keeps_its_pitch_length_and_strength_at_any_rate(tmp_path, rate):
    write(tmp_path / "tone.wav", tone(1000, rate), rate)
    samples = ulaw.decode(read_speech(tmp_path / "tone.wav"))
    assert abs(len(samples) - 4000) <= 1
    assert strength(samples, 1000) == pytest.approx(8000, rel=0.05)


def test_what_a_telephone_cannot_carry_does_not_fold_back(tmp_path):
    write(tmp_path / "tone.wav", tone(7000, 24000), 24000)  # would fold to 1000 Hz
    assert strength(ulaw.decode(read_speech(tmp_path / "tone.wav")), 1000) < 80


def test_stereo_is_mixed(tmp_path):
    both = array("h", (value for sample in tone(500, 8000) for value in (sample, 0)))
    write(tmp_path / "stereo.wav", both, 8000, channels=2)
    assert strength(ulaw.decode(read_speech(tmp_path / "stereo.wav")), 500) == pytest.approx(4000, rel=0.05)


def test_eight_bit_pcm_is_unsigned(tmp_path):
    write(tmp_path / "small.wav", tone(500, 8000), 8000, width=1)
    assert strength(ulaw.decode(read_speech(tmp_path / "small.wav")), 500) == pytest.approx(8000, rel=0.05)


@pytest.mark.parametrize(
    ("encoding", "bits", "pack"),
    [
        (1, 24, lambda value: struct.pack("<i", value << 8)[:3]),
        (1, 32, lambda value: struct.pack("<i", value << 16)),
        (3, 32, lambda value: struct.pack("<f", value / 32767)),
        (3, 64, lambda value: struct.pack("<d", value / 32767)),
    ],
)
def test_what_editors_export_by_default_is_read_alike(tmp_path, encoding, bits, pack):
    samples = tone(500, 8000)
    write(tmp_path / "plain.wav", samples, 8000)
    fine = chunked(encoding, 8000, b"".join(map(pack, samples)), bits=bits)
    (tmp_path / "fine.wav").write_bytes(fine)
    assert read_speech(tmp_path / "fine.wav") == read_speech(tmp_path / "plain.wav")


def test_floats_that_are_no_samples_do_not_stop_the_reading(tmp_path):
    body = struct.pack("<5f", math.nan, math.inf, -math.inf, 2.0, 0.0)
    (tmp_path / "odd.wav").write_bytes(chunked(3, 8000, body + b"xy", bits=32))
    assert list(ulaw.decode(read_speech(tmp_path / "odd.wav"))) == [0, 32124, -32124, 32124, 0]


def test_ulaw_passes_untouched(tmp_path):
    speech = voices.load("yes_please")
    (tmp_path / "a.wav").write_bytes(chunked(7, 8000, speech))
    (tmp_path / "b.ulaw").write_bytes(speech)
    (tmp_path / "c.wav").write_bytes(
        chunked(0xFFFE, 8000, speech, extra=struct.pack("<HHIH14x", 22, 8, 4, 7))
    )
    assert read_speech(tmp_path / "a.wav") == read_speech(tmp_path / "b.ulaw") == speech
    assert read_speech(tmp_path / "c.wav") == speech


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"ID3 an mp3", "neither"),
        (chunked(2, 8000, b"1234", bits=4), "format 2 of 4 bits. Fix: sox x.wav -r 8000 -c 1 -b 16"),
        (chunked(1, 8000, b"123456", bits=16, channels=6), "6 channels"),
        (chunked(1, 96000, b"1234", bits=16), "96000 Hz"),
        (chunked(1, 8000, b"", bits=16), "without sound"),
        (b"RIFF\x04\0\0\0WAVE", "without sound"),
        (b"RIFF\x04\0\0\0WAVEfmt \x02\0\0\0\0\0", "broken header"),
    ],
)
def test_anything_else_is_refused_with_its_reason(tmp_path, content, reason):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(SpeechFileError, match=reason):
        read_speech(tmp_path / "x.wav")


def test_a_recording_has_the_caller_left_and_the_agent_right(tmp_path):
    left, right = bytes(range(256)), b"\x10" * 100
    write_stereo_wav(tmp_path / "call.wav", left, right)
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        samples = array("h", file.readframes(1000))
    assert samples[0::2] == ulaw.decode(left)
    assert samples[1::2] == ulaw.decode(right + b"\xff" * 156)


def test_every_voice_is_speech_of_telephone_loudness():
    assert set(voices.names()) == set(voices.TEXTS)
    assert sum(len(voices.load(name)) for name in voices.names()) < 1_100_000
    for name in voices.names():
        speech = voices.load(name)
        loudness = math.sqrt(sum(s * s for s in ulaw.decode(speech)) / len(speech)) / 32768
        assert -18 < 20 * math.log10(loudness) < -14
        assert speech[:400].strip(b"\xff\x7f")  # it starts at once
    assert 12 * 8000 < len(voices.load("long_answer")) < 15 * 8000


def test_an_unknown_voice_is_named():
    with pytest.raises(KeyError, match="nobody"):
        voices.load("nobody")
