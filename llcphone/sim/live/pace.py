"""How fast the simulated GPT-Live is, and what it does where nobody has measured the real one."""

from __future__ import annotations

from typing import Literal

import attrs

Burst = Literal["as fed", "real time", "dropped"]
Quiet = Literal["positive", "negative", "noise", "hiss", "hum"]
EarlyAudio = Literal["refused", "kept", "lost"]
Recordings = Literal["plays", "silent", "refused"]


@attrs.frozen
class Pace:
    """Times of the model: milliseconds of input audio, or seconds of Trio's clock.

    The defaults are what public projects have measured.
    """

    chunk_ms: int = 100
    """Audio in one delta."""
    end_silence_ms: int = 500
    """The caller is done after this much silence."""
    answer_ms: int = 700
    """From the caller's end to the first loud chunk."""
    delegation_ms: int = 500
    """From the caller's end to the delegation."""
    early_ms: int = 500
    """From the caller's onset to the delegation of a model that does not wait for the end."""
    yield_ms: int = 300
    """From the onset of a caller who cuts in to the agent's silence."""
    pause_ms: int = 300
    """Silence between two sentences of the script."""
    append_ack_ms: int = 400
    """From an append to its acknowledgement."""
    commentary_ms: int = 600
    """From a commentary to speech."""
    instructions_ms: int = 1800
    """From instructions to speech."""
    transcript_lag_ms: int = 1200
    """From the caller's sound to its words."""
    words_ahead_ms: int = 100
    """How long before their sound the agent's words come."""
    idle_ms: int = 300
    """From the end of the backend's work to the answer to what the caller asked meanwhile."""
    result_ms: int = 100
    """From the backend's text to speech."""

    start_s: float = 0.6
    """From ``session.start`` to ``session.started``."""
    update_s: float = 0.15
    """From ``session.update`` to ``session.updated``."""
    thinking_s: float = 0.7
    """What the backend takes for each response."""
    refusal_s: float = 0.064
    """From a ``response.create`` that comes too early to its refusal."""
    drop_s: float = 2.0
    """From the refusal of a start to the end of the socket."""
    drain_s: float = 10.0
    """How long a closing session waits for its backend at most."""
    usage_s: float = 15.0
    """Between two reports of usage."""
    no_audio_s: float = 31.0
    """A session ends when no audio is appended for this long."""
    lasts_s: float = 7200.0
    """A session ends at this age."""


@attrs.frozen
class Assumptions:
    """What is not known of GPT-Live. Each default is the likelier answer; test your client with both."""

    burst: Burst = "as fed"
    """Audio that comes faster than it plays runs the clock at once, or no faster than real time, or is
    dropped if it is a second or more."""
    quiet: Quiet = "positive"
    """Silence of µ-law: 0xFF, 0x7F, these two and their neighbours, up to 8 steps away, or up to 20."""
    early_audio: EarlyAudio = "refused"
    """Audio between ``session.start`` and ``session.started`` is refused, taken at the start, or lost."""
    mute_voices: frozenset[str] = frozenset()
    """Voices that do not speak because of instructions; most did not."""
    model_in_query: bool = False
    """Whether a ``model=`` in the address is ignored. Otherwise it is refused with HTTP 400."""
    refusal_echoes: bool = False
    """Whether the refusal of a start names the start's ``event_id``."""
    delegates_early: bool = False
    """Whether the model delegates while the caller still speaks."""
    acknowledges: str = ""
    """What the voice says by itself when it delegates, after ``acknowledgement_delay_ms``, unless a
    commentary or a thinking append comes first; empty: nothing."""
    reasons: bool = False
    """Whether each response of the backend begins with an item of its reasoning."""
    buffer_recovers: bool = False
    """Whether a backend whose input is full goes on when a small output comes."""
    speaks_first: bool = False
    """Whether a session that is given earlier words speaks of itself."""
    words_later_ms: int = 0
    """How much later than their audio the agent's words are said to be."""
    append_tokens: int = 500
    """Most tokens of an append."""
    stays_open: bool = False
    """Whether the socket stays open after ``session.closed``."""
    unstarted_s: float | None = None
    """When a socket without a session is closed; None: never."""
    takes_calls: bool = False
    """Whether the backend takes a function call that it did not make."""
    recordings: Recordings = "plays"
    """What becomes of a fixture in a session that is not PCM at 24 kHz."""
    context_window: bool = True
    """Whether reports of usage name the share of the context window."""
