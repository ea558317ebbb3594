"""Python's part of a row: the processor time of a process that works on batches, without PostgreSQL's."""

from __future__ import annotations

import json

from bench.context import Bench, say
from bench.table import Measured


def measure(bench: Bench) -> None:
    """Upload the large file while no worker runs, and work on some of its batches in a separate process."""
    bench.installation.empty()
    bench.installation.stop_workers()
    try:
        browser = bench.installation.sign_in()
        uploaded = browser.upload(bench.file(bench.options.rows).path)
        worked = json.loads(bench.installation.python("-m", "bench.work"))
        bench.terminate(uploaded, browser)
    finally:
        bench.installation.start_workers()
    each = worked["seconds"] / worked["rows"] * 1e6
    bench.details["python"] = worked
    note = f"{worked['rows']:,} rows in {worked['batches']} batches, 1.5 % of which fail; both kinds of processor time"
    bench.measured["python"] = Measured(each, note)
    say(f"  Python: {each:.2f} µs a row")
