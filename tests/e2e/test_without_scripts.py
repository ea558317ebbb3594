"""The whole flow in a browser that runs no JavaScript."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from app.models import Seller
from tests.e2e.conftest import OpenWindow
from tests.e2e.files import FIRST_IMPORT, MISTAKES, long_file, mistakes
from tests.e2e.window import counters, download, overhang, status_of, upload, upload_and_follow
from tests.gate import Gate


def processed(page: Page) -> int:
    """Rows that are done."""
    seen = counters(page)
    return seen["successful"] + seen["failed"]


def test_from_the_upload_to_the_end(open_window: OpenWindow, seller: Seller, gate: Gate) -> None:
    page = open_window(seller, scripts=False)
    gate.close()
    path = upload_and_follow(page, long_file())
    gate.step()
    # The page loads itself again.
    expect(page.locator("[data-import-id]").first).not_to_have_attribute("data-successful", "0")
    before = processed(page)
    # Pressed on a page that was just loaded, and so does not load itself again under the hand.
    page.goto(path)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Pausing…").first).to_be_visible()
    gate.open()
    status_of(page, "PAUSED")
    assert before < processed(page) < 5_500
    gate.close()
    page.get_by_role("button", name="Resume").click()
    status_of(page, "RUNNING")
    gate.step()
    page.goto(path)
    page.get_by_role("button", name="Pause").click()
    gate.open()
    status_of(page, "PAUSED")
    ended = counters(page)
    page.get_by_role("button", name="Terminate").click()
    expect(page.get_by_role("heading", name="Terminate this import?")).to_be_visible()
    page.get_by_role("link", name="Keep importing").click()
    status_of(page, "PAUSED")
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("button", name="Terminate import").click()
    status_of(page, "TERMINATED")
    assert counters(page) == ended
    expect(page.get_by_text("Terminated stock.csv after")).to_be_visible()


def test_my_imports_and_the_panel_as_a_page(open_window: OpenWindow, seller: Seller, working: None) -> None:
    page = open_window(seller, scripts=False)
    upload_and_follow(page, FIRST_IMPORT.read_bytes())
    page.goto("/imports")
    status_of(page, "COMPLETED")
    page.get_by_role("link", name="View details").click()
    expect(page.get_by_role("heading", name="Import details", level=1)).to_be_visible()
    page.get_by_role("link", name="View full details").click()
    expect(page.get_by_role("heading", name="Batches")).to_be_visible()


def test_errors_filters_and_files(open_window: OpenWindow, seller: Seller, working: None) -> None:
    page = open_window(seller, scripts=False)
    path = upload_and_follow(page, MISTAKES.read_bytes())
    status_of(page, "FAILED")
    failed = download(page, page.get_by_role("link", name="Download failed rows").first)
    assert len(failed.splitlines()) == 1 + len(mistakes())
    page.goto(f"{path}/errors")
    page.get_by_text("Filter the failed rows").click()
    page.get_by_label("Code").select_option("409")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("code=409"))
    expect(page.locator("li[id^=line-]")).to_have_count(list(mistakes().values()).count(409))


def test_a_refusal(open_window: OpenWindow, seller: Seller, working: None) -> None:
    page = open_window(seller, scripts=False)
    upload(page, b"MODE;URN;PRICE\n")
    expect(page.get_by_role("alert")).to_contain_text("separated by semicolons")


def test_on_a_phone(open_window: OpenWindow, seller: Seller, working: None) -> None:
    page = open_window(seller, scripts=False)
    page.set_viewport_size({"width": 360, "height": 740})
    path = upload_and_follow(page, MISTAKES.read_bytes())
    status_of(page, "FAILED")
    for one in (path, f"{path}/panel", f"{path}/errors", "/imports", "/imports/upload", "/help/csv", "/help/errors"):
        page.goto(one)
        assert overhang(page) == 0, one
