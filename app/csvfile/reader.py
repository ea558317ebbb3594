"""Reads bytes into records: RFC 4180 with exact lines and byte offsets.

A record ends at the first LF that is not inside a quoted value; a value is quoted if its very first character is a
quotation mark. The standard library's ``csv`` in strict mode does the work at the speed of C, a block at a time. A
record that it rejects is read by a slower, lenient reader, which finds its end as a person would, so that broken
quotation marks fail their own row and no other.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from app.csvfile.causes import Cause, Problem
from app.csvfile.columns import NEWEST, Layout
from app.csvfile.contract import MAX_RECORD_BYTES, MAX_TEXT_LENGTH, Mode
from app.csvfile.errors import SAVE_AS_CSV, FileRejected

#: Number of bytes that are parsed together.
BLOCK_BYTES = 64 * 1024

#: The C0 controls and DEL, without tab, LF and CR.
_ASCII_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r")) + b"\x7f"
#: The C1 controls, U+0080 to U+009F, in UTF-8.
_C1_CONTROLS = re.compile(rb"\xc2[\x80-\x9f]")

#: One value and its end, leniently: a quoted value may be followed by stray text up to the next comma or LF. The
#: possessive ``*+`` keeps a doubled quotation mark from being taken for a closing one.
_VALUE = re.compile(r'(?:"((?:[^"]|"")*+)"([^,\n]*)|([^,\n]*))(,|\n|\Z)')


@cache
def _like_a_row(columns: int, before: str = "") -> re.Pattern[str]:
    """Matches, behind ``before``, the beginning of a line that is a row: a mode and a separator, or all separators."""
    row = rf"[^\S\r\n]*+(?:(?:{'|'.join(Mode)})[^\S\r\n]*,|(?:[^,\r\n]*+,){{{columns - 1}}})"
    return re.compile(before + row, re.IGNORECASE)


class BrokenCells(list[str]):
    """The values of a record with wrong quotation marks or line breaks, as far as they can be recognised."""

    def __init__(self, cells: list[str], problems: list[Problem]) -> None:
        super().__init__(cells)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive whole records of a file. The properties of a record are at the same index in each list."""

    #: The byte of the file at which the block begins, and the physical line.
    offset: int
    line: int
    #: The physical lines with their endings.
    lines: list[str]
    #: The values of each record.
    cells: list[list[str]]
    #: The number of lines up to the end of each record: 1, 2, 3, … as long as no value has a line break.
    stops: list[int]
    #: Whether the text contains any control character, so that the validator need not search most files.
    has_controls: bool
    #: The bytes that it was read from, perhaps followed by those of an incomplete record.
    raw: bytes

    @property
    def next_line(self) -> int:
        """The physical line after the last record."""
        return self.line + (self.stops[-1] if self.stops else 0)

    def first_lines(self) -> list[int]:
        """The physical line on which each record begins."""
        return [self.line + first for first in [0, *self.stops[:-1]]]

    def texts(self) -> list[str]:
        """The records as in the file, including line endings."""
        if len(self.stops) == len(self.lines):
            return self.lines
        return ["".join(self.lines[first:stop]) for first, stop in pairwise([0, *self.stops])]

    def end_bytes(self) -> list[int]:
        """The byte of the file just after each record."""
        return list(accumulate(map(size_in_bytes, self.texts()), initial=self.offset))[1:]


def size_in_bytes(text: str) -> int:
    """The size of ``text`` in the file in bytes."""
    return len(text) if text.isascii() else len(text.encode())


def read_blocks(pieces: Iterable[bytes], *, offset: int, line: int, layout: Layout = NEWEST) -> Iterator[Block]:
    """Read records from ``pieces``, which begin at byte ``offset`` and physical line ``line`` of the file.

    The records do not depend on how the bytes are cut into pieces. Raises FileRejected for bytes that cannot be a row:
    not UTF-8, a NUL, a quote that is never closed, a record over MAX_RECORD_BYTES.
    """
    pending = b""
    for piece in _cut(pieces):
        pending += piece
        if len(pending) < BLOCK_BYTES:
            continue
        whole_lines = pending[: pending.rfind(b"\n") + 1]
        block, rest = _parse(whole_lines, offset, line, layout, is_last=False)
        if block.cells:
            yield block
        pending = rest + pending[len(whole_lines) :]
        offset, line = offset + len(whole_lines) - len(rest), block.next_line
        # The rest is a single record that has not ended yet.
        if len(pending) > MAX_RECORD_BYTES:
            raise _too_long(line)
    if pending:
        block, _ = _parse(pending, offset, line, layout, is_last=True)
        yield block


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at most BLOCK_BYTES, which limits the records of a block."""
    for piece in pieces:
        for start in range(0, len(piece), BLOCK_BYTES):
            yield piece[start : start + BLOCK_BYTES]


def _parse(data: bytes, offset: int, line: int, layout: Layout, *, is_last: bool) -> tuple[Block, bytes]:
    """The records in ``data`` (whole lines, unless ``is_last``), and the bytes of an incomplete record at the end."""
    text = decode(data, line)
    lines = io.StringIO(text, newline="\n").readlines()
    cells: list[list[str]] = []
    stops: list[int] = []
    add_cells, add_stop = cells.append, stops.append
    stop = 0
    while stop < len(lines):
        rows = csv.reader(lines[stop:], strict=True)
        first = stop
        try:
            for values in rows:
                add_cells(values)
                stop = first + rows.line_num
                add_stop(stop)
        except csv.Error:
            start = sum(map(len, lines[:stop]))
            broken = _read_broken(text, start, layout)
            if broken is None:
                if is_last:
                    raise _never_closed(text, start, line + stop) from None
                break
            add_cells(broken.cells)
            # At the end of the file, the last line may have no ending.
            stop += text.count("\n", start, broken.end) + (text[broken.end - 1] != "\n")
            add_stop(stop)
    has_controls = len(data.translate(None, _ASCII_CONTROLS)) < len(data) or (
        not data.isascii() and bool(_C1_CONTROLS.search(data))
    )
    # A lone CR ends no line, but a row may follow it all the same.
    has_lone_cr = data.count(b"\r") > data.count(b"\r\n")
    if stop > len(stops) or has_lone_cr:
        _mark_swallowed(cells, lines, stops, line, layout, has_lone_cr=has_lone_cr)
    block = Block(offset, line, lines[:stop], cells, stops, has_controls, data)
    _check_lengths(block)
    return block, "".join(lines[stop:]).encode()


def decode(data: bytes, line: int) -> str:
    """The text of ``data``, whole lines that begin on ``line``. Raises FileRejected if it is not text in UTF-8."""
    nul = data.find(b"\0")
    if nul >= 0:
        at = line + data.count(b"\n", 0, nul)
        raise FileRejected(f"Line {at} contains a NUL byte, so this is not a text file. {SAVE_AS_CSV}", at)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = line + data.count(b"\n", 0, error.start)
        raise FileRejected(
            f"Line {at} has characters that cannot be read: the file is not saved in UTF-8. {SAVE_AS_CSV}",
            at,
        ) from None


class _Broken(NamedTuple):
    cells: BrokenCells
    #: The end of the record in the text, including its line ending.
    end: int


def _read_broken(text: str, start: int, layout: Layout) -> _Broken | None:
    """The record at ``start`` that ``csv`` has rejected, or None if it ends in an open quote."""
    cells: list[str] = []
    problems: list[Problem] = []
    at = start
    while True:
        found = _VALUE.match(text, at)
        if found is None or (found[3] is not None and found[3].startswith('"')):
            # A value that begins with a quotation mark and does not match as a quoted value is never closed.
            return None
        is_quoted = found[3] is None
        # The part outside of quotation marks; CRs just before the LF belong to the line ending.
        bare = found[2] if is_quoted else found[3]
        bare = bare if found[4] == "," else bare.rstrip("\r")
        if column := layout.name_at(len(cells)):
            if is_quoted and bare:
                problems.append(Cause.QUOTING.problem(column))
            if "\r" in bare:
                problems.append(Cause.BARE_LINE_BREAK.problem(column))
        cells.append(found[1].replace('""', '"') + bare if is_quoted else bare)
        at = found.end()
        if found[4] != ",":
            return _Broken(BrokenCells(cells, problems), at)


def _mark_swallowed(
    cells: list[list[str]], lines: list[str], stops: list[int], line: int, layout: Layout, *, has_lone_cr: bool
) -> None:
    """Mark the records that have swallowed lines as broken; the first of ``lines`` is line ``line``.

    ``has_lone_cr`` is false if every CR in them is known to stand before an LF.
    """
    like_a_row = _like_a_row(len(layout.columns)).match
    for at, (first, stop) in enumerate(pairwise([0, *stops])):
        # Most records of several lines are ruled out by this quick check.
        is_suspect = stop - first > 1 and (
            len(cells[at]) == 1
            or type(cells[at]) is BrokenCells
            or max(map(len, cells[at])) > MAX_TEXT_LENGTH
            or any(map(like_a_row, lines[first + 1 : stop]))
        )
        if is_suspect or (has_lone_cr and "\r" in "".join(cells[at])):
            problem = _find_swallowed(cells[at], line + first, layout)
            if problem:
                cells[at] = BrokenCells(cells[at], [problem])


def _find_swallowed(cells: list[str], line: int, layout: Layout) -> Problem | None:
    """The problem of a record that begins on line ``line``, if a quotation mark in it was opened by mistake.

    A value may contain a line break. Its quotation mark is a mistake if a row follows the line break, or if the value
    is wrong anyway: too long, not quoted as a whole, or the only one of the record.
    """
    broken = {problem.column for problem in cells.problems} if isinstance(cells, BrokenCells) else ()
    for at, value in enumerate(cells):
        closed = line + value.count("\n")
        column = layout.name_at(at)
        if _like_a_row(len(layout.columns), before=r"[\r\n]").search(value):
            return _swallowed(column, line, closed, 0, layout)
        if (
            closed > line
            and (length := len(value.strip()))
            and (length > MAX_TEXT_LENGTH or column in broken or len(cells) == 1)
        ):
            return _swallowed(column, line, closed, length, layout)
        line = closed
    return None


def _swallowed(column: str, opened: int, closed: int, length: int, layout: Layout) -> Problem:
    last = {} if column else {"last": layout.columns[-1].value}
    return Cause.SWALLOWED_LINES.problem(column, opened=opened, closed=closed, length=length, **last)


class Cell(NamedTuple):
    """One value of a record and its position."""

    value: str
    #: Its position in the record's text, including its quotation marks.
    start: int
    end: int


def find_cells(text: str) -> list[Cell]:
    """The values of one record for display. The record may be invalid; nothing is rejected."""
    cells: list[Cell] = []
    at = 0
    while True:
        found = _VALUE.match(text, at)
        if found is None or (found[3] or "").startswith('"'):
            return [*cells, Cell(text[at:], at, len(text))]
        value = found[3] if found[1] is None else found[1].replace('""', '"') + found[2]
        cells.append(Cell(value, at, found.start(4)))
        at = found.end()
        if found[4] != ",":
            return cells


def _check_lengths(block: Block) -> None:
    """Raise FileRejected for a record over MAX_RECORD_BYTES."""
    texts = block.texts()
    # No character takes more than four bytes, so most records need not be measured in bytes.
    if max(map(len, texts), default=0) > MAX_RECORD_BYTES // 4:
        for text, line in zip(texts, block.first_lines(), strict=True):
            if size_in_bytes(text) > MAX_RECORD_BYTES:
                raise _too_long(line)


def _too_long(line: int) -> FileRejected:
    return FileRejected(
        f"The row that begins on line {line} is longer than 64 KiB. Either a text in it is too long: at most "
        f"{MAX_TEXT_LENGTH} characters. Or a quotation mark is opened in it and never closed: close it or delete it.",
        line,
    )


def _never_closed(text: str, start: int, line: int) -> FileRejected:
    """The error for a record whose quotation marks are still open at the end of the file."""
    at = start
    while (found := _VALUE.match(text, at)) and not (found[3] or "").startswith('"'):
        at = found.end()
    line += text.count("\n", start, at)
    return FileRejected(
        f"A quotation mark is opened on line {line} and never closed, so all that follows became part of its value. "
        "Close it, or delete it.",
        line,
    )
