"""Choosing and dropping a file, and what a file is refused for."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.csvfile.contract import HEADER
from tests.e2e.conftest import MAX_ROWS, MAX_UPLOAD_BYTES
from tests.e2e.files import FIRST_IMPORT
from tests.e2e.window import status_of, upload, upload_and_follow
from tests.factories import csv_bytes, row, with_header

pytestmark = pytest.mark.usefixtures("working")


def large_file(size: int) -> bytes:
    """A file of a little more than ``size`` bytes."""
    one = row(comment="c" * 250, notes="n" * 250, reference="r" * 250)
    return csv_bytes(one for _ in range(size // 750 + 1))


REFUSED = {
    "wrong header": (b"MODE,URN,PRICE\n", "The header lacks the columns"),
    "misspelt header": (HEADER.replace("PRICE", "PRISE").encode(), "is called “PRISE” and should be PRICE."),
    "no header": (b"CREATE,urn:test:1,,,,,,NM,1,1,,,,,\n", "The file has no header"),
    "empty": (b"", "The file is empty."),
    "no rows": (with_header(""), "no rows"),
    "spreadsheet": (b"PK\x03\x04" + bytes(100), "This is an Excel or LibreOffice workbook, not a CSV file."),
    "old spreadsheet": (b"\xd0\xcf\x11\xe0" + bytes(100), "This is an old Excel workbook, not a CSV file."),
    "semicolons": (HEADER.replace(",", ";").encode(), "separated by semicolons, not by commas."),
    "tabs": (HEADER.replace(",", "\t").encode(), "separated by tabs, not by commas."),
    "UTF-16": (HEADER.encode("utf-16"), "encoded as UTF-16"),
    "Latin-1": (csv_bytes([row(comment="x")]).replace(b",x,", b",\xe9,"), "UTF-8"),
    "NUL": (with_header("CREATE,\0\n"), "NUL"),
    "open quote": (with_header('CREATE,"urn:test:1,,,,,,NM,1,1,,,,,\n'), "quot"),
    "too many rows": (csv_bytes(row() for _ in range(MAX_ROWS + 1)), f"{MAX_ROWS:,} rows"),
    # The second is refused for the length that its request announces.
    "too large": (large_file(MAX_UPLOAD_BYTES), "The file is larger than 4 M"),
    "much too large": (large_file(MAX_UPLOAD_BYTES + (2 << 20)), "The file is larger than 4 M"),
}


def test_a_chosen_file_is_imported(page: Page) -> None:
    upload_and_follow(page, FIRST_IMPORT.read_bytes(), name="first-import.csv")
    expect(page.get_by_role("heading", name="first-import.csv")).to_be_visible()
    status_of(page, "COMPLETED")
    expect(page.get_by_text("All 62 rows are live.")).to_be_visible()


def test_a_dropped_file_is_imported(page: Page) -> None:
    page.goto("/imports/upload")
    dropped = page.evaluate_handle(
        """([name, text]) => {
            const dropped = new DataTransfer();
            dropped.items.add(new File([text], name, { type: "text/csv" }));
            return dropped;
        }""",
        ["dropped.csv", FIRST_IMPORT.read_text(encoding="utf-8")],
    )
    zone = page.locator("[data-drop-zone]")
    zone.dispatch_event("dragenter", {"dataTransfer": dropped})
    zone.dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.get_by_text("kB, ready to upload")).to_be_visible()
    page.get_by_role("button", name="Upload CSV").click()
    expect(page.get_by_role("heading", name="dropped.csv")).to_be_visible()
    status_of(page, "COMPLETED")


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_imported_is_refused(
    page: Page, storage_files: Callable[[], list[str]], name: str
) -> None:
    data, sentence = REFUSED[name]
    before = storage_files()
    upload(page, data)
    expect(page.get_by_role("alert")).to_contain_text("The file was not imported.")
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page).to_have_url(re.compile("/imports/upload$"))
    assert storage_files() == before
    page.goto("/imports")
    expect(page.get_by_text("Nothing imported yet")).to_be_visible()


def test_after_a_refusal_another_file_can_be_chosen_at_once(page: Page) -> None:
    upload(page, b"")
    expect(page.get_by_role("alert")).to_contain_text("The file is empty.")
    page.locator("input[type=file]").set_input_files(FIRST_IMPORT)
    page.get_by_role("button", name="Upload CSV").click()
    status_of(page, "COMPLETED")


def test_without_a_file_nothing_is_sent(page: Page) -> None:
    page.goto("/imports/upload")
    page.get_by_role("button", name="Upload CSV").click()
    assert page.locator("input[type=file]").evaluate("input => input.validity.valueMissing")
    expect(page).to_have_url(re.compile("/imports/upload$"))
