"""A call in a tab that nobody sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.tab import tabs

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.program import Program

HIDDEN_S = 10
READY = """(async () => {
    const { lines } = await import("/web/audio/lines.js");
    const { source } = await import("/web/audio/sound.js");
    source.value = "lines";
    window.line = lines[0];
    return line.state.value === "idle";
})()"""
CALL = """(() => {
    window.told = [];
    window.heard = [];
    line.worker.addEventListener("message", ({ data }) => {
        if (data.message?.event === "mark") told.push(data.message.mark.name);
        if (data.heard) heard.push(...data.heard);
    });
    [...document.querySelectorAll("button")].find(({ textContent }) => textContent === "Call").click();
})()"""
NOW = """({
    seconds: line.node.context.currentTime,
    sent: line.stats.value.sent,
    told, heard,
    seen: document.visibilityState,
})"""


def test_frames_and_marks_go_on_in_a_hidden_tab(chromium: Browser, program: Program) -> None:
    with tabs(chromium) as open_tab:
        tab = open_tab()
        tab.ask("Page.navigate", url=program.link())
        tab.until("document.querySelector('nav') !== null")
        tab.evaluate("location.hash = '#/phone'")
        tab.until(READY)
        tab.evaluate(CALL)
        tab.until("line.state.value === 'connected' && line.stats.value?.sent > 0")
        open_tab()
        begin = tab.evaluate(NOW)
        tab.until(f"line.node.context.currentTime > {begin['seconds'] + HIDDEN_S}")
        end = tab.evaluate(NOW)
        assert (begin["seen"], end["seen"]) == ("hidden", "hidden")
        passed_s = end["seconds"] - begin["seconds"]
        assert abs((end["sent"] - begin["sent"]) - 50 * passed_s) <= 50  # counted twice a second
        assert len(end["told"]) > len(begin["heard"])
        assert end["heard"] == end["told"]
