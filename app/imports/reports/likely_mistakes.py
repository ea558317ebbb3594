"""Warnings on the page of an import: what the upload check found, and what came to light while rows were processed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from app.humanize import counted
from app.imports.reports.progress import ImportProgress

#: Of fewer rows, some that fail are no reason to doubt the file as a whole.
_MIN_ROWS = 10


class Notice(NamedTuple):
    """A probable mistake that fails no row, or that most failed rows have in common."""

    #: A stable identifier.
    kind: str
    #: What is probably wrong, and what to do about it.
    sentence: str


def list_warnings(one: ImportProgress) -> list[Notice]:
    """The warnings about an import or check, the gravest first."""
    return [*_most_fail(one), *(Notice(warned.kind, warned.sentence) for warned in one.warnings)]


def _most_fail(one: ImportProgress) -> Iterator[Notice]:
    invalid, failed = one.invalid * 2 > one.total, one.failed * 2 > one.processed
    if one.total < _MIN_ROWS or one.failed == one.total or not (failed if one.finished_at else invalid or failed):
        return
    if one.finished_at:
        sentence = f"{one.failed:,} of {counted(one.processed, 'row')} {'would fail' if one.is_check else 'failed'}."
    elif invalid:
        sentence = f"{one.invalid:,} of {counted(one.total, 'row')} contain mistakes and will fail."
    elif one.processed >= _MIN_ROWS:
        sentence = f"{one.failed:,} of {counted(one.processed, 'row')} failed so far."
    else:
        return
    yield Notice("most-fail", f"{sentence} Look at the most common problem first: it may be the same in every row.")
