"""Sellers' housekeeping: they name an import, note something, mark it as dealt with, delete it; and its history."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.extensions import db
from app.imports import commands, housekeeping, retention
from app.imports.errors import ImportNotFound, TransitionRefused
from app.models import Import, Seller
from app.statuses import RetriedRows
from tests.factories import listed, look
from tests.pages import buttons, csrf_token, page, press, read, words
from tests.states import STATES, State, each_state, everything, make

RUNNING, PAUSED, COMPLETED, FAILED, TERMINATED, GIVEN_UP = STATES[1], *STATES[3:]


def post(client: FlaskClient, one: Import, what: str, **fields: str) -> TestResponse:
    return client.post(f"/imports/{one.public_id}/{what}", data={"csrf_token": csrf_token(client), **fields})


def age(one: Import) -> None:
    """Make an import older than a day, so that it counts against no quota."""
    db.session.execute(text("update imports set created_at = now() - interval '2 days' where id = :id"), {"id": one.id})
    db.session.commit()


def count(table: str) -> int:
    db.session.rollback()
    return db.session.execute(text(f"select count(*) from {table}")).scalar_one()


def test_an_import_is_called_what_its_seller_calls_it_and_found_by_either_name(
    client: FlaskClient, seller: Seller
) -> None:
    made = make(COMPLETED, seller, file_name="export-7.csv")
    answer = post(client, made, "edit", name="  Spring \x07 stock ", note="From the fair.\r\nBox 3 is missing.")
    assert (answer.status_code, answer.location) == (303, f"/imports/{made.public_id}")
    soup = page(client, answer.location)
    assert words(soup.h1) == "Spring stock"
    assert soup.select_one(".import-note").get_text() == "From the fair.\nBox 3 is missing."
    assert words(soup.select_one(".facts dd")) == "export-7.csv"
    for query in ("text=spring", "text=export-7", ""):
        assert words(page(client, f"/imports?{query}").select_one("#my-imports h2")) == "Spring stock"
    form = page(client, f"/imports/{made.public_id}/edit")
    assert form.select_one("#name")["value"] == "Spring stock"
    # Taken away, it has its file's name again.
    post(client, made, "edit", name="", note="")
    soup = page(client, f"/imports/{made.public_id}")
    assert words(soup.h1) == "export-7.csv"
    assert soup.select(".import-note") == []


def test_what_is_too_long_is_refused_and_kept_in_the_form(client: FlaskClient, seller: Seller) -> None:
    made = make(COMPLETED, seller)
    before = everything()
    soup = read(post(client, made, "edit", name="n" * 121, note="kept"), 422)
    assert [words(fault) for fault in soup.select(".field-error")] == ["Enter at most 120 characters."]
    assert soup.select_one("textarea").get_text() == "kept"
    assert everything() == before
    assert post(client, made, "edit", name="n" * 120, note="\r\n".join("n" * 1_000)).status_code == 303


@pytest.mark.parametrize("state", [FAILED, GIVEN_UP], ids=lambda state: state.name)
def test_what_is_dealt_with_needs_no_attention_until_it_is_marked_otherwise(
    client: FlaskClient, seller: Seller, state: State
) -> None:
    made = make(state, seller)

    def needs_attention() -> bool:
        return bool(page(client, "/imports?status=attention").select("li[data-import-id]"))

    assert needs_attention()
    answer = press(client, page(client, f"/imports/{made.public_id}"), "Mark as dealt with")
    soup = page(client, answer.location)
    assert not needs_attention()
    assert [words(pill) for pill in soup.select("[data-state] .pill")] == ["Dealt with"]
    # Nothing is red any more, but programs still find how it ended.
    assert soup.select(".summary :is(.tone-danger, .tone-warning, .tile-danger, .meter-failed)") == []
    assert soup.select_one("#details")["data-status"] == "FAILED"
    assert words(soup.select_one(".btn-primary")) != "View errors"
    # What that means is said, with a way back.
    note = soup.select_one("[data-note-text]")
    assert words(note) == f"{made.file_name} is marked as dealt with. 1 row stays out. Undo"
    soup = page(client, press(client, note, "Undo").location)
    assert words(soup.select_one("[data-note-text]")) == f"{made.file_name} is no longer marked as dealt with."
    assert needs_attention()
    # A retry deals with it too, and there is nothing to mark any more.
    commands.retry(seller.id, made.public_id, RetriedRows.FAILED if state is FAILED else RetriedRows.REMAINING)
    assert not needs_attention()
    assert "Mark as dealt with" not in buttons(page(client, f"/imports/{made.public_id}"))


def test_batches_that_are_tried_again_take_the_mark_away(seller: Seller) -> None:
    made = make(GIVEN_UP, seller)
    housekeeping.set_dealt_with(seller.id, made.public_id, dealt_with=True)
    commands.reopen(seller.id, made.public_id)
    db.session.rollback()
    assert db.session.get_one(Import, (seller.id, made.id)).dealt_with_at is None


@each_state
def test_only_what_is_over_is_marked_and_deleted(client: FlaskClient, seller: Seller, state: State) -> None:
    made = make(state, seller)
    is_over = state.status in {"COMPLETED", "FAILED", "TERMINATED"}
    menu = page(client, f"/imports/{made.public_id}").select_one(".next-steps [data-menu]")
    assert ("Delete" in words(menu)) == is_over
    if is_over:
        question = page(client, f"/imports/{made.public_id}/delete")
        assert ("the listings of its 1 successful row, as they are" in words(question.main)) == (state.counters[1] == 1)
        return
    before = everything()
    for what in ("dealt-with", "delete"):
        assert "not finished yet" in words(read(post(client, made, what), 409).select_one(".lead-sentence"))
    assert client.get(f"/imports/{made.public_id}/delete").status_code == 303
    assert everything() == before


def test_a_deleted_import_is_gone_at_once_and_what_it_did_stays(
    client: FlaskClient, seller: Seller, storage_files: Callable[[], list[str]]
) -> None:
    made = make(FAILED, seller)
    answer = press(client, page(client, f"/imports/{made.public_id}/delete"), "Delete import")
    assert (answer.status_code, answer.location) == (303, "/imports")
    soup = page(client, "/imports")
    assert [words(note) for note in soup.select("[data-note-text]")] == ["Deleted stock.csv. Its listings stay."]
    assert soup.select("li[data-import-id]") == []
    for path in ("", "/panel", "/errors", "/failed.csv", "/source.csv", "/edit", "/again"):
        page(client, f"/imports/{made.public_id}{path}", 404)
    with pytest.raises(ImportNotFound):
        commands.reopen(seller.id, made.public_id)
    assert len(listed(seller)) == 1
    assert page(client, "/listings").select(f"a[href*='{made.public_id}']") == []
    # What is stored of it goes with the next round. The import itself still counts against the day's quota.
    assert retention.remove_deleted()
    assert [count(table) for table in ("imports", "row_errors", "error_groups")] == [1, 0, 0]
    assert storage_files() == []
    assert retention.remove_deleted()
    age(made)
    assert retention.remove_deleted()
    assert [count(table) for table in ("imports", "batches")] == [0, 0]
    assert len(listed(seller)) == 1
    log = db.session.execute(text("select action, detail from audit_log order by id")).all()
    assert log[-1] == ("delete import", "stock.csv")


def test_a_file_that_another_import_uses_stays(
    client: FlaskClient, seller: Seller, storage_files: Callable[[], list[str]]
) -> None:
    made = make(FAILED, seller)
    again = commands.import_again(seller.id, made.public_id)
    housekeeping.delete(seller.id, made.public_id)
    assert retention.remove_deleted()
    assert storage_files() == [made.storage_key]
    assert client.get(f"/imports/{again.public_id}/source.csv").status_code == 200


def test_deletion_parts_relatives_and_rows_can_be_retried_once_more(client: FlaskClient, seller: Seller) -> None:
    made = make(FAILED, seller)
    retried = commands.retry(seller.id, made.public_id, RetriedRows.FAILED)
    commands.terminate(seller.id, retried.public_id)
    housekeeping.delete(seller.id, retried.public_id)
    assert page(client, f"/imports/{made.public_id}").select(".relations li") == []
    second = commands.retry(seller.id, made.public_id, RetriedRows.FAILED)
    assert second.public_id != retried.public_id
    housekeeping.delete(seller.id, made.public_id)
    age(made)
    assert retention.remove_deleted()
    assert look(second).status == "RUNNING"
    assert page(client, f"/imports/{second.public_id}").select(".relations li") == []


def test_what_belongs_to_another_is_not_found(client: FlaskClient, other_seller: Seller) -> None:
    made = make(FAILED, other_seller)
    before = everything()
    for what in ("edit", "dealt-with", "not-dealt-with", "delete"):
        assert post(client, made, what, name="mine").status_code == 404
    assert everything() == before


def test_the_history_tells_who_did_what(client: FlaskClient, seller: Seller) -> None:
    made = make(RUNNING, seller)
    press(client, page(client, f"/imports/{made.public_id}"), "Pause")
    commands.terminate(seller.id, made.public_id)
    client.get(f"/imports/{made.public_id}/failed.csv")
    told = [
        words(line.select_one("span")) for line in page(client, f"/imports/{made.public_id}").select(".timeline li")
    ]
    # What was done at the command line was done by whoever operates Sluice.
    assert told == [
        "Uploaded by an operator 3 rows of stock.csv",
        "Paused by you",
        "Terminated by an operator",
        "Downloaded by you failed rows",
    ]


def test_the_history_tells_how_it_ended(client: FlaskClient, seller: Seller) -> None:
    for state, end in (
        (COMPLETED, "Completed"),
        (FAILED, "Ended with failed rows"),
        (GIVEN_UP, "Ended with rows left over"),
    ):
        soup = page(client, f"/imports/{make(state, seller).public_id}")
        assert words(soup.select(".timeline li")[-1].select_one("span")) == end


def test_the_listings_of_an_import_are_a_press_away(client: FlaskClient, seller: Seller) -> None:
    made = make(COMPLETED, seller)
    link = page(client, f"/imports/{made.public_id}").select_one("a.btn-primary")
    assert words(link) == "View listings"
    assert len(page(client, str(link["href"])).select(".listing-table tbody tr")) == 2


def test_a_command_refuses_what_is_not_over(seller: Seller) -> None:
    made = make(PAUSED, seller)
    with pytest.raises(TransitionRefused, match="not finished yet"):
        housekeeping.delete(seller.id, made.public_id)
