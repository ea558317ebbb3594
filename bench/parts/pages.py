"""The speed of the details page, and the age of its counters, while all workers process its import."""

from __future__ import annotations

import threading
import time
from statistics import median
from time import perf_counter
from types import TracebackType

from bench.browser import Uploaded
from bench.context import Bench, high, say
from bench.services import BenchError
from bench.table import Measured

_REQUESTS = 100
#: Maximum time between two requests; a page refreshes itself every second.
_LONGEST_REST_SECONDS = 1.0
_LOOK_SECONDS = 0.02
#: The assumed speed of an import, if not measured before.
_ROWS_PER_SECOND = 50_000


def measure(bench: Bench) -> None:
    """Request the page of the large import repeatedly until the import is over."""
    bench.installation.empty()
    file = bench.file(bench.options.rows)
    browser = bench.installation.sign_in()
    seconds = file.rows / bench.details.get("import", {}).get("import", {}).get("rows_per_second", _ROWS_PER_SECOND)
    rest = min(seconds / _REQUESTS, _LONGEST_REST_SECONDS)
    uploaded = browser.upload(file.path)
    latencies: list[float] = []
    size = 0
    with _Ages(bench, uploaded) as ages:
        while True:
            bench.installation.check()
            began = perf_counter()
            page = browser.get(f"/imports/{uploaded.public_id}")
            latency = perf_counter() - began
            if 'data-status="RUNNING"' not in page:
                break
            latencies.append(latency)
            size = max(size, len(page.encode()))
            time.sleep(max(0.0, rest - latency))
    bench.see_through(uploaded, file)
    if not latencies or not ages.seen:
        raise BenchError("The import was over before its page could be looked at; take more ROWS.")
    bench.details["pages"] = {
        "rows": file.rows,
        "latency_seconds": latencies,
        "page_bytes": size,
        "worst_age_seconds": ages.worst,
        "worst_age_of_import_seconds": ages.worst_of_import,
        "ages_seen": len(ages.seen),
        "age_seconds_95": high(ages.seen),
    }
    note = f"{len(latencies)} requests, median {median(latencies) * 1000:.0f} ms, worst {max(latencies) * 1000:.0f} ms"
    bench.measured["page"] = Measured(high(latencies) * 1000, f"{note}, {size / 1024:.0f} KiB")
    note = (
        f"longest time for which a running batch's counters stood still; 95 of 100 {high(ages.seen):.2f} s, "
        f"those of the import {ages.worst_of_import:.2f} s"
    )
    bench.measured["age"] = Measured(ages.worst, note)
    say(f"  details page: {high(latencies) * 1000:.0f} ms; counters at most {ages.worst:.2f} s old")


class _Ages:
    """Observes in the background how long the counters of each running batch, and of the import, do not change.

    Pages show what is committed, so the counters are as old as the chunk that is being written. A batch's first chunk
    counts from the start of the batch, and its last chunk up to the end of the batch.
    """

    def __init__(self, bench: Bench, uploaded: Uploaded) -> None:
        self._uploaded = uploaded
        self._database = bench.installation.connect()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        #: Each time for which a running batch's counters did not change, in seconds.
        self.seen: list[float] = []
        self.worst_of_import = 0.0

    @property
    def worst(self) -> float:
        """The longest time."""
        return max(self.seen, default=0.0)

    def __enter__(self) -> _Ages:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_over.set()
        self._thread.join()
        self._database.close()

    def _look(self) -> None:
        moved_at: dict[int, tuple[int, float]] = {}
        total, total_moved_at = 0, None
        while not self._is_over.wait(_LOOK_SECONDS):
            rows = self._database.execute(
                """
                select b.number, b.created + b.updated + b.failed, b.status = 'RUNNING'
                from batches b join imports i on i.seller_id = b.seller_id and i.id = b.import_id
                where i.public_id = %s and b.status <> 'QUEUED'
                """,
                (self._uploaded.public_id,),
            ).fetchall()
            now = perf_counter()
            for number, done, is_running in rows:
                before = moved_at.get(number)
                if before is not None and before[0] != done:
                    self.seen.append(now - before[1])
                if not is_running:
                    moved_at.pop(number, None)
                elif before is None or before[0] != done:
                    moved_at[number] = (done, now)
            done_in_all = sum(done for _, done, _ in rows)
            if done_in_all != total:
                if total_moved_at is not None:
                    self.worst_of_import = max(self.worst_of_import, now - total_moved_at)
                total, total_moved_at = done_in_all, now
