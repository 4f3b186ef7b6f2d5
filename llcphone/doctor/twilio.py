"""Twilio's side, read from its API: do account and token fit, what does the number do, what broke?"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llcphone.carrier.http import RequestFailed, TrioHttp
from llcphone.carrier.orders import CarrierError
from llcphone.carrier.rest import open_carrier
from llcphone.config import TwilioConfig
from llcphone.doctor.context import INSTALL_CERTIFICATES, plain
from llcphone.doctor.report import Finding, fail, good, unknown, warn
from llcphone.twilio.addresses import leads_to, same_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.carrier.orders import NumberSettings
    from llcphone.config import Config
    from llcphone.doctor.context import Check, DoctorContext

ALERTS_HOURS = 1
_SET = "llcphone number set-webhook"

_ALERTS: Mapping[str, str] = MappingProxyType(
    {
        "11200": "our webhook did not answer: is the tunnel open, the process up?",
        "11205": "Twilio could not connect: is the tunnel open, the process up?",
        "11210": "the tunnel's host answers with an error",
        "12100": "a proxy or tunnel answers instead of llcphone",
        "12200": "a proxy or tunnel answers instead of llcphone",
        "20003": "account SID and auth token do not belong together, or not to that region",
        "21215": "allow the country in Twilio's voice geographic permissions",
        "31901": "a firewall, or nothing listens: is the tunnel open, the process up?",
        "31902": "a firewall, or nothing listens: is the tunnel open, the process up?",
        "31903": "a proxy dropped the stream: let it not time WebSockets out",
        "31910": "the certificate of the public URL is not trusted, or it is a TCP tunnel",
        "31920": "our 403 or 404: public URL, auth token, or a proxy that removes Upgrade",
        "31921": "we closed first: the ordinary end of an inbound call that the agent hung up",
        "31930": "we read too slowly: look at the event loop and at overload",
        "31931": "more agent audio was queued than Twilio can hold",
    }
)
_ORDINARY = frozenset({"31921"})


async def twilio(context: DoctorContext) -> list[Finding]:
    settings = context.config.twilio
    if not settings.account_sid or not settings.auth_token:
        fix = "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN to have the number checked"
        return [warn("Twilio account", "not set, so it cannot be checked", fix)]
    try:
        async with open_carrier(context.config) as carrier:
            number = await carrier.number(settings.phone_number) if settings.phone_number else None
    except CarrierError as error:
        return [judge_refusal(error.code)]
    account = good("Twilio account", "account and token are accepted")
    if not settings.phone_number:
        fix = "set TWILIO_PHONE_NUMBER to have its webhook checked"
        return [account, warn("number", "the number is not set", fix), await _alerts(context)]
    if number is None:
        seen = f"the account has no number {settings.phone_number}"
        fix = "set TWILIO_PHONE_NUMBER to one of its numbers; another region has numbers of its own"
        return [account, fail("number", seen, fix), await _alerts(context)]
    application = await _application(context.config, number)
    return [account, *judge_number(number, context.config, application), await _alerts(context)]


def judge_refusal(code: str) -> Finding:
    """What Twilio's answer to a harmless question means."""
    if code in ("20003", "20404", "http_401"):
        fix = "copy SID and primary token from Twilio's console; a region has its own token"
        return fail("Twilio account", f"Twilio refuses account or token [{code}]", fix)
    if code == "20008":
        return fail(
            "Twilio account", "these are test credentials [20008]", "use the live ones for real calls"
        )
    if code == "tls":
        return fail(
            "Twilio account",
            "the certificate of Twilio's API is not trusted here [tls]",
            INSTALL_CERTIFICATES,
        )
    fix = "see status.twilio.com, and that api.twilio.com can be reached from here"
    return fail("Twilio account", f"Twilio's API gives no usable answer [{code}]", fix)


def judge_number(
    number: NumberSettings, config: Config, application: Mapping[str, Any] | str
) -> list[Finding]:
    """Whether callers of the number reach this server.

    ``application`` is the TwiML application that takes precedence: empty without one, a code when Twilio
    does not tell.
    """
    wanted = f"{config.server.public_url}/twiml"
    if number.trunk_sid:
        seen = "a SIP trunk on the number takes its calls: the voice URL is not asked"
        return [fail("voice webhook", seen, "take the number out of the trunk in Twilio's console")]
    if isinstance(application, str):
        seen = (
            f"a TwiML application on the number takes its calls; Twilio does not tell of it [{application}]"
        )
        fix = f"look at it in Twilio's console, or take it off the number, then: {_SET}"
        return [unknown("voice webhook", seen, fix), _fallback(number, config)]
    url, method, where = number.voice_url, number.voice_method, "the number"
    if number.voice_application_sid:
        url, method = str(application.get("voice_url") or ""), str(application.get("voice_method") or "")
        where = "the TwiML application on the number"
    findings = []
    if not same_address(url, wanted):
        seen = f"{where} asks {plain(url) if url else 'nobody'}, not {plain(wanted)}"
        if number.voice_application_sid:
            fix = f"take the application off the number in Twilio's console, then: {_SET}"
            findings.append(fail("voice webhook", seen, fix))
        else:
            findings.append(fail("voice webhook", seen, f"{_SET}   (or doctor --fix)", offer="webhook"))
    elif method.upper() != "POST":
        seen = f"{where} asks by {method or 'another method'}, but /twiml accepts POST only"
        findings.append(fail("voice webhook", seen, f"{_SET}   (or doctor --fix)", offer="webhook"))
    else:
        findings.append(good("voice webhook", f"{where} asks {plain(wanted)} by POST"))
    findings.append(_fallback(number, config))
    return findings


def _fallback(number: NumberSettings, config: Config) -> Finding:
    fallback = number.voice_fallback_url
    if not fallback:
        fix = "give the number a fallback URL that lives elsewhere: a TwiML Bin"
        return warn("fallback", "none: callers hear Twilio's error when this server is down", fix)
    if leads_to(fallback, config.server.public_url):
        fix = "let it live elsewhere: a TwiML Bin"
        return warn("fallback", "it leads to this server, and fails when this server is down", fix)
    return good("fallback", plain(fallback))


async def _application(config: Config, number: NumberSettings) -> Mapping[str, Any] | str:
    """The TwiML application on the number; a code when Twilio does not say."""
    if not number.voice_application_sid:
        return {}
    path = (
        f"/2010-04-01/Accounts/{config.twilio.account_sid}/Applications/{number.voice_application_sid}.json"
    )
    try:
        return await get_twilio(config, "api", path)
    except RequestFailed as failed:
        return failed.code


async def get_twilio(
    config: Config, product: str, path: str, params: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """GET one resource of a Twilio API.

    Raises:
        RequestFailed: there is no usable answer.
    """
    settings = config.twilio
    place = f".{settings.edge}.{settings.region or 'us1'}" if settings.edge else ""
    simulated = settings.api_url if settings.api_url != TwilioConfig().api_url else ""
    http = TrioHttp(simulated)
    auth = (settings.account_sid, settings.auth_token)
    url = f"https://{product}{place}.twilio.com{path}"
    found: dict[str, Any] = json.loads((await http.request("GET", url, params=params, auth=auth)).text)
    return found


async def _alerts(context: DoctorContext) -> Finding:
    since = datetime.fromtimestamp(context.now(), UTC) - timedelta(hours=ALERTS_HOURS)
    params = {"StartDate": since.strftime("%Y-%m-%dT%H:%M:%SZ"), "PageSize": "50"}
    try:
        page = await get_twilio(context.config, "monitor", "/v1/Alerts", params)
    except RequestFailed as failed:
        return _unread(failed.code)
    found = page.get("alerts")
    if not isinstance(found, list):
        return _unread("no_alerts")
    return judge_alerts([str(each.get("error_code", "")) for each in found if isinstance(each, dict)])


def _unread(code: str) -> Finding:
    return unknown("alerts", f"Twilio does not list them [{code}]", "see its console: Monitor, Errors")


def judge_alerts(codes: list[str]) -> Finding:
    counted = Counter(code for code in codes if code and code not in _ORDINARY)
    if not counted:
        return good("alerts", f"none in the last {ALERTS_HOURS} h")
    seen = ", ".join(f"{code} ({count}x)" for code, count in counted.most_common(4))
    first = counted.most_common(1)[0][0]
    fix = _ALERTS.get(first, f"https://www.twilio.com/docs/api/errors/{first}")
    return warn("alerts", f"in the last {ALERTS_HOURS} h: {seen}", f"{first}: {fix}")


CHECKS: Mapping[str, Check] = MappingProxyType({"Twilio account": twilio})
