"""Example rows: valid ones, and for every cause an invalid one with its correction.

The help pages and the template show them, and a test passes each through the reader and the validator. The items are
those of the demo catalog.
"""

from functools import cache
from typing import Any, NamedTuple

from app.csvfile.causes import Cause
from app.csvfile.cells import split_record
from app.csvfile.columns import Column
from app.csvfile.contract import MAX_QUANTITY, MAX_TEXT_LENGTH, MAX_VARIANTS, Mode
from app.csvfile.validate import find_problems

_SET = "urn:demo:pricklewend:court-of-the-hedge-king/card"

#: Values as written in a file, including quotation marks, by column; all others are empty.
Cells = dict[Column, str]


def _cells(**values: str) -> Cells:
    """Values by the names of their columns, in lower case."""
    return {Column[name.upper()]: value for name, value in values.items()}


_NAMED = _cells(game="Pricklewend", set="Court of the Hedge King", name="Snail Cavalry")
_PLAIN = _cells(mode=Mode.CREATE, urn=f"{_SET}/002", condition="NM", price="199", quantity="1")


def as_line(cells: Cells) -> str:
    """The line of a file with these values."""
    return ",".join(cells.get(column, "") for column in Column)


class Example(NamedTuple):
    """A valid row, and what it shows."""

    shows: str
    cells: Cells

    @property
    def line(self) -> str:
        """The row as written in a file."""
        return as_line(self.cells)


TEMPLATE_ROWS = (
    Example(
        "A new listing, its item named by URN",
        _PLAIN | _cells(price="890", variants="holo", notes="Pack fresh", reference="EXAMPLE-1"),
    ),
    Example(
        "A new listing, its item named by GAME, SET and NAME, with two variants and a comma in the comment",
        _NAMED
        | _cells(mode=Mode.CREATE, condition="EX", price="25", quantity="10", variants="reverse|de", hidden="false")
        | _cells(comment='"Two have soft corners, see photos"', reference="EXAMPLE-2"),
    ),
)

EXAMPLES = (
    *TEMPLATE_ROWS,
    Example(
        "A new listing that buyers do not see yet, its item named by its Cardmarket id",
        _cells(
            mode=Mode.CREATE, cardmarket_id="912810", condition="light played", price="150", quantity="3", hidden="true"
        ),
    ),
    Example(
        "A quotation mark inside a value is doubled",
        _PLAIN | _cells(condition="MT", comment='"Signed ""Nell"" in pencil"'),
    ),
    Example(
        "Another price for a listing that you have; its comment, notes and reference are cleared",
        _PLAIN | _cells(mode=Mode.UPDATE, price="249", quantity="4", variants="holo"),
    ),
    Example("A listing that is sold out", _PLAIN | _cells(mode=Mode.UPDATE, quantity="0")),
)


class Mistake(NamedTuple):
    """A row that fails for one cause, and its correction."""

    wrong: Cells
    right: Cells
    #: The column and the facts about the catalog or the listings, for causes that the file alone does not decide.
    facts: dict[str, Any] = {}

    @property
    def wrong_line(self) -> str:
        """The failing row as written in a file."""
        return as_line(_PLAIN | self.wrong)


def _in(column: Column, wrong: str, right: str, **facts: Any) -> Mistake:
    return Mistake({column: wrong}, {column: right}, {"column": column, **facts})


_BY_NAME = _NAMED | _cells(urn="")

MISTAKES: dict[Cause, Mistake] = {
    Cause.COLUMN_COUNT: _in(Column.COMMENT, "Soft corners, see photos", '"Soft corners, see photos"'),
    Cause.EXTRA_VALUE: Mistake(
        _cells(comment="Soft corners, see photos", reference="SHELF-17-A"),
        _cells(comment='"Soft corners, see photos"', reference="SHELF-17-A"),
    ),
    Cause.ROW_IN_QUOTES: Mistake(
        _cells(mode=f'"{Mode.CREATE}', comment='""Pack fresh""', reference='SHELF-17-A"'),
        _cells(mode=Mode.CREATE, comment='"Pack fresh"', reference="SHELF-17-A"),
    ),
    Cause.SWALLOWED_LINES: _in(
        Column.COMMENT, f'"Pack fresh,,\n{as_line(_PLAIN | _cells(comment="Signed"))}"', "Pack fresh"
    ),
    Cause.QUOTING: _in(Column.COMMENT, '"Signed "Nell" in pencil"', '"Signed ""Nell"" in pencil"'),
    Cause.BARE_LINE_BREAK: _in(Column.NOTES, "Box 1\rShelf 2", "Box 1 Shelf 2"),
    Cause.CONTROL_CHARACTER: _in(Column.NOTES, "Box\x071", "Box 1"),
    Cause.INVISIBLE_CHARACTER: _in(Column.CONDITION, "N\u200bM", "NM"),
    Cause.SPREADSHEET_ERROR: _in(Column.CARDMARKET_ID, "#N/A", "912810"),
    Cause.NUMBER_SHORTENED: _in(Column.TCGPLAYER_ID, "6.05E+05", "605377"),
    Cause.NUMBER_AS_DATE: _in(Column.PRICE, "01-Feb", "199"),
    Cause.NUMBER_FORMATTED: _in(Column.CARDMARKET_ID, '"912,810"', "912810"),
    Cause.MODE_MISSING: _in(Column.MODE, "", "CREATE"),
    Cause.MODE_UNKNOWN: _in(Column.MODE, "NEW", "CREATE"),
    Cause.ITEM_NOT_NAMED: _in(Column.URN, "", f"{_SET}/002"),
    Cause.NAME_INCOMPLETE: Mistake(_BY_NAME | _cells(set=""), _BY_NAME),
    Cause.ID_NOT_DIGITS: _in(Column.CARDMARKET_ID, "#912810", "912810"),
    Cause.CONDITION_MISSING: _in(Column.CONDITION, "", "NM"),
    Cause.CONDITION_UNKNOWN: _in(Column.CONDITION, "Near Mnt", "Near Mint"),
    Cause.PRICE_MISSING: _in(Column.PRICE, "", "199"),
    Cause.PRICE_IN_POUNDS: _in(Column.PRICE, "1.99", "199"),
    Cause.PRICE_UNCLEAR: _in(Column.PRICE, "199.0", "199"),
    Cause.PRICE_NOT_WHOLE: _in(Column.PRICE, "ask me", "199"),
    Cause.PRICE_OUT_OF_RANGE: _in(Column.PRICE, "0", "199"),
    Cause.QUANTITY_MISSING: _in(Column.QUANTITY, "", "1"),
    Cause.QUANTITY_NOT_WHOLE: _in(Column.QUANTITY, "2 pcs", "2"),
    Cause.QUANTITY_OUT_OF_RANGE: _in(Column.QUANTITY, str(MAX_QUANTITY + 1), str(MAX_QUANTITY)),
    Cause.QUANTITY_ZERO: _in(Column.QUANTITY, "0", "1"),
    Cause.VARIANT_MALFORMED: _in(Column.VARIANTS, "holo/de", "holo|de"),
    Cause.VARIANTS_TOO_MANY: _in(
        Column.VARIANTS, "|".join(f"v{number}" for number in range(1, MAX_VARIANTS + 2)), "holo|de"
    ),
    Cause.HIDDEN_UNKNOWN: _in(Column.HIDDEN, "yes", "true"),
    Cause.TEXT_TOO_LONG: _in(Column.COMMENT, "Pack fresh. " * (MAX_TEXT_LENGTH // 12 + 1), "Pack fresh."),
    Cause.ITEM_NOT_FOUND: _in(Column.URN, f"{_SET}/02", f"{_SET}/002", value=f"{_SET}/02"),
    Cause.VARIANT_NOT_FOUND: _in(
        Column.VARIANTS, "reverse", "holo", urn=f"{_SET}/002", variants=["reverse"], known=["de", "holo", "normal"]
    ),
    Cause.LISTING_NOT_FOUND: _in(Column.MODE, Mode.UPDATE, Mode.CREATE),
    Cause.ITEM_AMBIGUOUS: Mistake(
        _BY_NAME,
        {Column.URN: f"{_SET}/030"} | dict.fromkeys(_NAMED, ""),
        {"column": Column.NAME, "count": 2, "urns": [f"{_SET}/001", f"{_SET}/030"]},
    ),
    Cause.LISTING_EXISTS: _in(Column.MODE, Mode.CREATE, Mode.UPDATE),
    Cause.LISTING_REPEATED: _in(Column.MODE, Mode.CREATE, Mode.UPDATE, line=2),
}


@cache
def example_message(cause: Cause) -> str:
    """The message about the example row for this cause."""
    mistake = MISTAKES[cause]
    problems = find_problems(split_record(mistake.wrong_line)) or []
    said = [problem.message for problem in problems if problem.cause is cause]
    return said[0] if said else cause.problem(**mistake.facts).message
