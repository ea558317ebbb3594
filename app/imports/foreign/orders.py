"""Refuses files that hold orders or data of buyers, by the names of their columns."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from app.imports.foreign.dictionary import normalise
from app.imports.foreign.shapes import NotStock


class _File(NamedTuple):
    what: str
    all_of: frozenset[str]
    any_of: frozenset[str]


def refuse_orders(columns: Iterable[str]) -> None:
    """Raise NotStock for a file with these ``columns`` if it holds orders or data of buyers."""
    names = {normalise(column): column for column in columns}
    for file in _files():
        if file.all_of <= names.keys() and (not file.any_of or file.any_of & names.keys()):
            telling = next(column for plain, column in names.items() if plain in file.all_of | file.any_of)
            raise NotStock(
                f"This file is {file.what}, as its column “{telling}” tells, and not your stock. "
                "Nothing of it was kept. Export your stock or inventory instead, and choose that file."
            )


@cache
def _files() -> list[_File]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["file"]
    return [_File(one["what"], _plain(one["all"]), _plain(one.get("any", ()))) for one in tables]


def _plain(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(normalise, names))
