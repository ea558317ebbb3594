"""Reading the files that sellers have from other tools."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest

from app.imports.foreign.reading import blocks, detect, text_of, text_reading
from app.imports.foreign.shapes import Block, NotStock, Reading, Unreadable
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
    assert (reading.header_line, reading.first_line, reading.unsure) == (3, 4, ())
    assert lines_of(several) == expected_lines()["own-spreadsheet.xlsx"]
    assert notes_of(several) == {12: "total"}
    cells = cells_of(several)
    assert [row[2] for row in cells[:3]] == ["26", "4/102", "10/64"]
    assert [row[7] for row in cells] == ["0.35", "1199.95", "18", "4.1", "£0,50", "950", "120", "2292.9"]


WHEN = datetime.fromisoformat("2026-05-01T13:52")
HEADER = "Name,Set,Number,Condition,Qty\n"


@pytest.mark.parametrize(
    ("text", "header_line", "above", "columns"),
    [
        (f'"sep=,"\r\n{HEADER}Mew,151,205,NM,1\n', 2, 1, 5),
        (f"Info,Version=1.0.0,Template=fx_category_template_EBAY_GB\n{HEADER}Mew,151,205,NM,1\n", 2, 1, 5),
        (f"Stock of June\n\n{HEADER}Mew,151,205,NM,1\n", 3, 2, 5),
        ("Karte;Erweiterung;Nummer;Zustand;Anzahl;Preis\nMew;151;205;NM;1;0,35\n", 1, 0, 6),
        ("Jméno,Vydání,Číslo,Stav,Kusů\nMew,151,205,NM,1\nIono,Paldea Evolved,185,NM,4\n", 1, 0, 5),
        ("Mew,151,205,NM,1\nIono,Paldea Evolved,185,NM,4\n", 0, 0, 5),
        ("sep=|\nMew|151|205|NM|1\n", 0, 1, 5),
        ("Name,Qty,,\nMew,1,x,\nIono,4,y,\n", 1, 0, 3),
    ],
)
def test_the_header_is_found(text: str, header_line: int, above: int, columns: int) -> None:
    reading, several = read(text.encode())
    assert (reading.header_line, len(reading.columns)) == (header_line, columns)
    assert reading.first_line == 1 + above + bool(header_line)
    rows = text.rstrip("\n").count("\n") + 1 - above - bool(header_line)
    assert len(lines_of(several)) == rows
    assert notes_of(several) == {}
    assert ("header" in reading.unsure) is (not text.isascii() or header_line == 0)


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("Name;Price\nMew;1,50\nIono;0,35\n", ";"),
        ("Name,Tags\nMew,a|b|c|d\nIono,a|b|c|d\n", ","),
        ("Jmeno\tKusu\nMew, 151\t1\nIono, 185\t1\n", "\t"),
        ("Nazev\nMew\n", ","),
    ],
)
def test_the_separator_is_found(text: str, separator: str) -> None:
    reading, _ = read(text.encode())
    assert reading.separator == separator


def test_what_is_no_row_or_is_odd_has_a_note() -> None:
    text = (
        f"{HEADER}"
        "Mew,151,205,NM,1\n"
        ",,,,\n"
        "   \n"
        "Iono,Paldea Evolved,185,NM,1,4\n"
        "Iono,Paldea Evolved,185,NM,1,,\n"
        "Iono,Paldea Evolved,185\n"
        '"Iono" x,Paldea Evolved,185,NM,1\n'
        '"Iono,Paldea Evolved,185,NM,1\n'
        '"Iono,Paldea Evolved,185,NM,1\n'
        'Mew," 151",205,NM,1\n'
        'Mew, "151, or so",205,NM,1\n'
        f"{HEADER}"
        "Jungle,,,,\n"
        "Total:,,,,9\n"
        "Exported on 1 June\n"
    )
    reading, several = read(text.encode())
    assert notes_of(several) == {
        5: "too-many-cells",
        7: "too-few-cells",
        8: "broken-quotes",
        9: "broken-quotes",
        10: "broken-quotes",
        13: "header-again",
        14: "remark",
        15: "total",
        16: "remark",
    }
    assert lines_of(several) == [2, *range(5, 17)]
    cells = dict(zip(lines_of(several), cells_of(several), strict=True))
    assert cells[7] == ["Iono", "Paldea Evolved", "185", "", ""]
    assert cells[8][0] == "Iono x"
    assert cells[12][1] == "151, or so"
    assert reading.unsure == ()


def test_every_guess_is_overruled() -> None:
    data = "Mew;café;1\nIono;thé;2\n".encode("cp1252")
    reading, several = read(data)
    assert (reading.encoding, reading.separator, reading.unsure) == ("windows-1252", ";", ("header", "encoding"))
    assert cells_of(several)[0] == ["Mew", "café", "1"]
    reading, several = read(data, header_line=1, encoding="mac_roman")
    assert (reading.columns[0], reading.unsure) == ("Mew", ())
    assert cells_of(several) == [["Iono", "thÈ", "2"]]
    reading, several = read(data, separator=",", quote="")
    assert (reading.columns, len(lines_of(several))) == (("Column A",), 2)
    for wrong in ({"encoding": "ebcdic"}, {"separator": "ab"}, {"encoding": "utf-8"}, {"header_line": 99}):
        with pytest.raises(Unreadable):
            read(data, **wrong)


def test_values_of_a_workbook_are_as_a_person_sees_them() -> None:
    out = io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["Anything", 1])
    sheet = book.create_sheet("My cards")
    sheet.append(["Name", "No.", "Price", "Qty", "Foil", "Added", "Stars"])
    sheet.append(["Mew\nex", date(1964, 10, 1), 4.1, 4.0, True, WHEN, "=1+1"])
    sheet.append(["Iono", 7, 0.1 + 0.2, 1e6, False, date(2026, 5, 1), time(9, 30)])
    sheet.append(["", "TG05/TG30", 1199.95, 12345678901234, None, date(2026, 5, 2), "_x000D_"])
    sheet["B3"].number_format = "000"
    book.create_sheet("Secret").sheet_state = "hidden"
    book.save(out)
    reading, several = read(out.getvalue())
    assert (reading.sheet, reading.sheets) == ("My cards", ("Sheet", "My cards", "Secret"))
    assert cells_of(several) == [
        ["Mew\nex", "10/64", "4.1", "4", "TRUE", "2026-05-01 13:52:00", ""],
        ["Iono", "007", "0.3", "1000000", "FALSE", "2026-05-01", "09:30:00"],
        ["", "TG05/TG30", "1199.95", "12345678901234", "", "2026-05-02", "\r"],
    ]
    assert lines_of(several) == [2, 3, 4]
    reading, _ = read(out.getvalue(), sheet="Sheet")
    assert (reading.sheet, reading.columns) == ("Sheet", ("Column A", "Column B"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_lines_that_are_quoted_as_one_value_are_read_as_they_are_meant(encoding: str) -> None:
    text = '"Name;Set;Number;Qty"\r\n"Pokémon Breeder;""Base; Set"";076;2"\r\n"Mew;151;""205"";1"'
    reading, rows = read(text.encode(encoding))
    assert (reading.is_wrapped, reading.separator, reading.columns) == (True, ";", ("Name", "Set", "Number", "Qty"))
    assert cells_of(rows) == [["Pokémon Breeder", "Base; Set", "076", "2"], ["Mew", "151", "205", "1"]]
    assert lines_of(rows) == [2, 3]
    # As the page sends it, which has all choices in its form.
    assert read(text.encode(encoding), separator=";", header_line=1)[0].columns == reading.columns
    assert detect(io.BytesIO(text.encode(encoding)), overrides={}) == reading
    assert text_reading(reading).is_text
    kept = b"".join(text_of(io.BytesIO(text.encode(encoding)), reading))
    assert kept.startswith("Name;Set;Number;Qty\r\nPokémon".encode())
