"""The failed rows of an import by cause: counted when they are written, and summed when they are shown.

A group is the rows that failed for one cause in one column. Each batch counts its own rows, so that no transaction
waits for another; an import's counts are the sums over its batches.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Self

from app.csvfile.causes import Cause, Problem
from app.csvfile.columns import NAME_COLUMNS, Column
from app.queries import BatchKey, ImportKey, binary, fetch

#: What is told of each group.
_COUNTED = ("cause", "column", "rows", "first_line", "last_line")


class ErrorKind(NamedTuple):
    """The key of a group."""

    cause: Cause
    #: Empty: the row as a whole.
    column: str

    @classmethod
    def stored(cls, slug: str, column: str) -> Self:
        """The key as the database has it, by the slug of its cause."""
        return cls(Cause.by_slug(slug), column)

    @property
    def columns(self) -> Sequence[str]:
        """The columns that have the problem: those of a name that is unknown or ambiguous are three."""
        if self.column == Column.NAME and self.cause in {Cause.ITEM_NOT_FOUND, Cause.ITEM_AMBIGUOUS}:
            return NAME_COLUMNS
        return (self.column,) if self.column else ()


class Group(NamedTuple):
    """A group of failed rows of an import."""

    kind: ErrorKind
    rows: int


def add(batch: BatchKey, lines: Sequence[int], reasons: Sequence[int], distinct: Sequence[list[Problem]]) -> None:
    """Count failed rows of ``batch``: the ``lines`` of all of them, in order.

    The problems of each are those in ``distinct`` at the index in ``reasons``. A batch processes its lines in order, so
    rows added later stand after those counted before.
    """
    # Of each list of problems, then of each group.
    counts, last = Counter(reasons), dict(zip(reasons, lines, strict=True))
    first = dict(zip(reversed(reasons), reversed(lines), strict=True))
    groups: dict[ErrorKind, tuple[int, int, int]] = {}
    for reason, problems in enumerate(distinct):
        for kind in {ErrorKind(problem.cause, problem.column) for problem in problems}:
            rows, first_line, last_line = groups.get(kind, (0, first[reason], 0))
            groups[kind] = rows + counts[reason], min(first_line, first[reason]), max(last_line, last[reason])
    counted = [
        dict(zip(_COUNTED, (kind.cause.slug, kind.column, *numbers), strict=True)) for kind, numbers in groups.items()
    ]
    query = """
        insert into error_groups (seller_id, import_id, number, cause, "column", rows, first_line, last_line)
        select %(seller_id)s, %(import_id)s, %(number)s, *
        from json_to_recordset(%(groups)s) as g (cause text, "column" text, rows int, first_line int, last_line int)
        on conflict (seller_id, import_id, number, cause, "column")
        do update set rows = error_groups.rows + excluded.rows, last_line = excluded.last_line
    """
    # Five short arrays would take the driver four times as long.
    binary.execute(query, batch, groups=json.dumps(counted))


def _kinds(kinds: Collection[ErrorKind]) -> dict[str, list[str]]:
    return {"causes": [kind.cause.slug for kind in kinds], "columns": [str(kind.column) for kind in kinds]}


def list_all(key: ImportKey) -> list[Group]:
    """The groups of an import, largest first."""
    query = """
        select cause, "column", sum(rows) as rows from error_groups
        where seller_id = %(seller_id)s and import_id = %(import_id)s
        group by cause, "column" order by sum(rows) desc, min(first_line), cause, "column"
    """
    found = fetch(query, key)
    return [Group(ErrorKind.stored(row.cause, row.column), row.rows) for row in found]


class Sampled(NamedTuple):
    """A failed row as an example of its group."""

    line: int
    row: str

    @property
    def last_line(self) -> int:
        """The line on which it ends, which is later than its first line if a value has line breaks."""
        return self.line + self.row.count("\n")


def sample(key: ImportKey, kinds: Mapping[ErrorKind, int]) -> dict[ErrorKind, list[Sampled]]:
    """At most as many rows of each group as ``kinds`` says, in the order of the file, from the batch that has most.

    So only one batch is read for a group, however large the import is.
    """
    query = """
        select g.cause, g."column", e.lines, e.texts
        from unnest(%(causes)b::text[], %(columns)b::text[], %(limits)b::int[]) as k (cause, "column", most)
        cross join lateral (
            select * from error_groups g
            where g.seller_id = %(seller_id)s and g.import_id = %(import_id)s
                and g.cause = k.cause and g."column" = k."column"
            order by g.rows desc, g.number
            limit 1
        ) g
        cross join lateral (
            select array_agg(line order by line) as lines, array_agg("row" order by line) as texts
            from (
                select e.line, e."row" from row_errors e
                where e.seller_id = %(seller_id)s and e.import_id = %(import_id)s
                    and e.line between g.first_line and g.last_line
                    and g.cause = any(e.causes) and g."column" = any(e."columns")
                    and exists (
                        select from unnest(e.causes, e."columns") as p (cause, "column")
                        where p.cause = g.cause and p."column" = g."column"
                    )
                order by e.line
                limit k.most
            ) e
        ) e
        where e.lines is not null
    """
    rows = fetch(query, key, **_kinds(kinds), limits=[*kinds.values()])
    return {ErrorKind.stored(row.cause, row.column): [*map(Sampled, row.lines, row.texts)] for row in rows}


def list_texts(key: ImportKey, kinds: Collection[ErrorKind]) -> dict[ErrorKind, list[str]]:
    """All rows of each group in the order of the file, in one pass over the failed rows of the import."""
    query = """
        select k.cause, k."column", array_agg(e."row" order by e.line) as texts
        from row_errors e
        cross join lateral unnest(e.causes, e."columns") as p (cause, "column")
        join unnest(%(causes)b::text[], %(columns)b::text[]) as k (cause, "column")
            on k.cause = p.cause and k."column" = p."column"
        where e.seller_id = %(seller_id)s and e.import_id = %(import_id)s and e.causes && %(causes)b::text[]
        group by k.cause, k."column"
    """
    rows = fetch(query, key, **_kinds(kinds))
    return {ErrorKind.stored(row.cause, row.column): row.texts for row in rows}


def list_by_batch(key: ImportKey) -> dict[int, dict[ErrorKind, int]]:
    """The counts of each group, by batch number."""
    query = """
        select number, cause, "column", rows from error_groups
        where seller_id = %(seller_id)s and import_id = %(import_id)s
    """
    found: defaultdict[int, dict[ErrorKind, int]] = defaultdict(dict)
    for row in fetch(query, key):
        found[row.number][ErrorKind.stored(row.cause, row.column)] = row.rows
    return dict(found)
