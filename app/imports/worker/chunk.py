"""One chunk: some thousand rows in a single transaction, written wholly or not at all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from app.csvfile.causes import Cause
from app.csvfile.lines import Lines, Wrong
from app.csvfile.texts import Indices, Mask
from app.imports.worker.resolved import KnownItems, find_items
from app.imports.worker.targets import Target
from app.observability import metrics
from app.queries import BatchKey, ImportKey, binary
from app.queries.imports import row_errors, transitions, undo
from app.queries.imports.unchanged_rows import LineMarks
from app.queries.listings.listings import KEY, Compared
from app.statuses import BatchStatus


class Candidates(NamedTuple):
    """Valid rows of a chunk."""

    #: All of them.
    rows: pa.Table
    #: The listing key of each as a number; see ``resolved.find_items``.
    keys: Indices
    #: The indices of the candidates, in the order of their keys. Those with the same key are in the order of the file.
    places: Indices

    @classmethod
    def of(cls, rows: pa.Table) -> Candidates:
        """All ``rows``."""
        keys = rows["key"].to_numpy()
        # Sorting twice, the second time by order and place, takes a third of the time that a stable sort takes.
        order = np.argsort(keys)
        ranks = np.cumsum(np.diff(keys[order], prepend=0) != 0)
        return cls(rows, keys, order[np.argsort(ranks * len(keys) + order)])

    def where(self, is_wanted: Mask) -> Candidates:
        """The candidates among the rows for which ``is_wanted`` is true."""
        return self._replace(places=self.places[is_wanted[self.places]])


class Judged(NamedTuple):
    """The outcomes of some rows: the numbers of successful ones, and the problems of the others in order."""

    created: int
    updated: int
    unchanged: int
    failed: Wrong


class Written(NamedTuple):
    """The result of writing a chunk."""

    #: The batch's status afterwards.
    status: BatchStatus
    #: Its rows by their outcome.
    rows: dict[str, int]


class AttemptOver(Exception):
    """The batch is no longer RUNNING under this attempt; nothing was written."""


class Pausing(Exception):
    """The import is pausing; nothing was written."""


def complete(rows: pa.Table, known_items: KnownItems, target: Target) -> tuple[pa.Table, Wrong]:
    """Do what can be done with the ``rows`` of several chunks at once; for ``LineReader``."""
    with metrics.timed("items"):
        found, wrong = find_items(rows, known_items)
    return target.prepare(found), wrong


def hold_fence(batch: BatchKey, number: int, *, cursor: int | None = None) -> transitions.Fence:
    """Keep the batch RUNNING under the attempt ``number`` until the end of the transaction.

    Raises AttemptOver if it is not, or not at this ``cursor``, and Pausing.
    """
    fence = transitions.lock_for_chunk(batch, number)
    if fence is None or cursor not in {None, fence.cursor}:
        raise AttemptOver
    if fence.is_pausing:
        raise Pausing
    return fence


def write(batch: BatchKey, number: int, lines: Lines, target: Target) -> Written:
    """Import the records ``lines``, at least one, under the attempt ``number``, and advance the batch's cursor.

    Their rows are ``complete``. The caller commits, or rolls back on any exception. Raises AttemptOver or Pausing if
    nothing may be written.
    """
    hold_fence(batch, number, cursor=lines.start_byte)
    created, updated, unchanged, failed = judge(lines, target, batch.import_id)
    with metrics.timed("errors"):
        row_errors.insert(batch, failed, lines.texts(failed))
    by = transitions.Advance(lines.end_byte, lines.next_line, created, updated, unchanged, len(failed))
    outcomes = {"created": created, "updated": updated, "unchanged": unchanged, "failed": len(failed)}
    return Written(transitions.advance(batch, by), outcomes)


def write_undo(batch: BatchKey, number: int, parent: ImportKey, *, end: int, limit: int) -> Written:
    """Undo what the import ``parent`` did to about ``limit`` listings, and advance the cursor of the undo's batch.

    ``end`` is the end of the batch. The rest is as for ``write``.
    """
    fence = hold_fence(batch, number)
    with metrics.timed("undo"):
        done = undo.reverse(batch, parent, start=fence.cursor, end=end, limit=limit)
    by = transitions.Advance(done.cursor, 0, done.removed, done.put_back, done.kept, 0)
    outcomes = {"removed": done.removed, "put back": done.put_back, "kept": done.kept}
    return Written(transitions.advance(batch, by), outcomes)


def judge(lines: Lines, target: Target, import_id: int) -> Judged:
    """Find the outcome of each row of the import, and give the successful ones to ``target``."""
    failed = dict(lines.wrong)
    candidates = Candidates.of(lines.rows)
    is_create = np.asarray(candidates.rows["is_create"])
    # In this order, so that no two chunks deadlock: see ``queries.listings``.
    with metrics.timed("create"):
        created = _create(candidates.where(is_create), target, import_id, failed)
    with metrics.timed("update"):
        updated, unchanged = _update(candidates.where(~is_create), target, failed)
    return Judged(created, updated, unchanged, {line: failed[line] for line in sorted(failed)})


def _create(candidates: Candidates, target: Target, import_id: int, failed: Wrong) -> int:
    """Create the listings of ``candidates`` that do not exist yet. Returns the number of successful rows."""
    rows, keys, places = candidates
    if not len(places):
        return 0
    lines = np.asarray(rows["line"])
    # Among rows for one listing, the lowest line comes first.
    is_first = _is_first(keys[places])
    new = places[is_first]
    others = target.create(rows, new)
    makers = np.full(len(new), import_id)
    makers[others.at] = others.import_ids
    maker_lines = lines[new]
    maker_lines[others.at] = others.lines
    is_failed = ~is_first
    is_failed[np.flatnonzero(is_first)[others.at]] = True
    of_key = (np.cumsum(is_first) - 1)[is_failed]
    failing, is_own = lines[places[is_failed]], makers[of_key] == import_id
    failed.update(dict.fromkeys(np.sort(failing[~is_own]).tolist(), _EXISTS))
    for line, maker_line in zip(failing[is_own].tolist(), maker_lines[of_key][is_own].tolist(), strict=True):
        failed[line] = [Cause.LISTING_REPEATED.problem(line=maker_line)]
    return len(new) - len(others.at)


def _update(candidates: Candidates, target: Target, failed: Wrong) -> tuple[int, int]:
    """Update the listings of ``candidates``. Returns the numbers of updated and of unchanged rows.

    The result is that of updating in the order of the file: the values of a higher line stay, even if a lower line is
    processed later because its batch is. Whether a row is updated or unchanged depends only on the listing before the
    import. For the same reason, a listing that the import itself has created is not found.
    """
    if not len(candidates.places):
        return 0, 0
    rows, keys = candidates.rows.take(candidates.places), candidates.keys[candidates.places]
    lines = np.asarray(rows["line"])
    found = target.compare(rows)
    found = found.where(~found.is_own)
    failed.update(dict.fromkeys(np.delete(lines, found.at).tolist(), _NOT_FOUND))
    if len(found.at):
        _write_updates(rows, keys, found, target)
    unchanged = int(found.is_same.sum())
    return len(found.at) - unchanged, unchanged


def _write_updates(rows: pa.Table, keys: Indices, found: Compared, target: Target) -> None:
    """Change the listings that differ from their rows, and record those that do not; see ``_update``."""
    starts = np.flatnonzero(_is_first(keys[found.at]))
    # Among rows for one listing, the last has the highest line.
    ends = np.append(starts[1:], len(found.at)) - 1
    listings = _take(rows, found.at[ends])
    lines = np.asarray(listings["line"])
    # The last row for each listing that has a HIDDEN.
    has_hidden = np.asarray(rows["hidden"].is_valid())[found.at]
    hides = np.maximum.reduceat(np.where(has_hidden, np.arange(len(found.at)), -1), starts)
    hidden_lines = np.where(hides < 0, 0, np.asarray(rows["line"])[found.at[hides]])
    is_touched = found.is_touched[ends]
    is_changing = ~np.logical_and.reduceat(found.is_same, starts)

    unchanged = np.flatnonzero(~is_changing & ~is_touched)
    if len(unchanged):
        marked = listings.select([*KEY, "line"]).append_column("hidden_line", pa.array(hidden_lines))
        target.record_unchanged(marked.take(unchanged))
    changing = np.flatnonzero(is_changing | is_touched)
    if not len(changing):
        return
    # What rows of this import have said before, in this batch or a later one.
    marks = LineMarks(found.lines[ends], found.hidden_lines[ends])
    begun = np.flatnonzero(is_changing & ~is_touched)
    if len(begun):
        later = target.find_unchanged(listings.select(KEY).take(begun))
        marks.lines[begun], marks.hidden_lines[begun] = later
    hidden = rows["hidden"].take(pa.array(found.at[hides], mask=hidden_lines <= marks.hidden_lines))
    changes = {
        **{name: listings[name] for name in listings.column_names},
        "place": pa.Array.from_buffers(binary.TID, len(ends), [None, pa.py_buffer(found.places[ends])]),
        "old_price": found.prices[ends],
        "is_higher": lines > marks.lines,
        "line": np.maximum(lines, marks.lines),
        "hidden": hidden,
        "hidden_line": np.maximum(hidden_lines, marks.hidden_lines),
    }
    target.change(_take(pa.table(changes), changing))


def _take(rows: pa.Table, places: Indices) -> pa.Table:
    """The rows in these places, which ascend."""
    return rows if len(places) == len(rows) else rows.take(places)


def _is_first(keys: Indices) -> Mask:
    """For each of ``keys``, which are in order, whether the one before is another."""
    return np.concatenate([[True], keys[1:] != keys[:-1]])


_EXISTS = [Cause.LISTING_EXISTS.problem()]
_NOT_FOUND = [Cause.LISTING_NOT_FOUND.problem()]
