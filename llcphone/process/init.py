"""``llcphone init``: asks once for the few settings without a default, and writes them down.

Secrets and the deployment's own values go to ``.env`` (mode 600), the rest to ``llcphone.toml``. Random keys
for the API and the console are written unless there are some. Existing values stay unless another answer is
given, and so do comments, order and all other lines. Defaults are not written.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from attrs import frozen

from llcphone import settings
from llcphone.config import SETTINGS, Config
from llcphone.errors import ConfigError
from llcphone.process.env_file import set_variables
from llcphone.process.settings_file import edited
from llcphone.runtime.atomic_write import read_file, replace_file
from llcphone.validation.e164 import e164

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Ask = Callable[[str, bool], str]


@frozen
class Question:
    variable: str
    key: str
    text: str
    secret: bool = False

    @property
    def given_by(self) -> str:
        """What gives the answer to the command: an option, or for secrets the environment."""
        return self.variable if self.secret else _OPTIONS.get(self.variable, f"--{self.variable}")


_OPTIONS = {
    "TWILIO_ACCOUNT_SID": "--account-sid",
    "TWILIO_PHONE_NUMBER": "--number",
    "PUBLIC_URL": "--public-url",
}

MADE = {
    "api.key": "a key for the API, which llcphone call uses while the server runs",
    "console.key": "a key for the console, with which llcphone console makes links",
}
"""Secrets that are made by chance, and what they are."""

QUESTIONS = (
    Question("OPENAI_API_KEY", "realtime.api_key", "OpenAI API key (sk-...)", secret=True),
    Question("TWILIO_ACCOUNT_SID", "twilio.account_sid", "Twilio account SID (AC...; needed to dial)"),
    Question("TWILIO_AUTH_TOKEN", "twilio.auth_token", "Twilio primary auth token", secret=True),
    Question("TWILIO_PHONE_NUMBER", "twilio.phone_number", "Your Twilio number, as +<country><number>"),
    Question("PUBLIC_URL", "server.public_url", "Public https:// URL (empty: llcphone tunnel finds one)"),
)
PROMPT = "Instructions for the agent (one line; longer later, in llcphone.toml or an agent module)"
_KEEPS = "[Enter keeps the present value]"
_HEAD = (
    "# Settings of llcphone. `llcphone config --explain` shows all of them and where each comes from;\n"
    "# keys, tokens and numbers are in .env.\n"
)
_USUAL_PROMPT = "You answer the telephone. Be brief and friendly, and say so when you do not know something."
OWN = "own"
"""The calls are answered by an agent of the user's own, not by a mode that ships."""
CHOICES = (
    Question("company", "company.name", "Your company's name, as it is spoken"),
    Question("language", "company.language", "Language of the calls, such as en or es-MX [en]"),
    Question("voice", "realtime.voice", "Voice of the agent [cedar]"),
    Question(
        "mode", "routes.default", f"Who answers: receptionist, ivr, csr, or an agent of your {OWN} [{OWN}]"
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
        ask: puts a question to a person; given whether the answer is a secret. "" keeps what there is. None:
            no questions can be asked.
        force: write the settings file anew though there is one; its comments are gone then.
        given: answers that are known already, by the variable of their question, or "prompt".

    Raises:
        ConfigError: a given answer is wrong, or a file cannot be written there.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ConfigError(str(path), "cannot be a settings file", "name a file in a folder that exists")
    new = force or not path.exists()
    before = _HEAD if new else _present(path)
    known = _known(path, anew=force)
    answered = _answers(ask, tell, dict(given or {}), known, new=new)
    answers = {name: answered[name] for name in (each.variable for each in QUESTIONS) if answered.get(name)}
    env = path.parent / ".env"
    for key, what in MADE.items():
        if key not in known:
            answers[SETTINGS[key].variable] = secrets.token_urlsafe(32)
            tell(f"made {what} ({SETTINGS[key].variable})")
    if answers:
        set_variables(env, answers)
        tell(f"wrote {env} (mode 600)")
    after = edited(before, _values(answered, known, new=new))
    if new or after != before:
        replace_file(path, after.encode())
        tell(f"wrote {path}")
    else:
        tell(f"{path} stays as it is")
    for line in _in_the_way(answered, known):
        tell(line)
    return _next(path, tell)


def _present(path: Path) -> str:
    """The settings file as it is.

    Raises:
        ConfigError: it cannot be read, so it cannot be changed either.
    """
    text = read_file(path)
    try:
        Config.from_toml(text)
    except ConfigError as exc:
        fix = f"{exc.fix}; or replace the file with --force"
        raise ConfigError(exc.key, f"{exc.why} (from {path})", fix) from None
    return text


def _known(path: Path, *, anew: bool) -> frozenset[str]:
    """The settings that somebody has chosen; of those in a file that is written anew, none."""
    try:
        loaded = settings.load(path if path.exists() else None, text="" if anew else None)
    except ConfigError:
        return frozenset()
    by_nobody = (settings.DEFAULT_ORIGIN, "company.language = ")
    chosen = {key for key, origin in loaded.origin.items() if not origin.startswith(by_nobody)}
    return frozenset(key for key in chosen if loaded.config.value(key))


def _answers(
    ask: Ask | None, tell: Callable[[str], None], given: dict[str, str], known: frozenset[str], *, new: bool
) -> dict[str, str]:
    """Every answer that is given or asked for; one that cannot be right is asked for again."""
    for question in (*QUESTIONS, *CHOICES):
        if question.variable in given:
            given[question.variable] = _spelt(question, given[question.variable])
            if trouble := _trouble(question, given[question.variable]):
                why, fix = trouble
                raise ConfigError(question.given_by, why, fix)
            continue
        kept = f" {_KEEPS}" if question.key in known else ""
        while ask is not None:
            given[question.variable] = _spelt(question, ask(f"{question.text}{kept}: ", question.secret))
            if (trouble := _trouble(question, given[question.variable])) is None:
                break
            why, fix = trouble
            tell(f"  {why}. Fix: {fix}")
    own = given.get("mode") or (OWN if new or "agent.instructions" in known else "")
    if ask is not None and "prompt" not in given and own == OWN and "agent.file" not in known:
        usual = _KEEPS if "agent.instructions" in known else f"[{_USUAL_PROMPT}]"
        given["prompt"] = ask(f"{PROMPT}\n{usual}: ", False).strip()
    return given


def _spelt(question: Question, answer: str) -> str:
    """An answer as settings have it; people write numbers with spaces."""
    answer = answer.strip()
    return (e164(answer, None) or answer) if question.key == "twilio.phone_number" else answer


def _trouble(question: Question, answer: str) -> tuple[str, str] | None:
    """What is wrong with an answer, and the fix; None when nothing is."""
    section, _, name = question.key.partition(".")
    if not answer or (question.variable == "mode" and answer == OWN):
        return None
    try:
        Config.from_dict({section: {name: answer}})
    except ConfigError as exc:
        return f"{question.variable} {exc.why}", exc.fix
    return None


def _values(answers: Mapping[str, str], known: frozenset[str], *, new: bool) -> dict[str, str]:
    """The answers that go to the settings file, by their settings."""
    values = {each.key: answers[each.variable] for each in CHOICES if answers.get(each.variable)}
    mode = values.pop("routes.default", OWN if new else "")
    if mode not in ("", OWN):
        values["routes.default"] = mode
    elif prompt := answers.get("prompt"):
        values["agent.instructions"] = prompt
    elif mode == OWN and not known & {"agent.instructions", "agent.file"}:
        values["agent.instructions"] = _USUAL_PROMPT
    return values


def _in_the_way(answers: Mapping[str, str], known: frozenset[str]) -> list[str]:
    """Settings that stay, and that take precedence over the answers."""
    stays: set[str] = set()
    if answers.get("mode") not in (None, "", OWN):
        stays = {"agent.file", "agent.instructions"}
    elif answers.get("prompt"):
        stays = {"agent.file"}
    return [f"{key} is set and wins: take it out, then calls are answered as asked" for key in known & stays]


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
