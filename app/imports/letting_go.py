"""Lets go of the failed rows that an import has taken up, so that they are taken up once more."""

from collections.abc import Callable
from functools import partial

from app.extensions import db
from app.models import Import
from app.queries import ImportKey
from app.queries.imports import corrections, housekeeping, lookups, undo

#: No file has as many lines.
_LAST_LINE = 2**31 - 1


def of_all(taker: Import) -> None:
    """Make the failed rows that an import has taken up as they were before. Open values are counted when asked for."""
    if parent := _find_parent(taker):
        _let_go(parent, partial(corrections.let_go, parent, taker.id))


def of_undone(key: ImportKey) -> None:
    """Do that with those of its rows that are undone, if ``key`` is an undo, which has put back all it could.

    Rows that failed again stay with the import, and so do those that it has not come to, and those whose listings are
    kept: all of them are in one place, and go on from there.
    """
    undone = lookups.find_undone(key)
    if undone is None or undone.taken_up_as is None or not (parent := _find_parent(undone)):
        return
    taker = ImportKey(key.seller_id, undone.id)
    batches = lookups.list_batches(taker)
    ends = [*(batch.first_line for batch in batches[1:]), _LAST_LINE]
    left = [(batch.cursor_line, end) for batch, end in zip(batches, ends, strict=True) if batch.cursor < batch.end_byte]
    kept = undo.list_kept_lines(taker)
    _let_go(parent, partial(corrections.let_go_undone, parent, undone.id, kept=kept, left=left))
    # Whoever has marked it as dealt with did not know of this.
    housekeeping.set_dealt_with(parent, dealt_with=False)


def _find_parent(taker: Import) -> ImportKey | None:
    """The import whose failed rows another one has taken up, if they are stored."""
    parent = taker.parent_id and db.session.get(Import, (taker.seller_id, taker.parent_id))
    if parent and parent.is_check:
        # The import of a checked file belongs to the check.
        return corrections.find_owner(ImportKey.of(taker))
    return ImportKey.of(parent) if parent and parent.errors_removed_at is None else None


def _let_go(parent: ImportKey, let_go: Callable[[], None]) -> None:
    standing = corrections.lock(parent)
    let_go()
    corrections.forget_values(parent)
    counted = corrections.count_states(parent, standing)
    corrections.save(parent, counted._replace(version=standing.version + 1, is_surveyed=False))
