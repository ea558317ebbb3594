"""What a browser saves, byte for byte; the mark that spreadsheets need stands before what Sluice makes."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8

from playwright.sync_api import Page

from app.csvfile.columns import HEADER
from tests.e2e.files import FIRST_IMPORT, MISTAKES, long_file, mistakes, references
from tests.e2e.window import counters, download, export_listings, in_menu, status_of, upload_and_follow
from tests.gate import Gate


def test_the_files_of_an_import_with_mistakes(page: Page, working: None) -> None:
    data = MISTAKES.read_bytes()
    upload_and_follow(page, data, name=MISTAKES.name)
    status_of(page, "FAILED")
    assert download(page, in_menu(page, "The file as uploaded")) == data

    failed = download(page, in_menu(page, "Failed rows with problems"))
    assert failed.startswith(BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(failed.decode("utf-8-sig"), newline="")))
    assert [int(row["LINE"]) for row in rows] == [*mistakes()]
    assert all(row["PROBLEM"] for row in rows)

    succeeded = download(page, in_menu(page, "Successful rows")).decode("utf-8-sig")
    assert len(list(csv.reader(io.StringIO(succeeded)))) == 1 + counters(page)["successful"]


def test_the_failed_rows_of_a_corrected_file_are_accepted(page: Page, working: None) -> None:
    upload_and_follow(page, long_file(1_000))
    status_of(page, "FAILED")
    failed = download(page, page.get_by_role("link", name="Download failed rows").first)
    assert references(failed) == [line for line in range(2, 1_002) if line % 10 == 0]
    upload_and_follow(page, failed.replace(b',"=""1.99""",', b",199,"))
    status_of(page, "COMPLETED")
    assert counters(page) == {"total": 100, "successful": 100, "failed": 0}


def test_the_rows_that_are_left_are_those_that_were_not_processed(page: Page, gate: Gate) -> None:
    data = long_file()
    gate.close()
    upload_and_follow(page, data)
    gate.step()
    page.get_by_role("button", name="Pause").click()
    gate.open()
    status_of(page, "PAUSED")
    remaining = download(page, in_menu(page, "Remaining rows"))
    failed = download(page, in_menu(page, "Failed rows with problems"))
    listed = export_listings(page)
    lines = data.splitlines(keepends=True)
    assert remaining == BOM_UTF8 + lines[0] + b"".join(lines[line - 1] for line in references(remaining))
    assert len(references(remaining)) == 5_500 - sum(counters(page)[name] for name in ("successful", "failed"))
    assert sorted(references(remaining) + references(failed) + references(listed)) == list(range(2, 5_502))
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("button", name="Terminate import").click()
    status_of(page, "TERMINATED")
    assert download(page, in_menu(page, "Remaining rows")) == remaining


def test_the_template_is_imported_as_it_is(page: Page, working: None) -> None:
    page.goto("/imports/upload")
    template = download(page, page.get_by_role("link", name="Download the template"))
    assert template.decode("utf-8-sig").splitlines()[0] == HEADER
    upload_and_follow(page, template)
    assert counters(page)["total"] == 2


def test_the_export_comes_back_unchanged(page: Page, working: None) -> None:
    upload_and_follow(page, FIRST_IMPORT.read_bytes())
    status_of(page, "COMPLETED")
    export = export_listings(page)
    upload_and_follow(page, export)
    status_of(page, "COMPLETED")
    assert counters(page)["successful"] == 62
    assert export_listings(page) == export
