"""The filter for failed rows in addresses, and the text that those of all imports are searched for."""

import re
from collections.abc import Mapping

from werkzeug.datastructures import MultiDict

from app.csvfile.causes import Cause, Code
from app.csvfile.columns import COLUMNS
from app.http.query_filter import ParsedFilter, read_texts
from app.queries.imports.error_groups import ErrorKind
from app.queries.imports.row_errors import ErrorFilter

#: In addresses, stands for the row as a whole instead of a column.
WHOLE_ROW = "whole-row"
#: The highest number of a batch, and of a line; a query for a higher one, or for the next batch, would overflow.
MAX_BATCH, MAX_LINE = 2**15 - 2, 2**31 - 1
#: A shorter text is in nearly every row; a longer one is in none.
MIN_TEXT, MAX_TEXT = 2, 255

_LINES = re.compile(r"([0-9]{1,10})(?:\s*[-–]\s*([0-9]{1,10}))?")
_MAX_LENGTHS = dict.fromkeys(("code", "cause", "column", "batch", "lines", "text"), MAX_TEXT)


def read_filter(args: Mapping[str, str]) -> ParsedFilter[ErrorFilter]:
    """The filter in an address. An invalid part does not filter; the faults explain it."""
    texts = read_texts(args, _MAX_LENGTHS)
    faults: dict[str, str] = {}
    lines = _read_lines(texts["lines"])
    if texts["lines"] and lines is None:
        faults["lines"] = "Enter a line, such as 120, or the first and the last one, such as 120-180."
    batch = int(texts["batch"]) if re.fullmatch("[0-9]{1,5}", texts["batch"]) else 0
    if texts["batch"] and not 1 <= batch <= MAX_BATCH:
        faults["batch"] = "Enter the number of a batch."
    wanted = ErrorFilter(
        code=next((code for code in Code if texts["code"] == str(int(code))), None),
        cause=next((cause for cause in Cause if texts["cause"] == cause.slug), None),
        column="" if texts["column"] == WHOLE_ROW else texts["column"] if texts["column"] in COLUMNS else None,
        batch=batch if 1 <= batch <= MAX_BATCH else None,
        lines=lines,
        text=texts["text"],
    )
    return ParsedFilter(wanted, {name: text for name, text in texts.items() if text}, faults)


def names_group(wanted: ErrorFilter, kind: ErrorKind) -> bool:
    """Whether a filter selects this group with all of its rows."""
    return wanted in (ErrorFilter(cause=kind.cause), ErrorFilter(cause=kind.cause, column=kind.column))


def read_text(args: Mapping[str, str]) -> tuple[str, str]:
    """The text that failed rows are searched for; or else what is wrong with it, if there is one."""
    text = read_texts(args, {"text": MAX_TEXT})["text"]
    if text and len(text) < MIN_TEXT:
        return "", f"Enter at least {MIN_TEXT} characters."
    return text, ""


def read_line(args: MultiDict[str, str], name: str) -> int:
    """A line below which rows are shown; 0 where none is given."""
    return min(max(args.get(name, default=0, type=int), 0), MAX_LINE)


def _read_lines(text: str) -> tuple[int, int] | None:
    """The first and the last line in ``text``."""
    found = _LINES.fullmatch(text)
    if not found:
        return None
    first, last = int(found[1]), int(found[2] or found[1])
    return min(first, MAX_LINE), min(max(first, last), MAX_LINE)
