"""Reads the settings: llcphone.toml, the .env beside it, and the process environment.

Later wins: default, the company's language, llcphone.toml, .env, environment. Inside the last two a setting
has up to three names, and the plainest wins: ``LLCPHONE_<SECTION>__<KEY>``, then the usual name of the
trade (``OPENAI_API_KEY``), then the name in llc-phone 3 (``VOSS_VOICE``). A usual or old
name with no text counts as not set, as templates leave them so; ``LLCPHONE_…=`` says "empty".

A variable that begins with ``LLCPHONE_`` and is no setting is an error: a typing mistake there
would otherwise be a setting that silently does nothing.
"""

from __future__ import annotations

import os
import re
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen
from dotenv.parser import parse_stream

from llcphone.config import SETTINGS, Config, parse_toml, toml_value
from llcphone.config.addresses import WEB_ADDRESS_OR_EMPTY, is_loopback_host
from llcphone.config.config import protocol_defaults
from llcphone.config.fields import Setting, nearest, unquoted
from llcphone.config.journal import DEFAULT_URL
from llcphone.config.store import DEFAULT_FILE as STORE_FILE
from llcphone.errors import ConfigError
from llcphone.languages import NAMES, OWN, defaults
from llcphone.validation.arguments import need

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE = Path("llcphone.toml")
DEFAULT_ORIGIN = "default"
HIDDEN = "«hidden»"
NOT_SET = "(not set)"

# TWILIO_EDGE and TWILIO_REGION are here because the twilio package reads them behind our back:
# so a region alone is refused wherever it comes from.
USUAL_NAMES = {
    "OPENAI_API_KEY": "realtime.api_key",
    "TWILIO_ACCOUNT_SID": "twilio.account_sid",
    "TWILIO_AUTH_TOKEN": "twilio.auth_token",
    "TWILIO_PHONE_NUMBER": "twilio.phone_number",
    "TWILIO_EDGE": "twilio.edge",
    "TWILIO_REGION": "twilio.region",
    "PUBLIC_URL": "server.public_url",
    "PORT": "server.port",
}
ORIGINAL_NAMES = {
    "VOSS_VOICE": "realtime.voice",
    "VOSS_MODEL": "realtime.model",
    "VOSS_PREWARM_TIMEOUT": "opening.warm_deadline_ms",
    "VOSS_VAD_EAGERNESS": "realtime.eagerness",
    "VOSS_CACHE_KEY": "realtime.prompt_cache_key",
    "VOSS_EDGE_LOCATION": "twilio.edge",
    "TRANSCRIPT_WEBHOOK_URL": "webhook.url",
    "TRANSCRIPT_WEBHOOK_BEARER_TOKEN": "webhook.bearer_token",
    "IVR_DID": "routes.ivr",
    "RECEPTIONIST_DID": "routes.receptionist",
    "CSR_DID": "routes.csr",
    "COMPANY_NAME": "company.name",
    "ASSISTANT_NAME": "company.assistant",
    "BUSINESS_DESCRIPTOR": "company.about",
    "BUSINESS_TIMEZONE": "company.time_zone",
    "INBOUND_GREETING": "company.greeting",
}
ORIGINAL_DESTINATIONS = {
    "SALES_NUMBER": "sales",
    "SUPPORT_NUMBER": "support",
    "BILLING_NUMBER": "billing",
    "SCHEDULING_NUMBER": "scheduling",
}
"""Numbers of llc-phone 3's departments: each is a destination of that name in ``[transfers]``."""
# Kubernetes describes a Service named llcphone to every pod beside it with such variables.
_OF_KUBERNETES = re.compile(
    r"LLCPHONE_(SERVICE_(HOST|PORT)\w*|PORT_\d+_\w+)=.*|LLCPHONE_PORT=\w+://.*", re.DOTALL
)
PLATFORMS = (
    "RENDER",
    "FLY_APP_NAME",
    "RAILWAY_ENVIRONMENT_NAME",
    "DYNO",
    "K_SERVICE",
    "WEBSITE_SITE_NAME",
    "KUBERNETES_SERVICE_HOST",
)
"""What these set: Render, Fly.io, Railway, Heroku, Cloud Run, Azure App Service, Kubernetes."""
OWN_NAMES = {setting.variable: key for key, setting in SETTINGS.items()}


@frozen
class Loaded:
    """The settings in effect, and where each came from."""

    config: Config
    origin: dict[str, str]
    """``section.key`` to "default", a file, or a file or the environment with the variable's name."""


def load(
    path: Path | None = None, *, environ: Mapping[str, str] | None = None, text: str | None = None
) -> Loaded:
    """Read all sources.

    Args:
        path: the TOML file, which must then exist; by default ``llcphone.toml`` of the working
            directory, if there is one. A ``.env`` beside it is read too.
        environ: the environment; by default the process's own.
        text: taken for what the TOML file says, which then need not exist.

    Raises:
        ConfigError: something cannot be read, is unknown, or has a value it may not have. The text
            names the key, the variable or file it came from and what is wanted, never the value.
    """
    file = path or DEFAULT_FILE
    text = _read(file, required=path is not None) if text is None else text
    tables: dict[str, Any] = {} if text is None else _parse(text, file)
    origin = dict.fromkeys(SETTINGS, DEFAULT_ORIGIN)
    for section, table in tables.items():
        if isinstance(table, dict):  # if not, from_dict says what a section is
            origin |= {f"{section}.{key}": str(file) for key in table}

    dotenv = file.parent / ".env"
    written, environ = _dotenv_variables(dotenv), os.environ if environ is None else environ
    environ = {name: unquoted(text.strip()) for name, text in environ.items()}
    for variables, source in ((written, str(dotenv)), (environ, "environment")):
        origin |= _add_destinations(tables, variables, source)
    overlay = _overlay(written, str(dotenv)) | _overlay(environ, "environment")
    for key, (variable, value, source) in overlay.items():
        section, _, name = key.partition(".")
        table = tables.setdefault(section, {})
        if isinstance(table, dict):
            table[name] = SETTINGS[key].read_text(value)
        origin[key] = f"{source}: {variable}"
    origin |= _add_sentences(tables)
    try:
        language = f"company.language = {toml_value(tables.get('company', {}).get('language'))}"
        origin |= dict.fromkeys(defaults(tables), language)
        origin |= dict.fromkeys(protocol_defaults(tables), 'realtime.protocol = "live"')
        return Loaded(Config.from_dict(tables), origin)
    except ConfigError as exc:
        source = origin.get(exc.key, str(file))
        where, hint = "" if source == DEFAULT_ORIGIN else f" (from {source})", ""
        if exc.key in overlay and overlay[exc.key][1].strip("\"'") != overlay[exc.key][1]:
            hint += "; it begins or ends with a quote: write it without quotes"
        setting = SETTINGS.get(exc.key)
        if exc.key in overlay and setting is not None and tuple in setting.kinds:
            hint += "; in a variable, write several with commas between them, without brackets"
        raise ConfigError(exc.key, exc.why + where, exc.fix + hint) from None


def explain(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Every setting as (``section.key``, value as TOML writes it, origin); secrets are hidden."""
    rows = []
    for key, setting in SETTINGS.items():
        value = loaded.config.value(key)
        if value is None or (setting.secret and not value):
            shown = NOT_SET
        else:
            shown = HIDDEN if setting.secret else toml_value(_without_query(setting, value))
        rows.append((key, shown, loaded.origin[key]))
    return rows


def _without_query(setting: Setting, value: Any) -> Any:
    """The query of an address may be what lets us in (``?sig=``)."""
    address, mark, query = value.partition("?") if setting.rule is WEB_ADDRESS_OR_EMPTY else (value, "", "")
    return f"{address}?{HIDDEN}" if mark and query else value


def _read(file: Path, *, required: bool) -> str | None:
    """The text of a file, or None when it is not there and need not be."""
    try:
        return file.read_text(encoding="utf-8-sig")  # Windows editors put a BOM before the first section
    except FileNotFoundError:
        if not required:
            return None
        raise ConfigError(
            str(file), "there is no such file", "leave --config out to run on defaults"
        ) from None
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigError(str(file), f"cannot be read: {reason}", "check the file") from None


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ConfigError as exc:
        raise ConfigError(str(file), exc.why, exc.fix) from None


def _dotenv_variables(file: Path) -> dict[str, str]:
    """The variables of a .env file, as written: no ``${…}`` is filled in.

    python-dotenv's own reader only logs a line it cannot parse; here that is an error.
    """
    found: dict[str, str] = {}
    for binding in parse_stream(StringIO(_read(file, required=False) or "")):
        if binding.error:
            raise ConfigError(
                str(file), f"cannot be read near line {binding.original.line}", "write NAME=value"
            )
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found


def _overlay(variables: Mapping[str, str], source: str) -> dict[str, tuple[str, str, str]]:
    """What one source of variables sets: key to (variable, text, source)."""
    for variable, text in variables.items():
        ours = variable.startswith("LLCPHONE_") and not _OF_KUBERNETES.fullmatch(f"{variable}={text}")
        if ours and variable not in OWN_NAMES:
            meant = nearest(variable, OWN_NAMES)
            raise ConfigError(
                variable,
                f"is not a setting (from {source})",
                f"write {meant} if you meant that, or remove it",
            )
    found: dict[str, tuple[str, str, str]] = {}
    for names in (ORIGINAL_NAMES, USUAL_NAMES, OWN_NAMES):  # the weakest first
        for variable, key in names.items():
            text = variables.get(variable, "").strip()
            if text or (names is OWN_NAMES and variable in variables):
                found[key] = (variable, text, source)
    return found


def _add_destinations(tables: dict[str, Any], variables: Mapping[str, str], source: str) -> dict[str, str]:
    """Put the departments of llc-phone 3 among the destinations; returns where they came from."""
    found = {name: variables.get(variable, "").strip() for variable, name in ORIGINAL_DESTINATIONS.items()}
    found = {name: number for name, number in found.items() if number}
    table = tables.setdefault("transfers", {}) if found else None
    destinations = table.setdefault("destinations", {}) if isinstance(table, dict) else None
    if not isinstance(destinations, dict):  # there is nothing to add, or from_dict says what is wrong
        return {}
    for name, number in found.items():
        known = destinations.get(name)
        destinations[name] = {**(known if isinstance(known, dict) else {}), "number": number}
    names = [variable for variable, name in ORIGINAL_DESTINATIONS.items() if name in found]
    return {"transfers.destinations": f"{source}: {', '.join(names)}"}


def _add_sentences(tables: dict[str, Any]) -> dict[str, str]:
    """Put the sentences of `company.language_folder` where nothing is set; returns where they came from."""
    company = tables.get("company", {})
    folder = company.get("language_folder", "") if isinstance(company, dict) else ""
    if not isinstance(folder, str) or not folder:  # there is nothing to add, or from_dict says what is wrong
        return {}
    file = Path(folder) / "sentences.toml"
    found, origin = _parse(_read(file, required=False) or "", file), {}
    for section, table in found.items():
        for name, text in table.items() if isinstance(table, dict) else [("", table)]:
            key = f"{section}.{name}"
            if key not in NAMES or not isinstance(text, str):
                raise ConfigError(
                    key, f"is no sentence (from {file})", f"write {nearest(key, NAMES)} if you meant that"
                )
            home = (
                company.setdefault("sentences", {}) if key.startswith(OWN) else tables.setdefault(section, {})
            )
            if isinstance(home, dict) and name not in home:
                home[name] = text
                origin["company.sentences" if key.startswith(OWN) else key] = str(file)
    return origin


def hides_from_its_platform(loaded: Loaded, environ: Mapping[str, str] = os.environ) -> str:
    """The variable by which a hosting platform shows itself, where the server listens on this machine only.

    Platforms and containers reach a server from outside, so the default ``server.host`` answers nobody there.
    "" where nothing tells of a platform, or where the host was chosen.
    """
    chosen = loaded.origin.get("server.host", DEFAULT_ORIGIN) != DEFAULT_ORIGIN
    if chosen or not is_loopback_host(loaded.config.server.host):
        return ""
    port = ("PORT",) if loaded.origin.get("server.port") == "environment: PORT" else ()
    return next((name for name in (*PLATFORMS, *port) if environ.get(name)), "")


def load_config(path: str | os.PathLike[str] | None = None) -> Config:
    """The settings alone; see `load`."""
    need(path, (str, os.PathLike, type(None)), "load_config: path", "a path, or nothing")
    return load(None if path is None else Path(path)).config


def with_store(config: Config, path: Path | None = None) -> Config:
    """The settings with a store beside the file they are from, unless there is one or none is wanted."""
    store = config.store
    if store.url or not store.enabled:
        return config
    url = f"sqlite:///{(path or DEFAULT_FILE).parent / STORE_FILE}"
    return attrs.evolve(config, store=attrs.evolve(store, url=url))


def with_journal(config: Config) -> Config:
    """The settings with a journal in its usual place, unless there is one elsewhere or none is wanted."""
    journal = config.journal
    if journal.url or not journal.enabled:
        return config
    return attrs.evolve(config, journal=attrs.evolve(journal, url=DEFAULT_URL))
