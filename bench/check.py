"""The upload check alone, in a separate process: ``python -m bench.check FILE`` prints seconds, rows and growth."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from app.csvfile.scan import rehearse, scan
from app.imports.worker.memory import keep_freed
from bench import memory

#: Roughly as they arrive from a socket.
_PIECE_BYTES = 64 * 1024


def main(path: Path) -> None:
    """Check the file and print the cost."""
    # As in gunicorn.conf.py.
    keep_freed()
    rehearse()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000)
    resident = memory.resident_bytes(os.getpid())
    began = perf_counter()
    found = scan(_pieces(path), max_rows=sys.maxsize, max_bytes=sys.maxsize)
    seconds = perf_counter() - began
    growth = memory.peak_bytes(os.getpid()) - resident
    print(json.dumps({"seconds": seconds, "rows": found.total, "invalid": found.invalid, "growth_bytes": growth}))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


if __name__ == "__main__":
    main(Path(sys.argv[1]))
