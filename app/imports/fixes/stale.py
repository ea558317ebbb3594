"""What was typed for rows that have been answered since their page was loaded: it is not applied, and that is told."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from app.csvfile.header import layout_of
from app.csvfile.visible import visible
from app.imports.fixes.answers import NewAnswer
from app.imports.reports import seller_file
from app.imports.reports.progress import ImportProgress
from app.imports.reports.row_errors import read_values
from app.queries.imports import corrections
from app.queries.imports.error_groups import ErrorKind
from app.statuses import CorrectionState

#: So many are told one by one, each value with so many characters.
_TOLD, _LONG = 5, 40


class Stale(NamedTuple):
    """Something typed that comes too late."""

    #: The line of its row; None: it was for several.
    line: int | None
    #: By column; empty if it is the whole row.
    cells: Mapping[str, str]


def find(one: ImportProgress, typed: Sequence[tuple[int | None, NewAnswer]]) -> list[int]:
    """The places of those of these answers, each for the row on a line or for several rows, that no row is left for."""
    standing = corrections.get(one.key)
    if standing.answering is not None or not standing.is_surveyed:
        # The values are not counted.
        return []
    rows = corrections.find_open(one.key, {line for line, _ in typed if line is not None})
    stale = []
    for place, (line, answer) in enumerate(typed):
        kind = ErrorKind.stored(answer.cause, answer.column)
        is_open = line is None or line in rows and kind in rows[line].kinds
        if not is_open or answer.value is not None and corrections.find_value(one.key, kind, answer.value) is None:
            stale.append(place)
    return stale


def tell(one: ImportProgress, stale: Sequence[Stale], name_of: Callable[[str], str]) -> list[str]:
    """What has become of the rows instead, in sentences; nothing of those that have what was typed."""
    lines = {each.line for each in stale if each.line is not None}
    found = corrections.read_lines(one.key, lines) if lines else None
    rows = {row["line"]: row for row in found.to_pylist()} if found else {}
    own = seller_file.own_lines(one.key, lines)
    told = []
    for line, cells in stale:
        typed = ", ".join(f"{name_of(column)} {_short(text)}" for column, text in cells.items()) or "what you typed"
        if line is None:
            told.append(f"No row is left for {typed}: it was not applied.")
            continue
        row = rows.get(line)
        if row is None:
            became = "has been imported since"
        elif row["state"] == CorrectionState.LEFT_OUT:
            became = "has been left out since"
        else:
            now = read_values(row["row"], layout_of(one.header))
            if cells and all(now.get(column) == text for column, text in cells.items()):
                continue
            values = ", ".join(_short(now[column]) for column in cells if column in now)
            became = f"was already corrected{f' to {values}' if values else ''}"
        if len(cells) == 1:
            typed = _short(next(iter(cells.values())))
        told.append(f"Line {own[line]:,} {became}; {typed} was not applied.")
    return [*told[:_TOLD], *([f"The same goes for {len(told) - _TOLD:,} more."] if len(told) > _TOLD else [])]


def _short(text: str) -> str:
    text = visible(text) or "(empty)"
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
