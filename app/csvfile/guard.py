"""Free texts as cells that a spreadsheet leaves as they are, and back.

A spreadsheet runs ``=SUM(1)``, and makes 17 of ``00017`` and a date of ``3-4``. So COMMENT, NOTES and REFERENCE may be
written as a formula whose result is the text: ``="00017"``. A spreadsheet shows the text and saves that; a file that
none has opened, or one that runs no formulas has, is read in the same way. (A text that itself reads ``="x"`` comes
back as ``x`` from one that runs formulas.) Other programs write ids and prices like that, so it is read in all columns.
"""

from __future__ import annotations

import re

#: What makes a spreadsheet take a cell for a formula; the wide forms are typed in East Asia (OWASP, CSV Injection).
FORMULA_STARTS = "[=+\\-@＝＋－＠]"
#: A whole number that a spreadsheet writes as it reads it.
_PLAIN_NUMBER = r"(?:0|[1-9]\d{0,14})\Z"
#: A formula, an apostrophe that some take for a sign of text, or what may be a number, a date or a time to them.
_CHANGES = re.compile(rf"'|{FORMULA_STARTS}|(?!{_PLAIN_NUMBER})[\d.,][\d\s.,:/\-+eE%]*\Z")
_GUARDED = re.compile(r'="((?:[^"]|"")*+)"')


def guard(text: str) -> str:
    """``text`` as a cell for spreadsheets: guarded where one would change it."""
    return _guard(text) if _CHANGES.match(text) else text


def guard_if_guarded(text: str) -> str:
    """``text`` as a cell for programs: as it is, unless ``unguard`` would make another one of it."""
    return _guard(text) if _GUARDED.fullmatch(text) else text


def unguard(cell: str) -> str:
    """The text that stands in a cell, guarded or not."""
    guarded = _GUARDED.fullmatch(cell)
    return guarded[1].replace('""', '"').strip() if guarded else cell


def _guard(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'="{doubled}"'
