"""Uploading: what is taken, what is refused, and that nothing is left of what was refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text
from werkzeug.test import TestResponse

from app.csvfile.contract import MAX_RECORD_BYTES
from app.csvfile.scan import LOOK_BYTES
from app.extensions import db
from app.imports import mappings
from app.models import AuditEntry, Import, Seller
from tests.factories import csv_bytes, look, row, with_header
from tests.foreign import MAPPING
from tests.pages import read, words
from tests.samples import SAMPLES, needs_samples
from tests.workbooks import make_workbook

StorageFiles = Callable[[], list[str]]
BOUNDARY = b"----a-boundary"


def csrf_token(client: FlaskClient) -> str:
    page = BeautifulSoup(client.get("/imports/upload").data, "html5lib")
    return str(page.select_one("input[name=csrf_token]")["value"])


def upload(client: FlaskClient, data: bytes, file_name: str = "stock.csv") -> TestResponse:
    token = ('name="csrf_token"', csrf_token(client).encode())
    return post(client, body(token, (f'name="file"; filename="{file_name}"', data)))


def sentence(response: TestResponse) -> str:
    return BeautifulSoup(response.data, "html5lib").select_one("[role=alert]").get_text(" ", strip=True)


def nothing_is_left(storage_files: StorageFiles) -> bool:
    return db.session.scalar(text("select count(*) from imports")) == 0 and storage_files() == []


def test_a_file_is_taken_and_leads_to_its_import(app: Flask, client: FlaskClient, storage_files: StorageFiles) -> None:
    response = upload(client, csv_bytes([row(), row(price="x")]), "folder/stöck.csv")
    assert response.status_code == 303
    created = db.session.scalar(db.select(Import))
    assert response.location.endswith(f"/imports/{created.public_id}")
    assert (created.file_name, created.total, created.invalid) == ("stöck.csv", 2, 1)
    assert storage_files() == [created.storage_key]
    page = client.get(response.location)
    assert page.status_code == 200
    assert f'data-import-id="{created.public_id}"' in page.text
    assert 'data-total="2"' in page.text
    assert "1 row contains mistakes and will fail" in " ".join(BeautifulSoup(page.data, "html5lib").get_text().split())


def test_what_the_answer_to_an_upload_tells_is_not_read_again(client: FlaskClient) -> None:
    token = ('name="csrf_token"', csrf_token(client).encode())
    sent = body(token, ('name="file"; filename="stock.csv"', csv_bytes([row()])))
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert post(client, sent).status_code == 303
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    made_at = next(at for at, statement in enumerate(statements) if statement.startswith("INSERT INTO imports"))
    assert not [statement for statement in statements[made_at:] if statement.startswith("SELECT imports.")]


@needs_samples
@pytest.mark.parametrize("path", sorted((SAMPLES / "rejected").glob("*.csv")), ids=lambda path: path.stem)
def test_each_rejected_sample_leaves_nothing_behind(client: FlaskClient, storage_files: StorageFiles, path) -> None:
    response = upload(client, path.read_bytes(), path.name)
    assert response.status_code == 422
    assert len(sentence(response)) > 20
    assert nothing_is_left(storage_files)


def test_batches_are_planned_for_the_workers_that_listen(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.batch_plan.MIN_BATCH_ROWS", 1)
    monkeypatch.setattr("app.jobs.queue.count_workers", lambda: 1)
    upload(client, csv_bytes(row(urn=f"urn:test:{n}") for n in range(10)))
    totals = db.session.execute(text("select total from batches order by number")).scalars().all()
    assert totals == [3, 3, 3, 1]


def test_a_file_that_is_too_large_is_refused(app: Flask, client: FlaskClient, storage_files, monkeypatch) -> None:
    from dataclasses import replace

    monkeypatch.setitem(
        app.extensions, "sluice_settings", replace(app.extensions["sluice_settings"], max_upload_bytes=5_000)
    )
    response = upload(client, csv_bytes(row() for _ in range(1_000)))
    assert response.status_code == 413
    assert "larger than" in sentence(response)
    assert nothing_is_left(storage_files)


def test_too_many_rows_are_refused(app: Flask, client: FlaskClient, storage_files, monkeypatch) -> None:
    from dataclasses import replace

    monkeypatch.setitem(app.extensions, "sluice_settings", replace(app.extensions["sluice_settings"], max_rows=3))
    response = upload(client, csv_bytes(row() for _ in range(4)))
    assert response.status_code == 422
    assert "more than 3 rows" in sentence(response)
    assert nothing_is_left(storage_files)


def test_a_refusal_late_in_the_file_leaves_nothing(client: FlaskClient, storage_files: StorageFiles) -> None:
    good = csv_bytes(row() for _ in range(5_000))
    response = upload(client, good + b"x" * (MAX_RECORD_BYTES + 1))
    assert response.status_code == 422
    assert "begins on line 5002" in sentence(response)
    assert nothing_is_left(storage_files)


def test_no_file_at_all(client: FlaskClient, storage_files: StorageFiles) -> None:
    response = upload(client, b"", "")
    assert (response.status_code, "Choose a CSV file" in sentence(response)) == (422, True)
    assert nothing_is_left(storage_files)


def body(*parts: tuple[str, bytes]) -> bytes:
    """A multipart body of parts with these headers and contents."""
    return b"".join(
        b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    ) + (b"--" + BOUNDARY + b"--\r\n")


def post(client: FlaskClient, data: bytes, **headers: str) -> TestResponse:
    return client.post(
        "/imports/upload", data=data, content_type=f"multipart/form-data; boundary={BOUNDARY.decode()}", headers=headers
    )


FILE = ('name="file"; filename="stock.csv"', csv_bytes([row()]))


def test_the_token_may_come_after_the_file_or_in_a_header(client: FlaskClient) -> None:
    token = csrf_token(client)
    assert post(client, body(FILE, ('name="csrf_token"', token.encode()))).status_code == 303
    assert post(client, body(FILE), **{"X-CSRFToken": token}).status_code == 303


@pytest.mark.parametrize(
    "parts", [[FILE], [FILE, ('name="csrf_token"', b"wrong")], [('name="csrf_token"', b"wrong"), FILE]]
)
def test_without_the_token_nothing_is_kept(client: FlaskClient, storage_files: StorageFiles, parts) -> None:
    csrf_token(client)
    assert post(client, body(*parts)).status_code in {400, 403}
    assert nothing_is_left(storage_files)


@pytest.mark.parametrize("left", [1, 30, 60])
def test_a_body_that_ends_early_is_no_file(client: FlaskClient, storage_files: StorageFiles, left: int) -> None:
    token = csrf_token(client)
    data = body(('name="csrf_token"', token.encode()), FILE)
    assert post(client, data[: -left - len(BOUNDARY)]).status_code == 400
    assert nothing_is_left(storage_files)


def test_strangers_are_sent_to_the_sign_in_page(app: Flask, storage_files: StorageFiles) -> None:
    response = post(app.test_client(), body(FILE))
    assert response.status_code == 302
    assert "/login" in response.location
    assert nothing_is_left(storage_files)


def test_a_storage_that_fails_says_so_and_leaves_nothing(
    app: Flask, client: FlaskClient, storage_files, monkeypatch
) -> None:
    def no_space(self, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.storage.local._FileWriter.write", no_space)
    response = upload(client, csv_bytes([row()]))
    assert response.status_code == 503
    assert "could not be stored" in response.text
    assert nothing_is_left(storage_files)


def test_redis_away_does_not_fail_an_upload(client: FlaskClient, seller: Seller, take_redis_away) -> None:
    take_redis_away()
    assert upload(client, with_header("CREATE,u,,,,,,NM,1,1,,,,,\n")).status_code == 303
    assert look(db.session.scalar(db.select(Import))).status == "RUNNING"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (('name="dry_run"', b"true"), "dry_run"),
        (('name="file"; filename="b.csv"', b""), "second file, “b.csv”"),
        (('name="check"', b"nonsense"), "Enter true or false, not “nonsense”"),
        (('name="again"', b""), "Enter true or false"),
    ],
    ids=["unknown", "a second file", "check", "again"],
)
def test_what_a_form_must_not_have_is_named_and_nothing_is_imported(
    client: FlaskClient, storage_files: StorageFiles, part: tuple[str, bytes], words: str
) -> None:
    token = ('name="csrf_token"', csrf_token(client).encode())
    parts = [token, FILE, part] if "filename" in part[0] else [token, part, FILE]
    answer = post(client, body(*parts), **{"HX-Request": "true", "Sluice-Upload": "alone"})
    assert (answer.status_code, words in answer.text) == (422, True), answer.text
    assert nothing_is_left(storage_files)


def test_the_audit_log_names_who_uploaded(client: FlaskClient, seller: Seller) -> None:
    upload(client, csv_bytes([row()]))
    entry = db.session.scalars(db.select(AuditEntry)).one()
    assert (entry.actor_id, entry.actor, entry.via) == (seller.id, seller.email, "web")


# Scripts --------------------------------------------------------------------------------------------------------------


def send(client: FlaskClient, data: bytes) -> TestResponse:
    """Upload a file as the script on the page does."""
    parts = [('name="csrf_token"', csrf_token(client).encode()), ('name="file"; filename="stock.csv"', data)]
    return post(client, body(*parts), **{"HX-Request": "true", "Sluice-Upload": "1"})


def test_a_script_is_told_the_place(client: FlaskClient) -> None:
    response = send(client, csv_bytes([row()]))
    assert (response.status_code, response.mimetype) == (201, "text/plain")
    assert response.text == "Uploaded stock.csv. Import started."
    created = db.session.scalar(db.select(Import))
    assert response.location == f"/imports/{created.public_id}"


def test_a_script_is_asked_about_a_file_that_was_imported_before(client: FlaskClient) -> None:
    first = send(client, csv_bytes([row()]))
    response = send(client, csv_bytes([row()]))
    assert response.status_code == 409
    assert response.location == f"{first.location}/again?name=stock.csv"
    assert response.text == "You have already imported this file."


def test_a_script_gets_a_refusal_as_a_sentence(client: FlaskClient, storage_files: StorageFiles) -> None:
    response = send(client, b"MODE;URN;PRICE\n")
    assert (response.status_code, response.mimetype) == (422, "text/plain")
    assert "separated by semicolons" in response.text
    assert nothing_is_left(storage_files)


def test_the_form_and_the_refusal_name_one_limit_in_one_unit(app: Flask, client: FlaskClient, monkeypatch) -> None:
    from dataclasses import replace

    settings = replace(app.extensions["sluice_settings"], max_upload_bytes=4 << 20)
    monkeypatch.setitem(app.extensions, "sluice_settings", settings)
    assert "or 4 MB per file" in client.get("/imports/upload").text
    response = send(client, csv_bytes([row(comment="c" * 250)] * 20_000))
    assert response.text == "The file is larger than 4 MB. Split it into several files."


def test_a_file_of_another_tool_is_offered_to_be_matched_first(client: FlaskClient, seller: Seller) -> None:
    token = {"X-CSRFToken": csrf_token(client)}

    def offer(data: bytes) -> str | None:
        return client.post("/imports/upload/look", data=data, headers=token).headers.get("Sluice-Match")

    theirs = ";".join(MAPPING.columns).encode() + b"\n1;NM;1,50;2;\n"
    response = upload(client, theirs)
    assert (response.status_code, response.headers["Sluice-Match"]) == (422, "offered")
    note = BeautifulSoup(response.data, "html5lib").select_one("[role=alert]")
    assert note["class"] == ["note"]
    assert note.get_text(" ", strip=True).startswith("Match your file:")
    assert str(note.select_one("a.btn-primary")["href"]) == "/imports/match"
    assert offer(theirs) == offer(theirs.decode().encode("utf-16")) == "offered"
    assert offer(make_workbook("")) == "offered"
    mappings.save(seller.id, "Mine", MAPPING)
    assert offer(theirs) == "saved"
    # What was meant for the import format is told how to get there, and orders are refused by name.
    for ours in (b"MODE;URN;PRICE\n", b"CREATE,urn:test:1,,,,,,NM,1,1,,,,,\n", b"Hello"):
        assert offer(ours) == "possible"
    orders = b"Product Line,Product Name,Condition,Number,Set,Rarity,Quantity,Main Photo URL,Set Release Date,SkuId,"
    refused = client.post("/imports/upload/look", data=orders + b"Order Quantity\n", headers=token)
    assert "Sluice-Match" not in refused.headers
    assert "pull sheet" in refused.text


@pytest.mark.parametrize(
    ("data", "told", "match"),
    [
        (csv_bytes([row()]).decode().encode("utf-16"), "UTF-16", "encoded"),
        (csv_bytes([row(comment="Poképark")]).decode().encode("cp1252"), "not saved in UTF-8", "encoded"),
        (gzip.compress(csv_bytes([row()])), "compressed with gzip", "offered"),
        (gzip.compress(csv_bytes([row()]))[:-9], "damaged or cut off", None),
        (b"\x1f\x8bno gzip at all", "damaged or cut off", None),
        (b"%PDF-1.7", "a PDF", None),
        (b"\x89PNG\r\n", "an image", None),
        (b"PK\x03\x04" + bytes(22) + b"\x05\0\0\0a.txt", "a ZIP archive", None),
        (b'{"rows": []}', "JSON", None),
        (b"", "empty", None),
    ],
)
def test_a_file_is_offered_to_be_matched_where_that_can_read_it(
    client: FlaskClient, data: bytes, told: str, match: str | None
) -> None:
    token = {"X-CSRFToken": csrf_token(client)}
    looked = client.post("/imports/upload/look", data=data, headers=token)
    refused = upload(client, data)
    note = read(refused, 422).select_one("#upload-error")
    for answer, said in ((looked, looked.text), (refused, words(note))):
        assert (answer.status_code, answer.headers.get("Sluice-Match")) == (422, match)
        assert told in said
    assert bool(note.select("a[href='/imports/match']")) is (match is not None)
    if match == "encoded":
        assert words(note).startswith("“Match its columns” reads this file as it is.")


def test_the_beginning_of_a_file_is_looked_at_before_it_is_sent(
    client: FlaskClient, storage_files: StorageFiles
) -> None:
    token = {"X-CSRFToken": csrf_token(client)}

    def look_at(data: bytes, size: int) -> tuple[int, str]:
        answer = client.post(f"/imports/upload/look?size={size}", data=data, headers=token)
        return answer.status_code, answer.text

    right = csv_bytes([row()])
    assert look_at(right, len(right)) == look_at(right, 1000) == (204, "")
    for wrong in (b"MODE;URN;PRICE\n", b"", right + "Flabébé\n".encode("cp1252")):
        status, sentence = look_at(wrong, len(wrong))
        assert status == 422
        assert sentence in upload(client, wrong).get_data(as_text=True).replace("&#39;", "'")
    assert look_at(right, 1 << 40)[0] == 413
    # It is the beginning and no more, and it needs a token like every form.
    assert client.post("/imports/upload/look", data=b"x" * (LOOK_BYTES + 1), headers=token).status_code == 413
    assert client.post("/imports/upload/look", data=right).status_code == 403
    assert nothing_is_left(storage_files)
