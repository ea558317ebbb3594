"""Reads workbooks (.xlsx, .xlsm) row by row, with the values as a person sees them.

Nothing in a workbook is run or followed: of a formula the stored value counts, and macros, links and pictures are never
opened. ISO 29500 is the standard; each name of a function here is one of its elements.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import BinaryIO, NamedTuple, TypeVar

from app.csvfile.kinds import recognise_bytes
from app.imports.foreign.guesses import Line
from app.imports.foreign.package import MAX_SHEET_BYTES, SAVE_AGAIN, Handler, Package, XmlElement, broken, local
from app.imports.foreign.shapes import MOST_COLUMNS, Unreadable

#: The limits of Excel.
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384
#: Number of different texts, which are held in memory.
MAX_STRINGS = 1_500_000
#: Number of characters of a row.
MAX_ROW_CHARACTERS = 8 * 1024**2

_Found = TypeVar("_Found")

#: The beginning of a ZIP archive that tells what it holds.
_START_BYTES = 64 * 1024
_BINARY = "This is a binary Excel workbook (.xlsb). Open it in Excel, and save it as .xlsx or as CSV."
#: The numbers of the formats of dates and times that every workbook has.
_DATES = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
#: The format “4-Jul”: a day and a month, whose year says nothing.
_DAY_AND_MONTH = 16
#: What in a format is no sign of a date: quoted and escaped texts, colors and conditions, but not [h].
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_DATE_SIGN = re.compile(r"[dmyhs]", re.IGNORECASE)
_PADDED = re.compile(r"0{2,}\Z")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})\Z")
_FIRST_DAY, _FIRST_DAY_OF_MACS = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001
#: Excel takes 1900 for a leap year, so that earlier days are one off.
_LEAP_DAY = 60
_DIGITS = 15


class Date(str):
    """A date in a cell, as ISO 8601; ``number`` is the card number that a spreadsheet may have taken for it."""

    number: str | None = None


class _Format(NamedTuple):
    is_date: bool = False
    #: Whether the day and the month were typed, and the year was not.
    is_without_year: bool = False
    #: The digits to which a number is filled up with zeros.
    digits: int = 0


class Workbook:
    """A workbook and its sheets. Raises Unreadable if it is broken, protected or too large."""

    def __init__(self, source: BinaryIO) -> None:
        self._package = Package(source)
        if not self._package.is_office:
            source.seek(0)
            raise Unreadable(recognise_bytes(source.read(_START_BYTES), SAVE_AGAIN) or "This is no workbook.")
        kinds = self._package.targets("").values()
        self._name = next((name for kind, name in kinds if kind == "officeDocument"), "")
        if self._name.endswith(".bin"):
            raise Unreadable(_BINARY)
        elements = self._package.elements(self._name)
        if next(elements).name != "workbook":
            raise Unreadable("This is an Office document and no workbook. Copy its table into a spreadsheet.")
        self._targets = self._package.targets(self._name)
        self._parts: dict[str, str] = {}
        #: The names of the sheets that are not hidden.
        self.visible: tuple[str, ...] = ()
        self._first_day = _FIRST_DAY
        for element in elements:
            self._take(element)
        if not self._parts:
            raise broken("it has no sheets")

    def _take(self, element: XmlElement) -> None:
        values = element.values
        if element.name == "workbookPr" and values.get("date1904") in {"1", "true"}:
            self._first_day = _FIRST_DAY_OF_MACS
        if element.name != "sheet" or element.parent != "sheets":
            return
        identifier = next((value for key, value in values.items() if ":" in key and local(key) == "id"), "")
        kind, part = self._targets.get(identifier, ("", ""))
        name = values.get("name", "")
        if kind == "worksheet" and name not in self._parts:
            self._parts[name] = part
            if values.get("state", "visible") == "visible":
                self.visible += (name,)

    @property
    def sheets(self) -> tuple[str, ...]:
        """The names of its sheets, in order."""
        return tuple(self._parts)

    def rows(self, sheet: str) -> Iterator[Line]:
        """The rows of a sheet that are not empty, by number, each up to its last cell."""
        handler = _Rows(self._strings, self._formats, self._first_day)
        yield from self._package.parse(self._parts[sheet], handler, limit=MAX_SHEET_BYTES)

    @cached_property
    def _strings(self) -> list[str]:
        """The texts that cells share."""
        name = next((name for kind, name in self._targets.values() if kind == "sharedStrings"), None)
        if name is None:
            return []
        strings = [*islice(self._package.parse(name, _Strings()), MAX_STRINGS + 1)]
        if len(strings) > MAX_STRINGS:
            raise Unreadable(
                f"This workbook has more than {MAX_STRINGS:,} different texts. Save the sheet as CSV instead."
            )
        return strings

    @cached_property
    def _formats(self) -> dict[str, _Format]:
        """By the number of a style, how it shows numbers, if not as they are."""
        name = next((name for kind, name in self._targets.values() if kind == "styles"), None)
        if name is None or name not in self._package:
            return {}
        codes: dict[str | None, str] = {}
        styles: list[str] = []
        for one in self._package.elements(name):
            if one.name == "numFmt":
                codes[one.values.get("numFmtId")] = one.values.get("formatCode", "")
            elif one.name == "xf" and one.parent == "cellXfs":
                styles.append(one.values.get("numFmtId", "0"))
        formats = {str(at): _format_of(identifier, codes) for at, identifier in enumerate(styles)}
        return {style: one for style, one in formats.items() if one != _Format()}


class _Texts(Handler[_Found]):
    """Collects the text of an element, of all its runs, without phonetic hints."""

    #: The elements with text.
    within = frozenset({"t"})

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[str] = []
        self._is_text = False
        self._is_hint = False

    def start(self, name: str, values: dict[str, str]) -> None:
        if name in self.within:
            self._is_text = not self._is_hint
        elif ":" in name:
            self.start(local(name), values)
        elif name == "rPh":
            self._is_hint = True
        else:
            self.begin(name, values)

    def text(self, text: str) -> None:
        if self._is_text:
            self._pieces.append(text)

    def end(self, name: str) -> None:
        if name in self.within:
            self._is_text = False
        elif ":" in name:
            self.end(local(name))
        elif name == "rPh":
            self._is_hint = False
        else:
            self.finish(name)

    def begin(self, name: str, values: dict[str, str]) -> None:
        """An element without text of its own begins."""

    def finish(self, name: str) -> None:
        """An element without text of its own ends."""

    def take_text(self) -> str:
        """The text since it was asked."""
        text, self._pieces = "".join(self._pieces), []
        return text


class _Strings(_Texts[str]):
    """Finds the texts that cells share."""

    def finish(self, name: str) -> None:
        if name == "si":
            self.found.append(_unescape(self.take_text()))


class _Rows(_Texts[Line]):
    """Finds the rows of a sheet."""

    within = frozenset({"t", "v"})

    def __init__(self, strings: Sequence[str], formats: Mapping[str, _Format], first_day: datetime) -> None:
        super().__init__()
        self._strings, self._formats, self._first_day = strings, formats, first_day
        self._number = 0
        self._cells: list[str] = []
        self._at = 0
        self._kind = self._style = ""
        self._size = 0

    def begin(self, name: str, values: dict[str, str]) -> None:
        if name == "c":
            self._kind, self._style = values.get("t", "n"), values.get("s", "")
            found = _REFERENCE.match(values.get("r", ""))
            at = column_at(found[1]) if found else self._at
            if not self._at <= at < MAX_COLUMNS:
                raise broken("the cells of a row are out of order")
            self._at = at
            self._pieces.clear()
        elif name == "row":
            said = values.get("r", "")
            self._number = int(said) if said.isdecimal() and self._number < int(said) else self._number + 1
            if self._number > MAX_ROWS:
                raise broken("a sheet has more rows than Excel allows")
            self._at = self._size = 0

    def finish(self, name: str) -> None:
        if name == "c":
            if text := self.take_text():
                self._add(text)
            self._at += 1
        elif name == "row":
            if self._cells:
                self.found.append(Line(self._number, self._cells))
                self._cells = []
        elif name == "sheetData":
            self.is_done = True

    def _add(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_ROW_CHARACTERS:
            raise broken(f"row {self._number:,} of a sheet is too long")
        # Of the cells beyond all columns of a table, one tells that there are some.
        if len(self._cells) <= MOST_COLUMNS and (value := self._value(text)):
            self._cells += [""] * (min(self._at, MOST_COLUMNS) - len(self._cells))
            self._cells.append(value)

    def _value(self, text: str) -> str:
        match self._kind:
            case "n":
                return self._number_text(text.strip())
            case "s":
                return self._string(text)
            case "b":
                return "FALSE" if text.strip() in {"0", "false"} else "TRUE"
            case _:
                return _unescape(text)

    def _string(self, value: str) -> str:
        try:
            return self._strings[int(value)]
        except (ValueError, IndexError):
            raise broken("a cell refers to a text that is not there") from None

    def _number_text(self, value: str) -> str:
        format_ = self._formats.get(self._style)
        if format_ is None:
            return number_text(value)
        if format_.is_date:
            return self._date(value, format_) or number_text(value)
        return number_text(value).zfill(format_.digits)

    def _date(self, value: str, format_: _Format) -> str | None:
        """A serial number as a date or time; None if it is none."""
        try:
            days = float(value)
            if self._first_day is _FIRST_DAY and days < _LEAP_DAY:
                days += 1
            moment = self._first_day + timedelta(seconds=round(days * 86_400))
        except (ValueError, OverflowError):
            return None
        if moment.date() <= _FIRST_DAY.date() + timedelta(days=1):
            return moment.time().isoformat()
        has_time = bool(moment.hour or moment.minute or moment.second)
        date = Date(moment.isoformat(" ") if has_time else moment.date().isoformat())
        if moment.day == 1 and not has_time and not format_.is_without_year:
            date.number = f"{moment.month}/{moment.year % 100:02d}"
        return date


def _format_of(identifier: str, codes: dict[str | None, str]) -> _Format:
    if identifier not in codes:
        return _Format(identifier.isdecimal() and int(identifier) in _DATES, identifier == str(_DAY_AND_MONTH))
    code = codes[identifier].split(";")[0]
    signs = _LITERAL.sub("", code)
    is_date = bool(_DATE_SIGN.search(signs)) and "general" not in signs.lower()
    return _Format(is_date, is_date and "y" not in signs.lower(), len(code) if _PADDED.match(code) else 0)


def number_text(value: str) -> str:
    """A number in a workbook as a person sees it: 15 digits, no exponent, and no decimal point if it is whole."""
    if value.isdecimal() and len(value) <= _DIGITS:
        return value
    try:
        number = Decimal(format(float(value), f".{_DIGITS}g"))
        if not number.is_finite() or number.adjusted() > 2 * _DIGITS:
            return value
    except (ValueError, ArithmeticError):
        return value
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _unescape(text: str) -> str:
    return (
        _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if _is_text(found[1]) else "", text) if "_x" in text else text
    )


def _is_text(code: str) -> bool:
    """Whether a code point is a character that text in UTF-8 may hold: no NUL and no half of a pair."""
    return not (int(code, 16) == 0 or 0xD800 <= int(code, 16) < 0xE000)


def column_at(letters: str) -> int:
    """The position of a column, counted from 0, by its letters."""
    at = 0
    for letter in letters:
        at = at * 26 + ord(letter) - ord("A") + 1
    return at - 1


def as_csv(rows: Iterator[Line], *, width: int, numbers: Sequence[int]) -> Iterator[bytes]:
    """The ``rows`` of a sheet as CSV in UTF-8, a record a row of the sheet, in pieces of some hundred rows.

    A row has at least ``width`` cells; a date in the columns ``numbers`` is written as the card number it was.
    """
    out = io.StringIO(newline="")
    # With CR and LF at the end of a record, the module quotes values with either.
    writer = csv.writer(out, lineterminator="\r\n")
    written = 0
    for number, cells in rows:
        for _ in range(written + 1, number):
            out.write("\r\n")
        written = number
        cells += [""] * (width - len(cells))
        for at in numbers:
            if isinstance(date := cells[at], Date):
                cells[at] = date.number or date
        writer.writerow(cells)
        if out.tell() > 65_536:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()
