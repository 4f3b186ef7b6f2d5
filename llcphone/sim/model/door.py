"""Which clients may open a session, and how others are rejected.

OpenAI accepts the upgrade first and refuses in a frame: 101, ``error``, close 3000 for a key and 4000 for
the rest (docs/vendor-facts.md, Session set-up). Azure refuses a missing key before the
upgrade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit

import attrs
import msgspec

from llcphone.sim.model.check import Refused
from llcphone.sim.model.schema import Dialect

if TYPE_CHECKING:
    from trio_websocket import WebSocketRequest

    from llcphone.sim.model.profile import ProfileName

Dialects = Literal["ga", "flat", "both"]

PATH, AZURE_PATH = "/v1/realtime", "/openai/v1/realtime"
_BETA_HEADER = "openai-beta"
_KEY_PROTOCOL = "openai-insecure-api-key."
HTTP_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded", 503: "server_is_overloaded"}


class TurnedAway(NamedTuple):
    """An upgrade that gets its 101, then an error, then a Close."""

    close_code: int
    code: str | None
    message: str

    @property
    def close_reason(self) -> str:
        return "invalid_request_error" + (f".{self.code}" if self.code else "")

    @property
    def frame(self) -> str:
        """The ``error`` event before it."""
        error = Refused(self.code, self.message).as_error(None) | {"event_id": "event_refused"}
        return msgspec.json.encode(error).decode()


NO_KEY = TurnedAway(3000, None, "Missing bearer or basic authentication in header")
BAD_KEY = TurnedAway(3000, "invalid_api_key", "Incorrect API key provided.")
_NO_MODEL = TurnedAway(4000, "missing_model", "You must provide a model parameter.")
_BAD_MODEL = TurnedAway(4000, "invalid_model", "The requested model does not exist.")
_BETA = TurnedAway(
    4000,
    "beta_api_shape_disabled",
    "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
)


@attrs.frozen
class Upgrade:
    """What a client asked for in its handshake."""

    target: str
    path: str
    model: str
    key: str = attrs.field(repr=False)
    headers: dict[str, str] = attrs.field(repr=False)
    """Names in lower case."""
    subprotocol: str | None

    @classmethod
    def of(cls, request: WebSocketRequest) -> Upgrade:
        """Read a request: the key is a bearer, Azure's header, or a browser's subprotocol."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
        url = urlsplit(request.path)
        model = parse_qs(url.query).get("model", [""])[0]
        key = headers.get("authorization", "").removeprefix("Bearer ").strip() or headers.get("api-key", "")
        for protocol in request.proposed_subprotocols:
            if protocol.startswith(_KEY_PROTOCOL):
                key = protocol.removeprefix(_KEY_PROTOCOL)
        subprotocol = "realtime" if "realtime" in request.proposed_subprotocols else None
        return cls(request.path, url.path, model, key, headers, subprotocol)

    def dialect(self, dialects: Dialects) -> Dialect:
        """How this session will be spelled: the header alone chooses where both are spoken."""
        is_flat = dialects == "flat" or (dialects == "both" and _BETA_HEADER in self.headers)
        return Dialect.FLAT if is_flat else Dialect.GA


def http_refusal(upgrade: Upgrade, profile: ProfileName) -> int | None:
    """The HTTP status of an upgrade that does not even get its 101."""
    if profile == "azure" and upgrade.path != AZURE_PATH:
        return 404
    if profile == "xai" and "authorization" not in upgrade.headers:
        return 401
    if upgrade.path not in (PATH, AZURE_PATH):
        return 404
    if upgrade.path == AZURE_PATH and not {"api-key", "authorization"} & upgrade.headers.keys():
        return 401
    return None


def turned_away(
    upgrade: Upgrade, dialects: Dialects, accepted_key: str | None, profile: ProfileName = "openai"
) -> TurnedAway | None:
    """Why a session is refused after its 101, if it is.

    Without an ``accepted_key`` OpenAI's path takes every ``sk-`` and ``ek_`` key, Azure's any key, and a
    flat server, being self-hosted, asks for none. Only OpenAI's path knows models by name.
    """
    is_openai = upgrade.path == PATH and dialects != "flat" and profile == "openai"
    if profile == "generic" and accepted_key is None:
        return None if upgrade.model else _NO_MODEL
    if profile == "xai" and not upgrade.model.startswith("grok-voice"):
        return _BAD_MODEL
    if accepted_key is not None or dialects != "flat":
        if not upgrade.key:
            return NO_KEY
        if accepted_key is not None and upgrade.key != accepted_key:
            return BAD_KEY
        if accepted_key is None and is_openai and not upgrade.key.startswith(("sk-", "ek_")):
            return BAD_KEY
    if _BETA_HEADER in upgrade.headers and dialects == "ga":
        return _BETA
    if not upgrade.model:
        return _NO_MODEL
    if is_openai and not upgrade.model.startswith("gpt-realtime"):  # the 4o previews are gone
        return _BAD_MODEL
    return None


async def reject(request: WebSocketRequest, status: int, retry_after_s: int | None) -> None:
    """Answer an upgrade with an HTTP error."""
    extra = [(b"Content-Type", b"application/json")]
    if retry_after_s is not None:
        extra.append((b"Retry-After", str(retry_after_s).encode()))
    error: dict[str, Any] = {"message": "Refused by the simulator.", "code": HTTP_CODES.get(status)}
    body = {"error": error | {"type": "invalid_request_error", "param": None}}
    await request.reject(status, extra_headers=extra, body=msgspec.json.encode(body))
