"""How much one seller may send, through the form and through the API."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.config import Settings
from app.csvfile.errors import FileRejected
from app.extensions import db
from app.imports import commands, quotas
from app.imports.errors import QuotaExceeded
from app.models import Seller
from app.redis_client import redis_client
from tests.conftest import make_token
from tests.factories import csv_bytes, row, start
from tests.pages import csrf_token, read
from tests.web.test_upload import nothing_is_left, sentence, upload

FILE = csv_bytes([row(), row()])


@pytest.fixture
def limit(app: Flask, monkeypatch: pytest.MonkeyPatch):
    """Change settings for the time of a test."""

    def change(**values: int) -> None:
        settings: Settings = app.extensions["sluice_settings"]
        names = settings.__dataclass_fields__
        changed = Settings(**{name: getattr(settings, name) for name in names} | values)
        monkeypatch.setitem(app.extensions, "sluice_settings", changed)

    return change


def send(app: Flask, seller: Seller, data: bytes = FILE):
    headers = {"Authorization": f"Bearer {make_token(seller)}"}
    return app.test_client().post("/api/v1/imports", data=data, content_type="text/csv", headers=headers)


def arriving(seller: Seller) -> int:
    return int(redis_client().zcard(f"sluice:arriving:{seller.id}"))


def test_no_more_than_so_many_files_arrive_at_a_time(
    app: Flask, client: FlaskClient, seller: Seller, other_seller: Seller, storage_files, limit
) -> None:
    limit(uploads_in_flight=3)
    with quotas.one_of_few(seller.id), quotas.one_of_few(seller.id), quotas.one_of_few(seller.id):
        answer = upload(client, FILE)
        read(answer, 429)
        assert "You are already uploading 3 files" in sentence(answer)
        assert answer.headers["Retry-After"] == "30"
        asked = send(app, seller)
        assert (asked.status_code, asked.headers["Retry-After"]) == (429, "30")
        assert asked.get_json()["detail"].startswith("You are already uploading 3 files")
        assert nothing_is_left(storage_files)
        assert send(app, other_seller).status_code == 201
    assert arriving(seller) == 0
    assert upload(client, FILE).status_code == 303


def test_a_file_that_is_refused_does_not_arrive_for_ever(client: FlaskClient, seller: Seller) -> None:
    for data in (b"", b"MODE\n1\n", csv_bytes([])):
        assert upload(client, data).status_code == 422
    assert arriving(seller) == 0


def test_a_process_that_died_is_forgotten(app: Flask, seller: Seller) -> None:
    redis_client().zadd(f"sluice:arriving:{seller.id}", {str(n): 1 for n in range(3)})
    with quotas.one_of_few(seller.id):
        assert arriving(seller) == 1


def test_a_large_file_is_told_of_while_it_arrives(app: Flask, seller: Seller, monkeypatch) -> None:
    monkeypatch.setattr(quotas, "_TOLD_EVERY_SECONDS", -1)
    with quotas.one_of_few(seller.id) as counted:
        redis_client().flushdb()
        assert list(counted(iter([b"a", b"b"]))) == [b"a", b"b"]
        assert arriving(seller) == 1


def test_without_redis_files_arrive_uncounted(app: Flask, seller: Seller, take_redis_away) -> None:
    take_redis_away()
    with quotas.one_of_few(seller.id), quotas.one_of_few(seller.id), quotas.one_of_few(seller.id):
        assert send(app, seller).status_code == 201


def test_0_lets_as_many_in_as_come(app: Flask, seller: Seller, limit) -> None:
    limit(uploads_in_flight=0, files_per_day=0, rows_per_day=0, bytes_per_day=0)
    with quotas.one_of_few(seller.id):
        assert arriving(seller) == 0
        assert send(app, seller).status_code == 201


def test_rows_of_a_day_are_limited(
    app: Flask, client: FlaskClient, seller: Seller, other_seller: Seller, storage_files, limit
) -> None:
    limit(rows_per_day=5)
    made = start(seller, FILE)
    start(seller, [row(price=5), row()])
    files = storage_files()
    answer = upload(client, csv_bytes([row(price=6), row()]))
    read(answer, 429)
    assert "your limit of 5 rows in 24 hours" in sentence(answer)
    assert answer.headers["Retry-After"] == "3600"
    assert send(app, seller, csv_bytes([row(price=7), row()])).status_code == 429
    # What is stored already is work all the same.
    read(client.post(f"/imports/{made.public_id}/again", data={"csrf_token": csrf_token(client)}), 429)
    with pytest.raises(FileRejected):
        commands.import_again(seller.id, made.public_id)
    assert storage_files() == files
    # One more fits, and others have their own.
    assert send(app, seller, csv_bytes([row(price=8)])).status_code == 201
    assert send(app, other_seller).status_code == 201
    db.session.execute(text("update imports set created_at = now() - interval '25 hours'"))
    db.session.commit()
    assert upload(client, csv_bytes([row(price=9), row()])).status_code == 303


def test_when_nothing_more_fits_the_file_is_not_even_read(seller: Seller, limit) -> None:
    limit(rows_per_day=2)
    start(seller, FILE)

    def pieces():
        raise AssertionError("read")
        yield b""

    with pytest.raises(QuotaExceeded):
        commands.upload(seller.id, "stock.csv", pieces())


@pytest.mark.parametrize(
    ("name", "most", "words"),
    [("files_per_day", 2, "limit of 2 files in 24 hours"), ("bytes_per_day", 3 * len(FILE) - 1, "bytes in 24 hours")],
)
def test_files_and_bytes_of_a_day_are_limited(
    app: Flask, client: FlaskClient, seller: Seller, other_seller: Seller, storage_files, limit, name, most, words
) -> None:
    limit(**{name: most})
    made = start(seller, FILE)
    start(seller, [row(price=500), row()])
    files = storage_files()
    third = csv_bytes([row(price=600), row()])
    answer = upload(client, third)
    read(answer, 429)
    assert words in sentence(answer)
    assert send(app, seller, third).status_code == 429
    read(client.post(f"/imports/{made.public_id}/again", data={"csrf_token": csrf_token(client)}), 429)
    assert storage_files() == files
    assert send(app, other_seller).status_code == 201
    db.session.execute(text("update imports set created_at = now() - interval '25 hours'"))
    db.session.commit()
    assert upload(client, third).status_code == 303
