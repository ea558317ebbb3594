"""An import on its way: live counters, Pause, Resume, Terminate, and the panel beside the list."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.files import FIRST_IMPORT, MISTAKES, long_file
from tests.e2e.window import counters, export_listings, status_of, upload_and_follow
from tests.gate import Gate


def start(page: Page, gate: Gate) -> str:
    """Upload a long file and go one chunk of each worker; the path of the import, whose page is open."""
    gate.close()
    path = upload_and_follow(page, long_file())
    gate.step()
    expect(page.locator("[data-import-id]").first).not_to_have_attribute("data-successful", "0")
    return path


def test_counters_rise_by_themselves(page: Page, gate: Gate) -> None:
    gate.close()
    upload_and_follow(page, long_file())
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "0")
    assert counters(page) == {"total": 5_500, "successful": 0, "failed": 0}
    page.evaluate("window.isStillThere = true")
    seen = [counters(page)]
    for _ in range(2):
        gate.step()
        expect(page.locator("[data-import-id]").first).not_to_have_attribute(
            "data-successful", str(seen[-1]["successful"])
        )
        seen.append(counters(page))
    assert seen[0]["successful"] < seen[1]["successful"] < seen[2]["successful"] < 4_950
    assert seen[2]["failed"] > 0
    gate.open()
    status_of(page, "FAILED")
    assert counters(page) == {"total": 5_500, "successful": 4_950, "failed": 550}
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "5500")
    assert page.evaluate("window.isStillThere")
    # And it asks no more.
    assert page.locator("[data-live-seconds]").count() == 0


def test_my_imports_moves_too(page: Page, gate: Gate) -> None:
    start(page, gate)
    page.goto("/imports")
    before = counters(page)
    page.evaluate("window.isStillThere = true")
    gate.step()
    expect(page.locator("[data-import-id]").first).not_to_have_attribute("data-successful", str(before["successful"]))
    gate.open()
    status_of(page, "FAILED")
    assert page.evaluate("window.isStillThere")


def test_pause_and_resume(page: Page, gate: Gate) -> None:
    start(page, gate)
    page.get_by_role("button", name="Pause").click()
    # The workers stand at the gate with a chunk each, and finish it first.
    expect(page.get_by_text("Pausing…").first).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    gate.open()
    status_of(page, "PAUSED")
    paused = counters(page)
    assert 0 < paused["successful"] + paused["failed"] < 5_500
    page.reload()
    assert counters(page) == paused
    page.get_by_role("button", name="Resume").click()
    status_of(page, "FAILED")
    assert counters(page) == {"total": 5_500, "successful": 4_950, "failed": 550}


def test_terminate_asks_first_and_then_nothing_more_is_written(page: Page, gate: Gate) -> None:
    path = start(page, gate)
    page.get_by_role("button", name="Terminate").click()
    dialog = page.get_by_role("dialog", name="Terminate this import?")
    dialog.get_by_role("button", name="Keep importing").click()
    expect(dialog).to_be_hidden()
    status_of(page, "RUNNING")
    page.get_by_role("button", name="Terminate").click()
    expect(dialog).to_contain_text("of 5,500 rows")
    with page.expect_request(lambda request: request.url.endswith("/terminate") and request.method == "POST"):
        dialog.get_by_role("button", name="Terminate import").click()
    # Two workers at the gate, and Terminate behind them.
    gate.wait_for(3)
    gate.open()
    status_of(page, "TERMINATED")
    ended = counters(page)
    processed = ended["successful"] + ended["failed"]
    assert 0 < processed < 5_500
    expect(page.get_by_text(f"Terminated stock.csv after {processed:,} of 5,500 rows.").first).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.goto("/imports")
    listed = export_listings(page)
    assert len(listed.splitlines()) == 1 + ended["successful"]
    page.goto(path)
    assert counters(page) == ended


def test_a_paused_import_can_be_terminated(page: Page, gate: Gate) -> None:
    start(page, gate)
    page.get_by_role("button", name="Pause").click()
    gate.open()
    status_of(page, "PAUSED")
    paused = counters(page)
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("button", name="Terminate import").click()
    status_of(page, "TERMINATED")
    assert counters(page) == paused


def test_the_panel_opens_follows_and_closes(page: Page, gate: Gate) -> None:
    start(page, gate)
    page.goto("/imports")
    link = page.get_by_role("link", name="View details")
    link.click()
    panel = page.locator("#panel")
    expect(panel.get_by_role("heading", name="Import details")).to_be_visible()
    before = counters(panel)
    gate.step()
    expect(panel.locator("[data-import-id]")).not_to_have_attribute("data-successful", str(before["successful"]))
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(link).to_be_focused()
    link.click()
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()
    expect(link).to_be_focused()
    gate.open()
    link.click()
    status_of(panel, "FAILED")
    panel.get_by_role("link", name="View full details").click()
    expect(page.get_by_role("heading", name="Batches")).to_be_visible()


def test_the_panel_keeps_the_focus_and_has_the_buttons(page: Page, gate: Gate) -> None:
    start(page, gate)
    page.goto("/imports")
    page.get_by_role("link", name="View details").click()
    panel = page.locator("#panel")
    pause = panel.get_by_role("button", name="Pause")
    expect(pause).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        # The browser's own buttons come after the last one, but never what is behind the panel. Asked in one go: the
        # panel is fetched again meanwhile.
        assert not page.evaluate("document.querySelector(':focus')?.closest('#panel') === null")
    pause.click()
    gate.open()
    status_of(panel, "PAUSED")
    # The list behind it says the same.
    status_of(page.locator("#my-imports"), "PAUSED")
    panel.get_by_role("button", name="Terminate").click()
    page.get_by_role("button", name="Terminate import").click()
    status_of(panel, "TERMINATED")


def test_many_batches_are_each_in_the_table(page: Page, gate: Gate) -> None:
    upload_and_follow(page, long_file(11_000))
    status_of(page, "FAILED")
    batches = page.get_by_role("region", name="Table of batches").get_by_role("row")
    expect(batches).to_have_count(1 + 3)
    expect(batches.nth(1)).to_contain_text("5,000")
    expect(batches.nth(3)).to_contain_text("1,000")


def test_the_newest_import_stands_first(page: Page, gate: Gate) -> None:
    upload_and_follow(page, FIRST_IMPORT.read_bytes(), name="first.csv")
    upload_and_follow(page, MISTAKES.read_bytes(), name="second.csv")
    page.goto("/imports")
    expect(page.locator(".import h2")).to_have_text(["second.csv", "first.csv"])


def test_the_title_tells_how_far_it_is_and_what_has_come_of_it(page: Page, gate: Gate) -> None:
    gate.close()
    upload_and_follow(page, long_file())
    expect(page).to_have_title("0% · stock.csv – Sluice")
    gate.step()
    expect(page).to_have_title(re.compile(r"^[1-9]\d?% · stock\.csv – Sluice$"))
    gate.open()
    status_of(page, "FAILED")
    expect(page).to_have_title("Failed: 10% of rows · stock.csv – Sluice")
    expect(page.locator("[data-announcer]")).to_contain_text("4,950 of 5,500 rows are imported")


@pytest.mark.parametrize("width", [1280, 375])
def test_nothing_on_the_page_moves_while_the_counts_grow(page: Page, gate: Gate, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    gate.close()
    upload_and_follow(page, long_file())
    gate.wait_for(2)
    expect(page.locator(".work")).to_contain_text("2 batches running")
    before = places(page)
    for _ in range(2):
        processed = page.get_by_role("progressbar").get_attribute("aria-valuenow")
        gate.step()
        expect(page.get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", str(processed))
    assert places(page) == before
    gate.open()
    status_of(page, "FAILED")


def places(page: Page) -> list[object]:
    """Where the parts of the page are.

    The facts follow what is said of the workers, which grows after some seconds at the gate: they seem to be silent.
    """
    parts = [".summary .buttons", ".summary .meter", ".vitals", ".tiles", ".work", ".facts"]
    *fixed, work, facts = [page.locator(part).first.bounding_box() for part in parts]
    return [*fixed, work["y"], facts["y"] - work["y"] - work["height"], facts["height"]]


def test_what_moves_is_told_and_kept(page: Page, gate: Gate) -> None:
    gate.close()
    upload_and_follow(page, long_file(11_000))
    gate.step()
    vitals = page.locator(".vitals")
    expect(vitals).to_contain_text("Last activity")
    expect(page.locator(".work")).to_contain_text("2 batches running, 1 waiting.")
    expect(page.locator(".batch-counts")).to_have_text(re.compile(r"2 running\s*1 waiting"))
    gate.open()
    status_of(page, "FAILED")
    expect(vitals).to_contain_text("Duration")
    expect(vitals).not_to_contain_text("Time left")


def test_stopping_is_told_from_the_press_of_the_button(page: Page, gate: Gate) -> None:
    gate.close()
    upload_and_follow(page, long_file())
    gate.wait_for(2)
    page.get_by_role("button", name="Terminate").click()
    expect(page.locator("[data-confirm-state]")).to_have_text("0 of 5,500 rows have been processed.")
    page.get_by_role("button", name="Terminate import").click()
    gate.wait_for(3)
    state = page.locator("[data-state] .pill")
    expect(state).to_have_text("Stopping…")
    # Polling continues meanwhile, and does not revert it.
    with page.expect_response(lambda response: "sluice-poll" in response.request.headers):
        pass
    expect(state).to_have_text("Stopping…")
    gate.open()
    expect(state).to_have_text("Terminated")
    # Announced once, although polling overlaps with the answer.
    expect(page.locator("#toasts .note")).to_have_count(1)
