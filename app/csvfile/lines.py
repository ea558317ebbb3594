"""Reads and validates the rows of a slice of a file, any number at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import compress

from app.csvfile.causes import Problem
from app.csvfile.header import layout_of
from app.csvfile.reader import read_blocks, size_in_bytes
from app.csvfile.validate import Rows, Validator, cut


@dataclass(slots=True)
class Lines:
    """Consecutive records of a file: valid, invalid and blank ones."""

    #: The byte of the file, and the physical line, just after them.
    end_byte: int
    next_line: int
    #: The line on which each record begins, and its text as in the file, including its line ending.
    starts: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    #: The valid rows, and the line on which each begins.
    rows: Rows = field(default_factory=Rows.none)
    numbers: list[int] = field(default_factory=list)
    #: All problems of each invalid row, by line.
    wrong: dict[int, list[Problem]] = field(default_factory=dict)

    def text(self, number: int) -> str:
        """The record that begins on line ``number``, without its final line ending."""
        return self.texts[bisect_left(self.starts, number)].removesuffix("\n").removesuffix("\r")


class LineReader:
    """Reads and validates the records in ``pieces``, which begin at byte ``offset`` and physical line ``line``.

    ``header`` is the header line of their file.
    """

    def __init__(self, pieces: Iterable[bytes], *, header: str, offset: int, line: int) -> None:
        #: The layout of its file.
        self.layout = layout_of(header)
        self._blocks = read_blocks(pieces, offset=offset, line=line, layout=self.layout)
        self._validator = Validator(self.layout)
        #: Records that were read and not taken yet, up to the end of the last block.
        self._rest = Lines(offset, line)
        self._end_byte = offset

    def take(self, count: int) -> Lines:
        """The next ``count`` records, or fewer at the end of the slice.

        Raises FileRejected for bytes that cannot be a row.
        """
        while len(self._rest.starts) < count and self._read_block():
            pass
        rest = self._rest
        next_line = rest.starts[count] if count < len(rest.starts) else rest.next_line
        taken = Lines(0, next_line, cut(rest.starts, count), cut(rest.texts, count))
        self._end_byte = taken.end_byte = self._end_byte + sum(map(size_in_bytes, taken.texts))
        right = bisect_left(rest.numbers, next_line)
        taken.numbers, taken.rows = cut(rest.numbers, right), rest.rows.cut(right)
        taken.wrong = {number: problems for number, problems in rest.wrong.items() if number < next_line}
        for number in taken.wrong:
            del rest.wrong[number]
        return taken

    def _read_block(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            return False
        rest, starts = self._rest, block.first_lines()
        found = self._validator.validate(block.cells, block.has_controls)
        rest.starts += starts
        rest.texts += block.texts()
        rest.next_line = block.next_line
        rest.rows.extend(found.rows())
        rest.numbers += compress(starts, found.is_right())
        rest.wrong.update((starts[at], problems) for at, problems in found.problems().items())
        return True
