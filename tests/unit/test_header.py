"""The first line: taken when exact, explained when not."""

from __future__ import annotations

import gzip
import io
import unicodedata
import zipfile

import pytest

from app.csvfile.columns import COLUMNS, HEADER, Column, Layout
from app.csvfile.errors import FileRejected
from app.csvfile.header import MAX_HEADER_BYTES, layout_of, take_header


def refuse(data: bytes) -> str:
    with pytest.raises(FileRejected) as refusal:
        take_header(iter([data]))
    return refusal.value.message


@pytest.mark.parametrize("header", [HEADER, f"\ufeff{HEADER}", HEADER.replace("URN", '"URN"')])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_header_is_taken_with_its_mark_and_line_ending(header: str, newline: str) -> None:
    taken, beyond = take_header(iter([f"{header}{newline}CREATE,".encode()]))
    assert (taken.decode(), beyond) == (header + newline, b"CREATE,")


@pytest.mark.parametrize(("beyond", "width"), [("", 15), (",", 16), (", ,\u200b,", 18), (',""', 16)])
def test_empty_columns_without_a_name_behind_the_last_one_are_taken(beyond: str, width: int) -> None:
    for header in (f"{HEADER}{beyond}\r\n", f'\ufeff"MODE"{HEADER.removeprefix("MODE")}{beyond}\n'):
        assert take_header(iter([header.encode()])) == (header.encode(), b"")
        assert layout_of(header) == Layout(tuple(Column), width)


@pytest.mark.parametrize(
    ("beyond", "width", "ignored"),
    [(",LINE,PROBLEM,SUGGESTION", 18, 3), (",LINE,SUGGESTION,,", 19, 2), (",PROBLEM", 16, 1)],
)
def test_the_columns_of_a_fix_it_file_are_ignored_behind_the_last_one(beyond: str, width: int, ignored: int) -> None:
    header = f"{HEADER}{beyond}\r\n"
    assert take_header(iter([header.encode()])) == (header.encode(), b"")
    assert layout_of(header) == Layout(tuple(Column), width, ignored)
    wrong = header.replace("NOTES", "NOTE")
    assert refuse(wrong.encode()).startswith("Column 14 of the header is called “NOTE” and should be NOTES. The first")


def test_the_columns_of_a_fix_it_file_are_refused_elsewhere() -> None:
    assert "The column “LINE” is not expected" in refuse(f"LINE,{HEADER}\n".encode())


def test_a_header_is_taken_whole_or_not_at_all() -> None:
    longest = HEADER + "," * (MAX_HEADER_BYTES - len(HEADER) - 1)
    assert take_header(iter([f"{longest}\n,".encode()])) == (f"{longest}\n".encode(), b",")
    assert "Too many empty columns follow REFERENCE" in refuse(f"{longest},,\n".encode())


def test_a_header_may_end_with_the_file() -> None:
    assert take_header(iter([HEADER.encode()])) == (HEADER.encode(), b"")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (HEADER.replace(",QUANTITY", ""), "The column QUANTITY is missing"),
        (HEADER.replace(",QUANTITY", "").replace(",URN", ""), "The columns URN and QUANTITY are missing"),
        (f"{HEADER},FOO", "The column “FOO” is not expected"),
        (HEADER.replace("NOTES", "NOTES,"), "The column O of your spreadsheet has no name"),
        (f"{HEADER},URN", "The column URN is in your file twice. Keep only one of them. The first line"),
        (
            f"{HEADER},URN,FOO,URN",
            "URN is in your file 3 times. Keep only one of them. The column “FOO” is not expected",
        ),
        (HEADER.replace("QUANTITY", "QTY"), "Column 10 of the header is called “QTY” and should be QUANTITY"),
        (
            HEADER.replace("URN", "URM").replace(",NOTES", ""),
            "called “URM” and should be URN. The column NOTES is missing",
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
        (f"{HEADER},FOO", "Delete it with its values"),
        (f"{HEADER},,FOO,", "Delete them with their values"),
        (f"{HEADER},FOO,BAR", "Delete them with their values"),
        (HEADER.replace(",QUANTITY", ""), "and its value (or nothing) to each row"),
        (HEADER.replace(",QUANTITY,VARIANTS", ""), "and their values (or nothing) to each row"),
    ],
)
def test_who_corrects_the_header_alone_is_told_that_the_rows_have_the_same_columns(line: str, words: str) -> None:
    # Only with its names corrected, a file would be imported with quantities for prices.
    assert words in refuse(f"{line}\nx\n".encode())
    assert refuse(f"{line}\nx\n".encode()).endswith(HEADER)


def zipped(*names: str, stored: bytes = b"x") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, stored)
    return packed.getvalue()


_ODS = b"application/vnd.oasis.opendocument.spreadsheet"
_WORKBOOK_IN_XML = b'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">'
ROW = "CREATE,urn:x,,,,,,NM,100,1,,,,,"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"), "an Excel workbook"),
        (zipped("docProps/app.xml", "docProps/core.xml", "xl/theme/theme1.xml"), "an Excel workbook"),
        (zipped("mimetype", stored=_ODS) + _ODS, "a LibreOffice workbook"),
        (zipped("Index/Document.iwa"), "a Numbers workbook"),
        (zipped("[Content_Types].xml", "word/document.xml"), "an Office document"),
        (zipped("stock.csv"), "a ZIP archive, not a CSV file. Extract it"),
        (b"PK\x03\x04" + bytes(60), "a workbook or a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60), "an old Excel workbook (.xls)"),
        (gzip.compress(f"{HEADER}\n".encode(), mtime=0), "compressed with gzip. Extract it"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "compressed archive"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF"),
        (b"{\\rtf1\\ansi\\deff0", "formatted text (RTF)"),
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (_WORKBOOK_IN_XML, "an Excel workbook in XML"),
        (b"<!DOCTYPE html>\r\n<html><body>502 Bad Gateway</body></html>\r\n", "a web page"),
        (b"\xef\xbb\xbf\n  <html lang='en'>", "a web page"),
        (b"<?xml version='1.0'?>\n<stock><item/></stock>", "is XML"),
        (b"<stock>\n<item/></stock>", "is XML"),
        (b'[{"MODE": "CREATE", "URN": "urn:x"}]', "is JSON"),
        (b'\n{\n  "rows": []}', "is JSON"),
        (HEADER.encode("utf-16"), "encoded as UTF-16"),
        (HEADER.encode("utf-16-le"), "encoded as UTF-16"),
        (HEADER.encode("utf-16-be"), "encoded as UTF-16"),
        (b"MODE\0,URN\n", "NUL"),
        ("MÖDE,URN\n".encode("latin-1"), "not UTF-8 text"),
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
    ],
)
def test_a_file_of_another_kind_is_told_what_it_is(data: bytes, words: str) -> None:
    assert words in refuse(data)


@pytest.mark.parametrize(
    ("above", "words"),
    [
        ("sep=,", "The header is on line 2, below “sep=,”, which only Excel understands. Delete line 1."),
        ("Stock of 3 May", "The header is on line 2. Delete line 1, so that it comes first."),
        ('# exported by a program\n\n"a, title",,,', "The header is on line 4. Delete lines 1 to 3, "),
        (",,,", "The header is on line 2."),
        ("", "The header is on line 2."),
        (ROW, "The header is on line 2."),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_header_further_down_is_found(above: str, words: str, newline: str) -> None:
    text = f"{above}\n{HEADER}\n{ROW}\n".replace("\n", newline)
    assert refuse(text.encode()).startswith(words)
    assert refuse(f"\ufeff{text}".encode()).startswith(words)


def test_what_else_is_wrong_with_a_header_further_down_is_said_with_it() -> None:
    told = refuse(f"sep=;\n{HEADER.replace(',', ';')}\n".encode())
    assert "below “sep=;”" in told
    assert "separated by semicolons" in told
    assert "The column PRICE is missing" in refuse(f"Stock\n{HEADER.replace(',PRICE', '')}\n".encode())


def test_lines_that_stand_in_quotes_as_one_value_are_seen() -> None:
    told = refuse(f'"{HEADER}"\r\n"{ROW}"\r\n'.encode())
    assert told.startswith("Every line of this file stands in quotation marks as one value.")


@pytest.mark.parametrize(
    ("separator", "name"),
    [(";", "semicolons"), ("\t", "tabs"), ("|", "pipes"), (":", "colons"), ("^", "“^”"), ("¦", "“¦”"), (" ", "spaces")],
)
def test_whatever_separates_the_columns_is_named(separator: str, name: str) -> None:
    for header in (HEADER, HEADER.lower(), ",".join(f'"{column}"' for column in COLUMNS)):
        assert f"separated by {name}" in refuse(f"{header.replace(',', separator)}\n".encode())
    assert ("list separator of Windows" in refuse(HEADER.replace(",", separator).encode())) == (separator == ";")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Quantity,Name,Simple Name,Set,Card Number,Rarity,Price Each", "there is only SET, NAME and QUANTITY."),
        ("Product ID,Price,Title", "there is only PRICE."),
    ],
)
def test_the_columns_of_another_program_are_not_told_one_by_one(line: str, words: str) -> None:
    told = refuse(f"{line}\n1,2,3\n".encode())
    assert told.startswith("The columns are those of another program: of the 15 that are needed, ")
    assert words in told


def test_a_sentence_with_some_names_in_it_is_no_header() -> None:
    text = "Stock\n\nEach row has a price and a quantity, and the set and the name of the item as they are here.\n"
    assert "has no header" in refuse(text.encode())


def test_the_table_of_another_program_is_told_its_separator_too() -> None:
    assert "separated by semicolons" in refuse(b"idProduct;name;price\n1;Snail;2\n")


@pytest.mark.parametrize("sentence", [refuse(HEADER.encode("utf-16")), refuse(HEADER.replace(",", ";").encode())])
def test_how_to_save_the_file_is_said_for_three_programs(sentence: str) -> None:
    for program in ("Excel", "LibreOffice", "Google Sheets"):
        assert program in sentence


@pytest.mark.parametrize("character", ["\u200b", "\ufeff", "\u00a0", "\u00ad"])
def test_an_invisible_character_in_a_name_is_named(character: str) -> None:
    told = refuse(HEADER.replace("PRICE", f"PRICE{character}").encode())
    assert f"“PRICE[U+{ord(character):04X} {unicodedata.name(character)}]” for PRICE" in told


@pytest.mark.parametrize("name", ["\x1b]52;c;aGk=\x07", "\x1b[31m", "\u202eECIRP", "\x9b2J"])
def test_nothing_of_a_file_reaches_a_terminal_as_it_is(name: str) -> None:
    for header in (HEADER.replace("URN", name), f"sep={name}\n{HEADER}", f"{name}\n"):
        assert refuse(header.encode()).isprintable()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_judgement_does_not_depend_on_how_the_bytes_arrive(size: int) -> None:
    for data in (f"Stock\n{HEADER}\n{ROW}\n".encode(), zipped("docProps/app.xml", "xl/workbook.xml"), b"a\n" * 3000):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        with pytest.raises(FileRejected) as refusal:
            take_header(iter(pieces))
        assert refusal.value.message == refuse(data)
    right = f"{HEADER}\n{ROW}\n".encode()
    header, beyond = take_header(iter([right[at : at + size] for at in range(0, len(right), size)]))
    assert (header, beyond) == (f"{HEADER}\n".encode(), f"{ROW}\n".encode())


def test_no_more_is_read_than_it_takes_to_judge() -> None:
    def pieces():
        yield b"x" * (MAX_HEADER_BYTES + 1)
        raise AssertionError("read on")

    with pytest.raises(FileRejected):
        take_header(pieces())


def test_every_column_that_is_missing_is_named() -> None:
    for column in COLUMNS:
        without = ",".join(name for name in COLUMNS if name != column)
        assert f"The column {column} is missing." in refuse(f"{without}\n".encode())
