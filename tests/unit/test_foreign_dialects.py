"""Any table of cells, written in any dialect, is read back cell for cell, at exact places."""

from __future__ import annotations

import csv
import gzip
import io
import re
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.imports.foreign import delimited
from app.imports.foreign.reading import blocks, detect, text_of, text_reading
from app.imports.foreign.shapes import Reading

NAMES = ["Name", "Set", "Number", "Condition", "Price", "Qty", "Language", "Foil"]
CODECS = {"utf-8": "utf-8", "utf-8 with mark": "utf-8-sig", "utf-16-le": "utf-16-le", "windows-1252": "cp1252"}


class Dialect(NamedTuple):
    separator: str
    quoting: int
    line_end: str
    encoding: str
    is_gzipped: bool
    title: bool
    last_line_end: bool


dialects = st.builds(
    Dialect,
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from([*CODECS]),
    is_gzipped=st.booleans(),
    title=st.booleans(),
    last_line_end=st.booleans(),
)
# The characters that matter to a reader, and some beyond ASCII that all encodings have.
cells = st.text("a1 ,;|\t\"'\n\ré€ß=-\x0b", max_size=6)
tables = st.integers(4, len(NAMES)).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=12)
)


def write(rows: list[list[str]], dialect: Dialect) -> bytes:
    """A file with a header."""
    out = io.StringIO(newline="")
    out.write(f"Stock of June{dialect.line_end}" if dialect.title else "")
    # Either line break in a value is quoted only if both of them end a record.
    writer = csv.writer(out, delimiter=dialect.separator, quoting=dialect.quoting, lineterminator="\r\n")
    writer.writerow(NAMES[: len(rows[0])])
    for row in rows:
        at = out.tell()
        writer.writerow(row)
        if dialect.line_end != "\r\n":
            out.seek(at)
            record = out.read().removesuffix("\r\n") + dialect.line_end
            out.seek(at)
            out.truncate()
            out.write(record)
    header, _, body = out.getvalue().partition("\r\n")
    text = header + dialect.line_end + body
    text = text if dialect.last_line_end else text.removesuffix(dialect.line_end)
    data = text.encode(CODECS[dialect.encoding])
    return gzip.compress(data) if dialect.is_gzipped else data


def is_ambiguous(rows: list[list[str]], dialect: Dialect) -> bool:
    """Whether a reader may rightly take a cell of several lines for rows, or a row for none."""
    separators = len(rows[0]) - 1
    return any(
        not any(cell.strip() for cell in row)
        or sum(bool(cell.strip()) for cell in row) == 1
        or any(line.count(dialect.separator) == separators for cell in row for line in re.split("[\r\n]", cell))
        for row in rows
    )


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    monkeypatch.setattr(delimited, "MAX_BLOCK_ROWS", 3)


@pytest.mark.usefixtures("small_blocks")
@settings(max_examples=60, deadline=None)
@given(rows=tables, dialect=dialects)
def test_cells_come_back_as_they_were_written(rows: list[list[str]], dialect: Dialect) -> None:
    assume(not is_ambiguous(rows, dialect))
    data = write(rows, dialect)
    source = io.BytesIO(data)
    reading = detect(
        source,
        overrides={"separator": dialect.separator, "encoding": dialect.encoding.partition(" ")[0]},
    )
    assert reading.header_line == 1 + dialect.title
    assert Reading.from_json(reading.to_json()) == reading
    several = [*blocks(source, reading)]
    assert [list(row.values()) for block in several for row in block.cells.to_pylist()] == rows
    assert not any(block.notes for block in several)
    # The places are those of the text, which is read alike.
    kept = b"".join(text_of(source, reading))
    again = [*blocks(io.BytesIO(kept), text_reading(reading))]
    for block, other in zip(several, again, strict=True):
        assert block.lines.tolist() == other.lines.tolist()
        assert block.starts.tolist() == other.starts.tolist()
        assert block.cells.equals(other.cells)
    codec = "cp1252" if text_reading(reading).encoding == "windows-1252" else "utf-8"
    lines = [line for block in several for line in block.lines.tolist()]
    places = [(s, n) for block in several for s, n in zip(block.starts.tolist(), block.lengths.tolist(), strict=True)]
    for row, line, (start, length) in zip(rows, lines, places, strict=True):
        record = kept[start : start + length].decode(codec)
        assert next(csv.reader(io.StringIO(record, newline=""), delimiter=dialect.separator)) == row
        before = kept[:start].decode(codec)
        count = before.count("\r") if dialect.line_end == "\r" else before.count("\n")
        assert line == count + 1
