"""What holds for every page in every state, on a dark phone and on a light screen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext

from app.models import Seller
from tests.e2e.conftest import SESSION_COOKIE, new_context
from tests.e2e.tour import Showroom, make_showroom, stops
from tests.e2e.window import Watch, find_barriers, overhang, weight
from tests.processes import ROOT

#: Where PICTURES=1 leaves a picture of each page.
PICTURES = ROOT / "artefacts" / "pages"
STOPS = stops()
#: A page and all that it loads.
MAX_BYTES = 300_000


#: Windows by the browser, the attribute of the showroom that is signed in, and the colour scheme.
_Windows = dict[tuple[Browser, str | None, str], BrowserContext]


@pytest.fixture(scope="module")
def windows() -> Iterator[_Windows]:
    """The windows, one for each person and look, whose pages share what they have loaded, as those of people do."""
    windows: _Windows = {}
    yield windows
    for (browser, *_), context in windows.items():
        if browser.is_connected():
            context.close()


@pytest.fixture(scope="module")
def showroom(migrated_app: Flask, address: str, stack_environ: dict[str, str]) -> Showroom:
    """Imports in every state, which stay as they are: there are no workers."""
    return make_showroom(stack_environ["DATABASE_URL"])


# What does not fit does not fit in any colour, and a colour is as hard to read at any width: two looks have it all.
# The pages take turns with them, because both for each would take minutes more; LOOKS=all has both.
_LOOKS = [("light", 1280), ("dark", 360)]


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        (name, *look)
        for place, name in enumerate(STOPS)
        for look in (_LOOKS if os.environ.get("LOOKS") == "all" else [_LOOKS[place % 2]])
    ],
)
def test_everybody_can_use_it(
    name: str,
    scheme: str,
    width: int,
    showroom: Showroom,
    browser: Browser,
    address: str,
    windows: _Windows,
    session_of: Callable[[Seller], str],
    watch: Watch,
) -> None:
    stop = STOPS[name]
    window = browser, stop.who, scheme
    if window not in windows:
        windows[window] = new_context(browser, address, width=width, dark=scheme == "dark")
    context = windows[window]
    watch.expects_failures = stop.fails
    watch.follow(context)
    # An earlier visit may have signed in or out.
    context.clear_cookies()
    if stop.who:
        value = session_of(getattr(showroom, stop.who))
        context.add_cookies([{"name": SESSION_COOKIE, "value": value, "url": address}])
    page = context.new_page()
    try:
        stop.visit(page, showroom)
        if os.environ.get("PICTURES"):
            # What lies over the page belongs to the window, not to the whole length of the page.
            is_covered = page.locator("dialog[open]").count() > 0
            picture = PICTURES / f"{name}-{scheme}-{width}.png"
            page.screenshot(path=picture, full_page=not is_covered, animations="disabled")
        assert overhang(page) == 0
        assert 0 < weight(page) < MAX_BYTES
        assert find_barriers(page) == []
    finally:
        page.close()
        watch.leave(context)
