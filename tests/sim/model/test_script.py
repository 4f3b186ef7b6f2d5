"""Scripts: turns in code, turns in a file, and what a broken file is told."""

from __future__ import annotations

import json

import pytest
import trio

from llcphone.sim.model import (
    CallTool,
    Fail,
    Incomplete,
    ModelScript,
    Pace,
    Say,
    Silence,
    Stall,
    babble,
    load_script,
    open_model,
    run_model,
)
from llcphone.sim.model.load import ScriptError
from llcphone.sim.model.script import Reading, as_script, steps_of
from tests.sim.model.client import talk

FILE = """
hears = ["what are your hours"]
otherwise = "Anything else?"
out_of_band = "ok"

[[turns]]
say = "Good morning."
audio = "morning.ulaw"

[[turns]]
steps = [
  { say = "One moment.", audio = 700 },
  { call = "hours", arguments = { day = "sunday" } },
  { silence_ms = 800 },
  "And so on.",
]

[[turns]]
fail = "server_error"
message = "Oops."

[[turns]]
incomplete = "content_filter"

[[turns]]
stall = true
"""


def test_a_file_says_what_code_can_say(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text(FILE)
    assert load_script(path) == ModelScript(
        [
            Say("Good morning.", tmp_path / "morning.ulaw"),
            [Say("One moment.", 700), CallTool("hours", {"day": "sunday"}), Silence(800), Say("And so on.")],
            Fail("server_error", "Oops."),
            Incomplete("content_filter"),
            Stall(),
        ],
        otherwise=Say("Anything else?"),
        out_of_band=Say("ok"),
        hears=("what are your hours",),
    )


def test_json_has_the_same_keys(tmp_path):
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"turns": ["Hello.", {"call": "look"}]}))
    assert load_script(path).turns == [Say("Hello."), CallTool("look")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("turns = 'x", "script.toml: "),
        ("turn = []", "keys are hears, odd, otherwise, out_of_band, turns"),
        ("[[turns]]\nsay = 'a'\n[[turns]]\nsays = 'b'", "turn 2: a step is one of say, call,"),
        ("[[turns]]\nsay = 'a'\narguments = {}", "turn 1: "),
    ],
)
def test_a_broken_file_is_told_where(text, complaint, tmp_path):
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(ScriptError, match=complaint):
        load_script(path)


def test_a_list_is_read_from_its_start_by_every_connection():
    script = as_script(["one", "two"])
    for _ in range(2):
        reading = Reading(script)
        assert [reading.next_turn([], []), reading.next_turn([], [])] == [[Say("one")], [Say("two")]]


def test_a_generator_is_shared_by_all_connections():
    script = as_script(f"line {n}" for n in range(9))
    assert [Reading(script).next_turn([], []) for _ in range(2)] == [[Say("line 0")], [Say("line 1")]]


def test_a_string_is_a_sentence_and_not_a_list_of_letters():
    assert steps_of("hello") == [Say("hello")]
    assert steps_of(["hello", Stall()]) == [Say("hello"), Stall()]


@pytest.mark.parametrize(
    "cue",
    [
        "Say this to the caller now, word for word and nothing else: {}",
        "Sagen Sie der anrufenden Person jetzt Wort für Wort dies und sonst nichts: {}",
        "Dites maintenant ceci à la personne au téléphone, mot pour mot et rien d'autre : {}",
        "Diga esto ahora a la persona que llama, palabra por palabra y nada más: {}",
        "Diga isto agora à pessoa, palavra por palavra e nada mais: {}",
    ],
)
@pytest.mark.parametrize("own", [True, False])
async def test_words_to_say_are_said_and_the_script_goes_on(cue, own, autojump_clock):
    script = ModelScript(["Good morning.", "We open at nine."], voice=lambda text: Say(text, 400))
    async with open_model(script) as model, talk(model) as client:
        await client.asked()
        text = cue.format("Note: we close at six.")
        if not own:
            content = [{"type": "input_text", "text": text}]
            item = {"type": "message", "role": "system", "content": content}
            await client.send("conversation.item.create", item=item)
        await client.asked(**({"instructions": text} if own else {}))
        await client.says()
        await client.answer()
        (session,) = model.sessions
        said = [response.text for response in session.responses]
        assert said == ["Good morning.", "Note: we close at six.", "We open at nine."]
        assert session.responses[1].items[0].generated_ms == 400


async def test_a_recording_is_spoken_as_it_is(tmp_path, autojump_clock):
    recording = babble(600, 200)
    (tmp_path / "hello.ulaw").write_bytes(recording)
    async with open_model([Say("Hello.", tmp_path / "hello.ulaw")]) as model, talk(model) as client:
        await client.asked()
        assert client.audio() == recording


async def test_the_command_line_serves_a_file_until_cancelled(tmp_path, autojump_clock):
    path = tmp_path / "script.toml"
    path.write_text("[[turns]]\nsay = 'From a file.'")
    async with trio.open_nursery() as nursery:
        model = await nursery.start(run_model, "127.0.0.1", 0, path, "ga")
        assert model.pace == Pace(first_audio_ms=200, created_ms=280, ack_delay_s=0.26)
        async with talk(model) as client:
            assert (await client.asked())["output"][0]["content"][0]["transcript"] == "From a file."
        nursery.cancel_scope.cancel()
