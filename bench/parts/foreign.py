"""Converting a foreign file, a stock list of TCG PowerTools, into the import format."""

from __future__ import annotations

import json
from statistics import median

from bench import files
from bench.context import Bench, say
from bench.services import EMAIL, BenchError
from bench.table import Measured


def measure(bench: Bench) -> None:
    """Convert a file of as many rows as the large file, in a process of its own."""
    source, rows = bench.installation.root / "foreign.csv", bench.options.rows
    say(f"  Writing a foreign file of {rows:,} rows ...")
    files.write_foreign(source, bench.catalog, rows, seed=bench.options.seed)
    seconds, growth = [], []
    for _ in range(bench.options.repeat):
        converted = json.loads(bench.installation.python("-m", "bench.convert", str(source), EMAIL))
        if converted["rows"] != rows or converted["undecided"] > rows // 100:
            raise BenchError(
                f"Of {converted['rows']:,} rows {converted['undecided']:,} are open. {converted['reason']}"
            )
        seconds.append(converted["seconds"])
        growth.append(converted["growth_bytes"])
        say(f"  converted: {seconds[-1]:.2f} s, {converted['processor_seconds']:.2f} s of processor time")
    bench.details["foreign"] = {"rows": rows, "seconds": seconds, "growth_bytes": growth}
    note = f"{median(seconds):.2f} s, memory of the process grows by {max(growth) / 2**20:.0f} MiB"
    bench.measured["foreign"] = Measured(rows / median(seconds), note)
