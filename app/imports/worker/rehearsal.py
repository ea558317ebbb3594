"""Runs the jobs' code once without effect: processes forked later inherit what it imports and builds at first use."""

from app.csvfile.columns import EXAMPLE, HEADER
from app.csvfile.lines import LineReader
from app.extensions import db
from app.imports.worker import memory
from app.queries import BatchKey
from app.queries.imports import lookups, transitions

#: No import has it.
_NO_BATCH = BatchKey(0, 0, 0)


def rehearse() -> None:
    """Read an example, and work on a batch that does not exist."""
    memory.keep_freed()
    LineReader([EXAMPLE.encode()], header=HEADER, offset=0, line=2).take(1)
    transitions.claim(_NO_BATCH, 0)
    transitions.lock_for_chunk(_NO_BATCH, 0)
    transitions.settle_pause(_NO_BATCH.of_import)
    lookups.may_settle(_NO_BATCH.of_import)
    transitions.settle_finished(_NO_BATCH.of_import)
    db.session.rollback()
