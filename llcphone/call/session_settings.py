"""Session settings in the flat vocabulary, made from a configuration.

Only what the user set is sent: every key here either belongs to the default agent or
stands in the configuration with a value other than None. Later updates are deltas and never hold
``voice``: once the agent has spoken, an update that names a voice is refused whole.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from llcphone.realtime.session import TELEPHONE_FORMAT
from llcphone.validation.phone_numbers import identity, is_withheld

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llcphone.config.realtime import RealtimeConfig


def session_fields(
    config: RealtimeConfig,
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


def _asked_for(config: RealtimeConfig) -> dict[str, Any]:
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


def _transcription(config: RealtimeConfig) -> dict[str, Any] | None:
    if config.transcription_model is None:
        return None
    return _set(
        model=config.transcription_model,
        language=config.transcription_language,
        prompt=config.transcription_prompt,
    )


def turn_detection_fields(config: RealtimeConfig, eagerness: str) -> dict[str, Any] | None:
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


def eagerness_update(config: RealtimeConfig, eagerness: str) -> dict[str, Any]:
    """The delta for another eagerness; empty where turn detection has none.

    The whole object goes, for the server replaces ``turn_detection`` and defaults what is missing.
    """
    if config.turn_detection != "semantic_vad":
        return {}
    return {"turn_detection": turn_detection_fields(config, eagerness)}


def safety_identifier(realtime: RealtimeConfig, caller: str) -> str:
    """What tells OpenAI the callers apart without their numbers; empty: nothing does."""
    if not realtime.safety_salt or is_withheld(caller):  # one for all of them would block them all
        return ""
    return hashlib.sha256(f"{realtime.safety_salt}:{identity(caller)}".encode()).hexdigest()[:32]


def _set(**fields: Any) -> dict[str, Any]:
    """Only the fields that were given a value."""
    return {name: value for name, value in fields.items() if value is not None}
