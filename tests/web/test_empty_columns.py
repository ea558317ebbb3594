"""Empty columns without a name, as spreadsheets add them: the way from failed rows through one and back."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient

from app.csvfile.columns import HEADER
from app.extensions import db
from app.imports import commands, ledger
from app.imports.reports import exports, row_errors
from app.models import Import, Seller
from app.queries import ImportKey
from app.queries.imports import error_groups
from app.statuses import RetriedRows
from tests.factories import cells, listed, look, make_items, start
from tests.factories import failures as failed_lines
from tests.pages import page, words


def saved(*rows: list[str], extra: int = 1) -> bytes:
    """A file as a spreadsheet saves it: each line has as many values as the longest one, the header too."""
    lines = [HEADER.split(","), *rows]
    return "".join(",".join([*line, *[""] * (15 + extra - len(line))]) + "\r\n" for line in lines).encode()


def test_such_a_file_is_imported_but_for_the_rows_with_a_value_there(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items(3)
    wrong, unknown = [*cells(urn="urn:test:2"), "left over"], cells(urn="URN:TEST:3")
    data = saved(cells(), wrong, unknown, cells(urn="urn:test:3"), extra=2)
    checked = start(seller, data, is_check=True)
    run_jobs()
    made = commands.import_checked(seller.id, checked.public_id)
    run_jobs()
    for one in (checked, made):
        assert failed_lines(one) == [(3, 422), (4, 404)]
        assert look(one).successful == 2
        soup = page(client, f"/imports/{one.public_id}/errors")
        assert "one value too many: “left over” in column P" in words(soup.select_one("#line-3 .reason"))
        assert [(mark["title"], mark.text) for mark in soup.select("#line-3 mark")] == [("P", "left over")]
    key = ImportKey(seller.id, made.id)
    # A row is taken apart into its columns although it has empty ones more.
    shown = row_errors.show_groups(look(made), error_groups.list_all(key))
    assert [value.text for group in shown for value in group.values] == ["URN:TEST:3"]
    assert b"".join(exports.failed(key)) == saved(wrong, unknown, extra=2)
    assert b"".join(exports.succeeded(key)).count(b"created") == 2
    assert {line.count(b",") for line in b"".join(exports.report(key)).splitlines()} >= {19}
    assert list(ledger.find_faults(db.session.get_one(Import, key))) == []


def test_its_failed_rows_come_back_as_a_file_and_as_a_retry(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    made = start(seller, saved(cells(), cells(urn="urn:test:2"), [*cells(urn="urn:test:3"), "x"]))
    run_jobs()
    assert look(made).failed == 3
    make_items(3)
    failed = b"".join(exports.failed(ImportKey(seller.id, made.id)))
    retried = commands.retry(seller.id, made.public_id, RetriedRows.FAILED)
    run_jobs()
    corrected = start(seller, failed.replace(b",x\r\n", b",\r\n"), is_check=True)
    run_jobs()
    assert failed_lines(retried) == [(4, 422)]
    assert len(listed(seller)) == 2
    assert failed_lines(corrected) == [(2, 409), (3, 409)]
