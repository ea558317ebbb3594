"""Puts the commas and quotation marks of a row right, where only one way to do so makes the row valid."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from app.csvfile.columns import Column, Layout
from app.csvfile.contract import MAX_RECORD_BYTES
from app.csvfile.lines import LineReader
from app.csvfile.parse import read_price
from app.csvfile.write import csv_lines, in_pieces

#: One value. A quotation mark ends it only before a comma or at the end of the row, and if it is not one of a pair; a
#: value that does not begin with one has none.
_VALUE = re.compile(r'"((?:[^"]++|"++(?!,|\Z)|(?:"")++(?="?(?:,|\Z)))*+)"(?=,|\Z)|([^",]*+)')


def mend(texts: Sequence[str], layout: Layout) -> list[str | None]:
    """For each record the one text that it can be meant as: valid as a row, with the same values; None if none is."""
    candidates = [
        (at, line)
        for at, text in enumerate(texts)
        for line in csv_lines(_list_meanings(text, layout))
        if len(line.encode()) < MAX_RECORD_BYTES
    ]
    lines = [line for _, line in candidates]
    begins = accumulate((line.count("\n") for line in lines), initial=2)
    valid = _find_valid(lines, layout)
    found: dict[int, list[str]] = {}
    for (at, line), begin in zip(candidates, begins, strict=False):
        if begin in valid:
            found.setdefault(at, []).append(line.removesuffix("\n"))
    return [found[at][0] if len(found.get(at, ())) == 1 else None for at in range(len(texts))]


def _find_valid(lines: Sequence[str], layout: Layout) -> set[int]:
    """Where the valid ones of some rows begin."""
    reader = LineReader(in_pieces(lines), header=",".join(layout.columns), offset=0, line=2)
    valid: set[int] = set()
    while (taken := reader.take(len(lines))).count:
        valid.update(taken.rows["line"].to_pylist())
    return valid


def _list_meanings(text: str, layout: Layout) -> Iterator[list[str]]:
    """The values that a record can be meant to have, as many as there are columns."""
    cells = _split(text)
    own, extra = layout.own_and_extra(cells)
    missing = len(layout.columns) - len(own)
    if not cells or (extra and layout.ignored):
        return
    if not extra:
        # What is missing at the end is empty.
        yield own + [""] * missing
        return
    # A comma has cut one value in pieces.
    for at, column in enumerate(layout.columns):
        pieces = [*own, *extra][at : at + len(extra) + 1]
        if all(map(str.strip, pieces)):
            yield [*own[:at], _join(column, pieces), *[*own, *extra][at + len(pieces) :]]


def _join(column: Column, pieces: Sequence[str]) -> str:
    text = ",".join(pieces).strip()
    pence = read_price(text) if column is Column.PRICE else ()
    return str(pence[0]) if len(pence) == 1 else text


def _split(text: str) -> list[str]:
    """The values of a record whose quotation marks may not be doubled; none if a value is not closed."""
    if '"' not in text:
        return text.split(",")
    cells, at = [], 0
    while found := _VALUE.match(text, at):
        cells.append(found[2] if found[1] is None else found[1].replace('""', '"'))
        at = found.end() + 1
        if text[found.end() : at] != ",":
            break
    return cells if at > len(text) else []
