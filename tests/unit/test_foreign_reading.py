"""Reading the files that sellers have from other tools."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from app.imports.foreign.reading import Block, NotStock, Reading, blocks, detect
from tests.samples import SAMPLES, needs_samples

FOREIGN = SAMPLES / "foreign"


def read(data: bytes, **overrides: object) -> tuple[Reading, list[Block]]:
    source = io.BytesIO(data)
    reading = detect(source, overrides=overrides)  # type: ignore[arg-type]
    return reading, [*blocks(source, reading)]


def cells_of(several: Iterable[Block]) -> list[list[str]]:
    return [list(row.values()) for block in several for row in block.cells.to_pylist()]


def lines_of(several: Iterable[Block]) -> list[int]:
    return [line for block in several for line in block.lines.tolist()]


def notes_of(several: Iterable[Block]) -> dict[int, str]:
    return {int(block.lines[at]): str(note) for block in several for at, note in block.notes.items()}


def expected_lines() -> dict[str, list[int]]:
    lines: dict[str, list[int]] = defaultdict(list)
    with (FOREIGN / "expected.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["LINE"] and int(row["LINE"]) not in lines[row["FILE"]]:
                lines[row["FILE"]].append(int(row["LINE"]))
    return lines


@needs_samples
@pytest.mark.parametrize("name", sorted(path.name for path in FOREIGN.glob("*.?sv") if path.name != "expected.csv"))
def test_every_row_of_a_sample_is_read_at_its_line(name: str) -> None:
    path = Path(FOREIGN / name)
    data = path.read_bytes()
    if name == "tcgplayer-pull-sheet.csv":
        with pytest.raises(NotStock, match="pull sheet"):
            read(data)
        return
    reading, several = read(data)
    assert Reading.from_json(reading.to_json()) == reading
    assert reading.header_line == 1
    assert lines_of(several) == expected_lines()[name]
    assert notes_of(several) == {}
    # The text of each row, read by itself, has its cells.
    codec = {"windows-1252": "cp1252"}.get(reading.encoding, "utf-8")
    texts = [
        data[start : start + length].decode(codec)
        for block in several
        for start, length in zip(block.starts.tolist(), block.lengths.tolist(), strict=True)
    ]
    alone = [next(csv.reader(io.StringIO(text, newline=""), delimiter=reading.separator)) for text in texts]
    assert cells_of(several) == alone


@needs_samples
def test_the_workbook_of_the_samples_is_read_as_a_person_sees_it() -> None:
    reading, several = read((FOREIGN / "own-spreadsheet.xlsx").read_bytes())
    assert (reading.kind, reading.sheet, reading.sheets) == ("xlsx", "Stock", ("Stock", "Sold"))
    assert (reading.header_line, reading.above, reading.unsure) == (3, ("Card stock, counted June",), ())
    assert lines_of(several) == expected_lines()["own-spreadsheet.xlsx"]
    assert notes_of(several) == {12: "total"}
    cells = cells_of(several)
    assert [row[2] for row in cells[:3]] == ["26", "4/102", "10/64"]
    assert [row[7] for row in cells] == ["0.35", "1199.95", "18", "4.1", "£0,50", "950", "120", "2292.9"]
