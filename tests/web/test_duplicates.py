"""Repeated files: a form that is sent again creates nothing new, and a known file raises a question."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.extensions import db
from app.imports import commands, creation
from app.imports.errors import ImportedBefore
from app.imports.fixes import engine
from app.imports.fixes.answers import NewAnswer, Rule
from app.models import Import, Seller
from app.queries import ImportKey
from app.queries.imports import lookups
from app.statuses import RetriedRows
from tests.conftest import sign_in
from tests.factories import csv_bytes, look, make_items, row, start
from tests.pages import csrf_token, page, press, read, words
from tests.states import STATES, everything, make
from tests.web.test_upload import body, post

StorageFiles = Callable[[], list[str]]
DATA = csv_bytes([row(), row(urn="urn:test:2")])
OTHER = csv_bytes([row(urn="urn:test:3")])


def send(client: FlaskClient, data: bytes = DATA, file_name: str = "stock.csv", **fields: str) -> TestResponse:
    """Upload by a form with these fields before its file."""
    fields = {"csrf_token": csrf_token(client), **fields}
    parts = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    return post(client, body(*parts, (f'name="file"; filename="{file_name}"', data)))


def led_to(answer: TestResponse) -> Import:
    """The import to which an answer leads."""
    assert answer.status_code == 303
    db.session.rollback()
    public_id = answer.location.removeprefix("/imports/")
    return db.session.scalars(db.select(Import).where(Import.public_id == uuid.UUID(public_id))).one()


def all_imports() -> list[Import]:
    db.session.rollback()
    return list(db.session.scalars(db.select(Import).order_by(Import.id)))


def together(app: Flask, monkeypatch: pytest.MonkeyPatch, *actions: Callable[[], Import]) -> list[int]:
    """Do ``actions`` at the same time, so that none has found what another writes; the ids that they came to."""
    all_of_them = threading.Barrier(len(actions), timeout=20)
    first_time = threading.local()
    insert = creation._find_or_insert

    def insert_together(*args, **options) -> Import:
        if not hasattr(first_time, "is_over"):
            first_time.is_over = True
            all_of_them.wait()
        return insert(*args, **options)

    monkeypatch.setattr(creation, "_find_or_insert", insert_together)
    found: list[int] = []

    def act(action: Callable[[], Import]) -> None:
        with app.app_context():
            found.append(action().id)

    threads = [threading.Thread(target=act, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(actions)
    return found


# The key of the form --------------------------------------------------------------------------------------------------


def test_the_form_has_another_key_each_time(client: FlaskClient) -> None:
    keys = {page(client, "/imports/upload").select_one("input[name=form_key]")["value"] for _ in range(2)}
    assert len({uuid.UUID(str(key)) for key in keys}) == 2


def test_a_form_that_is_sent_twice_makes_one_import(
    client: FlaskClient, seller: Seller, storage_files: StorageFiles
) -> None:
    key = str(uuid.uuid4())
    first = led_to(send(client, form_key=key))
    assert first.form_key == uuid.UUID(key)
    before = everything()
    assert led_to(send(client, form_key=key)).id == first.id
    # The button in another tab, after the file was given another name.
    assert led_to(send(client, file_name="renamed.csv", form_key=key, again="1")).id == first.id
    assert everything() == before
    assert storage_files() == [first.storage_key]


def test_of_two_clicks_at_the_same_time_one_makes_an_import(
    app: Flask, seller: Seller, monkeypatch: pytest.MonkeyPatch, storage_files: StorageFiles
) -> None:
    seller_id, key = seller.id, uuid.uuid4()
    click = lambda: commands.upload(seller_id, "stock.csv", [DATA], form_key=key)  # noqa: E731
    found = together(app, monkeypatch, click, click)
    assert len(set(found)) == 1
    # Nothing is left of the one that was slower.
    assert storage_files() == [all_imports()[0].storage_key]


def test_a_form_that_comes_back_with_another_file_makes_another_import(client: FlaskClient, seller: Seller) -> None:
    key = str(uuid.uuid4())
    first, other = led_to(send(client, form_key=key)), led_to(send(client, OTHER, form_key=key))
    assert (first.form_key, other.form_key) == (uuid.UUID(key), None)
    assert [one.sha256 for one in all_imports()] == [first.sha256, other.sha256]
    # Nor is a check of the file its import.
    checked = led_to(send(client, form_key=key, check="1"))
    assert (checked.is_check, checked.form_key, checked.id != first.id) == (True, None, True)


def test_one_form_with_two_files_at_the_same_time_makes_two_imports(
    app: Flask, seller: Seller, monkeypatch: pytest.MonkeyPatch, storage_files: StorageFiles
) -> None:
    seller_id, key = seller.id, uuid.uuid4()
    found = together(
        app,
        monkeypatch,
        lambda: commands.upload(seller_id, "stock.csv", [DATA], form_key=key),
        lambda: commands.upload(seller_id, "stock.csv", [OTHER], form_key=key),
    )
    assert len(set(found)) == 2
    assert {one.form_key for one in all_imports()} == {key, None}
    assert len(storage_files()) == 2


def test_the_same_key_of_two_sellers_makes_two_imports(
    app: Flask, client: FlaskClient, seller: Seller, other_seller: Seller
) -> None:
    key = str(uuid.uuid4())
    mine, theirs = led_to(send(client, form_key=key)), led_to(send(sign_in(app, other_seller), form_key=key))
    assert (mine.seller_id, theirs.seller_id) == (seller.id, other_seller.id)


def test_a_key_that_is_none_is_refused(client: FlaskClient) -> None:
    read(send(client, form_key="one"), 400)
    assert all_imports() == []


@pytest.mark.parametrize("name", ["check", "again", "form_key"])
def test_what_comes_after_the_file_comes_too_late(client: FlaskClient, storage_files: StorageFiles, name: str) -> None:
    token = ('name="csrf_token"', csrf_token(client).encode())
    answer = post(client, body(token, ('name="file"; filename="stock.csv"', DATA), (f'name="{name}"', b"1")))
    assert f"has {name} after the file" in words(read(answer, 400))
    assert (all_imports(), storage_files()) == ([], [])


# The same bytes -------------------------------------------------------------------------------------------------------


def asked(client: FlaskClient, answer: TestResponse) -> BeautifulSoup:
    """The question to which an upload has led."""
    assert answer.status_code == 303
    assert "/again?" in answer.location
    return page(client, answer.location).select_one("main")


def test_bytes_that_were_imported_are_asked_about_under_any_name(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None], storage_files: StorageFiles
) -> None:
    make_items()
    first = led_to(send(client))
    run_jobs()
    before = everything()
    question = asked(client, send(client, file_name="renamed & moved.csv", form_key=str(uuid.uuid4())))
    assert everything() == before
    assert storage_files() == [first.storage_key]
    assert words(question.select_one(".confirm-file")) == "renamed & moved.csv"
    (earlier,) = question.select(".earlier li")
    assert earlier["data-import-id"] == str(first.public_id)
    assert words(earlier.select_one("a")) == "stock.csv"
    assert "All 2 rows are imported." in words(earlier)
    assert question.find("a", string="Show the earlier import")["href"] == f"/imports/{first.public_id}"


def test_rows_that_were_imported_after_they_were_fixed_count_as_imported(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items()
    data = csv_bytes([row(), row(urn="urn:test:2", price="2.50")])
    first = led_to(send(client, data))
    run_jobs()
    engine.survey(ImportKey.of(first))
    engine.give(first, NewAnswer(Rule.SET, "price-in-pounds", "PRICE", "2.50", {"PRICE": "250"}))
    commands.import_corrected(seller.id, first.public_id)
    run_jobs()
    told = words(asked(client, send(client, data)).select_one(".earlier li"))
    assert "All 2 rows are imported: 1 at once, 1 after you fixed it." in told
    assert told.count("imported later") == told.count("failed row is dealt with") == 1


def test_imported_again_it_is_a_new_import_of_the_stored_file(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None], storage_files: StorageFiles
) -> None:
    make_items()
    first = led_to(send(client))
    run_jobs()
    question = asked(client, send(client, file_name="renamed.csv"))
    again = led_to(press(client, question, "Import it again"))
    # A second click leads there as well.
    assert led_to(press(client, question, "Import it again")).id == again.id
    assert (again.file_name, again.storage_key, again.is_check) == ("renamed.csv", first.storage_key, False)
    assert len(all_imports()) == 2
    run_jobs()
    assert (look(again).status, look(again).failed, look(first).status) == ("FAILED", 2, "COMPLETED")
    assert storage_files() == [first.storage_key]
    checked = led_to(press(client, question, "Check it first"))
    assert (checked.is_check, checked.storage_key) == (True, first.storage_key)
    # The next upload lists both imports, but not the check.
    question = asked(client, send(client))
    assert "2 times" in words(question)
    assert [words(one) for one in question.select(".earlier a")] == ["renamed.csv", "stock.csv"]


def test_of_several_forms_with_one_file_at_the_same_time_one_is_imported_and_the_others_are_asked_about(
    app: Flask, seller: Seller, monkeypatch: pytest.MonkeyPatch, storage_files: StorageFiles
) -> None:
    seller_id = seller.id

    def send_form() -> Import:
        try:
            return commands.upload(seller_id, "stock.csv", [DATA], form_key=uuid.uuid4(), refuse_repeated=True)
        except ImportedBefore as repeated:
            asked_about.append(repeated.earlier.id)
            return repeated.earlier

    asked_about: list[int] = []
    found = together(app, monkeypatch, send_form, send_form, send_form)
    (made,) = all_imports()
    assert set(found) == {made.id}
    assert asked_about == [made.id] * 2
    assert storage_files() == [made.storage_key]


def test_of_two_clicks_at_the_same_time_one_imports_again(
    app: Flask, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start(seller, DATA)
    seller_id, public_id, key = seller.id, first.public_id, uuid.uuid4()
    click = lambda: commands.import_again(seller_id, public_id, form_key=key)  # noqa: E731
    assert len(set(together(app, monkeypatch, click, click))) == 1
    assert len(all_imports()) == 2


def test_a_new_import_has_the_batches_of_the_first(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 2)
    first = start(seller, csv_bytes([row(comment="one\ntwo"), row(price="x"), row(), row(), row()]))
    again = commands.import_again(seller.id, first.public_id)
    plans = [
        [
            (one.number, one.start_byte, one.end_byte, one.cursor, one.first_line, one.cursor_line, one.total)
            for one in of
        ]
        for of in (lookups.list_batches(ImportKey(seller.id, each.id)) for each in (first, again))
    ]
    assert len(plans[0]) == 3
    assert plans[0] == plans[1]
    told = [(one.header, one.total, one.invalid, one.file_size, one.sha256, one.file_name) for one in (first, again)]
    assert told[0] == told[1]


def test_an_import_that_is_not_over_says_so(client: FlaskClient, seller: Seller) -> None:
    send(client)
    assert "Still running: 0 of 2 rows processed." in words(asked(client, send(client)))


def test_the_newest_five_are_told_one_by_one(client: FlaskClient, seller: Seller) -> None:
    for _ in range(6):
        start(seller, DATA)
    question = asked(client, send(client))
    assert len(question.select(".earlier li")) == 5
    assert "Showing the newest 5 of 6." in words(question)


@pytest.mark.parametrize("fields", [{"again": "1"}, {"check": "1"}], ids=["again", "check"])
def test_a_script_that_says_so_and_a_check_are_not_asked(client: FlaskClient, seller: Seller, fields) -> None:
    start(seller, DATA)
    assert led_to(send(client, **fields)).is_check is ("check" in fields)


def test_a_check_of_the_same_bytes_is_no_import_of_them(client: FlaskClient, seller: Seller) -> None:
    checked = start(seller, DATA, is_check=True)
    assert not led_to(send(client)).is_check
    # Nor is anything asked about a check: its page has the button.
    assert client.get(f"/imports/{checked.public_id}/again").location == f"/imports/{checked.public_id}"
    read(client.post(f"/imports/{checked.public_id}/again", data={"csrf_token": csrf_token(client)}), 409)


def test_anothers_import_of_the_same_bytes_is_not_told(
    client: FlaskClient, seller: Seller, other_seller: Seller
) -> None:
    start(other_seller, DATA)
    assert led_to(send(client)).seller_id == seller.id


def test_a_retry_is_an_import_of_its_bytes(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[5], seller)
    retried = commands.retry(seller.id, made.public_id, RetriedRows.FAILED)
    failed_rows = client.get(f"/imports/{made.public_id}/failed.csv").data
    (earlier,) = asked(client, send(client, failed_rows)).select(".earlier li")
    assert earlier["data-import-id"] == str(retried.public_id)


def test_a_file_that_is_gone_is_imported_without_a_question(app: Flask, client: FlaskClient, seller: Seller) -> None:
    first = start(seller, DATA)
    app.extensions["sluice_storage"].delete(first.storage_key)
    again = led_to(send(client))
    assert again.storage_key != first.storage_key
    # The button of a page that was open meanwhile cannot do anything for the first one.
    answer = client.post(f"/imports/{first.public_id}/again", data={"csrf_token": csrf_token(client)})
    assert "has been deleted" in words(read(answer, 404).select_one(".lead-sentence"))
    # The newest one that is still stored is offered.
    assert f"/{again.public_id}/" in send(client).location


def test_a_failure_leaves_the_file_that_others_have(
    app: Flask, seller: Seller, monkeypatch: pytest.MonkeyPatch, storage_files: StorageFiles
) -> None:
    first = start(seller, DATA)
    kept = storage_files()

    def fail(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(creation, "_insert", fail)
    with pytest.raises(RuntimeError):
        commands.import_again(seller.id, first.public_id)
    assert storage_files() == kept
    assert len(all_imports()) == 1
