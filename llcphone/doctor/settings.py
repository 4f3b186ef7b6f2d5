"""Settings: can they be read, is anything missing, who may read the secrets, what changed since it worked."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from llcphone import snapshots
from llcphone.config import SETTINGS, parse_toml
from llcphone.doctor.agents import examine_agents
from llcphone.doctor.report import Finding, Status, fail, good, warn
from llcphone.errors import ConfigError
from llcphone.guard import country_of
from llcphone.guard_files import read_numbers
from llcphone.settings import Loaded, hides_from_its_platform
from llcphone.time_zones import NO_TABLE, has_table
from llcphone.web_address import is_loopback_url

if TYPE_CHECKING:
    from llcphone.doctor.case import Case

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_DIFFERENCES = 6
TOKEN_LENGTH = 32


async def settings(case: Case) -> list[Finding]:
    """All of it."""
    if case.trouble is not None:
        fix = f"change {case.trouble.key} as it says, or go back: llcphone snapshot restore <name>"
        return [fail("configuration", str(case.trouble), fix), *file_modes(case.path)]
    findings = [good("configuration", f"read: {_sources(case.path)}")]
    findings += [_ready(case), *_token(case), _listening(case)]
    findings += _outbound(case)
    findings += file_modes(case.path)
    findings.append(agent := examine_agents(case))
    if agent.status is not Status.FAIL:
        findings.append(_snapshot(case))
    return findings


def _sources(path: Path) -> str:
    """What there is to read, beside the environment."""
    files = [str(each) for each in (path, path.parent / ".env") if each.exists()]
    return ", ".join(files) or "the defaults and the environment (there is no file)"


def _ready(case: Case) -> Finding:
    try:
        case.config.check_ready_to_serve()
    except ConfigError as exc:
        return fail("ready to serve", str(exc), f"set {exc.key}; llcphone init asks for what is needed")
    return good("ready to serve", "key, token and public URL are set")


def _token(case: Case) -> list[Finding]:
    """Twilio's tokens have one length; what is no token signs nothing."""
    token, api_url = case.config.twilio.auth_token, case.config.twilio.api_url
    if not token or len(token) == TOKEN_LENGTH or is_loopback_url(api_url):
        return []
    seen = f"twilio.auth_token has {len(token)} characters, Twilio's have {TOKEN_LENGTH}"
    fix = "copy the primary auth token from Twilio's console: no API key's secret, whole, without quotes"
    return [warn("auth token", seen, fix)]


def _listening(case: Case) -> Finding:
    server = case.config.server
    where = f"the server listens on {server.host}, port {server.port}"
    if variable := hides_from_its_platform(Loaded(case.config, dict(case.origin)), case.environ):
        seen = f"{where}, so nothing outside this machine reaches it, and the environment has {variable}"
        fix = 'set server.host = "0.0.0.0" (LLCPHONE_SERVER__HOST); beside a tunnel or proxy of this machine '
        return warn("listening address", seen, f'{fix}"127.0.0.1" says that it is meant')
    return good("listening address", where)


def _outbound(case: Case) -> list[Finding]:
    """What would stop every call of ours, or the modes: known before the first call."""
    config, findings = case.config, []
    if file := config.outbound.do_not_call_file:
        home = next(iter(config.own_numbers), "")
        try:
            listed = read_numbers(Path(file), country_of(home))
        except ConfigError as exc:
            findings.append(fail("do-not-call list", str(exc), "correct the file: nobody is called"))
        else:
            findings.append(good("do-not-call list", f"{len(listed)} numbers are never called"))
    if not has_table():
        findings.append(fail("time zones", NO_TABLE.partition(".")[0], "install the package tzdata"))
    return findings


def file_modes(path: Path) -> list[Finding]:
    """Whether others may read the files that hold secrets."""
    findings, looked_at = [], []
    for file in (path.parent / ".env", path):
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError:
            continue
        if file == path and not _holds_secrets(path):
            continue
        looked_at.append(file.name)
        if mode & _OTHERS:
            seen = f"{file} may be read by others (mode {mode:o})"
            findings.append(warn("file modes", seen, f"chmod 600 {file}", offer="file modes"))
    private = f"only the owner may read {' and '.join(looked_at)}" if looked_at else "no file holds a secret"
    return findings or [good("file modes", private)]


def _holds_secrets(path: Path) -> bool:
    try:
        tables = parse_toml(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, ConfigError):
        return False
    secret = [each for each in SETTINGS.values() if each.secret]
    return any(
        isinstance(tables.get(each.section), dict) and tables[each.section].get(each.name) for each in secret
    )


def _snapshot(case: Case) -> Finding:
    last = snapshots.load_last_good(snapshots.folder_of(case.path))
    if last is None:
        return warn(
            "snapshot", "no known-good snapshot saved yet", "llcphone snapshot save <name> --why <reason>"
        )
    # Not the agents as they answer here: company and destinations stand in their prompts, and in no snapshot.
    differences = snapshots.diff(case.config, last, agents=snapshots.agents_told(case.config))
    if not differences:
        return good("snapshot", f"as in {last.stem}")
    keys = [each.key for each in differences]
    more = f" and {len(keys) - _MOST_DIFFERENCES} more" if len(keys) > _MOST_DIFFERENCES else ""
    seen = f"differs from {last.stem}: {', '.join(keys[:_MOST_DIFFERENCES])}{more}"
    return warn(
        "snapshot", seen, f"see llcphone snapshot diff; back with llcphone snapshot restore {last.stem}"
    )
