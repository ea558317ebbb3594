"""The failed rows of an import by what is wrong with them: counted when they are written, summed up when they are seen.

A group is the rows that failed for one cause in one column. Each batch counts its own, so that no two transactions ever
wait for each other, and an import's are the sums over its batches.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import func, select

from app.csvfile.causes import Cause, Problem
from app.extensions import db
from app.models import ErrorGroup
from app.queries import BatchKey, ImportKey, driver_cursor


class Kind(NamedTuple):
    """What the rows of a group have in common."""

    cause: Cause
    #: Empty: the row as a whole.
    column: str


class Group(NamedTuple):
    """How many rows of an import failed in one way."""

    kind: Kind
    rows: int


def kinds_of(problems: Iterable[Problem]) -> set[Kind]:
    """The groups that a row with ``problems`` belongs to."""
    return {Kind(problem.cause, problem.column) for problem in problems}


def add(batch: BatchKey, failed: Iterable[tuple[int, list[Problem]]]) -> None:
    """Count rows of ``batch`` that have failed, given in the order of their lines with all their problems.

    A batch goes through its lines from first to last, so what is added later lies behind what is counted already.
    """
    rows: Counter[Kind] = Counter()
    first_lines: dict[Kind, int] = {}
    last_lines: dict[Kind, int] = {}
    for line, problems in failed:
        for kind in kinds_of(problems):
            rows[kind] += 1
            first_lines.setdefault(kind, line)
            last_lines[kind] = line
    with driver_cursor() as cursor:
        cursor.execute(
            """
            insert into error_groups (seller_id, import_id, number, cause, "column", rows, first_line, last_line)
            select %(seller)s, %(import)s, %(number)s, *
            from unnest(
                %(causes)b::text[], %(columns)b::text[], %(rows)b::int[], %(firsts)b::int[], %(lasts)b::int[]
            )
            on conflict (seller_id, import_id, number, cause, "column")
            do update set rows = error_groups.rows + excluded.rows, last_line = excluded.last_line
            """,
            {
                "seller": batch.seller_id,
                "import": batch.import_id,
                "number": batch.number,
                "causes": [kind.cause.slug for kind in rows],
                "columns": [str(kind.column) for kind in rows],
                "rows": [*rows.values()],
                "firsts": [*first_lines.values()],
                "lasts": [*last_lines.values()],
            },
        )


def list_all(key: ImportKey) -> list[Group]:
    """The groups of an import, those with most rows first."""
    rows = func.sum(ErrorGroup.rows)
    query = (
        select(ErrorGroup.cause, ErrorGroup.column, rows)
        .where(ErrorGroup.seller_id == key.seller_id, ErrorGroup.import_id == key.import_id)
        .group_by(ErrorGroup.cause, ErrorGroup.column)
        .order_by(rows.desc(), func.min(ErrorGroup.first_line), ErrorGroup.cause, ErrorGroup.column)
    )
    return [Group(Kind(Cause.by_slug(cause), column), rows) for cause, column, rows in db.session.execute(query)]


class Sampled(NamedTuple):
    """A failed row taken as an example of its group."""

    line: int
    row: str

    @property
    def last_line(self) -> int:
        """The line on which it ends: another one where a value has line breaks in it."""
        return self.line + self.row.count("\n")


def sample(key: ImportKey, kinds: Collection[Kind], *, limit: int) -> dict[Kind, list[Sampled]]:
    """Up to ``limit`` rows of each group, in the order of the file, from the batch that has most of them.

    So no more than one batch is looked through for a group, however large the import is.
    """
    with driver_cursor() as cursor:
        cursor.execute(
            """
            select g.cause, g."column", e.line, e."row"
            from unnest(%(causes)b::text[], %(columns)b::text[]) as k (cause, "column")
            cross join lateral (
                select * from error_groups g
                where g.seller_id = %(seller)s and g.import_id = %(import)s
                    and g.cause = k.cause and g."column" = k."column"
                order by g.rows desc, g.number
                limit 1
            ) g
            cross join lateral (
                select e.line, e."row" from row_errors e
                where e.seller_id = %(seller)s and e.import_id = %(import)s
                    and e.line between g.first_line and g.last_line
                    and g.cause = any(e.causes) and g."column" = any(e."columns")
                    and exists (
                        select from unnest(e.causes, e."columns") as p (cause, "column")
                        where p.cause = g.cause and p."column" = g."column"
                    )
                order by e.line
                limit %(limit)s
            ) e
            """,
            {
                "seller": key.seller_id,
                "import": key.import_id,
                "causes": [kind.cause.slug for kind in kinds],
                "columns": [str(kind.column) for kind in kinds],
                "limit": limit,
            },
        )
        found: dict[Kind, list[Sampled]] = {}
        for cause, column, line, row in cursor.fetchall():
            found.setdefault(Kind(Cause.by_slug(cause), column), []).append(Sampled(line, row))
    return found


def list_texts(key: ImportKey, kinds: Collection[Kind]) -> dict[Kind, list[str]]:
    """All rows of each group in the order of the file: one look at the failed rows of the import, for all groups."""
    with driver_cursor() as cursor:
        cursor.execute(
            """
            select k.cause, k."column", array_agg(e."row" order by e.line)
            from row_errors e
            cross join lateral unnest(e.causes, e."columns") as p (cause, "column")
            join unnest(%(causes)b::text[], %(columns)b::text[]) as k (cause, "column")
                on k.cause = p.cause and k."column" = p."column"
            where e.seller_id = %(seller)s and e.import_id = %(import)s and e.causes && %(causes)b::text[]
            group by k.cause, k."column"
            """,
            {
                "seller": key.seller_id,
                "import": key.import_id,
                "causes": [kind.cause.slug for kind in kinds],
                "columns": [str(kind.column) for kind in kinds],
            },
        )
        return {Kind(Cause.by_slug(cause), column): texts for cause, column, texts in cursor.fetchall()}


def list_by_batch(key: ImportKey) -> dict[int, dict[Kind, int]]:
    """How many rows each batch has counted in each group, by the number of the batch."""
    query = select(ErrorGroup.number, ErrorGroup.cause, ErrorGroup.column, ErrorGroup.rows).where(
        ErrorGroup.seller_id == key.seller_id, ErrorGroup.import_id == key.import_id
    )
    found: defaultdict[int, dict[Kind, int]] = defaultdict(dict)
    for number, cause, column, rows in db.session.execute(query):
        found[number][Kind(Cause.by_slug(cause), column)] = rows
    return dict(found)
