"""The settings of llcphone: one frozen `Config`, with a section per concern.

Pure: it takes text and tables and gives values or a `ConfigError`. Reading files and the
environment is `llcphone.settings`. Each section stands in the file of its name; how one setting
is declared and checked is `fields`.

A setting that may be unset is None here and ``""`` in TOML and in the environment.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast, get_type_hints

import attrs
from attrs import frozen

from llcphone.config.addresses import is_loopback_url
from llcphone.config.agent import AgentConfig
from llcphone.config.alarms import AlarmsConfig
from llcphone.config.api import ApiConfig
from llcphone.config.breaker import BreakerConfig
from llcphone.config.calendar import CalendarConfig
from llcphone.config.call import CallConfig
from llcphone.config.company import CompanyConfig
from llcphone.config.console import ConsoleConfig
from llcphone.config.drain import DrainConfig
from llcphone.config.elsewhere import ElsewhereConfig, endpoints_of
from llcphone.config.fields import Section, Setting, nearest, settings_of
from llcphone.config.filler import FillerConfig
from llcphone.config.ivr import IvrConfig
from llcphone.config.journal import JournalConfig
from llcphone.config.live import LiveConfig
from llcphone.config.log import LogConfig
from llcphone.config.metrics import MetricsConfig
from llcphone.config.money import MoneyConfig
from llcphone.config.opening import OpeningConfig
from llcphone.config.outbound import OutboundConfig
from llcphone.config.overload import OverloadConfig
from llcphone.config.process import ProcessConfig
from llcphone.config.realtime import LIVE_DEFAULTS, RealtimeConfig, refuse_with_live
from llcphone.config.records import RecordsConfig
from llcphone.config.recovery import RecoveryConfig
from llcphone.config.renewal import RenewalConfig
from llcphone.config.routes import RoutesConfig
from llcphone.config.server import ServerConfig
from llcphone.config.shared import SharedConfig
from llcphone.config.silence import SilenceConfig
from llcphone.config.store import StoreConfig
from llcphone.config.toml import in_sections, parse_toml
from llcphone.config.tools import ToolsConfig
from llcphone.config.transfers import TransfersConfig
from llcphone.config.turns import ONLY_TOOLS, TurnsConfig
from llcphone.config.twilio import TwilioConfig
from llcphone.config.warm import WarmConfig
from llcphone.config.webhook import WebhookConfig
from llcphone.config.wire import WireConfig
from llcphone.errors import ConfigError
from llcphone.languages import defaults
from llcphone.validation.arguments import need

Tables = dict[str, dict[str, Any]]


@frozen(kw_only=True)
class Config:
    """Every setting, in effect. Change one with ``attrs.evolve``."""

    realtime: RealtimeConfig = attrs.field(factory=RealtimeConfig)
    elsewhere: ElsewhereConfig = attrs.field(factory=ElsewhereConfig)
    live: LiveConfig = attrs.field(factory=LiveConfig)
    opening: OpeningConfig = attrs.field(factory=OpeningConfig)
    call: CallConfig = attrs.field(factory=CallConfig)
    wire: WireConfig = attrs.field(factory=WireConfig)
    server: ServerConfig = attrs.field(factory=ServerConfig)
    drain: DrainConfig = attrs.field(factory=DrainConfig)
    twilio: TwilioConfig = attrs.field(factory=TwilioConfig)
    outbound: OutboundConfig = attrs.field(factory=OutboundConfig)
    api: ApiConfig = attrs.field(factory=ApiConfig)
    warm: WarmConfig = attrs.field(factory=WarmConfig)
    recovery: RecoveryConfig = attrs.field(factory=RecoveryConfig)
    breaker: BreakerConfig = attrs.field(factory=BreakerConfig)
    filler: FillerConfig = attrs.field(factory=FillerConfig)
    renewal: RenewalConfig = attrs.field(factory=RenewalConfig)
    tools: ToolsConfig = attrs.field(factory=ToolsConfig)
    turns: TurnsConfig = attrs.field(factory=TurnsConfig)
    silence: SilenceConfig = attrs.field(factory=SilenceConfig)
    transfers: TransfersConfig = attrs.field(factory=TransfersConfig)
    money: MoneyConfig = attrs.field(factory=MoneyConfig)
    journal: JournalConfig = attrs.field(factory=JournalConfig)
    shared: SharedConfig = attrs.field(factory=SharedConfig)
    store: StoreConfig = attrs.field(factory=StoreConfig)
    calendar: CalendarConfig = attrs.field(factory=CalendarConfig)
    webhook: WebhookConfig = attrs.field(factory=WebhookConfig)
    overload: OverloadConfig = attrs.field(factory=OverloadConfig)
    process: ProcessConfig = attrs.field(factory=ProcessConfig)
    records: RecordsConfig = attrs.field(factory=RecordsConfig)
    log: LogConfig = attrs.field(factory=LogConfig)
    metrics: MetricsConfig = attrs.field(factory=MetricsConfig)
    console: ConsoleConfig = attrs.field(factory=ConsoleConfig)
    alarms: AlarmsConfig = attrs.field(factory=AlarmsConfig)
    agent: AgentConfig = attrs.field(factory=AgentConfig)
    routes: RoutesConfig = attrs.field(factory=RoutesConfig)
    company: CompanyConfig = attrs.field(factory=CompanyConfig)
    ivr: IvrConfig = attrs.field(factory=IvrConfig)

    def __attrs_post_init__(self) -> None:
        """Refuse settings that do not fit those of other sections."""
        endpoints_of(self.realtime, self.elsewhere)
        if self.realtime.protocol == "live":
            for section, reasons in _NOT_WITH_LIVE.items():
                refuse_with_live(section, getattr(self, section), reasons)
            if any(step.keys() - {"after_turn", "tools"} for step in self.turns.schedule):
                raise ConfigError("turns.schedule", ONLY_TOOLS, "keep only after_turn and tools")
            if self.renewal.at_age_s not in (0.0, RenewalConfig().at_age_s):
                raise ConfigError("renewal.at_age_s", _NO_RENEWAL, "remove it")

    @property
    def own_numbers(self) -> tuple[str, ...]:
        """The numbers we may show and call from, the usual one first."""
        return self.outbound.caller_ids or tuple(filter(None, [self.twilio.phone_number]))

    @property
    def endpoints(self) -> tuple[RealtimeConfig, ...]:
        """What the sessions of each endpoint are asked for; the engine has the same numbers for them."""
        return endpoints_of(self.realtime, self.elsewhere)

    def at(self, endpoint: int) -> Config:
        """The settings with those of this endpoint in `[realtime]`, and no others."""
        if not endpoint:
            return self
        return attrs.evolve(self, realtime=self.endpoints[endpoint], elsewhere=ElsewhereConfig())

    @property
    def shared_url(self) -> str:
        """The database in which processes count together; empty: each counts alone."""
        journal = self.journal.url if self.journal.enabled else ""
        return self.shared.url or (journal if journal.startswith("postgres") else "")

    @classmethod
    def from_toml(cls, text: str) -> Config:
        """Read the text of an ``llcphone.toml``.

        Raises:
            ConfigError: it is no TOML, or a key is unknown or has a value it may not have.
        """
        need(text, str, "Config.from_toml: text", "the text of a file; load_config takes its path")
        return cls.from_dict(parse_toml(text))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Config:
        """Make the settings from tables by section; what is absent has its default, in the language.

        Raises:
            ConfigError: a key is unknown (the nearest known one is named) or a value is refused.
        """
        need(data, Mapping, "Config.from_dict: data", "a table of sections")
        sections: dict[str, Any] = {}
        for name, table in _completed(in_sections(data)).items():
            if name not in SECTIONS:
                raise _unknown(name, [*SECTIONS, *SETTINGS])
            if not isinstance(table, Mapping):
                raise ConfigError(name, "is a section, not a setting", f"write [{name}] and its keys below")
            known = settings_of(SECTIONS[name])
            for key in table:
                if key not in known:
                    raise _unknown(f"{name}.{key}", SETTINGS)
            sections[name] = SECTIONS[name](
                **{key: known[key].read_value(value) for key, value in table.items()}
            )
        return cls(**sections)

    def to_dict(self, *, secrets: bool = False) -> Tables:
        """All settings as tables by section; without secrets unless they are asked for."""
        return self._tables(setting for setting in SETTINGS.values() if secrets or not setting.secret)

    def tuning(self) -> Tables:
        """What a snapshot keeps: all settings but those that belong to one deployment."""
        return self._tables(setting for setting in SETTINGS.values() if not setting.private)

    def value(self, key: str) -> Any:
        """The value of ``section.name``."""
        section, _, name = key.partition(".")
        return getattr(getattr(self, section), name)

    def check_ready_to_serve(self) -> None:
        """Raise ConfigError for the first thing that `llcphone serve` cannot do without.

        A placeholder counts as missing, save where the address is on loopback: a simulator takes any.
        """
        optional = (
            {"twilio.account_sid"}
            if self.server.check_signatures
            else {"twilio.account_sid", "twilio.auth_token"}
        )
        for key, missing in _NEEDED_TO_SERVE.items():
            value = self.value(key)
            endpoint = self.realtime.url if key.startswith("realtime.") else self.twilio.api_url
            if not value and key not in optional:
                raise ConfigError(key, *missing)
            if is_placeholder(value) and not is_loopback_url(endpoint):
                why, fix = missing
                raise ConfigError(key, why.replace("not set", "still a placeholder"), fix)
        for number, each in enumerate(self.endpoints[1:], 1):
            if not each.api_key:
                key, fix = f"elsewhere[{number}].api_key", "set it, or LLCPHONE_ELSEWHERE__API_KEYS in .env"
                raise ConfigError(key, "is missing: this host does not know the key of [realtime]", fix)
        sid = self.twilio.account_sid
        if sid and not _ACCOUNT_SID.fullmatch(sid) and not is_loopback_url(self.twilio.api_url):
            raise ConfigError("twilio.account_sid", "is not AC and 32 hexadecimal digits", _SID_FIX)

    def _tables(self, settings: Iterable[Setting]) -> Tables:
        tables: Tables = {}
        for setting in settings:
            tables.setdefault(setting.section, {})[setting.name] = copy.deepcopy(self.value(setting.key))
        return tables


SECTIONS: Mapping[str, type[Section]] = cast("dict[str, type[Section]]", get_type_hints(Config))
"""Section name to section class, in the order of `Config`."""

SETTINGS: Mapping[str, Setting] = {
    setting.key: setting for section in SECTIONS.values() for setting in settings_of(section).values()
}
"""Every setting by ``section.name``."""

# What the templates of .env files and consoles write: sk-..., sk-xxxx, ACxxxx, your_auth_token, <token>.
_PLACEHOLDER = re.compile(
    r"(sk-(proj-)?|ac|https?://)?(your\b|your[_-]|x{3,}|<|\*{3,}|changeme|replace[_-]).*|.*(\.\.\.|…).*",
    re.IGNORECASE,
)


def is_placeholder(text: str) -> bool:
    """Whether this was left as a template had it."""
    return _PLACEHOLDER.fullmatch(text) is not None


_NOT_WITH_LIVE = {
    "turns": {"barge_in_after_ms": "the model itself decides when to stop"},
    "warm": {"sessions": "a session that waits is billed, and ends after 31 s without audio"},
    "renewal": {"refresh_at_age_s": "the server shortens a full context by itself"},
}
"""By section: settings that have no meaning with ``realtime.protocol = "live"``, and why."""
_NO_RENEWAL = 'has no meaning with realtime.protocol = "live": a session lasts longer than a call'

_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_SID_FIX = "copy TWILIO_ACCOUNT_SID from Twilio's console (SK... is an API key, PN... a number)"

_NEEDED_TO_SERVE = {
    "realtime.api_key": ("OPENAI_API_KEY is not set: it pays for the model's sessions", "set it in .env"),
    "twilio.auth_token": (
        "TWILIO_AUTH_TOKEN is not set: it proves that webhooks are Twilio's",
        "copy it from Twilio's console to .env",
    ),
    "server.public_url": (
        "PUBLIC_URL is not set: it is where Twilio reaches this server",
        "set it in .env to the https:// address of your proxy or tunnel",
    ),
    "twilio.account_sid": (
        "TWILIO_ACCOUNT_SID is not set: it names the account",
        "copy it from Twilio's console to .env",
    ),
}


def protocol_defaults(data: Mapping[str, Any]) -> dict[str, str]:
    """What the protocol of these tables gives to settings that they do not set, by ``section.key``."""
    table = data.get("realtime", {})
    if not isinstance(table, Mapping) or table.get("protocol") != "live":
        return {}
    return {key: value for key, value in LIVE_DEFAULTS.items() if key.partition(".")[2] not in table}


def _completed(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tables with what their language and protocol give to settings that they leave out."""
    spoken = dict(data)
    for key, text in (defaults(data) | protocol_defaults(data)).items():
        section, _, name = key.partition(".")
        table = spoken.get(section, {})
        if isinstance(table, Mapping):  # if not, from_dict says what a section is
            spoken[section] = {**table, name: text}
    return spoken


def _unknown(name: str, known: Iterable[str]) -> ConfigError:
    """Names the nearest key: one or two of the same name elsewhere first, then the most similar."""
    candidates = list(known)
    same_name = [key for key in candidates if key.rpartition(".")[2] == name.rpartition(".")[2]]
    best = nearest(name, same_name or candidates)
    spelled = f"[{best}]" if best in SECTIONS else " or ".join(same_name if len(same_name) == 2 else [best])
    return ConfigError(name, "is not a setting", f"write {spelled} if you meant that, or remove it")
