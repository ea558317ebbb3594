"""The workers, with one batch that kills every work-horse that claims it: POISONED_BATCH is its number."""

from __future__ import annotations

import os
import signal

import worker
from app.csvfile.lines import Lines
from app.imports.worker import batch_job
from app.imports.worker.chunk import Written, write
from app.imports.worker.targets import Target
from app.queries import BatchKey


def _write_or_die(batch: BatchKey, number: int, lines: Lines, target: Target) -> Written:
    if batch.number == int(os.environ["POISONED_BATCH"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return write(batch, number, lines, target)


if __name__ == "__main__":
    batch_job.write = _write_or_die
    worker.main()
