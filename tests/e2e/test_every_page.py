"""What holds for every page in every state, on a dark phone and on a light screen; and a picture of each."""

from __future__ import annotations

import os

import pytest
from flask import Flask

from tests.e2e.conftest import OpenWindow
from tests.e2e.tour import Showroom, make_showroom, stops
from tests.e2e.window import Watch, find_barriers, overhang, weight
from tests.processes import ROOT

#: For visual inspection.
PICTURES = ROOT / "artefacts" / "pages"
STOPS = stops()
#: A page and all that it loads.
MAX_BYTES = 300_000


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
    name: str, scheme: str, width: int, showroom: Showroom, open_window: OpenWindow, watch: Watch
) -> None:
    stop = STOPS[name]
    watch.expects_failures = stop.fails
    page = open_window(stop.who and getattr(showroom, stop.who), width=width, dark=scheme == "dark")
    stop.visit(page, showroom)
    # What lies over the page belongs to the window, not to the whole length of the page.
    is_covered = page.locator("dialog[open]").count() > 0
    picture = PICTURES / f"{name}-{scheme}-{width}.png"
    page.screenshot(path=picture, full_page=not is_covered, animations="disabled")
    assert overhang(page) == 0
    assert 0 < weight(page) < MAX_BYTES
    assert find_barriers(page) == []
