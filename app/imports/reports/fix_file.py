"""The fix-it file: failed rows with their lines, problems and suggestions in columns after the others.

It is meant for spreadsheets. Uploaded again, it takes up the rows whose lines it names.
"""

import uuid
from collections.abc import Iterator, Sequence
from itertools import chain

from app.csvfile.cells import split_records
from app.csvfile.columns import REASON_COLUMNS, Layout
from app.csvfile.guard import guard, unguard
from app.csvfile.header import layout_of
from app.csvfile.write import csv_lines, in_pieces, no_formula
from app.imports.reports.row_errors import can_be_assigned, suggest_each
from app.imports.reports.suggestions import Suggestion
from app.queries import ImportKey, without_transaction
from app.queries.imports import corrections, lookups, row_errors
from app.queries.imports.error_groups import ErrorKind
from app.queries.imports.row_errors import ANY, ErrorFilter, RecordedError


def stream(key: ImportKey, public_id: uuid.UUID, *, wanted: ErrorFilter = ANY) -> Iterator[bytes]:
    """The failed rows that match ``wanted`` and are still open, under their header, in the order of the file."""
    layout = layout_of(lookups.get_source(key).header)
    pages = (open_as_now(key, page) for page in row_errors.iter_pages(key, wanted=wanted))
    lines = without_transaction(_explain(page, layout, public_id) for page in pages)
    return in_pieces(csv_lines(chain([(*layout.columns, *REASON_COLUMNS)], lines)))


def open_as_now(key: ImportKey, errors: Sequence[RecordedError]) -> list[RecordedError]:
    """Those of ``errors`` that are still open, as corrected so far."""
    found = corrections.find_open(key, [error.line for error in errors])
    return [found[error.line] for error in errors if error.line in found]


def _explain(errors: Sequence[RecordedError], layout: Layout, public_id: uuid.UUID) -> list[list[str | int]]:
    """The lines of some failed rows."""
    rows = split_records(error.row for error in errors)
    lines: list[list[str | int]] = []
    for error, cells, suggestions in zip(errors, rows, suggest_each(errors, rows, layout), strict=True):
        own, extra = _place(error, cells, layout)
        is_one = len(error.kinds) == 1
        said = [_say(kind, found, is_one=is_one) for kind, found in zip(error.kinds, suggestions, strict=True)]
        reasons = [error.message, " ".join(filter(None, said))]
        noted: list[str | int] = [error.line, *map(no_formula, reasons), str(public_id)]
        lines.append([*map(_guard, own), *noted, *map(_guard, extra)])
    return lines


def _place(error: RecordedError, cells: Sequence[str], layout: Layout) -> tuple[list[str], list[str]]:
    """The values of a row by column, and those that it has too many.

    A row whose values cannot be assigned to columns for certain stands in the first one as a whole, so that it fails
    until it is corrected.
    """
    count = len(layout.columns)
    if not can_be_assigned(cells, error.causes, layout):
        return [error.row, *[""] * (count - 1)], []
    return layout.own_and_extra(cells)


def _guard(cell: str) -> str:
    return guard(unguard(cell.strip()))


def _say(kind: ErrorKind, suggestion: Suggestion | None, *, is_one: bool) -> str:
    """A suggestion as a sentence; the column is named unless it is the only problem of the row."""
    if suggestion is None:
        return ""
    said = suggestion.say(kind.column)
    return said if is_one or not kind.column else f"{kind.column}: {said}"
