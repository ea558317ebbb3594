"""The browser: the system's Chromium without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

#: What a browser in a container needs, and what keeps it from asking anybody else for anything.
_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium, which the environment variable CHROMIUM may name, until the end of the block."""
    program = shutil.which(os.environ.get("CHROMIUM") or "chromium")
    assert program, "there is no Chromium: `make e2e` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()
