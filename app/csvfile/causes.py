"""Every reason for which a row can fail, and the sentences about it."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple

from app.csvfile.contract import (
    MAX_ID_DIGITS,
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_TEXT_LENGTH,
    MAX_VARIANTS,
    MIN_PRICE,
    grade_list,
)


class Code(IntEnum):
    """The kinds of failure; the numbers are those of the HTTP statuses they resemble."""

    INVALID = 422
    NOT_FOUND = 404
    CONFLICT = 409

    @property
    def meaning(self) -> str:
        """What all rows that fail with it have in common."""
        return {
            Code.INVALID: "The row itself is wrong, whatever is in the catalog and among your listings. All that is "
            "wrong with it is reported at once. Correct the row.",
            Code.NOT_FOUND: "The row is well written, but what it names does not exist: the item, one of its variants, "
            "or the listing to change. Correct the name, or retry the row once the catalog has it.",
            Code.CONFLICT: "The row is well written, but it cannot be carried out: it could mean several items, or the "
            "listing that it creates exists already. Say which you mean.",
        }[self]


class Cause(Enum):
    """Each reason for which a row can fail.

    It has its code, the sentence that says of one row what is wrong and what to do, and a sentence for all such rows
    together that says how to fix them.
    """

    COLUMN_COUNT = (
        Code.INVALID,
        "The row has {count}, but there are 15 columns. Look for a missing or an extra comma; "
        "a value with a comma in it must stand in double quotes.",
        "Compare the row with the header: look for a missing or an extra comma, at its end too, where empty values "
        "have commas as well. Put every value that has a comma in it in double quotes.",
    )
    EXTRA_VALUE = (
        Code.INVALID,
        "The row has {count} too many: {value} in column {letters}, behind the last one. If a value in the row has a "
        "comma in it, put that value in double quotes; if not, delete what stands there.",
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
        "A quotation mark opened {where} on line {opened} is closed only on line {closed}, so {swallowed}. Delete the "
        "mark, or close it where the value ends{otherwise}.",
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
        "{column} is {value}. Write the id as 1 to 18 digits from 0 to 9, with nothing else, or leave it empty.",
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
        "PRICE is {value}, which may be pence or pounds. Write {pence} for {as_pence}, or {pounds} for {as_pounds}.",
        "Write the price in pence, without a point or a comma: 199 for £1.99, 19900 for £199.00.",
    )
    PRICE_NOT_WHOLE = (
        Code.INVALID,
        "PRICE is {value}. Write the price in pence, with the digits 0 to 9 only: 199 for £1.99.",
        "Write the price in pence, with the digits 0 to 9 only: 199 for £1.99.",
    )
    PRICE_OUT_OF_RANGE = (
        Code.INVALID,
        "PRICE is {value}. Write a price from 1 to 100000000 pence (£1,000,000).",
        f"Write a price from {MIN_PRICE} to {MAX_PRICE} pence.",
    )
    QUANTITY_MISSING = (
        Code.INVALID,
        "QUANTITY is empty. Write how many you have: 1 to 1000000.",
        f"Write how many you have: 1 to {MAX_QUANTITY}.",
    )
    QUANTITY_NOT_WHOLE = (
        Code.INVALID,
        "QUANTITY is {value}. Write a whole number with the digits 0 to 9 only.",
        "Write a whole number with the digits 0 to 9 only.",
    )
    QUANTITY_OUT_OF_RANGE = (
        Code.INVALID,
        "QUANTITY is {value}. Write a whole number up to 1000000.",
        f"Write a whole number up to {MAX_QUANTITY}.",
    )
    QUANTITY_ZERO = (
        Code.INVALID,
        "QUANTITY is 0. A new listing needs at least 1; only an UPDATE may set it to 0.",
        "Write at least 1, or take the row out. Only an UPDATE may set QUANTITY to 0.",
    )
    VARIANT_MALFORMED = (
        Code.INVALID,
        "VARIANTS has {value} in it. Each variant is letters a to z, digits and hyphens, at most 40; "
        "separate several with | (reverse|de).",
        "Write each variant with the letters a to z, digits and hyphens only, and separate several with |: reverse|de. "
        "Or leave VARIANTS empty.",
    )
    VARIANTS_TOO_MANY = (
        Code.INVALID,
        "VARIANTS has {count} variants in it. Write at most 10.",
        f"Leave at most {MAX_VARIANTS} variants, separated by |.",
    )
    HIDDEN_UNKNOWN = (
        Code.INVALID,
        "HIDDEN is {value}. Write true or false, or leave it empty.",
        "Write true to hide the listing or false to show it, or leave the column empty.",
    )
    TEXT_TOO_LONG = (
        Code.INVALID,
        "{column} has {count} characters. Shorten it to 255 at most.",
        f"Shorten the text to {MAX_TEXT_LENGTH} characters at most.",
    )

    ITEM_NOT_FOUND = (
        Code.NOT_FOUND,
        "There is no item with {what} in the catalog. Check it for a typing mistake, or name the item another way.",
        "Look for a typing mistake in what names the item, or name it another way: by URN, CARDMARKET_ID or "
        "TCGPLAYER_ID, or by GAME, SET and NAME. An item that the catalog does not have cannot be listed: take the row "
        "out.",
    )
    VARIANT_NOT_FOUND = (
        Code.NOT_FOUND,
        "The item {urn} has no variant {variants}. {known}",
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
        "{what} names {count} items. Write the URN of the one you mean in URN: {urns}.",
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

    def __init__(self, code: Code, sentence: str, fix: str) -> None:
        self.code = code
        self.sentence = sentence
        self.fix = fix

    @property
    def title(self) -> str:
        """What the cause is called in headings."""
        return self.name.replace("_", " ").capitalize().replace("Id ", "ID ")

    @property
    def slug(self) -> str:
        """The name under which the cause is stored and linked to."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def by_slug(cls, slug: str) -> Cause:
        """The cause that is stored under ``slug``. Raises KeyError when there is none."""
        return cls[slug.upper().replace("-", "_")]

    def problem(self, column: str = "", **facts: object) -> Problem:
        """A problem of this cause in ``column`` (empty: the row as a whole), its sentence filled with ``facts``."""
        return Problem(column, self, self.sentence.format(column=column, **facts))


class Problem(NamedTuple):
    """One thing that is wrong with one row."""

    column: str
    cause: Cause
    message: str
