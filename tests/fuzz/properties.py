"""Properties of the readers, the validator and the upload check that hold for all inputs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace

from app.csvfile import lines, reader, scan
from app.csvfile.columns import COLUMNS, HEADER, NEWEST, Column
from app.csvfile.contract import NamedBy
from app.csvfile.errors import FileRejected
from app.csvfile.records import find_cells
from app.csvfile.visible import trim
from app.imports.foreign import block_converter, convert, delimited, memo, reading, shapes
from app.imports.foreign.mapping import Field
from app.imports.foreign.reasons import Outcome
from app.imports.foreign.recognised import formats
from app.queries import items_by_set
from app.queries.items_by_set import NamedItem, NamedSet
from app.queries.listings import listings
from tests import reference, workbooks

#: Ordinary blocks and batches have thousands of rows. Small ones have more edges; whole files are read faster.
_BLOCK_BYTES = (24, 150, 1 << 16)
_MAX_RECORD_BYTES = 300
_BATCH_ROWS = 3
#: The catalog of the converter.
_ITEMS = [
    NamedItem(1, "urn:c:026", "Pokemon", "Obsidian Flames", "Charmander", "026", "", frozenset(("normal", "reverse"))),
    NamedItem(2, "urn:l:9", "Pokemon", "Neo Genesis", "Lugia", "9", "", frozenset(("holo", "1st-edition", "signed"))),
    NamedItem(3, "urn:i:185", "Pokemon", "Paldea Evolved", "Iono", "185", "", frozenset(("normal", "de"))),
    NamedItem(4, "urn:i:254", "Pokemon", "Paldea Evolved", "Iono", "254", "", frozenset(("holo", "fr"))),
]
_IDS = {1: [_ITEMS[0]], 2: [_ITEMS[1]], 7: _ITEMS[2:]}
#: The cells of a row that becomes a listing.
_USUAL = {
    Field.CARDMARKET_ID: "1",
    Field.GAME: "Pokemon",
    Field.SET: "Obsidian Flames",
    Field.SET_CODE: "OBF",
    Field.NUMBER: "026",
    Field.NAME: "Charmander",
    Field.TITLE: "Charmander 026 Obsidian Flames",
    Field.CONDITION: "Near Mint",
    Field.PRICE: "1.50",
    Field.CURRENCY: "GBP",
    Field.QUANTITY: "2",
    Field.FOIL_QUANTITY: "2",
}
#: Other cells that the converter knows.
WORDS = (
    *("", "1", "2", "7", "0", "-1", "x4", "1,000,000", "0.45", "1.149", "1,50 €", "$2", "£0.001", "9999999"),
    *("Obsidian Flames", "SV03: Obsidian Flames", "Neo Genesis", "Paldea Evolved", "OBF", "Pokemon", "Magic"),
    *(
        "Charmander",
        "Charmander - 026/197",
        "Lugia",
        "Iono",
        "Iono (185)",
        "026/197",
        "9",
        "254",
        "Oct 26",
        "Booster Box",
    ),
    *("NM", "2xNM", "LP", "Near Mint 1st Edition Holofoil - Japanese", "PSA 10", "EX", "Sealed", "true", "false"),
    *("English", "German", "de", "French", "Foil", "Holofoil", "Reverse Holofoil", "Signed", "GBP", "EUR", "Total"),
    *("card", "proxy", "variable", "variation", "simple", "id:1", "a; b, “c”", "two\nlines", "x" * 300),
)


def make_small() -> None:
    """Make blocks, batches and the longest record small in this process from now on."""
    reader.MAX_RECORD_BYTES = delimited.MAX_RECORD_BYTES = _MAX_RECORD_BYTES
    delimited.MAX_BLOCK_ROWS = _BATCH_ROWS
    scan.rows_per_batch = lambda *_: _BATCH_ROWS
    items_by_set.list_sets = lambda: [*{NamedSet(one.game, one.set_name): None for one in _ITEMS}]
    items_by_set.find_by_urns = lambda urns: [one for one in _ITEMS if one.urn in urns]
    items_by_set.find_by_ids = lambda named_by, ids: [
        (number, one) for number in ids if named_by is NamedBy.CARDMARKET_ID for one in _IDS.get(number, [])
    ]
    items_by_set.find_in_sets = lambda sets: [
        (of_set, one) for one in _ITEMS if (of_set := NamedSet(one.game, one.set_name)) in sets
    ]
    listings.exists_for = lambda _: False
    convert.db = SimpleNamespace(session=SimpleNamespace(rollback=lambda: None))  # type: ignore[assignment]


def _make_blocks_of(size: int) -> None:
    reader.BLOCK_BYTES = lines.BLOCK_BYTES = size


def check_reader(data: bytes, cuts: Sequence[int]) -> bool:
    """Whether ``data`` can be read. Raises AssertionError if two readers, or two ways to cut it, differ.

    ``cuts`` choose the size of the blocks, too, and the record that is read alone.
    """
    _make_blocks_of(_BLOCK_BYTES[cuts[0] % 3])
    pieces = _bytes(data) if cuts[1] % 8 == 1 else _pieces(data, cuts)
    whole, cut = _read([data]), _read(pieces)
    if whole is None or cut is None:
        assert whole is cut is None, (whole, cut)
        return False
    assert whole == cut
    assert "".join(record.text for record in whole) == data.decode()
    assert whole == [*reference.read(data, NEWEST)]
    assert [(line, _plain(cells), text, end) for line, cells, _, text, end in whole] == [*_read_slowly(data.decode())]
    if whole:
        at = cuts[0] % len(whole)
        record, start = whole[at], whole[at - 1].end if at else 0
        alone = _read([data[start : record.end]], offset=start, line=record.line)
        assert alone == [record], (alone, record)
        find_cells(record.text)
    return True


def check_scan(data: bytes, cuts: Sequence[int]) -> bool:
    """Whether a file with ``data`` below its header can be imported. Its batches must have exactly its rows."""
    _make_blocks_of(_BLOCK_BYTES[cuts[0] % 3])
    file = f"{HEADER}\n".encode() + data
    try:
        found = scan.scan(_pieces(file, cuts), max_rows=1_000, max_bytes=1 << 20)
    except FileRejected:
        return False
    whole = [*reference.as_lines([file[len(found.header) :]], offset=len(found.header))]
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


def check_validator(rows: list[list[str]], number: int) -> bool:
    """Whether all ``rows`` are valid. Judging them in columns and cell by cell must agree.

    An even ``number`` judges all in one go, and an odd one each alone.
    """
    _make_blocks_of(_BLOCK_BYTES[-1])
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = file.getvalue().encode()
    try:
        expected = [*reference.judge(data)]
    except FileRejected:
        return False
    assert [*reference.as_lines([data], at_once=1 if number % 2 else len(rows) + 1)] == expected
    for line in expected:
        for problem in line.problems:
            assert problem.column in ("", None, *COLUMNS)
    return len(expected) == len(rows) and not any(line.problems for line in expected)


def check_foreign(data: bytes, cuts: Sequence[int]) -> bool:
    """Whether a foreign file is read, and each of its parts that is no row is blank, however it is cut.

    Bytes that begin with an angle bracket are a sheet of a workbook.
    """
    file = workbooks.make_workbook(sheet=data) if data.startswith(b"<") else data
    source = io.BytesIO(file)
    delimited.BLOCK_BYTES = _BLOCK_BYTES[cuts[0] % 3]
    try:
        found = reading.detect(source, overrides={})
        text, text_reading = b"".join(reading.text_of(source, found)), reading.text_reading(found)
        rows = [*_foreign_rows(delimited.read_text([text], text_reading))]
    except FileRejected:
        return False
    assert rows == [*_foreign_rows(reading.blocks(source, found))]
    pieces = _bytes(text) if cuts[1] % 8 == 1 else _pieces(text, cuts)
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


def check_converter(number: int, changes: Sequence[Sequence[tuple[int, str]]]) -> bool:
    """Whether a file of a recognised format has rows that become listings: each has one outcome, and only valid lines.

    Each row is a usual one with other cells in some columns. What is remembered, and how the rows are cut into blocks,
    must make no difference.
    """
    one = formats()[number % len(formats())]
    usual = dict.fromkeys(one.signature, "")
    for field, source in one.mapping.sources.items():
        usual |= dict.fromkeys(source.columns, _USUAL.get(field, ""))
    rows = [[*usual.values()] for _ in changes]
    for row, of_row in zip(rows, changes, strict=True):
        for at, cell in of_row:
            row[at % len(row)] = cell
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([[name.strip("*") for name in usual], *rows])
    data = io.BytesIO(file.getvalue().encode(errors="replace"))
    try:
        found = reading.detect(data, overrides={})
    except FileRejected:
        return False
    count = sum(len(block) for block in reading.blocks(data, found))
    mapping = replace(one.mapping, money=replace(one.mapping.money, currency="GBP"))
    came = []
    # The header alone has many bytes.
    delimited.BLOCK_BYTES = 1 << 16
    for most in (1_000, 1):
        memo._MOST_VALUES = block_converter._MOST_REASONS = block_converter._MOST_TARGETS = most
        delimited.MAX_BLOCK_ROWS = most
        try:
            blocks = [*convert.convert(data, found, mapping, 1)]
        except FileRejected:
            return False
        came.append(_came(blocks))
    assert came[0] == came[1]
    lines_made, outcomes, out_lines, _ = came[0]
    assert len(outcomes) == count
    for outcome, made in zip(outcomes, out_lines, strict=True):
        assert bool(made) == (outcome in (Outcome.ROW, Outcome.ADDED)), (outcome, made)
    judged = [*reference.judge(lines_made)]
    assert {line for made in out_lines for line in made} == {line.line for line in judged}
    # Only an import tells that a text is too long, or that quantities add up to too much.
    may_fail = {Column.COMMENT, Column.NOTES, Column.REFERENCE, Column.QUANTITY}
    assert {problem.column for line in judged for problem in line.problems} <= may_fail
    return bool(judged)


def _came(blocks: Sequence[convert.Converted]) -> tuple[bytes, list[int], list[list[int]], list[str]]:
    """The lines that were made; of each row of the file the outcome, its lines, and the reason."""
    outcomes: list[int] = []
    out_lines: list[list[int]] = []
    sentences: list[str] = []
    for block in blocks:
        of_rows: list[list[int]] = [[] for _ in block.lines]
        for at, row in enumerate(block.from_rows.tolist()):
            of_rows[row].append(block.first_line + at)
        for row, line in zip(block.added_rows.tolist(), block.added_lines.tolist(), strict=True):
            of_rows[row].append(line)
        outcomes += block.outcomes.tolist()
        out_lines += of_rows
        sentences += [block.reasons[at].sentence if at >= 0 else "" for at in block.reason_at.tolist()]
    return b"".join(block.data for block in blocks), outcomes, out_lines, sentences


def _foreign_rows(blocks: Iterable[shapes.Block]) -> Iterator[tuple[int, int, int, tuple[str, ...], str | None]]:
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


def _bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def _pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]
