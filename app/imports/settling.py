"""Settling an import: its status once its batches are paused or over, and then deleting what its chunks noted.

The worker that ends the last batch does it, and the reconciler for a worker that has died.
"""

import logging

from app.extensions import DATABASE_ERRORS, db
from app.imports import letting_go
from app.jobs import queue
from app.queries import ImportKey
from app.queries.imports import chunk_scratch, transitions
from app.statuses import ImportStatus

log = logging.getLogger(__name__)


def run(seller_id: int, import_id: int) -> None:
    """Settle an import that is pausing or whose batches are all over; if that fails, the reconciler does. Commits.

    It is not sent as a job: that would take longer than the import of ten rows. Jobs of the release before call it, and
    hence it takes plain ids.
    """
    key = ImportKey(seller_id, import_id)
    try:
        if settle(key):
            forget_notes(key)
    except DATABASE_ERRORS:
        log.warning("import not settled", extra={"import_id": import_id}, exc_info=True)
        db.session.rollback()


def settle(key: ImportKey) -> bool:
    """Settle an import according to its batches: PAUSED, COMPLETED or FAILED. Returns whether its status changed.

    The failed rows that a completed undo has undone can be imported again from where they failed.
    """
    paused = transitions.settle_pause(key)
    finished = transitions.settle_finished(key)
    if finished is ImportStatus.COMPLETED:
        letting_go.of_undone(key)
    db.session.commit()
    if paused or finished:
        queue.wake_deliverer()
    if finished:
        log.info("import ended: %s", finished, extra={"import_id": key.import_id})
    return paused or finished is not None


def forget_notes(key: ImportKey) -> None:
    """Delete the chunks' notes of an import that is over."""
    while chunk_scratch.are_due(key) and chunk_scratch.forget_some(key):
        db.session.commit()
    db.session.rollback()
