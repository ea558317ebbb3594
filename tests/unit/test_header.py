"""The first line: taken when exact, explained when not."""

from __future__ import annotations

import pytest

from app.csvfile.contract import COLUMNS, HEADER
from app.csvfile.header import MAX_HEADER_BYTES, take_header
from app.csvfile.rejected import FileRejected


def refuse(data: bytes) -> str:
    with pytest.raises(FileRejected) as refusal:
        take_header(iter([data]))
    return refusal.value.message


@pytest.mark.parametrize("header", [HEADER, f"\ufeff{HEADER}", HEADER.replace("URN", '"URN"')])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_header_is_taken_with_its_mark_and_line_ending(header: str, newline: str) -> None:
    taken, beyond = take_header(iter([f"{header}{newline}CREATE,".encode()]))
    assert (taken.decode(), beyond) == (header + newline, b"CREATE,")


def test_a_header_may_end_with_the_file() -> None:
    assert take_header(iter([HEADER.encode()])) == (HEADER.encode(), b"")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (HEADER.replace(",QUANTITY", ""), "lacks the column QUANTITY"),
        (HEADER.replace(",QUANTITY", "").replace(",URN", ""), "lacks the columns URN and QUANTITY"),
        (f"{HEADER},FOO", "the column “FOO” too many"),
        (f"{HEADER},", "1 column without a name too many"),
        (f"{HEADER},URN", "the column “URN” too many"),
        (HEADER.replace("QUANTITY", "QTY"), "Column 10 of the header is called “QTY” and should be QUANTITY"),
        (
            HEADER.replace("URN", "URM").replace(",NOTES", ""),
            "called “URM” and should be URN. The header lacks the column NOTES",
        ),
        (HEADER.replace("PRICE,QUANTITY", "QUANTITY,PRICE"), "out of order: column 9 is QUANTITY and should be PRICE"),
        (HEADER.lower(), "capital letters"),
        (HEADER.replace(",", ", "), "spaces around"),
        (HEADER.replace(",", ";"), "separated by semicolons"),
        (HEADER.replace(",", "\t"), "separated by tabs"),
        ("CREATE,urn:x,,,,,,NM,100,1,,,,,", "has no header"),
        (",,,", "first line is blank"),
        (f"{HEADER}\rCREATE,x", "carriage return"),
    ],
)
def test_a_wrong_header_is_told_what_is_wrong_with_it(line: str, words: str) -> None:
    assert words in refuse(f"{line}\nx\n".encode())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (HEADER.replace("PRICE,QUANTITY", "QUANTITY,PRICE"), "Move whole columns with their values"),
        (f"{HEADER},FOO", "Delete its values too"),
        (f"{HEADER},", "Delete its values too"),
        (f"{HEADER},FOO,BAR", "Delete their values too"),
        (HEADER.replace(",QUANTITY", ""), "Each row needs a value for it too, or an empty one"),
        (HEADER.replace(",QUANTITY,VARIANTS", ""), "Each row needs values for them too, or empty ones"),
    ],
)
def test_who_corrects_the_header_alone_is_told_that_the_rows_have_the_same_columns(line: str, words: str) -> None:
    # Only with its names corrected, a file would be imported with quantities for prices.
    assert words in refuse(f"{line}\nx\n".encode())
    assert refuse(f"{line}\nx\n".encode()).endswith(HEADER)


def test_other_kinds_of_files_are_recognised() -> None:
    assert "not a CSV" in refuse(b"PK\x03\x04...")
    assert "old Excel" in refuse(b"\xd0\xcf\x11\xe0...")
    assert "UTF-16" in refuse(HEADER.encode("utf-16"))
    assert "NUL" in refuse(b"MODE\0,URN\n")
    assert "UTF-8" in refuse("MÖDE,URN\n".encode("latin-1"))
    assert "empty" in refuse(b"")
    assert "empty" in refuse(b"\n \n")


def test_no_more_is_read_than_it_takes_to_judge() -> None:
    def pieces():
        yield b"x" * (MAX_HEADER_BYTES + 1)
        raise AssertionError("read on")

    with pytest.raises(FileRejected):
        take_header(pieces())


def test_every_column_that_is_missing_is_named() -> None:
    for column in COLUMNS:
        without = ",".join(name for name in COLUMNS if name != column)
        assert f"lacks the column {column}." in refuse(f"{without}\n".encode())
