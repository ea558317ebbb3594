"""Warnings on the page of an import: what the upload check found, and what came to light while rows were processed."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from app.csvfile.columns import Column
from app.csvfile.contract import in_pounds, quoted
from app.csvfile.warn import TINY_PRICES, Warned
from app.humanize import counted
from app.imports.reports import progress
from app.imports.reports.progress import ImportProgress, RelatedImports
from app.imports.reports.seller_file import OwnRow, SellerFile, name_column
from app.queries.imports import listing_warnings, row_errors
from app.queries.imports.listing_warnings import STRIKING_PERCENT, Counted, Kind

#: Of fewer rows, some that fail are no reason to doubt the file as a whole.
_MIN_ROWS = 10
#: As many listings that are set to a quantity of 0 are a reason to ask, however large the file is.
_MANY = 1_000

_CHECK_PRICES = "Check the currency and the unit of the prices in your file."


class FileWarning(NamedTuple):
    """A probable mistake in a file as a whole."""

    #: A stable identifier.
    kind: str
    #: What is probably wrong, and what to do about it.
    message: str


class RowsWarning(NamedTuple):
    """A probable mistake in some rows, which does not make them fail."""

    kind: str
    rows: int
    #: The line on which the first of these rows begins, or that whose price moves furthest; the column and its value.
    line: int
    column: str
    value: str
    message: str


def list_warnings(one: ImportProgress, related: RelatedImports) -> list[FileWarning | RowsWarning]:
    """The warnings about an import or check, the gravest first; not about rows that are being fixed."""
    return [*(() if related.closed else _most_fail(one)), *list_in_rows(one)]


def list_in_rows(one: ImportProgress) -> list[RowsWarning]:
    """The warnings about some of its rows; a single row that failed has its problems instead."""
    alone = {warned.line for warned in one.warnings if warned.rows == 1} if one.failed else set()
    failed = row_errors.find_failed(one.key, alone)
    warnings = [warned for warned in one.warnings if warned.rows > 1 or warned.line not in failed]
    found = listing_warnings.list_all(one.key) if one.updated else []
    own = progress.find_own_file(one) if found else None
    lines = own.find_lines(each.line for each in found) if own else {each.line: each.line for each in found}
    striking = _striking(one, [each._replace(line=lines[each.line]) for each in found], own)
    return [*striking, *list_of_upload(replace(one, warnings=warnings))]


def list_of_upload(one: ImportProgress) -> list[RowsWarning]:
    """The warnings of the upload check, with the lines, columns and prices of the file that the seller has uploaded."""
    own = progress.find_own_file(one) if one.warnings else None
    if own is None:
        return [RowsWarning(*warned, message=warned.sentence) for warned in one.warnings]
    rows = own.find_rows({warned.line for warned in one.warnings})
    return [_of_foreign(own, rows[warned.line], warned) for warned in one.warnings]


def _of_foreign(own: SellerFile, row: OwnRow, warned: Warned) -> RowsWarning:
    """A warning about rows of a foreign file; one about tiny prices has that of the file, which is in any unit."""
    warned = warned._replace(line=row.line, column=own.name(warned.column))
    if warned.kind != TINY_PRICES:
        return RowsWarning(*warned, message=warned.sentence)
    cells = [cell.value.strip() for cell in own.find_cells(row.text)]
    value = " ".join(cells[at] for at in own.list_columns(Column.PRICE) if at < len(cells) and cells[at])
    message = (
        f"{counted(warned.rows, 'price')} came to less than 5p, first on line {warned.line:,}: "
        f"{f'{warned.column} is {quoted(value)}, so ' if value else ''}{in_pounds(int(warned.value))}. {_CHECK_PRICES}"
    )
    return RowsWarning(*warned._replace(value=value or warned.value), message=message)


def _striking(one: ImportProgress, all_found: Sequence[Counted], own: SellerFile | None) -> Iterator[RowsWarning]:
    """Changes to listings that are probably mistakes."""
    for found in all_found:
        column, message = Column.QUANTITY, _describe_sold_out(one, found)
        if found.kind is Kind.PRICE_MOVES:
            column, message = Column.PRICE, _describe_moves(one, found, is_foreign=own is not None)
        elif found.rows < _MANY and (found.rows < _MIN_ROWS or found.rows * 2 <= one.total):
            continue
        named = name_column(own, column)
        yield RowsWarning(found.kind, found.rows, found.line, named, str(found.after), message)


def _describe_moves(one: ImportProgress, found: Counted, *, is_foreign: bool) -> str:
    move = "would move" if one.is_check else "moved"
    which = "on" if found.rows == 1 else "the furthest on"
    check = _CHECK_PRICES if is_foreign else "Prices are in pence – check that these are meant."
    return (
        f"{counted(found.rows, 'price')} {move} by more than {STRIKING_PERCENT}%, {which} line {found.line:,}: "
        f"from {in_pounds(found.before)} to {in_pounds(found.after)}. {check}"
    )


def _describe_sold_out(one: ImportProgress, found: Counted) -> str:
    end = "would be set" if one.is_check else "were set"
    return (
        f"{counted(found.rows, 'listing')} {end} to a quantity of 0, first on line {found.line:,}, so that "
        "nobody can buy them. Check that this is meant."
    )


def _most_fail(one: ImportProgress) -> Iterator[FileWarning]:
    invalid, failed = one.invalid * 2 > one.total, one.failed * 2 > one.processed
    if one.total < _MIN_ROWS or one.failed == one.total or not (failed if one.finished_at else invalid or failed):
        return
    if one.finished_at:
        # How many is in the summary.
        sentence = f"More than half of the rows {'would fail' if one.is_check else 'failed'}."
    elif invalid:
        sentence = f"{one.invalid:,} of {counted(one.total, 'row')} contain mistakes and will fail."
    elif one.processed >= _MIN_ROWS:
        sentence = f"{one.failed:,} of {counted(one.processed, 'row')} failed so far."
    else:
        return
    yield FileWarning("most-fail", f"{sentence} Start with the most common problem.")
