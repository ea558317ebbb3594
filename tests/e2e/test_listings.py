"""Editing listings in place, and copying rows of the catalog, as a seller does it with scripts."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from app.models import Seller
from tests.factories import listed, make_items, row
from tests.web.test_downloads import ended


def test_selected_listings_are_repriced_and_one_is_typed(page: Page, seller: Seller) -> None:
    make_items(3)
    ended(seller, [row(urn=f"urn:test:{n}", price=n * 100) for n in (1, 2, 3)])
    page.goto("/listings")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Select all on this page").check()
    expect(page.get_by_text("Change the selected listings (3)")).to_be_visible()
    page.get_by_label("Select Name 3").uncheck()
    expect(page.get_by_label("Select all on this page")).not_to_be_checked()
    page.get_by_text("Change the selected listings (2)").click()
    page.get_by_label("Price (£, or +10%, -5%)").fill("+10%")
    page.get_by_label("Price in pounds: Name 3").fill("9.99")
    page.get_by_role("button", name="Apply to selected").click()
    expect(page.get_by_text("3 listings changed.")).to_be_visible()
    assert sorted(one[3] for one in listed(seller)) == ["110", "220", "999"]
    # Enter in a field saves, and asks for no selection.
    page.get_by_label("Quantity: Name 1").fill("7")
    page.get_by_label("Quantity: Name 1").press("Enter")
    expect(page.get_by_text("1 listing changed.")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("heading", name="My Listings")).to_be_visible()


def test_what_was_typed_is_not_lost_by_a_slip(page: Page, seller: Seller) -> None:
    make_items(1)
    ended(seller, [row()])
    page.goto("/listings?edit=1")
    page.get_by_label("Quantity: Name 1").fill("7")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_label("Quantity: Name 1")).to_have_value("7")
    assert asked == ["beforeunload"]


def test_a_row_of_the_catalog_is_copied_for_a_spreadsheet(page: Page, seller: Seller) -> None:
    make_items(1)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/catalog?text=name")
    page.get_by_role("button", name="Cells : row of urn:test:1", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.split("\t")[:5] == ["CREATE", "urn:test:1", "Game", "Set", "Name 1"]
    assert copied.count("\t") == 14
