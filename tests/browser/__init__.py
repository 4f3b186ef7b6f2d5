"""Pages of the console in a real browser: Debian's Chromium, driven by Playwright.

The server is a process of its own, as Playwright's synchronous interface has asyncio inside. Pages call with
the telephone in the page, so a test of a whole call takes as long as the call.
"""
