"""What is odd about an event costs only itself; what it cannot do without makes it unreadable."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llcphone.errors import RemoteProtocolError
from llcphone.realtime.decode import audio_delta_fast, decode
from llcphone.realtime.events import (
    AudioDelta,
    Item,
    ModelError,
    OutputItemDone,
    RateLimits,
    ResponseDone,
    ResponseStatus,
    SessionCreated,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    UnknownModelEvent,
    Usage,
)
from tests.realtime.odd import ODD_VALUES, Path, is_needed, places, with_odd
from tests.realtime.sample_parts import CALL, CALL_BODY, TOKENS, USAGE, R, events, response
from tests.realtime.samples import SAMPLES


def sent(event: Any) -> bytes:
    """An event as it comes over the wire."""
    return json.dumps(event).encode()


# -- a field of another type, whichever it is ---------------------------------------------------

OPTIONAL = [
    (event, path)
    for event, fact in {json.dumps(e): (e, f) for d in SAMPLES for e, f in SAMPLES[d]}.values()
    if fact is not None
    for path in places(event)
    if not is_needed(event, path)
]
ODD = st.sampled_from(ODD_VALUES)


def told(fact: object) -> tuple[Any, ...]:
    """The parts of a fact; a session's echo is one."""
    return () if isinstance(fact, SessionUpdated) else attrs.astuple(fact, recurse=False)  # type: ignore[arg-type]


@given(st.sampled_from(OPTIONAL), ODD | st.just(...))
def test_an_odd_field_that_is_not_needed_leaves_the_event_readable(
    case: tuple[dict[str, Any], Path], odd: Any
) -> None:
    event, path = case
    fact, same = decode(sent(with_odd(event, path, odd))), decode(sent(event))
    assert type(fact) is type(same)
    if path == ("error",):
        return  # all of the error stood there
    changed = sum(one != other for one, other in zip(told(fact), told(same), strict=True))
    assert changed <= 2, "an odd field costs only itself, and what is made of it"


@given(st.lists(st.sampled_from(OPTIONAL), min_size=2, max_size=5), st.data())
def test_any_number_of_odd_fields_leaves_the_event_readable(
    cases: list[tuple[dict[str, Any], Path]], data: st.DataObject
) -> None:
    event = cases[0][0]
    for path in {path for each, path in cases if each is event}:
        with suppress(KeyError, IndexError, TypeError):  # what it stood in is odd already
            event = with_odd(event, path, data.draw(ODD))
    assert not isinstance(decode(sent(event)), UnknownModelEvent)


# -- the fields that are known to come otherwise -------------------------------------------------


def done(**odd: Any) -> Any:
    """A ``response.done`` with a call and its bill, and something odd in it."""
    body = response("completed", output=[CALL_BODY], usage=TOKENS) | odd
    return decode(sent(events("response.done", response=body)))


WHOLE = ResponseDone("resp_1", ResponseStatus.COMPLETED, items=(CALL,), usage=USAGE)


@pytest.mark.parametrize("odd", ["", [], 7, None, {"llcphone": 7}])
def test_odd_metadata_of_a_response(odd: Any) -> None:
    assert done(metadata=odd) == WHOLE


@pytest.mark.parametrize("odd", ["", [], 7, None, {}])
def test_odd_usage_is_no_usage(odd: Any) -> None:
    assert done(usage=odd) == attrs.evolve(WHOLE, usage=Usage())


def test_whole_numbers_written_as_floats_are_counted() -> None:
    floats = json.loads(json.dumps(TOKENS), parse_int=float)
    assert done(usage=floats) == WHOLE


@pytest.mark.parametrize("odd", ["failed", [], 7])
def test_odd_details_of_a_status(odd: Any) -> None:
    assert done(status_details=odd) == WHOLE


def test_an_odd_item_does_not_take_the_others_with_it() -> None:
    odd = [7, None, {"type": "message"}, {"id": "x"}, CALL_BODY | {"content": [7, {"text": "hi"}]}]
    assert done(output=odd).items == (attrs.evolve(CALL, text="hi"),)


def test_a_call_without_an_item_id_is_known_by_its_call_id() -> None:
    body = {key: value for key, value in CALL_BODY.items() if key != "id"}
    assert done(output=[body]).items == (attrs.evolve(CALL, id="call_1"),)


def test_arguments_may_come_as_the_object_they_are() -> None:
    body = CALL_BODY | {"arguments": {"who": "me"}}
    assert done(output=[body]) == WHOLE
    assert decode(sent(events("response.output_item.done", item=body, **R))) == OutputItemDone("resp_1", CALL)


@pytest.mark.parametrize(
    ("odd", "status"),
    [
        ({"status": None}, ResponseStatus.COMPLETED),
        ({"status": 7}, ResponseStatus.INCOMPLETE),
        ({"status": None, "status_details": {"type": "cancelled"}}, ResponseStatus.CANCELLED),
        ({"status": None, "status_details": {"error": {"code": 429}}}, ResponseStatus.FAILED),
    ],
)
def test_a_response_without_a_status_has_ended_all_the_same(odd: Any, status: ResponseStatus) -> None:
    assert done(**odd).status is status


def test_a_failed_response_tells_its_code_and_text_in_any_form() -> None:
    error = {"code": 429, "message": "Please try again in 3.2s."}
    told = done(status="failed", status_details={"error": error})
    assert (told.error_code, told.error_message) == ("429", "Please try again in 3.2s.")
    told = done(status="failed", status_details={"error": "Too many"})
    assert (told.error_code, told.error_message) == ("", "Too many")


@pytest.mark.parametrize("odd", [None, "12", -3, 2**60, [], ...])
def test_a_moment_that_is_not_told_is_unknown(odd: Any) -> None:
    started = with_odd(
        events("input_audio_buffer.speech_started", item_id="i", audio_start_ms=1), ("audio_start_ms",), odd
    )
    stopped = with_odd(
        events("input_audio_buffer.speech_stopped", item_id="i", audio_end_ms=1), ("audio_end_ms",), odd
    )
    assert decode(sent(started)) == SpeechStarted("i", None)
    assert decode(sent(stopped)) == SpeechStopped("i", None)


@pytest.mark.parametrize("odd", [None, "0", 0.0, ...])
def test_speech_does_not_depend_on_its_content_index(odd: Any) -> None:
    event = events("response.output_audio.delta", delta="/3//", item_id="i", content_index=0, **R)
    text = sent(with_odd(event, ("content_index",), odd))
    assert audio_delta_fast(text) == decode(text) == AudioDelta("resp_1", "i", b"/3//")


@pytest.mark.parametrize(
    ("given", "padded"), [("AAA", b"AAA="), ("AA", b"AA=="), ("AAAAA", b"AAAA"), ("A", b"")]
)
def test_speech_that_lost_its_padding_gets_it_back(given: str, padded: bytes) -> None:
    text = sent(events("response.output_audio.delta", delta=given, item_id="i", **R))
    assert audio_delta_fast(text) == decode(text) == AudioDelta("resp_1", "i", padded)


@pytest.mark.parametrize("session", [None, {}, {"id": 7, "expires_at": "noon"}, {"expires_at": 10**400}])
def test_a_created_session_need_not_say_who_it_is(session: Any) -> None:
    assert decode(sent(events("session.created", session=session))) == SessionCreated()


def test_rate_limits_that_can_be_read_are_read() -> None:
    odd = [
        7,
        {"limit": 1},
        {"name": "a", "limit": "x", "reset_seconds": None},
        {"name": "b", "remaining": 2.0},
    ]
    text = sent(events("rate_limits.updated", rate_limits=odd)).replace(b'"x"', b"1e999")
    assert decode(text) == RateLimits({"a": (0, 0, 0.0), "b": (0, 2, 0.0)})
    assert decode(sent(events("rate_limits.updated", rate_limits=None))) == RateLimits()


# -- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("odd", "error"),
    [
        ({"error": {"code": 1302, "message": "No."}}, ModelError("1302", message="No.")),
        ({"error": {"code": 1302.0, "type": None}}, ModelError("1302.0")),
        (
            {"error": {"code": None, "type": "server_error", "param": []}},
            ModelError("server_error", "server_error"),
        ),
        ({"error": "No."}, ModelError("", message="No.")),
        ({"error": {"error": {"code": "x", "message": "No."}}}, ModelError("x", message="No.")),
        ({"error": {"error": "No."}}, ModelError("", message="No.")),
        ({"message": "No.", "code": 7}, ModelError("7", message="No.")),
        (
            {"error": None, "message": "No.", "param": "session.voice"},
            ModelError("", "", "session.voice", "No."),
        ),
        ({"error": {"message": {"deep": 1}}}, ModelError("")),
        ({"error": []}, ModelError("")),
        ({"error": 7}, ModelError("")),
        ({}, ModelError("")),
        ({"error": {"code": "x", "event_id": 5}}, ModelError("x", event_id="5")),
    ],
)
def test_an_error_in_any_form_is_an_error_with_what_can_be_known(odd: Any, error: ModelError) -> None:
    assert decode(sent(events("error", **odd))) == error


# -- what stays unreadable ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        events("response.done", response=response("completed", id=None)),
        events("response.output_audio.delta", delta="not base64!", item_id="i", **R),
        events("session.updated", session=None),
    ],
)
def test_what_an_event_cannot_do_without_makes_it_unreadable(event: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(sent(event))


# -- the bill -----------------------------------------------------------------------------------

COUNTS = (
    st.none() | st.integers(-5, 9_000) | st.floats(-5, 9_000) | st.sampled_from([[], "", "7", 2**70, 12.0])
)


def kinds(*names: str, **more: Any) -> Any:
    """An object of counts, some missing, or something odd in its place."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, COUNTS) | more) | st.sampled_from(
        [None, [], ""]
    )


BILLS = kinds(
    "input_tokens",
    "output_tokens",
    input_token_details=kinds(
        "text_tokens",
        "audio_tokens",
        "cached_tokens",
        cached_tokens_details=kinds("text_tokens", "audio_tokens"),
    ),
    output_token_details=kinds("text_tokens", "audio_tokens"),
)


@given(BILLS)
def test_no_bill_has_a_negative_count_or_more_cached_than_given(bill: Any) -> None:
    usage = done(usage=bill).usage
    assert min(attrs.astuple(usage)) >= 0
    assert usage.cached_text <= usage.input_text
    assert usage.cached_audio <= usage.input_audio
    whole = (bill or {}).get("input_tokens")
    if isinstance(whole, int) and 0 <= whole <= 9_000:
        assert usage.input_text + usage.input_audio >= whole, "nothing that was used is left out"


@pytest.mark.parametrize(
    ("bill", "usage"),
    [
        ({"input_tokens": 5000, "input_token_details": {"cached_tokens": 4000}}, Usage(5000, 0, 4000)),
        ({"input_tokens": 50, "input_token_details": {"text_tokens": 10}}, Usage(10, 40)),
        ({"input_tokens": 50, "input_token_details": {"audio_tokens": 10}}, Usage(40, 10)),
        ({"output_tokens": 50, "output_token_details": {}}, Usage(output_text=50)),
        (
            {"input_token_details": {"text_tokens": 1000, "audio_tokens": 3000, "cached_tokens": 3500}},
            Usage(1000, 3000, 1000, 2500),
        ),
        ({"input_tokens": -7, "output_tokens": -7}, Usage()),
        (
            {"input_token_details": {"text_tokens": 5, "cached_tokens_details": {"text_tokens": 9}}},
            Usage(5, 0, 5),
        ),
    ],
)
def test_a_bill_without_all_kinds_is_counted_as_far_as_it_is_told(bill: Any, usage: Usage) -> None:
    assert done(usage=bill).usage == usage


def test_an_item_keeps_what_is_good_of_it() -> None:
    body = {"id": "i", "type": "message", "status": 7, "role": [], "content": "hello"}
    assert done(output=[body]).items == (Item("i", "message", status="7"),)
