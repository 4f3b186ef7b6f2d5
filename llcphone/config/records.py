"""Settings of [records]: what is kept of a call."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class RecordsConfig(Section):
    """[records]: what is kept of a call."""

    path: str = setting("calls.jsonl")
    """File that gets one JSON line per call; "" writes none. A bare name lies in the working directory."""
    transcript: bool = setting(False)
    """Whether the words of a call are kept. The default is off because callers must be informed first."""
    blackbox_dir: str = setting("", advanced=True)
    """Folder for a tape of each call's events and decisions, without the words; "" records none."""
    audio_dir: str = setting("", private=True)
    """Folder for recordings of all calls: WAV files, the caller left, the agent as heard right. Callers hear
    `transfers.record_notice` first. "" records none, because in many places they must agree."""
    audio_days: float = setting(30.0, between(0.0, 36_500.0))
    """How long recordings in `records.audio_dir` are kept; 0: for ever."""
