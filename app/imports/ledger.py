"""Verifies the ledger: counts an import again from its source, its listings and its row errors."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.csvfile.contract import Mode
from app.csvfile.errors import FileRejected
from app.csvfile.lines import LineReader
from app.extensions import db
from app.imports import conversion_ledger
from app.imports.conversion_ledger import compare
from app.models import Batch, Import
from app.queries import ImportKey
from app.queries.imports import conversions, corrections, error_groups, lookups, row_errors, undo
from app.queries.imports.error_groups import ErrorKind
from app.queries.imports.row_errors import RecordedError
from app.queries.listings import listings
from app.statuses import (
    FINAL_IMPORT_STATUSES,
    GIVEN_UP_BATCH_STATUS,
    UNFINISHED_BATCH_STATUSES,
    BatchStatus,
    ImportStatus,
    TakenUpAs,
)
from app.storage import current_storage, iter_range

#: Number of rows held in memory.
_ROWS_AT_ONCE = 5_000


class _Books(NamedTuple):
    """The outcomes of an import's rows according to the database."""

    #: The lines that created a listing; None where they are not known: a check creates none, and an undo removes some.
    created: frozenset[int] | None
    errors: dict[int, RecordedError]
    #: The counts of each batch by group of errors.
    groups: dict[int, dict[ErrorKind, int]]


def find_faults(one: Import) -> Iterator[str]:
    """The contradictions in the ledger of ``one``, a sentence each; normally none.

    Each row before a batch's cursor must have exactly one outcome: it created a listing, it failed, or it is a
    successful UPDATE. Rows after the cursor must have none. Only an import that is not running can be verified.
    Ends the session.
    """
    if one.is_undo:
        yield from _verify_undo(one)
        return
    key = ImportKey.of(one)
    batches = lookups.list_batches(key)
    removed = undo.count_removed(key)
    lines = listings.list_created_lines(key)
    books = _Books(
        None if one.is_check or removed else frozenset(lines),
        {error.line: error for page in row_errors.iter_pages(key) for error in page},
        error_groups.list_by_batch(key),
    )
    conversion = conversions.find_of_import(key)
    # Reading the whole file takes longer than a transaction may be idle; what was loaded stays readable.
    db.session.close()
    yield from compare("rows in all batches", sum(batch.total for batch in batches), one.total)
    made = 0 if one.is_check else sum(batch.created for batch in batches)
    yield from compare("listings made by it", len(lines), made - removed)
    yield from compare("recorded errors", len(books.errors), sum(batch.failed for batch in batches))
    yield from (f"Line {line} made more than one listing." for line, count in Counter(lines).items() if count > 1)
    for batch in batches:
        try:
            yield from _verify_batch(one, batch, books)
        except (OSError, FileRejected) as error:
            yield f"The source of batch {batch.number} cannot be read: {error}"
    yield from _verify_status(one, batches)
    if conversion:
        yield from conversion_ledger.find_faults(conversion, one.total)
    yield from _verify_taken(key)


def _verify_undo(one: Import) -> Iterator[str]:
    """Compare the counters of an undo with the listings that it has kept, and those of its batches with their ends."""
    key = ImportKey.of(one)
    batches = lookups.list_batches(key)
    yield from compare("listings in all batches", sum(batch.total for batch in batches), one.total)
    if one.errors_removed_at is None:
        yield from compare(
            "listings kept", undo.count_kept(one.seller_id, [one.id]), sum(batch.unchanged for batch in batches)
        )
    for batch in batches:
        if batch.cursor == batch.end_byte:
            done = batch.created + batch.updated + batch.unchanged
            yield from compare(f"listings in batch {batch.number}", done, batch.total)
    yield from _verify_status(one, batches)


def _verify_batch(one: Import, batch: Batch, books: _Books) -> Iterator[str]:
    """Compare each row of the batch's slice with its outcome, and the totals with the counters."""
    storage = current_storage()
    counted: Counter[str] = Counter()
    groups: Counter[ErrorKind] = Counter()
    pieces = iter_range(storage, one.storage_key, batch.start_byte, batch.end_byte)
    reader = LineReader(pieces, header=one.header, offset=batch.start_byte, line=batch.first_line)
    while (lines := reader.take(_ROWS_AT_ONCE)).count:
        are_create = lines.rows["is_create"].to_pylist()
        modes = {
            line: Mode.CREATE if is_create else Mode.UPDATE
            for line, is_create in zip(lines.rows["line"].to_pylist(), are_create, strict=True)
        }
        every = sorted([*modes, *lines.wrong])
        for line, text in zip(every, lines.texts(every).to_pylist(), strict=True):
            counted["total"] += 1
            if line < batch.cursor_line:
                outcome, fault = _judge(modes.get(line), line, text, books)
                counted[outcome] += 1
            else:
                was_written = line in (books.created or ()) or line in books.errors
                fault = f"was written although batch {batch.number} has not come to it" if was_written else None
            if fault:
                yield f"Line {line} {fault}."
            if line in books.errors:
                groups.update(set(books.errors[line].kinds))
    recorded = {
        "total": batch.total,
        "created": batch.created,
        # The listings do not distinguish the two permanently.
        "updated or unchanged": batch.updated + batch.unchanged,
        "failed": batch.failed,
    }
    for counter, count in recorded.items():
        yield from compare(f"{counter} in batch {batch.number}", counted[counter], count)
    yield from compare(
        f"groups of errors in batch {batch.number}", _list_groups(groups), _list_groups(books.groups.get(batch.number))
    )


def _verify_taken(key: ImportKey) -> Iterator[str]:
    """Check that the failed rows that were taken up are in the imports that have taken them up, each once."""
    standing, counted = corrections.get(key), corrections.count_states(key)
    states = {
        "correct": "correct",
        "open_corrected": "corrected and still open",
        "left_out": "left out",
        "taken": "taken up",
    }
    for name, words in states.items():
        yield from compare(f"failed rows that are {words}", *(getattr(each, name) for each in (counted, standing)))
    taken = corrections.count_taken(key)
    yield from compare("rows taken up that have failed", corrections.count_failed_taken(key), sum(taken.values()))
    for taker in lookups.list_takers(key):
        total, rows = taker.of.total, taken.get(taker.of.id, 0)
        # Rows that are undone are let go, but for those whose listings were kept.
        least = taker.failed + taker.not_processed if taker.is_undone else total
        # An uploaded file may have other rows too.
        least = 0 if taker.of.taken_up_as == TakenUpAs.UPLOAD else least
        if taker.of.taken_up_as is not None and not least <= rows <= total:
            yield from compare(f"failed rows taken up by {taker.of.public_id}", rows, total)


def _list_groups(groups: Mapping[ErrorKind, int] | None) -> str:
    """Groups of errors with their counts, for a sentence."""
    found = sorted(f"{rows} {kind.cause.slug} {kind.column}".strip() for kind, rows in (groups or {}).items())
    return ", ".join(found) or "none"


def _judge(mode: Mode | None, line: int, text: str, books: _Books) -> tuple[str, str | None]:
    """The counter that must include a processed row, and what is wrong with its outcome."""
    error = books.errors.get(line)
    if books.created is None and mode is Mode.CREATE and not error:
        return "created", None
    if line in (books.created or ()):
        if error:
            return "created", "has both succeeded and failed"
        return "created", None if mode is Mode.CREATE else "made a listing although it is no right CREATE row"
    if error:
        return "failed", None if error.row == text else "is not recorded with its own text"
    return "updated or unchanged", None if mode is Mode.UPDATE else "is counted as done, but nothing came of it"


def _verify_status(one: Import, batches: list[Batch]) -> Iterator[str]:
    """Check that the statuses of an import and of its batches are consistent."""
    for batch in batches:
        if batch.status == BatchStatus.COMPLETED and batch.cursor < batch.end_byte:
            yield f"Batch {batch.number} is completed but has rows left."
    if one.status in FINAL_IMPORT_STATUSES and any(batch.status in UNFINISHED_BATCH_STATUSES for batch in batches):
        yield f"The import is {one.status.lower()} but some of its batches are not over."
    has_failed = any(batch.failed or batch.status == GIVEN_UP_BATCH_STATUS for batch in batches)
    if one.status == ImportStatus.COMPLETED and has_failed or one.status == ImportStatus.FAILED and not has_failed:
        yield f"The import is {one.status.lower()}, which its batches do not bear out."
