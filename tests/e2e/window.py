"""What a test does in a window, and what it never sees there: faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response, WebError, expect

from tests.conftest import PASSWORD

_AXE = (Path(__file__).parent / "axe-core-4.14.1" / "axe.min.js").read_text(encoding="utf-8")
_AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: How Chromium and htmx report an answer of 400 and more; ``Watch`` judges the answers themselves.
_ANSWER_REPORTED = ("Failed to load resource: the server responded with a status of", "Response Status Error Code")


class Watch:
    """Collects what no page may do: errors in the console, requests to other hosts, failed answers."""

    def __init__(self, address: str) -> None:
        self._addresses = [address]
        self.faults: list[str] = []
        #: For the tests of pages without a database or server.
        self.expects_failures = False

    def follow(self, context: BrowserContext) -> None:
        """Watch all pages of a window."""
        for event, handler in self._handlers():
            context.on(event, handler)

    def leave(self, context: BrowserContext) -> None:
        """Watch the window no longer."""
        for event, handler in self._handlers():
            context.remove_listener(event, handler)

    def also(self, address: str) -> None:
        """Let pages ask this address, too."""
        self._addresses.append(address)

    def _handlers(self) -> list[tuple[Any, Callable[..., None]]]:
        return [
            ("console", self._hear),
            ("weberror", self._hear_error),
            ("request", self._judge_request),
            ("response", self._judge),
            ("requestfailed", self._judge_failed),
        ]

    def _judge_request(self, request: Request) -> None:
        # The browser reaches no other host. Routes that refuse would keep it from storing files as it does for people.
        is_own = any(request.url.startswith(f"{one}/") for one in self._addresses)
        if request.url.startswith("http") and not is_own:
            self.faults.append(f"a request to {request.url}")

    def _hear_error(self, error: WebError) -> None:
        self.faults.append(f"{error.page and error.page.url}: {error.error}")

    def _hear(self, message: ConsoleMessage) -> None:
        # What is morphed into a part with two elements of one id loses its focus, and Idiomorph only warns of it.
        is_fault = message.type == "error" or "duplicate ids" in message.text
        if is_fault and not message.text.startswith(_ANSWER_REPORTED) and not self.expects_failures:
            self.faults.append(f"the console of {message.page and message.page.url}: {message.text}")

    def _judge(self, response: Response) -> None:
        is_page = response.request.resource_type in {"document", "xhr", "fetch"}
        if response.status >= (500 if is_page else 400) and not self.expects_failures:
            self.faults.append(f"{response.status} for {response.url}")

    def _judge_failed(self, request: Request) -> None:
        # A request that the browser gives up when it goes to another page, or takes for a download, is none.
        if request.failure != "net::ERR_ABORTED" and not self.expects_failures:
            self.faults.append(f"{request.failure} for {request.url}")


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Sign in as people do."""
    page.goto("/login")
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()


def upload(page: Page, data: bytes, *, name: str = "stock.csv") -> None:
    """Choose a file and upload it."""
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "text/csv", "buffer": data})
    page.get_by_role("button", name="Import", exact=True).click()


def upload_and_follow(page: Page, data: bytes, *, name: str = "stock.csv") -> str:
    """Upload a file that is accepted; the path of its import, whose page is open now."""
    upload(page, data, name=name)
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))
    return page.url.removeprefix(page.url.split("/imports/")[0])


def status_of(page: Page | Locator, status: str) -> None:
    """Wait until an import has a status; the page must tell by itself."""
    expect(page.locator("[data-import-id]").first).to_have_attribute("data-status", status)


def counters(page: Page | Locator) -> dict[str, int]:
    """Total, Successful and Failed of the first import on the page."""
    element = page.locator("[data-import-id]").first
    return {name: int(element.get_attribute(f"data-{name}") or -1) for name in ("total", "successful", "failed")}


def download(page: Page, link: Locator) -> bytes:
    """What a click on ``link`` saves."""
    with page.expect_download() as coming:
        link.click()
    return Path(coming.value.path()).read_bytes()


def export_listings(page: Page) -> bytes:
    """What My Listings exports; ``page`` stays where it is."""
    listings = page.context.new_page()
    listings.goto("/listings")
    export = download(listings, listings.get_by_role("link", name="Export CSV"))
    listings.close()
    return export


def in_menu(page: Page, name: str) -> Locator:
    """The entry of the first menu on the page whose text begins with ``name``; the menu is open."""
    menu = page.locator("main [data-menu]").first
    if menu.get_attribute("open") is None:
        menu.locator("summary").click()
    return menu.locator("a, button").filter(has_text=re.compile(rf"^\s*{re.escape(name)}"))


def find_barriers(page: Page) -> list[str]:
    """The accessibility faults that axe finds on the page."""
    page.evaluate(_AXE)
    found = page.evaluate(
        "tags => axe.run({runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", _AXE_TAGS
    )
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def overhang(page: Page) -> int:
    """How many pixels the page is wider than its window: people would have to scroll sideways."""
    width = page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
    return int(width)


def weight(page: Page) -> int:
    """The bytes of the page and of all that it has loaded, as they were sent."""
    sizes = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map(one => one.encodedBodySize)"
    )
    return sum(sizes)
