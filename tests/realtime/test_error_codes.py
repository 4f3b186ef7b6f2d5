"""What an error event means for a call."""

from __future__ import annotations

import pytest

from llcphone.realtime.error_codes import ErrorKind, error_kind, is_dialect_refusal
from llcphone.realtime.events import ModelError

BETA = ModelError(
    "beta_api_shape_disabled",
    "invalid_request_error",
    message="The Realtime Beta API is no longer supported.",
)
NO_TYPE = ModelError(
    "missing_required_parameter", param="session.type", message="Missing required parameter: 'session.type'."
)


def unknown(param: str) -> ModelError:
    """The refusal of one parameter, as the server words it."""
    return ModelError("unknown_parameter", "invalid_request_error", param, f"Unknown parameter: '{param}'.")


@pytest.mark.parametrize(
    "error",
    [
        BETA,
        NO_TYPE,
        ModelError("missing_required_parameter", message="Missing required parameter: 'session.type'."),
        unknown("session.modalities"),
        unknown("session.voice"),
        unknown("session.turn_detection"),
        unknown("session.input_audio_format"),
        unknown("session.output_audio_format"),
        ModelError("unknown_parameter", message="Unknown parameter: 'session.modalities'."),
    ],
    ids=repr,
)
def test_the_documented_refusals_of_the_flat_dialect_are_known(error: ModelError) -> None:
    assert is_dialect_refusal(error)
    assert error_kind(error) in (ErrorKind.SETUP, ErrorKind.FATAL)


@pytest.mark.parametrize(
    "error",
    [
        unknown("session.prompt_cache_key"),
        unknown("session.temperature"),
        unknown("session.turn_detection.eagerness"),
        unknown("session.tools[0].meta"),
        unknown("session.output_modalities"),
        unknown("session.type"),
        unknown("response.modalities"),
        ModelError("missing_required_parameter", param="item.content[0].text"),
        ModelError("invalid_value", param="session.voice", message="Invalid value: 'fable'."),
        ModelError("invalid_api_key"),
        ModelError("invalid_request_error", "invalid_request_error"),
        ModelError("", message="'session.type'"),
    ],
    ids=repr,
)
def test_any_other_refusal_is_a_bad_setting_not_another_dialect(error: ModelError) -> None:
    assert not is_dialect_refusal(error)


KINDS = [
    (ModelError("invalid_api_key"), ErrorKind.FATAL),
    (ModelError("insufficient_quota"), ErrorKind.FATAL),
    (ModelError("account_deactivated"), ErrorKind.FATAL),
    (ModelError("billing_hard_limit_reached"), ErrorKind.FATAL),
    (ModelError("invalid_model"), ErrorKind.FATAL),
    (BETA, ErrorKind.FATAL),
    (NO_TYPE, ErrorKind.SETUP),
    (unknown("session.prompt_cache_key"), ErrorKind.SETUP),
    (ModelError("invalid_value", param="session.audio.input.transcription.delay"), ErrorKind.SETUP),
    (ModelError("integer_below_min_value", param="session.audio.input.format.rate"), ErrorKind.SETUP),
    (ModelError("cannot_update_voice"), ErrorKind.SETUP),
    (ModelError("session_expired"), ErrorKind.RETRY),
    (ModelError("server_error", "server_error"), ErrorKind.RETRY),
    (ModelError("something_new", "server_error"), ErrorKind.RETRY),
    (ModelError("conversation_already_has_active_response"), ErrorKind.ACTIVE_RESPONSE),
    (ModelError("invalid_value", param="audio_end_ms"), ErrorKind.TRUNCATE),
    (
        ModelError("invalid_value", message="Audio content of 740ms is already shorter than 900ms"),
        ErrorKind.TRUNCATE,
    ),
    (ModelError("integer_below_min_value", param="audio_end_ms"), ErrorKind.TRUNCATE),
    (
        ModelError("unsupported_content_type", message="Only model output audio messages can be truncated"),
        ErrorKind.TRUNCATE,
    ),
    (ModelError("unsupported_content_type", message="Something else"), ErrorKind.IGNORE),
    (ModelError("response_cancel_not_active"), ErrorKind.IGNORE),
    (ModelError("input_audio_buffer_commit_empty"), ErrorKind.IGNORE),
    (ModelError("item_create_duplicate_item_id"), ErrorKind.IGNORE),
    (ModelError("invalid_value", param="type"), ErrorKind.IGNORE),
    (ModelError("missing_required_parameter", param="item.content[0].text"), ErrorKind.IGNORE),
    (ModelError("never_seen_before", "invalid_request_error"), ErrorKind.IGNORE),
    (ModelError(""), ErrorKind.IGNORE),
]


@pytest.mark.parametrize(("error", "kind"), KINDS, ids=repr)
def test_every_documented_error_is_somebodys_business(error: ModelError, kind: ErrorKind) -> None:
    assert error_kind(error) is kind
