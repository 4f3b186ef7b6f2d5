"""Settings, section by section: types, ranges, defaults."""

from llcphone.config.config import SECTIONS as SECTIONS
from llcphone.config.config import SETTINGS as SETTINGS
from llcphone.config.config import Config as Config
from llcphone.config.journal import JournalConfig as JournalConfig
from llcphone.config.log import LogConfig as LogConfig
from llcphone.config.realtime import RealtimeConfig as RealtimeConfig
from llcphone.config.records import RecordsConfig as RecordsConfig
from llcphone.config.server import ServerConfig as ServerConfig
from llcphone.config.toml import parse_toml as parse_toml
from llcphone.config.toml import toml_text as toml_text
from llcphone.config.toml import toml_value as toml_value
from llcphone.config.twilio import TwilioConfig as TwilioConfig
