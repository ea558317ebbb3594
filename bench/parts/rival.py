"""The same 20,000 rows through django-import-export on the same server, in its fastest and in its default mode."""

from __future__ import annotations

import json
from statistics import median

from bench import CHECKOUT, environment
from bench.context import Bench, say
from bench.files import File
from bench.services import BenchError, run
from bench.table import Measured

_ROWS = 20_000


def measure(bench: Bench) -> None:
    """Run both modes and Sluice, whose upload is counted, as is the reading of the file for the others."""
    file = bench.file(_ROWS)
    ours = []
    for _ in range(max(bench.options.repeat, 3)):
        bench.installation.empty()
        ours.append(bench.run_import(file, look=0.01).seconds_from_click)
    bench.installation.empty()
    say(f"  Sluice, upload included: {median(ours):.2f} s")
    details = bench.details["django"] = {"rows": file.rows, "seconds_from_click": ours}
    for mode in ("fast", "default"):
        seconds = _run(bench, file, mode)
        details[f"{mode}_seconds"] = [seconds]
        say(f"  django-import-export, {mode}: {seconds:.2f} s")
        note = f"{file.rows / median(ours):,.0f} against {file.rows / seconds:,.0f} rows/s; our upload counts"
        bench.measured[f"django-{mode}"] = Measured(seconds / median(ours), note)


def _run(bench: Bench, file: File, mode: str) -> float:
    python = str(environment.python())
    with bench.installation.scratch_database() as url:
        bench.installation.settle()
        command = [python, "-m", "dj", url, str(bench.catalog.path), str(file.path), mode]
        result = json.loads(run(command, cwd=CHECKOUT / "bench"))
    if (result["created"], result["failed"]) != (file.rows - file.failed, file.failed):
        raise BenchError(f"django-import-export made {result['created']} listings and refused {result['failed']} rows.")
    return float(result["seconds"])
