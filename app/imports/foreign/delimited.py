"""Reads a text with separators into blocks of cells, with the exact place of every row.

Regular lines are parsed together by Arrow, as in the import format (``csvfile.regular``). All others are read one by
one. No quotation mark can cost more than its own line: a record whose marks are broken, or that swallows other rows,
ends where its line ends, with a note, and its other lines are read as rows.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from app.csvfile.regular import join_lines, judge_lines, parse_lines
from app.csvfile.texts import Indices, Mask
from app.csvfile.visible import trim
from app.imports.foreign.encodings import decode, undecodable
from app.imports.foreign.oddities import notes_of
from app.imports.foreign.shapes import Block, Note, Reading, Unreadable

#: Number of bytes that are parsed together.
BLOCK_BYTES = 2 * 1024 * 1024
#: Number of rows in a block at most.
MAX_BLOCK_ROWS = 20_000
#: A longer record of several lines has a quotation mark that was opened by mistake. ``csv`` allows no longer cells.
MAX_RECORD_BYTES = 128 * 1024
#: Nothing with a longer line is a table.
MAX_LINE_BYTES = 1024 * 1024
#: A table with fewer columns may hold texts of several lines that look like its rows.
_MIN_TELLING_WIDTH = 4

_MARK = b"\xef\xbb\xbf"
#: Makes of a text whose lines end in CR one whose lines end in LF, and the other way round.
_SWAPPED = bytes.maketrans(b"\r\n", b"\n\r")
SWAPPED_ENDS = str.maketrans("\r\n", "\n\r")


class _Record(NamedTuple):
    """A record that was read by itself."""

    cells: list[str]
    #: The number of its physical lines.
    height: int
    note: Note | None


class _Rows(NamedTuple):
    """Records in the order of the file."""

    #: The position of their first lines among the lines of the data.
    firsts: Indices
    columns: list[pa.Array]
    #: By position among the records: what is odd about them, and how many cells those have that have too few.
    notes: dict[int, Note]


def read_text(pieces: Iterable[bytes], reading: Reading) -> Iterator[Block]:
    """The rows of the text whose bytes are ``pieces``, read as ``reading`` says.

    The rows do not depend on how the bytes are cut into pieces. Raises Unreadable for a NUL, and for bytes that are no
    text in the encoding.
    """
    parser = _Parser(reading)
    pending: list[bytes] = []
    size = 0
    for piece in _cut(pieces):
        pending.append(piece)
        size += len(piece)
        if size < BLOCK_BYTES:
            continue
        data = b"".join(pending)
        yield from parser.read(data[: data.rfind(parser.end_of_line) + 1], is_last=False)
        rest = data[parser.taken :]
        if len(rest) - rest.rfind(parser.end_of_line) > MAX_LINE_BYTES:
            raise _too_long(parser.line + rest.count(parser.end_of_line))
        pending, size = [rest], len(rest)
    if size:
        yield from parser.read(b"".join(pending), is_last=True)


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), BLOCK_BYTES):
            yield piece[start : start + BLOCK_BYTES]


class _Parser:
    """Reads consecutive parts of a text; remembers the place of the next."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.width = len(reading.columns)
        self.is_swapped = reading.line_end == "\r"
        self.end_of_line = b"\r" if self.is_swapped else b"\n"
        #: The number of bytes of the last data that belong to records that have ended.
        self.taken = 0
        self._offset = 0
        #: The next line, or record where records are counted.
        self.line = 1

    def read(self, data: bytes, *, is_last: bool) -> Iterator[Block]:
        """The rows of ``data``: whole lines, unless ``is_last``. Without an incomplete record at its end."""
        mark = len(_MARK) if self._offset == 0 and data.startswith(_MARK) and self.reading.encoding == "utf-8" else 0
        data = data[mark:]
        if self.is_swapped:
            data = data.translate(_SWAPPED)
        self._check(data)
        starts, is_regular = judge_lines(data, self.reading.separator, self.reading.quote)
        too_long = np.flatnonzero(np.diff(starts) > MAX_LINE_BYTES)
        if len(too_long):
            raise _too_long(self.line + int(too_long[0]))
        records, blanks, end = self._read_irregular(data, starts, is_regular, is_last=is_last)
        is_regular[end:] = False
        rows = self._parse(data, starts, is_regular, records)
        heads = np.append(np.sort(np.concatenate([rows.firsts, blanks])), end)
        at = np.searchsorted(heads, rows.firsts)
        begins = starts[rows.firsts]
        block = Block(
            pa.table(rows.columns, [str(position) for position in range(self.width)]),
            (at if self.reading.counts_records else rows.firsts) + self.line,
            begins + (self._offset + mark),
            _without_endings(data, begins, starts[heads[at + 1]]) - begins,
            rows.notes,
        )
        self.taken = int(starts[end]) + mark
        self._offset += self.taken
        self.line += len(heads) - 1 if self.reading.counts_records else end
        block = notes_of(block, self.reading)
        for first in range(0, len(block), MAX_BLOCK_ROWS):
            yield _slice(block, first, first + MAX_BLOCK_ROWS)

    def _check(self, data: bytes) -> None:
        """Raise Unreadable if ``data`` are no text in the encoding."""
        nul = data.find(b"\0")
        if nul >= 0:
            line = self.line + data.count(b"\n", 0, nul)
            raise Unreadable(
                f"Line {line} contains a NUL byte, so this is no plain text. Save the file again as .xlsx or as CSV.",
                line,
            )
        if self.reading.encoding == "utf-8" and not data.isascii():
            try:
                # Ten times as fast as decoding, which knows the place.
                pa.array([data], pa.binary()).cast(pa.string())
            except pa.ArrowInvalid:
                raise undecodable("utf-8", self.line + _line_of_error(data)) from None

    def _read_irregular(
        self, data: bytes, starts: Indices, is_regular: Mask, *, is_last: bool
    ) -> tuple[dict[int, _Record], Indices, int]:
        """The records that begin on irregular lines, by line; empty lines; the line at which an incomplete one begins.

        The lines on which such a record goes on are no longer regular.
        """
        count = len(is_regular)
        found: dict[int, _Record] = {}
        blanks: list[int] = []
        is_empty = _empty_lines(data, starts)
        end = 0
        for at in np.flatnonzero(~is_regular).tolist():
            if at < end:
                continue
            end = at
            while end < count and not is_regular[end]:
                if is_empty[end]:
                    blanks.append(end)
                    end += 1
                    continue
                is_complete = is_last or int(starts[-1] - starts[end]) > MAX_RECORD_BYTES
                record = self._read_one(data, starts, end, is_complete=is_complete)
                if record is None:
                    return found, np.array(blanks, np.intp), end
                found[end] = record
                is_regular[end : end + record.height] = False
                end += record.height
        return found, np.array(blanks, np.intp), count

    def _read_one(self, data: bytes, starts: Indices, first: int, *, is_complete: bool) -> _Record | None:
        """The record that begins at line ``first``; None if it has not ended and more data follows."""
        count = len(starts) - 1

        def text(at: int) -> str:
            return decode(data[starts[at] : starts[at + 1]], self.reading.encoding)

        lines = csv.reader(
            map(text, range(first, count)),
            delimiter=self.reading.separator,
            quotechar=self.reading.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.reading.quote else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            cells = next(lines)
            height = lines.line_num
            if height == 1 and len(cells) != self.width:
                cells = self._read_spaced(text(first).rstrip("\r\n")) or cells
            if height == 1 or not (starts[first + height] - starts[first] > MAX_RECORD_BYTES or self._swallows(cells)):
                return _Record(self._plain(cells), height, None)
        except csv.Error:
            if not is_complete and lines.line_num == count - first:
                return None
        cells, is_broken = self._read_leniently(text(first))
        return _Record(self._plain(cells), 1, Note.BROKEN_QUOTES if is_broken else None)

    def _swallows(self, cells: Sequence[str]) -> bool:
        """Whether a cell of several lines holds a line that is itself a row."""
        separators = self.width - 1
        return self.width >= _MIN_TELLING_WIDTH and any(
            line.count(self.reading.separator) == separators
            for cell in cells
            if "\n" in cell
            for line in cell.split("\n")[1:]
        )

    def _read_leniently(self, line: str) -> tuple[list[str], bool]:
        """The cells of one line, however its quotation marks are; and whether they are broken."""
        text = line.rstrip("\r\n")
        if not self.reading.quote:
            return text.split(self.reading.separator), False
        if cells := self._read_spaced(text):
            return cells, False
        cells, is_broken, at = [], False, 0
        while found := _value(self.reading.separator).match(text, at):
            quoted, stray, bare, ending = found.groups()
            is_broken |= bool(trim(stray or "")) or (bare or "").startswith('"')
            cells.append(bare if quoted is None else quoted.replace('""', '"') + stray)
            at = found.end()
            if not ending:
                break
        return cells, is_broken

    def _read_spaced(self, text: str) -> list[str] | None:
        """The cells of a line that has a space before its quotation marks, as some programs write it; None if not."""
        if not self.reading.quote or f'{self.reading.separator} "' not in text:
            return None
        try:
            return next(csv.reader([text], delimiter=self.reading.separator, skipinitialspace=True, strict=True))
        except csv.Error:
            return None

    def _plain(self, cells: list[str]) -> list[str]:
        return [cell.translate(SWAPPED_ENDS) for cell in cells] if self.is_swapped else cells

    def _parse(self, data: bytes, starts: Indices, is_regular: Mask, records: dict[int, _Record]) -> _Rows:
        """All records: those on regular lines, and ``records``."""
        regular = np.flatnonzero(is_regular)
        columns, misfits = self._parse_regular(join_lines(data, starts, regular), len(regular))
        for at in regular[misfits].tolist():
            record = self._read_one(data, starts, at, is_complete=True)
            assert record is not None
            records[at] = record
        fitted = {at: self._fit(record) for at, record in records.items()}
        firsts = np.delete(regular, misfits)
        if fitted:
            firsts = np.append(firsts, np.fromiter(fitted, np.intp))
            order = np.argsort(firsts)
            firsts = firsts[order]
            more = zip(*(cells for cells, _ in fitted.values()), strict=True)
            columns = [_merge(column, cells, pa.array(order)) for column, cells in zip(columns, more, strict=True)]
        odd = np.array([at for at, (_, note) in fitted.items() if note], np.intp)
        positions = np.searchsorted(firsts, odd).tolist()
        notes = {position: fitted[at][1] for position, at in zip(positions, odd.tolist(), strict=True)}
        return _Rows(firsts, columns, {at: note for at, note in sorted(notes.items()) if note})

    def _parse_regular(self, data: bytes, count: int) -> tuple[list[pa.Array], Indices]:
        """The cells of ``count`` regular lines, column by column, and the lines that have another number of cells."""
        names = [str(at) for at in range(self.width)]
        if not count:
            return [pa.array([], pa.string()) for _ in names], np.empty(0, np.intp)
        if self.reading.encoding != "utf-8" and not data.isascii():
            data = decode(data, self.reading.encoding).encode()
        types = dict.fromkeys(names, pa.string())
        return parse_lines(data, names, types, self.reading.separator, self.reading.quote)

    def _fit(self, record: _Record) -> tuple[list[str], Note | None]:
        """The cells of a record, as many as there are columns, and what is odd about it."""
        cells, note = record.cells, record.note
        if len(cells) > self.width:
            has_extra = any(map(trim, cells[self.width :]))
            return cells[: self.width], note or (Note.TOO_MANY_CELLS if has_extra else None)
        if len(cells) < self.width:
            return cells + [""] * (self.width - len(cells)), note or Note.TOO_FEW_CELLS
        return cells, note


@cache
def _value(separator: str) -> re.Pattern[str]:
    """One value of a line and its end: quoted, perhaps with stray text behind it, or bare."""
    other = rf"[^{re.escape(separator)}]*"
    return re.compile(rf'(?:"((?:[^"]|"")*+)"({other})|({other}))({re.escape(separator)}|\Z)')


def _merge(column: pa.Array, cells: Sequence[str], order: pa.Array) -> pa.Array:
    """The ``column`` with more ``cells``, in another order."""
    return pa.concat_arrays([column, pa.array(cells, pa.string())]).take(order)


def _empty_lines(data: bytes, starts: Indices) -> Mask:
    """Whether each line is nothing but its ending."""
    return np.equal(_without_endings(data, starts[:-1], starts[1:]), starts[:-1])


def _without_endings(data: bytes, begins: Indices, ends: Indices) -> Indices:
    """Where records end without their line endings."""
    raw = np.frombuffer(b"\n" + data, np.uint8)
    for ending in b"\n\r":
        ends = ends - ((raw[ends] == ending) & (ends > begins))
    return ends


def _too_long(line: int) -> Unreadable:
    return Unreadable(f"Line {line} is longer than {MAX_LINE_BYTES // 1024**2} MiB, so this is no table.", line)


def _line_of_error(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start)
    return 0


def _slice(block: Block, first: int, stop: int) -> Block:
    if first == 0 and stop >= len(block):
        return block
    notes = {at - first: note for at, note in block.notes.items() if first <= at < stop}
    cells = block.cells.slice(first, stop - first)
    return Block(cells, block.lines[first:stop], block.starts[first:stop], block.lengths[first:stop], notes)
