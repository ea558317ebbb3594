"""The columns of a listings file in one table: each line specifies one column completely.

Header, validator, listing fields, exports, checks, the API's schema and the help pages are derived from it. To add a
column, add a line here, a field to ``models.Listing``, a migration that adds it to the table, and a test. A new column
must be optional, and ``since`` gives the first layout that has it, so that files of older layouts, and imports that run
while Sluice is upgraded, are not affected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import cached_property
from itertools import compress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from app.csvfile import parse
from app.csvfile.contract import (
    CONDITION_CODES,
    MAX_ID_DIGITS,
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_TEXT_LENGTH,
    MAX_VARIANTS,
    MIN_PRICE,
    Condition,
    Mode,
)
from app.csvfile.visible import trim

if TYPE_CHECKING:
    from app.csvfile.texts import Indices, Texts

#: The value of a column in a listing: a number, a text, a flag, or nothing.
Value = int | str | bool | None
#: The values of a listing in the order of VALUES.
Values = tuple[Any, ...]


class Role(Enum):
    """The role of a column in a row."""

    #: The mode of the row.
    MODE = auto()
    #: Names the item, alone or together with others.
    NAMES_ITEM = auto()
    #: Part of the listing key, beside the item.
    KEY = auto()
    #: Set by CREATE and UPDATE. In an UPDATE, an empty value clears it.
    VALUE = auto()
    #: Set by CREATE and UPDATE. In an UPDATE, an empty value leaves it unchanged.
    SOFT_VALUE = auto()


class Needed(StrEnum):
    """When a column must have a value, in words for sellers."""

    ALWAYS = "Required"
    NAMES_ITEM = "Identifies the item (choose one way)"
    OPTIONAL = "Optional"


class Field(NamedTuple):
    """The field of a listing that stores a column."""

    #: Its name, in the table of listings and everywhere else.
    name: str
    #: Its PostgreSQL type.
    sql: str
    #: Its description in the API.
    meaning: str


class Spec(NamedTuple):
    """The specification of a column."""

    #: Its name in the header.
    name: str
    role: Role
    #: Parses a trimmed cell. Raises parse.Wrong.
    parse: Callable[[str], Any]
    needed: Needed
    #: Its meaning, and its allowed values.
    rule: str
    #: Examples of valid values.
    examples: tuple[str, ...]
    #: Only for a VALUE or SOFT_VALUE.
    field: Field | None = None
    #: For values that hardly ever repeat: finds the cells of a column that may be wrong or are not read as they are,
    #: so that only these are parsed. None: values repeat often, so each distinct one is parsed.
    suspects: Callable[[Texts], Sequence[Indices]] | None = None
    #: Whether it consists of digits, which spreadsheets shorten or turn into dates.
    is_number: bool = False
    #: Whether invisible characters at the ends of a value belong to it, unless they are white space.
    is_free_text: bool = False
    #: The maximum number of characters of a text.
    limit: int | None = None
    #: All of its valid values, where they are few, each with its name for people.
    choices: Mapping[str, str] = MappingProxyType({})
    #: The first layout that has it: its position in LAYOUTS, counted from 1.
    since: int = 1


def _names(name: str, rule: str, example: str, *, is_free_text: bool = False) -> Spec:
    return Spec(
        name,
        Role.NAMES_ITEM,
        # Only the catalog tells whether it exists; whether it is required is checked with the row.
        str,
        Needed.NAMES_ITEM,
        rule,
        (example,),
        suspects=parse.suspect_free_names if is_free_text else parse.suspect_names,
        is_free_text=is_free_text,
    )


def _id(name: str, rule: str, example: str) -> Spec:
    return Spec(
        name,
        Role.NAMES_ITEM,
        parse.parse_id,
        Needed.NAMES_ITEM,
        rule,
        (example,),
        suspects=parse.suspect_ids,
        is_number=True,
    )


def _text(name: str, rule: str, meaning: str, example: str, *, limit: int = MAX_TEXT_LENGTH, since: int = 1) -> Spec:
    return Spec(
        name,
        Role.VALUE,
        parse.parse_text(limit),
        Needed.OPTIONAL,
        f"{rule} Up to {limit} characters. If an UPDATE leaves it empty, it is cleared."
        + (" An UPDATE in a file without this column leaves it unchanged." if since > 1 else ""),
        (example,),
        Field(name.lower(), "text", meaning),
        parse.suspect_texts(limit),
        is_free_text=True,
        limit=limit,
        since=since,
    )


class Column(StrEnum):
    """The columns in order, each with its specification. A member is the name in the header."""

    spec: Spec

    def __new__(cls, *spec: Any) -> Column:
        """The name, with the specification, whose fields Python passes one by one."""
        name, *_ = spec
        column = str.__new__(cls, name)
        column._value_ = name
        column.spec = Spec(*spec)
        return column

    MODE = Spec(
        "MODE",
        Role.MODE,
        parse.parse_mode,
        Needed.ALWAYS,
        "CREATE adds a new listing, UPDATE changes one you have. Upper or lower case.",
        ("CREATE", "update"),
        choices={str(mode): str(mode) for mode in Mode},
    )
    URN = Spec(
        "URN",
        Role.NAMES_ITEM,
        parse.parse_urn,
        Needed.NAMES_ITEM,
        "The item’s name in the catalog, exactly as it is there. If you fill it in, the other item columns are "
        "ignored.",
        ("urn:demo:pricklewend:court-of-the-hedge-king/card/002",),
        suspects=parse.suspect_urns,
    )
    GAME = _names(
        "GAME",
        "GAME, SET and NAME identify the item together. Used if URN and both IDs are empty. Upper or lower case and "
        "extra spaces do not matter.",
        "Pricklewend",
    )
    SET = _names("SET", "Together with GAME and NAME.", "Court of the Hedge King")
    NAME = _names("NAME", "Together with GAME and SET.", "Snail Cavalry", is_free_text=True)
    CARDMARKET_ID = _id(
        "CARDMARKET_ID",
        f"The item’s Cardmarket ID (up to {MAX_ID_DIGITS} digits). Used if URN is empty.",
        "912810",
    )
    TCGPLAYER_ID = _id(
        "TCGPLAYER_ID",
        f"The item’s TCGplayer ID (up to {MAX_ID_DIGITS} digits). Used if URN and CARDMARKET_ID are empty.",
        "605377",
    )
    CONDITION = Spec(
        "CONDITION",
        Role.KEY,
        parse.parse_condition,
        Needed.ALWAYS,
        "The grade, as a code or a name. Upper or lower case; spaces, underscores and hyphens are all fine.",
        ("NM", "near mint"),
        choices={code: f"{code} {grade.name}" for code, grade in CONDITION_CODES.items()},
    )
    PRICE = Spec(
        "PRICE",
        Role.VALUE,
        parse.parse_price,
        Needed.ALWAYS,
        f"Whole pence, {MIN_PRICE} to {MAX_PRICE:,}, without commas: 199 is £1.99.",
        ("199", "2500"),
        Field("price", "int4", "In pence."),
        parse.suspect_prices,
        is_number=True,
    )
    QUANTITY = Spec(
        "QUANTITY",
        Role.VALUE,
        parse.parse_quantity,
        Needed.ALWAYS,
        f"How many you have: 1 to {MAX_QUANTITY:,}, without commas. An UPDATE can also set it to 0.",
        ("1", "12"),
        Field("quantity", "int4", "How many there are."),
        is_number=True,
    )
    VARIANTS = Spec(
        "VARIANTS",
        Role.KEY,
        parse.parse_variants,
        Needed.OPTIONAL,
        f"What is special about your copies: up to {MAX_VARIANTS} of the item’s variants in the catalog, separated by "
        "|. Any order, upper or lower case.",
        ("holo", "reverse|de"),
    )
    HIDDEN = Spec(
        "HIDDEN",
        Role.SOFT_VALUE,
        parse.parse_hidden,
        Needed.OPTIONAL,
        "true hides the listing from buyers, false shows it. If it is empty, a new listing is shown and an UPDATE "
        "leaves it unchanged.",
        ("true", "false"),
        Field("hidden", "bool", "Whether buyers do not see it."),
        choices={"": "", "true": "true", "false": "false"},
    )
    COMMENT = _text("COMMENT", "What buyers read.", "What buyers read, or null.", "Pack fresh")
    NOTES = _text("NOTES", "For you; nobody else sees it.", "What only you read, or null.", "Box 1")
    REFERENCE = _text("REFERENCE", "Your own key for the listing.", "Your own key for it, or null.", "SHELF-17-A")


COLUMNS: tuple[str, ...] = tuple(column.value for column in Column)
HEADER = ",".join(COLUMNS)
#: A valid row: the first example of each column.
EXAMPLE = ",".join(column.spec.examples[0] for column in Column)
#: The columns that name an item together.
NAME_COLUMNS = (Column.GAME, Column.SET, Column.NAME)

#: Columns that a fix-it file has after the others. In an upload they are recognised there; LINE and IMPORT then tell
#: which failed rows the file has, and nothing else is read from them.
REASON_COLUMNS = ("LINE", "PROBLEM", "SUGGESTION", "IMPORT")

#: Every header that was ever published, the newest last. Files with any of them are accepted.
LAYOUTS: tuple[tuple[Column, ...], ...] = tuple(
    tuple(column for column in Column if column.spec.since <= number)
    for number in range(1, max(column.spec.since for column in Column) + 1)
)


def _fields(*roles: Role) -> dict[Column, Field]:
    return {column: column.spec.field for column in Column if column.spec.role in roles and column.spec.field}


#: The columns that every row specifies and a listing stores. HIDDEN is separate, because an UPDATE may leave it out.
VALUES = _fields(Role.VALUE)
#: How many characters each text may have.
TEXT_LIMITS = {column.value: column.spec.limit for column in Column if column.spec.limit}
#: The valid values of the columns that have few.
CHOICES = {column.value: column.spec.choices for column in Column if column.spec.choices}
#: All fields of a listing beside its key.
FIELDS = _fields(Role.VALUE, Role.SOFT_VALUE)


@dataclass(frozen=True)
class Layout:
    """The columns of one file, in order. Everything that reads the file goes by its layout."""

    columns: tuple[Column, ...]
    #: The number of columns in its header, including ignored ones and empty unnamed ones at its end.
    width: int
    #: The number of REASON_COLUMNS after the last one.
    ignored: int = 0

    def name_at(self, place: int) -> str:
        """The name of the column at a position counted from 0; empty after the last one."""
        return self.columns[place] if place < len(self.columns) else ""

    def find_extra(self, cells: Sequence[str]) -> list[int]:
        """The positions of a row's values that belong to no column."""
        return [at for at in range(len(self.columns) + self.ignored, len(cells)) if trim(cells[at])]

    def own_and_extra(self, cells: Sequence[str]) -> tuple[list[str], list[str]]:
        """The values of a row in its columns, as many as it has, and those that belong to none."""
        count = len(self.columns)
        last = max(self.find_extra(cells), default=-1)
        return [*cells[:count]], [*cells[count + self.ignored : last + 1]]

    @cached_property
    def _has(self) -> tuple[bool, ...]:
        """For each of VALUES whether the file has it."""
        return tuple(column in self.columns for column in VALUES)

    def select(self, values: Values) -> Values:
        """The ``values``, in the order of VALUES, that the file has."""
        return values if all(self._has) else tuple(compress(values, self._has))

    def apply(self, values: Values, to: Values) -> Values:
        """``to`` with the ``values`` of a row of the file. Values without a column in the file stay unchanged."""
        if all(self._has):
            return values
        return tuple(new if is_given else old for new, old, is_given in zip(values, to, self._has, strict=True))


#: The layout of a file with the newest header.
NEWEST = Layout(LAYOUTS[-1], len(LAYOUTS[-1]))


def as_cell(value: Value | Mode | Condition) -> str:
    """A value of a listing as the import format writes it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
