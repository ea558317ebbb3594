"""The release before works on beside this one: its statements on this one's tables, and its rows carried over.

The statements are those of that release, shortened. When the triggers of migration 0016 are dropped,
this module goes with them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import select, text

from app.csvfile.contract import Condition
from app.extensions import Base, db
from app.imports.reports import check_preview
from app.models import Import, Reconciler, Seller
from app.queries import BatchKey, driver_cursor, operations
from app.queries.imports import reconciler, transitions
from app.statuses import ImportKind
from tests.db.test_migrations import scratch_database
from tests.factories import look, make_items, row, start

_OLD_ADVANCE = """
    update batches b set "cursor" = end_byte, failed = b.failed + :failed, finished_at = clock_timestamp(),
        status = case when b.failed + :failed > 0 then 'FAILED' else 'COMPLETED' end
    where b.status = 'RUNNING' and b.import_id = :import_id
    returning b.status
"""
_OLD_SETTLE = """
    update imports i set
        status = case
            when exists (select 1 from batches b where b.import_id = i.id and b.status = 'FAILED') then 'FAILED'
            else 'COMPLETED' end,
        finished_at = clock_timestamp(), pause_requested_at = null
    where i.id = :import_id and i.status = 'RUNNING'
      and not exists (
        select 1 from batches b where b.import_id = i.id and b.status in ('QUEUED', 'RUNNING', 'PAUSED'))
    returning i.status
"""
_OLD_IMPORT = """
    insert into imports (seller_id, public_id, {is_check} file_name, storage_key, file_size, sha256, header, total,
        invalid, status, finished_at)
    values (:seller_id, gen_random_uuid(), {check} 'stock.csv', '1/stock.csv', 9, '', '', 1, 0, :status, {finished_at})
    returning id
"""
_OLD_BATCH = """
    insert into batches (seller_id, import_id, number, start_byte, end_byte, "cursor", first_line, cursor_line, total,
        failed, status, reason, finished_at)
    values (:seller_id, :import_id, :number, 0, 9, :cursor, 2, 2, 1, :failed, :status, :reason, {finished_at})
"""


def claimed(seller: Seller) -> BatchKey:
    """The one batch of a new import, taken by a worker."""
    make_items()
    made = start(seller, [row()])
    batch = BatchKey(seller.id, made.id, 1)
    assert transitions.claim(batch, 1)
    db.session.commit()
    return batch


def old(statement: str, **values: object) -> str:
    """What a statement of the release before answers."""
    answer = db.session.scalar(text(statement), values)
    db.session.commit()
    return str(answer)


def test_a_worker_of_before_finishes_a_batch_with_failed_rows_as_this_release_does(seller: Seller) -> None:
    batch = claimed(seller)
    assert old(_OLD_ADVANCE, import_id=batch.import_id, failed=1) == "COMPLETED"
    assert transitions.settle_finished(batch.of_import) == "FAILED"


def test_a_reconciler_of_before_settles_what_a_worker_of_this_release_has_finished(seller: Seller) -> None:
    batch = claimed(seller)
    end = db.session.scalar(text("select end_byte from batches"))
    assert isinstance(end, int)
    assert transitions.advance(batch, transitions.Advance(end, 3, 0, 0, 0, 1)) == "COMPLETED"
    assert old(_OLD_SETTLE, import_id=batch.import_id) == "FAILED"


def test_a_reconciler_of_before_still_completes_what_is_right(seller: Seller) -> None:
    batch = claimed(seller)
    assert old(_OLD_ADVANCE, import_id=batch.import_id, failed=0) == "COMPLETED"
    assert old(_OLD_SETTLE, import_id=batch.import_id) == "COMPLETED"


def test_a_batch_that_is_given_up_stays_so(seller: Seller) -> None:
    batch = claimed(seller)
    assert transitions.end_attempt(batch, 1, reason="trouble", max_fruitless_attempts=1)
    assert old(_OLD_SETTLE, import_id=batch.import_id) == "FAILED"
    assert old("select status from batches") == "FAILED"


def test_a_check_is_a_check_to_both_releases(seller: Seller) -> None:
    make_items()
    for is_check in (True, False):
        old_one = old(
            _OLD_IMPORT.format(is_check="is_check,", check=f"{is_check},", finished_at="null"),
            seller_id=seller.id,
            status="RUNNING",
        )
        new_one = start(seller, [row()], is_check=is_check).id
        found = db.session.execute(
            text("select kind, is_check from imports where id in (:old, :new)"), {"old": int(old_one), "new": new_one}
        ).all()
        assert [tuple(one) for one in found] == [(ImportKind.of_switch(check=is_check), is_check)] * 2


def test_a_check_shows_the_changes_that_a_worker_of_before_has_found(
    seller: Seller, run_jobs: Callable[[], None]
) -> None:
    (item, *_) = make_items()
    start(seller, [row()])
    run_jobs()
    checked = start(seller, [row(mode="UPDATE", price=2)], is_check=True)
    values = ["100", "1", "false", "old", "", ""], ["300", "1", "false", "", "", ""]
    of_before = (seller.id, checked.id, 9, item, Condition.NEAR_MINT.value, "", *values)
    with driver_cursor() as cursor, cursor.copy("copy foreseen_changes from stdin") as copy:
        copy.write_row(of_before)
    db.session.commit()
    run_jobs()
    first, second = check_preview.list_changes(look(checked))
    assert [(cell.column, cell.before, cell.after) for cell in second.cells] == [
        ("PRICE", "100", "300"),
        ("COMMENT", "old", ""),
    ]
    assert [(cell.column, cell.before, cell.after) for cell in first.cells] == [("PRICE", "100", "2")]


def test_rows_of_before_are_carried_over_and_back(app: Flask, environ: dict[str, str]) -> None:
    with scratch_database(environ):
        upgrade(revision="0015")
        seller_id = int(old("insert into sellers (email, password_hash) values ('a@b.example', '') returning id"))
        before = {}
        for status, check, batches in (
            ("RUNNING", False, [("FAILED", 9, 1), ("RUNNING", 4, 1), ("QUEUED", 0, 0)]),
            ("PAUSED", True, [("COMPLETED", 9, 0), ("FAILED", 9, 1), ("PAUSED", 4, 1)]),
            ("FAILED", False, [("FAILED", 9, 1), ("FAILED", 4, 1)]),
            ("COMPLETED", True, [("COMPLETED", 9, 0)]),
            ("TERMINATED", False, [("FAILED", 9, 1), ("TERMINATED", 4, 0)]),
        ):
            finished_at = "null" if status in {"RUNNING", "PAUSED"} else "now()"
            import_id = int(
                old(
                    _OLD_IMPORT.format(is_check="is_check,", check=f"{check},", finished_at=finished_at),
                    seller_id=seller_id,
                    status=status,
                )
            )
            before[import_id] = (status, check, batches)
            for number, (of_batch, cursor, failed) in enumerate(batches, start=1):
                db.session.execute(
                    text(_OLD_BATCH.format(finished_at="null")),
                    {
                        "seller_id": seller_id,
                        "import_id": import_id,
                        "number": number,
                        "cursor": cursor,
                        "failed": failed,
                        "status": of_batch,
                        "reason": "trouble" if cursor < 9 else None,
                    },
                )
        db.session.commit()
        was = seen()

        upgrade()
        db.session.rollback()
        for import_id, (status, check, batches) in before.items():
            kind = ImportKind.of_switch(check=check)
            assert old(f"select kind || ' ' || status from imports where id = {import_id}") == f"{kind} {status}"
            expected = ["COMPLETED" if one == ("FAILED", 9, 1) else one[0] for one in batches]
            query = text("select status from batches where import_id = :id order by number")
            assert db.session.scalars(query, {"id": import_id}).all() == expected
        assert int(old("select count(*) from pg_constraint where not convalidated")) == 0

        downgrade(revision="0015")
        db.session.rollback()
        assert seen() == was


def seen() -> list[tuple[object, ...]]:
    """Every import and batch, as the release before knows them."""
    columns = "b.import_id, b.number, i.is_check, i.status, b.status, b.cursor, b.failed, b.reason"
    rows = db.session.execute(
        text(f"select {columns} from imports i join batches b on b.import_id = i.id order by 1, 2")
    )
    found = [tuple(one) for one in rows]
    db.session.rollback()
    return found


def test_reclaimed_batches_count_whichever_release_has_reclaimed_them(app: Flask) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("update reconciler set batches_taken_back = 2"))
        reconciler.count(connection, reclaimed=3, settled=0, lost=0, ended=0)
    assert operations.get_reconciler().batches_reclaimed == 5


@pytest.mark.parametrize(("model", "column"), [(Import, "is_check"), (Reconciler, "last_clean_at")])
def test_what_only_the_release_before_uses_is_named_by_no_statement(model: type[Base], column: str) -> None:
    assert column in model.metadata.tables[model.__tablename__].columns
    assert column not in str(select(model))
