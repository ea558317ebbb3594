"""The job that works through one batch, chunk by chunk, until it is done or asked to stop."""

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from psycopg import Error as DriverError
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from app import diagnosis
from app.config import current_settings
from app.csvfile.errors import FileRejected
from app.csvfile.header import ColumnUnknown, layout_of
from app.csvfile.lines import LineReader
from app.extensions import db
from app.imports import settling
from app.imports.worker import stop_signal
from app.imports.worker.catalog_cache import known_items
from app.imports.worker.chunk import AttemptOver, Pausing, Written, complete, hold_fence, write, write_undo
from app.imports.worker.targets import target_of
from app.jobs import queue
from app.jobs.shutdown import is_shutdown_requested
from app.observability import metrics
from app.queries import BatchKey, ImportKey
from app.queries.imports import lookups, transitions
from app.queries.listings.listings import Run
from app.statuses import BatchStatus, ImportKind
from app.storage import current_storage, iter_range

log = logging.getLogger(__name__)

MIN_CHUNK_ROWS = 200
MAX_CHUNK_ROWS = 10_000
#: The speed of a slow machine, which sizes the first chunk of a batch.
_ROWS_PER_SECOND_AT_FIRST = 25_000
#: Maximum number of attempts to write a chunk that loses to another transaction.
_TRIES = 5

#: What a batch waits for, for sellers.
_NODE_AWAY = "Waiting for the part of the database with your listings. It carries on by itself once that answers."
#: Longest description of an error that is stored.
_MAX_DETAIL = 300


def run(seller_id: int, import_id: int, number: int, attempt: int) -> None:
    """Work on a batch under one attempt; RQ calls this with nothing but ids."""
    batch = BatchKey(seller_id, import_id, number)
    claim = transitions.claim(batch, attempt, worker=f"{socket.gethostname()}:{os.getppid()}")
    db.session.commit()
    if claim is None:
        log.info("batch not claimed", extra={"batch": batch, "attempt": attempt})
        return
    began = monotonic()
    metrics.QUEUE_WAIT.labels(claim.kind.lower()).observe(claim.waited_seconds)
    progress = _Progress()
    try:
        end = _work(batch, attempt, claim, progress)
    except Exception as error:
        if (away := diagnosis.of_node(error)) is None:
            log.exception("attempt failed", extra={"batch": batch, "attempt": attempt})
        else:
            log.warning("batch waits: %s", away.sentence, extra={"batch": batch, "attempt": attempt})
        end = "error" if away is None else "node away"
        _end_attempt(batch, attempt, error)
    metrics.ATTEMPTS.labels(end).inc()
    waited, seconds = round(claim.waited_seconds, 3), round(monotonic() - began, 3)
    fields = {"batch": batch, "attempt": attempt, "rows": progress.rows, "end": end}
    log.info("attempt ended", extra={**fields, "seconds": seconds, "waited": waited})
    # For a pause, and after the last batch.
    if lookups.may_settle(batch.of_import):
        settling.run(*batch.of_import)
    queue.send_waiting_jobs()


@dataclass
class _Progress:
    """The number of rows that an attempt has committed so far."""

    rows: int = 0


def _work(batch: BatchKey, attempt: int, claim: transitions.Claim, progress: _Progress) -> str:
    """Write chunk after chunk, and keep ``progress`` up to date. Returns why it stopped, for the log."""
    settings = current_settings()
    listener = stop_signal.Listener(batch.of_import)
    take = (_take_listings if claim.kind is ImportKind.UNDO else _take_rows)(batch, attempt, claim)
    size = _in_bounds(_ROWS_PER_SECOND_AT_FIRST * settings.chunk_seconds)
    while True:
        write_next = take(size)
        began = monotonic()
        try:
            written = _write_with_retries(write_next)
            metrics.count_rows(written.rows)
            progress.rows += sum(written.rows.values())
            if written.status is not BatchStatus.RUNNING:
                return written.status
            if is_shutdown_requested():
                transitions.release(batch, attempt)
                db.session.commit()
                return "shutdown"
            if listener.poll():
                hold_fence(batch, attempt)
                db.session.rollback()
        except AttemptOver:
            db.session.rollback()
            return "stale"
        except Pausing:
            db.session.rollback()
            transitions.pause_batch(batch, attempt)
            db.session.commit()
            return "pausing"
        # So that the next chunk takes about as long as chunks are to take.
        size = _in_bounds(size * min(settings.chunk_seconds / max(monotonic() - began, 0.001), 2))


#: Writes a chunk; to be called again if its transaction loses to another. Raises AttemptOver and Pausing.
_Write = Callable[[], Written]


def _take_rows(batch: BatchKey, attempt: int, claim: transitions.Claim) -> Callable[[int], _Write]:
    """What takes the next rows of the batch, about as many as it is given, for a chunk."""
    target = target_of(batch, claim.kind, Run(batch.of_import, layout_of(claim.header), claim.digest_format))
    known = known_items(claim.catalog_version)
    reader = LineReader(
        iter_range(current_storage(), claim.storage_key, claim.cursor, claim.end_byte),
        header=claim.header,
        offset=claim.cursor,
        line=claim.cursor_line,
        complete=partial(complete, known_items=known, target=target),
    )

    def take(size: int) -> _Write:
        with metrics.timed("read"):
            return partial(write, batch, attempt, reader.take(size), target)

    return take


def _take_listings(batch: BatchKey, attempt: int, claim: transitions.Claim) -> Callable[[int], _Write]:
    """What takes the next listings of an undo's batch, about as many as it is given, for a chunk."""
    if claim.parent_id is None:
        raise LookupError("the import that it undoes is gone")
    parent = ImportKey(batch.seller_id, claim.parent_id)
    return lambda size: partial(write_undo, batch, attempt, parent, end=claim.end_byte, limit=size)


def _write_with_retries(write: _Write) -> Written:
    for left in reversed(range(_TRIES)):
        try:
            written = write()
            with metrics.timed("commit"):
                db.session.commit()
            return written
        except (DBAPIError, DriverError) as error:
            db.session.rollback()
            cause = error.orig if isinstance(error, DBAPIError) else error
            # Only if the database has aborted this transaction in favour of another.
            if not left or not isinstance(cause, errors.DeadlockDetected | errors.SerializationFailure):
                raise
    raise AssertionError("unreachable")


def _in_bounds(rows: float) -> int:
    return max(MIN_CHUNK_ROWS, min(MAX_CHUNK_ROWS, int(rows)))


def _end_attempt(batch: BatchKey, attempt: int, error: Exception) -> None:
    """Release the batch after an error; if that fails too, its lease expires."""
    try:
        db.session.rollback()
        if diagnosis.of_node(error) is not None:
            transitions.wait_for_node(batch, attempt, reason=_NODE_AWAY)
        else:
            transitions.end_attempt(
                batch,
                attempt,
                reason=_explain(error),
                detail=_kind(error),
                max_fruitless_attempts=current_settings().max_fruitless_attempts,
            )
        db.session.commit()
    except DBAPIError:
        log.warning("batch not released", extra={"batch": batch, "attempt": attempt}, exc_info=True)


def _explain(error: Exception) -> str:
    """The sentence for sellers about an error that is not theirs."""
    match error:
        case FileNotFoundError():
            return "The uploaded file is no longer in the storage."
        case FileRejected():
            return "The stored file is not what was uploaded."
        case ColumnUnknown():
            return "The file has a column that this worker does not know: it runs an older release than the pages."
        case OSError():
            return "The storage could not be read."
        case DBAPIError() | DriverError():
            return "The database could not be reached, or refused the rows."
        case _:
            return "The import ran into an unexpected error."


def _kind(error: Exception) -> str:
    """The kind of error, for operators; with its message only if that cannot quote a row, as the database's may."""
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"[:_MAX_DETAIL]
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    state = getattr(cause, "sqlstate", None)
    return f"{type(cause).__name__} ({state})" if state else type(cause).__name__
