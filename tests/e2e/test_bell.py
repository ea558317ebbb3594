"""The bell, and the notifications of the browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from app.extensions import db
from app.imports.worker import batch_job
from app.models import Import, Seller
from tests.factories import row, start

#: A browser that grants what it is asked for, keeps what it was told to show, and lies behind another window.
_BROWSER = """
    class Shown {
        static get permission() { return localStorage.getItem("granted") ?? "default"; }
        static async requestPermission() { localStorage.setItem("granted", "granted"); return "granted"; }
        constructor(title, { body }) { (window.shown ??= []).push([title, body]); }
        addEventListener() {}
    }
    window.Notification = Shown;
    document.hasFocus = () => false;
"""


def end(seller: Seller, name: str) -> Import:
    started = start(seller, [row()], file_name=name)
    batch_job.run(seller.id, started.id, 1, 1)
    db.session.rollback()
    return started


def shown(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.evaluate("window.shown ?? []")
    return found


def test_a_notification_is_shown_once_for_each_import_that_ends(page: Page, seller: Seller) -> None:
    page.add_init_script(_BROWSER)
    end(seller, "before.csv")
    page.goto("/settings/notifications")
    page.get_by_role("button", name="Turn on browser notifications").click()
    expect(page.get_by_text("Browser notifications are on.")).to_be_visible()
    # What has ended before is no news.
    page.goto("/listings")
    page.wait_for_function("localStorage.getItem('sluice-told').length > 2")
    assert shown(page) == []
    end(seller, "after.csv")
    page.goto("/listings")
    page.wait_for_function("window.shown?.length")
    ((title, body),) = shown(page)
    assert (title, body) == ("after.csv", page.locator("[data-bell-outcome]").first.text_content())
    page.goto("/settings/notifications")
    expect(page.get_by_role("button", name="Turn off")).to_be_visible()
    assert shown(page) == []


def test_whoever_sees_the_end_on_the_imports_own_page_is_not_told_again(page: Page, seller: Seller) -> None:
    first = end(seller, "first.csv")
    end(seller, "second.csv")
    page.goto("/imports")
    page.get_by_text("Finished imports: 2 new").locator("..").click()
    expect(page.get_by_text("Finished since you last looked")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Finished since you last looked")).to_be_hidden()
    page.goto(f"/imports/{first.public_id}")
    expect(page.get_by_text("Finished imports: 1 new")).to_be_attached()
