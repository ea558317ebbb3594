"""What an answer makes of the rows that it is for: the rules, and the values that each puts in their cells."""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import compress
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.csvfile.causes import Cause
from app.csvfile.cells import split_record, why_not_one_record
from app.csvfile.columns import Column, Layout
from app.csvfile.mend import mend
from app.csvfile.texts import Indices, Mask
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


class Changed(NamedTuple):
    """Rows that an answer changes: their places in the slice, in order, and their new texts."""

    at: Indices
    texts: pa.StringArray


def apply(answer: GivenAnswer, rows: Slice, facts: pa.StringArray, layout: Layout) -> Changed:
    """What an answer makes of the rows of a slice that it is for; the others, and those it cannot help, stay."""
    kind = ErrorKind(Cause.by_slug(answer.cause), answer.column)
    is_meant = rows.has(kind) if answer.cause else np.ones(len(rows.lines), np.bool_)
    if answer.value is not None:
        is_meant &= pc.equal(rows.values(kind), answer.value).to_numpy(zero_copy_only=False)
    return _RULES[Rule(answer.rule)](answer, rows, facts, is_meant, layout)


def _unchanged(_a: GivenAnswer, rows: Slice, _f: pa.StringArray, is_meant: Mask, _l: Layout) -> Changed:
    at = np.flatnonzero(is_meant)
    return Changed(at, rows.texts.take(pa.array(at)))


def _set(answer: GivenAnswer, rows: Slice, _: pa.StringArray, is_meant: Mask, layout: Layout) -> Changed:
    some = rows.take(np.flatnonzero(is_meant & rows.is_assigned()))
    given = {column: pa.array([value] * len(some.lines), pa.string()) for column, value in answer.cells.items()}
    return _with_cells(rows, some, given, layout)


def _suggested(answer: GivenAnswer, rows: Slice, _: pa.StringArray, is_meant: Mask, layout: Layout) -> Changed:
    kind = ErrorKind(Cause.by_slug(answer.cause), answer.column)
    some = rows.take(np.flatnonzero(is_meant & rows.is_assigned()))
    encoded = pc.dictionary_encode(some.values(kind))
    pounds = {"pounds": True, "pence": False}.get(answer.cells.get(UNIT, ""))
    values = [sure_value(kind, value, pounds=pounds) for value in encoded.dictionary.to_pylist()]
    new = pa.array(values, pa.string()).take(encoded.indices)
    known = new.is_valid().to_numpy(zero_copy_only=False)
    return _with_cells(rows, some.take(np.flatnonzero(known)), {answer.column: new.drop_null()}, layout)


def _drop_variants(_: GivenAnswer, rows: Slice, facts: pa.StringArray, is_meant: Mask, layout: Layout) -> Changed:
    at = np.flatnonzero(is_meant & rows.is_assigned())
    some = rows.take(at)
    unknown = [_unknown_variants(text) for text in facts.take(pa.array(at)).to_pylist()]
    cells = [
        "|".join(part for part in value.split("|") if part.strip().lower() not in dropped)
        for value, dropped in zip(some.columns[Column.VARIANTS].to_pylist(), unknown, strict=True)
    ]
    return _with_cells(rows, some, {Column.VARIANTS: pa.array(cells, pa.string())}, layout)


def _unknown_variants(facts: str) -> set[str]:
    each = json.loads(facts) if facts else []
    return {variant for one in each for variant in one.get("variants", ())}


def _drop_extra(_: GivenAnswer, rows: Slice, _f: pa.StringArray, is_meant: Mask, layout: Layout) -> Changed:
    return _with_cells(rows, rows.take(np.flatnonzero(is_meant & rows.is_assigned())), {}, layout)


def _unquote(_: GivenAnswer, rows: Slice, _f: pa.StringArray, is_meant: Mask, _l: Layout) -> Changed:
    at = np.flatnonzero(is_meant)
    inner = [split_record(text)[0].strip("\r\n") for text in rows.texts.take(pa.array(at)).to_pylist()]
    is_row = [not why_not_one_record(text) for text in inner]
    return Changed(at[is_row], pa.array(compress(inner, is_row), pa.string()))


def _mend(_: GivenAnswer, rows: Slice, _f: pa.StringArray, is_meant: Mask, layout: Layout) -> Changed:
    at = np.flatnonzero(is_meant)
    mended = mend(rows.texts.take(pa.array(at)).to_pylist(), layout)
    return Changed(at[[text is not None for text in mended]], pa.array(filter(None, mended), pa.string()))


def _with_cells(rows: Slice, some: Slice, given: Mapping[str, pa.StringArray], layout: Layout) -> Changed:
    """``some`` of the rows with these cells in place of theirs."""
    at = np.searchsorted(rows.lines, some.lines)
    return Changed(at, as_texts([given.get(column, some.columns[column]) for column in layout.columns]))


_RULES: dict[Rule, Callable[[GivenAnswer, Slice, pa.StringArray, Mask, Layout], Changed]] = {
    Rule.SET: _set,
    Rule.SUGGESTED: _suggested,
    Rule.DROP_VARIANTS: _drop_variants,
    Rule.DROP_EXTRA: _drop_extra,
    Rule.UNQUOTE: _unquote,
    Rule.MEND: _mend,
    Rule.RECHECK: _unchanged,
    Rule.LEAVE_OUT: _unchanged,
    Rule.LEAVE_REST: _unchanged,
}
