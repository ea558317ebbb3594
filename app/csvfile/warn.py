"""Warnings: probable mistakes in a file that fail no row.

Each kind of warning is an entry in ``KINDS``: how it is found in a block of rows, and its sentence.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.csvfile.columns import Column, Layout
from app.csvfile.contract import in_pounds, quoted
from app.csvfile.reader import Block
from app.csvfile.texts import Texts

#: Maximum number of characters stored of a value.
_VALUE_LENGTH = 80


class Warned(NamedTuple):
    """A kind of warning, its number of rows, and its first occurrence."""

    #: Its name in KINDS.
    kind: str
    #: The number of rows with it.
    rows: int
    #: The line on which the first of these rows begins, the column and its value.
    line: int
    column: str
    value: str

    @property
    def sentence(self) -> str:
        """What is probably wrong, and what to do about it."""
        return KINDS[self.kind].describe(self)


class Mistakes(NamedTuple):
    """The rows of a block with the same kind of probable mistake."""

    #: The number of rows, and the first of them.
    rows: int
    record: int
    #: The index of the column and the value in that row.
    column: int
    value: str


class WarningKind(NamedTuple):
    """How one kind of warning is found and described."""

    #: The rows of a block with this mistake, if any. Must be almost free for a block without any.
    find: Callable[[Block, Layout], Mistakes | None]
    describe: Callable[[Warned], str]


def find_warned(block: Block, layout: Layout) -> list[Warned]:
    """The probable mistakes in the rows of ``block``: for each kind that it has, in the order of KINDS."""
    warned = []
    for name, kind in KINDS.items():
        found = kind.find(block, layout)
        if found:
            # A row may have more values than there are columns; these values have no column name.
            column, value = layout.name_at(found.column), found.value.strip()[:_VALUE_LENGTH]
            warned.append(Warned(name, found.rows, int(block.lines[found.record]), column, value))
    return warned


def sum_up(warned: Iterable[Warned]) -> list[Warned]:
    """The same with one for each kind, in the order of KINDS: the first, with the rows of all."""
    of_kind: dict[str, list[Warned]] = {name: [] for name in KINDS}
    for one in warned:
        of_kind[one.kind].append(one)
    return [same[0]._replace(rows=sum(one.rows for one in same)) for same in of_kind.values() if same]


def read_stored(stored: Iterable[Mapping[str, Any]]) -> list[Warned]:
    """Warnings from their stored fields, without kinds that this release does not know."""
    return [Warned(**fields) for fields in stored if fields["kind"] in KINDS]


#: By byte: whether it can be the third one of a garbled letter. An é is C3 A9 in UTF-8; read as Windows-1252 it became
#: Ã©, which is C3 83 C2 A9. So the first byte is C3, the second one of 82 to B4 (Â to ô), and the third begins a letter
#: that Windows-1252 writes as one of 80 to BF.
_IS_GARBLED = np.isin(np.arange(256), [*b"\xc2\xc5\xc6\xcb\xe2"])
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
#: The bytes of Windows-1252 by character; the five undefined ones map to themselves, as in browsers.
_WINDOWS_1252 = {
    letter if (letter := bytes([byte]).decode("cp1252", "ignore")) else chr(byte): byte for byte in range(0x80, 0x100)
}


def ungarble(value: str) -> str | None:
    """What ``value`` was before its UTF-8 was read as Windows-1252 (“PokÃ©mon”); None if it was not."""
    if value.isascii():
        return None
    try:
        return _NON_ASCII.sub(lambda run: bytes(map(_WINDOWS_1252.__getitem__, run[0])).decode("utf-8"), value)
    except (KeyError, UnicodeDecodeError):
        return None


def _find_garbled(block: Block, _layout: Layout) -> Mistakes | None:
    if block.data.isascii():
        return None
    raw = np.frombuffer(block.data, np.uint8, block.starts[-1])
    places = np.flatnonzero(raw[:-2] == 0xC3)
    second = raw[places + 1]
    places = places[(second >= 0x82) & (second <= 0xB4) & _IS_GARBLED[raw[places + 2]]]
    if not len(places):
        return None
    records = np.unique(np.searchsorted(block.starts, places, side="right") - 1)
    garbled = [
        (record, *found)
        for record, cells in zip(records.tolist(), block.cells(records), strict=True)
        if (found := next(((at, cell) for at, cell in enumerate(cells) if ungarble(cell) is not None), None))
    ]
    return Mistakes(len(garbled), *garbled[0]) if garbled else None


def _describe_garbled(warned: Warned) -> str:
    rows = f"{warned.rows:,} rows have" if warned.rows > 1 else "1 row has"
    meant = ungarble(warned.value)
    return (
        f"{rows} garbled letters, first on line {warned.line:,}: {warned.column} is {quoted(warned.value)}"
        f"{f', probably for {quoted(meant)}' if meant else ''}. The file was once saved in the wrong encoding. "
        "To fix it, open the original file as UTF-8, save it again and upload that."
    )


#: Prices under 5p, as in the file: most likely pounds.
_TINY_PRICES = pa.array(["1", "2", "3", "4"])


def _find_tiny_prices(block: Block, layout: Layout) -> Mistakes | None:
    place = layout.columns.index(Column.PRICE)
    unfit = {at: cells[place] for at, cells in block.unfit.items() if len(cells) > place}
    prices = Texts(pa.concat_arrays([block.columns[place], pa.array(unfit.values(), pa.string())])).trimmed().array
    is_tiny = pc.is_in(prices, _TINY_PRICES).to_numpy(zero_copy_only=False)
    records = np.append(block.fit, [*unfit]).astype(np.intp)[is_tiny]
    if not len(records):
        return None
    first = records.argmin()
    return Mistakes(len(records), int(records[first]), place, prices.filter(is_tiny)[int(first)].as_py())


def _describe_tiny_prices(warned: Warned) -> str:
    rows = f"{warned.rows:,} prices are" if warned.rows > 1 else "1 price is"
    return (
        f"{rows} under 5p, first on line {warned.line:,}: PRICE is {warned.value}, so {in_pounds(int(warned.value))}. "
        f"Prices are in pence: if you mean £{warned.value}, enter {warned.value}00."
    )


TINY_PRICES = "tiny-prices"
KINDS: dict[str, WarningKind] = {
    TINY_PRICES: WarningKind(_find_tiny_prices, _describe_tiny_prices),
    "garbled-letters": WarningKind(_find_garbled, _describe_garbled),
}
