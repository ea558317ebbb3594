"""Preview of the changes that a check predicts: the most striking ones, column by column."""

from dataclasses import dataclass

from app.csvfile.columns import Column
from app.csvfile.contract import Condition
from app.imports.reports import seller_file
from app.imports.reports.progress import ImportProgress
from app.queries.imports import check_changes
from app.queries.imports.check_changes import RecordedChange
from app.queries.imports.listing_warnings import STRIKING_PERCENT

#: Maximum number of changes shown.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class CellChange:
    """The change of one value."""

    column: str
    before: str
    after: str

    @property
    def is_price(self) -> bool:
        """Whether its values are prices."""
        return self.column == Column.PRICE

    @property
    def percent(self) -> int | None:
        """The change of a price in per cent, negative if it falls; None for other columns."""
        return round((int(self.after) / int(self.before) - 1) * 100) if self.is_price else None

    @property
    def is_striking(self) -> bool:
        """Whether it is a change of a price that is probably a mistake."""
        return self.percent is not None and abs(self.percent) > STRIKING_PERCENT


@dataclass(frozen=True, slots=True)
class ChangeShown:
    """The changes that a row, or an undo, would make to a listing."""

    #: None for an undo.
    line: int | None
    urn: str
    name: str
    condition: Condition
    variants: str
    cells: list[CellChange]


def list_changes(one: ImportProgress) -> list[ChangeShown]:
    """Some of the changes that a check predicts, largest price changes first; none for an import."""
    if not one.is_check or not one.updated:
        return []
    found = check_changes.list_most_striking(one.key, limit=_SHOWN)
    lines = seller_file.own_lines(one.key, [change.line for change in found])
    return [_show(change, lines[change.line]) for change in found]


def _show(change: RecordedChange, line: int) -> ChangeShown:
    cells = ((column, before, change.after[column]) for column, before in change.before.items())
    changed = [CellChange(column, before, after) for column, before, after in cells if before != after]
    return ChangeShown(line, change.urn, change.name, Condition(change.condition), change.variants, changed)
