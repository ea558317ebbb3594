"""The workers, but for one batch that kills every work-horse which takes it up: POISONED_BATCH is its number."""

from __future__ import annotations

import os
import signal

import worker
from app.imports import batch_job
from app.imports.chunk import Chunk, write
from app.imports.known_items import KnownItems
from app.queries import BatchKey


def _write_or_die(batch: BatchKey, attempt: int, chunk: Chunk, items: KnownItems) -> str:
    if batch.number == int(os.environ["POISONED_BATCH"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return write(batch, attempt, chunk, items)


if __name__ == "__main__":
    batch_job.write = _write_or_die
    worker.main()
