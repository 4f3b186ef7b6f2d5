"""Session settings in the flat vocabulary, made from a configuration.

Only what the user set is sent: every key here either belongs to the default agent or
stands in the configuration with a value other than None. Later updates are deltas and never hold
``voice``: once the agent has spoken, an update that names a voice is refused whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.realtime.events import SessionUpdated

TELEPHONE_FORMAT = "g711_ulaw"


class RealtimeConfigLike(Protocol):
    """What the session needs of ``config.RealtimeConfig``; None means "not sent"."""

    @property
    def voice(self) -> str: ...
    @property
    def turn_detection(self) -> str: ...
    @property
    def create_response(self) -> bool | None: ...
    @property
    def interrupt_response(self) -> bool | None: ...
    @property
    def vad_threshold(self) -> float | None: ...
    @property
    def vad_silence_ms(self) -> int | None: ...
    @property
    def vad_prefix_ms(self) -> int | None: ...
    @property
    def noise_reduction(self) -> str | None: ...
    @property
    def transcription_model(self) -> str | None: ...
    @property
    def transcription_language(self) -> str | None: ...
    @property
    def transcription_prompt(self) -> str | None: ...
    @property
    def reasoning_effort(self) -> str | None: ...
    @property
    def max_response_tokens(self) -> Any: ...
    @property
    def prompt_cache_key(self) -> str | None: ...
    @property
    def truncation(self) -> Any: ...
    @property
    def speed(self) -> float | None: ...
    @property
    def tool_choice(self) -> Any: ...


def session_fields(
    config: RealtimeConfigLike,
    *,
    instructions: str,
    tools: Sequence[Mapping[str, Any]],
    eagerness: str,
    voice: str | None = None,
) -> dict[str, Any]:
    """The first ``session.update`` of a call, flat.

    Args:
        config: the ``[realtime]`` section.
        instructions: the prompt, its static part first; left out when empty.
        tools: schemas of the opening set; left out when empty.
        eagerness: the first turn's.
        voice: the agent's own voice, else the configured one.
    """
    fields: dict[str, Any] = {
        "modalities": ["text", "audio"],
        "voice": voice or config.voice,
        "input_audio_format": TELEPHONE_FORMAT,
        "output_audio_format": TELEPHONE_FORMAT,
        "turn_detection": turn_detection_fields(config, eagerness),
    }
    if instructions:
        fields["instructions"] = instructions
    if tools:
        fields["tools"] = list(tools)
    return fields | _asked_for(config)


def _asked_for(config: RealtimeConfigLike) -> dict[str, Any]:
    return _set(
        input_audio_noise_reduction={"type": config.noise_reduction} if config.noise_reduction else None,
        input_audio_transcription=_transcription(config),
        max_response_output_tokens=config.max_response_tokens,
        prompt_cache_key=config.prompt_cache_key,
        truncation=config.truncation,
        speed=config.speed,
        reasoning={"effort": config.reasoning_effort} if config.reasoning_effort else None,
        tool_choice=config.tool_choice,
    )


def _transcription(config: RealtimeConfigLike) -> dict[str, Any] | None:
    if config.transcription_model is None:
        return None
    return _set(
        model=config.transcription_model,
        language=config.transcription_language,
        prompt=config.transcription_prompt,
    )


def turn_detection_fields(config: RealtimeConfigLike, eagerness: str) -> dict[str, Any] | None:
    """The ``turn_detection`` object; None (JSON null) means manual turns."""
    answers = {"create_response": config.create_response, "interrupt_response": config.interrupt_response}
    match config.turn_detection:
        case "none":
            return None
        case "server_vad":
            return _set(
                type="server_vad",
                threshold=config.vad_threshold,
                prefix_padding_ms=config.vad_prefix_ms,
                silence_duration_ms=config.vad_silence_ms,
                **answers,
            )
        case kind:
            return _set(type=kind, eagerness=eagerness, **answers)


def eagerness_update(config: RealtimeConfigLike, eagerness: str) -> dict[str, Any]:
    """The delta for another eagerness; empty where turn detection has none.

    The whole object goes, for the server replaces ``turn_detection`` and defaults what is missing.
    """
    if config.turn_detection != "semantic_vad":
        return {}
    return {"turn_detection": turn_detection_fields(config, eagerness)}


def tools_update(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The delta for another set of tools; an empty list takes all tools away."""
    return {"tools": list(tools)}


def confirms_ulaw(updated: SessionUpdated) -> bool:
    """Whether the server took 8 kHz µ-law both ways; anything else would be loud static on the line."""
    return updated.input_audio_format == updated.output_audio_format == TELEPHONE_FORMAT


# -- how large a prompt is ----------------------------------------------------------------------


def prompt_tokens(text: str) -> int:
    """Estimated tokens of a text, to show and to compare with; the bill is in ``usage``.

    OpenAI's tokenizers take about four characters of English per token and, in other scripts,
    about two characters per token. No tokenizer package: an estimate needs no dependency.
    """
    ascii_only = len(text.encode("ascii", "ignore"))
    return -(-(ascii_only + 2 * (len(text) - ascii_only)) // 4)


def tools_tokens(tools: Sequence[Mapping[str, Any]]) -> int:
    """Estimated tokens of tool schemas, by their compact JSON."""
    return prompt_tokens(msgspec.json.encode(list(tools)).decode()) if tools else 0


def _set(**fields: Any) -> dict[str, Any]:
    """Only the fields that were given a value."""
    return {name: value for name, value in fields.items() if value is not None}
