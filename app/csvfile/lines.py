"""The rows of a slice of a file, validated, as many at a time as are wanted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.csvfile.contract import Problem
from app.csvfile.reader import read_blocks, size_in_bytes
from app.csvfile.validate import Row, Validator


@dataclass(slots=True)
class Lines:
    """Consecutive records of a file; what is told of a record stands at its place in each of the lists."""

    #: The byte of the file, and the physical line, just behind them.
    end_byte: int
    next_line: int
    #: The physical lines on which they begin.
    numbers: list[int] = field(default_factory=list)
    #: The records as they stand in the file, line endings included.
    texts: list[str] = field(default_factory=list)
    #: What each asks for, or all that is wrong with it, or None if it is blank.
    rows: list[Row | list[Problem] | None] = field(default_factory=list)

    def original(self, number: int) -> str:
        """The text of the record that begins on line ``number``, without its final line ending, as it is shown."""
        return self.texts[bisect_left(self.numbers, number)].removesuffix("\n").removesuffix("\r")


class LineReader:
    """Reads and validates the records in ``pieces``, which begin at byte ``offset`` and physical line ``line``."""

    def __init__(self, pieces: Iterable[bytes], *, offset: int, line: int) -> None:
        self._blocks = read_blocks(pieces, offset=offset, line=line)
        self._validator = Validator()
        #: What was read and is not taken yet.
        self._rest = Lines(offset, line)
        self._end_byte = offset

    def take(self, count: int) -> Lines:
        """The next ``count`` records, or fewer at the end of the slice.

        Raises FileRejected for bytes that no row can be made of.
        """
        rest = self._rest
        while len(rest.rows) < count and (block := next(self._blocks, None)):
            rest.numbers += block.first_lines()
            rest.texts += block.texts()
            rest.rows += self._validator.validate(block.cells, block.has_controls).take()
            rest.next_line = block.next_line
        numbers, texts, rows = rest.numbers[:count], rest.texts[:count], rest.rows[:count]
        del rest.numbers[:count], rest.texts[:count], rest.rows[:count]
        self._end_byte += sum(map(size_in_bytes, texts))
        next_line = rest.numbers[0] if rest.numbers else rest.next_line
        return Lines(self._end_byte, next_line, numbers, texts, rows)
