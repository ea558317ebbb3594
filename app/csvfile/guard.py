"""Guards free texts in cells against changes by spreadsheets, and removes the guard again.

A spreadsheet runs ``=SUM(1)``, and turns ``00017`` into 17 and ``3-4`` into a date. So COMMENT, NOTES and REFERENCE may
be written as a formula whose result is the text: ``="00017"``. A spreadsheet shows the text and saves it as such. A
file that was not opened in a spreadsheet, or in one that runs no formulas, still has the guard, and is read alike. (A
text that itself reads ``="x"`` comes back as ``x`` from a spreadsheet that runs formulas.) Other programs guard ids and
prices in the same way, so a guard is removed in all columns.
"""

import re

#: The characters that begin a formula; the full-width forms are typed in East Asia (OWASP, CSV Injection).
FORMULA_STARTS = "[=+\\-@＝＋－＠]"
#: A whole number that a spreadsheet does not change.
_PLAIN_NUMBER = r"(?:0|[1-9]\d{0,14})\Z"
#: A formula, an apostrophe (which marks a text in some spreadsheets), or a possible number, date or time.
_CHANGES = re.compile(rf"'|{FORMULA_STARTS}|(?!{_PLAIN_NUMBER})[\d.,][\d\s.,:/\-+eE%]*\Z")
_GUARDED = re.compile(r'="((?:[^"]|"")*+)"')


def guard(text: str) -> str:
    """``text`` as a cell for spreadsheets: guarded if one would change it."""
    return _guard(text) if _CHANGES.match(text) else text


def guard_if_guarded(text: str) -> str:
    """``text`` as a cell for programs: guarded only if ``unguard`` would change it otherwise."""
    return _guard(text) if _GUARDED.fullmatch(text) else text


def unguard(cell: str) -> str:
    """The text in a cell, guarded or not."""
    guarded = _GUARDED.fullmatch(cell)
    return guarded[1].replace('""', '"').strip() if guarded else cell


def _guard(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'="{doubled}"'
