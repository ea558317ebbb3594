"""The whole of Sluice, and a real browser in front of it: every page that a test opens is watched for faults."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app import catalog
from app.demo import DEMO_CATALOG
from app.extensions import db
from app.models import Seller
from tests.conftest import make_seller, remove_what_is_left, sign_in
from tests.e2e.browser import Chromium, open_chromium
from tests.e2e.window import Watch
from tests.factories import make_items
from tests.gate import Gate
from tests.processes import answers, wait_until, web_server, workers

#: Small enough for a test to go beyond them.
MAX_ROWS, MAX_UPLOAD_BYTES = 20_000, 4 << 20
SESSION_COOKIE = "sluice_session"
#: Tables that all tests share.
_CATALOG = {"items", "external_ids"}

# A busy machine may take its time; a test that passes never waits this long.
expect.set_options(timeout=20_000)


class OpenWindow(Protocol):
    """What ``open_window`` gives."""

    def __call__(
        self,
        seller: Seller | None = None,
        *,
        scripts: bool = True,
        width: int = 1280,
        dark: bool = False,
        zone: str = "UTC",
    ) -> Page:
        """A separate window in which ``seller`` is signed in; it shares nothing with other windows."""


@pytest.fixture(scope="session")
def stack_environ(environ: dict[str, str]) -> dict[str, str]:
    """The environment of the web server and the workers."""
    return {
        **environ,
        # Workers are held still on purpose, and are not to be taken for dead.
        "LEASE_SECONDS": "60",
        # The smallest chunks there are, so that a small file takes many.
        "CHUNK_SECONDS": "0.001",
        "MAX_ROWS": str(MAX_ROWS),
        "MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES),
    }


@pytest.fixture(scope="session")
def address(migrated_app: Flask, stack_environ: dict[str, str]) -> Iterator[str]:
    """Where the web server is; the catalog is loaded."""
    catalog.load(DEMO_CATALOG)
    make_items(100)
    with web_server(stack_environ) as port:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/readyz"))
        yield address


@pytest.fixture(scope="module")
def working(address: str, stack_environ: dict[str, str]) -> Iterator[None]:
    """Two workers, who find nothing to do but what the tests of this module give them."""
    # Other modules deliberately leave imports unprocessed. Workers would claim those first.
    remove_what_is_left(keep=_CATALOG)
    with workers(stack_environ):
        yield


@pytest.fixture
def gate(working: None, stack_environ: dict[str, str]) -> Iterator[Gate]:
    """What holds the workers still; open at first."""
    gate = Gate(stack_environ["DATABASE_URL"])
    yield gate
    gate.dispose()


@pytest.fixture
def app(migrated_app: Flask) -> Iterator[Flask]:
    """The application over the shared database of the stack: each test has its own sellers."""
    yield migrated_app
    db.session.rollback()


@pytest.fixture
def seller(app: Flask) -> Seller:
    """A seller whom no other test knows."""
    return make_seller(f"{uuid.uuid4().hex[:12]}@example.com")


@pytest.fixture
def other_seller(app: Flask) -> Seller:
    """Another one."""
    return make_seller(f"{uuid.uuid4().hex[:12]}@example.com")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """What starts the browser."""
    with open_chromium() as chromium:
        yield chromium


@pytest.fixture
def browser(chromium: Chromium) -> Browser:
    """The browser in which all windows are opened. Should it crash, that costs one test and not all that follow."""
    return chromium.get()


@pytest.fixture
def watch(address: str) -> Iterator[Watch]:
    """Observes every window of the test, and fails it for anything that no page of Sluice may do."""
    watch = Watch(address)
    yield watch
    assert not watch.faults, "\n".join(watch.faults)


@pytest.fixture(scope="session")
def session_of(migrated_app: Flask) -> Callable[[Seller], str]:
    """The value of the cookie with which a seller is signed in, the same for all windows.

    Signing in as people do loads two pages; the tests of signing in do.
    """
    values: dict[int, str] = {}

    def find(seller: Seller) -> str:
        if seller.id not in values:
            cookie = sign_in(migrated_app, seller).get_cookie(SESSION_COOKIE)
            assert cookie
            values[seller.id] = cookie.value
        return values[seller.id]

    return find


def new_context(
    browser: Browser, address: str, *, scripts: bool = True, width: int = 1280, dark: bool = False, zone: str = "UTC"
) -> BrowserContext:
    """A window like that of a person in Britain."""
    return browser.new_context(
        base_url=address,
        java_script_enabled=scripts,
        locale="en-GB",
        timezone_id=zone,
        reduced_motion="reduce",
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": 800},
    )


@pytest.fixture
def open_window(
    browser: Browser, address: str, watch: Watch, session_of: Callable[[Seller], str]
) -> Iterator[OpenWindow]:
    """Opens windows, and closes them when the test is over."""
    contexts = []

    def open_one(
        seller: Seller | None = None,
        *,
        scripts: bool = True,
        width: int = 1280,
        dark: bool = False,
        zone: str = "UTC",
    ) -> Page:
        context = new_context(browser, address, scripts=scripts, width=width, dark=dark, zone=zone)
        contexts.append(context)
        watch.follow(context)
        if seller:
            context.add_cookies([{"name": SESSION_COOKIE, "value": session_of(seller), "url": address}])
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_window: OpenWindow, seller: Seller) -> Page:
    """A window in which the seller is signed in."""
    return open_window(seller)
