"""The energy gate of the simulated turn detection, without a socket."""

from __future__ import annotations

from array import array

import pytest

from llcphone.sim import ulaw, voices
from llcphone.sim.model.hearing import Hearing, Started, Stopped
from llcphone.sim.model.voice import babble, render

HIGH = {"type": "semantic_vad", "eagerness": "high"}
LOW = {"type": "semantic_vad", "eagerness": "low"}
PAUSE = b"\xff" * 4000


def heard(audio, settings=HIGH, form="audio/pcmu", chunk=None):
    hearing = Hearing()
    pieces = [audio[n : n + chunk] for n in range(0, len(audio), chunk)] if chunk else [audio]
    return [happened for piece in pieces for happened in hearing.listen(piece, form, settings)]


@pytest.mark.parametrize("chunk", [1, 7, 160, 161, 4000])
def test_the_cut_of_the_bytes_does_not_matter(chunk):
    audio = PAUSE + babble(300) + PAUSE
    assert heard(audio, chunk=chunk) == heard(audio) == [Started(200), Stopped(1100)]


@pytest.mark.parametrize("form", ["audio/pcm", "audio/pcma"])
def test_every_format_is_heard_alike(form):
    audio = PAUSE + babble(300) + PAUSE
    assert heard(render(audio, form), form=form) == [Started(200), Stopped(1100)]


def test_a_click_is_no_speech():
    assert heard(PAUSE + babble(40) + PAUSE) == []


def test_comfort_noise_is_no_speech():
    noise = ulaw.encode(array("h", [-30, 20, 10, -25, 35, -15] * 4000))
    assert heard(noise) == []


def test_a_pause_shorter_than_the_wait_does_not_end_a_turn():
    audio = PAUSE + babble(400) + PAUSE + babble(400) + PAUSE * 3
    assert len(heard(audio, HIGH)) == 4
    assert len(heard(audio, LOW)) == 2


def test_a_turn_never_begins_before_the_end_of_the_last():
    audio = babble(400) + b"\xff" * 2400 + babble(400) + PAUSE
    assert heard(audio) == [Started(0), Stopped(700), Started(700), Stopped(1400)]


def test_without_turn_detection_only_the_clock_runs():
    hearing = Hearing()
    assert hearing.listen(babble(500), "audio/pcmu", None) == []
    assert hearing.clock_ms == 500


@pytest.mark.parametrize("name", voices.names())
def test_every_shipped_voice_is_heard_as_one_turn_at_low_eagerness(name):
    turns = heard(PAUSE + voices.load(name) + PAUSE * 3, LOW)
    assert [type(happened) for happened in turns] == [Started, Stopped]
