"""For tests of your own agents: whole calls in virtual time."""

from llcphone.testing.rehearsal import Rehearsal, rehearse
from llcphone.testing.stage import (
    ACCOUNT_SID,
    API_KEY,
    AUTH_TOKEN,
    NUMBER,
    Stage,
    open_stage,
    rehearsal_config,
    write_toml,
)

__all__ = [
    "ACCOUNT_SID",
    "API_KEY",
    "AUTH_TOKEN",
    "NUMBER",
    "Rehearsal",
    "Stage",
    "open_stage",
    "rehearsal_config",
    "rehearse",
    "write_toml",
]
