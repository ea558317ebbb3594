"""How a foreign file is read, and what is read of it: plain data that all of ``foreign`` shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.csvfile.errors import FileRejected

#: A table of more columns is none.
MOST_COLUMNS = 500
#: Positions and lengths in bytes, and lines.
Numbers = npt.NDArray[np.int64]


class Unreadable(FileRejected):
    """The file cannot be read as a table; the message is a sentence for the seller that says what to do."""


class NotStock(FileRejected):
    """The file holds orders or data of buyers and no stock; the message is a sentence for the seller."""


class Kind(StrEnum):
    """What a file is."""

    #: A text with separators, whichever they are, perhaps compressed.
    CSV = "csv"
    #: A workbook of Excel (.xlsx, .xlsm).
    XLSX = "xlsx"


class Unsure(StrEnum):
    """What of a reading is only a guess, for the page to ask."""

    #: No line looks like a header.
    HEADER = "header"
    #: No separator was found, so that the file has one column.
    SEPARATOR = "separator"
    #: The file is neither UTF-8 nor UTF-16, so that the encoding is the most frequent of the others.
    ENCODING = "encoding"
    #: Several sheets look like stock.
    SHEET = "sheet"


class Overrides(TypedDict, total=False):
    """What the seller says about the file; what is absent is detected."""

    #: One of ``encodings.ENCODINGS``.
    encoding: str
    #: One character of ASCII.
    separator: str
    #: ``"``, or empty: quotation marks are characters like others.
    quote: str
    #: The physical line of the header, or the row of the sheet; 0 if the file has none.
    header_line: int
    #: The name of the sheet.
    sheet: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. Every guess is here, and can be overruled (Overrides)."""

    kind: str
    #: The name of each column as in the header, trimmed; a column without a name is called by its letters, “Column C”.
    columns: tuple[str, ...]
    #: The physical line at which the header begins, or its row in the sheet; 0 if there is none.
    header_line: int
    #: The physical line, or the row of the sheet, from which on there are rows.
    first_line: int
    #: One of ``encodings.ENCODINGS``.
    encoding: str = "utf-8"
    separator: str = ","
    #: ``"``, or empty if quotation marks are characters like others.
    quote: str = '"'
    #: What ends a line: LF (perhaps after a CR) or a lone CR.
    line_end: str = "\n"
    is_gzipped: bool = False
    #: Whether each line stands in quotation marks as one value; the text is without these.
    is_wrapped: bool = False
    #: The name of the sheet that is read, and of each sheet in the workbook.
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    #: The positions of the columns that hold card numbers, in which a date of a workbook stands for such a number.
    numbers: tuple[int, ...] = ()
    #: Whether lines count records: in the text of a workbook, a record is a row of the sheet.
    counts_records: bool = False
    #: What is only a guess (Unsure).
    unsure: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether the file is its own text; else that is a transcript."""
        is_plain = self.kind == Kind.CSV and not self.is_gzipped and not self.is_wrapped
        return is_plain and self.encoding not in TRANSCRIBED

    def to_json(self) -> dict[str, Any]:
        """The reading as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Reading:
        """The reading that ``to_json`` has given. Names that this release does not know are left out."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name in cls.__dataclass_fields__
        }
        return cls(**known)


#: The encodings of more than one byte a character other than UTF-8: their text is a transcript in UTF-8.
TRANSCRIBED = frozenset({"utf-16-le", "utf-16-be", "shift_jis", "gb18030", "big5", "euc_kr"})


class Note(StrEnum):
    """What is odd about a row."""

    #: It has a value beyond the last column; the table is without it.
    TOO_MANY_CELLS = "too-many-cells"
    #: It has fewer cells than there are columns; the others are empty.
    TOO_FEW_CELLS = "too-few-cells"
    #: Its quotation marks do not enclose whole cells, or one is never closed; it is read as far as possible.
    BROKEN_QUOTES = "broken-quotes"
    #: It adds the others up.
    TOTAL = "total"
    #: The header once more, as where several files were put together.
    HEADER = "header-again"
    #: A title, a remark or the last line of an export: nearly all of its cells are absent.
    REMARK = "remark"


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of a file, without the blank ones."""

    #: A column of strings for each column of the file, in order, called ``0``, ``1``, …; an absent cell is empty.
    cells: pa.Table
    #: For each row the physical line on which it begins, or its row in the sheet.
    lines: Numbers
    #: For each row the byte of the text at which it begins, and its number of bytes without the line ending.
    starts: Numbers
    lengths: Numbers
    #: What is odd about some rows, by their position in the block.
    notes: Mapping[int, Note] = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.lines)
