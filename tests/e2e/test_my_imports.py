"""My Imports in a browser: the panel and its address, the filter, times in the reader's zone, dark without scripts."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from flask import Flask
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import text

from app.extensions import db
from app.models import Import, Seller
from tests.e2e.conftest import OpenWindow
from tests.e2e.window import in_menu
from tests.factories import make_items, row, start


@pytest.fixture
def made(app: Flask, address: str, seller: Seller) -> list[Import]:
    """Two imports; there are no workers, so they stay as they are."""
    make_items(100)
    return [start(seller, [row()], file_name=name) for name in ("first.csv", "second.csv")]


def panel_of(page: Page, one: Import) -> Locator:
    """The panel, once it shows the import."""
    panel = page.locator("#panel")
    expect(panel.locator(f"[data-import-id='{one.public_id}']")).to_be_visible()
    return panel


def view(page: Page, one: Import) -> Locator:
    """The link that opens the panel."""
    return page.locator(f"#view-{one.public_id}")


# The panel ------------------------------------------------------------------------------------------------------------


def test_back_closes_the_panel_and_forward_opens_it_again(page: Page, made: list[Import]) -> None:
    first, second = made
    page.goto("/imports?status=running")
    view(page, first).click()
    panel = panel_of(page, first)
    expect(page).to_have_url(re.compile(rf"/imports\?status=running&panel={first.public_id}$"))
    page.go_back()
    expect(panel).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/imports\?status=running$"))
    expect(view(page, first)).to_be_focused()
    page.go_forward()
    panel_of(page, first)
    # Closed by hand, it leaves no step behind: one back, and one to the other import.
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/imports\?status=running$"))
    view(page, second).click()
    panel_of(page, second)
    page.go_back()
    expect(panel).to_be_hidden()
    expect(view(page, second)).to_be_focused()


def test_a_link_to_a_panel_opens_it(page: Page, made: list[Import]) -> None:
    page.goto(f"/imports?panel={made[0].public_id}")
    panel = panel_of(page, made[0])
    expect(panel.get_by_role("button", name="Close")).to_be_focused()
    page.reload()
    panel_of(page, made[0])
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page).to_have_url(re.compile("/imports$"))
    expect(view(page, made[0])).to_be_focused()


def test_coming_back_from_the_full_details_finds_the_panel_open(page: Page, made: list[Import]) -> None:
    page.goto("/imports")
    view(page, made[0]).click()
    panel = panel_of(page, made[0])
    panel.get_by_role("link", name="View full details").click()
    expect(page.get_by_role("heading", name="Batches")).to_be_visible()
    page.go_back()
    panel_of(page, made[0])
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page).to_have_url(re.compile("/imports$"))


def test_a_touch_beside_the_panel_closes_it_and_one_in_it_does_not(page: Page, made: list[Import]) -> None:
    page.goto("/imports")
    view(page, made[0]).click()
    panel = panel_of(page, made[0])
    box = panel.bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] - 20)
    expect(panel).to_be_visible()
    page.mouse.click(20, 400)
    expect(panel).to_be_hidden()
    expect(view(page, made[0])).to_be_focused()


def test_escape_closes_the_question_first_and_then_the_panel(page: Page, made: list[Import]) -> None:
    page.goto(f"/imports?panel={made[0].public_id}")
    panel = panel_of(page, made[0])
    panel.get_by_role("button", name="Terminate").click()
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def test_what_a_press_in_the_panel_has_done_is_told_in_it(page: Page, made: list[Import]) -> None:
    page.goto(f"/imports?panel={made[0].public_id}")
    panel = panel_of(page, made[0])
    panel.get_by_role("button", name="Pause").click()
    toast = panel.get_by_text("Paused first.csv.")
    expect(toast).to_be_visible()
    # It can be pressed away: it is not behind the panel.
    panel.get_by_role("button", name="Dismiss this message").click()
    expect(toast).to_have_count(0)


def test_each_press_is_told_once_however_many_went_before(page: Page, made: list[Import]) -> None:
    page.goto(f"/imports/{made[0].public_id}")
    # Written down as they come, because a toast goes by itself.
    page.evaluate(
        """() => {
          window.told = [];
          const follow = (records) => {
            for (const note of records.flatMap(({ addedNodes }) => [...addedNodes])) {
              if (note.nodeType !== Node.ELEMENT_NODE) continue;
              const notes = [...note.querySelectorAll("[data-note-text]")];
              window.told.push(...notes.map(({ textContent }) => textContent));
            }
          };
          new MutationObserver(follow).observe(document.querySelector("#toasts"), { childList: true, subtree: true });
        }"""
    )
    for count in range(6):
        name, other = ("Pause", "Resume") if count % 2 == 0 else ("Resume", "Pause")
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name=other)).to_be_visible()
        # A poll may have brought that button before the answer with the message was there.
        page.wait_for_function("count => window.told.length > count", arg=count)
    assert page.evaluate("window.told") == ["Paused first.csv.", "Resumed first.csv."] * 3
    expect(page.locator("#toasts")).to_have_count(1)


def test_a_link_to_a_panel_leads_to_its_page_without_scripts(
    open_window: OpenWindow, seller: Seller, made: list[Import]
) -> None:
    page = open_window(seller, scripts=False)
    page.goto(f"/imports?panel={made[0].public_id}")
    expect(page.get_by_role("heading", name="Import details", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile(f"/imports/{made[0].public_id}/panel$"))


# The filter -----------------------------------------------------------------------------------------------------------


def test_the_list_is_filtered_while_somebody_types(page: Page, made: list[Import]) -> None:
    page.goto("/imports")
    field = page.get_by_label("Find an import by its name")
    field.press_sequentially("FIRST")
    expect(page.locator(".import h2")).to_have_text(["first.csv"])
    expect(field).to_be_focused()
    # The address is that of what is shown, and the views keep the text.
    expect(page).to_have_url(re.compile(r"/imports\?text=FIRST$"))
    page.get_by_role("link", name="Needs attention").click()
    expect(page.get_by_role("heading", name="No matching imports")).to_be_visible()
    expect(field).to_have_value("FIRST")
    page.get_by_role("link", name="Show all imports").click()
    expect(page.locator(".import h2")).to_have_text(["second.csv", "first.csv"])


def test_without_scripts_a_button_filters(open_window: OpenWindow, seller: Seller, made: list[Import]) -> None:
    page = open_window(seller, scripts=False)
    page.goto("/imports")
    page.get_by_label("Find an import by its name").fill("FIRST")
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".import h2")).to_have_text(["first.csv"])


def test_a_menu_closes_with_escape_and_with_a_click_elsewhere(page: Page, made: list[Import]) -> None:
    page.goto(f"/imports/{made[0].public_id}")
    entry = in_menu(page, "Name and note")
    expect(entry).to_be_visible()
    page.keyboard.press("Escape")
    expect(entry).to_be_hidden()
    expect(page.locator("main [data-menu] summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(entry).to_be_visible()
    page.locator("h1").click()
    expect(entry).to_be_hidden()


def test_an_import_that_is_paused_leaves_the_running_ones(page: Page, made: list[Import]) -> None:
    page.goto("/imports?status=running")
    expect(page).to_have_title("2 running: My Imports, filtered – Sluice")
    page.locator(f"#import-{made[0].public_id}").get_by_role("button", name="Pause").click()
    expect(page.locator(".import h2")).to_have_text(["second.csv"])
    expect(page).to_have_title("1 running: My Imports, filtered – Sluice")
    expect(page).to_have_url(re.compile(r"\?status=running$"))


# Times ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "now", "shown", "exactly"),
    [
        ("UTC", "2026-03-14T23:00:00Z", "Today, 22:45", ["14 March 2026", "22:45:07 UTC"]),
        ("UTC", "2026-03-15T00:10:00Z", "Yesterday, 22:45", ["14 March 2026", "22:45:07 UTC"]),
        ("Asia/Tokyo", "2026-03-15T00:10:00Z", "Today, 07:45", ["15 March 2026", "07:45:07 GMT+9"]),
        ("America/New_York", "2026-03-16T12:00:00Z", "14 Mar, 18:45", ["14 March 2026", "18:45:07 GMT-4"]),
        # The clocks go forward in the night between.
        ("Europe/London", "2026-03-29T22:00:00Z", "14 Mar, 22:45", ["14 March 2026", "22:45:07 GMT"]),
        ("UTC", "2027-01-01T12:00:00Z", "14 Mar 2026, 22:45", ["14 March 2026", "22:45:07 UTC"]),
    ],
)
def test_times_are_those_of_the_reader(
    open_window: OpenWindow, seller: Seller, made: list[Import], zone: str, now: str, shown: str, exactly: list[str]
) -> None:
    db.session.execute(
        text("update imports set created_at = :at where seller_id = :seller_id"),
        {"at": datetime(2026, 3, 14, 22, 45, 7, tzinfo=UTC), "seller_id": seller.id},
    )
    db.session.commit()
    page = open_window(seller, zone=zone)
    page.clock.set_fixed_time(now)
    page.goto("/imports")
    time = page.locator("time").first
    assert time.inner_text().lower() == shown.lower()
    assert [one for one in exactly if one not in str(time.get_attribute("title"))] == []
    expect(time).to_have_attribute("datetime", "2026-03-14T22:45:07Z")


def test_without_scripts_times_are_in_utc(open_window: OpenWindow, seller: Seller, made: list[Import]) -> None:
    page = open_window(seller, scripts=False, zone="Asia/Tokyo")
    page.goto("/imports")
    expect(page.locator("time").first).to_have_text(re.compile(r"^\d+ \w+ \d{4}, \d\d:\d\d UTC$"))


# Light and dark -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [True, False])
def test_light_and_dark_are_the_reader_s_choice(open_window: OpenWindow, scripts: bool) -> None:
    page = open_window(scripts=scripts, dark=True)
    page.goto("/login")
    ground = page.locator("body")
    expect(ground).to_have_css("background-color", "rgb(14, 21, 24)")
    page.emulate_media(color_scheme="light")
    expect(ground).to_have_css("background-color", "rgb(244, 247, 248)")
