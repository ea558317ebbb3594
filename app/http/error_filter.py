"""Which failed rows a page is to show, as its address says it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.csvfile.causes import Cause, Code
from app.csvfile.columns import COLUMNS
from app.http.query_filter import Asked
from app.queries.imports.error_groups import Kind
from app.queries.imports.row_errors import Filter

#: Stands in addresses for the row as a whole, which is no column.
WHOLE_ROW = "whole-row"

#: No batch has a higher number, and no line; the database cannot be asked for one, nor for the batch behind it.
MAX_BATCH, MAX_LINE = 2**15 - 2, 2**31 - 1
_LINES = re.compile(r"([0-9]{1,10})(?:\s*[-–]\s*([0-9]{1,10}))?")
#: Longer texts are not searched for.
_MAX_TEXT = 255


def read_filter(args: Mapping[str, str]) -> Asked[Filter]:
    """The filter that an address asks for; what makes no sense in it does not matter."""
    texts = {name: args.get(name, "").strip() for name in ("code", "cause", "column", "batch", "lines")}
    # No row has a NUL in it, and the database takes none.
    text = args.get("text", "").replace("\0", "").strip()[:_MAX_TEXT]
    faults: dict[str, str] = {}
    lines = _read_lines(texts["lines"])
    if texts["lines"] and lines is None:
        faults["lines"] = "Write a line, such as 120, or the first and the last one, such as 120-180."
    batch = int(texts["batch"]) if re.fullmatch("[0-9]{1,5}", texts["batch"]) else 0
    if texts["batch"] and not 1 <= batch <= MAX_BATCH:
        faults["batch"] = "Write the number of a batch."
    wanted = Filter(
        code=next((code for code in Code if texts["code"] == str(int(code))), None),
        cause=next((cause for cause in Cause if texts["cause"] == cause.slug), None),
        column="" if texts["column"] == WHOLE_ROW else texts["column"] if texts["column"] in COLUMNS else None,
        batch=batch if 1 <= batch <= MAX_BATCH else None,
        lines=lines,
        text=text,
    )
    given = {name: value for name, value in {**texts, "text": text}.items() if value}
    return Asked(wanted, given, faults)


def names_group(wanted: Filter, kind: Kind) -> bool:
    """Whether a filter asks for this group, and for all of its rows."""
    return wanted in (Filter(cause=kind.cause), Filter(cause=kind.cause, column=kind.column))


def _read_lines(text: str) -> tuple[int, int] | None:
    """The first and the last line that ``text`` names."""
    found = _LINES.fullmatch(text)
    if not found:
        return None
    first, last = int(found[1]), int(found[2] or found[1])
    return min(first, MAX_LINE), min(max(first, last), MAX_LINE)
