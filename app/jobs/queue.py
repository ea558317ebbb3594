"""Sends jobs to Redis through RQ, and tells workers which of them to run.

RQ only dispatches: a job carries nothing but ids, the reconciler sends a lost one again, and one that is delivered
twice finds its batch already claimed.
"""

import logging
import uuid
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from redis import Redis, RedisError, ResponseError
from redis.client import Pipeline
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError, StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import import_attribute
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from app import diagnosis
from app.extensions import DATABASE_ERRORS, db
from app.queries import BatchKey, ConversionKey, ImportKey
from app.queries.imports import conversion_transitions, conversions, transitions
from app.queries.imports.conversions import WaitingConversion
from app.queries.imports.lookups import WaitingBatch
from app.redis_client import redis_client

log = logging.getLogger(__name__)

QUEUE_NAME = "sluice"
#: Processed by separate workers: a slow receiver must not delay an import.
DELIVERY_QUEUE_NAME = "sluice-deliveries"

RUN_BATCH = "app.imports.worker.batch_job.run"
RUN_CONVERSION = "app.imports.conversion_job.run"
FIX = "app.imports.fixes.engine.run"
DELIVER = "app.deliveries.job.run"
#: The names that the previous release sends. Its jobs may still wait in Redis, and until all hosts are upgraded, more
#: may be sent. The next release drops them.
_RENAMED = {
    "app.imports.batch_job.run": RUN_BATCH,
    "app.imports.reconcile.run": "app.imports.settling.run",
}
#: The function that each name stands for.
_FUNCTIONS = {name: name for name in (RUN_BATCH, RUN_CONVERSION, DELIVER, FIX)} | _RENAMED

#: A batch takes seconds. This is the last resort against a hang that no other timeout covers.
_JOB_TIMEOUT_SECONDS = 3600
#: Ended jobs are not needed: the batches record what happened. Failed ones are kept for operators.
_RESULT_SECONDS = 0
_FAILURE_SECONDS = 24 * 3600
#: Largest size of a job's name and arguments, in bytes.
_MAX_JOB_BYTES = 64 * 1024

#: Jobs waiting in Redis for each worker: enough that none is idle, few enough that a new import starts soon.
_WAITING_PER_WORKER = 2
_LEAST_WAITING = 4

#: A key that is written to find out whether Redis accepts writes, and its lifetime.
_ASKED, _ASKED_SECONDS = "sluice:asked", 1


class ForbiddenFunction(Exception):
    """A job in Redis names a function that is not one of Sluice's jobs."""


class AllowedJob(Job):
    """A job that runs only Sluice's own jobs, whatever an attacker writes into Redis."""

    def refresh(self) -> None:
        """Read the job from Redis. Raises NoSuchJobError for anything that RQ has not written, so that the worker skips
        it: any other error would end this worker, and then the next one.
        """
        try:
            super().refresh()  # type: ignore[no-untyped-call]
        except Exception as error:
            is_of_wrong_type = isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")
            # The handler of a signal raises StopRequested wherever the worker is.
            if isinstance(error, StopRequested | NoSuchJobError | RedisError) and not is_of_wrong_type:
                raise
            log.warning("malformed job in Redis skipped: %.100s", self.id, exc_info=True)
            raise NoSuchJobError("The job is malformed.") from error

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        """Restore the job from its values in Redis. Raises ValueError if they unpack to far more than a job of ours."""
        unpacking = zlib.decompressobj()
        # Values that are not packed are left to RQ.
        with suppress(zlib.error):
            unpacking.decompress(raw_data.get(b"data", b""), _MAX_JOB_BYTES)
        if unpacking.unconsumed_tail:
            raise ValueError("The job is too large.")
        super().restore(raw_data)

    def delete(
        self, pipeline: Pipeline | None = None, remove_from_queue: bool = True, delete_dependents: bool = False
    ) -> None:
        """Delete the job from Redis.

        One that has ended (``remove_from_queue`` is false) is in no list but that of its executions, which RQ clears,
        and may be gone if it was delivered twice. RQ would look for it in five more round trips.
        """
        if remove_from_queue:
            super().delete(pipeline, remove_from_queue, delete_dependents)
            return
        connection = self.connection if pipeline is None else pipeline
        connection.delete(self.key, self.dependents_key, self.dependencies_key, self.execution_registry.key)

    @property
    def func(self) -> Callable[..., Any]:
        """The function to run. Raises ForbiddenFunction for any that is not on the list."""
        name = _FUNCTIONS.get(self.func_name or "")
        if name is None or self.instance is not None:
            raise ForbiddenFunction("The job does not name a function of Sluice.")
        return import_attribute(name)

    success_callback = failure_callback = stopped_callback = None


def import_jobs() -> None:
    """Import what jobs run, so that a process that is forked for one need not."""
    for name in _FUNCTIONS.values():
        import_attribute(name)


def open_queue(connection: Redis, name: str = QUEUE_NAME) -> Queue:
    """A queue of jobs. A worker that listens on exactly one queue never loses a job it has popped."""
    return Queue(name, connection=connection, serializer=JSONSerializer, job_class=AllowedJob)


class Sent(NamedTuple):
    """The result of sending conversions and batches to Redis."""

    #: The number of jobs.
    sent: int
    #: Why Redis did not accept them all, in a sentence; None if it did.
    trouble: str | None


def send_waiting_jobs() -> Sent:
    """Send waiting conversions and batches to Redis until enough jobs wait there.

    Commits. Errors are logged and returned instead of raised, because the caller's own work is done: the reconciler
    sends again.
    """
    sent, trouble = 0, None
    try:
        workers = count_workers()
        # A conversion takes as long as many batches, so that they leave half of the workers to those.
        waiting = conversions.find_next_to_dispatch(max(1, workers // 2))
        converting = [one for one in waiting if conversion_transitions.dispatch(*one)]
        batches = transitions.dispatch_next(max(_LEAST_WAITING, _WAITING_PER_WORKER * workers))
        # Committed first: a job must not start before other transactions can see that it was sent.
        db.session.commit()
        _send(converting, batches)
        sent = len(converting) + len(batches)
    except RedisError as error:
        log.warning("jobs not sent", exc_info=True)
        trouble = diagnosis.of_redis(error).sentence
    except DATABASE_ERRORS:
        log.warning("jobs not sent", exc_info=True)
    finally:
        db.session.rollback()
    return Sent(sent, trouble)


def count_workers() -> int:
    """The number of workers on all hosts, as far as RQ knows. Raises RedisError."""
    return Worker.count(queue=open_queue(redis_client()))


def count_workers_if_known() -> int | None:
    """The same; None if Redis cannot tell."""
    try:
        return count_workers()
    except RedisError:
        return None


def _send(converting: Sequence[WaitingConversion], batches: Sequence[WaitingBatch]) -> None:
    """Hand what was dispatched to Redis, all at once; if that fails, it waits again."""
    try:
        with redis_client().pipeline() as pipeline:
            for key, attempt in converting:
                job_id = conversion_job_id(key, attempt)
                _enqueue(RUN_CONVERSION, (*key, attempt), job_id=job_id, pipeline=pipeline)
            for batch, attempt in batches:
                _enqueue(RUN_BATCH, (*batch, attempt), job_id=batch_job_id(batch, attempt), pipeline=pipeline)
            pipeline.execute()
    except RedisError:
        for key, attempt in converting:
            conversion_transitions.undispatch(key, attempt)
        for batch, attempt in batches:
            transitions.undispatch(batch, attempt)
        db.session.commit()
        raise


def wake_deliverer() -> None:
    """Wake a deliverer: the outbox has messages. The job carries nothing, because the outbox has it all."""
    try:
        waiting = open_queue(redis_client(), DELIVERY_QUEUE_NAME)
        if not waiting.count:
            # A new id, because the previous job may be ending and would delete this one's data with its own.
            _enqueue(DELIVER, (), job_id=f"d{uuid.uuid4().hex}", to=waiting)
    except RedisError:
        log.warning("delivery job not sent", exc_info=True)


def send_fix(key: ImportKey) -> None:
    """Have a worker go on with the answer that is being applied to an import's failed rows."""
    try:
        _enqueue(FIX, tuple(key), job_id=f"f{key.import_id}-{uuid.uuid4().hex[:8]}", at_front=True)
    except RedisError:
        log.warning("job for an answer not sent", exc_info=True)


def check_accepts_jobs() -> None:
    """Raise RedisError unless Redis accepts jobs. Writes a key to find out."""
    redis = redis_client()
    redis.set(_ASKED, "", ex=_ASKED_SECONDS)
    # If one of RQ's keys has another type than RQ gives it, no job can be sent.
    with redis.pipeline(transaction=False) as asked:
        for one in _queues():
            asked.llen(one.key)
            asked.llen(one.intermediate_queue_key)
            asked.zcard(one.started_job_registry.key)
            asked.zcard(one.failed_job_registry.key)
            asked.scard(WORKERS_BY_QUEUE_KEY % one.name)
        asked.scard(REDIS_WORKER_KEYS)
        asked.scard(Queue.redis_queues_keys)
        for answer in asked.execute(raise_on_error=False):
            if isinstance(answer, RedisError):
                raise answer


def remove_malformed_ids() -> int:
    """Remove what cannot be a job's id from the queues, because it would end a worker. Returns how many there were.

    Raises RedisError.
    """
    keys = [key for one in _queues() for key in (one.key, one.intermediate_queue_key)]
    malformed = [(key, name) for key in keys for name in _list(key) if not name.isascii()]
    for key, name in malformed:
        redis_client().lrem(key, 1, name)  # type: ignore[arg-type]
    return len(malformed)


def _list(key: str) -> list[bytes]:
    return redis_client().lrange(key, 0, -1)  # type: ignore[return-value]


def _queues() -> list[Queue]:
    return [open_queue(redis_client(), name) for name in (QUEUE_NAME, DELIVERY_QUEUE_NAME)]


def batch_job_id(key: BatchKey, attempt: int) -> str:
    """The id of the job of one attempt at a batch."""
    return f"b{key.import_id}-{key.number}-a{attempt}"


def conversion_job_id(key: ConversionKey, attempt: int) -> str:
    """The id of the job of one attempt at a conversion."""
    return f"c{key.conversion_id}-a{attempt}"


def waiting_job_ids() -> set[str]:
    """The ids of all jobs that wait in Redis. Raises RedisError."""
    return {name.decode(errors="replace") for name in _list(open_queue(redis_client()).key)}


def _enqueue(
    function: str,
    args: tuple[int, ...],
    *,
    job_id: str,
    at_front: bool = False,
    to: Queue | None = None,
    pipeline: Pipeline | None = None,
) -> None:
    (to or open_queue(redis_client())).enqueue_call(
        function,
        args=list(args),
        job_id=job_id,
        timeout=_JOB_TIMEOUT_SECONDS,
        result_ttl=_RESULT_SECONDS,
        failure_ttl=_FAILURE_SECONDS,
        at_front=at_front,
        pipeline=pipeline,
    )
