"""For tests of your own agents: whole calls in virtual time."""

from llcphone.testing.rehearsal import ACCOUNT_SID, AUTH_TOKEN, NUMBER, Stage, rehearsal_config, rehearse

__all__ = ["ACCOUNT_SID", "AUTH_TOKEN", "NUMBER", "Stage", "rehearsal_config", "rehearse"]
