"""How a bridge is started, and what it can be asked for: one JSON object.

    {"name": "my bridge",
     "cmd": ["{python}", "server.py", "--port", "{port}"],     or one string, split as a shell would
     "cwd": "/path/to/it",
     "env": {"REALTIME_URL": "{model_url}"},
     "webhook": "/incoming-call",
     "dialect": "ga",
     "slow_tools": ["look_up", "check_stock"],
     "signatures": true, "tokens": false}

Only ``cmd`` is needed. The address of the model must reach the bridge somehow: by ``env`` or in ``cmd``.
In both, ``{port}``, ``{model_url}``, ``{public_url}``, ``{public_host}``, ``{api_key}``, ``{auth_token}``,
``{account_sid}``, ``{twilio_url}``, ``{folder}`` (an empty one of its own) and ``{python}`` (this one) are
filled in.
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any, Literal

import attrs
import msgspec

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT_SID = "AC" + "7" * 32
AUTH_TOKEN = "7" * 32
API_KEY = "sk-torture-0123456789"
PUBLIC_HOST = "bridge.torture.example"

PASSED_ON = "PATH HOME LANG LC_ALL TMPDIR VIRTUAL_ENV PYTHONPATH NODE_PATH SYSTEMROOT"
"""All that a bridge gets of this process's environment: no key, so no call of a trial can cost money."""


class ProfileError(Exception):
    """A profile that cannot be used; the text says why."""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A bridge to be tried."""

    cmd: str | list[str]
    name: str = "the bridge"
    cwd: str = ""
    """Where it is started; empty: in an empty folder."""
    env: dict[str, str] = {}
    port: int = 0
    """The port it will listen on, if that cannot be chosen: trials then run one at a time."""
    webhook: str = "/twiml"
    """Path of the voice webhook (POST)."""
    dialect: Literal["ga", "flat", "both"] = "ga"
    """What the simulated Realtime API speaks."""
    start_s: float = 30.0
    """How long it may take until it accepts connections."""
    slow_tools: list[str] = []
    """Two tools that take ``tool_s`` each, offered from the beginning; none: their trials do not apply."""
    tool_arguments: dict[str, Any] = {}
    tool_s: float = 3.0
    signatures: bool = False
    """Whether it checks Twilio's signatures, against ``{public_url}`` and ``{auth_token}``."""
    tokens: bool = False
    """Whether a media stream needs a token that is good once."""
    stream_deadline_s: float = 5.0
    """How long it waits for a media stream that never comes."""

    def words(self) -> list[str]:
        return shlex.split(self.cmd) if isinstance(self.cmd, str) else list(self.cmd)


def read_profile(path: Path) -> Profile:
    """Read a profile from a JSON file.

    Raises:
        ProfileError: it cannot be read, or has a field it may not have.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Profile)
    except (OSError, msgspec.DecodeError) as error:
        raise ProfileError(f"{path}: {error}") from None


@attrs.frozen(kw_only=True)
class Place:
    """The addresses of one bridge between the simulators."""

    port: int
    model_url: str
    twilio_url: str
    folder: str
    """Its own, and empty."""

    @property
    def public_url(self) -> str:
        """What Twilio believes to call; a tunnel leads from there to ``port``."""
        return f"https://{PUBLIC_HOST}"

    def fill(self, text: str) -> str:
        """Put values in for the names in braces."""
        values = {
            "port": str(self.port),
            "model_url": self.model_url,
            "public_url": self.public_url,
            "public_host": PUBLIC_HOST,
            "api_key": API_KEY,
            "auth_token": AUTH_TOKEN,
            "account_sid": ACCOUNT_SID,
            "twilio_url": self.twilio_url,
            "folder": self.folder,
            "python": sys.executable,
        }
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        return text

    def environment(self, profile: Profile, outer: dict[str, str]) -> dict[str, str]:
        env = {name: outer[name] for name in PASSED_ON.split() if name in outer}
        env |= {
            "PORT": str(self.port),
            "OPENAI_API_KEY": API_KEY,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "PUBLIC_URL": self.public_url,
        }
        return env | {name: self.fill(value) for name, value in profile.env.items()}
