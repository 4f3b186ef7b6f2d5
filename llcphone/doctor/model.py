"""The model by its name: is it there, and how long will it be?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from attrs import frozen

from llcphone.doctor.context import Answer, ask
from llcphone.doctor.report import Finding, fail, good, unknown, warn
from llcphone.realtime.profiles import profile_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.config import Config

NOT_ASKED = "not asked"
_SOON_DAYS = 90
KEY_FIX = "set OPENAI_API_KEY (realtime.api_key) to a valid key of this account"
_ENDS: Mapping[str, date] = MappingProxyType(
    {
        "gpt-realtime": date(2027, 1, 20),
        "gpt-realtime-mini": date(2027, 1, 20),
        "gpt-realtime-mini-2025-12-15": date(2027, 1, 20),
        "gpt-realtime-mini-2025-10-06": date(2026, 7, 23),
        "gpt-4o-realtime-preview": date(2026, 5, 7),
    }
)
"""When models are switched off, as of 2026-11-20."""


@frozen
class NamedModel:
    """A model that a setting names."""

    check: str
    key: str
    name: str
    current: str
    """One to name instead."""


def models_of(config: Config) -> list[NamedModel]:
    """The models that calls need: GPT-Live has one for the voice and one that calls the tools."""
    realtime = config.realtime
    if realtime.protocol == "realtime":
        return [NamedModel("model", "realtime.model", realtime.model, "gpt-realtime-1.5")]
    return [
        NamedModel("model", "realtime.model", realtime.model, "gpt-live-1"),
        NamedModel("backend model", "live.backend_model", config.live.backend_model, "gpt-5.6-terra"),
    ]


async def told_of(config: Config, model: NamedModel) -> Answer | str:
    """What the endpoint's list of models says of this one."""
    parts = urlsplit(config.realtime.url)
    listed = profile_of(config.realtime).lists_models and "/openai/" not in parts.path
    end = "live/sessions" if config.realtime.protocol == "live" else "realtime"
    if not listed or not parts.path.endswith(f"/v1/{end}"):
        return NOT_ASKED  # Azure calls models by the names of deployments
    scheme = "https" if parts.scheme == "wss" else "http"
    path = parts.path.removesuffix(end) + "models/" + quote(model.name, safe="")
    headers = {"Authorization": f"Bearer {config.realtime.api_key}"} if config.realtime.api_key else {}
    return await ask(urlunsplit((scheme, parts.netloc, path, "", "")), headers=headers)


def judge_model(named: NamedModel, today: date, told: Answer | str) -> Finding:
    """Whether the model is there, and how long; ``told`` is what the endpoint reports about it."""
    check, model = named.check, named.name
    other = f'set {named.key} to a current one, such as "{named.current}"'
    content: dict[str, Any] = {}
    if not isinstance(told, str):
        content = told.json if isinstance(told.json, dict) else {}
        error = content.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if told.status == 401:
            return fail("key", f"the key is refused [{code or 'http_401'}]", KEY_FIX)
        if told.status == 404 and code:
            return fail(check, f"the endpoint has no such model: {model}", other)
    ends = _date(content.get("shutdown_date")) or _known_end(model)
    if ends is not None and ends <= today:
        return fail(check, f"{model} was switched off on {ends}", other)
    if ends is not None and (ends - today).days <= _SOON_DAYS:
        return warn(check, f"{model} is switched off on {ends}, in {(ends - today).days} days", other)
    if told == NOT_ASKED or (not isinstance(told, str) and told.status == 404):
        seen = f"{model} not checked: this endpoint has no list of models, so nothing says when it ends"
        return warn(check, seen, "see the vendor's page of deprecations")
    if isinstance(told, str) or told.status != 200 or not content:
        why = told if isinstance(told, str) else f"the endpoint's list of models answers {told.status}"
        fix = "see the check of the session below; a restricted key needs the right to read models"
        return unknown(check, f"{model} not checked: {why}", fix)
    if ends is None:
        return good(check, f"{model}; no shutdown date is known")
    return good(check, f"{model}; available until {ends}")


def _known_end(model: str) -> date | None:
    return _ENDS["gpt-4o-realtime-preview"] if model.startswith("gpt-4o-") else _ENDS.get(model)


def _date(value: object) -> date | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC).date()
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
