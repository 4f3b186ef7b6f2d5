"""An agent: who answers a call, with which words, voice and tools.

    agent = Agent("You answer the telephone of a bakery. Be brief.")

    @agent.tool(lean=True)
    async def opening_hours(day: Literal["weekday", "saturday", "sunday"]) -> str:
        "When the bakery is open."
        ...

Everything left None is the configuration's. An agent holds no call: one agent answers many.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import attrs

from llcphone.errors import ConfigError
from llcphone.languages import transcribed
from llcphone.tools.call_handle import CallHandle
from llcphone.tools.tool import Tool, ToolOptions, make_tool
from llcphone.validation.arguments import kind, need_function

if TYPE_CHECKING:
    from llcphone.config import Config
    from llcphone.tools.schema import ToolFunction

Opening = Literal["greet", "listen"]
BriefHook = Callable[[CallHandle], str]
StartHook = Callable[[CallHandle], Awaitable[None]]
DigitHook = Callable[[CallHandle, str], Awaitable[None]]

_TEXT = (str, type(None))


@attrs.define(eq=False)
class Agent:
    """What the caller hears as a person.

    Attributes:
        instructions: the static prompt, first in the context so that it is cached.
        name: for logs and records.
        voice: one of OpenAI's voices; fixed after the first audio.
        opening: ``greet`` or ``listen``.
        greeting_cue: the user message that makes the model greet.
        backend_instructions: GPT-Live only: the prompt of the text model that calls the tools, in place of
            ``instructions``.
        priming: whether to warm inference by a text-only response.
        schedule: what the session is told after which turn; see ``turns.schedule``.
        tool_groups: names of tools under one name, for the schedule.
        settings: sections of the configuration that are other for this agent's calls, as
            ``{"silence": {"after_s": 15}}``.
        needs: facts without which ``POST /outbound-call`` places no call of it, by their names there.
        stand_in: raw 8 kHz µ-law that a caller hears when the model is given up, before the apology: a
            menu of keys, for ``on_digit`` needs no model.
        tools: by name; filled by the ``tool`` decorator.
    """

    instructions: str = attrs.field(default="", validator=kind(str, "the prompt as text"))
    name: str = attrs.field(default="agent", kw_only=True, validator=kind(str, "a text"))
    voice: str | None = attrs.field(default=None, kw_only=True, validator=kind(_TEXT, "a voice's name"))
    opening: Opening | None = attrs.field(
        default=None, kw_only=True, validator=kind(_TEXT, '"greet" or "listen"')
    )
    greeting_cue: str | None = attrs.field(default=None, kw_only=True, validator=kind(_TEXT, "a text"))
    backend_instructions: str | None = attrs.field(
        default=None, kw_only=True, validator=kind(_TEXT, "the backend's prompt as text")
    )
    priming: bool | None = attrs.field(
        default=None, kw_only=True, validator=kind((bool, type(None)), "True or False")
    )
    schedule: Sequence[Mapping[str, Any]] = attrs.field(
        default=(), kw_only=True, validator=kind((list, tuple), "a list of entries, as turns.schedule")
    )
    tool_groups: Mapping[str, Sequence[str]] = attrs.field(
        factory=dict, kw_only=True, validator=kind(Mapping, "a table: name to names of tools")
    )
    settings: Mapping[str, Mapping[str, Any]] = attrs.field(
        factory=dict, kw_only=True, validator=kind(Mapping, 'a table: {"silence": {"after_s": 15}}')
    )
    needs: Sequence[str] = attrs.field(
        default=(), kw_only=True, validator=kind((list, tuple), "a list of names")
    )
    stand_in: bytes = attrs.field(
        default=b"", kw_only=True, repr=False, validator=kind(bytes, "raw 8 kHz µ-law")
    )
    tools: dict[str, Tool] = attrs.field(factory=dict, init=False)
    brief_hook: BriefHook | None = attrs.field(default=None, init=False)
    start_hook: StartHook | None = attrs.field(default=None, init=False)
    digit_hook: DigitHook | None = attrs.field(default=None, init=False)

    @overload
    def tool(self, function: ToolFunction, /) -> ToolFunction: ...
    @overload
    def tool(
        self, function: None = None, /, **options: Unpack[ToolOptions]
    ) -> Callable[[ToolFunction], ToolFunction]: ...
    def tool(self, function: ToolFunction | None = None, /, **options: Unpack[ToolOptions]) -> Any:
        """Offer an async function to the model; the function itself is returned unchanged.

        Args:
            function: the function, when used as a bare decorator.
            **options: see `llcphone.ToolOptions`.

        Raises:
            ConfigError: the function cannot be a tool, an option makes no sense, or the name is taken.
        """

        def add(function: ToolFunction) -> ToolFunction:
            tool = make_tool(function, **options)
            if tool.name in self.tools:
                raise ConfigError(
                    f"tool {tool.name}", "there are two tools of this name", "give one of them another name="
                )
            self.tools[tool.name] = tool
            return function

        return add if function is None else add(function)

    def offer_hang_up(self, description: str = "End the call, after saying good-bye.") -> None:
        """Give the model a silent, lean ``hang_up`` tool."""

        async def hang_up(call: CallHandle) -> str:
            call.hang_up()
            return "The call ends as soon as your last words were heard."

        self.tool(description=description, lean=True, silent=True)(hang_up)

    def brief(self, hook: BriefHook) -> BriefHook:
        """Let ``hook(call)`` say what stands last in the prompt of each call: the hour, who rings.

        It is asked once, when the call is born, and must not wait.
        """
        need_function(hook, "brief: hook", "a plain function (call) that returns a text")
        self.brief_hook = hook
        return hook

    def over(self, config: Config) -> Config:
        """The configuration as it is for this agent's calls.

        Raises:
            ConfigError: ``settings`` has what is no setting, or a value it may not have.
        """
        sections: dict[str, Any] = {}
        for name, table in self.settings.items():
            section: Any = getattr(config, name, None)
            known = {each.name for each in attrs.fields(type(section))} if section else set()
            if unknown := set(table) - known:
                raise ConfigError(
                    f"{name}.{min(unknown)}",
                    f"is no setting; agent {self.name} has it",
                    "correct its name in the agent's settings=",
                )
            if name == "realtime" and table.get("protocol", config.realtime.protocol) != section.protocol:
                raise ConfigError(
                    "realtime.protocol",
                    f"is the same for all agents of a phone; agent {self.name} has another",
                    "set it in llcphone.toml",
                )
            if name == "realtime" and table.get("transcription_model"):
                heard = section.transcription_language or transcribed(config.company.language) or None
                table = {"transcription_language": heard, **table}
            sections[name] = attrs.evolve(section, **table)
        return attrs.evolve(config, **sections) if sections else config

    def on_start(self, hook: StartHook) -> StartHook:
        """Run ``hook(call)`` as a task of the call when its media stream has started."""
        need_function(hook, "on_start: hook", "an async function (call)", waits=True)
        self.start_hook = hook
        return hook

    def on_digit(self, hook: DigitHook) -> DigitHook:
        """Run ``hook(call, digit)`` for every key the caller presses."""
        need_function(hook, "on_digit: hook", "an async function (call, digit)", waits=True)
        self.digit_hook = hook
        return hook

    def lean_tools(self) -> list[dict[str, Any]]:
        """Schemas for the first turn: the lean ones, or all when none is marked lean."""
        lean = [dict(tool.schema) for tool in self.tools.values() if tool.lean]
        return lean or self.full_tools()

    def full_tools(self) -> list[dict[str, Any]]:
        """Schemas of every tool."""
        return [dict(tool.schema) for tool in self.tools.values()]

    def undescribed_tools(self) -> list[str]:
        """Names of tools that have neither a docstring nor ``description=``."""
        return [name for name, tool in self.tools.items() if not tool.schema["description"].strip()]


@attrs.frozen
class Agents:
    """Several agents of one phone, by name: the API asks for one, every other call gets the first."""

    by_name: Mapping[str, Agent]

    def __call__(self, form: Mapping[str, str]) -> Agent:
        """The first."""
        return next(iter(self.by_name.values()))


def agents_of(choice: object) -> Mapping[str, Agent]:
    """The agents that can be asked for by name; a function that chooses names none."""
    if isinstance(choice, Agent):
        return {choice.name: choice}
    return choice.by_name if isinstance(choice, Agents) else {}
