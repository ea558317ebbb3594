"""The rows that failed: recording, paging through and streaming them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import select

from app.csvfile.contract import Code, Problem
from app.extensions import db
from app.models import RowError
from app.queries import ImportKey, driver_cursor

#: How many failed rows there are on a page of ``iter_pages``.
_PAGE_ROWS = 1_000


class FailedRow(NamedTuple):
    """A row that was not imported."""

    line: int
    #: Its text as it stands in the file.
    row: str
    #: At least one, all of the same code.
    problems: list[Problem]

    @property
    def code(self) -> Code:
        """The kind of failure."""
        return self.problems[0].cause.code


def insert(key: ImportKey, failed: Collection[FailedRow]) -> None:
    """Record failed rows."""
    if not failed:
        return
    with (
        driver_cursor() as cursor,
        cursor.copy(
            'copy row_errors (seller_id, import_id, line, code, "columns", causes, messages, "row") from stdin'
        ) as copy,
    ):
        copy.set_types(["int4", "int8", "int4", "int2", "text[]", "text[]", "text[]", "text"])
        for one in failed:
            copy.write_row(
                (
                    *key,
                    one.line,
                    int(one.code),
                    [str(problem.column) for problem in one.problems],
                    [problem.cause.slug for problem in one.problems],
                    [problem.message for problem in one.problems],
                    one.row,
                )
            )


class RecordedError(NamedTuple):
    """A failed row as it was recorded; see ``models.RowError``."""

    line: int
    code: int
    columns: list[str]
    causes: list[str]
    messages: list[str]
    row: str


def list_after(key: ImportKey, *, after_line: int, limit: int) -> list[RecordedError]:
    """The failed rows of an import below a line, in the order of the file."""
    query = (
        select(RowError.line, RowError.code, RowError.columns, RowError.causes, RowError.messages, RowError.row)
        .where(RowError.seller_id == key.seller_id, RowError.import_id == key.import_id, RowError.line > after_line)
        .order_by(RowError.line)
        .limit(limit)
    )
    return [RecordedError(*row) for row in db.session.execute(query)]


def iter_pages(key: ImportKey) -> Iterator[list[RecordedError]]:
    """All failed rows of an import in the order of the file, a page at a time.

    Each page is a statement of its own: the caller may end its transaction between two pages.
    """
    after_line = 0
    while page := list_after(key, after_line=after_line, limit=_PAGE_ROWS):
        yield page
        after_line = page[-1].line


def iter_texts(key: ImportKey) -> Iterator[list[str]]:
    """The original texts of all failed rows in the order of the file, a page at a time.

    Each page is a statement of its own, as in ``iter_pages``; leaving out what is wrong with the rows makes it several
    times as fast.
    """
    after_line = 0
    while True:
        with driver_cursor() as cursor:
            cursor.execute(
                """
                select line, "row" from row_errors where seller_id = %s and import_id = %s and line > %s
                order by line limit %s
                """,
                (*key, after_line, _PAGE_ROWS),
            )
            page = cursor.fetchall()
        if not page:
            return
        yield [text for _, text in page]
        after_line = page[-1][0]
