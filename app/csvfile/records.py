"""Reads records one by one, thoroughly: whatever their quotation marks are like, and however many lines they take.

A record ends at the first LF that is not inside a quoted value; a value is quoted if its very first character is a
quotation mark. The standard library's ``csv`` in strict mode decides. A record that it rejects is read leniently, so
that its end is where a person would see it, and broken quotation marks fail their own row and no other.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from app.csvfile.causes import Cause, Problem
from app.csvfile.columns import Layout
from app.csvfile.contract import MAX_TEXT_LENGTH, Mode
from app.csvfile.errors import FileRejected

#: One value and its end, leniently: a quoted value may be followed by stray text up to the next comma or LF. The
#: possessive ``*+`` keeps a doubled quotation mark from being taken for a closing one.
_VALUE_BETWEEN = r'(?:"((?:[^"]|"")*+)"([^{0}\n]*)|([^{0}\n]*))({0}|\n|\Z)'
_VALUE = re.compile(_VALUE_BETWEEN.format(","))


class BrokenCells(list[str]):
    """The values of a record with wrong quotation marks or line breaks, as far as they can be recognised."""

    def __init__(self, cells: list[str], problems: list[Problem]) -> None:
        super().__init__(cells)
        self.problems = problems


class Record(NamedTuple):
    """One record."""

    cells: list[str]
    #: The number of its physical lines.
    height: int


def read_records(lines: Sequence[str], first: int, *, line: int, layout: Layout, is_last: bool) -> Iterator[Record]:
    """The records from ``lines[first]`` on. The first of all ``lines`` is line ``line`` of the file.

    Ends before a record that is not complete. Raises FileRejected for one if no lines can follow, ``is_last``.
    """
    while first < len(lines):
        rows = csv.reader(map(lines.__getitem__, range(first, len(lines))), strict=True)
        start = first
        try:
            for cells in rows:
                texts = lines[first : start + rows.line_num]
                yield Record(_find_swallowed(cells, texts, line + first, layout), len(texts))
                first += len(texts)
        except csv.Error:
            broken = _read_broken(lines, first, layout)
            if broken is None:
                if is_last:
                    raise _never_closed("".join(lines[first:]), line + first) from None
                return
            texts = lines[first : first + broken.height]
            yield Record(_find_swallowed(broken.cells, texts, line + first, layout), len(texts))
            first += len(texts)


def _read_broken(lines: Sequence[str], first: int, layout: Layout) -> Record | None:
    """The record that begins at ``lines[first]`` and that ``csv`` has rejected, or None if it ends in an open quote."""
    height = 1
    while True:
        text = "".join(lines[first : first + height])
        found = _read_leniently(text, layout)
        if found:
            cells, end = found
            # At the end of the file, the last line may have no ending.
            return Record(cells, text.count("\n", 0, end) + (text[end - 1] != "\n"))
        if first + height >= len(lines):
            return None
        height *= 2


def _read_leniently(text: str, layout: Layout) -> tuple[BrokenCells, int] | None:
    """The values of the record at the beginning of ``text``, and its end; None if ``text`` ends in an open quote."""
    cells: list[str] = []
    problems: list[Problem] = []
    at = 0
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
            return BrokenCells(cells, problems), at


@cache
def _like_a_row(columns: int, before: str = "") -> re.Pattern[str]:
    """Matches, after ``before``, the beginning of a line that is a row: a mode and a separator, or all separators."""
    row = rf"[^\S\r\n]*+(?:(?:{'|'.join(Mode)})[^\S\r\n]*,|(?:[^,\r\n]*+,){{{columns - 1}}})"
    return re.compile(before + row, re.IGNORECASE)


def _find_swallowed(cells: list[str], texts: Sequence[str], line: int, layout: Layout) -> list[str]:
    """``cells`` of the record with the lines ``texts``, from line ``line`` on; broken if it has swallowed a row."""
    # Most records of several lines are ruled out by this quick check. A lone CR ends no line, but a row may follow it.
    is_suspect = len(texts) > 1 and (
        len(cells) == 1
        or type(cells) is BrokenCells
        or max(map(len, cells)) > MAX_TEXT_LENGTH
        or any(map(_like_a_row(len(layout.columns)).match, texts[1:]))
    )
    if is_suspect or any("\r" in cell for cell in cells):
        problem = _swallowed_problem(cells, line, layout)
        if problem:
            return BrokenCells(cells, [problem])
    return cells


def _swallowed_problem(cells: list[str], line: int, layout: Layout) -> Problem | None:
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


def _never_closed(text: str, line: int) -> FileRejected:
    """The error for the record ``text``, from line ``line`` to the end of the file, whose quotation marks are open."""
    at = 0
    while (found := _VALUE.match(text, at)) and not (found[3] or "").startswith('"'):
        at = found.end()
    line += text.count("\n", 0, at)
    return FileRejected(
        f"There is an unmatched quotation mark on line {line}, so everything after it reads as one value. Close it or "
        "delete it.",
        line,
    )


class Cell(NamedTuple):
    """One value of a record and its position."""

    value: str
    #: Its position in the record's text, including its quotation marks.
    start: int
    end: int


def find_cells(text: str, separator: str = ",", quote: str = '"') -> list[Cell]:
    """The values of one record for display. The record may be invalid; nothing is rejected.

    With an empty ``quote``, quotation marks are characters like others.
    """
    if not quote:
        ends = [*(found.start() for found in re.finditer(re.escape(separator), text)), len(text)]
        starts = [0, *(end + 1 for end in ends)]
        return [Cell(text[start:end], start, end) for start, end in zip(starts, ends, strict=False)]
    value_between = _VALUE if separator == "," else re.compile(_VALUE_BETWEEN.format(re.escape(separator)))
    cells: list[Cell] = []
    at = 0
    while True:
        found = value_between.match(text, at)
        if found is None or (found[3] or "").startswith('"'):
            return [*cells, Cell(text[at:], at, len(text))]
        value = found[3] if found[1] is None else found[1].replace('""', '"') + found[2]
        cells.append(Cell(value, at, found.start(4)))
        at = found.end()
        if found[4] != separator:
            return cells
