"""Imports whose files are on S3, with real workers that read them over HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.extensions import db
from app.imports import ledger
from app.models import Import, Seller
from tests.conftest import sign_in
from tests.factories import csv_bytes, look, make_items, row, start
from tests.processes import wait_until, workers
from tests.s3_proxy import S3Proxy, Trouble, s3_proxy
from tests.s3_server import BUCKET
from tests.web.test_upload import body, csrf_token, post


@pytest.fixture
def s3(s3_address: str) -> Iterator[S3Proxy]:
    """The way to an S3 server."""
    with s3_proxy(s3_address) as proxy:
        yield proxy


@pytest.fixture
def s3_environ(environ: dict[str, str], s3: S3Proxy) -> dict[str, str]:
    return {
        **environ,
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        "STORAGE_URL": f"s3://{BUCKET}/uploads",
        "S3_ENDPOINT_URL": s3.address,
        "S3_SERVER_SIDE_ENCRYPTION": "AES256",
        "MAX_FRUITLESS_ATTEMPTS": "2",
    }


@pytest.fixture
def s3_app(app: Flask, s3_environ: dict[str, str]) -> Iterator[Flask]:
    """The application with its files on S3."""
    s3_app = create_app({**s3_environ, "LEASE_SECONDS": "60"})
    s3_app.testing = True
    with s3_app.app_context():
        yield s3_app
        db.session.remove()
        db.engine.dispose()


def bucket(environ: dict[str, str]) -> tuple[list[str], int]:
    """The names of all objects, and how many uploads are unfinished."""
    client = boto3.client("s3", endpoint_url=environ["S3_ENDPOINT_URL"])
    try:
        objects = [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        return objects, len(client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))
    finally:
        client.close()


def test_an_import_from_s3(s3_app: Flask, s3_environ: dict[str, str], seller: Seller) -> None:
    make_items(100)
    client = sign_in(s3_app, seller)
    file = csv_bytes(row(urn=f"urn:test:{n % 100 + 1}", condition="NM", notes="x" * 200) for n in range(5_000))
    started = start(seller, file)
    assert bucket(s3_environ) == ([f"uploads/{started.storage_key}"], 0)
    with workers(s3_environ):
        wait_until(lambda: look(started).status == "FAILED")
    assert (look(started).created, look(started).failed) == (100, 4_900)
    assert list(ledger.find_faults(db.session.scalar(db.select(Import)))) == []
    assert client.get(f"/imports/{started.public_id}/source.csv").data == file


def test_a_refused_file_leaves_no_parts_behind(s3_app: Flask, s3_environ: dict[str, str], seller: Seller) -> None:
    client = sign_in(s3_app, seller)
    # Long enough that parts are sent before the end is known to be wrong.
    file = csv_bytes(row(notes="x" * 250, comment="y" * 250) for _ in range(20_000)) + b'"never closed'
    assert len(file) > 10 << 20
    token = ('name="csrf_token"', csrf_token(client).encode())
    response = post(client, body(token, ('name="file"; filename="stock.csv"', file)))
    assert response.status_code == 422
    assert bucket(s3_environ) == ([], 0)


def test_a_batch_whose_object_is_gone_is_given_up_with_the_reason(
    s3_app: Flask, s3_environ: dict[str, str], seller: Seller
) -> None:
    make_items(1)
    started = start(seller, [row() for _ in range(10)])
    s3_app.extensions["sluice_storage"].delete(started.storage_key)
    with workers(s3_environ):
        wait_until(lambda: look(started).status == "FAILED")
    assert look(started).not_processed == 10
    client = sign_in(s3_app, seller)
    assert "no longer in the storage" in client.get(f"/imports/{started.public_id}").text
    assert client.get(f"/imports/{started.public_id}/remaining.csv").status_code == 404


@pytest.mark.parametrize("trouble", [Trouble.ERRORS, Trouble.CUT])
def test_a_batch_that_can_never_be_read_is_given_up_and_the_others_finish(
    s3_app: Flask,
    s3_environ: dict[str, str],
    s3: S3Proxy,
    seller: Seller,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Trouble,
) -> None:
    make_items(3)
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)
    rows = [row(urn=f"urn:test:{n}") for n in (1, 2, 3)]
    started = start(seller, rows)
    s3.only_from = db.session.scalar(text("select start_byte from batches where number = 2"))
    s3.bytes_before_cut = 20
    with s3.making(trouble), workers(s3_environ):
        wait_until(lambda: look(started).status == "FAILED")
    assert (look(started).created, look(started).not_processed) == (2, 1)
    client = sign_in(s3_app, seller)
    assert "The storage could not be read." in client.get(f"/imports/{started.public_id}").text
    # What was not processed is there once the storage is well again.
    assert client.get(f"/imports/{started.public_id}/remaining.csv").data == csv_bytes(rows[1:2])
