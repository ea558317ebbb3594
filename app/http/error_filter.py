"""The filter for failed rows in addresses."""

import re
from collections.abc import Mapping

from app.csvfile.causes import Cause, Code
from app.csvfile.columns import COLUMNS
from app.http.query_filter import ParsedFilter
from app.queries.imports.error_groups import ErrorKind
from app.queries.imports.row_errors import ErrorFilter

#: In addresses, stands for the row as a whole instead of a column.
WHOLE_ROW = "whole-row"

#: The highest number of a batch, and of a line; a query for a higher one, or for the next batch, would overflow.
MAX_BATCH, MAX_LINE = 2**15 - 2, 2**31 - 1
_LINES = re.compile(r"([0-9]{1,10})(?:\s*[-–]\s*([0-9]{1,10}))?")
#: Maximum length of a text to search for.
_MAX_TEXT = 255


def read_filter(args: Mapping[str, str]) -> ParsedFilter[ErrorFilter]:
    """The filter in an address. An invalid part does not filter; the faults explain it."""
    texts = {name: args.get(name, "").strip() for name in ("code", "cause", "column", "batch", "lines")}
    # No row contains a NUL, and the database accepts none.
    text = args.get("text", "").replace("\0", "").strip()[:_MAX_TEXT]
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
        text=text,
    )
    given = {name: value for name, value in {**texts, "text": text}.items() if value}
    return ParsedFilter(wanted, given, faults)


def names_group(wanted: ErrorFilter, kind: ErrorKind) -> bool:
    """Whether a filter selects this group with all of its rows."""
    return wanted in (ErrorFilter(cause=kind.cause), ErrorFilter(cause=kind.cause, column=kind.column))


def _read_lines(text: str) -> tuple[int, int] | None:
    """The first and the last line in ``text``."""
    found = _LINES.fullmatch(text)
    if not found:
        return None
    first, last = int(found[1]), int(found[2] or found[1])
    return min(first, MAX_LINE), min(max(first, last), MAX_LINE)
