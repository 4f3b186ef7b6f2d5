"""Settings of [[elsewhere]]: other endpoints of a voice model, for when [realtime] gives no session."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import attrs
from attrs import frozen

from llcphone.config.fields import HEADER, Rule, Section, setting
from llcphone.config.realtime import LIVE_DEFAULTS, RealtimeConfig
from llcphone.errors import ConfigError

_OF_ONE_ENDPOINT = (
    "api_key",
    "profile",
    "api_key_header",
    "organization",
    "project",
    "dialect",
    "safety_salt",
)
"""What holds for one host only: another host begins with the defaults of these."""
_OF_ANY_PROTOCOL = ("voice",)
"""What is taken over from ``[realtime]`` by an endpoint of the other protocol."""


def _are_endpoints(tables: Any) -> bool:
    return all(isinstance(table, dict) and isinstance(table.get("url"), str) for table in tables)


@frozen(kw_only=True)
class ElsewhereConfig(Section):
    """[[elsewhere]]: other endpoints of a voice model, for when [realtime] gives no session."""

    endpoints: tuple[dict[str, Any], ...] = setting(
        (),
        Rule("a list of tables, each with a url and any settings of [realtime]", _are_endpoints),
        secret=True,
        advanced=True,
    )
    """Each [[elsewhere]], by preference: a table with a `url`, its `api_key`, and whatever differs from
    [realtime], such as `model` or `voice`. An endpoint of the same host needs no key of its own."""
    api_keys: tuple[str, ...] = setting(
        (),
        Rule(
            "a list of keys", lambda keys: all(isinstance(each, str) and HEADER.holds(each) for each in keys)
        ),
        secret=True,
        advanced=True,
    )
    """Keys of the endpoints above that name none, in their order; usually LLCPHONE_ELSEWHERE__API_KEYS."""


def endpoints_of(first: RealtimeConfig, elsewhere: ElsewhereConfig) -> tuple[RealtimeConfig, ...]:
    """The settings of all endpoints: those of ``[realtime]`` first, then the others by preference.

    Raises:
        ConfigError: a table has what is no setting of an endpoint, or a value it may not have.
    """
    keys = iter(elsewhere.api_keys)
    found = [first]
    for number, table in enumerate(elsewhere.endpoints, 1):
        found.append(_endpoint(first, table, keys, f"elsewhere[{number}]"))
    if next(keys, None) is not None:
        why = "has more keys than there are endpoints that name none"
        raise ConfigError(
            "elsewhere.api_keys", why, "write one key for each [[elsewhere]] without an api_key"
        )
    return tuple(found)


def _origin(url: str) -> tuple[str, str]:
    """Scheme, host and port: what has the key of one may be sent that of the other."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _endpoint(first: RealtimeConfig, table: dict[str, Any], keys: Any, key: str) -> RealtimeConfig:
    known = attrs.fields_dict(RealtimeConfig)
    if unknown := set(table) - set(known):
        raise ConfigError(f"{key}.{min(unknown)}", "is not a setting of an endpoint", "correct its name")
    protocol = table.get("protocol", first.protocol)
    given: dict[str, Any] = {"protocol": protocol}
    if protocol == first.protocol:
        given = {name: getattr(first, name) for name in known}
    else:
        given |= {name: getattr(first, name) for name in _OF_ANY_PROTOCOL}
        if protocol == "live":
            given |= {"model": LIVE_DEFAULTS["realtime.model"]}
    if _origin(table["url"]) == _origin(first.url):
        given |= {"api_key": first.api_key}
    else:
        given |= {name: known[name].default for name in _OF_ONE_ENDPOINT}
    given |= table
    if not given.get("api_key"):
        given["api_key"] = next(keys, "")
    try:
        return RealtimeConfig(**given)
    except ConfigError as exc:
        raise ConfigError(exc.key.replace("realtime.", f"{key}.", 1), exc.why, exc.fix) from None
