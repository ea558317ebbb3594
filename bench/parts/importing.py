"""The import compared with an expert's SQL, in turn on the same server and file, and its memory."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from bench import CHECKOUT, memory
from bench.context import Bench, Settled, say
from bench.files import File
from bench.services import BenchError, run
from bench.table import Measured

#: Beside the checkout; if it is missing, ``bench.expert`` does the same.
_REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "bench" / "expert.py"


def measure(bench: Bench) -> None:
    """Run the small and the large file."""
    bench.details["import"] = {"expert": "shared/bench/expert.py" if _REFERENCE.exists() else "bench/expert.py"}
    say(f"The expert's SQL is that of {bench.details['import']['expert']}.")
    _against_expert(bench, "import-small", bench.options.small)
    peak = _against_expert(bench, "import", bench.options.rows)
    if memory.is_known():
        bench.measured["worker-memory"] = Measured(peak / 2**20, "VmHWM of each worker and work-horse")
    small, large = (bench.details["import"][name]["rows_per_second"] for name in ("import-small", "import"))
    bench.measured["scale"] = Measured(large / small, f"{large:,.0f} against {small:,.0f} rows/s")


def _against_expert(bench: Bench, name: str, rows: int) -> int:
    """Measure one file. Returns the highest peak memory of a worker or work-horse in bytes."""
    file = bench.file(rows)
    expert: list[float] = []
    ours: list[Settled] = []
    peak = 0
    for _ in range(bench.options.repeat):
        expert.append(_run_expert(bench, file))
        say(f"  expert's SQL, {rows:,} rows: {expert[-1]:.2f} s")
        settled, highest = _run_ours(bench, file)
        ours.append(settled)
        peak = max(peak, highest)
        say(f"  Sluice, {rows:,} rows: {settled.seconds:.2f} s (uploaded in {settled.uploaded.seconds:.2f} s)")
    seconds = median(one.seconds for one in ours)
    bench.details["import"][name] = {
        "rows": rows,
        "expert_seconds": expert,
        "upload_seconds": [one.uploaded.seconds for one in ours],
        "seconds": [one.seconds for one in ours],
        "rows_per_second": rows / seconds,
        "worker_peak_bytes": peak,
    }
    note = f"{seconds:.1f} s against {median(expert):.1f} s; the upload itself {ours[0].uploaded.seconds:.1f} s"
    bench.measured[name] = Measured(seconds / median(expert), note)
    return peak


def _run_expert(bench: Bench, file: File) -> float:
    bench.installation.empty()
    script = [str(_REFERENCE)] if _REFERENCE.exists() else ["-m", "bench.expert"]
    with bench.installation.scratch_database() as url:
        output = run([sys.executable, *script, url, str(bench.catalog.path), str(file.path)], cwd=CHECKOUT)
    created, seconds = output.split("\n")[-3:-1]
    # It has fewer rules than the product, and so accepts some invalid rows.
    if int(created.split()[0]) < file.rows - file.failed:
        raise BenchError(f"The expert's SQL made only {created} of {file.rows - file.failed:,}.")
    return float(seconds)


def _run_ours(bench: Bench, file: File) -> tuple[Settled, int]:
    bench.installation.empty()
    with memory.Watch(bench.installation.pid(bench.installation.workers)) as watch:
        settled = bench.run_import(file)
    return settled, watch.highest
