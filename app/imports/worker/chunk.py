"""One chunk: some thousand rows in a single transaction, written wholly or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.csvfile.causes import Cause, Problem
from app.csvfile.columns import Column
from app.csvfile.contract import Condition, ItemName, NamedBy
from app.csvfile.lines import Lines
from app.csvfile.visible import describe_invisible
from app.imports.worker.resolved import COLUMNS, KnownItems
from app.imports.worker.targets import Target
from app.observability import metrics
from app.queries import BatchKey, binary
from app.queries.imports import row_errors, transitions
from app.queries.imports.unchanged_rows import LineMarks
from app.queries.items import CatalogItem
from app.queries.listings.listings import KEY, NEW, Compared
from app.statuses import BatchStatus

#: Maximum number of URNs in the message about an ambiguous name.
_URNS_LISTED = 5
#: Maximum number of the item's variants in the message about an unknown variant.
_VARIANTS_LISTED = 12

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


class Chunk(NamedTuple):
    """Consecutive records of a batch, at least one."""

    #: The byte at which they begin; it must be the batch's cursor.
    start: int
    lines: Lines


class Attempt(NamedTuple):
    """An attempt at a batch, with its collaborators."""

    batch: BatchKey
    number: int
    known_items: KnownItems
    target: Target


#: The problems of the failed rows, by line.
Failed = dict[int, list[Problem]]


class Candidates(NamedTuple):
    """Rows of a chunk whose items were found."""

    #: All rows of the chunk, each with its ``item_id``.
    rows: pa.Table
    #: The listing key of each as a number; these numbers are in the order of the keys.
    keys: Places
    #: The indices of the candidates, in the order of their keys. Those with the same key are in the order of the file.
    places: Places

    def where(self, is_wanted: Flags) -> Candidates:
        """The candidates among the rows for which ``is_wanted`` is true."""
        return self._replace(places=self.places[is_wanted[self.places]])


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


def write(attempt: Attempt, chunk: Chunk) -> Written:
    """Import the rows of ``chunk`` and advance the batch's cursor.

    The caller commits, or rolls back on any exception. Raises AttemptOver or Pausing if nothing may be written.
    """
    batch = attempt.batch
    fence = transitions.lock_for_chunk(batch, attempt.number)
    if fence is None or fence.cursor != chunk.start:
        raise AttemptOver
    if fence.is_pausing:
        raise Pausing
    lines = chunk.lines
    failed = dict(lines.wrong)
    with metrics.timed("items"):
        candidates = _find_items(lines.rows, attempt.known_items, failed)
    is_create = np.asarray(candidates.rows["is_create"])
    # In this order, so that no two chunks deadlock: see ``queries.listings``.
    with metrics.timed("create"):
        created = _create(candidates.where(is_create), attempt, failed)
    with metrics.timed("update"):
        updated, unchanged = _update(candidates.where(~is_create), attempt, failed)
    with metrics.timed("errors"):
        failed = dict(sorted(failed.items()))
        row_errors.insert(batch, failed, lines.texts(failed))
    by = transitions.Advance(lines.end_byte, lines.next_line, created, updated, unchanged, len(failed))
    outcomes = {"created": created, "updated": updated, "unchanged": unchanged, "failed": len(failed)}
    return Written(transitions.advance(batch, by), outcomes)


def _find_items(rows: pa.Table, known_items: KnownItems, failed: Failed) -> Candidates:
    """The rows whose item and variants are in the catalog; the others go to ``failed``."""
    found = known_items.resolve(rows)
    variants = rows["variants"].combine_chunks().dictionary_encode()
    names, at = variants.dictionary.to_pylist(), variants.indices.to_numpy()
    is_right = (found.counts == 1) & _have_variants(known_items, found.variant_sets, names, at)
    wrong = rows.filter(~is_right)
    for row, candidates in zip(wrong.to_pylist(), known_items.candidates(wrong), strict=True):
        failed[row["line"]] = [_problem(row, candidates)]
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    conditions = np.asarray(rows["condition"])
    keys = (found.item_ids * np.int64(len(Condition) + 1) + conditions) * len(names) + ranks[at]
    places = np.flatnonzero(is_right)
    return Candidates(
        rows.append_column("item_id", pa.array(found.item_ids)), keys, places[np.argsort(keys[places], kind="stable")]
    )


def _have_variants(
    known_items: KnownItems, variant_sets: NDArray[np.int32], names: Sequence[str], at: NDArray[np.int32]
) -> Flags:
    """For each row, whether the item with these variants has the wanted ones: those in ``names`` ``at`` an index."""
    count = max(len(names), 1)
    pairs, of_rows = np.unique(variant_sets * np.int64(count) + at, return_inverse=True)
    split = [divmod(pair, count) for pair in pairs.tolist()]
    have = [own >= 0 and not _missing(known_items.variant_sets[own], names[wanted]) for own, wanted in split]
    return np.array(have, bool)[of_rows]


@lru_cache(maxsize=10_000)
def _missing(variants: frozenset[str], wanted: str) -> frozenset[str]:
    """The wanted variants that an item with ``variants`` does not have."""
    return frozenset(wanted.split("|") if wanted else ()) - variants


def _create(candidates: Candidates, attempt: Attempt, failed: Failed) -> int:
    """Create the listings of ``candidates`` that do not exist yet. Returns the number of successful rows."""
    rows, keys, places = candidates
    if not len(places):
        return 0
    import_id = attempt.batch.import_id
    lines = np.asarray(rows["line"])
    # Among rows for one listing, the lowest line comes first.
    is_first = _is_first(keys[places])
    new = places[is_first]
    others = attempt.target.create(rows.select(NEW).take(new))
    makers = np.full(len(new), import_id)
    makers[others.at] = others.import_ids
    maker_lines = lines[new]
    maker_lines[others.at] = others.lines
    is_failed = ~is_first
    is_failed[np.flatnonzero(is_first)[others.at]] = True
    of_key = (np.cumsum(is_first) - 1)[is_failed]
    failing, is_own = lines[places[is_failed]], makers[of_key] == import_id
    failed.update(dict.fromkeys(failing[~is_own].tolist(), _EXISTS))
    for line, maker_line in zip(failing[is_own].tolist(), maker_lines[of_key][is_own].tolist(), strict=True):
        failed[line] = [Cause.LISTING_REPEATED.problem(line=maker_line)]
    return len(new) - len(others.at)


def _update(candidates: Candidates, attempt: Attempt, failed: Failed) -> tuple[int, int]:
    """Update the listings of ``candidates``. Returns the numbers of updated and of unchanged rows.

    The result is that of updating in the order of the file: the values of a higher line stay, even if a lower line is
    processed later because its batch is. Whether a row is updated or unchanged depends only on the listing before the
    import. For the same reason, a listing that the import itself has created is not found.
    """
    if not len(candidates.places):
        return 0, 0
    rows, keys = candidates.rows.take(candidates.places), candidates.keys[candidates.places]
    lines = np.asarray(rows["line"])
    found = attempt.target.compare(rows)
    found = found.where(~found.is_own)
    failed.update(dict.fromkeys(np.delete(lines, found.at).tolist(), _NOT_FOUND))
    if len(found.at):
        _write_updates(rows, keys, found, attempt.target)
    unchanged = int(found.is_same.sum())
    return len(found.at) - unchanged, unchanged


def _write_updates(rows: pa.Table, keys: Places, found: Compared, target: Target) -> None:
    """Change the listings that differ from their rows, and record those that do not; see ``_update``."""
    starts = np.flatnonzero(_is_first(keys[found.at]))
    # Among rows for one listing, the last has the highest line.
    ends = np.append(starts[1:], len(found.at)) - 1
    listings = rows.take(found.at[ends])
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
        "place": pa.array(found.places[ends].tolist(), binary.TID),
        "old_price": found.prices[ends],
        "is_higher": lines > marks.lines,
        "line": np.maximum(lines, marks.lines),
        "hidden": hidden,
        "hidden_line": np.maximum(hidden_lines, marks.hidden_lines),
    }
    target.change(pa.table(changes).take(changing))


def _is_first(keys: Places) -> Flags:
    """For each of ``keys``, which are in order, whether the one before is another."""
    return np.concatenate([[True], keys[1:] != keys[:-1]])


_EXISTS = [Cause.LISTING_EXISTS.problem()]
_NOT_FOUND = [Cause.LISTING_NOT_FOUND.problem()]

#: The column of the file for each way to name an item.
_NAMING_COLUMNS = {
    NamedBy.URN: Column.URN,
    NamedBy.CARDMARKET_ID: Column.CARDMARKET_ID,
    NamedBy.TCGPLAYER_ID: Column.TCGPLAYER_ID,
    NamedBy.NAME: Column.NAME,
}


def _name_problem(cause: Cause, name: ItemName, **facts: Any) -> Problem:
    """A problem of the columns that name an item, with their values as far as the sentence cites them."""
    named_by, value = name
    if named_by is not NamedBy.NAME:
        facts["value"] = str(value)
    elif invisible := describe_invisible(str(value)):
        facts["invisible"] = invisible
    return cause.problem(_NAMING_COLUMNS[named_by], **facts)


def _problem(row: Mapping[str, Any], candidates: Sequence[CatalogItem]) -> Problem:
    """Why a row has no listing key, if its name can mean these ``candidates``."""
    named_by = NamedBy(row["named_by"])
    name: ItemName = (named_by, row[COLUMNS[named_by]])
    if not candidates:
        return _name_problem(Cause.ITEM_NOT_FOUND, name)
    if len(candidates) > 1:
        urns = [item.urn for item in candidates[:_URNS_LISTED]]
        return _name_problem(Cause.ITEM_AMBIGUOUS, name, count=len(candidates), urns=urns)
    (item,) = candidates
    known = sorted(item.variants)[:_VARIANTS_LISTED]
    missing = sorted(_missing(item.variants, row["variants"]))
    return Cause.VARIANT_NOT_FOUND.problem(Column.VARIANTS, urn=item.urn, variants=missing, known=known)
