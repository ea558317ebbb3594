"""The overview for operators: the state of the installation, and what is wrong in plain sentences."""

import errno
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from redis import RedisError

from app import database
from app.config import Settings, current_settings
from app.diagnosis import Fault
from app.humanize import counted
from app.jobs import queue
from app.observability import health
from app.queries import operations
from app.queries.operations import Crashing, ImportSeen, Reconciler, SellerWaiting, Trouble, Waiting, Worker
from app.storage.local import require_room

_LIVE_SHOWN = 100
_ENDED_SHOWN = 10
_TROUBLES_SHOWN = 20
_SELLERS_SHOWN = 5
_CRASHING_SHOWN = 200

#: A process that reports at every tick counts as silent after this many ticks, and never before this many seconds.
_SILENT_TICKS = 5
_SILENT_SECONDS = 15.0
#: A batch that has waited this long, in seconds, is reported.
_LONG_WAIT_SECONDS = 60.0
#: A batch with this many failed attempts in this many seconds is reported.
_CRASHES, _CRASH_HOURS = 2, 1.0
#: One seller is reported when they have this share of the waiting batches, and at least this many wait.
_FLOOD_SHARE, _FLOOD_BATCHES = 0.8, 20


class Host(NamedTuple):
    """The workers of one host."""

    name: str
    workers: list[Worker]

    @property
    def silent_seconds(self) -> float:
        """Seconds since any of them last reported."""
        return min(worker.silent_seconds for worker in self.workers)

    @property
    def processes(self) -> int:
        """The number of workers. A dead worker may still seem to have a batch besides its successor."""
        return len({worker.pid for worker in self.workers})


class Alarm(NamedTuple):
    """Something that is wrong, for operators."""

    #: ``danger``: imports stand still, or rows need an operator; ``warning``: imports are slower than they could be.
    level: str
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the installation."""

    live: list[ImportSeen]
    given_up: list[ImportSeen]
    ended: list[ImportSeen]
    waiting: Waiting
    by_seller: list[SellerWaiting]
    hosts: list[Host]
    reconciler: Reconciler
    troubles: list[Trouble]
    crashing: list[Crashing]
    #: The faults of database, Redis, storage and this host's disk, by name; those that work are left out.
    faults: dict[str, Fault]
    #: Jobs waiting in Redis; None when Redis cannot be used.
    jobs_in_redis: int | None
    #: Settings of database sessions that are not as Sluice sets them.
    wrong_settings: list[str]
    #: Seconds without a report after which a host or the reconciler counts as silent.
    silent_after: float

    def is_silent(self, host: Host) -> bool:
        """Whether the workers of ``host`` have not reported for too long."""
        return host.silent_seconds > self.silent_after


def look() -> Overview:
    """Collect the state of the installation. Redis and the storage may be away; the database must be readable."""
    settings = current_settings()
    hosts: dict[str, list[Worker]] = {}
    for worker in operations.list_workers():
        hosts.setdefault(worker.host, []).append(worker)
    faults = health.find_faults()
    if (full := _ask_home(settings)) is not None:
        faults["home"] = full
    try:
        jobs = None if "redis" in faults else len(queue.waiting_job_ids())
    except RedisError:
        jobs = None
    return Overview(
        live=operations.list_live(limit=_LIVE_SHOWN),
        given_up=operations.list_given_up(limit=_LIVE_SHOWN),
        ended=operations.list_ended(limit=_ENDED_SHOWN),
        waiting=operations.count_waiting(),
        by_seller=operations.count_waiting_by_seller(limit=_SELLERS_SHOWN),
        hosts=[Host(name, workers) for name, workers in hosts.items()],
        reconciler=operations.get_reconciler(),
        troubles=operations.list_troubles(limit=_TROUBLES_SHOWN),
        crashing=operations.list_crashing(times=_CRASHES, hours=_CRASH_HOURS, limit=_CRASHING_SHOWN),
        faults=faults,
        jobs_in_redis=jobs,
        wrong_settings=database.find_wrong_settings(),
        silent_after=max(_SILENT_SECONDS, _SILENT_TICKS * settings.tick_seconds),
    )


def find_alarms(seen: Overview) -> list[Alarm]:
    """What is wrong, the worst first."""
    found = [
        *_what_is_away(seen),
        *_silent_workers(seen),
        *_crashing_batches(seen),
        *_given_up_batches(seen),
        *_long_queue(seen),
    ]
    return sorted(found, key=lambda alarm: alarm.level != "danger")


def _what_is_away(seen: Overview) -> Iterator[Alarm]:
    for fault in seen.faults.values():
        yield Alarm("danger", fault.sentence, fault.advice)
    if "redis" not in seen.faults and (trouble := seen.reconciler.dispatch_trouble):
        yield Alarm(
            "danger",
            f"The workers can’t send jobs: {trouble}",
            "This web server can reach Redis. Compare the workers’ REDIS_URL and network with its own; their log says "
            "more.",
        )
    if seen.wrong_settings:
        yield Alarm(
            "danger",
            f"Database sessions lose {' and '.join(seen.wrong_settings)}, which Sluice sets.",
            "A frozen worker can hold up Pause and Terminate. Look for a proxy between Sluice and PostgreSQL that "
            "resets settings.",
        )


def _ask_home(settings: Settings) -> Fault | None:
    """What is wrong with the disk on which this process keeps its metrics."""
    try:
        require_room(settings.sluice_home)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return Fault(
                "disk full",
                f"The disk of {settings.sluice_home} on {socket.gethostname()} is full.",
                "Metrics are counted in memory, and logs may be cut off: make room on it.",
            )
    return None


def _silent_workers(seen: Overview) -> Iterator[Alarm]:
    silent = [host for host in seen.hosts if seen.is_silent(host)]
    alive = [host for host in seen.hosts if not seen.is_silent(host)]
    if not alive:
        since = min((host.silent_seconds for host in silent), default=None)
        yield Alarm(
            "danger",
            f"No worker has been seen for {duration(since)}." if since is not None else "No worker is running.",
            "Imports stand still until a worker is running. Start worker.py on the worker hosts.",
        )
        return
    for host in silent:
        yield Alarm(
            "danger",
            f"The workers of {host.name} haven’t been seen for {duration(host.silent_seconds)}.",
            f"{counted(host.processes, 'worker')} of {sum(one.processes for one in seen.hosts)} gone. The reconciler "
            "reclaims their batches, and the other hosts carry on with them.",
        )
    ran = seen.reconciler.silent_seconds
    if ran is None or ran > seen.silent_after:
        yield Alarm(
            "danger",
            f"The reconciler last ran {duration(ran)} ago." if ran is not None else "The reconciler has never run.",
            "Workers are running, but their ticks fail. Their log says why.",
        )


def _crashing_batches(seen: Overview) -> Iterator[Alarm]:
    of_imports: dict[uuid.UUID, list[Crashing]] = {}
    for batch in seen.crashing:
        if not batch.is_given_up:
            of_imports.setdefault(batch.public_id, []).append(batch)
    for batches in of_imports.values():
        worst, others = batches[0], len(batches) - 1
        yield Alarm(
            "danger",
            f"Batch {worst.number} of {worst.file_name} ({worst.email}) has failed {worst.times} times: {worst.reason}",
            f"{_others(others)}Last error: {worst.detail.rstrip('.') or 'not recorded'}. After a few more attempts "
            "it will be given up.",
        )


def _others(count: int) -> str:
    return f"So {'has' if count == 1 else 'have'} {counted(count, 'other batch', 'other batches')}. " if count else ""


def _given_up_batches(seen: Overview) -> Iterator[Alarm]:
    if not seen.given_up:
        return
    count = sum(one.given_up for one in seen.given_up)
    first = seen.given_up[0]
    more = f" and {counted(len(seen.given_up) - 1, 'other import')}" if len(seen.given_up) > 1 else ""
    yield Alarm(
        "danger",
        f"{counted(count, 'batch', 'batches')} of {first.file_name} ({first.email}){more} "
        f"{'was' if count == 1 else 'were'} given up.",
        "Fix the cause, which the failed attempts below name, then press “Try again”.",
    )


def _long_queue(seen: Overview) -> Iterator[Alarm]:
    waiting = seen.waiting
    if seen.by_seller and waiting.queued >= _FLOOD_BATCHES:
        most = seen.by_seller[0]
        if most.batches / waiting.queued >= _FLOOD_SHARE:
            yield Alarm(
                "warning",
                f"One seller, {most.email}, has {most.batches * 100 // waiting.queued}% of the "
                f"{waiting.queued} waiting batches.",
                "Sellers take turns, so others aren’t held up. If they still wait too long, pause some of these "
                "imports or add workers.",
            )
    if waiting.oldest_seconds is not None and waiting.oldest_seconds > _LONG_WAIT_SECONDS:
        yield Alarm(
            "warning",
            f"The oldest waiting batch has waited for {duration(waiting.oldest_seconds)}.",
            "All workers are busy, or none is running (see below). Add workers to shorten the queue.",
        )


def duration(seconds: float) -> str:
    """A duration in the largest unit that fits."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size or (unit == "minute" and seconds >= size):
            return counted(int(seconds // size), unit)
    return counted(max(int(seconds), 0), "second")
