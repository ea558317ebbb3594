"""Properties of the readers, the validator and the upload check that hold for all inputs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from app.csvfile import lines, reader, scan
from app.csvfile.columns import COLUMNS, HEADER, NEWEST
from app.csvfile.errors import FileRejected
from app.csvfile.records import find_cells
from app.csvfile.visible import trim
from app.imports.foreign import delimited, reading
from tests import reference, workbooks

#: Ordinary blocks and batches have thousands of rows. Small ones have more edges.
_BLOCK_BYTES = 24
_MAX_RECORD_BYTES = 300
_BATCH_ROWS = 3


def make_small() -> None:
    """Make blocks, batches and the longest record small in this process from now on."""
    reader.BLOCK_BYTES = lines.BLOCK_BYTES = _BLOCK_BYTES
    reader.MAX_RECORD_BYTES = delimited.MAX_RECORD_BYTES = _MAX_RECORD_BYTES
    delimited.BLOCK_BYTES = _BLOCK_BYTES
    delimited.MAX_BLOCK_ROWS = _BATCH_ROWS
    scan.rows_per_batch = lambda *_: _BATCH_ROWS


def check_reader(data: bytes, cuts: Sequence[int]) -> bool:
    """Whether ``data`` can be read. Raises AssertionError if two readers, or two ways to cut it, differ."""
    whole, cut = _read([data]), _read(_pieces(data, cuts))
    by_bytes = _read([data[at : at + 1] for at in range(len(data))])
    if whole is None or cut is None or by_bytes is None:
        assert whole is cut is by_bytes is None, (whole, cut, by_bytes)
        return False
    assert whole == cut == by_bytes
    assert "".join(record.text for record in whole) == data.decode()
    assert whole == [*reference.read(data, NEWEST)]
    assert [(line, _plain(cells), text, end) for line, cells, _, text, end in whole] == [*_read_slowly(data.decode())]
    for record, start in zip(whole, [0, *(record.end for record in whole)], strict=False):
        alone = _read([data[start : record.end]], offset=start, line=record.line)
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
    assert whole == [*reference.judge(data)]
    by_batch = [[*_rows(file, one.start_byte, one.end_byte, one.first_line)] for one in found.batches]
    assert [row for rows in by_batch for row in rows] == whole
    assert [len(rows) for rows in by_batch] == [one.rows for one in found.batches]
    assert found.total == len(whole)
    assert found.invalid == sum(bool(row.problems) for row in whole)
    assert [one.first_line for one in found.batches] == [
        file[: one.start_byte].count(b"\n") + 1 for one in found.batches
    ]
    edges = [len(found.header), *(one.end_byte for one in found.batches)]
    assert [one.start_byte for one in found.batches] == edges[:-1]
    assert edges[-1] == len(file)
    return True


def check_validator(rows: list[list[str]]) -> bool:
    """Whether all ``rows`` are valid. Judging them in columns and cell by cell must agree."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = file.getvalue().encode()
    try:
        expected = [*reference.judge(data)]
    except FileRejected:
        return False
    for at_once in (1, len(rows) + 1):
        assert [*reference.as_lines([data], at_once=at_once)] == expected
    for line in expected:
        for problem in line.problems:
            assert problem.column in ("", None, *COLUMNS)
    return len(expected) == len(rows) and not any(line.problems for line in expected)


def check_foreign(data: bytes, cuts: Sequence[int]) -> bool:
    """Whether a foreign file is read, and each of its parts that is no row is blank, however it is cut.

    Bytes that begin with an angle bracket are a sheet of a workbook.
    """
    file = workbooks.make_workbook(sheet=data) if data.startswith(b"<") else data
    source, out = io.BytesIO(file), io.BytesIO()
    try:
        found = reading.detect(source, overrides={})
        text_reading = reading.transcribe(source, found, out)
        rows = [*_foreign_rows(delimited.read_text([out.getvalue()], text_reading))]
    except FileRejected:
        return False
    text = out.getvalue()
    assert rows == [*_foreign_rows(reading.blocks(source, found))]
    for pieces in (_pieces(text, cuts), [text[at : at + 1] for at in range(len(text))]):
        assert rows == [*_foreign_rows(delimited.read_text(pieces, text_reading))]
    end = 0
    for line, start, length, cells, note in rows:
        assert line >= found.first_line
        assert len(cells) == len(found.columns)
        assert length > 0
        if end:
            # Blank rows, written in any way.
            between = text[end:start].decode("utf-8" if text_reading.encoding == "utf-8" else "latin-1")
            assert not trim(between.translate(dict.fromkeys(map(ord, f'{text_reading.separator}"'))))
        end = start + length
        assert note is not None or any(map(trim, cells))
    return bool(rows)


def _foreign_rows(blocks: Iterable[reading.Block]) -> Iterator[tuple[int, int, int, tuple[str, ...], str | None]]:
    for block in blocks:
        places = zip(block.lines.tolist(), block.starts.tolist(), block.lengths.tolist(), strict=True)
        cells = block.cells.to_pylist()
        for at, (place, row) in enumerate(zip(places, cells, strict=True)):
            yield *place, tuple(row.values()), block.notes.get(at)


def _read(pieces: Sequence[bytes], *, offset: int = 0, line: int = 1) -> list[reference.Record] | None:
    """The records; None if the file is rejected."""
    try:
        return [*reference.as_columns(pieces, NEWEST, offset=offset, line=line)]
    except FileRejected:
        return None


def _read_slowly(text: str) -> Iterator[tuple[int, list[str], str, int]]:
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
        yield line, _plain(cells), record, end
        line += record.count("\n") or 1


def _plain(cells: list[str]) -> list[str]:
    # The standard library reads an empty line as no value.
    return [] if cells == [""] else [*cells]


def _rows(file: bytes, start: int, end: int, line: int) -> Iterator[reference.Line]:
    """The rows of a slice, read like a batch, two records at a time."""
    yield from reference.as_lines(_pieces(file[start:end], [7, 50]), offset=start, line=line, at_once=2)


def _pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]
