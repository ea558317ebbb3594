"""The separate process of ``test_new_column``: that of a release whose table has the column LOCATION."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable

from flask import Flask, current_app
from flask_migrate import upgrade
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import select, text

from app import create_app
from app.csvfile.columns import COLUMNS, LAYOUTS
from app.extensions import db
from app.imports import commands, ledger, undo
from app.imports.reports import check_preview, exports, progress, row_errors
from app.jobs.queue import AllowedJob, open_queue
from app.models import Import, Listing, Seller
from app.queries import ImportKey
from app.statuses import RetriedRows
from tests.conftest import sign_in
from tests.factories import csv_bytes, listed, look, row, start

ROWS, CHUNK_ROWS = 200, 80


def work() -> None:
    """Do what workers would do until no job is left."""
    connection = Redis.from_url(current_app.config["REDIS_URL"])
    SimpleWorker([open_queue(connection)], connection=connection, job_class=AllowedJob, serializer=JSONSerializer).work(
        burst=True, logging_level="WARNING"
    )
    connection.close()
    db.session.rollback()


def upgrade_with_imports(app: Flask) -> None:
    """Continue the imports of the previous release, and start new ones."""
    upgrade()
    assert COLUMNS[-1] == "LOCATION"
    assert len(LAYOUTS) == 2
    seller = db.session.scalars(select(Seller)).one()
    by_name = {one.file_name: one for one in db.session.scalars(select(Import))}
    paused, ended, running, check = (by_name[f"{name}.csv"] for name in ("paused", "ended", "running", "check"))
    lines = b"".join(exports.remaining(key_of(paused))).decode().splitlines()
    assert lines[0] == ",".join(LAYOUTS[0])
    assert len(lines) == 1 + ROWS - CHUNK_ROWS

    commands.resume(seller.id, paused.public_id)
    work()
    assert (look(paused).status, look(paused).created) == ("COMPLETED", ROWS)
    # What was noted about the listings before the upgrade is valid after it.
    assert (look(running).status, look(running).updated, look(running).unchanged) == ("COMPLETED", ROWS, 50)

    look_at_failed_rows(ended)
    succeeded = rows_of(exports.succeeded(key_of(running)))
    assert [one["outcome"] for one in succeeded] == ["updated"] * ROWS + ["unchanged"] * 50
    changes = check_preview.list_changes(progress.get(seller.id, check.public_id))
    assert {cell.column for change in changes for cell in change.cells} == {"PRICE", "COMMENT", "NOTES"}

    retried = commands.retry(seller.id, ended.public_id, RetriedRows.FAILED)
    checked = commands.import_checked(seller.id, check.public_id)
    again = commands.import_again(seller.id, ended.public_id)
    work()
    assert (look(retried).failed, look(checked).successful, look(again).failed) == (2, 10, ROWS + 2)
    as_updates = start(seller, b"".join(exports.as_updates(key_of(again))))
    work()
    assert look(as_updates).successful == ROWS
    for one in db.session.scalars(select(Import)).all():
        assert list(ledger.find_faults(one)) == []
        assert one.header.strip() == ",".join(LAYOUTS[0])

    db.session.remove()
    import_new_files(app, db.session.scalars(select(Seller)).one())


def look_at_failed_rows(ended: Import) -> None:
    """The failed rows of an older import are shown and reported by its own columns."""
    (invalid, not_found) = row_errors.list_rows(look(ended), limit=10).rows
    assert [part.column for part in invalid.parts if part.column] == ["PRICE"]
    assert [part.column for part in not_found.parts if part.column] == ["URN"]
    report = rows_of(exports.report(key_of(ended)))
    assert [*report[0]][-15:] == list(LAYOUTS[0])
    assert [one["PRICE"] for one in report] == ["x", "100"]


def import_new_files(app: Flask, seller: Seller) -> None:
    """Files with the new column are taken, exported and come back unchanged; older ones leave it as it is."""
    items = ("urn:test:250", "urn:test:251")
    made = start(seller, [row(urn=urn, location=f"  Shelf {at} ", price=5) for at, urn in enumerate(items)])
    wrong = start(seller, [row(urn="urn:test:252", location="x" * 41)])
    work()
    assert (look(made).created, look(wrong).failed) == (2, 1)
    (error,) = row_errors.list_rows(look(wrong), limit=1).rows
    assert [problem.message for problem in error.problems] == ["LOCATION has 41 characters. Shorten it to 40 at most."]

    older = start(seller, csv_bytes([row(mode="UPDATE", urn=items[0], price=6)], columns=LAYOUTS[0]))
    work()
    assert look(older).updated == 1
    assert locations(seller) == ["Shelf 0", "Shelf 1"]
    newer = start(seller, [row(mode="UPDATE", urn=items[1], location="", price=6)])
    work()
    assert look(newer).updated == 1
    assert locations(seller) == ["Shelf 0"]
    # What the release before has recorded does not say where a listing lies; what this one records does.
    for is_known, place in ((True, "Shelf 0"), (False, "Shelf 7")):
        changed = start(seller, [row(mode="UPDATE", urn=items[0], location="Shelf 7", price=8)])
        work()
        if not is_known:
            db.session.execute(text("update earlier_values set location = null"))
            db.session.commit()
        undone = undo.start(seller.id, changed.public_id)
        work()
        assert look(undone).updated == 1
        assert locations(seller) == [place]
    db.session.execute(text("update listings set location = 'Shelf 0' where location is not null"))
    db.session.commit()

    client = sign_in(app, seller)
    exported = client.get("/listings/export.csv").get_data()
    assert exported.decode().splitlines()[0] == ",".join(COLUMNS)
    assert b",Shelf 0\n" in exported
    before = listed(seller)
    back = start(seller, exported)
    check = start(seller, [row(mode="UPDATE", urn=items[0], price=6, location="Shelf 9")], is_check=True)
    work()
    assert (look(back).unchanged, look(back).total) == (len(before), len(before))
    assert listed(seller) == before
    (change,) = check_preview.list_changes(progress.get(seller.id, check.public_id))
    assert [(cell.column, cell.before, cell.after) for cell in change.cells] == [("LOCATION", "Shelf 0", "Shelf 9")]
    assert "Shelf 0" in client.get("/listings?urn=urn:test:250").get_data(as_text=True)
    assert 'id="location"' in client.get("/help/csv").get_data(as_text=True)
    for one in db.session.scalars(select(Import)).all():
        assert list(ledger.find_faults(one)) == []


def locations(seller: Seller) -> list[str]:
    """Where the seller's listings lie, as far as that is known."""
    column = Listing.__table__.c["location"]
    found = select(column).where(Listing.seller_id == seller.id, column.is_not(None)).order_by(Listing.item_id)
    return [str(location) for location in db.session.scalars(found)]


def key_of(one: Import) -> ImportKey:
    """The key of an import."""
    return ImportKey.of(one)


def rows_of(pieces: Iterable[bytes]) -> list[dict[str, str]]:
    """The rows of a file that is given in pieces."""
    return list(csv.DictReader(b"".join(pieces).decode().splitlines()))


if __name__ == "__main__":
    application = create_app(os.environ)
    with application.app_context():
        upgrade_with_imports(application)
