"""Choosing and dropping a file, and what a file is refused for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import CDPSession, Locator, Page, Request, Route, expect

from app.csvfile.columns import HEADER
from tests.e2e.conftest import MAX_ROWS, MAX_UPLOAD_BYTES
from tests.e2e.files import FIRST_IMPORT
from tests.e2e.window import Watch, status_of, upload, upload_and_follow
from tests.factories import csv_bytes, row, with_header
from tests.processes import wait_until

pytestmark = pytest.mark.usefixtures("working")

#: The request that checks the beginning of a file before it is sent.
LOOK = re.compile("/imports/upload/look")


def large_file(size: int) -> bytes:
    """A file of a little more than ``size`` bytes."""
    one = row(comment="c" * 250, notes="n" * 250, reference="r" * 250)
    return csv_bytes(one for _ in range(size // 750 + 1))


REFUSED = {
    "wrong header": (b"MODE,URN,PRICE\n", "The columns GAME, SET"),
    "misspelt header": (HEADER.replace("PRICE", "PRISE").encode(), "is called “PRISE” and should be PRICE."),
    "no header": (b"CREATE,urn:test:1,,,,,,NM,1,1,,,,,\n", "The file has no header"),
    "empty": (b"", "The file is empty."),
    "no rows": (with_header(""), "no rows"),
    "spreadsheet": (b"PK\x03\x04" + bytes(100), "This is a workbook or a ZIP archive, not a CSV file."),
    "old spreadsheet": (b"\xd0\xcf\x11\xe0" + bytes(100), "This is an old Excel workbook (.xls), not a CSV file."),
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
    expect(page.locator(".outcome")).to_have_text("All 62 rows are imported.")


def test_a_chosen_file_is_checked(page: Page) -> None:
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files(FIRST_IMPORT)
    page.get_by_role("button", name="Check file").click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))
    status_of(page, "COMPLETED")
    expect(page.locator(".outcome")).to_contain_text("Nothing has been changed.")


@pytest.mark.parametrize("role", ["button", "link"])
def test_whatever_leads_to_matching_takes_the_chosen_file_along(page: Page, role: Literal["button", "link"]) -> None:
    page.goto("/imports/upload")
    data = b"cardmarketId;quantity;name;condition;language;price\r\n7;2;Name 7;NM;English;1,50\r\n"
    page.locator("input[type=file]").set_input_files({"name": f"{role}.csv", "mimeType": "text/csv", "buffer": data})
    expect(page.get_by_role("alert")).to_contain_text("Match your file:")
    page.get_by_role(role, name=re.compile("match its columns", re.IGNORECASE)).click()
    page.wait_for_url(re.compile(r"/imports/match/[0-9a-f-]{36}"))
    expect(page.locator("main")).to_contain_text(f"{role}.csv")


def test_a_refused_file_is_matched_without_choosing_it_again_and_goes_live(page: Page) -> None:
    page.goto("/imports/upload")
    data = b"cardmarketId;quantity;name;condition;language;price\r\n7;2;Name 7;NM;English;1,50\r\n8;1;Name 8;EX;;2\r\n"
    page.locator("input[type=file]").set_input_files({"name": "stock.csv", "mimeType": "text/csv", "buffer": data})
    expect(page.get_by_role("alert")).to_contain_text("Match your file:")
    expect(page.get_by_role("button", name="Check file")).to_be_hidden()
    page.get_by_role("button", name="Match its columns").click()
    page.get_by_label("1 EUR in pounds").fill("0.80")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="What would be imported")).to_be_visible()
    expect(page.locator(".tile").nth(1)).to_contain_text("2")
    page.get_by_role("link", name="How it is read").click()
    page.get_by_label("Separator").select_option("comma")
    expect(page.locator(".match-rows")).to_contain_text("cardmarketId;quantity")
    page.get_by_label("Separator").select_option("semicolon")
    expect(page.locator(".match-rows th").nth(2)).to_have_text("quantity")
    page.get_by_role("button", name="Continue").click()
    # What was decided of other columns is not kept for these.
    page.get_by_label("1 EUR in pounds").fill("0.80")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))
    status_of(page, "COMPLETED")
    # It is remembered, so that the next one goes straight on, and only that: another file waits for its button.
    page.goto("/imports/upload")
    again = {"name": "again.csv", "mimeType": "text/csv", "buffer": data.replace(b"1,50", b"1,60")}
    ours = {"name": "ours.csv", "mimeType": "text/csv", "buffer": csv_bytes([row()])}
    page.locator("input[type=file]").set_input_files([again, ours])
    expect(page.locator(".upload-file").nth(0)).to_contain_text("Uploaded. Nothing is imported yet.")
    expect(page.locator(".upload-file").nth(1)).to_contain_text("ready to upload")
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files(again)
    expect(page.get_by_role("heading", name="What would be imported")).to_be_visible()


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
    zone = page.locator(".drop-zone")
    zone.dispatch_event("dragenter", {"dataTransfer": dropped})
    zone.dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.get_by_text("kB, ready to upload")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="dropped.csv")).to_be_visible()
    status_of(page, "COMPLETED")


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_imported_is_refused(
    page: Page, storage_files: Callable[[], list[str]], name: str
) -> None:
    data, sentence = REFUSED[name]
    before = storage_files()
    # Files that are rejected before they are sent have a separate test.
    page.route(LOOK, lambda route: route.fulfill(status=204))
    upload(page, data)
    # What matching reads as it is need not be saved again.
    says = "reads this file as it is." if name in {"UTF-16", "Latin-1"} else "This file cannot be imported."
    expect(page.get_by_role("alert")).to_contain_text(says)
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page).to_have_url(re.compile("/imports/upload$"))
    assert storage_files() == before
    page.goto("/imports")
    expect(page.get_by_role("heading", name="Your first import")).to_be_visible()


def test_after_a_refusal_another_file_can_be_chosen_at_once(page: Page) -> None:
    page.route(LOOK, lambda route: route.fulfill(status=204))
    upload(page, b"")
    expect(page.get_by_role("alert")).to_contain_text("The file is empty.")
    page.locator("input[type=file]").set_input_files(FIRST_IMPORT)
    page.get_by_role("button", name="Import", exact=True).click()
    status_of(page, "COMPLETED")


def test_without_a_file_nothing_is_sent(page: Page) -> None:
    page.goto("/imports/upload")
    page.get_by_role("button", name="Import", exact=True).click()
    assert page.locator("input[type=file]").evaluate("input => input.validity.valueMissing")
    expect(page).to_have_url(re.compile("/imports/upload$"))


# With scripts ---------------------------------------------------------------------------------------------------------


def drop(page: Page, *names: str) -> None:
    """Drop files that can be imported somewhere on the page, each with another row."""
    dropped = page.evaluate_handle(
        """files => {
            const dropped = new DataTransfer();
            for (const [name, text] of files) dropped.items.add(new File([text], name, { type: "text/csv" }));
            return dropped;
        }""",
        [[name, csv_bytes([row(urn=f"urn:test:{number}")]).decode()] for number, name in enumerate(names, 1)],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.locator("h1").dispatch_event(event, {"dataTransfer": dropped})


def choose(page: Page, data: bytes, name: str = "stock.csv") -> Locator:
    """Choose a file; its place in the list."""
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "text/csv", "buffer": data})
    return page.locator(".upload-file")


def test_files_can_be_dropped_anywhere(page: Page) -> None:
    page.goto("/imports/upload")
    drop(page, "first.csv")
    expect(page.locator("[data-drop-veil]")).to_be_hidden()
    expect(page.locator(".upload-file")).to_contain_text("first.csv")
    drop(page, "second.csv")
    expect(page.locator(".upload-file")).to_have_count(2)
    page.get_by_role("button", name="Remove first.csv").click()
    expect(page.locator(".upload-file")).to_have_count(1)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="second.csv")).to_be_visible()


def is_upload(request: Request) -> bool:
    return request.method == "POST" and not LOOK.search(request.url)


def test_several_files_go_one_after_the_other(page: Page) -> None:
    page.goto("/imports/upload")
    requests: list[str] = []
    page.on("request", lambda request: requests.append("sent") if is_upload(request) else None)
    page.on("response", lambda response: requests.append("answered") if response.status == 201 else None)
    drop(page, "a.csv", "b.csv", "c.csv")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("link", name=re.compile("^Open the import"))).to_have_count(3)
    assert requests == ["sent", "answered"] * 3
    # They have their messages here, and no page repeats them.
    page.get_by_role("link", name="Open the import b.csv").click()
    expect(page.get_by_role("heading", name="b.csv")).to_be_visible()
    expect(page.locator(".notes .note")).to_have_count(0)
    page.goto("/imports")
    expect(page.locator(".import")).to_have_count(3)


def test_of_several_files_one_that_is_refused_does_not_stop_the_others(page: Page) -> None:
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files(
        [
            {"name": "bad.csv", "mimeType": "text/csv", "buffer": b"MODE;URN;PRICE\n"},
            {"name": "good.csv", "mimeType": "text/csv", "buffer": csv_bytes([row()])},
        ]
    )
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("link", name="Open the import good.csv")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("separated by semicolons, not by commas.")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (HEADER.replace("PRICE", "PRISE").encode(), "is called “PRISE” and should be PRICE."),
        (HEADER.replace(",", ";").encode(), "separated by semicolons, not by commas."),
        (b"", "empty"),
        (large_file(MAX_UPLOAD_BYTES), "The file is larger than 4 M"),
    ],
    ids=["misspelt", "semicolons", "empty", "too large"],
)
def test_a_certain_refusal_is_told_before_anything_is_sent(page: Page, data: bytes, sentence: str) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    choose(page, data)
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    # The button checks it again, and sends no more than that either.
    with page.expect_response(LOOK):
        press_upload(page)
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    assert [url for url in sent if url.endswith("/imports/upload")] == []
    # Another file in its place is taken.
    page.locator("input[type=file]").set_input_files(
        {"name": "right.csv", "mimeType": "text/csv", "buffer": csv_bytes([row()])}
    )
    expect(page.locator(".upload-file")).to_contain_text("ready to upload")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="right.csv")).to_be_visible()


def test_a_file_in_another_encoding_is_offered_to_be_matched_before_anything_is_sent(page: Page) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    choose(page, csv_bytes([row(comment="x")]).replace(b",x,", b",\xe9,"))
    expect(page.get_by_role("alert")).to_contain_text("reads this file as it is.")
    expect(page.get_by_role("alert")).to_contain_text("Line 2 has characters that cannot be read")
    expect(page.get_by_role("button", name="Match its columns")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_hidden()
    assert [url for url in sent if url.endswith("/imports/upload")] == []


@pytest.mark.parametrize("data", [csv_bytes([row()]), b"\xef\xbb\xbf" + csv_bytes([row()], newline="\r\n")])
def test_a_file_that_is_right_is_looked_at_and_left_alone(page: Page, data: bytes) -> None:
    with page.expect_response(LOOK) as looked:
        choose(page, data)
    assert looked.value.status == 204
    expect(page.locator(".upload-file")).to_contain_text("ready to upload")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_enabled()


def test_what_the_look_does_not_find_the_upload_refuses(page: Page) -> None:
    page.route(LOOK, lambda route: route.fulfill(status=204))
    choose(page, b"MODE;URN;PRICE\n")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("separated by semicolons, not by commas.")


@pytest.fixture
def slow(page: Page) -> CDPSession:
    """A connection on which an upload takes as long as the test needs."""
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")

    line.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000},
    )
    return line


def test_an_upload_shows_how_fast_it_goes_and_can_be_cancelled(
    page: Page, slow: CDPSession, storage_files: Callable[[], list[str]]
) -> None:
    before = storage_files()
    file = choose(page, large_file(3_000_000))
    page.get_by_role("button", name="Import", exact=True).click()
    expect(file).to_contain_text(re.compile(r"Uploading… [1-9]\d?% · .* of 3\.\d MB · .*B/s · .* left"))
    expect(page.get_by_role("progressbar", name="Upload of stock.csv")).to_be_visible()
    page.get_by_role("button", name="Cancel stock.csv").click()
    expect(file).to_contain_text("Cancelled. Nothing was imported.")
    wait_until(lambda: storage_files() == before)
    slow.detach()
    page.get_by_role("button", name="Try again stock.csv").click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))


def test_a_broken_connection_is_told_and_tried_again(page: Page, watch: Watch) -> None:
    watch.expects_failures = True
    file = choose(page, csv_bytes([row()]))
    page.route("**/imports/upload", lambda route: route.abort("connectionreset"), times=1)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The connection dropped")
    page.get_by_role("button", name="Try again stock.csv").click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))
    expect(file).to_have_count(0)


def test_an_answer_that_is_lost_makes_no_second_import(page: Page, watch: Watch) -> None:
    watch.expects_failures = True

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    file = choose(page, csv_bytes([row()]))
    page.route("**/imports/upload", lose, times=1)
    page.get_by_role("button", name="Import", exact=True).click()
    # The page claims nothing that is unknown: the import was created.
    alert = re.compile(r"^\s*The connection dropped .* the file will not be imported twice\.")
    expect(page.get_by_role("alert")).to_have_text(alert)
    expect(file).to_contain_text("Interrupted.")
    page.get_by_role("button", name="Try again stock.csv").click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))
    page.goto("/imports")
    expect(page.locator(".import")).to_have_count(1)


def save(path: Path, data: bytes) -> None:
    """Save a file again, with another modification time."""
    before = path.stat().st_mtime if path.exists() else 0
    path.write_bytes(data)
    os.utime(path, (before + 5, before + 5))


def choose_again(page: Page, path: Path) -> None:
    """Press the button beside the file, and choose it in the dialogue of the browser."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=f"Choose it again {path.name}").click()
    chooser.value.set_files(path)


def press_upload(page: Page) -> None:
    page.get_by_role("button", name="Import", exact=True).click()


CHANGED = "stock.csv has changed or moved since you chose it. Choose it again."


@pytest.mark.parametrize("was_empty", [False, True], ids=["a file", "an empty file"])
def test_a_file_that_was_saved_since_it_was_chosen_is_chosen_again(
    page: Page, watch: Watch, tmp_path: Path, was_empty: bool
) -> None:
    # The browser sends an empty file that has grown, and then breaks the request off.
    watch.expects_failures = was_empty
    path = tmp_path / "stock.csv"
    save(path, b"" if was_empty else b"MODE;URN;PRICE\n")
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_role("alert")).to_be_visible()
    save(path, csv_bytes([row()]))
    words = "stock.csv was empty when you chose it. Choose it again." if was_empty else CHANGED
    # However often it is pressed, the button says so again.
    for _ in range(2):
        press_upload(page)
        expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("button", name="Try again stock.csv")).to_be_hidden()
    choose_again(page, path)
    expect(page.locator(".upload-file")).to_have_count(1)
    expect(page.locator(".upload-file")).to_contain_text("ready to upload")
    press_upload(page)
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))


def test_a_file_that_is_gone_is_told_and_does_not_stop_the_others(page: Page, tmp_path: Path) -> None:
    paths = [tmp_path / "stock.csv", tmp_path / "other.csv"]
    for path in paths:
        save(path, csv_bytes([row(reference=path.name)]))
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files(paths)
    paths[0].unlink()
    press_upload(page)
    expect(page.get_by_role("alert")).to_contain_text(CHANGED)
    expect(page.get_by_role("link", name="Open the import other.csv")).to_be_visible()
    save(paths[0], csv_bytes([row(reference="new")]))
    choose_again(page, paths[0])
    expect(page.locator(".upload-file")).to_have_count(2)
    press_upload(page)
    expect(page.get_by_role("link", name="Open the import stock.csv")).to_be_visible()


def test_a_refused_file_that_was_mended_is_chosen_again(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    save(path, b"MODE;URN;PRICE\n")
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files(path)
    for _ in range(2):
        # The unchanged file is checked again, and rejected again.
        with page.expect_response(lambda response: response.status == 422):
            press_upload(page)
        expect(page.get_by_role("alert")).to_contain_text("separated by semicolons")
    save(path, csv_bytes([row()]))
    press_upload(page)
    expect(page.get_by_role("alert")).to_contain_text(CHANGED)
    # Through the field itself, too, where a browser does not tell of the same file twice.
    with page.expect_file_chooser() as chooser:
        page.locator("input[type=file]").click()
    chooser.value.set_files(path)
    press_upload(page)
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))


def test_a_file_that_changes_on_its_way_is_not_told_as_a_broken_connection(
    page: Page, watch: Watch, tmp_path: Path
) -> None:
    watch.expects_failures = True
    path = tmp_path / "stock.csv"
    save(path, csv_bytes([row()]))
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files(path)

    def save_and_break(route: Route) -> None:
        save(path, csv_bytes([row(price=7)]))
        route.abort("failed")

    page.route("**/imports/upload", save_and_break, times=1)
    press_upload(page)
    expect(page.get_by_role("alert")).to_contain_text(CHANGED)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            413,
            "The server in front of Sluice does not accept files of this size.",
        ),
        (502, "Sluice is not responding (error 502). Try again in a moment"),
        (504, "Sluice is not responding (error 504). Try again in a moment"),
        (200, "Something in front of Sluice answered in its place (status 200)."),
    ],
)
def test_what_a_proxy_answers_is_told_for_what_it_is(page: Page, watch: Watch, status: int, words: str) -> None:
    watch.expects_failures = True
    choose(page, csv_bytes([row()]))

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(status=status, content_type="text/html", body="<h1>nginx</h1>")
        else:
            route.fallback()

    page.route("**/imports/upload", answer)
    press_upload(page)
    expect(page.get_by_role("alert")).to_contain_text(words)
    page.unroute("**/imports/upload")
    # The button is no dead end.
    press_upload(page)
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))


def test_a_page_with_an_old_token_gets_another_when_it_is_tried_again(page: Page) -> None:
    choose(page, csv_bytes([row()]))
    page.locator("form[data-upload] [name=csrf_token]").evaluate("field => (field.value = 'old')")
    press_upload(page)
    expect(page.get_by_role("alert")).to_contain_text("its buttons no longer work")
    press_upload(page)
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))


def test_an_upload_without_a_session_can_be_tried_again(page: Page) -> None:
    choose(page, csv_bytes([row()]))
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("You have been signed out.")
    page.context.add_cookies(cookies)
    page.get_by_role("button", name="Try again stock.csv").click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))


def test_a_file_that_was_imported_before_is_asked_about(page: Page) -> None:
    upload_and_follow(page, csv_bytes([row()]))
    upload(page, csv_bytes([row()]))
    expect(page.get_by_role("heading", name="Import this file again?")).to_be_visible()


def test_the_form_works_with_the_keyboard_alone(page: Page) -> None:
    choose(page, csv_bytes([row()]))
    page.locator("input[type=file]").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Remove stock.csv")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Check file")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))
