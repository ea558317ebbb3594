"""The one place that hands jobs to RQ.

RQ dispatches and keeps no ledger: a job carries nothing but ids, a lost one is sent again by the reconciler, and one
that is delivered twice finds its batch already claimed.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

from redis import Redis, RedisError
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import import_attribute
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.queries import BatchKey, ImportKey, imports, transitions
from app.redis_store import redis_client

log = logging.getLogger(__name__)

QUEUE_NAME = "sluice"
#: Worked on by processes of their own: a receiver that takes its time must not make an import wait.
DELIVERY_QUEUE_NAME = "sluice-deliveries"

RUN_BATCH = "app.imports.batch_job.run"
RECONCILE = "app.imports.reconcile.run"
DELIVER = "app.deliveries.job.run"
_ALLOWED = frozenset({RUN_BATCH, RECONCILE, DELIVER})

#: A batch takes seconds. This is the last resort against one that hangs in a way that no other timeout covers.
_JOB_TIMEOUT_SECONDS = 3600
#: Finished and failed jobs are of no use to us: the batches tell what happened. Operators may look at failed ones.
_RESULT_SECONDS = 0
_FAILURE_SECONDS = 24 * 3600

#: Jobs that wait in Redis for each worker: enough that none is idle, few enough that a newcomer's turn comes soon.
_WAITING_PER_WORKER = 2
_LEAST_WAITING = 4

#: A key that is written to find out whether Redis takes writes, and how long it is there.
_ASKED, _ASKED_SECONDS = "sluice:asked", 1


class ForbiddenFunction(Exception):
    """A job in Redis names a function that is none of ours."""


class AllowedJob(Job):
    """A job that runs our own functions only, whatever somebody wrote into Redis."""

    @property
    def func(self) -> Callable[..., Any]:
        """The function to run. Raises ForbiddenFunction for any that is not on the list."""
        if self.func_name not in _ALLOWED or self.instance is not None:
            raise ForbiddenFunction("The job does not name a function of Sluice.")
        return import_attribute(self.func_name)

    success_callback = failure_callback = stopped_callback = None


def open_queue(connection: Redis, name: str = QUEUE_NAME) -> Queue:
    """A queue through which jobs go. A worker on exactly one queue never loses a job it has popped."""
    return Queue(name, connection=connection, serializer=JSONSerializer, job_class=AllowedJob)


def fill() -> int:
    """Hand waiting batches to Redis until enough jobs wait there; how many were sent.

    Commits. Trouble is logged and nothing else, because whoever calls this has done its own work already: the
    reconciler fills again.
    """
    sent = 0
    try:
        room = _window() - len(imports.find_dispatched())
        for waiting in imports.find_next_to_dispatch(max(room, 0)):
            sent += _send_batch(waiting)
    except (RedisError, SQLAlchemyError):
        log.warning("jobs not sent", exc_info=True)
    finally:
        db.session.rollback()
    return sent


def count_workers() -> int:
    """How many workers are listening on any host, as far as RQ knows. Raises RedisError."""
    return Worker.count(queue=open_queue(redis_client()))


def _window() -> int:
    """How many jobs should wait in Redis."""
    return max(_LEAST_WAITING, _WAITING_PER_WORKER * count_workers())


def _send_batch(waiting: imports.Waiting) -> bool:
    key, attempt = waiting
    if not transitions.dispatch(key, attempt):
        return False
    # Committed first: a job must not start before everybody can see that its batch was sent.
    db.session.commit()
    try:
        _enqueue(RUN_BATCH, (*key, attempt), job_id=batch_job_id(key, attempt))
    except RedisError:
        transitions.undispatch(key, attempt)
        db.session.commit()
        raise
    return True


def send_reconcile(key: ImportKey) -> None:
    """Have the next free worker settle an import whose batches have all ended; the tick does it otherwise."""
    try:
        _enqueue(RECONCILE, key, job_id=f"r{key.import_id}", at_front=True)
    except RedisError:
        log.warning("reconciler job not sent", extra={"import_id": key.import_id}, exc_info=True)


def send_deliver() -> None:
    """Wake a deliverer: there is something in the outbox. The job names nothing, because the outbox tells all."""
    try:
        waiting = open_queue(redis_client(), DELIVERY_QUEUE_NAME)
        if not waiting.count:
            # An id of its own, because the one before may be at its end and would take this one's data along.
            _enqueue(DELIVER, (), job_id=f"d{uuid.uuid4().hex}", to=waiting)
    except RedisError:
        log.warning("delivery job not sent", exc_info=True)


def ask() -> int:
    """How many jobs wait in Redis, which takes a write to answer. Raises RedisError unless jobs can be sent."""
    redis_client().set(_ASKED, "", ex=_ASKED_SECONDS)
    return len(waiting_job_ids())


def batch_job_id(key: BatchKey, attempt: int) -> str:
    """The id of the job of one attempt at a batch."""
    return f"b{key.import_id}-{key.number}-a{attempt}"


def waiting_job_ids() -> set[str]:
    """The ids of all jobs that wait in Redis. Raises RedisError."""
    return set(open_queue(redis_client()).get_job_ids())


def _enqueue(
    function: str, args: tuple[int, ...], *, job_id: str, at_front: bool = False, to: Queue | None = None
) -> None:
    (to or open_queue(redis_client())).enqueue_call(
        function,
        args=list(args),
        job_id=job_id,
        timeout=_JOB_TIMEOUT_SECONDS,
        result_ttl=_RESULT_SECONDS,
        failure_ttl=_FAILURE_SECONDS,
        at_front=at_front,
    )
