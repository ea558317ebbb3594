"""The rows that failed: recording, paging through and streaming them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from json import JSONEncoder
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy import ColumnElement, Row, Select, any_, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from app.csvfile.causes import Cause, Code, Problem
from app.csvfile.contract import MAX_RECORD_BYTES
from app.extensions import db
from app.models import RowError
from app.queries import BatchKey, ImportKey, binary, fetch, fetch_values
from app.queries.bulk_insert import copy, with_key
from app.queries.imports import error_groups
from app.queries.imports.error_groups import ErrorKind

_to_json = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

#: Number of failed rows on a page of ``iter_pages``.
_PAGE_ROWS = 1_000


def insert(batch: BatchKey, failed: Mapping[int, list[Problem]], texts: pa.StringArray) -> None:
    """Record failed rows of ``batch``, and count them in their groups.

    ``failed`` has the problems of each row by its line, in the order of the file: at least one, all of the same code.
    ``texts`` are the rows as in the file. Rows that share a list of problems cost least.
    """
    if not failed:
        return
    ids = [*map(id, failed.values())]
    distinct = dict(zip(ids, failed.values(), strict=True))
    reasons = [*map(dict(zip(distinct, range(len(distinct)), strict=True)).__getitem__, ids)]
    recorded = as_recorded([*distinct.values()]).take(pa.array(reasons))
    lines = pa.array(failed, pa.int32())
    rows = pa.table({"line": lines, **dict(zip(recorded.column_names, recorded.columns, strict=True)), "row": texts})
    copy("row_errors", with_key(rows, batch.of_import))
    error_groups.add(batch, [*failed], reasons, [*distinct.values()])


#: Arrays stand as the bytes that COPY sends.
_RECORDED = pa.schema({"code": pa.int16(), "columns": pa.binary(), "causes": pa.binary(), "facts": pa.string()})


def as_recorded(distinct: Sequence[list[Problem]]) -> pa.Table:
    """What is recorded of each of these lists of problems: ``code``, ``columns``, ``causes`` and ``facts``."""
    return pa.table(
        {
            "code": [problems[0].cause.code for problems in distinct],
            "columns": [_texts(tuple(str(problem.column) for problem in problems)) for problems in distinct],
            "causes": [_texts(tuple(problem.cause.slug for problem in problems)) for problems in distinct],
            # In a COPY, JSON is plain text anyway.
            "facts": [_to_json([problem.facts for problem in problems]) for problems in distinct],
        },
        _RECORDED,
    )


@lru_cache(maxsize=1_000)
def _texts(texts: tuple[str, ...]) -> bytes:
    return binary.as_array(pa.array(texts))


class RecordedError(NamedTuple):
    """A failed row as it was recorded; see ``models.RowError``."""

    line: int
    code: int
    columns: list[str]
    causes: list[str]
    #: The sentences of rows that an earlier release has recorded without facts.
    sentences: list[str] | None
    facts: list[dict[str, Any]] | None
    row: str

    @property
    def messages(self) -> list[str]:
        """What is wrong and what to do, a sentence for each problem."""
        if self.facts is None:
            return self.sentences or []
        return [kind.cause.say(kind.column, facts) for kind, facts in zip(self.kinds, self.facts, strict=True)]

    @property
    def message(self) -> str:
        """All of these sentences."""
        return " ".join(self.messages)

    @property
    def kinds(self) -> list[ErrorKind]:
        """The group of each message."""
        return [ErrorKind.stored(cause, column) for cause, column in zip(self.causes, self.columns, strict=True)]


def recorded_error(row: Any) -> RecordedError:
    """The failed row in a row of a result that has all its fields."""
    return RecordedError(**{name: getattr(row, name) for name in RecordedError._fields})


class ErrorFilter(NamedTuple):
    """A filter for the failed rows of an import; None, or an empty text, matches all."""

    code: Code | None = None
    cause: Cause | None = None
    #: Empty: the row as a whole. Together with ``cause``, the cause must be found in this column.
    column: str | None = None
    #: The number of the batch.
    batch: int | None = None
    #: Rows on any of these lines, first and last.
    lines: tuple[int, int] | None = None
    #: A text that the row contains, in any case.
    text: str = ""


#: Every failed row.
ANY = ErrorFilter()


#: The size of the rows on a page in bytes, which the last row may exceed.
PAGE_BYTES = 4 << 20


class ErrorPage(NamedTuple):
    """Consecutive failed rows, and whether more follow."""

    errors: list[RecordedError]
    goes_on: bool


def list_after(key: ImportKey, *, after_line: int, limit: int, wanted: ErrorFilter = ANY) -> ErrorPage:
    """The failed rows of an import below a line that match ``wanted``, in the order of the file.

    At most ``limit`` of them, and no more than PAGE_BYTES allows.
    """
    below = _failed(key, wanted, *_RECORDED_ERROR).where(RowError.line > after_line)
    first = below.order_by(RowError.line).limit(limit + 1).subquery()
    size = func.octet_length(first.c.row)
    before = (func.sum(size).over(order_by=first.c.line) - size).label("before")
    sized = select(first, before).subquery()
    # One row more than fits tells that there are more.
    fitting = select(sized).where(sized.c.before < PAGE_BYTES + MAX_RECORD_BYTES).order_by(sized.c.line)
    found = list(db.session.execute(fitting))
    shown = [recorded_error(row) for row in found if row.before < PAGE_BYTES][:limit]
    return ErrorPage(shown, len(found) > len(shown))


def count(key: ImportKey, wanted: ErrorFilter, *, at_most: int) -> int | None:
    """The number of failed rows of an import that match ``wanted``; None if more than ``at_most``."""
    found = _failed(key, wanted, RowError.line).limit(at_most + 1).subquery()
    rows = db.session.scalar(select(func.count()).select_from(found)) or 0
    return rows if rows <= at_most else None


def _failed(key: ImportKey, wanted: ErrorFilter, *columns: InstrumentedAttribute[Any]) -> Select[Any]:
    """These columns of the failed rows of an import that match ``wanted``."""
    return select(*columns).filter_by(**key._asdict()).where(*_conditions(key, wanted))


_RECORDED_ERROR = [getattr(RowError, field) for field in RecordedError._fields]


def _conditions(key: ImportKey, wanted: ErrorFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.code is not None:
        yield RowError.code == wanted.code
    if wanted.cause is not None:
        yield literal(wanted.cause.slug) == any_(RowError.causes)
    if wanted.column is not None:
        yield literal(wanted.column) == any_(RowError.columns)
    if wanted.cause is not None and wanted.column is not None:
        # Cheap comparisons have left few rows, whose problems are now tested one by one.
        problem = func.unnest(RowError.causes, RowError.columns).table_valued("cause", "column").render_derived()
        is_it = (problem.c.cause == wanted.cause.slug) & (problem.c.column == wanted.column)
        yield select(problem.c.cause).where(is_it).correlate(RowError).exists()
    if wanted.batch is not None:
        yield RowError.line.between(*_find_lines_of_batch(key, wanted.batch))
    if wanted.lines is not None:
        first, last = wanted.lines
        # No row is long enough to begin before the first bound.
        yield RowError.line.between(first - MAX_RECORD_BYTES, last)
        line_breaks = func.length(RowError.row) - func.length(func.replace(RowError.row, "\n", ""))
        yield RowError.line + line_breaks >= first
    if wanted.text:
        # To find a text without letters as it is takes half the time.
        is_cased = wanted.text.lower() != wanted.text.upper()
        yield (RowError.row.icontains if is_cased else RowError.row.contains)(wanted.text, autoescape=True)


def _find_lines_of_batch(key: ImportKey, number: int) -> tuple[int, int]:
    """The first line of a batch and the last one, with those of blank rows; none where there is no such batch.

    They are looked up by themselves: where they are part of another statement, it is planned for a third of all rows.
    """
    query = """
        select number, first_line from batches
        where seller_id = %(seller_id)s and import_id = %(import_id)s and number in (%(number)s, %(number)s + 1)
    """
    first = {row.number: row.first_line for row in fetch(query, key, number=number)}
    return (first[number], first.get(number + 1, 2**31) - 1) if number in first else (1, 0)


def find_failed(key: ImportKey, lines: Collection[int]) -> set[int]:
    """Those of these lines of an import on which a failed row begins."""
    query = """
        select line from row_errors
        where seller_id = %(seller_id)s and import_id = %(import_id)s and line = any(%(lines)s::int[])
    """
    return {*fetch_values(query, key, lines=[*lines])} if lines else set()


def find(key: ImportKey, lines: Collection[int]) -> dict[int, RecordedError]:
    """The failed rows on some of these lines of an import, as they were recorded."""
    query = _failed(key, ANY, *_RECORDED_ERROR).where(RowError.line.in_(lines))
    return {row.line: recorded_error(row) for row in db.session.execute(query)}


def find_lines(key: ImportKey, first: int, last: int) -> set[int]:
    """The lines of an import's failed rows from ``first`` to ``last``."""
    query = """
        select line from row_errors
        where seller_id = %(seller_id)s and import_id = %(import_id)s and line between %(first)s and %(last)s
    """
    return {*fetch_values(query, key, first=first, last=last)}


def iter_pages(key: ImportKey, *, after_line: int = 0, wanted: ErrorFilter = ANY) -> Iterator[list[RecordedError]]:
    """All failed rows of an import below a line that match ``wanted``, in the order of the file, a page at a time.

    Each page is a separate statement: the caller may end its transaction between two pages.
    """
    while page := list_after(key, after_line=after_line, limit=_PAGE_ROWS, wanted=wanted).errors:
        yield page
        after_line = page[-1].line


def iter_texts(key: ImportKey, *, wanted: ErrorFilter = ANY) -> Iterator[list[str]]:
    """The original texts of all failed rows that match ``wanted``, in the order of the file, a page at a time.

    Each page is a separate statement, as in ``iter_pages``; leaving out the problems of the rows makes it several times
    as fast.
    """
    return ([row.row for row in page] for page in _iter_pages(_failed(key, wanted, RowError.line, RowError.row)))


def iter_lines(key: ImportKey, *, wanted: ErrorFilter = ANY) -> Iterator[list[int]]:
    """The lines of all failed rows that match ``wanted``, in the order of the file, a page at a time as above."""
    return ([row.line for row in page] for page in _iter_pages(_failed(key, wanted, RowError.line)))


def _iter_pages(query: Select[Any]) -> Iterator[Sequence[Row[Any]]]:
    query = query.order_by(RowError.line).limit(_PAGE_ROWS)
    after_line = 0
    while page := db.session.execute(query.where(RowError.line > after_line)).all():
        yield page
        after_line = page[-1].line
