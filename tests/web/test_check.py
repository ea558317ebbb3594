"""Checks: how to request one, how it differs from an import, and how its file is imported."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.extensions import db
from app.imports import commands
from app.imports.errors import TransitionRefused
from app.models import Import, Seller
from app.statuses import RetriedRows
from tests.factories import csv_bytes, look, make_items, row, start
from tests.pages import buttons, csrf_token, page, press, read, words, words_but_times
from tests.states import everything
from tests.web.test_details import live_part
from tests.web.test_downloads import finish
from tests.web.test_duplicates import DATA, all_imports, led_to, send, together

FACES = pytest.mark.parametrize("face", ["", "/panel"], ids=["details", "panel"])
OVER = pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "TERMINATED"])


def checked(seller: Seller, status: str = "COMPLETED") -> Import:
    """A check in this state, set directly; none of its rows was processed."""
    made = start(seller, DATA, is_check=True)
    db.session.execute(
        text("update imports set status = :status, finished_at = now() where id = :id"),
        {"status": status, "id": made.id},
    )
    db.session.commit()
    return made


def pills(element) -> list[str]:
    return [words(pill) for pill in element.select(".pill")]


# How it is asked for --------------------------------------------------------------------------------------------------


def test_the_form_has_a_button_for_it_beside_the_one_that_imports(client: FlaskClient, seller: Seller) -> None:
    form = page(client, "/imports/upload").select_one("form[data-upload]")
    names = [str(field["name"]) for field in form.select("input[name]")]
    assert names == ["csrf_token", "form_key", "file"]
    check, import_it = form.select("button[type=submit]")
    assert (words(check), words(import_it)) == ("Check file", "Import")
    assert not import_it.has_attr("formaction")
    sent = {"csrf_token": csrf_token(client), "file": (io.BytesIO(DATA), "stock.csv")}
    assert led_to(client.post(str(check["formaction"]), data=sent)).is_check


@pytest.mark.parametrize(
    ("fields", "is_check"),
    [({}, False), ({"check": "1"}, True), ({"check": "on"}, True), ({"check": "0"}, False)],
)
def test_the_switch_makes_it_a_check(client: FlaskClient, seller: Seller, fields, is_check: bool) -> None:
    answer = send(client, **fields)
    assert led_to(answer).is_check is is_check
    # The page itself says so, and stays up to date: a message above it would not.
    assert page(client, answer.location).select("[data-note-text]") == []


# How it is told from an import ----------------------------------------------------------------------------------------


def test_a_check_is_told_wherever_it_is_shown(client: FlaskClient, seller: Seller) -> None:
    made, imported = start(seller, DATA, is_check=True), start(seller, DATA)
    for path in ("", "/panel", "/errors"):
        for one, is_check in ((made, "true"), (imported, "false")):
            element = page(client, f"/imports/{one.public_id}{path}").select_one("[data-import-id]")
            assert element["data-check"] == is_check
            if path != "/errors":
                assert ("Check" in pills(element)) is (is_check == "true")
    in_list = page(client, "/imports").select("li[data-import-id]")
    assert [(one["data-check"], pills(one)) for one in in_list] == [
        ("false", ["Running"]),
        ("true", ["Running", "Check"]),
    ]


def test_nothing_of_a_check_is_said_to_be_live(client: FlaskClient, seller: Seller) -> None:
    made = start(seller, DATA, is_check=True)
    element = live_part(page(client, f"/imports/{made.public_id}"))
    assert "Checking will start in a moment, and nothing will be changed." in words(element.select_one(".outcome"))
    assert [words(name) for name in element.select("dl.tiles dt")] == [
        "Total",
        "Would succeed",
        "Would fail",
        "Not checked",
    ]


def test_it_is_called_a_check_when_a_button_does_not_fit_and_before_it_ends(
    client: FlaskClient, seller: Seller
) -> None:
    made = start(seller, DATA, is_check=True)
    question = page(client, f"/imports/{made.public_id}/terminate").select_one("main")
    assert words(question.h1) == "Terminate this check?"
    assert "Nothing has been changed. You can’t resume the check." in words(question)
    press(client, question, "Terminate check")
    assert look(made).status == "TERMINATED"
    with pytest.raises(TransitionRefused, match="This check has already been terminated, so it cannot be paused"):
        commands.pause(seller.id, made.public_id)


def test_a_check_that_is_over_says_what_it_found_and_not_that_something_is_done(
    client: FlaskClient, seller: Seller
) -> None:
    make_items()
    soup = page(client, f"/imports/{finish(start(seller, DATA, is_check=True)).public_id}")
    assert pills(soup.select_one("[data-state]")) == ["No row would fail", "Check"]
    assert words(soup.select(".timeline li")[-1].select_one("span")) == "Checked: no row would fail"


# How its file is imported ---------------------------------------------------------------------------------------------


@FACES
@OVER
def test_one_button_imports_the_stored_file_of_a_check(
    client: FlaskClient, seller: Seller, status: str, face: str, storage_files: Callable[[], list[str]]
) -> None:
    made = checked(seller, status)
    element = live_part(page(client, f"/imports/{made.public_id}{face}"))
    assert buttons(element) == ["Import this file"]
    imported = led_to(press(client, element, "Import this file"))
    assert (imported.is_check, imported.parent_id, imported.retried_rows) == (False, made.id, "ALL")
    assert (imported.file_name, imported.storage_key) == (made.file_name, made.storage_key)
    assert storage_files() == [made.storage_key]
    assert len(all_imports()) == 2
    # Repeated, it returns the same import, and it is no longer offered.
    assert led_to(press(client, element, "Import this file")).id == imported.id
    element = live_part(page(client, f"/imports/{made.public_id}{face}"))
    assert buttons(element) == []
    assert words_but_times(element.select_one(".relations")) == "Imported as stock.csv Running"
    assert words(element.select_one(".btn-primary")) == "View the import"
    element = live_part(page(client, f"/imports/{imported.public_id}{face}"))
    found = "No row would fail" if status == "COMPLETED" else status.capitalize()
    assert words_but_times(element.select_one(".relations")) == (
        f"Import of the file checked as stock.csv, checked {found} Check"
    )


def test_what_fails_of_a_check_is_fixed_after_its_import_which_comes_first_unless_all_fails(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items()
    made = start(seller, [row(), row(price="x"), row(price="y")], is_check=True)
    run_jobs()
    element = live_part(page(client, f"/imports/{made.public_id}"))
    assert [words(button) for button in element.select(".next-steps > :is(a, form)")] == [
        "Import this file",
        "View errors",
    ]
    assert words(element.select_one(".btn-primary")) == "Import this file"
    assert "2 rows have problems (all the same one). You can fix them here once the file is imported." in words(element)
    assert "you fix the others here" in words(page(client, f"/imports/{made.public_id}/errors").select_one("main"))
    made = start(seller, [row(price="x")], is_check=True)
    run_jobs()
    element = live_part(page(client, f"/imports/{made.public_id}"))
    assert [words(button) for button in element.select(".next-steps > :is(a, form)")] == ["View errors"]


def test_of_two_presses_at_the_same_time_one_imports_it(
    app: Flask, seller: Seller, monkeypatch: pytest.MonkeyPatch, storage_files: Callable[[], list[str]]
) -> None:
    made = checked(seller)
    seller_id, public_id = seller.id, made.public_id
    click = lambda: commands.import_checked(seller_id, public_id)  # noqa: E731
    assert len(set(together(app, monkeypatch, click, click))) == 1
    assert len(all_imports()) == 2
    assert storage_files() == [made.storage_key]


def test_what_is_no_check_or_not_over_is_refused(client: FlaskClient, seller: Seller) -> None:
    imported, running = start(seller, DATA), start(seller, DATA, is_check=True)
    paused = start(seller, DATA, is_check=True)
    commands.pause(seller.id, paused.public_id)
    before = everything()
    for one, sentence in (
        (imported, "This is an import itself, not a check."),
        (running, "This check has not finished yet, so its file cannot be imported from here now."),
        (paused, "This check has not finished yet, so its file cannot be imported from here now."),
    ):
        assert "Import this file" not in buttons(live_part(page(client, f"/imports/{one.public_id}")))
        answer = client.post(f"/imports/{one.public_id}/import", data={"csrf_token": csrf_token(client)})
        assert words(read(answer, 409).select_one(".lead-sentence")) == sentence
    assert client.post(f"/imports/{running.public_id}/import").status_code == 403
    assert everything() == before


def test_a_file_that_is_gone_cannot_be_imported(app: Flask, client: FlaskClient, seller: Seller) -> None:
    made = checked(seller)
    app.extensions["sluice_storage"].delete(made.storage_key)
    answer = client.post(f"/imports/{made.public_id}/import", data={"csrf_token": csrf_token(client)})
    assert "has been deleted" in words(read(answer, 404).select_one(".lead-sentence"))


@OVER
@pytest.mark.parametrize("rows", ["FAILED", "REMAINING"])
def test_no_row_of_a_check_is_retried(client: FlaskClient, seller: Seller, status: str, rows: str) -> None:
    made = checked(seller, status)
    before = everything()
    data = {"csrf_token": csrf_token(client), "rows": rows}
    answer = client.post(f"/imports/{made.public_id}/retry", data=data)
    assert "This is a check only, so there is nothing to retry." in words(read(answer, 409))
    assert everything() == before


def test_the_import_of_a_check_is_retried_as_any_other(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    made = start(seller, csv_bytes([row(price="x")]), is_check=True)
    commands.terminate(seller.id, made.public_id)
    imported = commands.import_checked(seller.id, made.public_id)
    run_jobs()
    retried = commands.retry(seller.id, imported.public_id, RetriedRows.FAILED)
    assert (retried.parent_id, retried.retried_rows) == (imported.id, "FAILED")
