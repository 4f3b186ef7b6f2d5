"""A quart app without routes, as the server's app and the console's begin.

werkzeug compiles two functions for each route, which put an address together for `url_for`. That takes
most of the time of making an app, and nothing here asks for them. They are compiled at their first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quart.routing import QuartRule
from quart_trio import QuartTrio

from llcphone.server.quiet_log import without_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    Build = Callable[..., tuple[str, str]]
    """Host and path of an address, of the rule and the values of its parameters."""


class Route(QuartRule):
    """A rule that does not compile what only `url_for` needs."""

    # Not part of werkzeug's interface: a version without this name compiles as ever, and a test says so.
    def _compile_builder(self, append_unknown: bool = True) -> Build:
        compile_builder = super()._compile_builder
        builders: list[Build] = []

        def build(rule: Route, /, **values: Any) -> tuple[str, str]:
            if not builders:
                builders.append(compile_builder(append_unknown))
            return builders[0](rule, **values)

        return build


def new_app(name: str) -> QuartTrio:
    """An app without routes and static files, whose faults are logged without texts of its clients."""
    app = QuartTrio(name, static_folder=None)
    app.url_rule_class = Route
    without_texts(app.logger)
    return app
