"""``llcphone number``: the webhook of the Twilio number, and setting it to this server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.carrier.orders import CarrierError
from llcphone.carrier.rest import open_carrier
from llcphone.doctor.context import plain
from llcphone.errors import ConfigError
from llcphone.telemetry.redaction import masked_number
from llcphone.twilio.addresses import same_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llcphone.carrier.orders import NumberSettings
    from llcphone.carrier.rest import Carrier
    from llcphone.config import Config


async def number_now(config: Config) -> dict[str, Any]:
    """What Twilio does when the number rings, for a program; addresses without what lets somebody in."""
    async with open_carrier(config) as carrier:
        number = await _number(carrier, config)
    wanted = _wanted(config)
    return {
        "number": config.twilio.phone_number,
        "voice_url": plain(number.voice_url),
        "voice_method": number.voice_method,
        "wanted_url": plain(wanted),
        "wanted_method": "POST",
        "fallback_url": plain(number.voice_fallback_url),
        "takes_precedence": _precedence(number),
        "comes_to_us": number.voice_url_counts and _asks_us(number, wanted),
    }


def number_lines(now: Mapping[str, Any]) -> list[str]:
    """The same for a person."""
    facts = (
        ("number", masked_number(now["number"])),
        ("voice URL", f"{now['voice_url'] or '(none)'} by {now['voice_method'] or '?'}"),
        ("wanted", f"{now['wanted_url']} by {now['wanted_method']}"),
        ("fallback", now["fallback_url"] or "(none)"),
        ("takes precedence", now["takes_precedence"] or "nothing"),
        ("calls come to us", "yes" if now["comes_to_us"] else "no"),
    )
    return [f"  {name:<17} {text}" for name, text in facts]


async def set_webhook(config: Config, tell: Callable[[str], None], ask: Callable[[str], bool]) -> int:
    """Let the number ask us, and read it back."""
    wanted = _wanted(config)
    async with open_carrier(config) as carrier:
        number = await _number(carrier, config)
        tell(f"now:    {plain(number.voice_url) or '(none)'} by {number.voice_method or '?'}")
        tell(f"wanted: {plain(wanted)} by POST")
        if _asks_us(number, wanted):
            tell("it is so already")
        elif not ask("Set it?"):
            tell("left as it is")
            return 1
        else:
            await carrier.set_webhook(number.number_sid, wanted)
            number = await _number(carrier, config)
            if not _asks_us(number, wanted):
                tell("Twilio has taken it and shows something else: look at its console")
                return 1
            tell("set, and read back")
    if not number.voice_url_counts:
        tell(f"but {_precedence(number)} takes precedence: take it off the number in Twilio's console")
        return 1
    return 0


def _wanted(config: Config) -> str:
    if not config.server.public_url:
        raise ConfigError(
            "server.public_url", "PUBLIC_URL is not set: Twilio sends its webhooks there", "set it in .env"
        )
    return f"{config.server.public_url}/twiml"


def _asks_us(number: NumberSettings, wanted: str) -> bool:
    return same_address(number.voice_url, wanted) and number.voice_method.upper() == "POST"


def _precedence(number: NumberSettings) -> str:
    """What Twilio does rather than asking the voice URL; empty: nothing."""
    if number.trunk_sid:
        return "a SIP trunk"
    return "a TwiML application" if number.voice_application_sid else ""


async def _number(carrier: Carrier, config: Config) -> NumberSettings:
    if not config.twilio.phone_number:
        raise ConfigError("twilio.phone_number", "TWILIO_PHONE_NUMBER is not set", "set it in .env")
    try:
        number = await carrier.number(config.twilio.phone_number)
    except CarrierError as error:
        raise ConfigError(
            "twilio", f"Twilio gives no usable answer [{error.code}]", "llcphone doctor"
        ) from None
    if number is None:
        raise ConfigError(
            "twilio.phone_number",
            "is not a number of this account",
            "set TWILIO_PHONE_NUMBER to one of its numbers",
        )
    return number
