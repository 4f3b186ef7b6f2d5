"""``llcphone init``: the few things that nobody can guess, asked once and written down.

Secrets and what belongs to the deployment go to ``.env`` (for its owner's eyes only), the rest to
``llcphone.toml``. What stands there already is offered as the answer and stays unless another is given.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import frozen

from llcphone import settings
from llcphone.config import Config, toml_text
from llcphone.errors import ConfigError
from llcphone.process.env_file import set_variables, write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@frozen
class Question:
    """One thing that is asked."""

    variable: str
    key: str
    text: str
    secret: bool = False


QUESTIONS = (
    Question("OPENAI_API_KEY", "realtime.api_key", "OpenAI API key (sk-...)", secret=True),
    Question("TWILIO_ACCOUNT_SID", "twilio.account_sid", "Twilio account SID (AC...; needed to dial)"),
    Question("TWILIO_AUTH_TOKEN", "twilio.auth_token", "Twilio primary auth token", secret=True),
    Question("TWILIO_PHONE_NUMBER", "twilio.phone_number", "Your Twilio number, as +<country><number>"),
    Question("PUBLIC_URL", "server.public_url", "Public https:// URL (empty: llcphone tunnel finds one)"),
)
PROMPT = "What shall the agent be told? (one line; longer later, in llcphone.toml or an agent module)"
_USUAL_PROMPT = "You answer the telephone. Be brief and friendly, and say so when you do not know something."


def run_init(
    path: Path, *, ask: Callable[[str, bool], str], tell: Callable[[str], None], force: bool = False
) -> int:
    """Ask, check, write.

    Args:
        path: the settings file.
        ask: puts a question to a person; told whether the answer is a secret. "" keeps what there is.
        tell: takes a line for them.
        force: write the settings file anew though there is one.
    """
    env = path.parent / ".env"
    answers: dict[str, str] = {}
    for question in QUESTIONS:
        known = _known(path, question)
        while True:
            kept = " [Enter keeps what is set]" if known else ""
            answer = ask(f"{question.text}{kept}: ", question.secret).strip()
            trouble = _trouble(question, answer)
            if not trouble:
                break
            tell(f"  {trouble}")
        if answer:
            answers[question.variable] = answer
    if answers:
        set_variables(env, answers)
        tell(f"wrote {env} (mode 600)")
    if path.exists() and not force:
        tell(f"{path} stays as it is (--force writes it anew)")
    else:
        prompt = ask(f"{PROMPT}\n[{_USUAL_PROMPT}]: ", False).strip() or _USUAL_PROMPT
        write_private(path, _settings_text(prompt))
        tell(f"wrote {path}")
    return _next(path, tell)


def _known(path: Path, question: Question) -> bool:
    try:
        loaded = settings.load(path if path.exists() else None)
    except ConfigError:
        return False
    return bool(loaded.config.value(question.key))


def _trouble(question: Question, answer: str) -> str:
    """What is wrong with an answer; "" when nothing is."""
    section, _, name = question.key.partition(".")
    if not answer:
        return ""
    try:
        Config.from_dict({section: {name: answer}})
    except ConfigError as exc:
        return f"{question.variable} {exc.why}"
    return ""


def _settings_text(prompt: str) -> str:
    head = (
        "# Settings of llcphone. `llcphone config --explain` shows all of them and where each comes from;\n"
        "# keys, tokens and numbers stand in .env.\n\n"
    )
    tables: Mapping[str, Mapping[str, str]] = {"agent": {"instructions": prompt}}
    return head + toml_text(tables)


def _next(path: Path, tell: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> int:
    """Say what comes next; 1 while something is missing."""
    config = settings.load(path, environ=environ).config
    try:
        config.check_ready_to_serve()
    except ConfigError as exc:
        tell(f"still missing: {exc}")
        return 1
    tell("next: llcphone restart, llcphone number set-webhook, llcphone doctor")
    return 0
