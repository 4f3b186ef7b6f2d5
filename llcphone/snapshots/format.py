"""What a snapshot is, and its text.

A snapshot is a known-good configuration, whole: every setting that is not a secret and does not belong
to one deployment, the source of every agent module that those settings name, the prompts and tool
schemas that came of both, and the evidence that it was good. On disk it is one TOML file

    [snapshot]              who, when, why, the content hash
    [snapshot.versions]     of what it was good with
    [snapshot.evidence]     what was measured, and where
    [[snapshot.modules]]    each agent module: its path, its copy in the folder beside, its hash
    [[snapshot.agents]]     each agent's prompt and tools, as the model was told them
    [realtime] ...          the settings

and a folder of the same name with the copies. The hash covers the text but for its own line, and so,
by their hashes, the copies: one changed byte anywhere and the snapshot is refused. Nothing here
writes to a snapshot that exists.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from llcphone.config import SETTINGS, Config, parse_toml, toml_text, toml_value
from llcphone.errors import ConfigError

if TYPE_CHECKING:
    from llcphone.agent import Agent

FORMAT = 1
_DAMAGED = "copy its folder from where it was saved, or use another snapshot"
TUNED = "-TUNED-"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LINES = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*\n[^\x00-\x08\x0b-\x1f\x7f]*")
_LITERAL = re.compile(r"[^\x00-\x1f\x7f']*\"[^\x00-\x1f\x7f']*")
_HASH_LINE = re.compile(r'(?m)^hash = "sha256:[0-9a-f]{64}"\n')
_HEAD = """\
# A snapshot of llcphone: settings that were good, whole, with their evidence.
# It is never edited: its hash covers every byte of this file and of the folder beside it. Change the settings
# and save another one. "" means: not set, so not sent; the vendor's own default holds.

"""


@frozen
class Module:
    """An agent module as it was: ``path`` is the configuration's name for it, ``file`` that of its copy."""

    path: str
    file: str
    source: bytes = attrs.field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.source).hexdigest()


@frozen(kw_only=True)
class Snapshot:
    """A known-good configuration.

    Attributes:
        name: what it is called; on disk ``<name>-TUNED-<date>``.
        saved_at: when, as ISO 8601 in UTC; the date is its first ten characters.
        who: the person who declares it good.
        why: and why.
        good: False for what was only put aside, before a restore.
        versions: of llcphone and of what it depends on.
        evidence: what was measured, as `llcphone.snapshots.evidence` made it.
        settings: tables by section.
        modules: the agent modules that the settings name.
        agents: prompts and tools, as `shape_of` made them.
    """

    name: str
    saved_at: str
    who: str
    why: str
    good: bool = True
    versions: Mapping[str, str] = attrs.field(factory=dict)
    evidence: Mapping[str, Any] = attrs.field(factory=dict)
    settings: Mapping[str, Mapping[str, Any]]
    modules: tuple[Module, ...] = ()
    agents: tuple[Mapping[str, Any], ...] = ()

    @property
    def stem(self) -> str:
        """Its name on disk, without the suffix."""
        return f"{self.name}{TUNED}{self.saved_at[:10]}"

    @property
    def config(self) -> Config:
        """The settings as a `Config`; what one deployment adds has its default.

        Raises:
            ConfigError: this version knows a key no longer, or refuses its value.
        """
        return Config.from_dict(self.settings)

    def missing(self) -> list[str]:
        """Settings that came after it was saved: they have their defaults when it is restored."""
        return [
            key
            for key, setting in SETTINGS.items()
            if not setting.private and setting.name not in self.settings.get(setting.section, {})
        ]

    def text(self) -> str:
        """What is written, its hash included."""
        bare = self._text("")
        return self._text(f'hash = "sha256:{_hash(bare)}"\n')

    @property
    def content_hash(self) -> str:
        """The hash that its text carries."""
        return _hash(self._text(""))

    def _text(self, hash_line: str) -> str:
        about = {"format": FORMAT, "name": self.name, "saved_at": self.saved_at, "who": self.who}
        lines = ["[snapshot]\n", *_lines(about | {"why": self.why, "good": self.good}), hash_line]
        for name, table in (("versions", self.versions), ("evidence", self.evidence)):
            lines += [f"\n[snapshot.{name}]\n", *_lines(table)]
        for module in self.modules:
            told = {"path": module.path, "file": module.file, "sha256": module.sha256}
            lines += ["\n[[snapshot.modules]]\n", *_lines(told)]
        for agent in self.agents:
            lines += ["\n[[snapshot.agents]]\n", *_lines(agent)]
        return _HEAD + "".join(lines) + "\n" + toml_text(self.settings)


def read_text(text: str, sources: Mapping[str, bytes], name: str) -> Snapshot:
    """Read a snapshot back; ``sources`` are the files of the folder beside it, ``name`` is for complaints.

    Raises:
        ConfigError: it is no snapshot, of a newer format, or damaged.
    """
    tables = parse_toml(text)
    about = tables.pop("snapshot", None)
    if not isinstance(about, dict):
        raise ConfigError(
            name, "is not a snapshot: it has no [snapshot]", "name one of `llcphone snapshot list`"
        )
    if about.get("format") != FORMAT:
        raise ConfigError(
            name, f"has another format than {FORMAT}", "restore it with the llcphone that saved it"
        )
    said = about.get("hash")
    if len(_HASH_LINE.findall(text)) != 1 or said != f"sha256:{_hash(_HASH_LINE.sub('', text))}":
        raise ConfigError(name, "is damaged: its text is not what its hash says", "use another snapshot")
    modules = tuple(_read_module(each, sources, name) for each in about.get("modules", ()))
    return Snapshot(
        name=about["name"],
        saved_at=about["saved_at"],
        who=about["who"],
        why=about["why"],
        good=about["good"],
        versions=about["versions"],
        evidence=about["evidence"],
        settings=tables,
        modules=modules,
        agents=tuple(about.get("agents", ())),
    )


def _read_module(told: Mapping[str, str], sources: Mapping[str, bytes], name: str) -> Module:
    module = Module(told["path"], told["file"], sources.get(told["file"], b""))
    if told["file"] not in sources:
        raise ConfigError(
            name, f"is damaged: the copy of {module.path} is missing in the folder beside it", _DAMAGED
        )
    if module.sha256 != told["sha256"]:
        raise ConfigError(name, f"is damaged: the copy of {module.path} is not what its hash says", _DAMAGED)
    return module


def shape_of(name: str, agent: Agent) -> dict[str, Any]:
    """What an agent sends to the model, as a snapshot keeps it; what it leaves to the settings is ""."""
    return {
        "name": name,
        "instructions": agent.instructions,
        **({"backend_instructions": agent.backend_instructions} if agent.backend_instructions else {}),
        "voice": agent.voice or "",
        "opening": agent.opening or "",
        "greeting_cue": agent.greeting_cue or "",
        "priming": "" if agent.priming is None else agent.priming,
        "schedule": _plain(agent.schedule),
        "settings": _plain(agent.settings),
        "needs": _plain(agent.needs),
        "tool_groups": _plain(agent.tool_groups),
        "lean": [tool.name for tool in agent.tools.values() if tool.lean],
        "tools": [json.dumps(schema, sort_keys=True, ensure_ascii=False) for schema in agent.full_tools()],
    }


def _plain(value: Any) -> Any:
    """As it comes back out of TOML."""
    match value:
        case None:
            return ""
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}\n" for key, value in table.items()]


def _value(value: Any) -> str:
    """TOML of a value, for people: prompts line by line, JSON texts without escapes, where TOML can."""
    match value:
        case str() if _LINES.fullmatch(value) and "'''" not in value:
            return f"'''\n{value}'''"
        case str() if _LITERAL.fullmatch(value):
            return f"'{value}'"
        case [str(), *_]:
            return "[\n" + "".join(f"  {_value(each)},\n" for each in value) + "]"
        case _:
            return toml_value(value)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
