"""Reads and validates the rows of a slice of a file, any number at a time."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from app.csvfile.causes import Problem
from app.csvfile.header import layout_of
from app.csvfile.reader import Block, read_blocks
from app.csvfile.rows import SCHEMA, valid
from app.csvfile.validate import Validator

#: Number of bytes that are read and validated together, so that a batch of usual rows is one block.
BLOCK_BYTES = 3 * 1024 * 1024


#: The problems of rows, by the line on which each begins.
Wrong = dict[int, list[Problem]]


@dataclass(frozen=True, slots=True)
class Lines:
    """Consecutive records of a block: valid, invalid and blank ones."""

    #: The byte of the file at which they begin; and the byte, and the physical line, just after them.
    start_byte: int
    end_byte: int
    next_line: int
    #: The number of records.
    count: int
    #: The valid rows, a table of ``rows.SCHEMA`` and what ``complete`` has added.
    rows: pa.Table
    #: All problems of each other row that is not blank, by the line on which it begins, in the order of the lines.
    wrong: Wrong
    #: None if there are no records.
    block: Block | None

    def texts(self, lines: Iterable[int]) -> pa.StringArray:
        """The records that begin on ``lines``, in order, without their final line endings."""
        if self.block is None:
            return pa.array([], pa.string())
        return self.block.rows(np.searchsorted(self.block.lines, np.fromiter(lines, np.int64)))


class _Part(NamedTuple):
    """A block of which the records from ``first`` on were not taken yet."""

    block: Block
    rows: pa.Table
    #: The items of ``Lines.wrong``.
    wrong: list[tuple[int, list[Problem]]]
    first: int


class LineReader:
    """Reads and validates the records in ``pieces``, which begin at byte ``offset`` and physical line ``line``.

    ``header`` is the header line of their file. ``complete`` judges the rows of each block further: it returns those
    that are valid and stay so, perhaps with columns of its own, and the problems of those that do not.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        header: str,
        offset: int,
        line: int,
        complete: Callable[[pa.Table], tuple[pa.Table, Wrong]] = lambda rows: (valid(rows), {}),
    ) -> None:
        #: The layout of its file.
        self.layout = layout_of(header)
        self._blocks = read_blocks(pieces, offset=offset, line=line, layout=self.layout, block_bytes=BLOCK_BYTES)
        self._validator = Validator(self.layout)
        self._complete = complete
        self._rest: _Part | None = None
        #: The byte, and the physical line, at which the next record begins.
        self._next_byte, self._next_line = offset, line

    def take(self, count: int) -> Lines:
        """The next ``count`` records, or fewer at the end of a block; none at the end of the slice.

        Raises FileRejected for bytes that cannot be a row.
        """
        part, start = self._rest or self._read_block(), self._next_byte
        if part is None:
            return Lines(start, start, self._next_line, 0, SCHEMA.empty_table(), {}, None)
        block, rows, wrong, first = part
        stop = min(first + count, len(block))
        self._rest = part._replace(first=stop) if stop < len(block) else None
        begin, end = block.lines[[first, stop]].tolist()
        self._next_byte, self._next_line = block.offset + int(block.starts[stop]), end
        valid = slice(*np.searchsorted(rows["line"].to_numpy(), (begin, end)))
        others = slice(*(bisect_left(wrong, line, key=itemgetter(0)) for line in (begin, end)))
        return Lines(start, self._next_byte, end, stop - first, rows[valid], dict(wrong[others]), block)

    def _read_block(self) -> _Part | None:
        block = next(self._blocks, None)
        if block is None:
            return None
        found = self._validator.validate(block)
        rows, wrong = self._complete(found.rows())
        return _Part(block, rows, sorted((found.problems() | wrong).items(), key=itemgetter(0)), 0)
