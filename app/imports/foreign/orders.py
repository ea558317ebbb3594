"""Refuses files that hold orders or data of buyers, by the names of their columns."""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from app.imports.foreign.dictionary import normalise
from app.imports.foreign.guesses import HEADER_WITHIN, Line
from app.imports.foreign.shapes import NotStock


class _File(NamedTuple):
    what: str
    all_of: frozenset[str]
    any_of: frozenset[str]
    is_personal: bool


def refuse_orders(lines: Sequence[Line]) -> None:
    """Raise NotStock if a table that begins with ``lines`` holds orders or data of buyers."""
    for file, telling in _find(lines):
        raise NotStock(
            f"This file is {file.what}, as its column “{telling}” tells, and not your stock. Nothing of it was kept. "
            "Export your stock or inventory instead, and choose that file."
        )


def refuse_buyers(lines: Sequence[Line], sheet: str) -> None:
    """Raise NotStock if a ``sheet`` that begins with ``lines`` holds data of buyers, whether it is read or not."""
    for file, telling in _find(lines):
        if file.is_personal:
            raise NotStock(
                f"The sheet “{sheet}” is {file.what}, as its column “{telling}” tells. Nothing of the workbook was "
                "kept. Save the sheet with your stock as a file of its own, and choose that file."
            )


def _find(lines: Sequence[Line]) -> Iterator[tuple[_File, str]]:
    """What a table is, if it is no stock, with the column that tells; any of its first lines may be the header."""
    for line in lines[:HEADER_WITHIN]:
        names = {normalise(cell): cell.strip() for cell in line.cells}
        for file in _files():
            if file.all_of <= names.keys() and (not file.any_of or file.any_of & names.keys()):
                yield file, next(cell for plain, cell in names.items() if plain in file.all_of | file.any_of)


@cache
def _files() -> list[_File]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["file"]
    return [
        _File(one["what"], _plain(one.get("all", ())), _plain(one.get("any", ())), one.get("personal", False))
        for one in tables
    ]


def _plain(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(normalise, names))
