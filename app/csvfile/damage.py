"""Recognises values that a spreadsheet has damaged, by the value alone."""

import re

_MONTH = "jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz]"

#: The text of a cell whose formula fails, in several languages, or that is too narrow for its number.
_ERROR = re.compile(r"#(?:[A-ZÀ-Þ/0_]{2,20}[!?]|N/A|N/D|NV|GETTING_DATA|##+)|Err:[0-9]{3}")
#: Each error contains one of these.
ERROR_MARKS = ("#", "Err:")
_SHORTENED = re.compile(r"[0-9]{1,3}(?:[.,][0-9]+)?E\+?[0-9]{1,3}", re.IGNORECASE)
_TIME = r"[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.0+)?)?"
_DATE = re.compile(
    r"(?:[0-9]{1,2}([/.-])[0-9]{1,2}\1(?:[0-9]{2}|[0-9]{4})"
    r"|[0-9]{4}([-/.])[0-9]{1,2}\2[0-9]{1,2}"
    rf"|[0-9]{{1,2}}[-./ ]{{0,2}}(?:{_MONTH})[a-zé]*(?:[-./ ]{{0,2}}[0-9]{{2,4}})?"
    rf"|(?:{_MONTH})[a-zé]*[-./ ]{{0,2}}[0-9]{{1,4}})(?:{_TIME})?",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"([0-9]{1,3}(?:([,.'’ ])[0-9]{3})(?:\2[0-9]{3})*)(?:[.,]0+)?")
_DECIMALS = re.compile(r"([0-9]+)[.,]0+")


def is_error(value: str) -> bool:
    """Whether a value is a spreadsheet's placeholder for an error: ``#N/A``, ``#VALUE!``, ``####``."""
    return bool(_ERROR.fullmatch(value))


def is_shortened(value: str) -> bool:
    """Whether a value is a number whose last digits a spreadsheet has dropped: ``1.23E+17``."""
    return bool(_SHORTENED.fullmatch(value))


def is_date(value: str) -> bool:
    """Whether a value is a date."""
    return bool(_DATE.fullmatch(value))


def plain_digits(value: str) -> str:
    """The digits of a whole number written with separators or empty decimals; empty if that is unclear."""
    grouped, decimals = _GROUPED.fullmatch(value), _DECIMALS.fullmatch(value)
    readings = {found[1] for found in (grouped, decimals) if found}
    return re.sub("[^0-9]", "", readings.pop()) if len(readings) == 1 else ""
