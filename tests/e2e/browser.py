"""The browser: the system's Chromium without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright, sync_playwright

#: Options for a browser in a container, and against requests to other hosts.
_FLAGS = [
    *"--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split(),
    *"--disable-component-update --disable-sync".split(),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Chromium:
    """The browser, started when it is first asked for, and again when it has crashed."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._browser: Browser | None = None

    def get(self) -> Browser:
        """The browser that runs. Raises AssertionError when there is none on this machine."""
        if self._browser is None or not self._browser.is_connected():
            program = shutil.which(os.environ.get("CHROMIUM") or "chromium")
            assert program, "there is no Chromium: `make e2e` installs it"
            self._browser = self._playwright.chromium.launch(executable_path=program, args=_FLAGS)
        return self._browser

    def close(self) -> None:
        """Leave nothing running."""
        if self._browser:
            self._browser.close()


@contextmanager
def open_chromium() -> Iterator[Chromium]:
    """Chromium, which the environment variable CHROMIUM may name, until the end of the block."""
    with sync_playwright() as playwright:
        chromium = Chromium(playwright)
        yield chromium
        chromium.close()
