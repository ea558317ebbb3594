"""What an answer makes of the rows that it is for: the rules, and the values that each puts in their cells."""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import compress
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.csvfile.cells import split_record, why_not_one_record
from app.csvfile.columns import TEXT_LIMITS, Column, Layout
from app.csvfile.mend import mend
from app.csvfile.validate import without_invisible
from app.imports.fixes.slices import Slice, as_texts
from app.imports.reports.suggestions import sure_value
from app.queries.imports.corrections import GivenAnswer
from app.queries.imports.error_groups import ErrorKind


class Rule(StrEnum):
    """What an answer does."""

    #: Put the values of the answer in the columns that it names.
    SET = "set"
    #: Put in each row the value that its wrong value certainly means.
    SUGGESTED = "suggested"
    #: Leave out the variants that the item does not have.
    DROP_VARIANTS = "drop-variants"
    #: Leave out the values that belong to no column.
    DROP_EXTRA = "drop-extra"
    #: Remove characters that cannot be seen, where that makes the value right.
    REMOVE_INVISIBLE = "remove-invisible"
    #: Cut texts to the length that their column can have.
    CUT = "cut"
    #: Take the quotation marks around the whole row away.
    UNQUOTE = "unquote"
    #: Put commas and quotation marks right, where only one way to do so makes the row valid.
    MEND = "mend"
    #: Add the copies of the rows to the listings that are there already, and leave these as they are otherwise.
    ADD = "add"
    #: Look again whether the rows are right as they are: the catalog or the listings have changed.
    RECHECK = "recheck"
    #: Do not import the rows.
    LEAVE_OUT = "leave-out"
    #: Do not import any row that is still open, but for those that were answered since the answer ``SINCE``.
    LEAVE_REST = "leave-rest"
    #: Single rows, cell by cell; there is no group.
    CELLS = "cells"


#: The rules by which groups are answered.
FOR_GROUPS = tuple(rule for rule in Rule if rule not in {Rule.LEAVE_REST, Rule.CELLS})
#: In the cells of an answer: what prices are in that may be pence or pounds; why rows are left out; and the number of
#: the answer from which on they are not.
UNIT, REASON, SINCE = "unit", "reason", "since"


class NewAnswer(NamedTuple):
    """An answer that is being given: a rule, and the group that it is for. Recorded, it is a ``GivenAnswer``."""

    rule: Rule
    cause: str = ""
    column: str = ""
    #: None: all rows of the group.
    value: str | None = None
    cells: Mapping[str, str] = {}


Answer = NewAnswer | GivenAnswer


class Changed(NamedTuple):
    """Rows that an answer changes, and their new texts."""

    rows: Slice
    texts: pa.StringArray


def apply(answer: Answer, rows: Slice, layout: Layout) -> Changed:
    """What an answer makes of the rows of a slice that it is for; the others, and those it cannot help, stay."""
    kind = ErrorKind.stored(answer.cause, answer.column)
    is_meant = rows.has(kind) if answer.cause else np.ones(len(rows.lines), np.bool_)
    if answer.value is not None:
        is_meant &= pc.equal(rows.values(kind), answer.value).to_numpy(zero_copy_only=False)
    return _RULES[Rule(answer.rule)](answer, rows.take(np.flatnonzero(is_meant)), layout)


def _unchanged(_: Answer, rows: Slice, _layout: Layout) -> Changed:
    return Changed(rows, rows.texts)


def _set(answer: Answer, rows: Slice, layout: Layout) -> Changed:
    rows = rows.assigned()
    given = {column: pa.array([value] * len(rows.lines), pa.string()) for column, value in answer.cells.items()}
    return _with_cells(rows, given, layout)


def _suggested(answer: Answer, rows: Slice, layout: Layout) -> Changed:
    kind = ErrorKind.stored(answer.cause, answer.column)
    rows = rows.assigned()
    encoded = pc.dictionary_encode(rows.values(kind))
    pounds = {"pounds": True, "pence": False}.get(answer.cells.get(UNIT, ""))
    values = [sure_value(kind, value, pounds=pounds) for value in encoded.dictionary.to_pylist()]
    new = pa.array(values, pa.string()).take(encoded.indices)
    return _with_cells(rows.take(np.flatnonzero(new.is_valid())), {answer.column: new.drop_null()}, layout)


def _drop_variants(_: Answer, rows: Slice, layout: Layout) -> Changed:
    rows = rows.assigned()
    cells = []
    for value, facts in zip(rows.columns[Column.VARIANTS].to_pylist(), rows.facts.to_pylist(), strict=True):
        unknown = {variant for each in json.loads(facts or "[]") for variant in each.get("variants", ())}
        cells.append("|".join(part for part in value.split("|") if part.strip().lower() not in unknown))
    return _with_cells(rows, {Column.VARIANTS: pa.array(cells, pa.string())}, layout)


def _drop_extra(_: Answer, rows: Slice, layout: Layout) -> Changed:
    return _with_cells(rows.assigned(), {}, layout)


def _remove_invisible(answer: Answer, rows: Slice, layout: Layout) -> Changed:
    if answer.column not in rows.columns:
        return _unchanged(answer, rows.take(np.arange(0)), layout)
    rows, column = rows.assigned(), Column(answer.column)
    new = pa.array([without_invisible(column, value) for value in rows.columns[column].to_pylist()], pa.string())
    return _with_cells(rows.take(np.flatnonzero(new.is_valid())), {column: new.drop_null()}, layout)


def _cut(answer: Answer, rows: Slice, layout: Layout) -> Changed:
    limit = TEXT_LIMITS.get(answer.column)
    if limit is None or answer.column not in rows.columns:
        return _unchanged(answer, rows.take(np.arange(0)), layout)
    rows = rows.assigned()
    texts = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(rows.columns[answer.column]), 0, limit)
    return _with_cells(rows, {answer.column: pc.utf8_rtrim_whitespace(texts)}, layout)


def _unquote(_: Answer, rows: Slice, _layout: Layout) -> Changed:
    inner = [split_record(text)[0].strip("\r\n") for text in rows.texts.to_pylist()]
    is_row = [not why_not_one_record(text) for text in inner]
    return Changed(rows.take(np.flatnonzero(is_row)), pa.array(compress(inner, is_row), pa.string()))


def _mend(_: Answer, rows: Slice, layout: Layout) -> Changed:
    mended = pa.array(mend(rows.texts.to_pylist(), layout), pa.string())
    return Changed(rows.take(np.flatnonzero(mended.is_valid())), mended.drop_null())


def _with_cells(rows: Slice, given: Mapping[str, pa.StringArray], layout: Layout) -> Changed:
    """The rows with these cells in place of theirs."""
    return Changed(rows, as_texts([given.get(column, rows.columns[column]) for column in layout.columns]))


_RULES: dict[Rule, Callable[[Answer, Slice, Layout], Changed]] = {
    Rule.SET: _set,
    Rule.SUGGESTED: _suggested,
    Rule.DROP_VARIANTS: _drop_variants,
    Rule.DROP_EXTRA: _drop_extra,
    Rule.REMOVE_INVISIBLE: _remove_invisible,
    Rule.CUT: _cut,
    Rule.UNQUOTE: _unquote,
    Rule.MEND: _mend,
    Rule.RECHECK: _unchanged,
    Rule.LEAVE_OUT: _unchanged,
    Rule.LEAVE_REST: _unchanged,
}
