"""Metrics for Prometheus.

Processes count in files of a shared directory, because a work-horse lives for seconds and any web process may be
scraped. Each has a slot: a file name that it owns while it holds a lock, and in which its successor continues. So there
are never more files than there were concurrent processes, and no counter decreases.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import perf_counter

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server, values
from prometheus_client.multiprocess import MultiProcessCollector

from app import file_lock
from app.observability.counter_file import CounterFile

log = logging.getLogger(__name__)

_own = CollectorRegistry()
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PATIENT = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

ROWS = Counter("sluice_rows", "Rows that were committed, by outcome.", ["outcome"], registry=_own)
CHUNK_SECONDS = Histogram(
    "sluice_chunk_seconds", "Time that chunks take, by stage.", ["stage"], buckets=_QUICK, registry=_own
)
ATTEMPTS = Counter("sluice_attempts", "Attempts at batches, by how they ended.", ["end"], registry=_own)
QUEUE_WAIT = Histogram(
    "sluice_queue_wait_seconds",
    "From when a batch could begin until a worker took it.",
    ["kind"],
    buckets=_PATIENT,
    registry=_own,
)
HTTP_SECONDS = Histogram(
    "sluice_http_seconds",
    "Time until an answer begins, by route.",
    ["method", "route", "status"],
    buckets=_QUICK,
    registry=_own,
)

#: The shared directory of this host's processes; None while this process counts alone.
_shared: Path | None = None


def init_app(app: Flask) -> None:
    """Time the requests of ``app``."""
    app.before_request(_begin)
    app.after_request(_end)


def share(directory: Path, kind: str) -> None:
    """Count in the shared directory from now on, in this process and in those that it forks.

    If the directory cannot be written to, this process counts alone; if the disk is full, in memory until it has room.
    Counting never fails a request or a batch.
    """
    global _shared
    try:
        directory.mkdir(parents=True, exist_ok=True)
        slot = _take_slot(directory, kind)
    except OSError:
        log.warning("metrics are not shared", exc_info=True)
        return
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    # Replaces the library's class, with which a full disk is fatal.
    values.MmapedDict = CounterFile  # type: ignore[attr-defined,assignment]
    values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]
    _shared = directory


def _take_slot(directory: Path, kind: str) -> str:
    """A slot that no living process has; this one keeps its lock until it and all its forks have ended."""
    names = (f"{kind}{number}" for number in count())
    return next(name for name in names if file_lock.take(directory / f"{name}.lock") is not None)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Time a stage of a chunk."""
    began = perf_counter()
    yield
    CHUNK_SECONDS.labels(stage).observe(perf_counter() - began)


def count_rows(outcomes: Mapping[str, int]) -> None:
    """Count rows that were committed, by their outcome."""
    for outcome, number in outcomes.items():
        ROWS.labels(outcome).inc(number)


def _begin() -> None:
    g.sluice_began = perf_counter()


def _end(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    seconds = perf_counter() - g.get("sluice_began", perf_counter())
    HTTP_SECONDS.labels(request.method, route, str(response.status_code)).observe(seconds)
    return response


def counted() -> CollectorRegistry:
    """What the processes of this host have counted, or this one alone where it does not share."""
    return _own if _shared is None else _collect(_shared)


def _collect(directory: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))  # type: ignore[no-untyped-call]
    return registry


def serve(address: str, directory: Path) -> None:
    """Answer every request at ``address`` (host:port) with what the processes of this host have counted, for ever.

    Raises OSError or ValueError where nobody can listen there.
    """
    host, _, port = address.rpartition(":")
    directory.mkdir(parents=True, exist_ok=True)
    _, thread = start_http_server(int(port), host or "127.0.0.1", _collect(directory))
    thread.join()
