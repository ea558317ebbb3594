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
            Code.INVALID: "The row itself contains a mistake. All its mistakes are listed together.",
            Code.NOT_FOUND: "The row is fine, but it refers to something that does not exist: an item, one of its "
            "variants, or the listing to change. Correct it, or retry the row once the catalog has the item.",
            Code.CONFLICT: "The row is fine, but it clashes with something: it could mean several items, or the "
            "listing that it creates already exists. Say which item you mean, or change MODE to UPDATE.",
        }[self]


def _say_column_count(_column: str, values: int, columns: int) -> str:
    return (
        f"The row has {values} value{'' if values == 1 else 's'}, but there are {columns} columns. Look for a missing "
        "or an extra comma, and put any value that contains a comma in double quotes."
    )


def _say_extra_value(_column: str, values: int, value: str, letters: str) -> str:
    many = "one value" if values == 1 else f"{values} values"
    return (
        f"The row has {many} too many: {quoted(value)} in column {letters}, after the last one. If a value in the row "
        "contains a comma, put that value in double quotes; if not, delete the extra value."
    )


def _say_swallowed_lines(column: str, opened: int, closed: int, length: int, last: str = "") -> str:
    """``length`` is the number of characters in the value; 0 if a row is known to be among them.

    ``last`` is the last of the file's columns.
    """
    is_too_long = length > MAX_TEXT_LENGTH
    if length:
        swallowed = f"lines {opened} to {closed} became one value"
    elif closed == opened:
        swallowed = "the row after it became part of the value"
    elif closed - opened == 1:
        swallowed = f"the row on line {closed} became part of it"
    else:
        swallowed = f"the rows on lines {opened + 1} to {closed} became part of it"
    if is_too_long:
        swallowed += f" of {length} characters"
    where = f"in {column}" if column else f"after {last or 'the last column'}"
    after = ", after a carriage return" if closed == opened else ""
    otherwise = f", or shorten the text to {MAX_TEXT_LENGTH} characters" if is_too_long else ""
    return (
        f"A quotation mark opened {where} on line {opened} is closed only on line {closed}{after}, so {swallowed}. "
        f"Delete the mark, or close it where the value ends{otherwise}."
    )


def _say_price_unclear(_column: str, value: str, pence: int, pounds: int) -> str:
    return (
        f"PRICE is {quoted(value)}, which may be pence or pounds. Enter {pence} for {in_pounds(pence)}, or {pounds} "
        f"for {in_pounds(pounds)}."
    )


def _say_variant_malformed(_column: str, value: str) -> str:
    return (
        f"VARIANTS has {quoted(value) if value else 'an empty variant'} in it. Each variant is letters a to z, digits "
        f"and hyphens, at most {MAX_VARIANT_LENGTH}; separate several with | (reverse|de)."
    )


def _say_item_not_found(column: str, value: str = "", invisible: str = "") -> str:
    what = _say_name(column, value, invisible)
    return f"There is no item with {what} in the catalog. Check the spelling, or identify the item another way."


def _say_item_ambiguous(column: str, count: int, urns: Sequence[str], value: str = "", invisible: str = "") -> str:
    """``urns`` may be only the first of ``count``."""
    what = _say_name(column, value, invisible)
    listed = ", ".join(urns) + (", …" if count > len(urns) else "")
    return f"{count} items have {what.rstrip(',')}. Put the URN of the one you mean in the URN column: {listed}."


def _say_name(column: str, value: str, invisible: str) -> str:
    """The name of a row's item; ``invisible`` describes an invisible character in it."""
    if column != NamedBy.NAME.name:
        return f"{column} {quoted(value, _MAX_NAME_CITED)}"
    return f"this GAME, SET and NAME, which have {invisible} in them," if invisible else "this GAME, SET and NAME"


def _say_variant_not_found(_column: str, urn: str, variants: Sequence[str], known: Sequence[str]) -> str:
    """``known`` are the item's own variants, or the first of them."""
    has = f"It has {', '.join(known)}." if known else "Leave VARIANTS empty."
    return f"The item {urn} has no variant {' or '.join(variants)}. {has}"


_MOST_POUNDS = in_pounds(MAX_PRICE).removesuffix(".00")


class Cause(Enum):
    """Each reason for which a row can fail.

    It has a title, the sentence that says of one row what is wrong and what to do, a sentence for all such rows
    together that says how to fix them, and its code if that is not INVALID. The first sentence is a template, in which
    {fix} stands for the other one, or a function of the column and the facts if a template cannot say it. Only the
    facts are stored with a row, so all sentences can be reworded at any time; a fact that gets another meaning needs
    another name.
    """

    COLUMN_COUNT = (
        "Wrong number of columns",
        _say_column_count,
        "Look for a missing or an extra comma, at the end of the row too. Put any value that contains a comma in "
        "double quotes.",
    )
    EXTRA_VALUE = (
        "One value too many",
        _say_extra_value,
        "Put any value that contains a comma in double quotes. In a spreadsheet, clear the cells after the last "
        "column.",
    )
    ROW_IN_QUOTES = (
        "Whole row in quotation marks",
        "The whole row is in quotation marks, so it reads as a single value. Delete the first and the last of them, "
        "and turn each pair of quotation marks inside into one.",
        "Delete the quotation marks around the row, and turn each pair of quotation marks inside it into one.",
    )
    SWALLOWED_LINES = (
        "Several lines in one value",
        _say_swallowed_lines,
        "Look at the first of the lines: a quotation mark that was opened by mistake turns the lines below into part "
        f"of its value. Delete the mark, or close it where the value ends. A text of up to {MAX_TEXT_LENGTH} "
        "characters may have several lines, as long as none of them looks like a row.",
    )
    QUOTING = (
        "Unmatched quotation marks",
        "The quotation marks in {column} do not match up. {fix}",
        "Put the whole value in double quotes, and double every quotation mark inside it.",
    )
    BARE_LINE_BREAK = (
        "Line break in a value",
        "{column} has a line break in it. Remove it, or put the whole value in double quotes.",
        "Remove the line break, or put the whole value in double quotes.",
    )
    CONTROL_CHARACTER = (
        "Invisible control character",
        "{column} has an invisible control character in it ({character}). Delete it, or type the value again.",
        "Delete the value and type it again instead of pasting it.",
    )
    INVISIBLE_CHARACTER = (
        "Invisible character",
        "{column} is {value} with {character} in it. Delete the value and type it again.",
        "There is a character in the value that you cannot see. Delete the value and type it again instead of pasting "
        "it.",
    )
    SPREADSHEET_ERROR = (
        "Spreadsheet error instead of a value",
        "{column} is {value}, which is an error in your spreadsheet and not a value. Correct the formula in the cell, "
        "or type the value, and save the file again.",
        "In your spreadsheet, correct the formula in the cell or type the value; if it shows ####, make the column "
        "wider. Then save the file again.",
    )
    NUMBER_SHORTENED = (
        "Number shortened by your spreadsheet",
        "{column} is {value}. Your spreadsheet has shortened this number, and its last digits are lost. Format the "
        "column as Text and copy the whole number in again.",
        "Your spreadsheet has shortened these numbers, and their last digits are lost. Format the column as Text and "
        "copy the whole numbers in again.",
    )
    NUMBER_AS_DATE = (
        "Number turned into a date",
        "{column} is {value}. Your spreadsheet has turned this number into a date. Format the column as Text and type "
        "the number again.",
        "Your spreadsheet has turned these numbers into dates. Format the column as Text and type the numbers again.",
    )
    NUMBER_FORMATTED = (
        "Number with separators or decimals",
        "{column} is {value}. Enter just the digits: {digits}.",
        "Enter just the digits, without separators and decimals. In your spreadsheet, format the column as Text or as "
        "a plain number.",
    )
    MODE_MISSING = (
        "No MODE given",
        "MODE is empty. {fix}",
        "Enter CREATE for a new listing or UPDATE to change one.",
    )
    MODE_UNKNOWN = (
        "Unknown MODE",
        "MODE is {value}. Enter CREATE for a new listing or UPDATE to change one.",
        "Enter CREATE for a new listing or UPDATE to change one; there are no other modes. To end a listing, use "
        "UPDATE with a QUANTITY of 0.",
    )
    ITEM_NOT_NAMED = (
        "No item given",
        "Nothing in the row says which item it is. Fill in URN, CARDMARKET_ID or TCGPLAYER_ID, or GAME, SET and NAME "
        "together.",
        "Say which item it is: fill in URN, CARDMARKET_ID or TCGPLAYER_ID, or GAME, SET and NAME together.",
    )
    NAME_INCOMPLETE = (
        "GAME, SET or NAME missing",
        "{column} is empty, and GAME, SET and NAME only work together. Fill in all three, or use URN, CARDMARKET_ID or "
        "TCGPLAYER_ID instead.",
        "Fill in GAME, SET and NAME, or use URN, CARDMARKET_ID or TCGPLAYER_ID instead.",
    )
    ID_NOT_DIGITS = (
        "ID contains something other than digits",
        f"{{column}} is {{value}}. Enter just the number (up to {MAX_ID_DIGITS} digits), or leave it empty.",
        f"Enter just the number (up to {MAX_ID_DIGITS} digits), or leave it empty if the row identifies the item "
        "another way.",
    )
    CONDITION_MISSING = (
        "No condition given",
        f"CONDITION is empty. Use one of {grade_list()}.",
        f"Enter the grade of the item: {grade_list()}.",
    )
    CONDITION_UNKNOWN = (
        "Unknown condition",
        f"CONDITION is {{value}}. Use one of {grade_list()}.",
        f"Use one of the grades: {grade_list()}.",
    )
    PRICE_MISSING = (
        "No price given",
        "PRICE is empty. {fix}",
        "Enter the price in pence: 199 for £1.99.",
    )
    PRICE_IN_POUNDS = (
        "Price in pounds, not pence",
        "PRICE is {value}. Prices are in pence: enter {pence}.",
        "Enter the price in pence, without a decimal point or £ sign: 199 for £1.99.",
    )
    PRICE_UNCLEAR = (
        "Price in pence or pounds?",
        _say_price_unclear,
        "Enter the price in pence, without a decimal point or comma: 199 for £1.99, 19900 for £199.00.",
    )
    PRICE_NOT_WHOLE = (
        "Price is not a whole number",
        "PRICE is {value}. {fix}",
        "Enter the price in pence, using the digits 0 to 9 only: 199 for £1.99.",
    )
    PRICE_OUT_OF_RANGE = (
        "Price out of range",
        "PRICE is {value}. {fix}",
        f"Enter a price between {MIN_PRICE} and {MAX_PRICE:,} pence ({_MOST_POUNDS}).",
    )
    QUANTITY_MISSING = (
        "No quantity given",
        "QUANTITY is empty. {fix}",
        f"Enter how many you have: 1 to {MAX_QUANTITY:,}.",
    )
    QUANTITY_NOT_WHOLE = (
        "Quantity is not a whole number",
        "QUANTITY is {value}. {fix}",
        "Enter a whole number, using the digits 0 to 9 only.",
    )
    QUANTITY_OUT_OF_RANGE = (
        "Quantity out of range",
        "QUANTITY is {value}. {fix}",
        f"Enter a whole number up to {MAX_QUANTITY:,}.",
    )
    QUANTITY_ZERO = (
        "New listing with a quantity of 0",
        "QUANTITY is 0. A new listing needs at least 1; only an UPDATE can set it to 0.",
        "Enter at least 1, or leave the row out. Only an UPDATE can set QUANTITY to 0.",
    )
    VARIANT_MALFORMED = (
        "Badly written variant",
        _say_variant_malformed,
        "Use only the letters a to z, digits and hyphens in a variant, and separate several with |: reverse|de. Or "
        "leave VARIANTS empty.",
    )
    VARIANTS_TOO_MANY = (
        "Too many variants",
        f"VARIANTS has {{count}} variants in it. Enter {MAX_VARIANTS} at most.",
        f"Leave {MAX_VARIANTS} variants at most, separated by |.",
    )
    HIDDEN_UNKNOWN = (
        "HIDDEN is not true or false",
        "HIDDEN is {value}. Enter true or false, or leave it empty.",
        "Enter true to hide the listing or false to show it, or leave the column empty.",
    )
    TEXT_TOO_LONG = (
        "Text is too long",
        "{column} has {count} characters. Shorten it to {limit} at most.",
        f"Shorten the text to {MAX_TEXT_LENGTH} characters at most.",
    )

    ITEM_NOT_FOUND = (
        "Item not found",
        _say_item_not_found,
        "Check the spelling, or identify the item another way: by URN, CARDMARKET_ID or TCGPLAYER_ID, or by GAME, SET "
        "and NAME. If it is not in the catalog it cannot be listed: leave the row out.",
        Code.NOT_FOUND,
    )
    VARIANT_NOT_FOUND = (
        "The item does not have this variant",
        _say_variant_not_found,
        "Use only variants that the item has in the catalog, or leave VARIANTS empty.",
        Code.NOT_FOUND,
    )
    LISTING_NOT_FOUND = (
        "You do not have this listing",
        "You have no listing for this item in this condition with these variants. Change MODE to CREATE to create one, "
        "or correct CONDITION and VARIANTS.",
        "Change MODE to CREATE to create the listing, or correct CONDITION and VARIANTS to match a listing of yours. "
        "If QUANTITY is 0, leave the row out: there is nothing to end. You cannot create and update a listing in the "
        "same file.",
        Code.NOT_FOUND,
    )
    ITEM_AMBIGUOUS = (
        "More than one item matches",
        _say_item_ambiguous,
        "Put the item’s URN in the URN column. The other item columns are then ignored.",
        Code.CONFLICT,
    )
    LISTING_EXISTS = (
        "You already have this listing",
        "You already have a listing for this item in this condition with these variants. Change MODE to UPDATE to "
        "change it.",
        "Change MODE to UPDATE to change the listing you have.",
        Code.CONFLICT,
    )
    LISTING_REPEATED = (
        "Same listing twice in this file",
        "Line {line} of this file already creates this listing. Leave this row out, or change MODE to UPDATE and "
        "import it separately afterwards.",
        "Another row in this file already creates this listing. Leave this row out, or change MODE to UPDATE and "
        "import it separately afterwards.",
        Code.CONFLICT,
    )

    def __init__(self, title: str, sentence: str | Callable[..., str], fix: str, code: Code = Code.INVALID) -> None:
        self.code = code
        #: Its name in headings.
        self.title = title
        self.sentence = sentence
        self.fix = fix

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
            return self.sentence.format(column=column, fix=self.fix, **{**facts, **value})
        except (KeyError, TypeError):
            return self.fix


_ASKING_FOR_ITEM = frozenset(
    {"ITEM_NOT_NAMED", "NAME_INCOMPLETE", "ID_NOT_DIGITS", "ITEM_NOT_FOUND", "ITEM_AMBIGUOUS", "VARIANT_NOT_FOUND"}
)


def _make_stand_in(name: str) -> Cause:
    advice = "Sluice is being updated. Look again in a few minutes to see how to correct the row."
    stand_in = object.__new__(Cause)
    title = name.replace("_", " ").capitalize()
    stand_in._name_, stand_in._value_ = name, (title, advice, advice)
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
