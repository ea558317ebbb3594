"""The contract of a listings file: modes, grades, limits, and the ways to name an item.

Each is defined here once; the validator, the pages and the help texts all read these definitions. The columns are in
``columns``, and the ways in which a row can break the contract in ``causes``.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import IntEnum, StrEnum
from functools import cache

from app.csvfile.visible import visible

#: Maximum size of a record in bytes, including its line ending: a longer one is a quote that was never closed.
MAX_RECORD_BYTES = 64 * 1024

MIN_PRICE, MAX_PRICE = 1, 100_000_000
MAX_QUANTITY = 1_000_000
MAX_VARIANTS = 10
MAX_TEXT_LENGTH = 255
MAX_ID_DIGITS = 18
MAX_VARIANT_LENGTH = 40
VARIANT_PATTERN = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{MAX_VARIANT_LENGTH - 1}}}")


class Mode(StrEnum):
    """What a row asks for: a new listing, or a change to one."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"


class Condition(IntEnum):
    """The grades, best first. The database stores the number."""

    MINT = 1
    NEAR_MINT = 2
    EXCELLENT = 3
    GOOD = 4
    LIGHT_PLAYED = 5
    PLAYED = 6
    POOR = 7


#: The two-letter code of each grade, as sellers write it.
CONDITION_CODES: dict[str, Condition] = {
    "MT": Condition.MINT,
    "NM": Condition.NEAR_MINT,
    "EX": Condition.EXCELLENT,
    "GD": Condition.GOOD,
    "LP": Condition.LIGHT_PLAYED,
    "PL": Condition.PLAYED,
    "PO": Condition.POOR,
}
#: The code of each grade.
GRADE_CODES = {grade: code for code, grade in CONDITION_CODES.items()}


@cache
def grade_list() -> str:
    """The codes of all grades with their names, for sentences and help texts."""
    return ", ".join(f"{code} ({grade.name})" for code, grade in CONDITION_CODES.items())


class NamedBy(IntEnum):
    """The ways to name an item, in the order in which they decide."""

    URN = 1
    CARDMARKET_ID = 2
    TCGPLAYER_ID = 3
    NAME = 4


#: How a row names an item: the way, and the URN, the external id as a number, or the ``name_key``.
ItemName = tuple[NamedBy, str | int]


def quoted(value: str, limit: int = 40) -> str:
    """``value`` as cited in a sentence: in quotation marks, cut to ``limit`` characters, all of them visible."""
    return f"“{visible(value)}”" if len(value) <= limit else f"“{visible(value[:limit])}…”"


def listed(names: Sequence[str]) -> str:
    """Some names, at least one, as a sentence lists them: ``A, B and C``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def in_pounds(pence: int) -> str:
    """A price as people write it: ``£1.99``."""
    return f"£{pence // 100:,}.{pence % 100:02}"


def column_letters(at: int) -> str:
    """The letters of a column in a spreadsheet, by its position counted from 0: A, B, …, Z, AA, …"""
    letters = ""
    at += 1
    while at:
        at, letter = divmod(at - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def fold(text: str) -> str:
    """``text`` as compared in names: NFC, runs of white space as one space, casefolded."""
    if not text.isascii():
        # Casefolding can undo a composition, so the result is composed again; see Unicode 3.13, D145.
        return unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", text).split()).casefold())
    return " ".join(text.split()).casefold()


#: Between the parts of a ``name_key``: a character that no value may contain.
NAME_KEY_SEPARATOR = "\x1f"


def name_key(game: str, set_name: str, name: str) -> str:
    """The key by which GAME, SET and NAME are matched."""
    return NAME_KEY_SEPARATOR.join((fold(game), fold(set_name), fold(name)))
