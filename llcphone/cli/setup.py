"""``llcphone init``: the first settings."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Literal

from llcphone import settings
from llcphone.cli.options import ConfigPath
from llcphone.process.init import QUESTIONS, run_init


def init(
    *,
    company: str | None = None,
    language: str | None = None,
    voice: str | None = None,
    mode: Literal["own", "receptionist", "ivr", "csr"] | None = None,
    prompt: str | None = None,
    account_sid: str | None = None,
    number: str | None = None,
    public_url: str | None = None,
    config: ConfigPath = None,
    force: bool = False,
) -> None:
    """Ask what is needed, and write it to llcphone.toml and .env; all else in them stays as it is.

    What is given by an option is not asked. Without a terminal nothing is asked: secrets are then taken from
    the environment (OPENAI_API_KEY, TWILIO_AUTH_TOKEN).

    Args:
        company: your company's name, as it is spoken.
        language: of the calls, such as en or es-MX.
        voice: of the agent.
        mode: the agent that answers: your own, or a ready-made one.
        prompt: instructions for an agent of your own, in one line.
        account_sid: Twilio's account, AC...
        number: your Twilio number, as +<country><number>.
        public_url: where Twilio reaches this server, https://...
        force: replace llcphone.toml; its old content is lost.
    """
    options = {"company": company, "language": language, "voice": voice, "mode": mode, "prompt": prompt}
    options |= {"TWILIO_ACCOUNT_SID": account_sid, "TWILIO_PHONE_NUMBER": number, "PUBLIC_URL": public_url}
    asks = sys.stdin.isatty()
    if not asks:
        secrets = [each.variable for each in QUESTIONS if each.secret]
        options |= {name: os.environ.get(name) or None for name in secrets}

    def ask(question: str, secret: bool) -> str:
        return getpass.getpass(question) if secret else input(question)

    given = {name: value for name, value in options.items() if value is not None}
    path = config or settings.DEFAULT_FILE
    sys.exit(run_init(path, ask=ask if asks else None, tell=print, force=force, given=given))
