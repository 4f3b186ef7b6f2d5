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

    Ask = Callable[[str, bool], str]


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
PROMPT = "Instructions for the agent (one line; longer later, in llcphone.toml or an agent module)"
_USUAL_PROMPT = "You answer the telephone. Be brief and friendly, and say so when you do not know something."
OWN = "own"
"""Who answers is an agent of one's own, not a mode that ships."""
CHOICES = (
    Question("company", "company.name", "Your company's name, as it is spoken"),
    Question("language", "company.language", "Language of the calls, such as en or es-MX [en]"),
    Question("voice", "realtime.voice", "Voice of the agent [cedar]"),
    Question(
        "mode", "routes.otherwise", f"Who answers: receptionist, ivr, csr, or an agent of your {OWN} [{OWN}]"
    ),
)
"""What goes to the settings file; the variable is the option's name."""


def run_init(
    path: Path,
    *,
    ask: Ask | None,
    tell: Callable[[str], None],
    force: bool = False,
    given: Mapping[str, str] | None = None,
) -> int:
    """Ask, check, write.

    Args:
        path: the settings file.
        ask: puts a question to a person; given whether the answer is a secret. "" keeps what there is. None:
            there is nobody to ask.
        tell: takes a line for them.
        force: write the settings file anew though there is one.
        given: answers that are known already, by the variable of their question, or "prompt".

    Raises:
        ConfigError: a given answer is wrong, or a file cannot be written there.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ConfigError(
            str(path), "is no place for a settings file. Fix: name a file in a folder that is there"
        )
    answered = _answers(path, ask, tell, dict(given or {}), new=force or not path.exists())
    answers = {name: answered[name] for name in (each.variable for each in QUESTIONS) if answered.get(name)}
    env = path.parent / ".env"
    if answers:
        set_variables(env, answers)
        tell(f"wrote {env} (mode 600)")
    if path.exists() and not force:
        tell(f"{path} stays as it is (--force writes it anew)")
    else:
        write_private(path, _settings_text(answered))
        tell(f"wrote {path}")
    return _next(path, tell)


def _answers(
    path: Path, ask: Ask | None, tell: Callable[[str], None], given: dict[str, str], *, new: bool
) -> dict[str, str]:
    """Every answer that is given or asked for; one that cannot be right is asked for again."""
    for question in (*QUESTIONS, *(CHOICES if new else ())):
        if question.variable in given:
            if trouble := _trouble(question, given[question.variable]):
                raise ConfigError(f"--{question.variable.lower().replace('_', '-')}", trouble)
            continue
        kept = " [Enter keeps what is set]" if question in QUESTIONS and _known(path, question) else ""
        trouble = "" if ask is None else "not asked yet"
        while ask is not None and trouble:
            given[question.variable] = ask(f"{question.text}{kept}: ", question.secret).strip()
            if trouble := _trouble(question, given[question.variable]):
                tell(f"  {trouble}")
    if new and ask is not None and "prompt" not in given and given.get("mode", OWN) in ("", OWN):
        given["prompt"] = ask(f"{PROMPT}\n[{_USUAL_PROMPT}]: ", False).strip()
    return given


def _known(path: Path, question: Question) -> bool:
    try:
        loaded = settings.load(path if path.exists() else None)
    except ConfigError:
        return False
    return bool(loaded.config.value(question.key))


def _trouble(question: Question, answer: str) -> str:
    """What is wrong with an answer; "" when nothing is."""
    section, _, name = question.key.partition(".")
    if not answer or (question.variable == "mode" and answer == OWN):
        return ""
    try:
        Config.from_dict({section: {name: answer}})
    except ConfigError as exc:
        return f"{question.variable} {exc.why}"
    return ""


def _settings_text(answers: Mapping[str, str]) -> str:
    head = (
        "# Settings of llcphone. `llcphone config --explain` shows all of them and where each comes from;\n"
        "# keys, tokens and numbers stand in .env.\n\n"
    )
    mode = answers.get("mode") or OWN
    tables: dict[str, dict[str, str]] = {}
    for question in CHOICES:
        section, _, name = question.key.partition(".")
        if (answer := answers.get(question.variable)) and answer != OWN:
            tables.setdefault(section, {})[name] = answer
    if mode == OWN:
        tables["agent"] = {"instructions": answers.get("prompt") or _USUAL_PROMPT}
    return head + toml_text(tables)


def _next(path: Path, tell: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> int:
    """Say what comes next; 1 while something is missing."""
    config = settings.load(path, environ=environ).config
    try:
        config.check_ready_to_serve()
    except ConfigError as exc:
        tell(f"still missing: {exc}")
        return 1
    tell("next: llcphone start, llcphone number set-webhook, llcphone doctor")
    return 0
