# ruff: noqa: RUF009  (setting() declares an attrs field; ruff sees a call in a default)
"""Settings of the model leg and of the agent: [realtime], [opening], [warm], [agent].

The names are the documented flat ones of the Realtime API; a dialect puts them on the wire.
None means that the key is not sent at all, so the vendor's own default holds.
"""

from __future__ import annotations

from typing import Any, Literal

from attrs import frozen

from llcphone.config.addresses import MODEL_ADDRESS
from llcphone.config.fields import (
    HEADER,
    NOT_EMPTY,
    ONE_TOOL,
    TYPED_TABLE,
    Section,
    between,
    matching,
    setting,
)
from llcphone.errors import ConfigError
from llcphone.languages import ENGLISH

DialectChoice = Literal["auto", "flat", "ga"]
Eagerness = Literal["low", "medium", "high", "auto"]
OpeningChoice = Literal["greet", "listen"]
TurnDetection = Literal["semantic_vad", "server_vad", "none"]

_LANGUAGE = matching(r"[a-z]{2}", 'two letters of ISO 639-1, such as "en" or "es"')
_NO_NUMBER = "never a number: semantic VAD has no numeric scale"


@frozen(kw_only=True)
class RealtimeConfig(Section):
    """[realtime]: the Realtime API's endpoint and the session it is asked for."""

    url: str = setting("wss://api.openai.com/v1/realtime", MODEL_ADDRESS, private=True)
    """Endpoint; Azure: wss://<resource>.openai.azure.com/openai/v1/realtime. ws:// bares the key."""
    api_key: str = setting("", HEADER, secret=True)
    """The key that pays for the sessions; usually OPENAI_API_KEY."""
    api_key_header: Literal["authorization", "api-key"] = setting("authorization")
    """How the key travels: "authorization" as a Bearer (OpenAI, Entra), "api-key" as Azure's own header."""
    organization: str = setting("", HEADER, private=True)
    """OpenAI-Organization header; "" sends none."""
    project: str = setting("", HEADER, private=True)
    """OpenAI-Project header; "" sends none."""
    safety_salt: str = setting("", secret=True)
    """Secret that hashes the caller's number into OpenAI-Safety-Identifier; "" sends none."""
    model: str = setting("gpt-realtime-1.5", NOT_EMPTY)
    """Model, or Azure's deployment name. Any name passes; the endpoint decides whether it exists."""
    dialect: DialectChoice = setting("auto")
    """Wire dialect: flat (self-hosted servers), ga (OpenAI since 2026-05-12), auto asks the endpoint once."""
    voice: str = setting("cedar", NOT_EMPTY)
    """The agent's voice; fixed by the vendor once the session has spoken."""
    turn_detection: TurnDetection = setting("semantic_vad")
    """Who decides that the caller is done: meaning, silence, or nobody ("none": you commit yourself)."""
    eagerness: Eagerness = setting("high", note=_NO_NUMBER)
    """Eagerness of the first turn: high waits at most 2 s, medium 4 s, low 8 s; auto is medium."""
    eagerness_after: Eagerness = setting("medium", note=_NO_NUMBER)
    """Eagerness of all later turns: after the opening, patience costs less than cutting the caller off."""
    create_response: bool = setting(True)
    """Whether the end of the caller's turn starts a response by itself."""
    interrupt_response: bool = setting(True)
    """Whether the caller's speech stops the agent's response."""
    vad_threshold: float | None = setting(None, between(0.0, 1.0))
    """Loudness that counts as speech, server_vad only; the vendor's default is 0.5."""
    vad_silence_ms: int | None = setting(None, between(0, 10_000))
    """Silence that ends a turn, server_vad only; the vendor says 500 ms and does 200, so set it."""
    vad_prefix_ms: int | None = setting(None, between(0, 5_000))
    """Audio kept from before the speech began, server_vad only; the vendor's default is 300 ms."""
    noise_reduction: Literal["near_field", "far_field"] | None = setting(None)
    """Filter before turn detection; unset, because on phone audio it can fool the detection."""
    transcription_model: str | None = setting(None, NOT_EMPTY)
    """Model that writes down what the caller says; billed apart. Unset is off."""
    transcription_language: str | None = setting(None, _LANGUAGE, private=True)
    """Language the caller speaks (ISO 639-1), which makes the transcript better; unset: it is guessed.
    Default: `company.language`, unless that is en."""
    transcription_prompt: str | None = setting(None, NOT_EMPTY)
    """Names and words that the transcriber may meet: streets, products, people. Unset sends none."""
    max_response_tokens: int | Literal["inf"] | None = setting(None, between(1, 4096))
    """Longest response in tokens; 20 tokens are one second of agent audio."""
    prompt_cache_key: str | None = setting(None, NOT_EMPTY)
    """Groups calls with one prompt prefix in the vendor's cache; sent only where the dialect takes it."""
    truncation: Literal["auto", "disabled"] | dict[str, Any] | None = setting(None, TYPED_TABLE)
    """What goes when the context is full; {type = "retention_ratio", …} spares the cache."""
    speed: float | None = setting(None, between(0.25, 1.5))
    """Speaking rate; 1.0 is ordinary."""
    reasoning_effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = setting(None)
    """How long a model of the 2.x family thinks before it speaks; more is slower. Others refuse it."""
    tool_choice: Literal["auto", "none", "required"] | dict[str, Any] | None = setting(None, ONE_TOOL)
    """Whether the model may or must call tools; a table names one tool."""

    def check_together(self) -> None:
        """The vad_ settings are refused by the vendor outside server_vad; a transcriber's want one."""
        for name in ("vad_threshold", "vad_silence_ms", "vad_prefix_ms"):
            if self.turn_detection != "server_vad" and getattr(self, name) is not None:
                raise ConfigError(f"realtime.{name}", 'only realtime.turn_detection = "server_vad" takes it')
        for name in ("transcription_language", "transcription_prompt"):
            if self.transcription_model is None and getattr(self, name) is not None:
                raise ConfigError(f"realtime.{name}", "only a realtime.transcription_model takes it: set one")


@frozen(kw_only=True)
class OpeningConfig(Section):
    """[opening]: the first seconds of a call."""

    inbound: OpeningChoice = setting("greet")
    """Who speaks first when we are called; an agent may say otherwise."""
    outbound: OpeningChoice = setting("listen")
    """Who speaks first when we call: the callee says hello, then the agent answers."""
    greeting_cue: str = setting(ENGLISH["opening.greeting_cue"], NOT_EMPTY, private=True)
    """Text of the user item that cues the greeting; it is never spoken itself."""
    greeting_guard_ms: int = setting(700, between(0, 3_000))
    """How much of a greeting must be heard before a barge-in counts, so "hello?" cannot kill it."""
    greeting_guard_max_ms: int = setting(3_000, between(0, 3_000))
    """The guard ends after this time whatever the marks say: nobody may be shut out for longer."""
    silence_pad_inbound_ms: int = setting(0, between(0, 5_000))
    """Silence before the greeting of an inbound call."""
    silence_pad_outbound_ms: int = setting(500, between(0, 5_000))
    """The same for an outbound call: a callee needs a moment to raise the phone to the ear."""
    priming_inbound: bool = setting(False)
    """Whether a text-only response warms inference while an inbound call is being accepted."""
    priming_outbound: bool = setting(True)
    """The same while an outbound call is being dialled; it costs one short response."""
    warm_deadline_ms: int = setting(10_000, between(100, 60_000))
    """From a call's birth to its configured session, dialect question and redial included."""
    join_grace_ms: int = setting(4_000, between(0, 30_000))
    """How much longer the attempt in flight may take once the phone has joined it."""
    cold_deadline_ms: int = setting(5_000, between(100, 60_000))
    """The one attempt after that; then the fallback."""
    early_audio_ms: int = setting(10_000, between(0, 60_000))
    """Caller audio kept while the session is not ready and the agent listens first."""


@frozen(kw_only=True)
class WarmConfig(Section):
    """[warm]: the pool of sessions that are connected before anybody calls."""

    sessions: int = setting(0, between(0, 1_000))
    """How many are kept ready; 0 is no pool. They are not primed, so waiting costs no tokens."""
    max_age_s: float = setting(900.0, between(1.0, 3_540.0))
    """Age at which one is replaced. A session ends at 60 minutes: a call that adopts one has 45 left."""


@frozen(kw_only=True)
class AgentConfig(Section):
    """[agent]: who answers when `llcphone serve` is started without a program of yours."""

    file: str = setting("")
    """Path of a Python module with an `agent`; "" makes one from the two settings below."""
    name: str = setting("default", NOT_EMPTY)
    """The agent's name in records and logs."""
    instructions: str = setting("")
    """The agent's prompt when there is no module."""
    goodbye_cue: str = setting(ENGLISH["agent.goodbye_cue"], NOT_EMPTY, private=True)
    """Text of the system item that asks for a good-bye before llcphone ends a call: budget, drain, silence.
    It is never spoken itself."""
