"""The workers, with one batch that kills every work-horse that claims it: POISONED_BATCH is its number."""

from __future__ import annotations

import os
import signal

import worker
from app.imports.worker import batch_job
from app.imports.worker.chunk import Attempt, Chunk, Written, write


def _write_or_die(attempt: Attempt, chunk: Chunk) -> Written:
    if attempt.batch.number == int(os.environ["POISONED_BATCH"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return write(attempt, chunk)


if __name__ == "__main__":
    batch_job.write = _write_or_die
    worker.main()
