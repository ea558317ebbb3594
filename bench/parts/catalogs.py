"""A catalog of a million items: what it costs an import, and a worker's memory."""

from __future__ import annotations

from statistics import median

from bench import memory
from bench.context import Bench, say
from bench.table import Measured

_ITEMS = 1_000_000


def measure(bench: Bench) -> None:
    """Import the same number of rows with the usual catalog and with a large one, in turn."""
    # Ten times as many items as rows are enough, and small trials stay quick.
    items = min(_ITEMS, max(10 * bench.options.rows, 50_000))
    with bench.with_catalog(items) as large:
        usual_speed, usual_bytes = _measure(bench)
        large_speed, large_bytes = _measure(large)
    bench.details["catalog"] = {
        "items": items,
        "load_seconds": large.details["load_seconds"],
        "rows_per_second": [usual_speed, large_speed],
        "worker_private_bytes": [usual_bytes, large_bytes],
    }
    loaded = f"{items:,} items, loaded in {large.details['load_seconds']:.0f} s"
    note = f"{large_speed:,.0f} against {usual_speed:,.0f} rows/s; {loaded}"
    bench.measured["catalog"] = Measured(large_speed / usual_speed, note)
    if memory.is_known():
        note = f"{large_bytes / 2**20:.0f} against {usual_bytes / 2**20:.0f} MiB private"
        bench.measured["catalog-memory"] = Measured((large_bytes - usual_bytes) / 2**20, note)


def _measure(bench: Bench) -> tuple[float, int]:
    """The rows/s with a catalog, and the highest private memory of a worker."""
    file = bench.file(max(bench.options.rows // 4, 1_000))
    speeds, highest = [], 0
    for _ in range(max(bench.options.repeat, 3)):
        bench.installation.empty()
        with memory.Watch(bench.installation.pid(bench.installation.workers), memory.private_bytes) as watch:
            speeds.append(bench.run_import(file, look=0.01).rows_per_second)
        highest = max(highest, watch.highest)
        say(f"  {bench.catalog.description}: {speeds[-1]:,.0f} rows/s")
    return median(speeds), highest
