"""Reads bytes into columns of cells, with exact lines and byte offsets.

Nearly every line of a file is *regular*: a record of its own without doubt. The regular lines of a block are parsed
together by Arrow. All others are read thoroughly, one by one (``records``), so that a damaged line costs no other line
its speed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from app.csvfile.columns import NEWEST, Column, Layout
from app.csvfile.contract import MAX_RECORD_BYTES, MAX_TEXT_LENGTH
from app.csvfile.errors import SAVE_AS_CSV, FileRejected, OtherEncoding
from app.csvfile.records import BrokenCells, read_records
from app.csvfile.regular import join_lines, judge_lines, parse_lines
from app.csvfile.texts import Indices, Mask, where
from app.csvfile.visible import trim

#: Number of bytes that are parsed together.
BLOCK_BYTES = 1024 * 1024

#: Unicode category Cc without tab and the line breaks.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive whole records of a file."""

    #: The byte of the file at which it begins, and its bytes.
    offset: int
    data: bytes
    #: The byte of ``data``, and the physical line, at which each record begins; and those after the last one.
    starts: Indices
    lines: Indices
    #: The *fit* records, in order: those with a value for each column, well quoted and without control characters.
    fit: Indices
    #: Their cells: an array of strings for each column, where values repeat, each is stored once.
    columns: list[pa.Array]
    #: The cells of the other records.
    unfit: dict[int, list[str]]

    def __len__(self) -> int:
        """The number of records."""
        return len(self.starts) - 1

    def texts(self, records: Indices) -> list[str]:
        """Some records as in the file, including their line endings."""
        pieces = zip(self.starts[records].tolist(), self.starts[records + 1].tolist(), strict=True)
        return [self.data[start:end].decode() for start, end in pieces]

    def rows(self, records: Indices) -> pa.StringArray:
        """Some records, in order, as in the file but without their final line endings."""
        raw = np.frombuffer(self.data, np.uint8)
        starts, ends = self.starts[records], self.starts[records + 1]
        for mark in b"\n\r":
            ends = np.maximum(ends - (raw[ends - 1] == mark), starts)
        # Every second one of these texts is a record, the others are between them.
        bounds = np.append(0, np.column_stack((starts, ends))).astype(np.int32)
        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(self.data)]
        texts = pa.Array.from_buffers(pa.string(), len(bounds) - 1, buffers)
        return texts.take(pa.array(np.arange(1, len(bounds), 2)))

    def cells(self, records: Indices) -> list[list[str]]:
        """The cells of some records."""
        fit = csv.reader(self.texts(np.setdiff1d(records, [*self.unfit], assume_unique=True)), strict=True)
        wanted = len(self.columns)
        return [self.unfit[record] if record in self.unfit else next(fit)[:wanted] for record in records.tolist()]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive whole records of a file whose cells were not read yet, except on lines that are not regular."""

    #: The byte and the physical line of the file at which it begins, and its bytes.
    offset: int
    line: int
    data: bytes
    layout: Layout
    #: Whether no other follows.
    is_last: bool
    #: The byte of ``data`` at which each line begins, and for each line whether it is regular.
    starts: Indices
    is_regular: Mask
    #: The cells of the records that begin on other lines.
    thorough: dict[int, list[str]]
    #: The line at which each record begins, and the one after the last record.
    heads: Indices

    def read(self) -> Block:
        """The cells of all records."""
        data, starts, thorough, layout = self.data, self.starts, dict(self.thorough), self.layout
        regular = np.flatnonzero(self.is_regular)
        joined = join_lines(data, starts, regular)
        columns, misfits = _parse(joined, len(regular), layout) if len(regular) else _none(layout)
        for at in regular[misfits].tolist():
            text = data[starts[at] : starts[at + 1]].decode()
            thorough[at] = next(read_records([text], 0, line=self.line + at, layout=layout, is_last=True)).cells
        fit_lines, columns, unfit = _place(np.delete(regular, misfits), columns, thorough, layout)
        is_head = np.zeros(len(self.is_regular), np.bool_)
        is_head[self.heads[:-1]] = True
        # The record that begins on a line.
        records = np.cumsum(is_head) - 1
        unfit = {int(records[at]): cells for at, cells in unfit.items()}
        return Block(self.offset, data, starts[self.heads], self.heads + self.line, records[fit_lines], columns, unfit)


def read_blocks(
    pieces: Iterable[bytes], *, offset: int, line: int, layout: Layout = NEWEST, block_bytes: int | None = None
) -> Iterator[Block]:
    """Read records from ``pieces``, which begin at byte ``offset`` and physical line ``line`` of the file.

    About ``block_bytes``, by default BLOCK_BYTES, become a block.

    The records do not depend on how the bytes are cut into pieces. Raises FileRejected for bytes that cannot be a row:
    not UTF-8, a NUL, a quote that is never closed, a record over MAX_RECORD_BYTES.
    """
    stretches = find_records(pieces, offset=offset, line=line, layout=layout, block_bytes=block_bytes)
    return (stretch.read() for stretch in stretches)


def find_records(
    pieces: Iterable[bytes], *, offset: int, line: int, layout: Layout = NEWEST, block_bytes: int | None = None
) -> Iterator[Stretch]:
    """As ``read_blocks``, but finds only where the records begin; their cells may be read later, by any thread."""
    pending: list[bytes] = []
    size = 0
    enough = block_bytes or BLOCK_BYTES
    for piece in _cut(pieces, enough):
        pending.append(piece)
        size += len(piece)
        if size < enough:
            continue
        data = b"".join(pending)
        found = _find(data[: data.rfind(b"\n") + 1], offset, line, layout, is_last=False)
        if len(found.heads) > 1:
            yield found
        # A single record that has not ended yet.
        at = int(found.heads[-1])
        rest = data[found.starts[at] :]
        offset, line = offset + int(found.starts[at]), line + at
        if len(rest) > MAX_RECORD_BYTES:
            raise _too_long(line)
        pending, size = [rest], len(rest)
    if size:
        yield _find(b"".join(pending), offset, line, layout, is_last=True)


def _cut(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of at most this ``size``, which limits the records of a block."""
    for piece in pieces:
        for start in range(0, len(piece), size):
            yield piece[start : start + size]


def _find(data: bytes, offset: int, line: int, layout: Layout, *, is_last: bool) -> Stretch:
    """The records in ``data``: whole lines, unless ``is_last``. Without an incomplete record at the end."""
    check_text(data, line)
    starts, is_regular = judge_lines(data)
    thorough, end = _read_irregular(data, is_regular, line, layout, is_last=is_last)
    is_regular[end:] = False
    is_head = is_regular.copy()
    is_head[[*thorough]] = True
    heads = np.append(np.flatnonzero(is_head), end)
    too_long = np.flatnonzero(np.diff(starts[heads]) > MAX_RECORD_BYTES)
    if len(too_long):
        raise _too_long(line + int(heads[too_long[0]]))
    return Stretch(offset, line, data, layout, is_last, starts, is_regular, thorough, heads)


def check_text(data: bytes, line: int) -> None:
    """Raise FileRejected unless ``data``, whole lines that begin on ``line``, are text in UTF-8."""
    nul = data.find(b"\0")
    if nul >= 0:
        at = line + data.count(b"\n", 0, nul)
        raise FileRejected(f"Line {at} contains a NUL byte, so this is not a text file. {SAVE_AS_CSV}", at)
    try:
        try:
            if not data.isascii():
                # Ten times as fast as decoding, which knows the place.
                offsets = pa.py_buffer(np.array([0, len(data)], np.int32))
                pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(data)]).validate(full=True)
        except pa.ArrowInvalid:
            data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = line + data.count(b"\n", 0, error.start)
        what = "has characters that cannot be read: the file is not saved in UTF-8."
        raise OtherEncoding(f"Line {at} {what} {SAVE_AS_CSV}", at) from None


def _read_irregular(
    data: bytes, is_regular: Mask, line: int, layout: Layout, *, is_last: bool
) -> tuple[dict[int, list[str]], int]:
    """The cells of the records that begin on irregular lines, by line; and the line at which an incomplete one begins.

    The lines on which such a record goes on are no longer regular.
    """
    irregular = np.flatnonzero(~is_regular).tolist()
    lines = io.StringIO(data.decode(), newline="\n").readlines() if irregular else []
    found: dict[int, list[str]] = {}
    end = 0
    for at in irregular:
        if at < end:
            continue
        end = at
        for record in read_records(lines, at, line=line, layout=layout, is_last=is_last):
            found[end] = record.cells
            is_regular[end : end + record.height] = False
            end += record.height
            if end < len(lines) and is_regular[end]:
                break
        else:
            return found, end
    return found, len(is_regular)


def _parse(data: bytes, count: int, layout: Layout) -> tuple[list[pa.Array], Indices]:
    """The cells of ``count`` regular lines, column by column, and the lines that have another number of values.

    A value in a column without a name is one too many.
    """
    names = [str(at) for at in range(layout.width)]
    types = dict.fromkeys(names[len(layout.columns) + layout.ignored :], _REPEATING)
    types = {name: _type(column) for name, column in zip(names, layout.columns, strict=False)} | types
    columns, misfits = parse_lines(data, names, types)
    named, unnamed = columns[: len(layout.columns)], columns[len(layout.columns) :]
    lines = np.delete(np.arange(count), misfits)
    has_extra = np.zeros(len(lines), np.bool_)
    for column in unnamed:
        has_extra |= where(column, lambda cell: bool(trim(cell)))
    if has_extra.any():
        named = [column.filter(pa.array(~has_extra)) for column in named]
    return named, np.append(misfits, lines[has_extra])


def _none(layout: Layout) -> tuple[list[pa.Array], Indices]:
    return [pa.array([], _type(column)) for column in layout.columns], np.empty(0, np.intp)


#: The type of cells whose values repeat: each value is stored once.
_REPEATING = pa.dictionary(pa.int32(), pa.string())


def _type(column: Column) -> pa.DataType:
    return pa.string() if column.spec.suspects else _REPEATING


def _place(
    lines: Indices, columns: list[pa.Array], thorough: dict[int, list[str]], layout: Layout
) -> tuple[Indices, list[pa.Array], dict[int, list[str]]]:
    """The fit records by line and their columns, with those that were read thoroughly, and the cells of the others."""
    cells = {at: _own_values(cells, layout) for at, cells in thorough.items()}
    fit = {
        at: one
        for at, one in cells.items()
        if len(one) == len(layout.columns) and type(one) is list and not any(map(CONTROL.search, one))
    }
    if fit:
        lines = np.append(lines, [*fit])
        order = np.argsort(lines)
        more = zip(*fit.values(), strict=True)
        columns = [_merge(column, cells, pa.array(order)) for column, cells in zip(columns, more, strict=True)]
        lines = lines[order]
    return lines, columns, {at: one for at, one in cells.items() if at not in fit}


def _merge(column: pa.Array, cells: Sequence[str], order: pa.Array) -> pa.Array:
    """The ``column`` with more ``cells``, in another order."""
    more = pa.array(cells, pa.string()).cast(column.type)
    return pa.chunked_array([column, more]).unify_dictionaries().combine_chunks().take(order)


def _own_values(cells: list[str], layout: Layout) -> list[str]:
    """The values of a row without those in ignored columns and in unnamed ones, if all of the latter are empty."""
    count = len(layout.columns)
    if not count < len(cells) <= layout.width or layout.find_extra(cells):
        return cells
    kept = cells[:count]
    return BrokenCells(kept, cells.problems) if isinstance(cells, BrokenCells) else kept


def _too_long(line: int) -> FileRejected:
    return FileRejected(
        f"The row that begins on line {line} is longer than {MAX_RECORD_BYTES // 1024} KiB. Either a text in it is too "
        f"long: at most {MAX_TEXT_LENGTH} characters. Or a quotation mark is opened in it and never closed: close it "
        "or delete it.",
        line,
    )
