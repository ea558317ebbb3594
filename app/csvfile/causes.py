"""Every reason for which a row can fail, and the sentences about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, IntEnum
from functools import cache
from typing import Any, NamedTuple

from app.csvfile.contract import (
    MAX_ID_DIGITS,
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_TEXT_LENGTH,
    MAX_VARIANT_LENGTH,
    MAX_VARIANTS,
    MIN_PRICE,
    NamedBy,
    grade_list,
    in_pounds,
    quoted,
)

#: Maximum number of characters cited of a value that names an item; no more of any value is stored as a fact.
_MAX_NAME_CITED = 120


class Code(IntEnum):
    """The kinds of failure; the numbers are those of the HTTP statuses they resemble."""

    INVALID = 422
    NOT_FOUND = 404
    CONFLICT = 409

    @property
    def meaning(self) -> str:
        """What all rows with this code have in common."""
        return {
            Code.INVALID: "The row itself is wrong, whatever is in the catalog and among your listings. All that is "
            "wrong with it is reported at once. Correct the row.",
            Code.NOT_FOUND: "The row is well written, but what it names does not exist: the item, one of its variants, "
            "or the listing to change. Correct the name, or retry the row once the catalog has it.",
            Code.CONFLICT: "The row is well written, but it cannot be carried out: it could mean several items, or the "
            "listing that it creates exists already. Say which you mean.",
        }[self]


def _say_column_count(_column: str, values: int, columns: int) -> str:
    return (
        f"The row has {values} value{'' if values == 1 else 's'}, but there are {columns} columns. Look for a missing "
        "or an extra comma; a value with a comma in it must stand in double quotes."
    )


def _say_extra_value(_column: str, values: int, value: str, letters: str) -> str:
    many = "a value" if values == 1 else f"{values} values"
    return (
        f"The row has {many} too many: {quoted(value)} in column {letters}, behind the last one. If a value in the row "
        "has a comma in it, put that value in double quotes; if not, delete what stands there."
    )


def _say_swallowed_lines(column: str, opened: int, closed: int, length: int, last: str = "") -> str:
    """``length`` is the number of characters in the value; 0 if a row is known to be among them.

    ``last`` is the last of the file's columns.
    """
    is_too_long = length > MAX_TEXT_LENGTH
    if length:
        swallowed = f"lines {opened} to {closed} became one value"
    elif closed == opened:
        swallowed = "the row behind it became part of the value"
    elif closed - opened == 1:
        swallowed = f"the row on line {closed} became part of it"
    else:
        swallowed = f"the rows on lines {opened + 1} to {closed} became part of it"
    if is_too_long:
        swallowed += f" of {length} characters"
    where = f"in {column}" if column else f"behind {last or 'the last column'}"
    behind = ", behind a carriage return" if closed == opened else ""
    otherwise = f", or shorten the text to {MAX_TEXT_LENGTH} characters" if is_too_long else ""
    return (
        f"A quotation mark opened {where} on line {opened} is closed only on line {closed}{behind}, so {swallowed}. "
        f"Delete the mark, or close it where the value ends{otherwise}."
    )


def _say_price_unclear(_column: str, value: str, pence: int, pounds: int) -> str:
    return (
        f"PRICE is {quoted(value)}, which may be pence or pounds. Write {pence} for {in_pounds(pence)}, or {pounds} "
        f"for {in_pounds(pounds)}."
    )


def _say_variant_malformed(_column: str, value: str) -> str:
    return (
        f"VARIANTS has {quoted(value) if value else 'an empty variant'} in it. Each variant is letters a to z, digits "
        f"and hyphens, at most {MAX_VARIANT_LENGTH}; separate several with | (reverse|de)."
    )


def _say_item_not_found(column: str, value: str = "", invisible: str = "") -> str:
    what = _say_name(column, value, invisible)
    return f"There is no item with {what} in the catalog. Check it for a typing mistake, or name the item another way."


def _say_item_ambiguous(column: str, count: int, urns: Sequence[str], value: str = "", invisible: str = "") -> str:
    """``urns`` may be only the first of ``count``."""
    what = _say_name(column, value, invisible)
    listed = ", ".join(urns) + (", …" if count > len(urns) else "")
    return f"{what[0].upper()}{what[1:]} names {count} items. Write the URN of the one you mean in URN: {listed}."


def _say_name(column: str, value: str, invisible: str) -> str:
    """The name of a row's item; ``invisible`` describes an invisible character in it."""
    if column != NamedBy.NAME.name:
        return f"{column} {quoted(value, _MAX_NAME_CITED)}"
    return f"this GAME, SET and NAME, which have {invisible} in them," if invisible else "this GAME, SET and NAME"


def _say_variant_not_found(_column: str, urn: str, variants: Sequence[str], known: Sequence[str]) -> str:
    """``known`` are the item's own variants, or the first of them."""
    has = f"It has {', '.join(known)}." if known else "Leave VARIANTS empty."
    return f"The item {urn} has no variant {' or '.join(variants)}. {has}"


#: The names that templates can use beside the facts.
_LIMITS: dict[str, object] = {
    "grades": grade_list(),
    "min_price": MIN_PRICE,
    "max_price": MAX_PRICE,
    "most_pounds": in_pounds(MAX_PRICE).removesuffix(".00"),
    "max_quantity": MAX_QUANTITY,
    "max_variants": MAX_VARIANTS,
    "max_id_digits": MAX_ID_DIGITS,
}


class Cause(Enum):
    """Each reason for which a row can fail.

    It has its code, the sentence that says of one row what is wrong and what to do, and a sentence for all such rows
    together that says how to fix them. The first is a template, or a function of the column and the facts where a
    template cannot say it. Only the facts are stored with a row, so both sentences can be reworded at any time; a fact
    that gets another meaning needs another name.
    """

    COLUMN_COUNT = (
        Code.INVALID,
        _say_column_count,
        "Compare the row with the header: look for a missing or an extra comma, at its end too, where empty values "
        "have commas as well. Put every value that has a comma in it in double quotes.",
    )
    EXTRA_VALUE = (
        Code.INVALID,
        _say_extra_value,
        "Where a value has a comma in it, put that value in double quotes. In a spreadsheet, clear the cells behind "
        "the last column.",
    )
    ROW_IN_QUOTES = (
        Code.INVALID,
        "The whole row stands in quotation marks, so it is a single value. Delete the first and the last of them; "
        "inside, write each pair of quotation marks as one.",
        "Delete the quotation marks around the row. Inside it, write each pair of quotation marks as one.",
    )
    SWALLOWED_LINES = (
        Code.INVALID,
        _say_swallowed_lines,
        "Look at the first of the lines: a quotation mark that is opened there by mistake makes the lines below a part "
        f"of its value. Delete the mark, or close it where the value ends. A text of at most {MAX_TEXT_LENGTH} "
        "characters may have several lines, as long as none of them looks like a row.",
    )
    QUOTING = (
        Code.INVALID,
        "The quotation marks in {column} do not match up. Put the whole value in double quotes, "
        "and write every quotation mark inside it twice.",
        "Put the whole value in double quotes, and write every quotation mark inside it twice.",
    )
    BARE_LINE_BREAK = (
        Code.INVALID,
        "{column} has a line break in it. Remove it, or put the whole value in double quotes.",
        "Remove the line break, or put the whole value in double quotes.",
    )
    CONTROL_CHARACTER = (
        Code.INVALID,
        "{column} has an invisible control character in it ({character}). Delete it, or type the value again.",
        "Delete the value and type it again instead of pasting it.",
    )
    INVISIBLE_CHARACTER = (
        Code.INVALID,
        "{column} is {value} with {character} in it. Delete the value and type it again.",
        "Delete the value and type it again instead of pasting it: a character is in it that cannot be seen.",
    )
    SPREADSHEET_ERROR = (
        Code.INVALID,
        "{column} is {value}, which is an error in your spreadsheet and not a value. Correct the formula in the cell, "
        "or type the value, and save the file again.",
        "In your spreadsheet, correct the formula in the cell or type the value; where it shows ####, make the column "
        "wider. Then save the file again.",
    )
    NUMBER_SHORTENED = (
        Code.INVALID,
        "{column} is {value}. Your spreadsheet has shortened this number, and its last digits are lost. Format the "
        "column as Text and copy the whole number in again.",
        "Your spreadsheet has shortened these numbers, and their last digits are lost. Format the column as Text and "
        "copy the whole numbers in again.",
    )
    NUMBER_AS_DATE = (
        Code.INVALID,
        "{column} is {value}. Your spreadsheet has made a date of this number. Format the column as Text and type the "
        "number again.",
        "Your spreadsheet has made dates of these numbers. Format the column as Text and type the numbers again.",
    )
    NUMBER_FORMATTED = (
        Code.INVALID,
        "{column} is {value}. Write the digits alone: {digits}.",
        "Write the digits alone, without separators and decimals. In your spreadsheet, format the column as Text or as "
        "a plain number.",
    )
    MODE_MISSING = (
        Code.INVALID,
        "MODE is empty. Write CREATE for a new listing or UPDATE to change one.",
        "Write CREATE for a new listing or UPDATE to change one.",
    )
    MODE_UNKNOWN = (
        Code.INVALID,
        "MODE is {value}. Write CREATE for a new listing or UPDATE to change one.",
        "Write CREATE for a new listing or UPDATE to change one; there are no other modes. "
        "To end a listing, write UPDATE, and 0 in QUANTITY.",
    )
    ITEM_NOT_NAMED = (
        Code.INVALID,
        "Nothing in the row says which item it is. Fill in URN, CARDMARKET_ID or TCGPLAYER_ID, "
        "or GAME, SET and NAME together.",
        "Say which item it is: fill in URN, CARDMARKET_ID or TCGPLAYER_ID, or GAME, SET and NAME together.",
    )
    NAME_INCOMPLETE = (
        Code.INVALID,
        "{column} is empty. GAME, SET and NAME name an item only together: fill in all three, "
        "or use URN, CARDMARKET_ID or TCGPLAYER_ID.",
        "Fill in all three of GAME, SET and NAME, or name the item by URN, CARDMARKET_ID or TCGPLAYER_ID.",
    )
    ID_NOT_DIGITS = (
        Code.INVALID,
        "{column} is {value}. Write the id as 1 to {max_id_digits} digits from 0 to 9, with nothing else, or leave it "
        "empty.",
        f"Write the number alone, 1 to {MAX_ID_DIGITS} digits from 0 to 9, or leave the column empty "
        "where something else in the row names the item.",
    )
    CONDITION_MISSING = (
        Code.INVALID,
        "CONDITION is empty. Write one of {grades}.",
        f"Write the grade of the item: {grade_list()}.",
    )
    CONDITION_UNKNOWN = (
        Code.INVALID,
        "CONDITION is {value}. Write one of {grades}.",
        f"Write one of the grades: {grade_list()}.",
    )
    PRICE_MISSING = (
        Code.INVALID,
        "PRICE is empty. Write the price in pence: 199 for £1.99.",
        "Write the price in pence: 199 for £1.99.",
    )
    PRICE_IN_POUNDS = (
        Code.INVALID,
        "PRICE is {value}. Prices are in pence: write {pence}.",
        "Write the price in pence, without a point or a pound sign: 199 for £1.99.",
    )
    PRICE_UNCLEAR = (
        Code.INVALID,
        _say_price_unclear,
        "Write the price in pence, without a point or a comma: 199 for £1.99, 19900 for £199.00.",
    )
    PRICE_NOT_WHOLE = (
        Code.INVALID,
        "PRICE is {value}. Write the price in pence, with the digits 0 to 9 only: 199 for £1.99.",
        "Write the price in pence, with the digits 0 to 9 only: 199 for £1.99.",
    )
    PRICE_OUT_OF_RANGE = (
        Code.INVALID,
        "PRICE is {value}. Write a price from {min_price} to {max_price} pence ({most_pounds}).",
        f"Write a price from {MIN_PRICE} to {MAX_PRICE} pence.",
    )
    QUANTITY_MISSING = (
        Code.INVALID,
        "QUANTITY is empty. Write how many you have: 1 to {max_quantity}.",
        f"Write how many you have: 1 to {MAX_QUANTITY}.",
    )
    QUANTITY_NOT_WHOLE = (
        Code.INVALID,
        "QUANTITY is {value}. Write a whole number with the digits 0 to 9 only.",
        "Write a whole number with the digits 0 to 9 only.",
    )
    QUANTITY_OUT_OF_RANGE = (
        Code.INVALID,
        "QUANTITY is {value}. Write a whole number up to {max_quantity}.",
        f"Write a whole number up to {MAX_QUANTITY}.",
    )
    QUANTITY_ZERO = (
        Code.INVALID,
        "QUANTITY is 0. A new listing needs at least 1; only an UPDATE may set it to 0.",
        "Write at least 1, or take the row out. Only an UPDATE may set QUANTITY to 0.",
    )
    VARIANT_MALFORMED = (
        Code.INVALID,
        _say_variant_malformed,
        "Write each variant with the letters a to z, digits and hyphens only, and separate several with |: reverse|de. "
        "Or leave VARIANTS empty.",
    )
    VARIANTS_TOO_MANY = (
        Code.INVALID,
        "VARIANTS has {count} variants in it. Write at most {max_variants}.",
        f"Leave at most {MAX_VARIANTS} variants, separated by |.",
    )
    HIDDEN_UNKNOWN = (
        Code.INVALID,
        "HIDDEN is {value}. Write true or false, or leave it empty.",
        "Write true to hide the listing or false to show it, or leave the column empty.",
    )
    TEXT_TOO_LONG = (
        Code.INVALID,
        "{column} has {count} characters. Shorten it to {limit} at most.",
        "Shorten the text; the message of each row says how many characters its column takes.",
    )

    ITEM_NOT_FOUND = (
        Code.NOT_FOUND,
        _say_item_not_found,
        "Look for a typing mistake in what names the item, or name it another way: by URN, CARDMARKET_ID or "
        "TCGPLAYER_ID, or by GAME, SET and NAME. An item that the catalog does not have cannot be listed: take the row "
        "out.",
    )
    VARIANT_NOT_FOUND = (
        Code.NOT_FOUND,
        _say_variant_not_found,
        "Write only variants that the item has in the catalog, or leave VARIANTS empty.",
    )
    LISTING_NOT_FOUND = (
        Code.NOT_FOUND,
        "You have no listing for this item in this condition with these variants. "
        "Write CREATE in MODE to make one, or correct CONDITION and VARIANTS.",
        "Write CREATE in MODE to make the listing, or correct CONDITION and VARIANTS so that they are those of yours. "
        "Where QUANTITY is 0, take the row out: nothing is left to end. A row that makes the listing in the same file "
        "does not count: change in a later file what this one makes.",
    )
    ITEM_AMBIGUOUS = (
        Code.CONFLICT,
        _say_item_ambiguous,
        "Write the URN of the item you mean in URN; what else names it is then not looked at.",
    )
    LISTING_EXISTS = (
        Code.CONFLICT,
        "You already have a listing for this item in this condition with these variants. "
        "Write UPDATE in MODE to change it.",
        "Write UPDATE in MODE to change the listing you have.",
    )
    LISTING_REPEATED = (
        Code.CONFLICT,
        "Line {line} of this file makes this listing. Take this row out, or write UPDATE in its MODE and upload it "
        "after the other one.",
        "Another row of the file makes the listing. Take this row out, or write UPDATE in its MODE and upload it after "
        "the other one.",
    )

    def __init__(self, code: Code, sentence: str | Callable[..., str], fix: str) -> None:
        self.code = code
        self.sentence = sentence
        self.fix = fix

    @property
    def title(self) -> str:
        """The cause's name in headings."""
        return self.name.replace("_", " ").capitalize().replace("Id ", "ID ")

    @property
    def slug(self) -> str:
        """The identifier under which the cause is stored and linked."""
        return self.name.lower().replace("_", "-")

    @property
    def asks_for_item(self) -> bool:
        """Whether the catalog tells how to correct the row: it names the item wrongly, or a variant of it."""
        return self.name in _ASKING_FOR_ITEM

    @classmethod
    @cache
    def by_slug(cls, slug: str) -> Cause:
        """The cause that is stored under ``slug``.

        While a release is rolled out, rows may fail for causes that only the newer release knows. Such a cause gets a
        stand-in that is not a member of the enumeration, and has only a name.
        """
        name = slug.upper().replace("-", "_")
        return cls.__members__.get(name) or _make_stand_in(name)

    def problem(self, column: str = "", **facts: Any) -> Problem:
        """A problem of this cause in ``column`` (empty: the row as a whole), with the facts for its sentence."""
        if "value" in facts:
            # One character more than is ever cited tells that the value is longer.
            facts["value"] = facts["value"][: _MAX_NAME_CITED + 1]
        return Problem(column, self, facts)

    def say(self, column: str, facts: Mapping[str, Any]) -> str:
        """The sentence about a row.

        If another release has stored facts that do not fit, returns what is true of all rows of the cause.
        """
        try:
            if not isinstance(self.sentence, str):
                return self.sentence(column, **facts)
            value = {"value": quoted(facts["value"])} if "value" in facts else {}
            return self.sentence.format(column=column, **_LIMITS, **{**facts, **value})
        except (KeyError, TypeError):
            return self.fix


_ASKING_FOR_ITEM = frozenset(
    {"ITEM_NOT_NAMED", "NAME_INCOMPLETE", "ID_NOT_DIGITS", "ITEM_NOT_FOUND", "ITEM_AMBIGUOUS", "VARIANT_NOT_FOUND"}
)


def _make_stand_in(name: str) -> Cause:
    advice = "Sluice is being updated: look again in a few minutes to read how to correct the row."
    stand_in = object.__new__(Cause)
    stand_in._name_, stand_in._value_ = name, (Code.INVALID, advice, advice)
    stand_in.__init__(*stand_in.value)  # type: ignore[misc]
    return stand_in


class Problem(NamedTuple):
    """A problem of a row."""

    #: Empty: the row as a whole.
    column: str
    cause: Cause
    #: The values that complete the sentence; JSON can represent them.
    facts: dict[str, Any]

    @property
    def message(self) -> str:
        """What is wrong and what to do, in a sentence."""
        return self.cause.say(self.column, self.facts)
