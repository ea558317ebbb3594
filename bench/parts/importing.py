"""New listings: the import against the expert's SQL and against the floor, in turn on the same server and file."""

from __future__ import annotations

from statistics import median

from bench import memory
from bench.context import Bench, Settled, say
from bench.rivals import Floor, run_expert, run_floor
from bench.table import Measured

_CLICK_ROWS = 20_000


def measure(bench: Bench) -> None:
    """Run the small, the middle and the large file."""
    bench.details["import"] = {}
    _compare(bench, "import-click", min(_CLICK_ROWS, bench.options.rows), from_click=True)
    _compare(bench, "import-small", bench.options.small)
    _compare(bench, "import", bench.options.rows)


def _compare(bench: Bench, name: str, rows: int, *, from_click: bool = False) -> None:
    file = bench.file(rows)
    expert: list[float] = []
    ours: list[Settled] = []
    floors: list[Floor] = []
    private, peak = 0, 0
    for _ in range(bench.options.repeat if rows > _CLICK_ROWS else max(bench.options.repeat, 3)):
        expert.append(run_expert(bench, file))
        bench.installation.empty()
        workers = bench.installation.pid(bench.installation.workers)
        with memory.Watch(workers) as peaks, memory.Watch(workers, memory.private_bytes) as privates:
            ours.append(bench.run_import(file, look=0.01))
        private, peak = max(private, privates.highest), max(peak, peaks.highest)
        say(f"  Sluice, {rows:,} rows: {ours[-1].seconds:.2f} s, from the click {ours[-1].seconds_from_click:.2f} s")
        floors.append(run_floor(bench))
    answered = median(one.seconds for one in ours)
    clicked = median(one.seconds_from_click for one in ours)
    floor = median(one.seconds for one in floors)
    bench.details["import"][name] = {
        "rows": rows,
        "expert_seconds": expert,
        "floor_seconds": [one.seconds for one in floors],
        "floor_rows": floors[0].rows,
        "upload_seconds": [one.uploaded.seconds for one in ours],
        "seconds": [one.seconds for one in ours],
        "seconds_from_click": [one.seconds_from_click for one in ours],
        "rows_per_second": rows / answered,
        "worker_peak_bytes": peak,
        "worker_private_bytes": private,
    }
    seconds = clicked if from_click else answered
    note = f"{seconds:.2f} s against {median(expert):.2f} s; the upload itself {clicked - answered:.2f} s"
    bench.measured[name] = Measured(seconds / median(expert), note)
    if not from_click:
        bench.measured[f"{name}-floor"] = Measured(answered / floor, f"{answered:.2f} s against {floor:.2f} s")
    if memory.is_known():
        note = f"the most of any worker or work-horse; what it shares with its parent included, {peak / 2**20:.0f} MiB"
        bench.measured["worker-memory"] = Measured(private / 2**20, note)
