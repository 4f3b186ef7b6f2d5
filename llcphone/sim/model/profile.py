"""What other endpoints do otherwise than OpenAI's: what they refuse, ignore and never send.

    openai    the Realtime API itself
    azure     its own path and key header; else the same
    xai       a session object of its own; what it does not know in it is ignored without a word
    generic   a self-hosted server that understands as little as llcphone can do with

Sources: docs/vendor-facts.md, Other endpoints. Tests make profiles of their own to try one difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from llcphone.sim.model.check import Refused, unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]
ProfileName = Literal["openai", "azure", "xai", "generic"]


@attrs.frozen
class Profile:
    """One kind of endpoint."""

    name: ProfileName = "openai"
    unknown_events: frozenset[str] = frozenset()
    """Client events that are refused as unknown."""
    unknown_parameters: frozenset[str] = frozenset()
    """Parameters of client events that are refused as unknown: ``session.speed``, ``response.metadata``."""
    ignored_parameters: frozenset[str] = frozenset()
    """The same, but nothing is said."""
    unsent: frozenset[str] = frozenset()
    """Server events that never come, by their GA types."""
    semantic_vad: bool = True
    metadata: bool = True
    """Whether a response repeats the metadata of its request."""

    def check(self, event: Json) -> Json:
        """The client event as far as it is understood.

        Raises:
            Refused: it, or something in it, is unknown.
        """
        kind = event.get("type")
        if kind in self.unknown_events:
            raise unsupported(
                kind, ("session.update", "input_audio_buffer.append", "response.create"), "type"
            )
        for path in sorted(self.unknown_parameters):
            if _has(event, path):
                raise Refused("unknown_parameter", f"Unknown parameter: '{path}'.", path)
        if not self.semantic_vad:
            nested = () if self.name == "xai" else ("session.audio.input.turn_detection",)
            for path in ("session.turn_detection", *nested):
                if (_has(event, path) or {}).get("type") == "semantic_vad":
                    raise unsupported("semantic_vad", ("server_vad",), f"{path}.type")
        for path in self.ignored_parameters:
            event = _without(event, path.split("."))
        return event


def _has(event: Any, path: str) -> Any:
    for step in path.split("."):
        event = event.get(step) if isinstance(event, dict) else None
    return event


def _without(event: Json, path: list[str]) -> Json:
    step, *rest = path
    if step not in event:
        return event
    if not rest:
        return {key: value for key, value in event.items() if key != step}
    inner = event[step]
    return event | {step: _without(inner, rest)} if isinstance(inner, dict) else event


OPENAI = Profile()
_TRUNCATE = "conversation.item.truncate"

PROFILES: Mapping[ProfileName, Profile] = {
    "openai": OPENAI,
    "azure": Profile("azure"),
    "xai": Profile(
        "xai",
        unknown_events=frozenset({_TRUNCATE, "conversation.item.retrieve", "session.close"}),
        ignored_parameters=frozenset({"response.conversation", "response.input", "response.metadata"}),
        unsent=frozenset(
            {
                "conversation.item.done",
                "rate_limits.updated",
                "conversation.item.input_audio_transcription.delta",
            }
        ),
        semantic_vad=False,
        metadata=False,
    ),
    "generic": Profile(
        "generic",
        unknown_events=frozenset({_TRUNCATE, "response.cancel", "input_audio_buffer.clear"}),
        unknown_parameters=frozenset(
            {"response.conversation", "response.metadata", "session.input_audio_noise_reduction"}
            | {"session.audio.input.noise_reduction", "session.speed", "session.audio.output.speed"}
        ),
        unsent=frozenset({"input_audio_buffer.committed", "rate_limits.updated", "conversation.item.done"}),
        semantic_vad=False,
        metadata=False,
    ),
}


def as_profile(profile: Profile | ProfileName) -> Profile:
    """A profile, or the one of this name."""
    return profile if isinstance(profile, Profile) else PROFILES[profile]
