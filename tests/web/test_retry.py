"""Retry: the failed or the remaining rows of an import as a new one, once, and linked both ways."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from app.extensions import db
from app.imports import commands, creation, ledger
from app.imports.reports import exports
from app.imports.worker import batch_job
from app.models import Import, Seller
from app.queries import ImportKey
from app.statuses import RetriedRows
from tests.factories import csv_bytes, listed, look, make_items, row, start
from tests.pages import csrf_token, page, press, read, words, words_but_times
from tests.states import STATES, State, each_state, everything, make
from tests.web.test_details import live_part

FACES = pytest.mark.parametrize("face", ["", "/panel"], ids=["details", "panel"])
COMPLETED, FAILED, TERMINATED, GIVEN_UP = STATES[4:]


def post(client: FlaskClient, one: Import, rows: str, **headers: str) -> TestResponse:
    """Press the button, whether it is on the page or not."""
    data = {"csrf_token": csrf_token(client), "rows": rows}
    return client.post(f"/imports/{one.public_id}/retry", data=data, headers=headers)


def led_to(answer: TestResponse) -> Import:
    """The import that a press has led to."""
    assert answer.status_code == 303
    db.session.rollback()
    public_id = answer.location.removeprefix("/imports/")
    return db.session.scalars(db.select(Import).where(Import.public_id == public_id)).one()


def finish(started: Import) -> None:
    """Do what a worker does with an import of one batch."""
    batch_job.run(started.seller_id, started.id, 1, 1)


def relatives(client: FlaskClient, one: Import, face: str = "") -> list[str]:
    """What the page of an import says of others."""
    told = page(client, f"/imports/{one.public_id}{face}").select(".relations li")
    return [words_but_times(line) for line in told]


def lead(client: FlaskClient, one: Import) -> str:
    return words(page(client, f"/imports/{one.public_id}").select_one(".outcome"))


@FACES
def test_failed_rows_succeed_once_the_catalog_is_mended_and_the_parent_shows_it(
    client: FlaskClient, seller: Seller, face: str
) -> None:
    make_items(1)
    # The rows are valid: their items were added to the catalog only later.
    rows = [row(urn=f"urn:test:{n}", comment="one\r\ntwo, “so”") for n in (1, 2, 3)]
    made = start(seller, csv_bytes(rows, newline="\r\n"), file_name="my stock.csv")
    finish(made)
    assert lead(client, made).startswith("1 of 3 rows is imported. 2 rows have problems")
    make_items(3)
    element = live_part(page(client, f"/imports/{made.public_id}{face}"))
    answer = press(client, element, "Retry failed rows")
    retried = led_to(answer)
    assert page(client, answer.location).select("[data-note-text]") == []
    assert b"".join(exports.source(ImportKey(seller.id, retried.id))) == csv_bytes(rows[1:], newline="\r\n")
    assert relatives(client, made, face) == ["Failed rows retried as my stock (failed rows).csv Running"]
    finish(retried)
    assert look(retried).status == "COMPLETED"
    assert len(listed(seller)) == 3
    assert relatives(client, made, face) == ["Failed rows retried as my stock (failed rows).csv Completed"]
    assert relatives(client, retried, face) == ["Retry of the failed rows in my stock.csv, imported Dealt with"]
    told = "All 3 rows are imported: 1 at once, 2 by a retry. 2 rows failed and have been retried."
    assert lead(client, made) == told
    # The parent itself is as it was, and the books of both are true.
    assert (look(made).status, look(made).failed) == ("FAILED", 2)
    keys = [(seller.id, made.id), (seller.id, retried.id)]
    for key in keys:
        assert list(ledger.find_faults(db.session.get_one(Import, key))) == []


@pytest.mark.parametrize("state", [TERMINATED, GIVEN_UP], ids=lambda state: state.name)
def test_the_remaining_rows_are_imported_by_another_import(client: FlaskClient, seller: Seller, state: State) -> None:
    made = make(state, seller)
    retried = led_to(post(client, made, "REMAINING"))
    assert (retried.file_name, retried.total) == ("stock (remaining rows).csv", look(made).not_processed)
    finish(retried)
    assert look(retried).status == "COMPLETED"
    assert len(listed(seller)) == state.counters[0]
    assert relatives(client, made) == ["Remaining rows imported as stock (remaining rows).csv Completed"]
    assert "moved to a retry." in lead(client, made)


@each_state
def test_it_is_offered_and_done_only_where_there_is_something_to_retry(
    client: FlaskClient, seller: Seller, state: State
) -> None:
    made = make(state, seller)
    for rows, button in (("FAILED", "Retry failed rows"), ("REMAINING", "Import remaining rows")):
        before = everything()
        answer = post(client, made, rows)
        if button in state.retries:
            assert led_to(answer).parent_id == made.id
            continue
        sentence = words(read(answer, 409).select_one(".lead-sentence"))
        if state.status in {"RUNNING", "PAUSED"}:
            assert sentence == "This import has not finished yet, so none of its rows can be retried now."
        else:
            assert "so there is nothing" in sentence
        assert everything() == before


def test_it_is_done_once_however_often_the_button_is_pressed(client: FlaskClient, seller: Seller) -> None:
    made = make(FAILED, seller)
    first = led_to(post(client, made, "FAILED"))
    before = everything()
    assert led_to(post(client, made, "FAILED")).id == first.id
    assert everything() == before
    assert "Retry failed rows" not in page(client, f"/imports/{made.public_id}").get_text()
    # A row that fails again belongs to the retry, and is retried from there; the name does not grow.
    finish(first)
    second = led_to(post(client, first, "FAILED"))
    assert (second.parent_id, second.file_name) == (first.id, "stock (failed rows).csv")
    assert [line.partition(" stock")[0] for line in relatives(client, first)] == [
        "Retry of the failed rows in",
        "Failed rows retried as",
    ]
    # The whole chain is told at both its ends; in the middle the two relations are all of it.
    finish(second)
    family = (made, first, second)
    pages = [page(client, f"/imports/{one.public_id}") for one in family]
    chains = [[str(link["href"]).rpartition("/")[2] for link in soup.select(".chain a")] for soup in pages]
    ids = [str(one.public_id) for one in family]
    assert chains == [ids[1:], [], ids[:2]]


def test_both_kinds_of_rows_can_be_retried(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[1], seller)
    commands.terminate(seller.id, made.public_id)
    children = {led_to(post(client, made, rows)).id for rows in ("FAILED", "REMAINING")}
    assert len(children) == 2
    assert relatives(client, made) == [
        "Failed rows retried as stock (failed rows).csv Running",
        "Remaining rows imported as stock (remaining rows).csv Running",
    ]


def test_of_two_presses_at_the_same_time_one_makes_an_import(
    app: Flask,
    client: FlaskClient,
    seller: Seller,
    monkeypatch: pytest.MonkeyPatch,
    storage_files: Callable[[], list[str]],
) -> None:
    made = make(FAILED, seller)
    seller_id, public_id = seller.id, made.public_id
    both = threading.Barrier(2, timeout=20)
    insert = creation._find_or_insert

    def insert_together(*args, **options) -> Import:
        both.wait()
        return insert(*args, **options)

    monkeypatch.setattr(creation, "_find_or_insert", insert_together)
    found: list[int] = []

    def press_once() -> None:
        with app.app_context():
            found.append(commands.retry(seller_id, public_id, RetriedRows.FAILED).id)

    threads = [threading.Thread(target=press_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1
    # Nothing is left of the one that was slower.
    assert len(storage_files()) == 2


def test_the_database_knows_that_a_retry_is_told_in_full(seller: Seller) -> None:
    made = make(FAILED, seller)
    for values in ({"parent_id": made.id}, {"retried_rows": "FAILED"}, {"parent_id": 0, "retried_rows": "FAILED"}):
        with pytest.raises(IntegrityError):
            db.session.execute(db.update(Import).where(Import.id == made.id).values(values))
        db.session.rollback()


def test_a_request_that_does_not_say_which_rows_is_refused(client: FlaskClient, seller: Seller) -> None:
    made = make(FAILED, seller)
    before = everything()
    for rows in ("", "ALL"):
        read(post(client, made, rows), 400)
    assert client.post(f"/imports/{made.public_id}/retry", data={"rows": "FAILED"}).status_code == 403
    assert everything() == before


def test_a_file_that_is_gone_leaves_the_failed_rows_to_be_retried(
    app: Flask, client: FlaskClient, seller: Seller
) -> None:
    given_up, failed = make(GIVEN_UP, seller), make(FAILED, seller)
    for one in (given_up, failed):
        app.extensions["sluice_storage"].delete(one.storage_key)
    soup = read(post(client, given_up, "REMAINING"), 404)
    assert "has been deleted" in words(soup.select_one(".lead-sentence"))
    assert led_to(post(client, failed, "FAILED")).total == 1


def test_rows_that_sluice_has_ceased_to_accept_are_refused_with_the_reason(
    app: Flask, client: FlaskClient, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    made = make(TERMINATED, seller)
    settings = replace(app.extensions["sluice_settings"], max_rows=1)
    monkeypatch.setitem(app.extensions, "sluice_settings", settings)
    before = everything()
    assert "more than 1 rows" in words(read(post(client, made, "REMAINING"), 409).select_one(".lead-sentence"))
    assert everything() == before
