"""Files that cannot be read, or are no stock, get a sentence."""

from __future__ import annotations

import gzip
import io
import tracemalloc

import openpyxl
import pytest

from app.imports.foreign import gzipped, package, workbook
from app.imports.foreign.reading import blocks, detect
from app.imports.foreign.shapes import NotStock, Unreadable
from tests.workbooks import MAIN, ROW, make_workbook

HEADER = "Name,Set,Number,Qty\n"


def read(data: bytes) -> list[list[str]]:
    source = io.BytesIO(data)
    reading = detect(source, overrides={})
    return [list(row.values()) for block in blocks(source, reading) for row in block.cells.to_pylist()]


def test_the_smallest_workbook_is_read() -> None:
    data = make_workbook(f'{ROW}<row r="3"><c r="B3"><v>4.0</v></c><c><v>1</v></c></row>')
    assert read(data) == [["", "4", "1"]]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "The file is empty"),
        (b"\xef\xbb\xbf \n", "The file is empty"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), r"\.xls\).*save it as \.xlsx or as CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "password"),
        (b"%PDF-1.7", "PDF"),
        (gzip.compress(make_workbook(), mtime=0), "packed once more with gzip. Unpack it first"),
        (b"<!doctype html><html>", "web page"),
        (b'{"cards": []}', "JSON"),
        (gzip.compress(b"", mtime=0)[:-4], "damaged or cut off"),
        (gzip.compress(HEADER.encode() * 9999, mtime=0)[:-9], "damaged or cut off"),
        (make_workbook()[:300], "archive is damaged or was cut off"),
        (make_workbook(workbook="<workbook"), "xl/workbook.xml is no valid XML"),
        (make_workbook(workbook='<!DOCTYPE a [<!ENTITY b "c">]><workbook>&b;</workbook>'), "declares entities"),
        (make_workbook(workbook=f'<document xmlns="{MAIN}"/>'), "no workbook"),
        (make_workbook(sheet="<worksheet><sheetData><row>"), "no valid XML"),
        (make_workbook(""), "The workbook is empty"),
        (make_workbook('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>'), "out of order"),
        (make_workbook('<row r="1"><c r="XFE1"><v>1</v></c></row>'), "out of order"),
        (make_workbook('<row><c t="s"><v>7</v></c></row>'), "a text that is not there"),
        (make_workbook(f'{ROW}<row r="1048576"><c><v>1</v></c></row><row><c><v>1</v></c></row>'), "more rows"),
        ((HEADER + "Mew,151,205,\0\n").encode(), "Line 2 contains a NUL byte"),
        ((",".join(map(str, range(600))) + "\n").encode(), "more than 500 columns"),
    ],
)
def test_what_is_no_table_gets_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        read(data)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = b"0" * (1 << 20)
    with pytest.raises(Unreadable, match="too large when unpacked"):
        read(make_workbook(sheet=zeros * 24))
    monkeypatch.setattr(package, "MAX_ENTRIES", 3)
    with pytest.raises(Unreadable, match="more than 3 parts"):
        read(make_workbook())
    monkeypatch.setattr(gzipped, "MAX_UNPACKED_BYTES", 1 << 20)
    with pytest.raises(Unreadable, match="when unpacked"):
        read(gzip.compress(HEADER.encode() + zeros))


def test_a_row_and_a_value_of_a_workbook_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_ROW_CHARACTERS", 1000)
    monkeypatch.setattr(package, "MAX_TOKEN_BYTES", 100_000)
    with pytest.raises(Unreadable, match="row 1 of a sheet is too long"):
        read(make_workbook(f"<row><c t='str'><v>{'a' * 1001}</v></c></row>"))
    with pytest.raises(Unreadable, match="a value that is too long"):
        read(make_workbook(f"<row r='{'1' * 1_000_000}'/>"))


def test_a_small_workbook_takes_little_memory() -> None:
    # Each row has a single cell, in the last column of all.
    far = make_workbook("".join(f'<row><c r="XFD{at}"><v>1</v></c></row>' for at in range(1, 201)))
    many = make_workbook(workbook=f"<workbook>{'<a/>' * 100_000}</workbook>")
    tracemalloc.start()
    for data, says in ((far, "more than 500 columns"), (many, "no sheets")):
        tracemalloc.reset_peak()
        with pytest.raises(Unreadable, match=says):
            detect(io.BytesIO(data), overrides={})
        assert tracemalloc.get_traced_memory()[1] < 8 << 20, says
    tracemalloc.stop()


def test_a_workbook_with_data_of_buyers_is_refused_whichever_sheet_is_read() -> None:
    out = io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["Name", "Set", "Number", "Qty"])
    book.active.append(["Mew", "151", 205, 1])
    book.create_sheet("Sold").append(["Item", "Buyer name"])
    book.save(out)
    with pytest.raises(NotStock, match="The sheet “Sold” is a list of orders with the names"):
        read(out.getvalue())


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("Product Line,Condition,Set,Quantity,SkuId,Order Quantity", "a TCGplayer pull sheet"),
        ("Order #,FirstName,LastName,Address1,City,Order Date,Tracking #", "names or addresses of buyers"),
        ("Sales record number;Order number;Buyer username;Buyer name;Quantity", "names or addresses of buyers"),
        ("OrderID,Date of Purchase,Article Count,Merchandise Value", "a list of orders"),
        ('"Order Number,Buyer Name,""Order Date"""\n"1,""Ash, K."",2026-01-01"', "names or addresses of buyers"),
    ],
)
def test_orders_are_refused_by_name(header: str, says: str) -> None:
    with pytest.raises(NotStock, match=says):
        read(f"{header}\n".encode())
