"""The corrections of failed rows: what each row has come to, what is still open, and which import has taken it up.

A failed row without a correction is open. Whoever changes anything locks the import's row in ``fixings`` first, so that
the numbers there, the values in ``open_values`` and the rows agree, and no row is taken up twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import func, select

from app.extensions import db
from app.models import Answer, Fixing, Import
from app.queries import ImportKey, binary, commit_together, execute, fetch, fetch_as, fetch_one, fetch_value, older_than
from app.queries.bulk_insert import copy, with_key
from app.queries.imports.error_groups import ErrorKind
from app.queries.imports.row_errors import RecordedError
from app.queries.listings.search import WrittenBy
from app.statuses import CorrectionState, RetriedRows, TakenUpAs, sql_literal

#: Number of rows on a page of ``iter_texts``.
_PAGE_ROWS = 5_000
#: Rows of more bytes than that are not read at once, whatever their number.
_SLICE_BYTES = 64 << 20
#: The rows of an import that are looked up by the lines that they have in others are at most so many.
_MOST_TAKEN = 20_000

#: Lines of an answer that are named.
_LINES_NAMED = 5
#: In the cells of an answer: the lines of its rows, of at most so many.
_LINES, _LINES_KEPT = "lines", 500

_OPEN, _RIGHT, _LEFT_OUT = map(sql_literal, (CorrectionState.OPEN, CorrectionState.RIGHT, CorrectionState.LEFT_OUT))

_THIS = "seller_id = %(seller_id)s and import_id = %(import_id)s"
#: Looks rows up one by one, by their whole keys, because of OFFSET 0. In tables that were never analyzed, the planner
#: takes all rows of an import for one. To it, reading them all for each row costs no more than looking one up, but the
#: time that takes grows with the square of the rows.
_BY_KEY = f"where {_THIS} and line = {{}}.line offset 0"
_ERROR = f"lateral (select line from row_errors {_BY_KEY.format('a')}) e on true"
_CORRECTION = f"lateral (select * from corrections {_BY_KEY.format('e')}) c on true"
#: A failed row ``e`` with its correction ``c``, if any.
_ROWS = f"row_errors e left join {_CORRECTION}"
_OF_IMPORT = "e.seller_id = %(seller_id)s and e.import_id = %(import_id)s"
_IS_OPEN = f"(c.line is null or c.state = {_OPEN} and c.taken_by is null)"
_IS_RIGHT = f"c.state = {_RIGHT} and c.taken_by is null"
_IS_LEFT_OUT = f"c.state = {_LEFT_OUT} and c.taken_by is null"
_IN_STATE = {CorrectionState.OPEN: _IS_OPEN, CorrectionState.RIGHT: _IS_RIGHT}
_TEXT = 'coalesce(c."row", e."row")'
_CAUSES = "coalesce(c.causes, e.causes)"
_COLUMNS = 'coalesce(c."columns", e."columns")'
_FACTS = "case when c.causes is null then e.facts else c.facts end"
_IN_GROUP = f"""
    (%(cause)s = '' or %(cause)s = any({_CAUSES}) and %(column)s = any({_COLUMNS}))
    and coalesce(c.answer, 0) < %(given_before)s
"""
#: The rows as they are now, with the columns of RecordedError.
_RECORDED = f"""
    select e.line, coalesce(c.code, e.code) as code, {_COLUMNS} as columns, {_CAUSES} as causes,
        case when c.causes is null then e.messages end as sentences, {_FACTS} as facts, {_TEXT} as row
    from {_ROWS} where {_OF_IMPORT}
"""
#: Rows of one of the tables between two lines.
_IN_SLICE = f"{_THIS} and line > %(after)s and line between %(first_line)s and %(last_line)s"
_UNLESS_TAKEN = """
    on conflict (seller_id, import_id, line)
        do update set taken_by = excluded.taken_by, taken_line = excluded.taken_line
        where corrections.taken_by is null
    returning 1
"""
_LET_GO = f"update corrections set taken_by = null, taken_line = null where {_THIS} and taken_by = %(by)s"
#: The correction of a row in the import that has taken it up, and whether it has failed there.
_TAKEN_ON = """
    select * from corrections
    where seller_id = %(seller_id)s and import_id = {0}.taken_by and line = {0}.taken_line offset 0
"""
_FAILED_THERE = """
    exists (
        select from row_errors e
        where e.seller_id = %(seller_id)s and e.import_id = c.taken_by and e.line = c.taken_line
    )
"""
#: The line on which each of these rows begins in a file of their own below its header.
_PLACES = """
    1 + sum(1 + length("row") - length(replace("row", E'\\n', ''))) over (order by line)
        - (length("row") - length(replace("row", E'\\n', '')))
"""


class Standing(NamedTuple):
    """How far the failed rows of an import are corrected; see ``models.Fixing``."""

    version: int = 0
    answers: int = 0
    answering: int | None = None
    cursor_line: int = 0
    rows_done: int = 0
    is_surveyed: bool = False
    correct: int = 0
    open_corrected: int = 0
    left_out: int = 0
    taken: int = 0

    @property
    def closed(self) -> int:
        """The number of rows that are neither open nor waiting to be imported."""
        return self.left_out + self.taken

    @property
    def is_small(self) -> bool:
        """Whether so few rows are dealt with that all of them can be looked through for a page."""
        return self.closed + self.correct + self.open_corrected <= _MOST_TAKEN

    def without(self, rows: Mapping[tuple[str, bool], int]) -> Standing:
        """The numbers without rows that nobody has taken up, counted by state and by whether they were corrected."""
        states = CorrectionState.RIGHT, CorrectionState.LEFT_OUT
        right, left_out = (sum(rows.get((state, each), 0) for each in (True, False)) for state in states)
        return self._replace(
            correct=self.correct - right,
            left_out=self.left_out - left_out,
            open_corrected=self.open_corrected - rows.get((CorrectionState.OPEN, True), 0),
        )


NOTHING_DONE = Standing()
#: The column of each number.
_STANDING_COLUMNS = {name: Fixing.__mapper__.columns[name].name for name in Standing._fields}
_STANDING = ", ".join(f"{column} as {name}" for name, column in _STANDING_COLUMNS.items())


class Group(NamedTuple):
    """The open rows with one problem in one column."""

    kind: ErrorKind
    rows: int
    #: The number of distinct values.
    values: int


class Value(NamedTuple):
    """A wrong value of a group."""

    kind: ErrorKind
    value: str
    rows: int
    first_line: int
    last_line: int


class GivenAnswer(NamedTuple):
    """An answer of the seller; see ``models.Answer``."""

    number: int
    rule: str
    cause: str
    column: str
    value: str | None
    cells: dict[str, str]
    rows: int
    actor: str
    at: datetime
    #: Those of its rows that were not taken back, whatever later answers have made of them; None: too many to tell.
    lines: frozenset[int] | None = None


class Held(NamedTuple):
    """The failed rows that an answer was the last one for."""

    rows: int
    #: How many of them nobody has taken up.
    free: int
    #: The first of their lines.
    lines: list[int]


def get(key: ImportKey) -> Standing:
    """How far the failed rows of an import are corrected."""
    found = fetch_as(Standing, f"select {_STANDING} from fixings where {_THIS}", key)
    return found[0] if found else NOTHING_DONE


def lock(key: ImportKey) -> Standing:
    """How far the failed rows are corrected, which nobody else changes until the end of this transaction."""
    commit_together()
    names, values = "seller_id, import_id", "%(seller_id)s, %(import_id)s"
    execute(f"insert into fixings ({names}) values ({values}) on conflict do nothing", key)
    return fetch_as(Standing, f"select {_STANDING} from fixings where {_THIS} for update", key)[0]


def save(key: ImportKey, standing: Standing) -> None:
    """Change what ``lock`` has returned."""
    names = ", ".join(f"{column} = %({name})s" for name, column in _STANDING_COLUMNS.items())
    query = f"update fixings set {names}, moved_at = clock_timestamp() where {_THIS}"
    execute(query, key, **standing._asdict())


def find_stuck(*, older_than_seconds: float) -> list[ImportKey]:
    """The imports to whose rows an answer is being applied, and have not changed for that long."""
    query = f"""
        select seller_id, import_id from fixings
        where answering is not null and {older_than("moved_at", "%(seconds)s")}
    """
    return fetch_as(ImportKey, query, seconds=older_than_seconds)


def has_old_retry(key: ImportKey) -> bool:
    """Whether a release that did not record which failed rows were taken up has retried them all."""
    old = {"retried_rows": RetriedRows.FAILED, "taken_up_as": None}
    query = select(Import.id).filter_by(seller_id=key.seller_id, parent_id=key.import_id, **old).limit(1)
    return db.session.scalar(query) is not None


def count_parts(key: ImportKey) -> int:
    """The number of the last part of its failed rows that was taken up; 0 if there is none."""
    of_parent = Import.seller_id == key.seller_id, Import.parent_id == key.import_id
    query = select(func.max(Import.part)).where(*of_parent, Import.retried_rows == RetriedRows.FAILED)
    return db.session.scalar(query) or 0


# Answers --------------------------------------------------------------------------------------------------------------


def add_answer(key: ImportKey, number: int, **fields: Any) -> None:
    """Record an answer with these fields of ``models.Answer``."""
    db.session.add(Answer(**key._asdict(), number=number, **fields))
    db.session.flush()


def get_answer(key: ImportKey, number: int) -> GivenAnswer:
    """An answer that was given. Raises NoResultFound for any other."""
    return _as_given(db.session.execute(_answers(key).where(Answer.number == number)).one())


def find_answers(key: ImportKey, numbers: Collection[int]) -> dict[int, GivenAnswer]:
    """The answers with these numbers."""
    found = map(_as_given, db.session.execute(_answers(key).where(Answer.number.in_(numbers))))
    return {answer.number: answer for answer in found}


def list_answers(key: ImportKey, *, limit: int, before: int | None = None) -> list[GivenAnswer]:
    """The last answers, or the last ones before a number, newest first, without those that were taken back."""
    query = _answers(key).where(Answer.rows > 0).order_by(Answer.number.desc()).limit(limit)
    query = query if before is None else query.where(Answer.number < before)
    return [_as_given(row) for row in db.session.execute(query)]


def find_last_answers(key: ImportKey, lines: Collection[int]) -> dict[int, tuple[int, bool]]:
    """The last answer of each of these rows, and whether it has others, too, that were not taken back."""
    query = f"""
        with told as (
            select unnest(string_to_array(cells->>'{_LINES}', ' '))::int as line from answers where {_THIS} and rows > 0
        )
        select line, answer, coalesce(answers, 0) > 1 as has_others
        from corrections left join (select line, count(*) as answers from told group by line) t using (line)
        where {_THIS} and answer is not null and line = any(%(lines)s::int[])
    """
    return {row.line: (row.answer, row.has_others) for row in fetch(query, key, lines=[*lines])}


def find_held(key: ImportKey, standing: Standing) -> dict[int, Held] | None:
    """The rows of the answers that were the last ones for any row.

    None where very many rows are dealt with, all of which would have to be looked through.
    """
    if not standing.is_small:
        return None
    query = f"""
        select answer, count(*) as rows, count(*) filter (where taken_by is null) as free,
            (array_agg(line order by line))[:{_LINES_NAMED}] as lines
        from corrections where {_THIS} and answer is not null group by answer
    """
    return {row.answer: Held(row.rows, row.free, row.lines) for row in fetch(query, key)}


def _answers(key: ImportKey) -> Any:
    return select(*(getattr(Answer, name) for name in _ANSWER_FIELDS)).filter_by(**key._asdict())


_ANSWER_FIELDS = GivenAnswer._fields[:-1]


def _as_given(row: Any) -> GivenAnswer:
    given = GivenAnswer(*row)
    lines = given.cells.get(_LINES)
    cells = {name: text for name, text in given.cells.items() if name != _LINES}
    return given._replace(cells=cells, lines=None if lines is None else frozenset(map(int, lines.split())))


def count_answered(key: ImportKey, number: int, lines: Collection[int]) -> None:
    """Add the rows on these lines to those to which an answer was applied."""
    query = f"""
        update answers set rows = rows + %(rows)s, cells = case
            when rows + %(rows)s > {_LINES_KEPT} then cells - '{_LINES}'
            else cells || jsonb_build_object('{_LINES}', concat_ws(' ', cells->>'{_LINES}', %(lines)s::text)) end
        where {_THIS} and number = %(number)s
    """
    told = " ".join(map(str, lines)) if len(lines) <= _LINES_KEPT else ""
    execute(query, key, number=number, rows=len(lines), lines=told)


def take_back(key: ImportKey, number: int, lines: Collection[int]) -> dict[tuple[str, bool], int]:
    """Delete the corrections of the rows on these lines, or without lines, of those that an answer was the last one
    for; but for the rows that another import has taken up.

    Returns their number by state, and by whether they were corrected. The rows are then open as they were uploaded.
    """
    is_meant = f"{_THIS} and taken_by is null and {'line = any(%(lines)s::int[])' if lines else 'answer = %(number)s'}"
    values = {**key._asdict(), "number": number, "lines": [*lines]}
    rows = "rows - gone.count" if lines else "0"
    query = f"""
        update answers set rows = {rows}
        from (select answer, count(*) from corrections where {is_meant} group by answer) gone
        where {_THIS} and number = gone.answer and cells->'{_LINES}' is null
    """
    execute(query, values)
    # With a row go all of its answers, the earlier ones, too.
    query = f"""
        update answers set (rows, cells) = (
            select count(*), cells || jsonb_build_object('{_LINES}', coalesce(string_agg(told.line, ' '), ''))
            from unnest(string_to_array(cells->>'{_LINES}', ' ')) as told (line)
            where not exists (select from corrections where {is_meant} and corrections.line = told.line::int)
        )
        where {_THIS} and rows > 0 and cells->'{_LINES}' is not null
    """
    execute(query, values)
    query = f"""
        with gone as (
            delete from corrections where {is_meant} returning state, "row" is not null as is_corrected
        )
        select state, is_corrected, count(*) as rows from gone group by 1, 2
    """
    return {(row.state, row.is_corrected): row.rows for row in fetch(query, values)}


# Open rows ------------------------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """Which of the open rows: those of a group, between two lines."""

    #: Empty: of any group.
    cause: str = ""
    column: str = ""
    first_line: int = 0
    last_line: int = 2**31 - 1
    #: Without the rows that this answer or a later one was applied to.
    given_before: int = 2**31 - 1


#: A table of rows. ``reasons`` joins the causes by spaces, then the columns after a ``/``; without a correction,
#: ``state`` is empty.
SLICE = {
    "line": pa.int32(),
    "row": pa.string(),
    "reasons": pa.string(),
    "facts": pa.string(),
    "state": pa.string(),
    "is_corrected": pa.int32(),
}


def _slice(facts: str) -> str:
    """SQL: the columns of a SLICE."""
    reasons = f"array_to_string({_CAUSES}, ' ') || '/' || array_to_string({_COLUMNS}, ' ')"
    return f'e.line, {_TEXT}, {reasons}, {facts}, c.state, (c."row" is not null)::int'


def find_bound(key: ImportKey, wanted: Wanted, *, after_line: int, rows: int) -> int | None:
    """The line of the last of so many failed rows below a line, or of fewer large ones; None if fewer are left.

    So whoever goes through the rows reads a range of the primary key, whatever the planner thinks of the rest.
    """
    # The line from the index alone: reading all of these rows in its order would take several times as long.
    query = f"""
        with last as (select line from row_errors where {_IN_SLICE} order by line offset %(rows)s - 1 limit 1)
        select (select line from last) as line, count(*) as rows, sum(octet_length("row")) as size
        from row_errors where {_IN_SLICE} and line <= coalesce((select line from last), %(last_line)s)
    """
    found = fetch_one(query, key, **wanted._asdict(), after=after_line, rows=rows)
    if found.rows > 1 and found.size > _SLICE_BYTES:
        return find_bound(key, wanted, after_line=after_line, rows=found.rows // 2)
    line: int | None = found.line
    return line


def read_open(key: ImportKey, wanted: Wanted, *, after_line: int, with_facts: bool) -> pa.Table:
    """The open rows below a line that are ``wanted``, in order: a SLICE; its facts are empty unless ``with_facts``."""
    # Whatever the planner thinks of the tables, it merges or hashes two slices in a full join, so that no row of one is
    # looked up in the other. Because of COALESCE, it does not take the join for a left one.
    query = f"""
        select {_slice(f"({_FACTS})::text" if with_facts else "''")}
        from (select * from row_errors where {_IN_SLICE}) as e
        full join (select * from corrections where {_IN_SLICE}) as c on c.line = e.line
        where coalesce(e.line, 0) > 0 and {_IS_OPEN} and {_IN_GROUP}
        order by e.line
    """
    return binary.read_table(query, SLICE, key, **wanted._asdict(), after=after_line)


def read_lines(key: ImportKey, lines: Collection[int]) -> pa.Table:
    """The rows on these lines that nobody has taken up, whatever their state: a table with the columns SLICE."""
    query = f"""
        select {_slice("''")} from {_ROWS}
        where {_OF_IMPORT} and e.line = any(%(lines)s::int[]) and c.taken_by is null
        order by e.line
    """
    return binary.read_table(query, SLICE, key, lines=[*lines])


def find_texts(key: ImportKey, lines: Collection[int]) -> dict[int, str]:
    """The texts of those of these rows that were corrected, by line."""
    query = f'select line, "row" from corrections where {_THIS} and line = any(%(lines)s::int[]) and "row" is not null'
    return {row.line: row.row for row in fetch(query, key, lines=[*lines])}


def list_open(key: ImportKey, wanted: Wanted, *, after_line: int, limit: int) -> list[RecordedError]:
    """At most ``limit`` open rows below a line as they are now, in the order of the file."""
    is_wanted = f"e.line > %(after)s and e.line between %(first_line)s and %(last_line)s and {_IS_OPEN} and {_IN_GROUP}"
    return _list(key, is_wanted, limit, after=after_line, **wanted._asdict())


def find_open(key: ImportKey, lines: Collection[int]) -> dict[int, RecordedError]:
    """The open rows on some of these lines as they are now."""
    query = f"{_RECORDED} and e.line = any(%(lines)s::int[]) and {_IS_OPEN}"
    return {error.line: error for error in fetch_as(RecordedError, query, key, lines=[*lines])}


def list_left_out(key: ImportKey, *, after_line: int, limit: int) -> list[RecordedError]:
    """At most ``limit`` rows below a line that were left out and that nobody has taken up, in the order of the file."""
    return _list(key, f"e.line > %(after)s and {_IS_LEFT_OUT}", limit, after=after_line)


def count_left_out(key: ImportKey) -> dict[ErrorKind, int]:
    """How many rows were left out, and not taken up, by their first problem; the most first."""
    query = f"""
        select ({_CAUSES})[1] as cause, ({_COLUMNS})[1] as in_column, count(*) as rows, min(c.line) as first_line
        from (select * from corrections where {_THIS} and state = {_LEFT_OUT} and taken_by is null) c
        cross join lateral (select causes, "columns" from row_errors {_BY_KEY.format("c")}) e
        group by 1, 2 order by 3 desc, 4
    """
    return {ErrorKind.stored(row.cause, row.in_column): row.rows for row in fetch(query, key)}


def list_open_corrected(key: ImportKey, *, limit: int) -> list[RecordedError]:
    """At most ``limit`` open rows that are corrected, as they are now, in order."""
    return _list(key, f'c.state = {_OPEN} and c.taken_by is null and c."row" is not null', limit)


class OpenSince(NamedTuple):
    """Open rows with the same last answer and the same problems."""

    answer: int
    kinds: frozenset[ErrorKind]
    rows: int


def count_open_since(key: ImportKey, number: int) -> list[OpenSince]:
    """The open rows whose last answer was given after the one with this number."""
    query = f"""
        select answer, causes, columns, count(*) as rows from corrections
        where {_THIS} and answer > %(number)s and state = {_OPEN} and taken_by is null group by 1, 2, 3
    """
    return [
        OpenSince(row.answer, frozenset(map(ErrorKind.stored, row.causes or (), row.columns or ())), row.rows)
        for row in fetch(query, key, number=number)
    ]


def list_right(key: ImportKey, *, rule: str, limit: int) -> list[RecordedError]:
    """At most ``limit`` rows that are right by answers of a rule and that nobody has taken up, in order."""
    by_rule = f"c.answer in (select number from answers where {_THIS} and rule = %(rule)s)"
    return _list(key, f"{_IS_RIGHT} and {by_rule}", limit, rule=rule)


def _list(key: ImportKey, is_wanted: str, limit: int, **values: Any) -> list[RecordedError]:
    query = f"{_RECORDED} and {is_wanted} order by e.line limit %(limit)s"
    return fetch_as(RecordedError, query, key, **values, limit=limit)


def iter_texts(key: ImportKey, state: CorrectionState) -> Iterator[list[str]]:
    """The rows that are open, or that are right and not taken up, as they are now, in the order of the file.

    Each page is a separate statement: the caller may end its transaction between two pages.
    """
    return ([text for _, text in page] for page in _iter_pages(key, state, _TEXT))


def iter_lines(key: ImportKey, state: CorrectionState) -> Iterator[list[int]]:
    """The lines of the same rows, in the same way."""
    return ([line for line, _ in page] for page in _iter_pages(key, state, "''"))


def _iter_pages(key: ImportKey, state: CorrectionState, shown: str) -> Iterator[list[tuple[int, str]]]:
    query = f"""
        select e.line, {shown} as text from {_ROWS}
        where {_OF_IMPORT} and e.line > %(after)s and {_IN_STATE[state]} order by e.line limit %(limit)s
    """
    after = 0
    while rows := fetch(query, key, after=after, limit=_PAGE_ROWS):
        yield [(row.line, row.text) for row in rows]
        after = rows[-1].line


def write(key: ImportKey, rows: pa.Table, *, answer: int, existing: NDArray[np.int32]) -> None:
    """Write corrections: a table with the columns ``line``, ``state``, ``row``, ``code``, ``columns``, ``causes`` and
    ``facts``. Those on the lines ``existing`` replace others.
    """
    if len(existing):
        query = f"delete from corrections where {_THIS} and line = any(%(lines)s::int[])"
        execute(query, key, lines=existing.tolist())
    copy("corrections", with_key(rows, key, answer=pa.scalar(answer, pa.int32())))


# Values ---------------------------------------------------------------------------------------------------------------


def forget_values(key: ImportKey) -> None:
    """Delete the open values of an import."""
    execute(f"delete from open_values where {_THIS}", key)


#: Values of open rows: how many rows have each, and between which lines.
COUNTED = pa.schema(
    {
        "cause": pa.string(),
        "in_column": pa.string(),
        "value": pa.string(),
        "rows": pa.int32(),
        "first_line": pa.int32(),
        "last_line": pa.int32(),
    }
)


def count_values(key: ImportKey, counted: pa.Table) -> None:
    """Add rows with these values, a table of COUNTED, to those that are open."""
    if not len(counted):
        return
    query = f"""
        insert into open_values (seller_id, import_id, cause, "column", value, rows, first_line, last_line)
        select %(seller_id)s, %(import_id)s, cause, in_column, value, rows, first_line, last_line
        from {binary.unnest(COUNTED)}
        on conflict (seller_id, import_id, cause, "column", value) do update set
            rows = open_values.rows + excluded.rows,
            first_line = least(open_values.first_line, excluded.first_line),
            last_line = greatest(open_values.last_line, excluded.last_line)
    """
    binary.execute(query, _as_parameters(key, counted))


def uncount_values(key: ImportKey, counted: pa.Table) -> None:
    """Take rows with these values, a table of COUNTED, away from those that are open."""
    if not len(counted):
        return
    found = f"""
        select v.place, v.rows - k.rows as rows from {binary.unnest(COUNTED)} cross join lateral (
            select ctid as place, rows from open_values
            where {_THIS} and cause = k.cause and "column" = k.in_column and value = k.value offset 0
        ) v
    """
    values = _as_parameters(key, counted)
    # A value of no row is not kept: of as many values as rows, nothing is written twice.
    here = "o.ctid = k.place and o.seller_id = %(seller_id)s"
    binary.execute(f"delete from open_values o using ({found}) k where {here} and k.rows <= 0", values)
    binary.execute(f"update open_values o set rows = k.rows from ({found}) k where {here}", values)


def _as_parameters(key: ImportKey, counted: pa.Table) -> dict[str, Any]:
    # Neighbours in the primary key one after the other, so that each of its pages is found once.
    counted = counted.sort_by([(name, "ascending") for name in ("cause", "in_column", "value")])
    return {**key._asdict(), **binary.as_arrays(counted)}


def list_groups(key: ImportKey) -> list[Group]:
    """The groups of the open rows, largest first."""
    query = f"""
        select cause, "column" as in_column, sum(rows) as rows, count(*) as distinct_values from open_values
        where {_THIS} group by cause, "column" order by sum(rows) desc, min(first_line), cause, "column"
    """
    return [
        Group(ErrorKind.stored(row.cause, row.in_column), row.rows, row.distinct_values) for row in fetch(query, key)
    ]


def list_values(key: ImportKey, groups: Collection[Group], *, per_group: int) -> list[Value]:
    """The most frequent values of each of these groups."""
    # Only those that are wanted are sorted, not all that a group has.
    query = f"""
        select v.* from unnest(%(causes)s::text[], %(columns)s::text[]) with ordinality as g (cause, in_column, place)
        cross join lateral (
            select cause, "column" as in_column, value, rows, first_line, last_line from open_values
            where {_THIS} and cause = g.cause and "column" = g.in_column
            order by rows desc, first_line, value limit %(limit)s
        ) as v
        order by g.place, v.rows desc, v.first_line, v.value
    """
    causes, columns = [group.kind.cause.slug for group in groups], [str(group.kind.column) for group in groups]
    rows = fetch(query, key, causes=causes, columns=columns, limit=per_group)
    return [
        Value(ErrorKind.stored(row.cause, row.in_column), row.value, row.rows, row.first_line, row.last_line)
        for row in rows
    ]


def find_value(key: ImportKey, kind: ErrorKind, value: str) -> Value | None:
    """A value of a group, if any open row has it."""
    query = f"""
        select rows, first_line, last_line from open_values
        where {_THIS} and cause = %(cause)s and "column" = %(column)s and value = %(value)s
    """
    rows = fetch(query, key, cause=kind.cause.slug, column=str(kind.column), value=value)
    return next((Value(kind, value, row.rows, row.first_line, row.last_line) for row in rows), None)


# Taking up ------------------------------------------------------------------------------------------------------------


def take(key: ImportKey, by: int, state: CorrectionState) -> int:
    """Take up all rows that are open, or that are right, by the import with the id ``by``. Returns their number."""
    # Rows that have a correction keep its state. An UPDATE joined to the places would leave the order to the planner.
    query = f"""
        with wanted as (select e.line, {_TEXT} as "row" from {_ROWS} where {_OF_IMPORT} and {_IN_STATE[state]}),
        placed as (select line, {_PLACES} as place from wanted),
        taken as (
            insert into corrections (seller_id, import_id, line, state, taken_by, taken_line)
            select %(seller_id)s, %(import_id)s, line, {_OPEN}, %(by)s, place from placed
            {_UNLESS_TAKEN}
        )
        select count(*) from taken
    """
    return int(fetch_value(query, key, by=by))


class Claimed(NamedTuple):
    """The failed rows among some lines: how many nobody has taken up, by state, and the lines of the others."""

    free: Counter[tuple[str, bool]]
    taken: list[int]
    #: Lines on which no row has failed.
    unknown: list[int]


def look_at(key: ImportKey, lines: Collection[int]) -> Claimed:
    """What has become of the failed rows on these lines."""
    query = f"""
        select a.line, e.line is null as is_unknown, c.taken_by is not null as is_taken,
            coalesce(c.state, {_OPEN}) as state, c."row" is not null as is_corrected
        from unnest(%(lines)s::int[]) as a (line) left join {_ERROR} left join {_CORRECTION}
        order by a.line
    """
    claimed = Claimed(Counter(), [], [])
    for row in fetch(query, key, lines=[*lines]):
        if row.is_unknown:
            claimed.unknown.append(row.line)
        elif row.is_taken:
            claimed.taken.append(row.line)
        else:
            claimed.free[row.state, row.is_corrected] += 1
    return claimed


def take_lines(key: ImportKey, by: int, lines: Mapping[int, int]) -> int:
    """Take up the failed rows on these ``lines``, each with its line in the import ``by``. Returns their number."""
    query = f"""
        with taken as (
            insert into corrections (seller_id, import_id, line, state, taken_by, taken_line)
            select %(seller_id)s, %(import_id)s, a.line, {_OPEN}, %(by)s, a.place
            from unnest(%(lines)s::int[], %(places)s::int[]) as a (line, place)
            join {_ERROR}
            order by a.line
            {_UNLESS_TAKEN}
        )
        select count(*) from taken
    """
    return int(fetch_value(query, key, by=by, lines=[*lines], places=[*lines.values()]))


def find_same_texts(key: ImportKey, texts: Sequence[str]) -> dict[int, int]:
    """The rows that are these very ``texts``, as they failed or, if they are right now, as they were corrected.

    The line of each by the index of its text, of those that are neither taken up nor left out. Of several rows with one
    text, each belongs to one of the texts, in order.
    """
    query = f"""
        with given as (
            select number, text, row_number() over (partition by text order by number) as n
            from unnest(%(texts)s::text[]) with ordinality as t (text, number)
        ), open as (
            select line, text, row_number() over (partition by text order by line) as n
            from (
                select e.line, case when c.state = {_RIGHT} then {_TEXT} else e."row" end as text
                from {_ROWS} where {_OF_IMPORT} and c.taken_by is null and c.state is distinct from {_LEFT_OUT}
            ) as o
        )
        select given.number - 1 as place, open.line from given join open using (text, n)
    """
    return {row.place: row.line for row in fetch(query, key, texts=[*texts])}


def find_parent_lines(parent: ImportKey, by: int, lines: Collection[int]) -> dict[int, int]:
    """The lines of a parent's failed rows that an import has taken up, by their lines in it."""
    query = f"""
        select taken_line, line from corrections
        where {_THIS} and taken_by = %(by)s and taken_line = any(%(lines)s::int[])
    """
    return {row.taken_line: row.line for row in fetch(query, parent, by=by, lines=[*lines])}


class FailedAgain(NamedTuple):
    """Failed rows of an import that have failed again, the last time in one that has taken them up."""

    public_id: UUID
    name: str
    #: How many of them are not left out there; and how many are.
    open: int
    left_out: int


def find_failed_again(seller_id: int, ids: Collection[int]) -> dict[int, list[FailedAgain]]:
    """Where failed rows of imports with these ids have failed again, by id, the earliest import first.

    What has failed there, and was taken up from there by others in turn, counts where it has failed last.
    """
    # An import of a checked file belongs to the check.
    query = """
        select distinct b.import_id from imports i
        join batches b on b.seller_id = %(seller_id)s and b.import_id = i.id and b.failed > 0
        where i.seller_id = %(seller_id)s and (i.parent_id = any(%(ids)s::bigint[]) or i.parent_id in (
            select c.id from imports c where c.seller_id = %(seller_id)s and c.parent_id = any(%(ids)s::bigint[])))
    """
    takers = [row.import_id for row in fetch(query, seller_id=seller_id, ids=[*ids])]
    if not takers:
        # Nearly always, so that very many rows need not be looked through.
        return {}
    # As a condition that is no join, the failed rows of the takers are hashed, whatever the planner takes their number
    # for. From there on, few rows are looked up by their keys.
    query = f"""
        with recursive failed as (
            select c.import_id as parent_id, c.taken_by, c.taken_line from corrections c
            where c.seller_id = %(seller_id)s and c.import_id = any(%(ids)s::bigint[])
              and c.taken_by = any(%(takers)s::bigint[])
              and ((c.taken_by, c.taken_line) in (
                  select import_id, line from row_errors
                  where seller_id = %(seller_id)s and import_id = any(%(takers)s::bigint[])
              )) is true
            union all
            select f.parent_id, c.taken_by, c.taken_line from failed f
            cross join lateral ({_TAKEN_ON.format("f")}) c
            where c.taken_by is not null and {_FAILED_THERE}
        ), last as (
            select f.parent_id, f.taken_by, coalesce(c.state = {_LEFT_OUT}, false) as is_left_out
            from failed f left join lateral ({_TAKEN_ON.format("f")}) c on true where c.taken_by is null
        )
        select last.parent_id, t.public_id, coalesce(nullif(t.name, ''), t.file_name) as name,
            count(*) filter (where not is_left_out) as open, count(*) filter (where is_left_out) as left_out
        from last join imports t on t.seller_id = %(seller_id)s and t.id = last.taken_by
        group by last.parent_id, t.seller_id, t.id order by t.id
    """
    found: dict[int, list[FailedAgain]] = {}
    for row in fetch(query, seller_id=seller_id, ids=[*ids], takers=takers):
        found.setdefault(row.parent_id, []).append(FailedAgain(row.public_id, row.name, row.open, row.left_out))
    return found


class Fate(NamedTuple):
    """What has become of a failed row that is dealt with, and of one that waits to be imported."""

    state: CorrectionState
    #: The last import that has taken it up: its name, how it has it, and whether the row has failed there again.
    #: If it is left out there, the state is LEFT_OUT.
    public_id: UUID | None
    name: str | None
    taken_up_as: TakenUpAs | None
    has_failed: bool


def find_fates(key: ImportKey, lines: Collection[int]) -> dict[int, Fate]:
    """The fates of the failed rows on these lines, without those of rows that are open."""
    query = f"""
        with recursive way as (
            select c.line, c.state, c.taken_by, c.taken_line, 1 as step
            from unnest(%(lines)s::int[]) as e (line) join {_CORRECTION}
            where c.taken_by is not null or c.state <> {_OPEN}
            union all
            select w.line, c.state, coalesce(c.taken_by, w.taken_by), c.taken_line, w.step + 1
            from way w cross join lateral ({_TAKEN_ON.format("w")}) c
            where c.taken_by is not null or c.state = {_LEFT_OUT}
        )
        select distinct on (c.line) c.line, case when c.taken_line is null then c.state else {_OPEN} end as state,
            t.public_id, coalesce(nullif(t.name, ''), t.file_name) as name, t.taken_up_as,
            {_FAILED_THERE} as has_failed
        from way c left join imports t on t.seller_id = %(seller_id)s and t.id = c.taken_by
        order by c.line, c.step desc
    """
    return {
        row.line: Fate(
            CorrectionState(row.state),
            row.public_id,
            row.name,
            row.taken_up_as and TakenUpAs(row.taken_up_as),
            row.has_failed,
        )
        for row in fetch(query, key, lines=[*lines])
    }


def find_owner(taker: ImportKey) -> ImportKey | None:
    """The import whose failed rows another one has taken up."""
    query = "select import_id from corrections where seller_id = %(seller_id)s and taken_by = %(import_id)s limit 1"
    found = fetch_value(query, taker)
    return None if found is None else ImportKey(taker.seller_id, found)


def find_corrected(seller_id: int, written: Collection[tuple[UUID, int]]) -> dict[tuple[UUID, int], WrittenBy]:
    """The failed rows that these rows, each on a line of an import, correct or repeat; others are left out.

    So are failed rows of an import of which very many were taken up: all of these would have to be looked through.
    """
    query = f"""
        select a.public_id, a.line, p.public_id as parent_id, p.file_name, p.name, c.line as parent_line
        from unnest(%(ids)s::uuid[], %(lines)s::int[]) as a (public_id, line)
        join imports m on m.public_id = a.public_id and m.seller_id = %(seller_id)s
        join imports p on p.id = m.parent_id and p.seller_id = %(seller_id)s
        join fixings f on f.import_id = p.id and f.seller_id = %(seller_id)s and f.taken <= {_MOST_TAKEN}
        join corrections c on c.import_id = p.id and c.seller_id = %(seller_id)s
            and c.taken_by = m.id and c.taken_line = a.line
    """
    ids, lines = [one for one, _ in written], [at for _, at in written]
    rows = fetch(query, seller_id=seller_id, ids=ids, lines=lines)
    return {
        (row.public_id, row.line): WrittenBy(row.parent_id, row.file_name, row.name or row.file_name, row.parent_line)
        for row in rows
    }


def let_go(key: ImportKey, by: int) -> None:
    """Let the rows that the import with the id ``by`` has taken up be taken up again."""
    execute(_LET_GO, key, by=by)


def let_go_undone(key: ImportKey, by: int, *, kept: Collection[int], left: Collection[tuple[int, int]]) -> None:
    """The same for the rows that have succeeded there and are undone.

    Those on the lines ``kept`` are not undone, and those on the lines ``left``, from the first to before the second,
    were never processed.
    """
    query = f"""
        {_LET_GO} and taken_line <> all(%(kept)s::int[])
            and not exists (
                select from row_errors e
                where e.seller_id = %(seller_id)s and e.import_id = %(by)s and e.line = corrections.taken_line)
            and not exists (
                select from unnest(%(starts)s::int[], %(ends)s::int[]) as a (first, after)
                where corrections.taken_line >= a.first and corrections.taken_line < a.after)
    """
    starts, ends = [first for first, _ in left], [after for _, after in left]
    execute(query, key, by=by, kept=[*kept], starts=starts, ends=ends)


def count_taken(key: ImportKey) -> dict[int, int]:
    """How many of its failed rows each import has taken up, by the id of that import."""
    query = f"""
        select taken_by, count(*) as rows from corrections
        where {_THIS} and taken_by is not null group by taken_by
    """
    return {row.taken_by: row.rows for row in fetch(query, key)}


def count_failed_taken(key: ImportKey) -> int:
    """How many of the rows that were taken up have failed: all of them."""
    query = f"select count(*) from {_ROWS} where {_OF_IMPORT} and c.taken_by is not null"
    return int(fetch_value(query, key))


def count_states(key: ImportKey, standing: Standing = NOTHING_DONE) -> Standing:
    """``standing`` with its numbers counted again from the rows."""
    query = f"""
        select count(*) filter (where taken_by is null and state = {_RIGHT}) as correct,
            count(*) filter (where taken_by is null and state = {_OPEN} and "row" is not null) as open_corrected,
            count(*) filter (where taken_by is null and state = {_LEFT_OUT}) as left_out,
            count(*) filter (where taken_by is not null) as taken
        from corrections where {_THIS}
    """
    return standing._replace(**fetch_one(query, key)._asdict())
