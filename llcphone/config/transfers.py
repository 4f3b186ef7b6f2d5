"""The section about where else a caller may go; `config` says how sections are read.

Numbers to which a call may be sent stand here and nowhere else: a model can name a destination, never dial.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from attrs import fields_dict, frozen

from llcphone.config.addresses import WEB_ADDRESS_OR_EMPTY
from llcphone.config.fields import NOT_EMPTY, Rule, Section, between, setting
from llcphone.errors import ConfigError
from llcphone.languages import ENGLISH
from llcphone.validation.phone_numbers import E164

VOICEMAIL = "voicemail"
HANG_UP = "hang_up"

_E164 = re.compile(E164)
_SIP = re.compile(r"sips?:[\x21-\x7e]{3,250}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_RESERVED = {VOICEMAIL, HANG_UP, "agent", "caller"}


@frozen(kw_only=True)
class Destination:
    """Where a call may be sent."""

    number: str
    """E.164, or a SIP address."""
    kind: Literal["cold", "warm"] = "cold"
    """cold: Twilio dials them. warm: the agent speaks to them first while the caller hears music."""
    caller_id: str = ""
    """Number they see, one of the account's. "": the caller's own number (cold), ours (warm)."""
    whisper: str = ""
    """Said to them before they are connected (cold); {summary} is the agent's summary of the call."""
    accept: bool = False
    """They must press a key to be connected (cold), so that a mailbox cannot take the call."""
    timeout_s: int = 20
    """How long it rings."""
    on_no_answer: Literal["agent", "voicemail", "hang_up"] = "agent"
    """What follows when they do not answer or do not accept the call."""
    sms: bool = False
    """Whether they get the summary as a text message before it rings."""


_KNOWN = fields_dict(Destination)


def _is_destination(name: Any, table: Any) -> bool:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
        return False
    if not isinstance(table, Mapping) or not {"number"} <= set(table) <= set(_KNOWN):
        return False
    kinds = {"accept": bool, "sms": bool, "timeout_s": int}
    if any(type(value) is not kinds.get(key, str) for key, value in table.items()):
        return False
    to = Destination(**table)
    return (
        (_E164.fullmatch(to.number) or _SIP.fullmatch(to.number)) is not None
        and (not to.caller_id or _E164.fullmatch(to.caller_id) is not None)
        and to.kind in {"cold", "warm"}
        and to.on_no_answer in {"agent", VOICEMAIL, HANG_UP}
        and 5 <= to.timeout_s <= 120
        and len(to.whisper) <= 500
    )


DESTINATIONS = Rule(
    "a table of destinations by name (a-z, 0-9, - and _), each with number (E.164 or sip:) and any of kind "
    '("cold", "warm"), caller_id, whisper, accept, timeout_s (5 to 120), on_no_answer ("agent", "voicemail", '
    '"hang_up"), sms',
    lambda value: all(_is_destination(name, table) for name, table in value.items()),
)


@frozen(kw_only=True)
class TransfersConfig(Section):
    """[transfers]: where a call may be sent, voicemail, recording, and the fallback without a session."""

    destinations: dict[str, Any] = setting({}, DESTINATIONS, secret=True)
    """Tables by name: number, kind, caller_id, whisper, accept, timeout_s, on_no_answer, sms."""
    voicemail: bool = setting(False)
    """Whether callers may leave a message, which Twilio records."""
    voicemail_greeting: str = setting(
        ENGLISH["transfers.voicemail_greeting"], NOT_EMPTY, private=True, advanced=True
    )
    """What the caller hears before the tone, said by Twilio."""
    voicemail_thanks: str = setting(
        ENGLISH["transfers.voicemail_thanks"], NOT_EMPTY, private=True, advanced=True
    )
    """What the caller hears after the message, said by Twilio."""
    voicemail_limit_s: int = setting(120, between(5, 3_600), advanced=True)
    """Longest message."""
    fallback: str = setting(HANG_UP, private=True)
    """Where a caller goes when there is no model session: "hang_up", "voicemail" or a cold destination."""
    accept_prompt: str = setting(ENGLISH["transfers.accept_prompt"], NOT_EMPTY, private=True, advanced=True)
    """What a colleague hears after the whisper when they must press a key (`accept`)."""
    unavailable_message: str = setting(
        ENGLISH["transfers.unavailable_message"], NOT_EMPTY, private=True, advanced=True
    )
    """Last words to a caller whose transfer failed and who cannot return to the agent."""
    caller_gone_message: str = setting(
        ENGLISH["transfers.caller_gone_message"], NOT_EMPTY, private=True, advanced=True
    )
    """What a colleague hears if the caller has hung up meanwhile."""
    hold_music: str = setting("", WEB_ADDRESS_OR_EMPTY, private=True, advanced=True)
    """Sound file or TwiML for callers on hold during a warm transfer; "": Twilio's own music."""
    briefing: str = setting(ENGLISH["transfers.briefing"], NOT_EMPTY, private=True, advanced=True)
    """Prompt of the agent that speaks to the colleague in a warm transfer; llcphone adds the summary."""
    digits: Literal["tones", "twilio"] = setting("tones", advanced=True)
    """How keys are pressed: as tones in the agent's audio, or by Twilio. The default is tones because Twilio
    restarts the stream, which takes 0.9 s."""
    record_calls: bool = setting(False)
    """Whether Twilio records every call. The default is off because callers must be informed, and in many
    places must agree."""
    record_notice: str = setting(ENGLISH["transfers.record_notice"], NOT_EMPTY, private=True, advanced=True)
    """What Twilio says before a call that is recorded begins, whether by Twilio or in `records.audio_dir`."""

    def check_together(self) -> None:
        """Each fallback must lead somewhere."""
        known = {HANG_UP, *self.destinations}
        for key, way in [("transfers.fallback", self.fallback), *self._without_answer()]:
            if way == VOICEMAIL and not self.voicemail:
                raise ConfigError(key, "is voicemail, which is off", "set transfers.voicemail = true")
            if way not in {VOICEMAIL, "agent", *known}:
                raise ConfigError(
                    key,
                    "is not a destination",
                    f'use "{HANG_UP}", "{VOICEMAIL}" or a name in transfers.destinations',
                )
        if self.fallback == "agent":
            raise ConfigError(
                "transfers.fallback",
                "is the agent, but the fallback applies when there is no agent",
                f'use "{HANG_UP}" or a destination',
            )

    def _without_answer(self) -> list[tuple[str, str]]:
        ways = ((f"transfers.destinations.{name}", each) for name, each in self.destinations.items())
        return [(key, each.get("on_no_answer", "agent")) for key, each in ways]

    def destination(self, name: str) -> Destination | None:
        """A destination by its name."""
        table = self.destinations.get(name)
        return None if table is None else Destination(**table)

    @property
    def any(self) -> bool:
        """Whether a call may go anywhere when its stream ends."""
        fallback = self.fallback != HANG_UP
        return bool(self.destinations) or self.voicemail or fallback or self.digits == "twilio"
