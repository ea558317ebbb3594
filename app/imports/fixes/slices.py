"""Thousands of failed rows at a time as columns: their cells, their wrong values, and their texts with other cells."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.csvfile.causes import Problem
from app.csvfile.columns import Layout
from app.csvfile.lines import BLOCK_BYTES
from app.csvfile.reader import Block, read_blocks
from app.csvfile.texts import Indices, Mask, Texts
from app.imports.reports.row_errors import TELLING, can_be_assigned
from app.queries import ImportKey
from app.queries.imports import corrections
from app.queries.imports.corrections import COUNTED
from app.queries.imports.error_groups import ErrorKind
from app.statuses import CorrectionState

#: Joins the values of several columns.
JOINT = "\x1f"
#: A longer value belongs to no group of rows with the same value.
_MAX_VALUE = 200


class Slice(NamedTuple):
    """Failed rows in the order of the file."""

    lines: NDArray[np.int32]
    texts: pa.StringArray
    #: The distinct combinations of problems, and for each row the index of its own.
    reasons: list[tuple[ErrorKind, ...]]
    reason_at: Indices
    #: The cells by column; null where it is not certain which value belongs to which column.
    columns: dict[str, pa.StringArray]
    #: The facts of their problems as JSON; empty where they were not read.
    facts: pa.StringArray
    #: The state of each, empty for a row without a correction; and whether it has another text than was uploaded.
    states: pa.StringArray
    is_corrected: Mask

    def values(self, kind: ErrorKind) -> pa.StringArray:
        """The value of each row that counts for the problem: empty where none does."""
        columns = [self.columns[column] for column in kind.columns if column in self.columns]
        if kind.cause not in TELLING or not columns:
            return pa.array([""] * len(self.lines), pa.string())
        trimmed = [pc.utf8_trim_whitespace(cells) for cells in columns]
        joined = pc.binary_join_element_wise(*trimmed, JOINT) if len(trimmed) > 1 else trimmed[0]
        joined = pc.fill_null(joined, "")
        return pc.if_else(pc.greater(pc.utf8_length(joined), _MAX_VALUE), "", joined)

    def has(self, kind: ErrorKind) -> Mask:
        """For each row whether it has the problem."""
        return np.array([kind in reasons for reasons in self.reasons], np.bool_)[self.reason_at]

    def assigned(self) -> Slice:
        """The rows of which it is certain which value belongs to which column."""
        return self.take(np.flatnonzero(next(iter(self.columns.values())).is_valid()))

    def open(self) -> Slice:
        """The rows that are open."""
        return self.take(np.flatnonzero(pc.is_in(self.states, pa.array(["", CorrectionState.OPEN.value]))))

    def take(self, at: Indices) -> Slice:
        """Some of the rows, in their order."""
        if len(at) == len(self.lines):
            return self
        wanted = pa.array(at)
        columns = {name: cells.take(wanted) for name, cells in self.columns.items()}
        rest = self.facts.take(wanted), self.states.take(wanted), self.is_corrected[at]
        return Slice(self.lines[at], self.texts.take(wanted), self.reasons, self.reason_at[at], columns, *rest)

    def with_problems(self, texts: pa.StringArray, problems: Sequence[Sequence[Problem]], layout: Layout) -> Slice:
        """The rows with other ``texts``, each with these problems."""
        kinds = [tuple(dict.fromkeys(ErrorKind(one.cause, str(one.column)) for one in each)) for each in problems]
        reasons = [*dict.fromkeys(kinds)]
        places = {each: place for place, each in enumerate(reasons)}
        at = np.array([places[each] for each in kinds], np.intp)
        return self._replace(texts=texts, reasons=reasons, reason_at=at, columns=_cells(texts, reasons, at, layout))

    def tally(self) -> pa.Table:
        """The distinct values of each problem, with the number and the bounds of their rows: a table of COUNTED."""
        found = []
        for kind in dict.fromkeys(kind for reasons in self.reasons for kind in reasons):
            at = np.flatnonzero(self.has(kind))
            if not len(at):
                continue
            encoded = pc.dictionary_encode(self.values(kind).take(pa.array(at)))
            lines, codes = self.lines[at], encoded.indices.to_numpy()
            _, first, counts = np.unique(codes, return_index=True, return_counts=True)
            last = len(codes) - 1 - np.unique(codes[::-1], return_index=True)[1]
            values = encoded.dictionary
            of_kind = (pa.repeat(name, len(values)) for name in (kind.cause.slug, str(kind.column)))
            numbers = (pa.array(each, pa.int32()) for each in (counts, lines[first], lines[last]))
            found.append(pa.table([*of_kind, values, *numbers], schema=COUNTED))
        return pa.concat_tables(found) if found else COUNTED.empty_table()


def of_lines(key: ImportKey, lines: Collection[int], layout: Layout) -> Slice:
    """The rows on these lines that nobody has taken up."""
    return from_table(corrections.read_lines(key, lines), layout)


def _parse_reasons(joined: str) -> tuple[ErrorKind, ...]:
    """The problems of a row from ``corrections.SLICE``."""
    causes, columns = (part.split(" ") for part in joined.split("/"))
    return tuple(dict.fromkeys(ErrorKind.stored(cause, column) for cause, column in zip(causes, columns, strict=True)))


def from_table(rows: pa.Table, layout: Layout) -> Slice:
    """The rows of a table with the columns ``corrections.SLICE``."""
    encoded = rows["reasons"].combine_chunks().dictionary_encode()
    reasons = [_parse_reasons(joined) for joined in encoded.dictionary.to_pylist()]
    texts = rows["row"].combine_chunks()
    at = encoded.indices.to_numpy()
    rest = rows["facts"].combine_chunks(), rows["state"].combine_chunks(), rows["is_corrected"].to_numpy() > 0
    return Slice(rows["line"].to_numpy(), texts, reasons, at, _cells(texts, reasons, at, layout), *rest)


def as_file(texts: pa.StringArray) -> bytes:
    """Rows as the part of a file below its header."""
    return Texts(pc.binary_join_element_wise(texts, "", "\n")).data


def _cells(
    texts: pa.StringArray, reasons: Sequence[tuple[ErrorKind, ...]], reason_at: Indices, layout: Layout
) -> dict[str, pa.StringArray]:
    parts: list[list[pa.Array]] = [[] for _ in layout.columns]
    before = 0
    for block in read_blocks([as_file(texts)], offset=0, line=2, layout=layout, block_bytes=BLOCK_BYTES):
        unfit = {at: reasons[reason_at[before + at]] for at in block.unfit}
        for part, cells in zip(parts, _cells_of(block, unfit, layout), strict=True):
            part.append(cells)
        before += len(block)
    if before != len(texts):
        raise ValueError("rows do not stand by themselves")
    return {
        column: pa.concat_arrays(part) if part else pa.array([], pa.string())
        for column, part in zip(layout.columns, parts, strict=True)
    }


def _cells_of(block: Block, reasons: Mapping[int, tuple[ErrorKind, ...]], layout: Layout) -> list[pa.Array]:
    """The cells of all records of a block, column by column; ``reasons`` has the problems of those that are unfit."""
    columns = [column.cast(pa.string()) for column in block.columns]
    if not block.unfit:
        return columns
    nothing = [None] * len(columns)
    others = [
        cells[: len(columns)] if can_be_assigned(cells, (kind.cause.slug for kind in reasons[at]), layout) else nothing
        for at, cells in block.unfit.items()
    ]
    order = pa.array(np.argsort(np.append(block.fit, [*block.unfit])))
    return [
        pa.concat_arrays([column, pa.array(more, pa.string())]).take(order)
        for column, more in zip(columns, zip(*others, strict=True), strict=True)
    ]


def as_texts(columns: Sequence[pa.StringArray]) -> pa.StringArray:
    """The rows with these cells, as they stand in a file."""
    return pc.binary_join_element_wise(*map(_quote, columns), ",")


def _quote(cells: pa.StringArray) -> pa.StringArray:
    at = Texts(cells).with_any(",", '"', "\r", "\n")
    if not len(at):
        return cells
    is_special = np.zeros(len(cells), np.bool_)
    is_special[at] = True
    special = pc.replace_substring(cells.take(pa.array(at)), '"', '""')
    return pc.replace_with_mask(cells, pa.array(is_special), pc.binary_join_element_wise('"', special, '"', ""))
