"""One chunk: some thousand rows in a single transaction, written wholly or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any, NamedTuple

from app.csvfile.causes import Cause, Problem
from app.csvfile.columns import Column, Layout
from app.csvfile.contract import ItemName, Mode, NamedBy
from app.csvfile.lines import Lines
from app.csvfile.validate import Row, Rows
from app.csvfile.visible import describe_invisible
from app.imports.worker.as_table import as_table
from app.imports.worker.resolved import KnownItems
from app.imports.worker.targets import Target
from app.observability import metrics
from app.queries import BatchKey
from app.queries.imports import row_errors, transitions
from app.queries.imports.row_errors import FailedRow
from app.queries.imports.unchanged_rows import LineMarks
from app.queries.items import CatalogItem
from app.queries.listings.listings import Change, CreatedBy, Found, ListingKey, ListingState, digest
from app.statuses import BatchStatus

#: Maximum number of URNs in the message about an ambiguous name.
_URNS_LISTED = 5
#: Maximum number of the item's variants in the message about an unknown variant.
_VARIANTS_LISTED = 12


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
    #: The columns of the import's file.
    layout: Layout


class Candidates(NamedTuple):
    """Rows whose items were found, column by column."""

    #: The line on which each begins.
    numbers: list[int]
    rows: Rows
    #: The listing key of each.
    keys: list[ListingKey]


#: The problems of the failed rows, by line.
Failed = dict[int, list[Problem]]


class Written(NamedTuple):
    """The result of writing a chunk."""

    #: The batch's status afterwards.
    status: BatchStatus
    #: Its rows by their outcome.
    rows: dict[str, int]


class Stale(Exception):
    """The batch is no longer RUNNING under this attempt; nothing was written."""


class Pausing(Exception):
    """The import is pausing; nothing was written."""


def write(attempt: Attempt, chunk: Chunk) -> Written:
    """Import the rows of ``chunk`` and advance the batch's cursor.

    The caller commits, or rolls back on any exception. Raises Stale or Pausing if nothing may be written.
    """
    batch = attempt.batch
    fence = transitions.lock_for_chunk(batch, attempt.number)
    if fence is None or fence.cursor != chunk.start:
        raise Stale
    if fence.is_pausing:
        raise Pausing
    lines = chunk.lines
    failed = dict(lines.wrong)
    with metrics.timed("items"):
        candidates = _find_items(lines, attempt.known_items, failed)
    creates = [mode is Mode.CREATE for mode in candidates.rows.modes]
    # In this order, so that no two chunks deadlock: see ``queries.listings``.
    with metrics.timed("create"):
        created = _create(_where(candidates, creates), attempt, failed)
    with metrics.timed("update"):
        updated, unchanged = _update(_where(candidates, [not one for one in creates]), attempt, failed)
    with metrics.timed("errors"):
        row_errors.insert(
            batch, [FailedRow(line, lines.text(line), problems) for line, problems in sorted(failed.items())]
        )
    by = transitions.Advance(lines.end_byte, lines.next_line, created, updated, unchanged, len(failed))
    rows = {"created": created, "updated": updated, "unchanged": unchanged, "failed": len(failed)}
    return Written(transitions.advance(batch, by), rows)


def _find_items(lines: Lines, known_items: KnownItems, failed: Failed) -> Candidates:
    """The rows whose item and variants are in the catalog; the others go to ``failed``."""
    numbers, rows = lines.numbers, lines.rows
    found = known_items.resolve(as_table(numbers, rows))
    ids, variant_sets = found.item_ids.tolist(), found.variant_sets.tolist()
    is_one = (found.counts == 1).tolist()
    if not all(is_one):
        for number, name, count in zip(numbers, rows.names, found.counts.tolist(), strict=True):
            if count != 1:
                failed[number] = [_ambiguous(name, known_items.candidates(name)) if count else _unknown(name)]
        numbers, rows = [*compress(numbers, is_one)], rows.where(is_one)
        ids, variant_sets = [*compress(ids, is_one)], [*compress(variant_sets, is_one)]
    missing = [*map(_missing, [known_items.variant_sets[at] for at in variant_sets], rows.variants)]
    if any(missing):
        for number, item_id, variants in zip(numbers, ids, missing, strict=True):
            if variants:
                failed[number] = [_unknown_variants(known_items.item(item_id), variants)]
        fits = [not variants for variants in missing]
        numbers, rows, ids = [*compress(numbers, fits)], rows.where(fits), [*compress(ids, fits)]
    return Candidates(numbers, rows, [*zip(ids, rows.conditions, rows.variants, strict=True)])


def _where(all_of_them: Candidates, is_wanted: list[bool]) -> Candidates:
    """The candidates for which ``is_wanted`` is true."""
    if all(is_wanted):
        return all_of_them
    numbers, rows, keys = all_of_them
    return Candidates([*compress(numbers, is_wanted)], rows.where(is_wanted), [*compress(keys, is_wanted)])


@lru_cache(maxsize=10_000)
def _missing(variants: frozenset[str], wanted: str) -> frozenset[str]:
    """The wanted variants that an item with ``variants`` does not have."""
    return frozenset(wanted.split("|") if wanted else ()) - variants


def _update(candidates: Candidates, attempt: Attempt, failed: Failed) -> tuple[int, int]:
    """Update the listings of ``candidates``. Returns the numbers of updated and of unchanged rows.

    The result is that of updating in the order of the file: the values of a higher line stay, even if a lower line is
    processed later because its batch is. Whether a row is updated or unchanged depends only on the listing before the
    import. For the same reason, a listing that the import itself has created is not found.
    """
    import_id = attempt.batch.import_id
    found = attempt.target.find(set(candidates.keys))
    rows: list[tuple[int, Row, ListingKey]] = []
    for line, row, key in zip(candidates.numbers, candidates.rows.each(), candidates.keys, strict=True):
        if key in found and found[key].maker.import_id != import_id:
            rows.append((line, row, key))
        else:
            failed[line] = [Cause.LISTING_NOT_FOUND.problem()]
    layout = attempt.layout
    is_right = [found[key].state.was(row.values, row.hidden, layout=layout, before=import_id) for _, row, key in rows]
    states = _begin({key for (_, _, key), right in zip(rows, is_right, strict=True) if not right}, found, attempt)
    left_alone: dict[ListingKey, LineMarks] = {}
    for line, row, key in rows:
        if key in states:
            states[key] = _apply(row, line, states[key], layout)
        elif found[key].state.updated_import_id == import_id:
            states[key] = _apply(row, line, found[key].state, layout)
        else:
            hidden_line = line if row.hidden is not None else left_alone.get(key, _UNTOUCHED).hidden_line
            left_alone[key] = LineMarks(line, hidden_line)
    attempt.target.change({key: Change(found[key], state) for key, state in states.items()})
    attempt.target.leave_alone(left_alone)
    unchanged = sum(is_right)
    return len(rows) - unchanged, unchanged


#: No row has specified anything of a listing yet.
_UNTOUCHED = LineMarks(0, 0)


def _begin(
    changing: set[ListingKey], found: Mapping[ListingKey, Found], attempt: Attempt
) -> dict[ListingKey, ListingState]:
    """The states of the listings that are ``changing``, prepared to record what this import does to them."""
    import_id = attempt.batch.import_id
    states = {key: found[key].state for key in changing}
    untouched = {key for key, state in states.items() if state.updated_import_id != import_id}
    spoken = attempt.target.spoken(untouched)
    for key in untouched:
        state, by = states[key], spoken.get(key, _UNTOUCHED)
        states[key] = state._replace(
            updated_import_id=import_id,
            updated_line=by.line,
            hidden_line=by.hidden_line,
            values_before=digest(state.values, attempt.layout),
            hidden_before=state.hidden,
        )
    return states


def _apply(row: Row, line: int, state: ListingState, layout: Layout) -> ListingState:
    """The state of a listing after an UPDATE row."""
    if line > (state.updated_line or 0):
        state = state._replace(values=layout.apply(row.values, state.values), updated_line=line)
    if row.hidden is not None and line > (state.hidden_line or 0):
        state = state._replace(hidden=row.hidden, hidden_line=line)
    return state


def _create(candidates: Candidates, attempt: Attempt, failed: Failed) -> int:
    """Create the listings of ``candidates`` that do not exist yet. Returns the number of successful rows."""
    import_id = attempt.batch.import_id
    numbers, rows, keys = candidates
    new: list[int] = []
    repeated: list[int] = []
    last_key = None
    # In the order of the keys; among equal keys, the lowest line first.
    for at in sorted(range(len(keys)), key=keys.__getitem__):
        if keys[at] == last_key:
            repeated.append(at)
        else:
            new.append(at)
            last_key = keys[at]
    items = [item_id for item_id, _, _ in keys]
    made = [*zip(numbers, items, rows.conditions, rows.variants, rows.hidden, *rows.values, strict=True)]
    others = attempt.target.create([made[at] for at in new])
    makers = ({keys[at]: CreatedBy(import_id, numbers[at]) for at in new} if repeated else {}) | others
    if others:
        repeated += [at for at in new if keys[at] in others]
    for at in repeated:
        maker = makers[keys[at]]
        if maker.import_id == import_id:
            failed[numbers[at]] = [Cause.LISTING_REPEATED.problem(line=maker.line)]
        else:
            failed[numbers[at]] = [Cause.LISTING_EXISTS.problem()]
    return len(new) - len(others)


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


def _unknown(name: ItemName) -> Problem:
    return _name_problem(Cause.ITEM_NOT_FOUND, name)


def _ambiguous(name: ItemName, found: Sequence[CatalogItem]) -> Problem:
    urns = [item.urn for item in found[:_URNS_LISTED]]
    return _name_problem(Cause.ITEM_AMBIGUOUS, name, count=len(found), urns=urns)


def _unknown_variants(item: CatalogItem, missing: frozenset[str]) -> Problem:
    known = sorted(item.variants)[:_VARIANTS_LISTED]
    return Cause.VARIANT_NOT_FOUND.problem(Column.VARIANTS, urn=item.urn, variants=sorted(missing), known=known)
