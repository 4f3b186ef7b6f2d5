"""Calls as the REST API takes, shows and lists them.

Fields and shapes are those of Twilio's OpenAPI document (github.com/twilio/twilio-oai,
``twilio_api_v2010.json``); it has no error answers, so their codes come from twilio.com/docs/api/errors.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode, urlsplit

from llcphone.sim.twilio.rest_faults import RestError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from llcphone.sim.twilio.call import SimCall

Form: TypeAlias = dict[str, list[str]]

_CREATE_FIELDS = (
    "To From Url Twiml ApplicationSid Method FallbackUrl FallbackMethod StatusCallback StatusCallbackEvent "
    "StatusCallbackMethod SendDigits Timeout TimeLimit Record RecordingChannels RecordingTrack "
    "RecordingStatusCallback RecordingStatusCallbackMethod RecordingStatusCallbackEvent SipAuthUsername "
    "SipAuthPassword MachineDetection MachineDetectionTimeout MachineDetectionSpeechThreshold "
    "MachineDetectionSpeechEndThreshold MachineDetectionSilenceTimeout Trim CallerId AsyncAmd "
    "AsyncAmdStatusCallback AsyncAmdStatusCallbackMethod Byoc CallReason CallToken ClientNotificationUrl "
    "Passports RecordingConfigurationId"
)
CREATE_FIELDS = frozenset(_CREATE_FIELDS.split())
"""What ``calls.create`` may send; Twilio ignores anything else, a misspelt field too."""

TWIML_LIMIT = 4000
_SUBRESOURCES = ("Notifications", "Recordings", "Payments", "Events", "Siprec", "Streams")
PAGE_LIMIT = 1000
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_NUMBERS = {  # inclusive ranges (twilio.com/docs/voice/api/call-resource)
    "Timeout": (1, 600),
    "TimeLimit": (1, 86_400),
    "MachineDetectionSpeechThreshold": (1000, 6000),
    "MachineDetectionSpeechEndThreshold": (500, 5000),
    "MachineDetectionSilenceTimeout": (2000, 10_000),
}
_WORDS = {
    "MachineDetection": {"Enable", "DetectMessageEnd"},
    "AsyncAmd": {"true", "false"},
    "Method": {"GET", "POST"},
    "StatusCallbackMethod": {"GET", "POST"},
}
_TEST_FROM = {"+15005550006": 0, "+15005550001": 21212}
_TEST_TO = {"+15005550001": 21217, "+15005550002": 21214, "+15005550003": 21215, "+15005550004": 21216}
"""Magic numbers of test credentials (twilio.com/docs/iam/test-credentials)."""


def first(form: Form, name: str, default: str = "") -> str:
    return form.get(name, [default])[0]


def check_order(form: Form, own_numbers: Collection[str], amd_range: tuple[int, int] = (3, 59)) -> None:
    """What Twilio refuses when a call is created.

    Raises:
        RestError: it does.
    """
    _check_parties(form, own_numbers)
    _check_document(form)
    for name, (least, most) in {**_NUMBERS, "MachineDetectionTimeout": amd_range}.items():
        value = first(form, name, str(least))
        if not value.isdigit() or not least <= int(value) <= most:
            raise RestError(400, 20001, f"Invalid {name}")
    for name, words in _WORDS.items():
        if name in form and first(form, name) not in words:
            raise RestError(400, 20001, f"Invalid {name}")
    if not re.fullmatch(r"[0-9*#wW]{0,32}", first(form, "SendDigits")):
        raise RestError(400, 20001, "Invalid SendDigits")


def _check_parties(form: Form, own_numbers: Collection[str]) -> None:
    to, from_ = first(form, "To"), first(form, "From")
    if not to:
        raise RestError(400, 21201, "No 'To' number is specified")
    if not from_:
        raise RestError(400, 21213, "Caller phone number is required")
    if not _E164.fullmatch(to) and not to.startswith(("sip:", "client:")):
        raise RestError(400, 21211, "The phone number you are attempting to call is not valid")
    if not _E164.fullmatch(from_):
        raise RestError(400, 21212, "The source phone number provided is not valid")
    if from_ not in own_numbers:
        raise RestError(400, 21210, "The source phone number is not yet verified for your account")


def _check_document(form: Form) -> None:
    """``Url`` goes before ``Twiml``."""
    url, twiml = first(form, "Url"), first(form, "Twiml")
    if form.get("ApplicationSid"):
        raise RestError(400, 21218, "Invalid ApplicationSid")  # this account has no application
    if not url and not twiml:
        raise RestError(400, 21205, "Url parameter is required")
    if url and not _is_url(url):
        raise RestError(400, 21205, "Url is not a valid URL")
    if len(twiml) > TWIML_LIMIT:
        raise RestError(400, 21620, f"TwiML longer than {TWIML_LIMIT} characters")
    for name in ("StatusCallback", "AsyncAmdStatusCallback"):
        if first(form, name) and not _is_url(first(form, name)):
            raise RestError(400, 21609, f"{name} is not a valid URL")


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.hostname)


def check_test_order(form: Form) -> None:
    """What test credentials refuse; what they accept places no call.

    Raises:
        RestError: a magic number asks for it.
    """
    if code := _TEST_FROM.get(first(form, "From"), 21210):
        raise RestError(400, code, "The source phone number provided is not valid")
    _check_parties(form, _TEST_FROM)
    _check_document(form)
    if code := _TEST_TO.get(first(form, "To"), 0):
        raise RestError(400, code, "The phone number you are attempting to call is not valid")


def call_json(call: SimCall) -> dict[str, Any]:
    """A call as Twilio shows it."""
    account, answered = call.exchange.account_sid, call.answered_ms is not None
    ended_ms = call.record.duration_ms if call.over else None
    talked_ms = (ended_ms or 0) - (call.answered_ms or 0)
    path = f"/2010-04-01/Accounts/{account}/Calls/{call.sid}"
    return {
        "sid": call.sid,
        "account_sid": account,
        "to": call.fields["To"],
        "to_formatted": call.fields["To"],
        "from": call.fields["From"],
        "from_formatted": call.fields["From"],
        "phone_number_sid": "PN" + "0" * 32,
        "status": call.status,
        "direction": call.record.direction,
        "answered_by": call.answered_by,
        "api_version": "2010-04-01",
        "date_created": _rfc_2822(call, 0),
        "date_updated": _rfc_2822(call, ended_ms or call.answered_ms or 0),
        "start_time": _rfc_2822(call, call.queue_ms) if call.status != "queued" else None,
        "end_time": _rfc_2822(call, ended_ms) if ended_ms is not None else None,
        "duration": str(-(-talked_ms // 1000)) if call.over and answered else None,
        "price": None,
        "price_unit": "USD",
        "parent_call_sid": None,
        "caller_name": None,
        "forwarded_from": None,
        "group_sid": None,
        "trunk_sid": None,
        "annotation": None,
        "stir_verstat": call.fields.get("StirVerstat"),
        "queue_time": str(call.queue_ms),
        "subresource_uris": {name.lower(): f"{path}/{name}.json" for name in _SUBRESOURCES},
        "uri": f"{path}.json",
    }


def _rfc_2822(call: SimCall, at_ms: int) -> str:
    return call.wall_time(at_ms).strftime("%a, %d %b %Y %H:%M:%S +0000")


def list_json(calls: Sequence[SimCall], form: Form, account_sid: str) -> dict[str, Any]:
    """A page of calls, the newest first."""
    size = min(PAGE_LIMIT, max(1, _number(form, "PageSize", 50)))
    page = _number(form, "Page", 0)
    found = [call for call in reversed(calls) if _matches(call, form)]
    begin, end = page * size, (page + 1) * size
    path = f"/2010-04-01/Accounts/{account_sid}/Calls.json"

    def uri(number: int) -> str:
        query = {name: values for name, values in form.items() if name not in ("Page", "PageToken")}
        token = [("PageToken", f"PA{found[number * size - 1].sid}")] if number else []
        return f"{path}?{urlencode([*query.items(), ('Page', [str(number)])], doseq=True)}" + (
            f"&{urlencode(token)}" if token else ""
        )

    return {
        "calls": [call_json(call) for call in found[begin:end]],
        "page": page,
        "page_size": size,
        "start": begin,
        "end": max(begin, min(end, len(found)) - 1),
        "uri": uri(page),
        "first_page_uri": uri(0),
        "previous_page_uri": uri(page - 1) if page else None,
        "next_page_uri": uri(page + 1) if end < len(found) else None,
    }


def _matches(call: SimCall, form: Form) -> bool:
    wanted = {
        "To": call.fields["To"],
        "From": call.fields["From"],
        "Status": call.status,
        "ParentCallSid": "",
    }
    if any(name in form and first(form, name) != value for name, value in wanted.items()):
        return False
    started_ms = call.queue_ms if call.status != "queued" else None
    ended_ms = call.record.duration_ms if call.over else None
    return _in_time(call, "StartTime", started_ms, form) and _in_time(call, "EndTime", ended_ms, form)


_COMPARE: dict[str, Callable[[datetime, datetime], bool]] = {
    "": lambda at, limit: at.date() == limit.date(),
    "<": lambda at, limit: at <= limit,
    ">": lambda at, limit: at >= limit,
}


def _in_time(call: SimCall, name: str, at_ms: int | None, form: Form) -> bool:
    """By ``StartTime``, ``StartTime<`` and ``StartTime>``; a call that has no such time is never found."""
    for sign, fits in _COMPARE.items():
        if name + sign in form:
            try:
                limit = datetime.fromisoformat(first(form, name + sign))
            except ValueError:
                raise RestError(400, 20001, f"Invalid {name}") from None
            limit = limit if limit.tzinfo else limit.replace(tzinfo=UTC)
            if at_ms is None or not fits(call.wall_time(at_ms).replace(microsecond=0), limit):
                return False
    return True


def _number(form: Form, name: str, default: int) -> int:
    text = first(form, name, str(default))
    if not text.isdigit():
        raise RestError(400, 20001, f"Invalid {name}")
    return int(text)
