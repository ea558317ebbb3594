"""Downloads of a converted import in the format of the foreign file: its own header, separator and encoding.

Rows are as the seller wrote them, byte for byte; only what Sluice adds is escaped against formulas.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from app.csvfile.cells import split_record
from app.csvfile.columns import REASON_COLUMNS
from app.csvfile.write import csv_lines, in_pieces, joined, no_formula
from app.imports.foreign.origins import Apart
from app.imports.foreign.reasons import Outcome
from app.imports.reports import exports
from app.imports.reports.exports import REPORT_HEADER, report_line
from app.imports.reports.fix_file import open_as_now
from app.imports.reports.seller_file import SellerFile, batched
from app.queries import ImportKey, without_transaction
from app.queries.imports.row_errors import ANY, ErrorFilter, RecordedError

_REASON = "REASON"


def failed(file: SellerFile, key: ImportKey, *, wanted: ErrorFilter = ANY) -> Iterator[bytes]:
    """The failed rows under their header, ready to be corrected, with the rows that were added to them."""
    lines = without_transaction(file.iter_failed_lines(key, wanted=wanted))
    return _below_head(file, file.iter_rows(lines))


def remaining(file: SellerFile, key: ImportKey) -> Iterator[bytes]:
    """The rows under their header that were not processed, with the rows that were added to them."""
    return _below_head(file, file.iter_rows(exports.remaining_lines(key)))


def source(file: SellerFile) -> Iterator[bytes]:
    """The rows of which an import consists that is a part of another, under their header."""
    return _below_head(file, file.iter_rows(range(2, file.lines + 2)))


def to_fix(file: SellerFile, key: ImportKey, public_id: uuid.UUID, *, wanted: ErrorFilter = ANY) -> Iterator[bytes]:
    """The fix-it file: the failed rows that are still open, each followed by those that were added to it.

    What to write instead is not said: it depends on how the file is converted.
    """
    pages = without_transaction([open_as_now(key, page.errors)] for page in file.iter_failed(key, wanted=wanted))
    return _with_columns(file, REASON_COLUMNS, _noted(file, pages, public_id))


def _noted(
    file: SellerFile, pages: Iterator[list[RecordedError]], public_id: uuid.UUID
) -> Iterator[tuple[bytes, list[str]]]:
    """The rows of a fix-it file with their REASON_COLUMNS."""
    for page in pages:
        places, added = (find([error.line for error in page]) for find in (file.origins.find, file.origins.find_added))
        for error, told in zip(page, file.tell(page), strict=True):
            rows = [places[error.line], *added.get(error.line, ())]
            for place, text in zip(rows, file.read_texts(rows), strict=True):
                yield text, [str(place.line), told.message, "", str(public_id)]


def apart(file: SellerFile, *, outcomes: frozenset[Outcome]) -> Iterator[bytes]:
    """The rows that are no row of the import, with the reason in a column behind the others."""
    reasons = _read_reasons(file)
    rows = ((one, reason) for one, reason in zip(file.origins.iter_apart(), reasons, strict=True))
    chosen = (pair for pair in rows if pair[0].outcome in outcomes)
    return _with_columns(file, [_REASON], _with_texts(file, chosen))


def _with_texts(file: SellerFile, rows: Iterator[tuple[Apart, str]]) -> Iterator[tuple[bytes, list[str]]]:
    for some in batched(rows, 1_000):
        texts = file.read_texts([one.place for one, _ in some])
        lines = file.find_lines(one.out_line for one, _ in some)
        for text, (one, reason) in zip(texts, some, strict=True):
            to = f"Added to line {lines[one.out_line]}. " if one.outcome == Outcome.ADDED else ""
            yield text, [to + reason]


def _read_reasons(file: SellerFile) -> Iterator[str]:
    """The reason of each row that is apart, from the report, in the order of the file."""
    for line in file.iter_report():
        _, outcome, _, reason = split_record(line)
        if outcome != Outcome.ROW.word:
            yield reason


def report(file: SellerFile, key: ImportKey, *, wanted: ErrorFilter = ANY) -> Iterator[bytes]:
    """The report of the failed rows as for other files, with the values under the seller's own columns."""
    pages = without_transaction([page.errors] for page in file.iter_failed(key, wanted=wanted))
    lines = (report_line(told, _cells(file, told)) for page in pages for told in file.tell(page))
    header = (*REPORT_HEADER, *map(no_formula, file.reading.columns))
    return in_pieces(csv_lines(chain([header], lines)))


def _cells(file: SellerFile, told: RecordedError) -> list[str]:
    return [cell.value for cell in file.find_cells(told.row)] if file.has_text else [told.row]


def _below_head(file: SellerFile, rows: Iterator[bytes]) -> Iterator[bytes]:
    """Rows of the text below what stands above them, in the encoding of the file."""
    head, ending = file.head, file.ending
    return joined(file.as_own(chain([head], (row + ending for row in rows))))


def _with_columns(file: SellerFile, names: Sequence[str], rows: Iterator[tuple[bytes, list[str]]]) -> Iterator[bytes]:
    """Rows of the text with values behind their own, under a header with the columns' names behind its own."""
    separator, ending = file.encode(file.reading.separator), file.ending
    head = file.head
    kept = head.rstrip(b"\r\n")
    if file.reading.header_line:
        head = kept + _behind(file, separator, names) + head[len(kept) :]
    return joined(
        file.as_own(chain([head], (text + _behind(file, separator, values) + ending for text, values in rows)))
    )


def _behind(file: SellerFile, separator: bytes, values: Iterable[str]) -> bytes:
    quoted = ('"{}"'.format(no_formula(value).replace('"', '""')) if value else "" for value in values)
    return b"".join(separator + file.encode(value) for value in quoted)
