"""Fix it here in a browser: the demo's file with mistakes is all dealt with in few clicks."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from playwright.sync_api import Locator, Page, expect

from app.models import Seller
from tests.e2e.conftest import OpenWindow
from tests.e2e.files import MISTAKES
from tests.e2e.window import status_of, upload_and_follow

pytestmark = pytest.mark.usefixtures("working")

#: What is typed: for the wrong value of a group, in a column.
TYPED = [
    ("condition-unknown", "Near Mnt", "CONDITION", "NM"),
    ("condition-unknown", "Used", "CONDITION", "GD"),
    ("hidden-unknown", "maybe", "HIDDEN", "false"),
    ("variant-malformed", "german!", "VARIANTS", "de"),
    ("variant-not-found", "holo", "VARIANTS", "foil"),
    ("quantity-zero", "Line 9", "QUANTITY", "1"),
    ("item-not-found", "card/099", "URN", "urn:demo:pricklewend:moths-of-midwinter/card/009"),
    ("item-not-found", "Drones", "NAME", "Beehive Rebellion: Drones Also Dream"),
    ("text-too-long", "Line 24", "COMMENT", "Tiny nick"),
    ("name-incomplete", "Line 33", "NAME", "First-Rate Magnificent Error"),
    ("number-shortened", "9.22E+05", "CARDMARKET_ID", "922318"),
    ("quantity-not-whole", "one", "QUANTITY", "1"),
    ("mode-unknown", "DELETE", "MODE", "CREATE"),
]
CELLS = {
    "cell-8-PRICE": "250",
    "cell-8-QUANTITY": "5",
    "cell-8-VARIANTS": "reverse",
    "cell-8-HIDDEN": "",
    "cell-8-REFERENCE": "A-07",
    "cell-22": "CREATE,urn:demo:rope-and-thunder:harbour-rats/card/hr-21,,,,,,NM,110,1,signed,,,,A-20",
}


class Clicks:
    """Clicks on the pages that correct rows, and counts."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0

    def __call__(self, target: Locator) -> None:
        with self.page.expect_navigation():
            target.first.click()
        self.count += 1

    def expect_state(self, correct: int, open_rows: int) -> None:
        state = self.page.locator(".fix-state")
        expect(state).to_have_attribute("data-correct", str(correct))
        expect(state).to_have_attribute("data-open", str(open_rows))


class Field(NamedTuple):
    """Where something is typed."""

    cause: str
    value: str
    column: str


def field(page: Page, at: Field) -> Locator:
    value = page.locator(f"li.group[data-cause={at.cause}] .fix-value").filter(has_text=at.value)
    return value.locator(f"label [name^=to-][name$='-{at.column}']")


def put(cell: Locator, text: str) -> None:
    """Type a value, or choose it where only few are valid."""
    if cell.evaluate("cell => cell.matches('select')"):
        cell.select_option(text)
    else:
        cell.fill(text)


def test_24_failed_rows_are_dealt_with_in_few_clicks(page: Page) -> None:
    upload_and_follow(page, MISTAKES.read_bytes(), name=MISTAKES.name)
    status_of(page, "FAILED")
    path = page.url
    click = Clicks(page)
    click(page.get_by_role("button", name="Fix 24 rows"))
    click(page.get_by_role("button", name="Accept what is certain"))
    # All but the first ten kinds of problem are folded away.
    page.locator(".folded:not([open]) > summary").click()
    click.count += 1
    for *at, text in TYPED:
        put(field(page, Field(*at)), text)
    for name, text in CELLS.items():
        (cell,) = page.locator(f"[name={name}]").all()
        if not cell.is_visible():
            page.locator("li.group").filter(has=cell).get_by_text("Other cells").click()
            click.count += 1
        put(cell, text)
    # As in a spreadsheet, keys go from cell to cell; in a closed part there are none to go to.
    cells = page.locator(":is(.fix-fields, .fix-cells, .fix-raw) :is(input[type=text], select, textarea):visible").all()
    # In a list, arrows choose.
    at = next(at for at, cell in enumerate(cells) if at and cell.evaluate("cell => cell.matches('input')"))
    for key, here, there in (("Enter", cells[0], cells[1]), ("ArrowUp", cells[at], cells[at - 1])):
        here.press(key)
        expect(there).to_be_focused()
    for column in ("NAME", "CARDMARKET_ID", "TCGPLAYER_ID"):
        page.locator(f"li.group[data-cause=item-ambiguous][data-column={column}] .fix-offer").first.click()
        click.count += 1
    expect(page.locator(".edit-bar")).to_contain_text(f"chose ({len(TYPED) + len(CELLS) + 3})")
    # The one button that is always in sight.
    click(page.locator(".edit-bar").get_by_role("button", name="Apply what I typed and chose"))
    # The page goes on where the seller was.
    assert page.evaluate("scrollY") > 0
    expect(page.locator("li.group:focus")).to_be_in_viewport()
    expect(page.locator(".notes")).to_be_in_viewport()
    click(page.locator("li.group[data-cause=listing-repeated]").get_by_role("button", name="Leave them out"))
    click(page.get_by_role("button", name="Change MODE to CREATE"))
    click(page.get_by_role("button", name="Change MODE to UPDATE"))
    click.expect_state(22, 0)
    click(page.get_by_role("button", name="Import 22 corrected rows"))
    assert click.count <= 12
    status_of(page, "COMPLETED")
    page.goto(path)
    expect(page.locator(".outcome")).to_contain_text("All 24 failed rows are dealt with: ")


def test_on_a_phone_most_problems_are_folded_and_the_message_gives_way_to_typing(
    open_window: OpenWindow, seller: Seller
) -> None:
    page = open_window(seller, width=390)
    upload_and_follow(page, MISTAKES.read_bytes(), name=MISTAKES.name)
    status_of(page, "FAILED")
    click = Clicks(page)
    click(page.get_by_role("button", name="Fix 24 rows"))
    expect(page.locator("li.group:visible")).to_have_count(4)
    folds = page.locator(".folded > summary:visible")
    expect(folds).to_have_text(re.compile("[0-9]+ more kinds of problem, [0-9]+ rows"))
    folds.first.click()
    expect(page.locator("li.group:visible")).to_have_count(10)
    click(page.get_by_role("button", name="Accept what is certain"))
    message = page.locator(".fix-foot .note")
    expect(message).to_be_visible()
    page.locator(".fix-fields input[type=text]:visible").first.focus()
    expect(message).to_be_hidden()
