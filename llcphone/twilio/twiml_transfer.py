"""TwiML for callers who leave their agent: dialled on, put on hold, asked for a message.

Each document leads somewhere at its end: ``action`` is asked, or the call ends. Every address is
absolute, as Twilio wants it in documents that arrive by REST.
"""

from __future__ import annotations

from typing import Literal

from twilio.twiml.voice_response import Dial, Gather, Hangup, Play, Record, Redirect  # type: ignore[import-untyped]

from llcphone.twilio.twiml import PLAIN, Speech, document

_CONFERENCE_EVENTS = "join leave end"
_ANSWER_S = 8
"""How long a colleague may think before a call that must be accepted counts as refused."""


def dial(to: str, *, action: str, timeout_s: int, caller_id: str = "", whisper: str = "") -> str:
    """Ring a number, and connect whoever answers to the caller; then ask ``action`` what next.

    ``to`` is E.164 or a SIP address. Without ``caller_id`` they see the caller's own number. They
    hear ``whisper``, an address, before they are connected.
    """
    dialled = Dial(action=action, method="POST", timeout=timeout_s, caller_id=caller_id or None)
    noun = dialled.sip if to.startswith(("sip:", "sips:")) else dialled.number
    noun(to, **({"url": whisper, "method": "POST"} if whisper else {}))
    return document(dialled)


def whisper(text: str, *, accept: str = "", prompt: str = "", speech: Speech = PLAIN) -> str:
    """What a colleague hears before they are joined.

    With ``accept`` they must press a key, for which ``prompt`` asks, or they are not connected.
    """
    if not accept:
        return document(*([speech.say(text)] if text else []))
    gather = Gather(input="dtmf", num_digits=1, timeout=_ANSWER_S, action=accept, method="POST")
    gather.append(speech.say(f"{text} {prompt}".strip()))
    return document(gather, Hangup())


def conference(
    room: str, *, action: str, who: Literal["caller", "colleague"], events: str = "", music: str = ""
) -> str:
    """A place in a room: a caller waits there with music until the colleague enters; who leaves ends it."""
    dialled = Dial(action=action, method="POST")
    waits = {"wait_url": music, "wait_method": "GET"} if music else {}
    tells = {"status_callback": events, "status_callback_event": _CONFERENCE_EVENTS} if events else {}
    dialled.conference(
        room,
        beep="false",
        start_conference_on_enter=who == "colleague",
        end_conference_on_exit=True,
        max_participants=2,
        **waits,
        **tells,
    )
    return document(dialled)


def voicemail(greeting: str, *, action: str, recording: str, limit_s: int, speech: Speech = PLAIN) -> str:
    """Ask for a message, record it, then ask ``action``; without a word the call ends.

    Twilio requests ``recording`` when the message is ready there.
    """
    record = Record(
        action=action,
        method="POST",
        max_length=limit_s,
        timeout=5,
        finish_on_key="#",
        play_beep=True,
        recording_status_callback=recording,
        recording_status_callback_method="POST",
        recording_status_callback_event="completed",
    )
    return document(speech.say(greeting), record, Hangup())


def say_and_hang_up(text: str, speech: Speech = PLAIN) -> str:
    """Last words, said by Twilio."""
    return document(speech.say(text), Hangup())


def press(digits: str, *, then: str) -> str:
    """Press keys, then ask there what to do."""
    return document(Play(digits=digits), Redirect(then, method="POST"))
