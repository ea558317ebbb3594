"""What operators see: how everything stands, and in plain sentences what is wrong."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from flask import current_app
from redis import RedisError

from app.config import Settings
from app.imports import queue
from app.queries import operations
from app.queries.operations import Crashing, ImportSeen, Reconciler, SellerWaiting, Trouble, Waiting, Worker
from app.storage import Storage
from app.wording import counted

_LIVE_SHOWN = 100
_ENDED_SHOWN = 10
_TROUBLES_SHOWN = 20
_SELLERS_SHOWN = 5
_CRASHING_SHOWN = 200

#: Whoever reports at every tick is silent after so many of them, and never before so many seconds.
_SILENT_TICKS = 5
_SILENT_SECONDS = 15.0
#: A waiting batch is worth a word after so long.
_LONG_WAIT_SECONDS = 60.0
#: A batch that has ended in trouble so often within so long is not unlucky.
_CRASHES, _CRASH_HOURS = 2, 1.0
#: One seller has the queue when so large a part of it is theirs, and it is not short.
_FLOOD_SHARE, _FLOOD_BATCHES = 0.8, 20


class Host(NamedTuple):
    """The workers of one host."""

    name: str
    workers: list[Worker]

    @property
    def silent_seconds(self) -> float:
        """Since when nothing was heard of any of them."""
        return min(worker.silent_seconds for worker in self.workers)

    @property
    def processes(self) -> int:
        """How many there are; a worker that died may still seem to have a batch beside its successor's."""
        return len({worker.pid for worker in self.workers})


class Alarm(NamedTuple):
    """Something that is wrong."""

    #: ``danger``: imports stand still or rows wait for somebody; ``warning``: it is slower than it could be.
    level: str
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True)
class Overview:
    """How everything stands."""

    live: list[ImportSeen]
    given_up: list[ImportSeen]
    ended: list[ImportSeen]
    waiting: Waiting
    by_seller: list[SellerWaiting]
    hosts: list[Host]
    reconciler: Reconciler
    troubles: list[Trouble]
    crashing: list[Crashing]
    #: Jobs that wait in Redis; None when it does not answer.
    jobs_in_redis: int | None
    storage_answers: bool
    #: After how long somebody who should report counts as silent.
    silent_after: float

    def is_silent(self, host: Host) -> bool:
        """Whether nothing has been heard of the workers of ``host`` for too long."""
        return host.silent_seconds > self.silent_after


def look() -> Overview:
    """How everything stands now; Redis and the storage may be away, the database may not."""
    settings: Settings = current_app.extensions["sluice_settings"]
    storage: Storage = current_app.extensions["sluice_storage"]
    hosts: dict[str, list[Worker]] = {}
    for worker in operations.list_workers():
        hosts.setdefault(worker.host, []).append(worker)
    try:
        jobs = len(queue.waiting_job_ids())
    except RedisError:
        jobs = None
    try:
        storage.check()
        storage_answers = True
    except OSError:
        storage_answers = False
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
        jobs_in_redis=jobs,
        storage_answers=storage_answers,
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
    if seen.jobs_in_redis is None:
        yield Alarm(
            "danger",
            "Redis does not answer.",
            "Nothing is lost. Running batches go on, others wait until it is back, and uploads are accepted meanwhile.",
        )
    if not seen.storage_answers:
        yield Alarm(
            "danger",
            "The storage does not answer.",
            "Uploads are refused, and batches cannot be read. Those that meet with it too often are given up.",
        )


def _silent_workers(seen: Overview) -> Iterator[Alarm]:
    silent = [host for host in seen.hosts if seen.is_silent(host)]
    alive = [host for host in seen.hosts if not seen.is_silent(host)]
    if not alive:
        since = min((host.silent_seconds for host in silent), default=None)
        yield Alarm(
            "danger",
            f"No worker has been heard of for {duration(since)}." if since is not None else "No worker is running.",
            "Imports stand still until a worker is started: look for worker.py on the worker hosts.",
        )
        return
    for host in silent:
        yield Alarm(
            "danger",
            f"The workers of {host.name} have not been heard of for {duration(host.silent_seconds)}.",
            f"{counted(host.processes, 'worker')} of {sum(one.processes for one in seen.hosts)} gone. The reconciler "
            "takes their batches back, and the other hosts go on with them.",
        )
    ran = seen.reconciler.silent_seconds
    if ran is None or ran > seen.silent_after:
        yield Alarm(
            "danger",
            f"The reconciler last ran {duration(ran)} ago." if ran is not None else "The reconciler has never run.",
            "Workers are alive, but their ticks fail: their log says why.",
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
            f"Batch {worst.number} of {worst.file_name} ({worst.email}) has been taken back {worst.times} times: "
            f"{worst.reason}",
            f"{_others(others)}What it met with last: {worst.detail.rstrip('.') or 'not recorded'}. After some more "
            "attempts it is given up.",
        )


def _others(count: int) -> str:
    return f"The same goes for {counted(count, 'other batch', 'other batches')} of it. " if count else ""


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
        "Mend what stood in the way, then press “Try again” below; the attempts that failed say what it was.",
    )


def _long_queue(seen: Overview) -> Iterator[Alarm]:
    waiting = seen.waiting
    if seen.by_seller and waiting.queued >= _FLOOD_BATCHES:
        most = seen.by_seller[0]
        if most.batches / waiting.queued >= _FLOOD_SHARE:
            yield Alarm(
                "warning",
                f"One seller, {most.email}, has {most.batches * 100 // waiting.queued} % of the "
                f"{waiting.queued} waiting batches.",
                "Turns go round over the sellers, so that others are not held up. Pause some of theirs, or add "
                "workers, if others wait all the same.",
            )
    if waiting.oldest_seconds is not None and waiting.oldest_seconds > _LONG_WAIT_SECONDS:
        yield Alarm(
            "warning",
            f"The oldest waiting batch has waited for {duration(waiting.oldest_seconds)}.",
            "All workers are busy, or there are none: see below. More of them make the queue shorter.",
        )


def duration(seconds: float) -> str:
    """How long, as people say it: in the largest unit that fits."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size or (unit == "minute" and seconds >= size):
            return counted(int(seconds // size), unit)
    return counted(max(int(seconds), 0), "second")
