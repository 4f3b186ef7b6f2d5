"""When the model speaks: interruptions, appends, fixtures, and the script behind it."""

from __future__ import annotations

import base64
from array import array

import pytest

from llcphone.sim import ulaw
from llcphone.sim.live import (
    Assumptions,
    CallTool,
    Event,
    LiveScript,
    Say,
    Silence,
    babble,
    load_live_script,
    open_live,
)
from llcphone.sim.live.script import exact_words, wants_silence
from llcphone.sim.model.load import ScriptError
from llcphone.sim.model.script import Cancel, Write
from tests.sim.live.client import live_session, silence, talk


async def append(client, kind, content, delegation_id=None, **more):
    await client.send(f"session.{kind}.append", content=content, delegation_id=delegation_id, **more)


def cut_in(**how):
    """A script whose first words take five seconds."""
    return LiveScript([Say("A long answer.", 5000), Say("The next.", 500)], hears=["Stop"], **how)


async def interrupted(client):
    """The agent speaks from 600 ms on; the caller cuts in at 2,000 ms, for a second."""
    await client.comment("Go.")
    await client.feed(2000)
    await client.feed(babble(1000, 160))
    await client.feed(6000)
    await client.quiet_for(1)


async def test_a_caller_who_cuts_in_gets_silence_and_then_an_answer(autojump_clock):
    async with open_live(cut_in()) as live, talk(live) as client:
        await interrupted(client)
        loud = live.sessions[0].loud_out
        assert loud == [*range(600, 2300, 100), *range(3700, 4200, 100)]
        # Nothing was announced: the client got words, audio and an acknowledgement.
        assert set(client.kinds()[1:]) == {
            "session.commentary.appended",
            "session.input_transcript.delta",
            "session.output_transcript.delta",
        }
        assert client.words() == "A longThe next."


async def test_an_agent_can_talk_on_and_answer_afterwards(autojump_clock):
    async with open_live(cut_in(barge_ins=["talk on"])) as live, talk(live) as client:
        await interrupted(client)
        assert live.sessions[0].loud_out == [*range(600, 5600, 100), *range(5900, 6400, 100)]
        assert client.words() == "A long answer.The next."


async def test_a_backchannel_is_no_turn(autojump_clock):
    async with open_live(cut_in(barge_ins=["backchannel"])) as live, talk(live) as client:
        await interrupted(client)
        assert live.sessions[0].loud_out == list(range(600, 5600, 100))
        assert client.words("input") == "Stop"


async def test_an_answer_that_has_not_begun_waits_for_the_rest_of_the_callers_sentence(autojump_clock):
    async with open_live(["One.", "Two."]) as live, talk(live) as client:
        await client.says(500, then=600)
        await client.says(500, then=3000)
        await client.quiet_for(1)
        assert live.sessions[0].said == ["One."]
        assert live.sessions[0].loud_out[0] == 500 + 600 + 500 + 700


async def test_an_answer_whose_words_came_already_is_taken_back_too(autojump_clock):
    """The words come 100 ms before their sound; the caller speaks on just then."""
    script = [["One.", "Two."], "Three."]
    async with open_live(script) as live, talk(live) as client:
        await client.says(500, then=620)
        await client.says(500, then=4000)
        await client.quiet_for(1)
        assert client.words() == "One.One.Two."
        assert live.sessions[0].said == ["One.", "Two."]


async def test_an_answer_with_a_pause_before_it_can_be_taken_back_as_a_whole(autojump_clock):
    script = [[Silence(2000), "One.", Silence(500), "Two."], "Three."]
    async with open_live(script) as live, talk(live) as client:
        await client.says(500, then=1500)
        await client.says(500, then=6000)
        await client.quiet_for(1)
        assert live.sessions[0].said == ["One.", "Two."]
        assert live.sessions[0].loud_out[0] == 500 + 1500 + 500 + 700 + 2000


async def test_turn_after_turn_is_answered(autojump_clock):
    async with open_live(["One.", "Two.", "Three."]) as live, talk(live) as client:
        for _ in range(3):
            await client.says(500, then=3000)
        await client.quiet_for(1)
        assert live.sessions[0].said == ["One.", "Two.", "Three."]
        assert client.words() == "One.Two.Three."


async def test_a_caller_can_cut_in_between_two_sentences(autojump_clock):
    """The first ends at 1,100 ms, the second begins at 1,400 ms, and the agent yields at 1,450 ms."""
    async with open_live([[Say("One.", 500), Say("Two.", 5000)], "Three."]) as live, talk(live) as client:
        await client.comment("Go.")
        await client.feed(1150)
        await client.says(1000, then=4000)
        await client.quiet_for(1)
        assert live.sessions[0].said == ["One.", "Two.", "Three."]
        # The answer is due at 2,850 ms, 700 after the end of the caller.
        assert live.sessions[0].loud_out[5:7] == [1400, 2900]


async def test_two_sentences_are_apart_by_a_pause_and_what_the_script_adds(autojump_clock):
    script = [[Say("One.", 500), Silence(1000), Say("Two.", 500)]]
    async with open_live(script) as live, talk(live) as client:
        await client.comment("Go.")
        await client.feed(4000)
        await client.quiet_for(1)
        assert live.sessions[0].loud_out == [*range(600, 1100, 100), *range(1600, 2100, 100)]
    async with open_live([["One.", "Two."]]) as live, talk(live) as client:
        await client.comment("Go.")
        await client.feed(4000)
        await client.quiet_for(1)
        first, second = (utterance.begins_ms for utterance in live.sessions[0].voice.said)
        assert second - first == 400 + 300


async def test_an_event_of_the_script_is_sent_as_it_is(autojump_clock):
    info = {"type": "info", "code": "notice", "message": "Something."}
    async with open_live([[Event(info), Say("Hello.")]]) as live, talk(live) as client:
        await client.comment("Go.")
        await client.feed(1000)
        assert (await client.until("info"))["code"] == "notice"


# -- appends ------------------------------------------------------------------------------------


async def test_exact_words_are_said_without_a_turn_of_the_script(autojump_clock):
    async with open_live(["The script."]) as live, talk(live) as client:
        await client.comment("Say exactly this, add nothing: Please hold on.")
        await client.comment("Sag das Wort für Wort: Bis gleich.")
        await client.comment("Go on.")
        await client.feed(9000)
        await client.quiet_for(1)
        assert live.sessions[0].said == ["Please hold on.", "Bis gleich.", "The script."]


def test_only_an_order_with_a_colon_names_words():
    assert exact_words("Greet the caller exactly once.") == ""
    assert wants_silence("Stop speaking now and wait.")
    assert not wants_silence("Tell them about the bus stop.")


async def test_thinking_is_never_spoken(autojump_clock):
    async with open_live() as live, talk(live) as client:
        await append(client, "thinking", "The caller is called Ada.", event_id="t")
        await client.feed(5000)
        assert (await client.until("session.thinking.appended"))["client_event_id"] == "t"
        await client.quiet_for(1)
        assert live.sessions[0].loud_out == []
        assert live.sessions[0].conversation[-1]["role"] == "developer"


@pytest.mark.parametrize(("mute", "loud"), [(frozenset(), 1800), (frozenset({"cedar"}), None)])
async def test_instructions_speak_late_or_never(mute, loud, autojump_clock):
    assumes = Assumptions(mute_voices=mute)
    async with open_live(["Hello."], assumes=assumes) as live, talk(live) as client:
        await append(client, "instructions", "Greet the caller.")
        await client.feed(3000)
        await client.until("session.instructions.appended")
        await client.quiet_for(1)
        assert next(iter(live.sessions[0].loud_out), None) == loud


async def test_instructions_to_stop_silence_the_agent(autojump_clock):
    async with open_live([Say("A long answer.", 5000), "Never."]) as live, talk(live) as client:
        await client.comment("Go.")
        await client.feed(1500)
        await append(client, "instructions", "Stop speaking now and wait.")
        await client.feed(4000)
        await client.quiet_for(1)
        assert live.sessions[0].loud_out == list(range(600, 1800, 100))


@pytest.mark.parametrize("kind", ["instructions", "thinking", "commentary"])
async def test_an_append_has_500_tokens_at_most_and_names_its_delegation(kind, autojump_clock):
    async with open_live() as live, talk(live) as client:
        await append(client, kind, "x" * 2000)
        await append(client, kind, "x" * 2001, event_id="long")
        error = await client.error()
        assert (error["code"], error["client_event_id"]) == ("invalid_value", "long")
        assert error["message"] == "Context append text must not exceed 500 tokens."
        await client.send(f"session.{kind}.append", content="x")
        error = await client.error()
        assert (error["code"], error["param"]) == ("missing_required_parameter", "delegation_id")
        await append(client, kind, "x", "item_9")
        error = await client.error()
        assert (error["code"], error["message"]) == (None, "Unknown client delegation.")
        assert error["param"] == "delegation_id"
        assert [each.kind for each in live.sessions[0].appends] == [kind]


async def test_a_client_delegation_is_answered_by_a_commentary(autojump_clock):
    script = [CallTool("anything"), Say("Nine o'clock.")]
    async with open_live(script) as live, talk(live) as client:
        await client.says()
        created = await client.until("session.delegation.created")
        assert created["delegation"]["target"] == "client"
        assert created["offset_ms"] == 1500
        await append(client, "commentary", "They open at nine.", created["delegation"]["id"])
        await client.feed(3000)
        await client.until("session.commentary.appended")
        await client.quiet_for(1)
        assert live.sessions[0].said == ["Nine o'clock."]
        assert live.sessions[0].refusals == []


# -- fixtures -----------------------------------------------------------------------------------


def pcm(speech):
    """µ-law as PCM16 at 24 kHz."""
    samples = array("h", (sample for sample in ulaw.decode(speech) for _ in range(3)))
    return base64.b64encode(samples.tobytes()).decode()


async def test_a_fixture_is_heard_instead_of_the_voice(autojump_clock):
    sound = babble(1000)
    async with open_live([Say("A long answer.", 5000)]) as live, talk(live) as client:
        await client.comment("Go.")
        await client.feed(1000)
        await client.send("session.output_audio.fixture.play", audio=pcm(sound), event_id="f")
        assert (await client.until("session.output_audio.fixture.playing"))["client_event_id"] == "f"
        await client.send("session.output_audio.fixture.play", audio=pcm(sound))
        assert "fixture" in (await client.error())["message"]
        await append(client, "thinking", "Now.")
        assert "fixture" in (await client.error())["message"]
        await client.feed(babble(900, 160) + silence(100))
        assert (await client.until("session.output_audio.fixture.played"))["client_event_id"] == "f"
        await client.feed(3000)
        await client.quiet_for(1)
        assert client.audio[8000:16000] == sound
        assert set(client.audio[16000:]) == {0xFF}
        assert client.words("input") == ""


@pytest.mark.parametrize(
    ("audio", "text"),
    [(b"\0" * 3, "even number"), (b"\0" * (30 * 48000 + 2), "at most 30 seconds"), (None, "base64")],
)
async def test_a_fixture_is_30_seconds_of_pcm_at_most(audio, text, autojump_clock):
    encoded = "?" if audio is None else base64.b64encode(audio).decode()
    async with open_live() as live, talk(live) as client:
        await client.send("session.output_audio.fixture.play", audio=encoded)
        assert text in (await client.error())["message"]


# -- scripts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [Write("x"), Cancel()])
async def test_steps_without_a_meaning_are_refused(step):
    with pytest.raises(ValueError, match=type(step).__name__):
        async with open_live([[Say("Hello."), step]]):
            raise AssertionError("it began")


def test_a_script_of_a_file_can_name_interruptions(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text('hears = ["Hi"]\nbarge_ins = ["talk on"]\n[[turns]]\nsay = "Hello."\n')
    script = load_live_script(path)
    assert (script.turns, script.barge_ins, script.hears) == ([Say("Hello.")], ("talk on",), ("Hi",))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('barge_ins = ["shout"]', "barge_ins is a list of yield, talk on, backchannel"),
        ('out_of_band = "x"', "keys are barge_ins"),
        ('[[turns]]\nsay = "x"\n[[turns]]\nwrite = "x"', "turn 2: Write means nothing"),
    ],
)
def test_a_file_with_anything_else_is_refused(text, complaint, tmp_path):
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(ScriptError, match=complaint):
        load_live_script(path)


async def test_history_is_what_the_model_knows_first(autojump_clock):
    history = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]},
    ]
    seen = []

    def turns(number, conversation, tools):
        seen.extend(conversation)
        return "Again."

    script = LiveScript(turns, hears=["And now?"])
    async with open_live(script) as live, talk(live, input=history) as client:
        await client.says()
        await client.quiet_for(1)
        assert seen[:2] == history
        assert seen[2]["content"][0]["text"] == "And now?"
        assert live.sessions[0].said == ["Again."]
        assert live_session()["model"] == live.sessions[0].config["model"]
