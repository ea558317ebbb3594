"""The reconciler: settles imports whose batches are over, and repairs what dead processes leave behind.

It is the only authority for retries. It asks the database what is older than a limit, never what happened since its
last run, so that nothing can slip through.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis import RedisError
from sqlalchemy import Connection

from app import diagnosis
from app.config import Settings, current_settings
from app.extensions import db
from app.imports import settling
from app.imports.conversions import start_wanted
from app.jobs import queue
from app.queries import ConversionKey
from app.queries.deliveries import outbox
from app.queries.imports import conversion_transitions, conversions, lookups, reconciler, transitions

log = logging.getLogger(__name__)

#: A job that was sent more than this many seconds ago, has not begun, and is not waiting in Redis is lost.
_LOST_AFTER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Repairs:
    """What one sweep has repaired."""

    reclaimed: int
    settled: int
    lost_jobs: int
    sent: int


def sweep(*, force: bool = False) -> Repairs | None:
    """Repair everything that is not over; None if another host holds the lock or swept recently.

    ``force`` sweeps even if the last sweep was recent.
    """
    settings = current_settings()
    with _only_one(settings, force=force) as connection:
        if connection is None:
            return None
        repairs = _repair(settings, connection)
    # Without the lock, because each of these files is read, which may take longer than a connection may sit idle.
    for converted in conversions.find_to_start():
        _start(converted)
    return repairs


def _repair(settings: Settings, connection: Connection) -> Repairs:
    # A chunk that takes longer than the lease has lost its claim; its locks must not outlive it.
    if overdue := reconciler.end_overdue_transactions(lease_seconds=settings.lease_seconds):
        log.warning("%s overdue transactions ended", overdue)
    reclaimed = transitions.reclaim_expired(
        lease_seconds=settings.lease_seconds, max_fruitless_attempts=settings.max_fruitless_attempts
    )
    db.session.commit()
    for batch in reclaimed:
        log.warning("batch reclaimed: %s", batch.status, extra={"batch": batch.key, "attempt": batch.attempt})
    lost_conversions = conversion_transitions.reclaim_expired(
        lease_seconds=settings.lease_seconds, max_fruitless_attempts=settings.max_fruitless_attempts
    )
    db.session.commit()
    for one in lost_conversions:
        log.warning("conversion reclaimed: %s", one.status, extra={"conversion": one.key, "attempt": one.attempt})
    settled = sum(settling.settle(key) for key in lookups.find_running())
    try:
        if malformed := queue.remove_malformed_ids():
            log.warning("%s entries that are not job ids removed from the queues", malformed)
        lost = _forget_lost_jobs()
    except RedisError as error:
        fault = diagnosis.of_redis(error)
        log.warning("search for lost jobs failed. %s %s", fault.sentence, fault.advice)
        lost = 0
    if outbox.has_work():
        queue.wake_deliverer()
    reconciler.count(connection, reclaimed=len(reclaimed), settled=settled, lost=lost, ended=overdue)
    dispatched = queue.send_waiting_jobs()
    reconciler.note_dispatch(connection, trouble=dispatched.trouble)
    return Repairs(len(reclaimed) + len(lost_conversions), settled, lost, dispatched.sent)


def _start(key: ConversionKey) -> None:
    """Start a converted file whose worker died. It is read for that: no error about it may end the sweep for all."""
    try:
        start_wanted(key)
    except Exception:
        db.session.rollback()
        log.exception("converted file not started", extra={"conversion": key})


def _forget_lost_jobs() -> int:
    """Requeue the batches and conversions whose jobs Redis has lost. Returns their number."""
    # The database is asked first, so that a job that is sent meanwhile does not seem lost.
    dispatched = lookups.find_dispatched(older_than_seconds=_LOST_AFTER_SECONDS)
    converting = conversions.find_dispatched(older_than_seconds=_LOST_AFTER_SECONDS)
    if not dispatched and not converting:
        return 0
    waiting = queue.waiting_job_ids()
    lost = [one for one in dispatched if queue.batch_job_id(*one) not in waiting]
    for key, attempt in lost:
        log.warning("job lost", extra={"batch": key, "attempt": attempt})
        transitions.undispatch(key, attempt)
    lost_conversions = [one for one in converting if queue.conversion_job_id(*one) not in waiting]
    for conversion, attempt in lost_conversions:
        log.warning("job lost", extra={"conversion": conversion, "attempt": attempt})
        conversion_transitions.undispatch(conversion, attempt)
    db.session.commit()
    return len(lost) + len(lost_conversions)


@contextmanager
def _only_one(settings: Settings, *, force: bool) -> Iterator[Connection | None]:
    """Hold the lock for the time of a sweep; None if it is held, or was recently."""
    # A separate connection: the sweep commits many times, and the lock must outlast that.
    with db.engine.connect() as connection, connection.begin():
        # Half a tick: hosts whose ticks coincide take turns, and none waits for another.
        is_due = reconciler.try_lock(connection, rest_seconds=settings.tick_seconds / 2)
        if is_due is None or not (is_due or force):
            yield None
            return
        yield connection
        reconciler.mark_run(connection)
