"""Every arrow of the tables, and every pair of states that has none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.models import Batch, Import, Seller
from app.queries import BatchKey
from app.queries.imports import transitions
from app.statuses import BATCH_TRANSITIONS, IMPORT_TRANSITIONS, BatchStatus, ImportStatus
from tests.factories import make_items, row, start


@pytest.fixture
def batch(seller: Seller) -> BatchKey:
    make_items()
    started = start(seller, [row()])
    return BatchKey(seller.id, started.id, 1)


def put(key: BatchKey, *, of_import: str = "RUNNING", status: str = "QUEUED", pausing: bool = False) -> None:
    """Force a state, past all guards."""
    db.session.execute(
        text(
            """
            update imports set status = :status, pause_requested_at = case when :pausing then now() end,
                finished_at = case when :status in ('RUNNING', 'PAUSED') then null else now() end
            """
        ),
        {"status": of_import, "pausing": pausing},
    )
    db.session.execute(
        text("update batches set status = :status, heartbeat_at = now(), attempt = 1"), {"status": status}
    )
    db.session.commit()


def states(key: BatchKey) -> tuple[str, str]:
    db.session.commit()
    one = db.session.get_one(Import, tuple(key.of_import))
    return one.status, db.session.get_one(Batch, tuple(key)).status


@pytest.fixture
def without_triggers_of_the_upgrade(app: Flask) -> Iterator[None]:
    """They serve the release before; this one decides for itself."""
    for change in ("disable", "enable"):
        for table in ("imports", "batches"):
            db.session.execute(text(f"alter table {table} {change} trigger user"))
        db.session.commit()
        if change == "disable":
            yield
            db.session.rollback()


IMPORT_ARROWS = {
    ImportStatus.RUNNING: lambda key: transitions.resume(key.of_import),
    ImportStatus.PAUSED: lambda key: (
        transitions.request_pause(key.of_import) and transitions.settle_pause(key.of_import)
    ),
    ImportStatus.TERMINATED: lambda key: transitions.terminate(key.of_import),
}


@pytest.mark.parametrize(("before", "after"), list(product(ImportStatus, IMPORT_ARROWS)))
def test_an_import_takes_the_arrows_of_the_table_and_no_others(
    batch: BatchKey, before: ImportStatus, after: ImportStatus
) -> None:
    put(batch, of_import=before, status="PAUSED" if before == "PAUSED" else "QUEUED")
    allowed = after in IMPORT_TRANSITIONS[before]
    assert IMPORT_ARROWS[after](batch) is allowed
    assert states(batch)[0] == (after if allowed else before)


@pytest.mark.parametrize("before", ImportStatus)
@pytest.mark.parametrize("ended", [BatchStatus.COMPLETED, BatchStatus.FAILED])
def test_only_a_running_import_ends_with_its_batches(batch: BatchKey, before: ImportStatus, ended: BatchStatus) -> None:
    put(batch, of_import=before, status=ended)
    assert transitions.settle_finished(batch.of_import) == (ended if before == "RUNNING" else None)
    assert states(batch)[0] == (ended if before == "RUNNING" else before)


def test_a_batch_with_failed_rows_is_completed_and_its_import_failed(
    batch: BatchKey, without_triggers_of_the_upgrade: None
) -> None:
    put(batch, status="RUNNING")
    assert transitions.advance(batch, transitions.Advance(end_of(batch), 9, 0, 0, 0, 1)) == "COMPLETED"
    assert transitions.settle_finished(batch.of_import) == "FAILED"
    assert states(batch) == ("FAILED", "COMPLETED")


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "PAUSED"])
def test_an_import_does_not_end_before_its_batches(batch: BatchKey, status: str) -> None:
    put(batch, status=status)
    assert transitions.settle_finished(batch.of_import) is None
    assert states(batch) == ("RUNNING", status)


BATCH_ARROWS = {
    BatchStatus.RUNNING: lambda key: transitions.claim(key, 1) is not None,
    BatchStatus.QUEUED: lambda key: transitions.release(key, 1),
    BatchStatus.COMPLETED: lambda key: (
        transitions.lock_for_chunk(key, 1) is not None
        and transitions.advance(key, transitions.Advance(end_of(key), 9, 1, 0, 0, 0)) == "COMPLETED"
    ),
    BatchStatus.FAILED: lambda key: transitions.end_attempt(key, 1, reason="trouble", max_fruitless_attempts=1),
}


def end_of(key: BatchKey) -> int:
    return db.session.get_one(Batch, tuple(key)).end_byte


@pytest.mark.parametrize(("before", "after"), list(product(BatchStatus, BATCH_ARROWS)))
def test_a_worker_takes_the_arrows_of_the_table_and_no_others(
    batch: BatchKey, before: BatchStatus, after: BatchStatus
) -> None:
    put(batch, status=before)
    # Resume and Pause draw the other arrows to and from QUEUED.
    allowed = after in BATCH_TRANSITIONS[before] and (before, after) != ("PAUSED", "QUEUED")
    assert BATCH_ARROWS[after](batch) is allowed
    assert states(batch)[1] == (after if allowed else before)


@pytest.mark.parametrize("arrow", list(BATCH_ARROWS.values()))
def test_a_wrong_attempt_changes_nothing(batch: BatchKey, arrow) -> None:
    for status in ("QUEUED", "RUNNING"):
        put(batch, status=status)
        db.session.execute(text("update batches set attempt = 2"))
        assert arrow(batch) is False
        assert states(batch)[1] == status


@pytest.mark.parametrize("status", BatchStatus)
def test_terminate_ends_every_batch_that_has_not_finished(batch: BatchKey, status: BatchStatus) -> None:
    put(batch, status=status)
    assert transitions.terminate(batch.of_import)
    assert states(batch)[1] == ("TERMINATED" if BATCH_TRANSITIONS[status] else status)


def test_pause_waits_for_running_batches(batch: BatchKey) -> None:
    put(batch, status="RUNNING")
    assert transitions.request_pause(batch.of_import)
    assert not transitions.request_pause(batch.of_import)
    assert not transitions.settle_pause(batch.of_import)
    assert states(batch) == ("RUNNING", "RUNNING")
    assert transitions.pause_batch(batch, 1)
    assert transitions.settle_pause(batch.of_import)
    assert states(batch) == ("PAUSED", "PAUSED")


def test_a_batch_is_paused_only_while_its_import_is_pausing(batch: BatchKey) -> None:
    put(batch, status="RUNNING")
    assert not transitions.pause_batch(batch, 1)


def test_a_pausing_import_whose_last_batch_finishes_is_completed(batch: BatchKey) -> None:
    put(batch, status="COMPLETED", pausing=True)
    assert not transitions.settle_pause(batch.of_import)
    assert transitions.settle_finished(batch.of_import) == "COMPLETED"


def test_a_batch_that_comes_back_while_pausing_is_paused_by_the_next_look(batch: BatchKey) -> None:
    put(batch, status="RUNNING", pausing=True)
    assert transitions.release(batch, 1)
    assert transitions.settle_pause(batch.of_import)
    assert states(batch) == ("PAUSED", "PAUSED")


@pytest.mark.parametrize(("of_import", "pausing"), [("RUNNING", True), ("PAUSED", False), ("TERMINATED", False)])
def test_a_batch_of_an_import_that_does_not_run_is_not_claimed(batch: BatchKey, of_import: str, pausing: bool) -> None:
    put(batch, of_import=of_import, pausing=pausing)
    assert transitions.claim(batch, 1) is None


def test_every_return_to_the_queue_raises_the_attempt(batch: BatchKey) -> None:
    def attempt() -> int:
        db.session.commit()
        return db.session.get_one(Batch, tuple(batch)).attempt

    put(batch, status="RUNNING")
    assert transitions.release(batch, 1)
    assert attempt() == 2
    put(batch, of_import="PAUSED", status="PAUSED")
    assert transitions.resume(batch.of_import)
    assert attempt() == 2
    put(batch, status="RUNNING")
    db.session.execute(text("update batches set heartbeat_at = now() - interval '1 hour'"))
    (taken,) = transitions.reclaim_expired(lease_seconds=10, max_fruitless_attempts=5)
    assert (taken.key, taken.attempt, taken.status) == (batch, 2, "QUEUED")


def test_a_heartbeat_within_the_lease_is_left_alone(batch: BatchKey) -> None:
    put(batch, status="RUNNING")
    assert transitions.reclaim_expired(lease_seconds=10, max_fruitless_attempts=5) == []


def test_a_batch_in_the_middle_of_a_chunk_is_left_alone_however_old_its_heartbeat(app: Flask, batch: BatchKey) -> None:
    put(batch, status="RUNNING")
    db.session.execute(text("update batches set heartbeat_at = now() - interval '1 hour'"))
    db.session.commit()
    with db.engine.connect() as writing, writing.begin():
        writing.execute(text("select 1 from batches for no key update"))
        assert transitions.reclaim_expired(lease_seconds=10, max_fruitless_attempts=5) == []
        db.session.rollback()
    assert len(transitions.reclaim_expired(lease_seconds=10, max_fruitless_attempts=5)) == 1


def test_a_batch_is_given_up_after_fruitless_attempts_in_a_row(batch: BatchKey) -> None:
    put(batch)
    for attempt in (1, 2, 3):
        assert transitions.claim(batch, attempt)
        assert transitions.end_attempt(batch, attempt, reason=f"trouble {attempt}", max_fruitless_attempts=3)
    one = db.session.get_one(Batch, tuple(batch))
    assert (one.status, one.reason) == ("FAILED", "trouble 3")
    assert transitions.settle_finished(batch.of_import) == "FAILED"


def test_a_committed_chunk_clears_the_count_of_fruitless_attempts(batch: BatchKey) -> None:
    put(batch, status="RUNNING")
    db.session.execute(text("update batches set fruitless_attempts = 4"))
    transitions.advance(batch, transitions.Advance(end_of(batch) - 1, 2, 0, 0, 0, 0))
    db.session.commit()
    assert db.session.get_one(Batch, tuple(batch)).fruitless_attempts == 0
