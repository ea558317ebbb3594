"""Card numbers and names as compared: in all the spellings that files have."""

import re
from difflib import SequenceMatcher
from functools import lru_cache

from app.csvfile.contract import MAX_ID_DIGITS
from app.imports.foreign.mapping import normal, plain

_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan|january|januar|janv|janvier|gen|gennaio|ene|enero",
            "feb|february|februar|févr|fevr|février|febbraio|febrero",
            "mar|march|mär|mrz|märz|mars|marzo",
            "apr|april|avr|avril|aprile|abr|abril",
            "may|mai|maggio|mayo|mag",
            "jun|june|juni|juin|giu|giugno|junio",
            "jul|july|juli|juil|juillet|lug|luglio|julio",
            "aug|august|août|aout|ago|agosto",
            "sep|sept|september|septembre|set|settembre|septiembre",
            "oct|october|okt|oktober|octobre|ott|ottobre|octubre",
            "nov|november|novembre|noviembre",
            "dec|december|dez|dezember|déc|décembre|dic|dicembre|diciembre",
        ],
        1,
    )
    for name in names.split("|")
}
_NUMBER = re.compile(r"([a-z]*?)0*([0-9]+)([a-z]*)")
_KEY = re.compile(r"[a-z]{0,5}[0-9]{1,4}[a-z]?")
_FLOAT = re.compile(r"([0-9]+)\.0+")
_MONTH_YEAR = re.compile(r"([^\W\d_]+)\.?[\s-]*([0-9]{2,4})")
_DAY_MONTH = re.compile(r"([0-9]{1,2})\.?[\s-]*([^\W\d_]+)\.?")
_ISO_DATE = re.compile(r"[0-9]{4}-([0-9]{2})-([0-9]{2})(?:[T ].*)?")
#: A number inside a name: 223/197, TG05/TG30, or at its end after a hyphen, in parentheses or after #.
_IN_NAME = re.compile(
    r"(?<![\w/])#?([A-Za-z]{0,5}[0-9]{1,4}[a-z]?)\s*/\s*[A-Za-z]{0,5}[0-9]{1,4}(?![\w/])"
    r"|\(#?([A-Za-z]{0,5}[0-9]{1,4}[a-z]?)\)"
    r"|\s[-–]\s#?([A-Za-z]{0,5}[0-9]{1,4}[a-z]?)\s*(?:$|[-–])"
    r"|#([A-Za-z]{0,5}[0-9]{1,4}[a-z]?)(?![\w/])"
)
_ANY_NUMBER = re.compile(r"(?<![\w/.,])#?([A-Za-z]{0,5}[0-9]{1,4}[a-z]?)(?:\s*/\s*[A-Za-z]{0,5}[0-9]{1,4})?(?![\w/])")
_BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]")
#: Two names at least this similar differ by a typing error, if the number agrees.
_ALIKE = 0.85


@lru_cache(maxsize=20_000)
def number_keys(text: str) -> tuple[str, ...]:
    """The card numbers that a cell can mean, as compared; several only for a date that a spreadsheet made of it."""
    value = text.strip().casefold().lstrip("#").removeprefix("no.").strip()
    if not value:
        return ()
    if found := _ISO_DATE.fullmatch(value):
        return tuple(dict.fromkeys(str(int(one)) for one in found.groups()))
    if (found := _MONTH_YEAR.fullmatch(value)) and found[1] in _MONTHS:
        return (str(_MONTHS[found[1]]),)
    if (found := _DAY_MONTH.fullmatch(value)) and found[2] in _MONTHS:
        return tuple(dict.fromkeys((found[1].lstrip("0"), str(_MONTHS[found[2]]))))
    first = value.partition("/")[0].strip().replace(" ", "")
    if found := _FLOAT.fullmatch(first):
        first = found[1]
    found = _NUMBER.fullmatch(first.replace("-", "").replace("_", ""))
    return (f"{found[1]}{found[2]}{found[3]}" if found else first,)


def is_id(cell: str) -> bool:
    """Whether a cell can be the id of an item."""
    return cell.isascii() and cell.isdigit() and len(cell) <= MAX_ID_DIGITS


def is_number(cell: str) -> bool:
    """Whether a cell can be the number of a card."""
    return any(_KEY.fullmatch(key) for key in number_keys(cell))


def numbers_agree(text: str, number: str) -> bool:
    """Whether a cell can mean the number of an item; letters before the digits may be missing."""
    own = number_keys(number)
    given = number_keys(text)
    return bool(set(own) & set(given)) or any(one.lstrip("abcdefghijklmnopqrstuvwxyz") in given for one in own)


@lru_cache(maxsize=20_000)
def split_name(text: str) -> tuple[str, str]:
    """The name and the number in a text like “Charizard ex - 223/197”; the number is empty if there is none."""
    found = _IN_NAME.search(text)
    if not found:
        return text.strip(), ""
    name = text[: found.start()].strip(" -–(#")
    return (name or text[found.end() :].strip(" -–)")), next(filter(None, found.groups()))


def title_numbers(title: str) -> set[str]:
    """The keys of all that can be a card number in a title."""
    return {key for found in _ANY_NUMBER.finditer(title) for key in number_keys(found[1])}


@lru_cache(maxsize=20_000)
def name_keys(text: str) -> frozenset[str]:
    """A name as compared: whole, without what stands in brackets, and without a number in it."""
    bare = _BRACKETS.sub(" ", text)
    return frozenset(filter(None, map(normal, (text, bare, split_name(text)[0], split_name(bare)[0]))))


@lru_cache(maxsize=20_000)
def names_agree(given: str, name: str) -> bool:
    """Whether a cell and the catalog mean the same name, apart from decorations and a typing error."""
    keys, own = name_keys(given), name_keys(name)
    if keys & own:
        return True
    words = plain(name).split()
    if words and set(words) <= set(plain(given).split()):
        return True
    return any(SequenceMatcher(None, one, two).ratio() >= _ALIKE for one in keys for two in own)


@lru_cache(maxsize=20_000)
def is_latin(text: str) -> bool:
    """Whether a name is in Latin letters, so that it can be compared with another that is."""
    letters = [letter for letter in text if letter.isalpha()]
    return not letters or sum(letter < "\u0250" for letter in letters) * 2 > len(letters)


def comparable(given: str, name: str) -> bool:
    """Whether two names are in the same script."""
    return bool(given) and is_latin(given) == is_latin(name)
