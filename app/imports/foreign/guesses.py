"""Guesses the dialect of a text from its beginning: separator, line ends, header, columns."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from app.csvfile.contract import column_letters
from app.csvfile.visible import trim
from app.imports.foreign.dictionary import fields, is_known
from app.imports.foreign.shapes import Unreadable

#: The separators that are looked for, the likeliest first.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes (|)"}
#: The header is one of the first records.
HEADER_WITHIN = 20
#: The number of records that show which separator a file has.
_JUDGED = 200
#: A header has so many names that other tools have, or is made of nothing else.
_MIN_KNOWN = 2

_SEP = re.compile(r'"?sep=(.)"?[,;\t|]*\s*\Z', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*+"')
#: The fields without which a table is hardly a list of stock.
_TELLING = frozenset({"name", "number", "set", "quantity", "condition", "price"})
#: A card number with the number of cards in the set: ``004/102``.
_OF_SET = re.compile(r"[A-Za-z]{0,4}\d{1,4}[a-z]?/[A-Za-z]{0,4}\d{1,4}\Z")
_DIGIT = re.compile(r"\d")


class Line(NamedTuple):
    """A record at the beginning of a table, by the physical line or the row of the sheet on which it begins."""

    line: int
    cells: list[str]


#: A table has more columns than this.
_WRAPPED_SEPARATORS = 2


def are_wrapped(lines: Sequence[Line]) -> bool:
    """Whether each line is one quoted value that holds the separators of a table."""
    filled = [line.cells for line in lines if any(line.cells)]
    return bool(filled) and all(
        len(cells) == 1 and max(map(cells[0].count, SEPARATORS)) >= _WRAPPED_SEPARATORS for cells in filled
    )


#: A longer line, in bytes, is none of these.
_LONGEST = 1 << 20
_WRAPPED = re.compile(rb'^"((?:[^"\r\n]|"")*+)"(?=\r?$)', re.MULTILINE)


def unwrap(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The text in UTF-8 whose lines each stand in quotation marks as one value, without these."""
    rest = b""
    for piece in chain(pieces, [b"\n"]):
        whole, end, rest = (rest + piece).rpartition(b"\n")
        yield _WRAPPED.sub(lambda line: line[1].replace(b'""', b'"'), whole) + end
        if len(rest) > _LONGEST:
            yield rest
            rest = b""


class Layout(NamedTuple):
    """Where the header is, and the columns."""

    #: 0 if there is none.
    header_line: int
    first_line: int
    columns: tuple[str, ...]
    is_sure: bool


def line_end_of(text: str) -> str:
    r"""What ends the lines of ``text``: ``\n``, or ``\r`` where a lone CR does more often, outside of quoted values."""
    bare = _QUOTED.sub("", text).replace("\r\n", "\n")
    return "\r" if bare.count("\r") > bare.count("\n") else "\n"


def named_separator(text: str) -> str | None:
    """The separator that the first line names, as Excel understands it: ``sep=;``. None if it does not."""
    found = _SEP.match(text.lstrip("\ufeff").split("\n", 1)[0].rstrip("\r"))
    return found[1] if found else None


def separator_of(text: str, quote: str = '"') -> str | None:
    """The separator with which ``text`` has the most columns that other tools have; else the same width most often.

    Wider rows win. None if no separator makes more than one column.
    """
    scores = {separator: _score(split(text, separator, quote)) for separator in SEPARATORS}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > (0, 0) else None


def _score(lines: Sequence[Line]) -> tuple[int, float]:
    widths = Counter(len(line.cells) for line in lines if any(line.cells))
    score = max(((rows * (1 - 1 / width)) for width, rows in widths.items()), default=0.0)
    known = max((_count_known(line.cells) for line in lines[:HEADER_WITHIN] if len(line.cells) > 1), default=0)
    return (known if known >= _MIN_KNOWN else 0), score


def split(text: str, separator: str, quote: str = '"') -> list[Line]:
    """The first records of ``text``, roughly: broken quotation marks are read as they can be."""
    rows = csv.reader(
        (f"{line}\n" for line in text.split("\n")),
        delimiter=separator,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    found: list[Line] = []
    line = 1
    while len(found) < _JUDGED:
        try:
            found.append(Line(line, next(rows)))
        except StopIteration:
            break
        except csv.Error:
            # A lone CR, or a value that is too long.
            pass
        line = rows.line_num + 1
    return found


def layout_of(lines: Sequence[Line], header_line: int | None) -> Layout:
    """Where the header is in a table that begins with ``lines``, and its columns; ``header_line`` overrules it.

    Raises Unreadable if no record begins there.
    """
    if header_line is None:
        header = _find_header(lines)
    else:
        header = next((line for line in lines if line.line == header_line), None)
        if header_line and header is None:
            raise Unreadable(f"No row that may be the header begins on line {header_line}. Choose another line.")
    names = [trim(cell) for cell in header.cells] if header else []
    while names and not names[-1]:
        names.pop()
    first = header.line + 1 if header else _first_line(lines)
    width = max(len(names), _width([line.cells for line in lines if line.line >= first], has_header=bool(header)), 1)
    names += [""] * (width - len(names))
    columns = tuple(name or f"Column {column_letters(at)}" for at, name in enumerate(names))
    is_sure = header_line is not None or (header is not None and _is_known(header))
    return Layout(header.line if header else 0, first, columns, is_sure)


def _find_header(lines: Sequence[Line]) -> Line | None:
    """The record among the first with the most names that other tools have; else a first one that looks like names."""
    first = [line for line in lines[:HEADER_WITHIN] if any(map(trim, line.cells))]
    best = max(first, key=lambda line: _count_known(line.cells), default=None)
    return best if best is None or _is_known(best) else _find_unknown_header(first)


def _is_known(header: Line) -> bool:
    filled = len([*filter(None, map(trim, header.cells))])
    return _count_known(header.cells) >= min(_MIN_KNOWN, filled) > 0


def _find_unknown_header(lines: Sequence[Line]) -> Line | None:
    """The first of the wide records, if it is made of different texts and there are numbers below them."""
    width = max(len([*filter(None, line.cells)]) for line in lines)
    at, header = next((at, line) for at, line in enumerate(lines) if len([*filter(None, line.cells)]) > width / 2)
    names = [*filter(None, map(trim, header.cells))]
    below = [line.cells for line in lines[at + 1 :]]
    are_names = len({*names}) == len(names) and not any(map(_DIGIT.search, names))
    has_numbers = any(_DIGIT.search(cell) for cells in below for cell in cells)
    return header if are_names and has_numbers else None


def likeness_to_stock(columns: Sequence[str]) -> tuple[int, int]:
    """How much a table with these columns looks like stock: the fields that it has, those that tell before others."""
    found = {meaning for column in columns if (meaning := fields().find(column))}
    return len(found & _TELLING), len(found)


def number_columns(layout: Layout, lines: Sequence[Line]) -> tuple[int, ...]:
    """The positions of the columns that hold card numbers, by their names or by their cells."""
    rows = [line.cells for line in lines if line.line >= layout.first_line]
    found = []
    for at, column in enumerate(layout.columns):
        cells = [cell for row in rows if at < len(row) and (cell := trim(row[at]))]
        if fields().find(column) == "number" or 2 * sum(map(bool, map(_OF_SET.match, cells))) > len(cells):
            found.append(at)
    return tuple(found)


def _count_known(cells: Sequence[str]) -> int:
    return len({cell for cell in cells if trim(cell) and is_known(cell)})


def _first_line(lines: Sequence[Line]) -> int:
    """The line of the first row of a table without a header: below the line that names the separator, if any."""
    return 2 if lines and _SEP.match(",".join(lines[0].cells)) else 1


def _width(rows: Sequence[Sequence[str]], *, has_header: bool) -> int:
    """The number of columns below a header: up to the last one in which half of the rows have a value.

    Without a header: the most frequent number of cells.
    """
    if not has_header:
        widths = Counter(len(cells) for cells in rows if any(map(trim, cells)))
        return max(widths.items(), key=lambda found: (found[1], found[0]), default=(0, 0))[0]
    ends = sorted(max((at + 1 for at, cell in enumerate(cells) if trim(cell)), default=0) for cells in rows)
    return ends[len(ends) // 2] if ends else 0
