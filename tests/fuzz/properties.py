"""Properties of the reader, the validator and the upload check that hold for all inputs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.csvfile import reader, scan
from app.csvfile.columns import COLUMNS, HEADER
from app.csvfile.errors import FileRejected
from app.csvfile.lines import LineReader
from app.csvfile.reader import find_cells, read_blocks
from app.csvfile.validate import Validator, find_problems

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
#: Ordinary blocks and batches have thousands of rows. Small ones have more edges.
_BLOCK_BYTES = 24
_MAX_RECORD_BYTES = 300
_BATCH_ROWS = 3


class Record(NamedTuple):
    """One record, which every reader must return alike."""

    line: int
    cells: list[str]
    text: str
    end: int


def make_small() -> None:
    """Make blocks, batches and the longest record small in this process from now on."""
    reader.BLOCK_BYTES = _BLOCK_BYTES
    reader.MAX_RECORD_BYTES = _MAX_RECORD_BYTES
    scan.rows_per_batch = lambda _: _BATCH_ROWS


def check_reader(data: bytes, cuts: Sequence[int]) -> bool:
    """Whether ``data`` can be read. Raises AssertionError if two readers, or two ways to cut it, differ."""
    whole, cut = _read([data]), _read(_pieces(data, cuts))
    by_bytes = _read([data[at : at + 1] for at in range(len(data))])
    if whole is None or cut is None or by_bytes is None:
        assert whole is cut is by_bytes is None, (whole, cut, by_bytes)
        return False
    assert whole == cut == by_bytes
    assert "".join(record.text for record in whole) == data.decode()
    assert whole == [*_read_slowly(data.decode())]
    for record, before in zip(whole, [Record(1, [], "", 0), *whole], strict=False):
        alone = _read([data[before.end : record.end]], offset=before.end, line=record.line)
        assert alone == [record], (alone, record)
        find_cells(record.text)
    return True


def check_scan(data: bytes, cuts: Sequence[int]) -> bool:
    """Whether a file with ``data`` below its header can be imported. Its batches must have exactly its rows."""
    file = f"{HEADER}\n".encode() + data
    try:
        found = scan.scan(_pieces(file, cuts), max_rows=1_000, max_bytes=1 << 20)
    except FileRejected:
        return False
    whole = [*_rows(file, len(found.header), len(file), 2)]
    by_batch = [[*_rows(file, one.start_byte, one.end_byte, one.first_line)] for one in found.batches]
    assert [row for rows in by_batch for row in rows] == whole
    assert [len(rows) for rows in by_batch] == [one.rows for one in found.batches]
    assert found.total == len(whole)
    assert found.invalid == sum(is_wrong for _, _, is_wrong in whole)
    edges = [len(found.header), *(one.end_byte for one in found.batches)]
    assert [one.start_byte for one in found.batches] == edges[:-1]
    assert edges[-1] == len(file)
    return True


def check_validator(rows: list[list[str]]) -> bool:
    """Whether all ``rows`` are valid. The fast pass and the slow pass must agree."""
    validator = Validator()
    has_controls = any(_CONTROL.search(cell) for row in rows for cell in row)
    found = validator.validate(rows, has_controls)
    problems = [find_problems(row) for row in rows]
    assert found.blank == {at for at, one in enumerate(problems) if one is None}
    assert found.wrong == {at for at, one in enumerate(problems) if one}
    assert len([*found.rows().each()]) == len(rows) - len(found.blank) - len(found.wrong)
    # Neither remembered values nor a search for control characters where there are none may change anything.
    for at, row in enumerate(rows):
        alone = validator.validate([row], True)
        assert (bool(alone.blank), bool(alone.wrong)) == (at in found.blank, at in found.wrong)
    for one in problems:
        for problem in one or ():
            assert problem.column in ("", None, *COLUMNS)
    return not found.wrong and not found.blank


def _read(pieces: Sequence[bytes], *, offset: int = 0, line: int = 1) -> list[Record] | None:
    """The records; None if the file is rejected."""
    try:
        return [
            Record(*one)
            for block in read_blocks(pieces, offset=offset, line=line)
            for one in zip(block.first_lines(), map(_plain, block.cells), block.texts(), block.end_bytes(), strict=True)
        ]
    except FileRejected:
        return None


def _read_slowly(text: str) -> Iterator[Record]:
    """The records of a file, found character by character according to the documentation."""
    at, line, end = 0, 1, 0
    while at < len(text):
        start, cells, goes_on = at, [], True
        while goes_on:
            quoted = ""
            if text[at : at + 1] == '"':
                at += 1
                while text[at] != '"' or text[at : at + 2] == '""':
                    quoted += text[at]
                    at += 2 if text[at] == '"' else 1
                at += 1
            bare_from = at
            while at < len(text) and text[at] not in ",\n":
                at += 1
            goes_on = text[at : at + 1] == ","
            bare = text[bare_from:at]
            cells.append(quoted + (bare if goes_on else bare.rstrip("\r")))
            at += 1
        at = min(at, len(text))
        record = text[start:at]
        end += len(record.encode())
        yield Record(line, _plain(cells), record, end)
        line += record.count("\n") or 1


def _plain(cells: list[str]) -> list[str]:
    # The standard library reads an empty line as no value.
    return [] if cells == [""] else [*cells]


def _rows(file: bytes, start: int, end: int, line: int) -> Iterator[tuple[int, str, bool]]:
    """Line, text and validity of each row of a slice, read like a batch, two rows at a time."""
    lines = LineReader(_pieces(file[start:end], [7, 50]), header=HEADER, offset=start, line=line)
    taken = lines.take(2)
    while taken.starts:
        for number in sorted([*taken.numbers, *taken.wrong]):
            yield number, taken.text(number), number in taken.wrong
        assert taken.end_byte <= end
        last = taken.end_byte
        taken = lines.take(2)
    assert start == end or last == end


def _pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]
