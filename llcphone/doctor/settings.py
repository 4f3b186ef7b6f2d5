"""Settings: can they be read, is anything missing, are the secrets protected, what has changed?"""

from __future__ import annotations

import stat
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llcphone import snapshots
from llcphone.config import SETTINGS, parse_toml
from llcphone.config.addresses import is_loopback_url
from llcphone.doctor.agents import check_agents, load_agents
from llcphone.doctor.report import Finding, fail, good, refused, unknown, warn
from llcphone.doctor.start import listening, start
from llcphone.errors import ConfigError
from llcphone.phone.do_not_call import read_numbers
from llcphone.runtime.time_zones import NO_TABLE, has_table
from llcphone.validation.e164 import country_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.doctor.context import Check, DoctorContext

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_DIFFERENCES = 6
_NONE = "no known-good snapshot saved yet"
TOKEN_LENGTH = 32


async def configuration(context: DoctorContext) -> list[Finding]:
    """Whether it can be read, and out of what it was read."""
    if context.trouble is None:
        return [good("configuration", f"read: {_sources(context.path)}")]
    fix = f"change {context.trouble.key} as it says, or go back: llcphone snapshot restore <name>"
    return [fail("configuration", str(context.trouble), fix)]


def _sources(path: Path) -> str:
    """What there is to read, beside the environment."""
    files = [str(each) for each in (path, path.parent / ".env") if each.exists()]
    return ", ".join(files) or "the defaults and the environment (there is no file)"


async def ready(context: DoctorContext) -> list[Finding]:
    """Whether what every call needs is set."""
    try:
        context.config.check_ready_to_serve()
    except ConfigError as exc:
        return [refused("ready to serve", exc)]
    return [good("ready to serve", "key, token and public URL are set")]


async def token(context: DoctorContext) -> list[Finding]:
    """Twilio's tokens have one length; what is no token signs nothing."""
    value, api_url = context.config.twilio.auth_token, context.config.twilio.api_url
    if not value or len(value) == TOKEN_LENGTH or is_loopback_url(api_url):
        return []
    seen = f"twilio.auth_token has {len(value)} characters, Twilio's have {TOKEN_LENGTH}"
    fix = "copy the primary auth token from Twilio's console: complete, no quotes, no API key's secret"
    return [warn("auth token", seen, fix)]


async def console(context: DoctorContext) -> list[Finding]:
    """Whether its pages have an address of their own."""
    server, ours = context.config.server, context.config.console
    public = urlsplit(server.public_url)
    if ours.origins and f"{public.scheme}://{public.netloc}" in ours.origins:
        seen = "console.origins has the address at which calls come in, so everybody finds the pages"
        return [warn("console", seen, "give the console a name of its own, behind a login")]
    if ours.port and not ours.key:
        seen = "console.key is not set, so each start makes one, and only its output has a link"
        return [warn("console", seen, "set LLCPHONE_CONSOLE__KEY in .env; llcphone init makes one")]
    return [good("console", f"on port {ours.port}")] if ours.port else []


async def do_not_call(context: DoctorContext) -> list[Finding]:
    """A list that cannot be read stops every call of ours: known before the first."""
    if not (file := context.config.outbound.do_not_call_file):
        return []
    home = next(iter(context.config.own_numbers), "")
    try:
        listed = read_numbers(Path(file), country_of(home))
    except ConfigError as exc:
        return [refused("do-not-call list", exc)]
    return [good("do-not-call list", f"{len(listed)} numbers are never called")]


async def time_zones(context: DoctorContext) -> list[Finding]:
    """Whether this machine knows any, for quiet hours and the modes."""
    if has_table():
        return []
    return [fail("time zones", *NO_TABLE)]


async def file_modes(context: DoctorContext) -> list[Finding]:
    """Whether others may read the files that hold secrets."""
    findings, looked_at = [], []
    for file in (context.path.parent / ".env", context.path):
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if file == context.path and not _holds_secrets(file):
            continue
        looked_at.append(file.name)
        if mode & _OTHERS:
            seen = f"{file} may be read by others (mode {mode:o})"
            findings.append(warn("file modes", seen, f"chmod 600 {file}", offer="file modes"))
    private = f"only the owner may read {' and '.join(looked_at)}" if looked_at else "no file holds a secret"
    return findings or [good("file modes", private)]


def _holds_secrets(path: Path) -> bool:
    """Whether it does; a file that cannot be read as settings may."""
    try:
        tables = parse_toml(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, ConfigError):
        return True
    secret = [each for each in SETTINGS.values() if each.secret]
    return any(
        isinstance(tables.get(each.section), dict) and tables[each.section].get(each.name) for each in secret
    )


async def agent(context: DoctorContext) -> list[Finding]:
    """The agents that answer."""
    return [check_agents(context)]


async def snapshot(context: DoctorContext) -> list[Finding]:
    """What has changed since it worked."""
    folder = snapshots.folder_of(context.path)
    last = snapshots.load_last_good(folder)
    if last is None:
        seen = f"none in {folder} is known-good and can be read" if any(folder.glob("*.toml")) else _NONE
        return [warn("snapshot", seen, "llcphone snapshot save <name> --why <reason>")]
    try:
        load_agents(context)  # within its time limit; what fails is the finding of "agent"
        # not the agents as they answer here: their prompts name the company, and no snapshot does
        differences = snapshots.diff(context.config, last, agents=snapshots.agents_told(context.config))
    except ConfigError:
        fix = "see: llcphone doctor --only settings"
        return [unknown("snapshot", f"not compared with {last.stem}: the agents cannot be loaded", fix)]
    if not differences:
        return [good("snapshot", f"as in {last.stem}")]
    keys = [each.key for each in differences]
    more = f" and {len(keys) - _MOST_DIFFERENCES} more" if len(keys) > _MOST_DIFFERENCES else ""
    seen = f"differs from {last.stem}: {', '.join(keys[:_MOST_DIFFERENCES])}{more}"
    fix = f"see llcphone snapshot diff; back with llcphone snapshot restore {last.stem}"
    return [warn("snapshot", seen, fix)]


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "configuration": configuration,
        "ready to serve": ready,
        "auth token": token,
        "listening address": listening,
        "do-not-call list": do_not_call,
        "console": console,
        "time zones": time_zones,
        "file modes": file_modes,
        "agent": agent,
        "start": start,
        "snapshot": snapshot,
    }
)
