"""The supervisor, which keeps WORKERS workers and DELIVERERS deliverers running and ticks every few seconds.

A worker forks a work-horse, which stands by until there is a job. Each of the three levels ends with the one above it:
a worker whose supervisor is gone drains and exits, and a work-horse whose worker is gone releases its batch after its
chunk.
"""

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from flask import Flask
from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry
from rq import Queue, Worker
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy.orm import configure_mappers

from app import diagnosis
from app.config import Settings
from app.extensions import DATABASE_ERRORS, db
from app.jobs.queue import DELIVERY_QUEUE_NAME, QUEUE_NAME, AllowedJob, import_jobs, open_queue
from app.jobs.shutdown import is_shutdown_requested, request_shutdown
from app.queries import operations

log = logging.getLogger("sluice.worker")

#: Asks a work-horse to release its batch at the end of the chunk.
_RELEASE = signal.SIGUSR1
#: A work-horse older than this starts no further job.
_TURN_SECONDS = 5.0
#: Workers that have not exited after this time are killed; a chunk takes a fraction of a second.
_GRACE_SECONDS = 20.0
#: Time after which a worker that has not exited is asked again.
_ASK_AGAIN_SECONDS = 1.0
#: A worker that dies within this time after its start is restarted only after as long again.
_SHORT_LIFE_SECONDS = 2.0
_POLL_SECONDS = 0.1
#: How much lower a work-horse's priority is than its worker's (see ``nice``), so that pages come first where an import
#: keeps all processors busy. With a third of their share, it gets its chunk done within the lease beside them.
_NICENESS = 5
#: Time between a failed preparation for jobs and the next one.
_REST_SECONDS = 60.0

#: RQ's own times, all far shorter than its defaults, so that its lists of workers and jobs are accurate. Whatever must
#: be noticed fast depends on the lease in the batch's row instead.
_WORKER_TTL_SECONDS = 30
_MONITORING_SECONDS = 5
_MAINTENANCE_SECONDS = 30

_PR_SET_PDEATHSIG = 1


class Work(NamedTuple):
    """Hooks for workers and their supervisor; each runs in the application's context."""

    #: Do for nothing what each job does at first, so that work-horses inherit what it takes.
    rehearse: Callable[[], None]
    #: Whether something that jobs need is missing on this host.
    is_unprepared: Callable[[], bool]
    #: Make it, in a process of its own.
    prepare: Callable[[], None]
    #: Sweep, and run the periodic tasks that are due.
    tick: Callable[[], None]
    #: Share metrics with the other processes of this host in this directory, as a process of this kind.
    share_metrics: Callable[[Path, str], None]
    #: Serve the metrics in this directory at this address. Never returns.
    serve_metrics: Callable[[str, Path], None]


class _Standby(NamedTuple):
    """A work-horse that was forked before there is a job for it."""

    pid: int
    #: The pipe from which it reads which job to run; it ends when this is closed.
    orders: int


class SluiceWorker(Worker):
    """An RQ worker whose work-horses inherit the application, and stop between two chunks on request.

    A work-horse is forked, is connected to the database and has done ``rehearse`` before a job arrives: all that takes
    longer than the import of ten rows.
    """

    def __init__(self, app: Flask, connection: Redis, queue_name: str, rehearse: Callable[[], None]) -> None:
        super().__init__(
            [open_queue(connection, queue_name)],
            name=f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            connection=connection,
            job_class=AllowedJob,
            serializer=JSONSerializer,
            worker_ttl=_WORKER_TTL_SECONDS,
            job_monitoring_interval=_MONITORING_SECONDS,
            maintenance_interval=_MAINTENANCE_SECONDS,
        )
        self._app = app
        self._rehearse = rehearse
        self._standby: _Standby | None = None

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Wait for a job, while a work-horse stands by."""
        if self._standby is None:
            self._standby = self._fork_standby()
        return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Have the work-horse that stands by run ``job``; a new one if that one was killed."""
        assert self.execution is not None
        order = f"{job.id} {self.execution.id}".encode()
        standby, self._standby = self._standby or self._fork_standby(), None
        while not _write(standby.orders, order):
            os.waitpid(standby.pid, 0)
            standby = self._fork_standby()
        self._horse_pid = standby.pid
        self.procline(f"Forked {standby.pid} at {time.time()}")

    def _fork_standby(self) -> _Standby:
        reading, writing = os.pipe()

        def stand_by() -> None:
            # Else it would not notice that its worker has closed it.
            os.close(writing)
            self._stand_by(reading)

        pid = _fork(stand_by, "work-horse failed")
        os.close(reading)
        return _Standby(pid, writing)

    def _stand_by(self, orders: int) -> None:
        """Get ready, wait for the order to run a job, and run it. Returns if there is none, because its worker ends."""
        os.setpgrp()
        os.nice(_NICENESS)
        self.setup_work_horse_signals()
        _die_with_parent(self.pid, _RELEASE)
        # It lives for seconds once it works, and its objects have no cycles.
        gc.disable()
        with self._app.app_context():
            _try(self._rehearse, "a work-horse could not connect to the database yet")
            with os.fdopen(orders, "rb") as pipe:
                order = pipe.read()
            if not order:
                return
            # The id of a job that RQ has not written may have any length, and blanks.
            job_id, execution_id = order.decode().rsplit(" ", 1)
            job = AllowedJob.fetch(job_id, connection=self.connection, serializer=JSONSerializer)
            job.redis_server_version = self.get_redis_server_version()
            self.execution = Execution(execution_id, job_id, self.connection, self.name)
            self.main_work_horse(job, self.queues[0])

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Run ``job``, and until this process's turn is over the jobs that wait behind it.

        Forking, connecting to the database and exiting takes as long as two thousand rows.
        """
        ends_at = time.monotonic() + _TURN_SECONDS
        is_done = super().perform_job(job, queue, execution)
        while is_done and time.monotonic() < ends_at and not is_shutdown_requested():
            waiting = Queue.dequeue_any([queue], None, self.connection, AllowedJob, JSONSerializer)
            if waiting is None:
                break
            job, queue = waiting
            job.redis_server_version = self.get_redis_server_version()
            is_done = super().perform_job(job, queue, self.prepare_execution(job))
        return is_done

    def handle_warm_shutdown_request(self) -> None:
        """Pass the request on to the work-horse, so that it does not finish its whole batch first."""
        super().handle_warm_shutdown_request()
        if self.horse_pid:
            # It may have ended without RQ knowing yet.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, _RELEASE)

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """Do the same when asked again. RQ would kill the work-horse, which hands its batch back within a chunk.

        The first request may be lost: RQ raises an exception wherever the worker is, and its client for Redis ignores
        all exceptions in some places.
        """
        self.request_stop(signum, frame)

    def teardown(self) -> None:
        """Sign off, without being asked to stop meanwhile."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if self._standby is not None:
            # Waited for, because it has inherited the locks that tell the private servers that they are in use.
            os.kill(self._standby.pid, signal.SIGKILL)
            os.waitpid(self._standby.pid, 0)
        super().teardown()

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """How many seconds a job counts as alive after its last heartbeat in RQ; RQ adds a minute to this."""
        return 3 * _MONITORING_SECONDS


class Supervisor:
    """Keeps the workers of this host running and ticks."""

    def __init__(self, app: Flask, wanted: Mapping[str, int], work: Work) -> None:
        self._app = app
        self._work = work
        #: The number of workers for each queue.
        self._wanted = wanted
        self._settings: Settings = app.extensions["sluice_settings"]
        #: The start time and the queue of each worker, by process id.
        self._started: dict[int, tuple[float, str]] = {}
        self._host = socket.gethostname()
        #: The process that serves metrics, or 0.
        self._metrics_pid = 0
        #: The process that prepares what jobs need, or 0; and when the next one may start.
        self._preparing_pid = 0
        self._prepare_again_at = 0.0
        #: The workers that were last reported to operators.
        self._reported: set[int] = set()
        self._start_again_at = 0.0
        self._is_stopping = False

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then let the workers drain."""
        signal.signal(signal.SIGTERM, self._request_stop)
        signal.signal(signal.SIGINT, self._request_stop)
        self._serve_metrics()
        next_tick = 0.0
        while not self._is_stopping:
            self._reap()
            self._start_missing()
            if time.monotonic() >= next_tick:
                self._tick()
                next_tick = time.monotonic() + self._settings.tick_seconds
            time.sleep(_POLL_SECONDS)
        self._stop()

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True

    def _start_missing(self) -> None:
        if time.monotonic() < self._start_again_at:
            return
        for queue_name, wanted in self._wanted.items():
            running = sum(name == queue_name for _, name in self._started.values())
            run = partial(_run_worker, self._app, os.getpid(), queue_name, self._work)
            for _ in range(wanted - running):
                self._started[_fork(run, "worker failed")] = time.monotonic(), queue_name

    def _serve_metrics(self) -> None:
        """Serve the metrics of this host's workers to Prometheus, if METRICS_LISTEN names an address."""
        if listen := os.environ.get("METRICS_LISTEN", ""):
            serve = partial(self._work.serve_metrics, listen, self._settings.sluice_home / "metrics")
            # A separate process, because a supervisor that forks must not have threads.
            self._metrics_pid = _fork_helper(serve, f"metrics are not served at {listen}")

    def _may_prepare(self) -> bool:
        """Whether to prepare for jobs: this host has workers, and no process is preparing or has just failed."""
        if self._preparing_pid:
            ended, status = os.waitpid(self._preparing_pid, os.WNOHANG)
            if not ended:
                return False
            self._preparing_pid = 0
            if status:
                self._prepare_again_at = time.monotonic() + _REST_SECONDS
        return bool(self._wanted[QUEUE_NAME]) and time.monotonic() >= self._prepare_again_at

    def _prepare(self) -> None:
        """Prepare for jobs in a separate process, because it takes seconds and much memory."""

        def prepare() -> None:
            with self._app.app_context():
                self._work.prepare()

        self._preparing_pid = _fork_helper(prepare, "not prepared for jobs")

    def _reap(self) -> None:
        for pid in list(self._started):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                lived = time.monotonic() - self._started.pop(pid)[0]
                log.info("worker %s ended with exit code %s", pid, os.waitstatus_to_exitcode(status))
                if lived < _SHORT_LIFE_SECONDS:
                    self._start_again_at = time.monotonic() + _SHORT_LIFE_SECONDS

    def _tick(self) -> None:
        """Tick. No error here may end the supervisor."""
        try:
            with self._app.app_context():
                try:
                    self._report({pid for pid, (_, name) in self._started.items() if name == QUEUE_NAME})
                    self._work.tick()
                    is_unprepared = self._may_prepare() and self._work.is_unprepared()
                finally:
                    db.session.remove()
                    # Keep no connection, so that the processes forked later inherit none.
                    db.engine.dispose()
            if is_unprepared:
                self._prepare()
        except Exception as error:
            fault = diagnosis.of_database(error)
            if fault is None:
                log.exception("tick failed")
            else:
                log.error("tick failed: %s (%s)", fault.sentence, error)

    def _stop(self) -> None:
        ends_at = time.monotonic() + _GRACE_SECONDS
        ask_again_at = 0.0
        while self._started and time.monotonic() < ends_at:
            if time.monotonic() >= ask_again_at:
                # Again and again: a worker that was forked a moment ago still ignores the request.
                self._signal_all(signal.SIGTERM)
                ask_again_at = time.monotonic() + _ASK_AGAIN_SECONDS
            time.sleep(_POLL_SECONDS)
            self._reap()
        self._signal_all(signal.SIGKILL)
        # So that operators do not take them for silent.
        with self._app.app_context():
            _try(lambda: self._report(set()), "not signed off")
        for pid in filter(None, (self._metrics_pid, self._preparing_pid)):
            # Waited for, because it has inherited the locks that tell the private servers that they are in use.
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _report(self, pids: set[int]) -> None:
        """Report the workers of this host to operators."""
        operations.note_workers(self._host, pids, gone=self._reported - pids)
        db.session.commit()
        self._reported = pids

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self._started:
            os.kill(pid, number)


def _write(pipe: int, order: bytes) -> bool:
    """Write ``order`` to ``pipe`` and close it. Returns false if the process that would read it has ended."""
    try:
        os.write(pipe, order)
    except BrokenPipeError:
        return False
    finally:
        os.close(pipe)
    return True


def _fork(run: Callable[[], None], failure: str) -> int:
    """Do ``run`` in a child process, which logs ``failure`` if it raises. Returns the child's id."""
    pid = os.fork()
    if pid == 0:
        # None of the supervisor's code may run in the child, neither its loop nor its clean-up at exit.
        try:
            run()
            os._exit(0)
        except Exception:
            log.exception("%s", failure)
        finally:
            os._exit(1)
    return pid


def _fork_helper(run: Callable[[], None], failure: str) -> int:
    """The same for a child that is killed when this process ends."""
    parent = os.getpid()

    def help_parent() -> None:
        _die_with_parent(parent, signal.SIGKILL)
        run()

    return _fork(help_parent, failure)


def _run_worker(app: Flask, supervisor: int, queue_name: str, work: Work) -> None:
    """Run the jobs of one queue in this process until asked to stop, or until the process ``supervisor`` dies."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    _die_with_parent(supervisor, signal.SIGTERM)
    # Installed before any fork, so that a work-horse always handles the signal.
    signal.signal(_RELEASE, request_shutdown)
    settings: Settings = app.extensions["sluice_settings"]
    work.share_metrics(settings.sluice_home / "metrics", "worker")
    redis = _patient_redis(app.config["REDIS_URL"])
    SluiceWorker(app, redis, queue_name, work.rehearse).work(logging_level="WARNING")


def _patient_redis(url: str) -> Redis:
    """A client that waits for a Redis that is unavailable for a minute or two: a worker has nothing better to do."""
    client = Redis.from_url(
        url,
        socket_timeout=60,
        health_check_interval=30,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=2), 120),
        driver_info=None,
    )
    if url.startswith("unix:"):
        # RQ asks for its own address. redis-py cannot parse the answer if the path of the socket contains a space.
        client.set_response_callback("CLIENT INFO", lambda *_, **__: {"addr": "unix socket"})
    return client


def _warm_up(app: Flask, work: Work) -> None:
    """Do once what each work-horse would have to do otherwise: import the jobs, and find out how the database works."""
    configure_mappers()
    import_jobs()
    with app.app_context():
        _try(work.rehearse, "work-horses start slowly, because jobs could not be rehearsed")
        # No other process must inherit the connection.
        db.engine.dispose()
    # Share the memory of now with every process forked later: the garbage collector would write to each object, and so
    # make the kernel copy every page.
    gc.collect()
    gc.freeze()


def _try(act: Callable[[], None], failure: str) -> None:
    """Do ``act`` in a session of its own; that the database cannot be used is logged as ``failure``."""
    try:
        act()
    except DATABASE_ERRORS:
        log.warning("%s", failure, exc_info=True)
    finally:
        db.session.remove()


def _die_with_parent(parent: int | None, number: signal.Signals) -> None:
    """Have the kernel send ``number`` to this process when its parent dies; Linux only, elsewhere it does nothing."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        # The parent died before the kernel was asked.
        os.kill(os.getpid(), number)


def run(app: Flask, work: Work) -> None:
    """Run the workers and deliverers of this host until asked to stop; WORKERS and DELIVERERS give their numbers."""
    _warm_up(app, work)
    wanted = {
        QUEUE_NAME: int(os.environ.get("WORKERS") or 2),
        DELIVERY_QUEUE_NAME: int(os.environ.get("DELIVERERS") or 1),
    }
    Supervisor(app, wanted, work).run()
