"""Settings, section by section: types, ranges, defaults."""

from llcphone.config.config import (
    SECTIONS,
    SETTINGS,
    Config,
    JournalConfig,
    LogConfig,
    RealtimeConfig,
    RecordsConfig,
    ServerConfig,
    TwilioConfig,
    parse_toml,
    toml_text,
    toml_value,
)

__all__ = [
    "SECTIONS",
    "SETTINGS",
    "Config",
    "JournalConfig",
    "LogConfig",
    "RealtimeConfig",
    "RecordsConfig",
    "ServerConfig",
    "TwilioConfig",
    "parse_toml",
    "toml_text",
    "toml_value",
]
