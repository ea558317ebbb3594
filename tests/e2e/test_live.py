"""How a live page refreshes itself: what stays, what is announced, and what happens without a server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import Page, Request, Route, expect

from app.models import Seller
from tests.e2e.conftest import OpenWindow
from tests.e2e.window import Watch, counters
from tests.factories import make_items, row, start
from tests.processes import answers, wait_until, web_server


@pytest.fixture
def running(seller: Seller) -> str:
    """The path of a running import that no worker processes."""
    make_items(100)
    started = start(seller, [row(urn=f"urn:test:{number}") for number in range(1, 4)])
    return f"/imports/{started.public_id}"


@pytest.fixture
def still(page: Page, running: str) -> Iterator[Page]:
    """The page of an import that no worker processes, in a window whose clock advances only on demand."""
    page.clock.install(time=_NOON)
    page.clock.pause_at(_NOON + 1)
    page.goto(running)
    yield page
    # An answer that is being changed is not for a window that is closed.
    page.unroute_all(behavior="wait")


#: When the clocks of these windows stand still; any time will do.
_NOON = 1_800_000_000


def looks(page: Page) -> list[Request]:
    """Fills with the requests by which the page refreshes itself."""
    seen: list[Request] = []
    page.on("request", lambda request: seen.append(request) if "sluice-poll" in request.headers else None)
    return seen


def look_once(page: Page) -> None:
    """Have the page look, as it does when the line is there again, and wait for the answer."""
    with page.expect_response(lambda response: "sluice-poll" in response.request.headers):
        page.evaluate("dispatchEvent(new Event('online'))")


def wait_for_look(page: Page, seconds: int) -> None:
    """Let so much time pass that the page looks, and wait for the answer."""
    with page.expect_response(lambda response: "sluice-poll" in response.request.headers):
        page.clock.run_for(seconds * 1000)


def set_hidden(page: Page, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def change(page: Page, pattern: str, words: str) -> None:
    """Have every poll from now on find ``words`` in place of ``pattern``; the latest replacement comes first."""

    def answer(route: Route) -> None:
        if "sluice-poll" not in route.request.headers:
            route.fallback()
            return
        response = route.fetch()
        body = response.text()
        for one, other in changes:
            body = re.sub(one, other, body)
        route.fulfill(response=response, body=body)

    changes = _CHANGES.setdefault(page, [])
    if not changes:
        page.route(re.compile("/imports/"), answer)
    changes.append((pattern, words))


_CHANGES: WeakKeyDictionary[Page, list[tuple[str, str]]] = WeakKeyDictionary()

#: Everything that a seller would miss.
_PLACE = """() => ({
    focus: document.activeElement.textContent,
    scrolled: [scrollY, document.querySelector(".table-box").scrollLeft],
    open: document.querySelector("#more").open,
})"""


def test_focus_scroll_and_open_panels_stay(still: Page) -> None:
    still.set_viewport_size({"width": 360, "height": 500})
    # The seller scrolls, views the last columns of the table, opens a section and is about to press a button.
    still.evaluate(
        """() => {
            const table = document.querySelector(".table-box");
            table.outerHTML = `<details open id="more"><summary>More</summary></details>${table.outerHTML}`;
            document.querySelector(".table-box").scrollLeft = 50;
            scrollTo(0, 300);
        }"""
    )
    still.get_by_role("button", name="Pause").evaluate("button => button.focus({ preventScroll: true })")
    before = still.evaluate(_PLACE)
    # The next look finds it closed, and says something else.
    change(
        still, '<div class="table-box"', '<details id="more"><summary>More</summary></details><div class="table-box"'
    )
    change(still, "will start in a moment", "will start very soon")
    look_once(still)
    expect(still.locator(".outcome")).to_contain_text("will start very soon")
    assert still.evaluate(_PLACE) == before


def test_a_sentence_that_is_selected_stands_still(still: Page) -> None:
    still.evaluate("getSelection().selectAllChildren(document.querySelector('.outcome'))")
    change(still, "will start in a moment", "will start very soon")
    change(still, 'data-news="[^"]*"', 'data-news="Told."')
    look_once(still)
    expect(still.locator("[data-live]")).to_have_attribute("data-news", "Told.")
    assert still.evaluate("getSelection().toString()").startswith("File checked. Importing will start in a moment.")
    # Once its selection is gone, it is up to date.
    still.evaluate("getSelection().removeAllRanges()")
    look_once(still)
    expect(still.locator(".outcome")).to_contain_text("will start very soon")


def test_news_is_told_at_most_every_few_seconds(still: Page) -> None:
    said = still.locator("[data-announcer]")
    expect(said).to_have_text("")
    change(still, 'data-news="[^"]*"', 'data-news="10% done."')
    look_once(still)
    expect(still.locator("[data-live]")).to_have_attribute("data-news", "10% done.")
    still.clock.run_for(1)
    expect(said).to_have_text("10% done.")
    change(still, 'data-news="[^"]*"', 'data-news="20% done."')
    look_once(still)
    expect(still.locator("[data-live]")).to_have_attribute("data-news", "20% done.")
    expect(said).to_have_text("10% done.")
    still.clock.run_for(10_000)
    expect(said).to_have_text("20% done.")


def test_nobody_looks_while_the_page_is_hidden(still: Page) -> None:
    seen = looks(still)
    set_hidden(still, True)
    still.clock.run_for(120_000)
    assert seen == []
    with still.expect_response(lambda response: "sluice-poll" in response.request.headers):
        set_hidden(still, False)
    assert len(seen) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_less_and_less_often(still: Page, watch: Watch, status: int) -> None:
    watch.expects_failures = True
    still.route(
        re.compile("/imports/"),
        lambda route: route.fulfill(status=status, headers={"Retry-After": "5"}, body="busy"),
    )
    seen = looks(still)
    wait_for_look(still, 2)
    note = still.locator("[data-connection-note]")
    expect(note).to_have_text(re.compile(r"Last updated \d\d:\d\d:\d\d – reconnecting…"))
    # 5 s because it asks for them, then 4, 8, 16 and 30, give or take a tenth.
    for failures, (least, most) in enumerate([(5, 6), (5, 6), (7, 9), (14, 18), (27, 33), (27, 33)], 1):
        expect(note).to_have_attribute("data-failures", str(failures))
        before = len(seen)
        still.clock.run_for(least * 1000 - 600)
        assert len(seen) == before
        wait_for_look(still, most - least + 1)
    still.unroute_all()
    still.get_by_role("button", name="Try now").click()
    expect(note).to_be_hidden()


def test_the_page_survives_a_restart_of_the_server(
    open_window: OpenWindow, seller: Seller, running: str, stack_environ: dict[str, str], watch: Watch
) -> None:
    watch.expects_failures = True
    page = open_window()
    with web_server(stack_environ) as port:
        address = f"http://127.0.0.1:{port}"
        watch.also(address)
        wait_until(lambda: answers(f"{address}/readyz"))
        page.goto(f"{address}/login")
        page.get_by_label("Email address").fill(seller.email)
        page.get_by_label("Password").fill("a good password")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="My Imports")).to_be_visible()
        page.goto(address + running)
        page.evaluate("window.isStillThere = true")
    note = page.locator("[data-connection-note]")
    expect(note).to_contain_text("Last updated")
    with web_server(stack_environ, port=port):
        expect(note).to_be_hidden()
        assert page.evaluate("window.isStillThere")
        assert counters(page)["total"] == 3


def test_an_expired_session_is_told_and_leads_back(still: Page, seller: Seller, running: str) -> None:
    still.context.clear_cookies()
    look_once(still)
    note = still.locator("[data-connection-note]")
    expect(note).to_contain_text("You’ve been signed out.")
    # The content stays, and polling has stopped.
    seen = looks(still)
    still.clock.run_for(60_000)
    assert seen == []
    assert counters(still)["total"] == 3
    note.get_by_role("link", name="Sign in again").click()
    still.get_by_label("Email address").fill(seller.email)
    still.get_by_label("Password").fill("a good password")
    still.get_by_role("button", name="Sign in").click()
    expect(still).to_have_url(re.compile(f"{running}$"))
