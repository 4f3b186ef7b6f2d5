"""Settings of [realtime]: the endpoint of the voice model, and the session that llcphone requests.

The names are the documented flat ones of the Realtime API; a dialect puts them on the wire.
None means that the key is not sent at all, so the vendor's own default holds.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from attrs import frozen

from llcphone.config.addresses import MODEL_ADDRESS, split_url
from llcphone.config.fields import (
    HEADER,
    NOT_EMPTY,
    ONE_TOOL,
    TYPED_TABLE,
    Section,
    between,
    matching,
    setting,
    settings_of,
)
from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

Protocol = Literal["realtime", "live"]
DialectChoice = Literal["auto", "flat", "ga"]
ProfileChoice = Literal["auto", "openai", "azure", "xai", "generic"]
Eagerness = Literal["low", "medium", "high", "auto"]
TurnDetection = Literal["semantic_vad", "server_vad", "none"]

LIVE_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {"realtime.url": "wss://api.openai.com/v1/live/sessions", "realtime.model": "gpt-live-1"}
)
"""What the settings of an endpoint are with protocol ``live`` where nothing sets them."""

_LANGUAGE = matching(r"[a-z]{2}", 'two letters of ISO 639-1, such as "en" or "es"')
_HOSTS = {
    "openai": ("api.openai.com",),
    "azure": ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com", "openai.azure.us"),
    "xai": ("api.x.ai",),
}
"""Profile to the hosts that it is for, with all hosts below them."""
_OPENAI_VOICES = frozenset(
    ["alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"]
)
_NO_NUMBER = "never a number: semantic VAD has no numeric scale"


@frozen(kw_only=True)
class RealtimeConfig(Section):
    """[realtime]: the endpoint of the voice model, and the session that llcphone requests."""

    protocol: Protocol = setting("realtime", advanced=True)
    """API of the voice model: "realtime", or "live" (GPT-Live, experimental; see docs/13-gpt-live.md)."""
    url: str = setting("wss://api.openai.com/v1/realtime", MODEL_ADDRESS, private=True)
    """Endpoint of that API. Azure: wss://<resource>.openai.azure.com/openai/v1/realtime. Default with
    protocol live: wss://api.openai.com/v1/live/sessions. ws:// sends the key unencrypted."""
    api_key: str = setting("", HEADER, secret=True)
    """Key that pays for the sessions; usually set as OPENAI_API_KEY."""
    profile: ProfileChoice = setting("auto", private=True, advanced=True)
    """Kind of endpoint: it decides the header of the key, the dialect, and what is not sent. "generic" is any
    other server, which is asked. "auto" goes by the host of realtime.url."""
    api_key_header: Literal["auto", "authorization", "api-key"] = setting("auto", advanced=True)
    """Header that carries the key: "authorization" as a Bearer token (OpenAI, xAI, Entra), or Azure's own
    "api-key". "auto" goes by the profile."""
    organization: str = setting("", HEADER, private=True, advanced=True)
    """OpenAI-Organization header; "" sends none."""
    project: str = setting("", HEADER, private=True, advanced=True)
    """OpenAI-Project header; "" sends none."""
    safety_salt: str = setting("", secret=True, advanced=True)
    """Secret with which the caller's number is hashed into OpenAI-Safety-Identifier; "" sends none."""
    model: str = setting("gpt-realtime-1.5", NOT_EMPTY)
    """Model, or the name of Azure's deployment. Default with protocol live: gpt-live-1. The endpoint may
    reject other names."""
    dialect: DialectChoice = setting("auto", advanced=True)
    """Form of the API's messages: "flat" (self-hosted servers), "ga" (OpenAI since 2026-05-12), or "auto",
    which asks the endpoint once, unless its profile says it."""
    voice: str = setting("cedar", NOT_EMPTY)
    """The agent's voice. The vendor fixes it once a session has spoken."""
    turn_detection: TurnDetection = setting("semantic_vad")
    """How the end of the caller's turn is detected: by meaning, by silence, or not at all ("none": your
    program commits each turn)."""
    eagerness: Eagerness = setting("high", note=_NO_NUMBER)
    """Eagerness of the first turn: high waits at most 2 s, medium 4 s, low 8 s; auto is medium. The default
    is high because the first answer should be fast."""
    eagerness_after: Eagerness = setting("medium", note=_NO_NUMBER)
    """Eagerness of all later turns. The default is medium because later a short wait costs less than an
    interrupted caller."""
    create_response: bool = setting(True, advanced=True)
    """Whether the end of the caller's turn starts a response."""
    interrupt_response: bool = setting(True, advanced=True)
    """Whether the caller's speech stops the agent's response."""
    vad_threshold: float | None = setting(None, between(0.0, 1.0), advanced=True)
    """Loudness that counts as speech, only with server_vad. Unset: the vendor's default, 0.5."""
    vad_silence_ms: int | None = setting(None, between(0, 10_000), advanced=True)
    """Silence that ends a turn, only with server_vad. Unset: the vendor's default, which is documented as
    500 ms but measured as 200 ms, so set it."""
    vad_prefix_ms: int | None = setting(None, between(0, 5_000), advanced=True)
    """Audio kept from before the speech began, only with server_vad. Unset: the vendor's default, 300 ms."""
    noise_reduction: Literal["near_field", "far_field"] | None = setting(None, advanced=True)
    """Filter before turn detection. Unset sends none, because on phone audio it can mislead the detection."""
    transcription_model: str | None = setting(None, NOT_EMPTY)
    """Model that transcribes what the caller says; it is billed separately. Unset: no transcription."""
    transcription_language: str | None = setting(None, _LANGUAGE, private=True)
    """Language the caller speaks (ISO 639-1); it makes the transcript better. Unset: the model guesses.
    Default: `company.language`, unless that is en."""
    transcription_prompt: str | None = setting(None, NOT_EMPTY, advanced=True)
    """Names and words that the transcription model may meet: streets, products, people. Unset sends none."""
    max_response_tokens: int | Literal["inf"] | None = setting(None, between(1, 4096), advanced=True)
    """Longest response in tokens; 20 tokens are one second of agent audio. Unset: the vendor's default."""
    prompt_cache_key: str | None = setting(None, NOT_EMPTY, advanced=True)
    """Groups calls with the same beginning of the prompt in the vendor's cache. Unset: the vendor groups."""
    truncation: Literal["auto", "disabled"] | dict[str, Any] | None = setting(
        None, TYPED_TABLE, advanced=True
    )
    """What the vendor removes when the context is full; {type = "retention_ratio", …} saves the cache.
    Unset: the vendor's default."""
    speed: float | None = setting(None, between(0.25, 1.5))
    """Speaking rate; 1.0 is normal. Unset: the vendor's default."""
    reasoning_effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = setting(
        None, advanced=True
    )
    """How long a model of the 2.x family thinks before it speaks; more is slower. Unset sends none, because
    other models reject it."""
    tool_choice: Literal["auto", "none", "required"] | dict[str, Any] | None = setting(
        None, ONE_TOOL, advanced=True
    )
    """Whether the model may or must call tools; a table names one tool. Unset: the vendor's default, auto."""

    @property
    def profile_name(self) -> str:
        """The profile that is set, else the one of the URL's host."""
        if self.profile != "auto":
            return self.profile
        parts = split_url(self.url)
        host = f".{parts.hostname}" if parts is not None else ""
        for name, hosts in _HOSTS.items():
            if any(host.endswith(f".{each}") for each in hosts):
                return name
        return "generic"

    def check_together(self) -> None:
        """Refuse what the endpoint would refuse: vad_ settings outside server_vad, and the like."""
        self._check_endpoint()
        if self.profile_name == "xai":
            self._check_xai()
        if self.protocol == "live":
            refuse_with_live("realtime", self, _REALTIME_ONLY)
            check_voice(self.voice)
        for name in ("vad_threshold", "vad_silence_ms", "vad_prefix_ms"):
            if self.turn_detection != "server_vad" and getattr(self, name) is not None:
                raise ConfigError(
                    f"realtime.{name}", 'works only with realtime.turn_detection = "server_vad"', "unset one"
                )
        for name in ("transcription_language", "transcription_prompt"):
            if self.transcription_model is None and getattr(self, name) is not None:
                raise ConfigError(
                    f"realtime.{name}", "works only with a realtime.transcription_model", "set one"
                )

    def _check_endpoint(self) -> None:
        """Each API has its own path and models, and answers the other's with an error."""
        live = self.protocol == "live"
        other = "the Realtime API" if live else "GPT-Live"
        path = urlsplit(self.url).path.rstrip("/")
        if path.endswith("/realtime" if live else "/live/sessions"):
            why = f'is the address of {other}, but realtime.protocol is "{self.protocol}"'
            raise ConfigError("realtime.url", why, f'remove it, or set it to "{self._usual("url")}"')
        if self.model.startswith("gpt-realtime" if live else "gpt-live"):
            why = f'is a model of {other}, but realtime.protocol is "{self.protocol}"'
            raise ConfigError("realtime.model", why, f'remove it, or set it to "{self._usual("model")}"')

    def _usual(self, name: str) -> str:
        """The default of ``url`` or ``model`` with this protocol."""
        usual: str = settings_of(RealtimeConfig)[name].default
        return LIVE_DEFAULTS[f"realtime.{name}"] if self.protocol == "live" else usual

    def _check_xai(self) -> None:
        """What xAI lacks, where leaving it out would change what a call does."""
        if self.voice in _OPENAI_VOICES:
            raise ConfigError(
                "realtime.voice", f"xAI has no voice {self.voice}", 'set one it has, such as "eve"'
            )
        if self.dialect != "auto":
            raise ConfigError("realtime.dialect", "xAI has a form of its own", 'set it to "auto"')
        for name in ("create_response", "interrupt_response"):
            if not getattr(self, name):
                raise ConfigError(
                    f"realtime.{name}", "xAI always answers and interrupts by itself", "set it to true"
                )


_THE_MODEL_DECIDES = "the model itself decides when to speak and when to stop"
_NO_SUCH_FIELD = "GPT-Live has no such setting"
_REALTIME_ONLY: Mapping[str, str] = MappingProxyType(
    {
        "profile": "llcphone supports GPT-Live of OpenAI only",
        "api_key_header": "llcphone supports GPT-Live of OpenAI only",
        "dialect": "GPT-Live has one form of its messages",
        "turn_detection": _THE_MODEL_DECIDES,
        "create_response": _THE_MODEL_DECIDES,
        "interrupt_response": _THE_MODEL_DECIDES,
        "vad_threshold": _THE_MODEL_DECIDES,
        "vad_silence_ms": _THE_MODEL_DECIDES,
        "vad_prefix_ms": _THE_MODEL_DECIDES,
        "noise_reduction": _NO_SUCH_FIELD,
        "transcription_model": "GPT-Live transcribes every call without it",
        "transcription_language": "GPT-Live recognises the language by itself",
        "transcription_prompt": "GPT-Live transcribes without hints",
        "max_response_tokens": _NO_SUCH_FIELD,
        "truncation": "the server shortens a full context by itself",
        "speed": _NO_SUCH_FIELD,
        "reasoning_effort": "the voice does not reason; live.backend_effort is for the backend",
        "tool_choice": "the voice has no tools; the backend chooses among them",
    }
)
"""What has no meaning with GPT-Live, and why. The settings that only tune are ignored instead."""
_NO_LIVE_VOICES = ("fable", "nova", "onyx")
"""Voices of other APIs that GPT-Live answers with ``forbidden``."""


def check_voice(voice: str) -> None:
    """Raise ConfigError for a voice that GPT-Live is known to refuse; new ones may come at any time."""
    if voice in _NO_LIVE_VOICES:
        raise ConfigError("realtime.voice", f"{voice} is no voice of GPT-Live", "use cedar or marin")


def refuse_with_live(section: str, values: Section, reasons: Mapping[str, str]) -> None:
    """Raise ConfigError for the first of these settings that is not its default.

    Args:
        section: the section's name.
        values: the section.
        reasons: names of settings that have no meaning with GPT-Live, and why.
    """
    known = settings_of(type(values))
    for name, reason in reasons.items():
        if getattr(values, name) != known[name].default:
            why = f'has no meaning with realtime.protocol = "live": {reason}'
            raise ConfigError(f"{section}.{name}", why, "remove it")
