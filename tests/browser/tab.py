"""A tab as a person has it: behind another one it is hidden, and its timers are slowed down.

Playwright tells its own pages that they are in front, wherever they are. So this one is worked by the
browser's protocol.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, CDPSession, Page

POLL_MS = 50


@contextmanager
def tabs(browser: Browser) -> Iterator[Callable[[], Tab]]:
    """A browser profile; the function opens a tab in front of the others."""
    session, pump = browser.new_browser_cdp_session(), browser.new_page()
    profile = session.send("Target.createBrowserContext")["browserContextId"]
    try:
        yield lambda: Tab(session, profile, pump)
    finally:
        session.send("Target.disposeBrowserContext", {"browserContextId": profile})
        session.detach()
        pump.close()


class Tab:
    """One tab of such a profile."""

    def __init__(self, session: CDPSession, profile: str, pump: Page) -> None:
        self._session = session
        self._pump = pump
        """Playwright hears of nothing but while it is asked for something."""
        self._numbers = count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        place = {"url": "about:blank", "browserContextId": profile}
        target = {"targetId": session.send("Target.createTarget", place)["targetId"]}
        self._id = session.send("Target.attachToTarget", target | {"flatten": False})["sessionId"]
        session.on("Target.receivedMessageFromTarget", lambda said: self._take(said))

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        number = next(self._numbers)
        command = json.dumps({"id": number, "method": method, "params": params})
        self._session.send("Target.sendMessageToTarget", {"sessionId": self._id, "message": command})
        while number not in self._answers:
            self._pump.wait_for_timeout(POLL_MS)
        answer = self._answers.pop(number)
        assert "error" not in answer, answer
        return dict(answer["result"])

    def evaluate(self, script: str) -> Any:
        """The value of an expression, as after a click."""
        how = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        result = self.ask("Runtime.evaluate", expression=script, **how)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true."""
        while not (value := self.evaluate(script)):
            self._pump.wait_for_timeout(POLL_MS)
        return value

    def _take(self, said: dict[str, Any]) -> None:
        message = json.loads(said["message"])
        if said["sessionId"] == self._id and "id" in message:
            self._answers[message["id"]] = message
