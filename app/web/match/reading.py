"""The step that says how the file is read."""

import re
from collections.abc import Mapping as Map
from typing import Any

from app.imports import conversions, match_flow
from app.imports.foreign.encodings import ENCODINGS
from app.imports.foreign.reading import blocks
from app.imports.foreign.shapes import Overrides, Reading, Unsure
from app.models import Conversion

#: Rows of the file that are shown.
_ROWS = 6
_SEPARATORS = {",": "comma", ";": "semicolon", "tab": "tab", "|": "vertical bar"}
_DOUBTS = {
    Unsure.HEADER: "No line is sure to have the names of the columns.",
    Unsure.SEPARATOR: "No separator was found.",
    Unsure.ENCODING: "The encoding is the most common one that fits: look for strange letters.",
    Unsure.SHEET: "Several sheets look like stock.",
}
_LINE = re.compile(r"[0-9]{1,7}")


def context(one: Conversion, _args: Map[str, str]) -> dict[str, Any]:
    """What the page shows."""
    reading = conversions.reading_of(one)
    with match_flow.source_of(one) as file:
        block = next(blocks(file, reading), None)
    rows: list[tuple[int, list[str]]] = []
    if block:
        cells = block.cells.slice(0, _ROWS)
        rows = [(int(block.lines[at]), [str(column[at]) for column in cells.columns]) for at in range(cells.num_rows)]
    return {
        "reading": reading,
        "rows": rows,
        "encodings": ENCODINGS,
        "separators": _SEPARATORS,
        "separator": _sign(reading),
        "doubts": [_doubt(reading, Unsure(doubt)) for doubt in reading.unsure],
        "header_lines": range(1, max(10, reading.header_line) + 1),
    }


def sentence(reading: Reading) -> str:
    """How a file is read, in a sentence."""
    if reading.sheets:
        how = f"Sheet “{reading.sheet}” of a workbook"
    else:
        name = next((name for sign, name in _SEPARATORS.items() if sign == _sign(reading)), reading.separator)
        how = f"{ENCODINGS[reading.encoding].partition(' (')[0]}, separated by {name}"
    header = f"header in line {reading.header_line}" if reading.header_line else "no header"
    return f"{how}, {header}, {len(reading.columns)} columns"


def _sign(reading: Reading) -> str:
    return "tab" if reading.separator == "\t" else reading.separator


def overrides(form: Map[str, str], reading: Reading) -> Overrides:
    """How the form says that the file is read, which is read as ``reading`` now.

    Where the header is follows from the sheet and the separator, unless it was chosen together with them.
    """
    found = Overrides()
    if form.get("encoding") in ENCODINGS:
        found["encoding"] = form["encoding"]
    if separator := form.get("separator", ""):
        found["separator"] = "\t" if separator == "tab" else separator
    if sheet := form.get("sheet", ""):
        found["sheet"] = sheet
    if _LINE.fullmatch(form.get("header_line", "")):
        found["header_line"] = int(form["header_line"])
    is_other = found.get("sheet", "") != reading.sheet or found.get("separator", reading.separator) != reading.separator
    if is_other and found.get("header_line") == reading.header_line:
        del found["header_line"]
    return found


def _doubt(reading: Reading, doubt: Unsure) -> str:
    taken = f" Line {reading.header_line} was taken." if doubt is Unsure.HEADER and reading.header_line else ""
    return _DOUBTS[doubt] + taken
