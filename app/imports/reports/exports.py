"""Downloads of an import, streamed: no file is ever held in memory as a whole.

The database is read in pages, and no transaction is open between them, because the client may be slow (see
``queries.without_transaction``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePath
from typing import NamedTuple

from app.csvfile.causes import Cause
from app.csvfile.cells import split_record
from app.csvfile.columns import Layout
from app.csvfile.contract import Mode
from app.csvfile.header import layout_of
from app.csvfile.lines import LineReader
from app.csvfile.rows import Row, each_row
from app.csvfile.write import csv_lines, in_pieces, no_formula
from app.imports.reports import seller_file
from app.imports.reports.seller_file import SellerFile
from app.queries import ImportKey, items, without_transaction
from app.queries.imports import corrections, lookups, row_errors
from app.queries.imports.row_errors import ANY, ErrorFilter, RecordedError
from app.queries.listings import listings
from app.queries.listings.listings import DIGEST_FORMAT, StoredListing
from app.statuses import CorrectionState, ImportKind
from app.storage import current_storage, iter_range

#: Number of source rows held in memory.
_ROWS_AT_ONCE = 5_000

REPORT_HEADER = ("line", "code", "columns", "message", "fix")
_SUCCEEDED_HEADER = ("line", "listing_id", "outcome")
_CREATE = re.compile(Mode.CREATE, re.IGNORECASE | re.ASCII)
_FIXES = {cause.slug: cause.fix for cause in Cause}


def plain_stem(file_name: str) -> str:
    """The name of an uploaded file without its extension."""
    path = PurePath(file_name)
    return path.stem if path.suffix.lower() in {".csv", ".txt"} else path.name


def source(key: ImportKey) -> Iterator[bytes]:
    """The file in the import format. Raises OSError, and FileNotFoundError when it has been deleted."""
    batches = lookups.list_batches(key)
    return _read(lookups.get_source(key).storage_key, [(0, batches[-1].end_byte)])


def failed(key: ImportKey, *, wanted: ErrorFilter = ANY) -> Iterator[bytes]:
    """The failed rows under their header, byte for byte and in the order of the file, ready to be corrected."""
    return _with_header(key, without_transaction(row_errors.iter_texts(key, wanted=wanted)))


def rows_in(key: ImportKey, state: CorrectionState) -> Iterator[bytes]:
    """The failed rows in this state under their header, in the order of the file, as corrected so far."""
    return _with_header(key, without_transaction(corrections.iter_texts(key, state)))


def lines_in(key: ImportKey, state: CorrectionState) -> Iterator[int]:
    """The lines of the rows that ``rows_in`` gives, in its order."""
    return without_transaction(corrections.iter_lines(key, state))


def as_updates(key: ImportKey) -> Iterator[bytes]:
    """The rows that failed only because their listing already exists, as UPDATE rows.

    They are byte for byte those of the file, in its order, except that CREATE becomes UPDATE.
    """
    texts = without_transaction(row_errors.iter_texts(key, wanted=ErrorFilter(cause=Cause.LISTING_EXISTS)))
    # MODE comes first in every layout, and can only be CREATE, because the rows are valid in themselves.
    return _with_header(key, (_CREATE.sub(Mode.UPDATE, text, count=1) for text in texts))


def _with_header(key: ImportKey, texts: Iterable[str]) -> Iterator[bytes]:
    """Rows of an import, given without line endings, under its header and with the header's line ending."""
    header = lookups.get_source(key).header
    ending = "\r\n" if header.endswith("\r\n") else "\n"
    return in_pieces(chain([header], (text + ending for text in texts)))


def remaining(key: ImportKey) -> Iterator[bytes]:
    """The remaining rows under their header, byte for byte. Raises what ``source`` raises."""
    of = lookups.get_source(key)
    ranges = [(batch.cursor, batch.end_byte) for batch in lookups.list_batches(key)]
    return _below(of.header, _read(of.storage_key, ranges))


def remaining_lines(key: ImportKey) -> Iterator[int]:
    """The lines of the rows that ``remaining`` gives, in its order, in a file without blank lines or line breaks."""
    batches = lookups.list_batches(key)
    ranges = [range(batch.cursor_line, batch.first_line + batch.total) for batch in batches]
    return chain.from_iterable(ranges)


def report(key: ImportKey, *, wanted: ErrorFilter = ANY) -> Iterator[bytes]:
    """The report: a line for each failed row, with its problems, how to fix them, and its values."""
    layout = layout_of(lookups.get_source(key).header)
    errors = without_transaction(row_errors.iter_pages(key, wanted=wanted))
    lines = (_report(error, layout) for error in errors)
    return in_pieces(csv_lines(chain([(*REPORT_HEADER, *layout.columns)], lines)))


def _report(error: RecordedError, layout: Layout) -> list[str | int]:
    own, extra = layout.own_and_extra(split_record(error.row))
    own += [""] * (len(layout.columns) - len(own))
    return report_line(error, [*own, *extra])


def report_line(error: RecordedError, cells: list[str]) -> list[str | int]:
    """The line of a report about a failed row with these values."""
    # Several columns may have the same cause; a cause that Sluice no longer knows has no fix.
    fixes = dict.fromkeys(_FIXES[cause] for cause in error.causes if cause in _FIXES)
    texts = ["|".join(error.columns), error.message, " ".join(fixes), *cells]
    return [error.line, error.code, *map(no_formula, texts)]


def succeeded(key: ImportKey) -> Iterator[bytes]:
    """Line, listing and outcome of every row that has succeeded so far. Raises what ``source`` raises.

    They are found by reading the source again up to the cursors of the batches: a valid row that did not fail was
    successful, and its listing tells how. The listing is named only if it is certain: the catalog may have changed
    since, so that the row would name another item now.
    """
    of = lookups.get_source(key)
    # Before the first pause between two pages, in which no transaction is open.
    all_done = [(batch.start_byte, batch.cursor, batch.first_line) for batch in lookups.list_batches(key)]
    own = seller_file.find(key)
    successes = without_transaction(
        _with_own_lines(own, _find_successes(key, of, rows)) for done in all_done for rows in _read_rows(of, *done)
    )
    rows = ((one.line, no_formula(one.listing_id), one.outcome) for one in successes)
    return in_pieces(csv_lines(chain([_SUCCEEDED_HEADER], rows)))


def _with_own_lines(own: SellerFile | None, successes: list[_Success]) -> list[_Success]:
    if own is None:
        return successes
    lines = own.find_lines(one.line for one in successes)
    return [one._replace(line=lines[one.line]) for one in successes]


class _Success(NamedTuple):
    line: int
    #: Empty if no longer known.
    listing_id: str
    outcome: str


def _read_rows(of: lookups.Source, start_byte: int, cursor: int, first_line: int) -> Iterator[list[Row]]:
    """The valid rows that a batch has processed, some thousand at a time."""
    pieces = _read(of.storage_key, [(start_byte, cursor)])
    reader = LineReader(pieces, header=of.header, offset=start_byte, line=first_line)
    while (lines := reader.take(_ROWS_AT_ONCE)).count:
        yield [*each_row(lines.rows)]


def _find_successes(key: ImportKey, of: lookups.Source, rows: list[Row]) -> list[_Success]:
    """The successful rows among ``rows``, in their order."""
    if not rows:
        return []
    failed_lines = row_errors.find_lines(key, rows[0].line, rows[-1].line)
    rows = [row for row in rows if row.line not in failed_lines]
    meant = items.resolve({row.name for row in rows})
    found = listings.find(
        key.seller_id, {(item.id, row.condition, row.variants) for row in rows for item in meant.get(row.name, ())}
    )
    layout = layout_of(of.header)
    is_known = of.digest_format == DIGEST_FORMAT
    digests = listings.digests([row.values for row in rows], layout) if is_known else [None] * len(rows)
    successes = []
    for row, digest in zip(rows, digests, strict=True):
        certain = []
        for item in meant.get(row.name, ()):
            listing = found.get((item.id, row.condition, row.variants))
            if of.kind is ImportKind.CHECK:
                outcome = _predict(row, listing, layout)
            else:
                outcome = _judge(key, row, digest, listing, layout)
            if outcome:
                certain.append((listings.listing_id(item.urn, row.condition, row.variants), outcome))
        successes.append(_Success(row.line, *(certain[0] if len(certain) == 1 else ("", _UNCERTAIN[row.mode]))))
    return successes


#: The outcome of a successful row whose listing no longer tells it.
_UNCERTAIN = {Mode.CREATE: "created", Mode.UPDATE: "updated or unchanged"}


def _judge(key: ImportKey, row: Row, digest: int | None, listing: StoredListing | None, layout: Layout) -> str | None:
    """What a row did to ``listing``; None if it is not certainly the row's listing.

    ``digest`` is that of the row's values; None if the import has digests of another format.
    """
    if listing is None:
        return None
    if row.mode is Mode.CREATE:
        return "created" if (listing.created_import_id, listing.created_line) == (key.import_id, row.line) else None
    updated_by = listing.updated_import_id
    if updated_by == key.import_id:
        if digest is None:
            return _UNCERTAIN[Mode.UPDATE]
        was_so = digest == listing.values_before and row.hidden in {None, bool(listing.hidden_before)}
        return "unchanged" if was_so else "updated"
    if listing.put_back_import_id is not None or (updated_by is not None and updated_by > key.import_id):
        # Nothing is recorded of what an earlier UPDATE has found. The listing is assumed to be the row's.
        return _UNCERTAIN[Mode.UPDATE]
    return "unchanged" if _is_same(row, listing, layout) else None


def _is_same(row: Row, listing: StoredListing, layout: Layout) -> bool:
    """Whether ``listing`` has what a row gives it."""
    return layout.select(row.values) == layout.select(listing.values) and row.hidden in {None, listing.hidden}


def _predict(row: Row, listing: StoredListing | None, layout: Layout) -> str | None:
    """What a row would do to ``listing`` as it is now."""
    if row.mode is Mode.CREATE:
        return "created"
    if listing is None:
        return None
    return "unchanged" if _is_same(row, listing, layout) else "updated"


def _below(header: str, rows: Iterator[bytes]) -> Iterator[bytes]:
    """``rows`` below their header. The first rows are read together with it, so that a read error is raised at once."""
    yield header.encode() + next(rows, b"")
    yield from rows


def _read(storage_key: str, ranges: list[tuple[int, int]]) -> Iterator[bytes]:
    """These ranges of an uploaded file, in sequence."""
    storage = current_storage()
    return chain.from_iterable(iter_range(storage, storage_key, start, end) for start, end in ranges)
