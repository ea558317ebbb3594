"""A repeated CREATE file: reported with the number of rows, and offered as the updates that were meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app.csvfile.columns import HEADER
from app.imports import commands
from app.models import Seller
from tests.factories import csv_bytes, listed, look, make_items, row, start
from tests.pages import page, words
from tests.web.test_duplicates import led_to, send

HARD = (
    b'\xef\xbb\xbf%(header)s\r\n'
    b'create,urn:test:1,,,,,,NM,5,1,,,"CREATE, \r\n""create""",,\r\n'
    b'"create",urn:test:2,,,,,,NM,5,1,,,,,\r\n'
    b' Create ,urn:test:3,,,,,,NM,5,1,,,"\xc3\xa9, create",,\r\n'
    b'" CREATE ",urn:test:4,,,,,,NM,5,1,,,,,\r\n'
    b'CREATE,urn:test:5,,,,,,NM,1.99,1,,,,,\r\n'
    b'CREATE,urn:test:6,,,,,,NM,5,1,,,,,\r\n'
    b'CREATE,urn:test:6,,,,,,NM,5,1,,,,,\r\n'
)  # fmt: skip


def test_rows_whose_listings_are_there_come_back_as_updates(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items(6)
    start(seller, [row(urn=f"urn:test:{n}", condition="NM", price=1) for n in range(1, 5)])
    run_jobs()
    data = HARD % {b"header": HEADER.encode()}
    made = start(seller, data, file_name="hard.csv")
    run_jobs()
    assert (look(made).created, look(made).failed) == (1, 6)
    for path in ("", "/errors"):
        note = page(client, f"/imports/{made.public_id}{path}").select_one(".as-updates")
        assert (
            words(note.p)
            == "You already have 4 of these listings. Download them as UPDATE rows to change them instead."
        )
        assert note.a["href"] == f"/imports/{made.public_id}/as-updates.csv?spreadsheet=1"
    answer = client.get(f"/imports/{made.public_id}/as-updates.csv")
    assert f"as-updates-{look(made).short_id}-hard.csv" in answer.headers["Content-Disposition"]
    lines = data.split(b"\r\n")
    assert answer.data == b"\r\n".join(
        [
            lines[0],
            lines[1].replace(b"create,urn", b"UPDATE,urn"),
            lines[2],
            lines[3].replace(b"create", b"UPDATE"),
            lines[4].replace(b"Create", b"UPDATE"),
            lines[5].replace(b"CREATE", b"UPDATE"),
            b"",
        ]
    )
    updated = led_to(send(client, answer.data))
    run_jobs()
    assert (look(updated).status, look(updated).successful, look(updated).failed) == ("COMPLETED", 4, 0)
    assert len(listed(seller)) == 5
    assert {each[4] for each in listed(seller)} >= {"1"}
    assert {each[3] for each in listed(seller)} == {"5"}


def test_one_such_row_is_told_as_one_and_none_is_not_told(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items(1)
    first = start(seller, [row(), row(price="x")])
    run_jobs()
    again = commands.import_again(seller.id, first.public_id)
    run_jobs()
    assert page(client, f"/imports/{first.public_id}").select(".as-updates") == []
    note = page(client, f"/imports/{again.public_id}").select_one(".as-updates")
    assert words(note.p) == "You already have 1 of these listings. Download it as an UPDATE row to change it instead."
    assert look(again).failed == 2


def test_updates_come_in_pages(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.queries.imports.row_errors._PAGE_ROWS", 2)
    make_items(5)
    rows = [row(urn=f"urn:test:{n}", price="x" if n % 2 else 1) for n in range(1, 6)] + [row(urn="urn:test:5")]
    first = start(seller, rows)
    run_jobs()
    again = commands.import_again(seller.id, first.public_id)
    run_jobs()
    updates = [{**one, "MODE": "UPDATE"} for one in rows if one["PRICE"] != "x"]
    assert client.get(f"/imports/{again.public_id}/as-updates.csv").data == csv_bytes(updates)
