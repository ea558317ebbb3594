"""One chunk of an undo: the listings of a slice are removed, put back or kept, in a single transaction."""

from app.imports.worker.chunk import Written, hold_fence
from app.observability import metrics
from app.queries import BatchKey, ImportKey
from app.queries.imports import transitions, undo


def write(batch: BatchKey, number: int, parent: ImportKey, *, end: int, limit: int) -> Written:
    """Undo what the import ``parent`` did to about ``limit`` listings, and advance the batch's cursor.

    ``number`` is that of the attempt, ``end`` the end of the batch. The caller commits, or rolls back on any exception.
    Raises AttemptOver or Pausing if nothing may be written.
    """
    fence = hold_fence(batch, number)
    with metrics.timed("undo"):
        done = undo.reverse(batch, parent, start=fence.cursor, end=end, limit=limit)
    outcomes = {"removed": done.removed, "put back": done.put_back, "kept": done.kept}
    by = transitions.Advance(done.cursor, 0, done.removed, done.put_back, done.kept, 0)
    return Written(transitions.advance(batch, by), outcomes)
