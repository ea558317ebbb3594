"""Names, cells and addresses that try to become headers, lines of the log, paths, or SQL."""

from __future__ import annotations

import logging

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app.extensions import db
from app.imports.worker import batch_job
from app.models import Import, Seller
from tests.factories import csv_bytes, listed, make_items, row, start
from tests.pages import HTMX, page
from tests.web.test_upload import upload

NAMES = [
    "../../../etc/cron.d/x.csv",
    "..\\..\\windows\\x.csv",
    "/etc/passwd",
    "C:\\x.csv",
    "..",
    ".",
    "a\r\nSet-Cookie: evil=1.csv",
    "a\nINFO all is well.csv",
    'a"; filename="b.exe',
    "a\u202egpj.csv",
    "a\x1b[2J.csv",
    "%2e%2e%2fx.csv",
    "'; drop table imports; --.csv",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_is_only_ever_shown(
    client: FlaskClient, seller: Seller, name: str, storage_files, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    make_items(1)
    made = start(seller, [row(), row(price="x")], file_name=name)
    batch_job.run(seller.id, made.id, 1, 1)
    # The file is stored under ids of ours, wherever the name may point.
    assert storage_files() == [f"{seller.id}/{made.public_id}.csv"]
    assert not set(made.file_name) & set("/\\\r\n\x1b\u202e")
    for path in ("source.csv", "failed.csv", "errors.csv", "succeeded.csv"):
        answer = client.get(f"/imports/{made.public_id}/{path}")
        assert answer.status_code == 200
        header = answer.headers["Content-Disposition"]
        assert header.startswith('attachment; filename="')
        assert header.isascii()
        assert header.isprintable()
        assert header.count('"') == 2
        assert "evil" not in str(answer.headers.getlist("Set-Cookie"))
    page(client, f"/imports/{made.public_id}")
    # Each line of the log is one: nothing that was sent begins another.
    assert all("\n" not in message and "\x1b" not in message for message in caplog.messages)


@pytest.mark.parametrize("name", ["../../x.csv", "a%0d%0aSet-Cookie:x.csv", "x'); delete from imports; --.csv"])
def test_a_name_in_a_form_is_no_path_either(client: FlaskClient, seller: Seller, name: str, storage_files) -> None:
    assert upload(client, csv_bytes([row()]), name).status_code == 303
    created = db.session.scalars(db.select(Import)).one()
    assert storage_files() == [f"{seller.id}/{created.public_id}.csv"]


SQL = [
    "'; drop table listings; --",
    "' or '1'='1",
    "%' or 1=1 --",
    "\\'; select pg_sleep(5); --",
    "$$; drop table listings; $$",
    "{1,2}",
    "a\tb",
    "\\N",
    "%s %(x)s :x",
]


#: What pages take, and what they might.
_PARAMETERS = (
    "q text code column cause lines batch condition hidden stock since own status kind sort item before after edit"
).split()
_REFUSED_OR_NOT = {200, 302, 400, 404, 422}


@pytest.mark.parametrize("evil", SQL)
def test_what_is_in_a_cell_or_an_address_is_never_sql(client: FlaskClient, seller: Seller, evil: str) -> None:
    make_items(2)
    good = row(comment=evil, notes=evil, reference=evil)
    bad = row(mode=evil, condition=evil, variants=evil, price=evil, hidden=evil)
    unknown = row(urn=evil)
    made = start(seller, [good, bad, unknown], file_name=f"{evil}.csv".replace("/", "_"))
    batch_job.run(seller.id, made.id, 1, 1)
    ((*_, comment, notes, reference),) = listed(seller)
    assert {comment, notes, reference} == {evil.strip()}
    for path in ("/listings", "/imports", f"/imports/{made.public_id}/errors"):
        assert client.get(path, query_string=dict.fromkeys(_PARAMETERS, evil)).status_code in _REFUSED_OR_NOT, path
    assert db.session.scalar(text("select count(*) from listings")) == 1


@pytest.mark.parametrize("path", ["/listings", "/imports", "/imports/{public_id}/errors"])
def test_no_parameter_of_an_address_is_sql(client: FlaskClient, seller: Seller, path: str) -> None:
    make_items(1)
    made = start(seller, [row(), row(price="x")])
    batch_job.run(seller.id, made.id, 1, 1)
    address = path.format(public_id=made.public_id)
    for name in _PARAMETERS:
        # One by one, because a page may look no further than the first that it refuses.
        answer = client.get(address, query_string={name: "".join(SQL)}, headers=HTMX)
        assert answer.status_code in _REFUSED_OR_NOT, name
    assert db.session.scalar(text("select count(*) from listings")) == 1


def test_a_line_break_in_an_address_goes_into_no_header(client: FlaskClient) -> None:
    for path in ("/login?next=/x%0d%0aSet-Cookie:%20evil=1", "/imports?before=%0d%0aX:%20y", "/x%0d%0aX:%20y"):
        answer = client.get(path)
        assert "X" not in answer.headers
        assert "evil" not in str(answer.headers)
