"""Reads the header of a file: accepts exactly the header of a layout, and explains any other first line.

Unnamed columns after the last one, as spreadsheets add them, are accepted as long as they stay empty, and those of a
fix-it file (REASON_COLUMNS) are ignored.
"""

import csv
import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from app.csvfile.columns import COLUMNS, HEADER, LAYOUTS, REASON_COLUMNS, Column, Layout
from app.csvfile.contract import Mode, column_letters, listed, quoted
from app.csvfile.errors import SAVE_AS_CSV, FileRejected, ForeignFile, NoTable, OtherEncoding
from app.csvfile.kinds import BROKEN_GZIP, GZIP, holds_table, is_broken_gzip, recognise_bytes, recognise_text, utf_16
from app.csvfile.visible import trim

#: A first line longer than this is not a header.
MAX_HEADER_BYTES = 4096
#: A compressed file of fewer bytes is looked at as a whole.
_GZIP_BYTES = 64 * 1024

_BOM = b"\xef\xbb\xbf"
_COPY_HEADER = f"The first line must be exactly: {HEADER}"
#: A line with fewer of the columns' names is not meant to be the header.
_TELLING_NAMES = 3

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "pipes (|)", ":": "colons", " ": "spaces"}
_LIST_SEPARATOR = (
    "Excel takes the separator from your region: if you still get semicolons, set the list separator of Windows "
    "to a comma (Region, Additional settings) before you save."
)


class ColumnUnknown(Exception):
    """The file has columns that only a newer release of Sluice knows."""


def take_header(pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The header line with its byte-order mark and line ending, and the bytes that were read beyond it.

    Reads no more of ``pieces`` than necessary. The result does not depend on how the bytes are cut into pieces. Raises
    FileRejected with a sentence that says what is wrong with the beginning of the file, and ForeignFile where its
    columns are others: it, OtherEncoding and NoTable say whether these can be matched.
    """
    start, is_whole = _read_start(pieces)
    looked_at = start[:MAX_HEADER_BYTES]
    if not looked_at.removeprefix(_BOM).strip():
        raise NoTable("The file is empty. Start from the template: its first line is the header.")
    if start.startswith(GZIP) and is_broken_gzip(start, is_whole=is_whole):
        raise NoTable(BROKEN_GZIP)
    end = looked_at.find(b"\n") + 1 or len(looked_at)
    try:
        return _take_header(start, looked_at, end)
    except NoTable:
        raise
    except FileRejected as rejected:
        if _is_foreign(looked_at):
            raise ForeignFile(rejected.message, rejected.line) from None
        raise


def _read_start(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    """The beginning of a file, and whether that is all of it."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= (_GZIP_BYTES if start.startswith(GZIP) else MAX_HEADER_BYTES):
            return start, False
    return start, True


def _take_header(start: bytes, looked_at: bytes, end: int) -> tuple[bytes, bytes]:
    line = _decode(looked_at, end)
    names = _split(line)
    is_header = _own(names) in LAYOUTS
    if is_header and b"\n" not in looked_at and len(start) > MAX_HEADER_BYTES:
        raise FileRejected(f"Too many empty columns follow {names[-1]}. Delete them and save the file again.", 1)
    if not is_header:
        others = [other.removesuffix("\r") for other in looked_at[end:].decode("utf-8", "replace").split("\n")]
        raise FileRejected(_explain_file(line, others), 1)
    return start[:end], start[end:]


def _is_foreign(start: bytes) -> bool:
    """Whether a file that begins with ``start`` is a table without any sign that the import format was meant."""
    if holds_table(start):
        return True
    text = start.decode(utf_16(start) or "utf-8", "replace").removeprefix("\ufeff")
    lines = [_cells(line, separator) for line in text.splitlines() for separator in (",", ";", "\t", "|")]
    names = {_plain(name) for cells in lines for name in cells}
    is_ours = not names.isdisjoint({Column.MODE, Column.URN, *Mode})
    return not is_ours and not recognise_text(text) and any(len(cells) >= _TELLING_NAMES for cells in lines)


def _decode(start: bytes, end: int) -> str:
    """The first line, which ends at ``end``, without its byte-order mark and line ending."""
    if recognised := recognise_bytes(start):
        is_read = holds_table(start)
        raise (FileRejected if is_read else OtherEncoding if utf_16(start) else NoTable)(recognised)
    line = start[:end]
    if b"\0" in line:
        raise FileRejected(f"The first line contains a NUL byte, so this is not a text file. {SAVE_AS_CSV}", 1)
    try:
        text = line.removeprefix(_BOM).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise OtherEncoding(f"The first line is not UTF-8 text. {SAVE_AS_CSV}", 1) from None
    if recognised := recognise_text(start.removeprefix(_BOM).decode("utf-8", "replace")):
        raise NoTable(recognised)
    return text


@lru_cache(maxsize=100)
def layout_of(header: str) -> Layout:
    """The layout of the file whose header line, byte-order mark and line ending included, is ``header``.

    The header was accepted at upload, so each of its names is a column. Raises ColumnUnknown if a newer release has
    accepted it, with a column that this one does not have.
    """
    line = header.removeprefix(_BOM.decode()).rstrip("\r\n")
    names = _split(line)
    own = _own(names)
    if not {*own} <= {*COLUMNS}:
        raise ColumnUnknown(*sorted({*own} - {*COLUMNS}))
    return Layout(tuple(Column[name] for name in own), len(_cells(line)), ignored=len(names) - len(own))


def _split(line: str, separator: str = ",") -> list[str]:
    """The names in a line, without empty ones at its end."""
    names = _cells(line, separator)
    while names and not trim(names[-1]):
        names.pop()
    return names


def _own(names: list[str]) -> tuple[str, ...]:
    """``names`` without the REASON_COLUMNS at their end."""
    end = len(names)
    while end and names[end - 1] in REASON_COLUMNS:
        end -= 1
    return tuple(names[:end])


def _cells(line: str, separator: str = ",") -> list[str]:
    # csv cannot split a line with a lone CR; that is explained below.
    return [] if "\r" in line else next(csv.reader([line], delimiter=separator), [])


def _explain_file(line: str, others: list[str]) -> str:
    """What is wrong with a file that begins with ``line`` and continues with the lines ``others``."""
    if not _is_meant(line):
        for number, other in enumerate(others, start=2):
            if _is_meant(other):
                return _explain_place(line, number, other)
    return _explain(line)


def _explain_place(line: str, number: int, header: str) -> str:
    """What is wrong with a file whose header stands on line ``number`` and not on the first."""
    above = "line 1" if number == 2 else f"lines 1 to {number - 1}"
    what = f"The header is on line {number}. Delete {above}, so that it comes first."
    if line.strip().strip('"').lower().startswith("sep="):
        what = f"The header is on line {number}, below {quoted(line)}, which only Excel understands. Delete {above}."
    return what if _own(_split(header)) in LAYOUTS else f"{what} {_explain(header)}"


def _explain(line: str) -> str:
    """What is wrong with a first line, in a few sentences."""
    if "\r" in line:
        return f"The lines of this file end in a lone carriage return, as on old Macs. {SAVE_AS_CSV}"
    names = _split(line)
    if not names:
        return f"The first line is blank. Delete it: the header comes first. {_COPY_HEADER}"
    if len(names) == 1 and _is_ours(_split(names[0])):
        return (
            "Every line of this file stands in quotation marks as one value. Open it in your spreadsheet and split its "
            f"one column at the commas (Data, Text to Columns). {SAVE_AS_CSV}"
        )
    if separator := _other_separator(line) or _foreign_separator(names):
        name = _SEPARATORS.get(separator, quoted(separator))
        advice = f"{SAVE_AS_CSV} {_LIST_SEPARATOR}" if separator == ";" else SAVE_AS_CSV
        return f"The values in this file are separated by {name}, not by commas. {advice}"
    return f"{_explain_names([*_own(names)])} {_COPY_HEADER}"


def _explain_names(names: list[str]) -> str:
    plain = [_plain(name) for name in names]
    # The oldest layout that has every known column in the header.
    columns = next(columns for columns in LAYOUTS if {*plain} & {*COLUMNS} <= {*columns})
    if not {*plain} & {*COLUMNS}:
        if plain[0] in Mode.__members__:
            return "The file has no header: its first line is a row of values. Put the header above it."
        return f"The file has no header: its first line begins with {quoted(names[0])}. Put the header above your rows."
    if [name.strip(" ") for name in names] == [*columns]:
        return "The header has spaces around a column’s name. Remove them."
    if plain == [*columns]:
        for name, column in zip(names, columns, strict=True):
            if _visible_part(name) != name:
                return f"The header says {quoted(name)} for {column}: delete the name and type it again."
        return "The names of the columns must be in capital letters."
    if _known(names) < min(len(names) / 2, len(columns)):
        alike = [column for column in columns if column in plain]
        return (
            f"The columns are those of another program: of the {len(columns)} that are needed, there is only "
            f"{listed(alike)}. Move your values under the template’s header."
        )
    return _explain_columns(names, columns)


def _other_separator(line: str) -> str | None:
    """The separator of the columns' names in a line, if it is not a comma; None if it is, or if there are no names."""
    counts = Counter(character for character in line if not (character.isalnum() or character in '_,"'))
    # It separates at least this many names.
    candidates = [character for character, count in counts.items() if count >= _TELLING_NAMES - 1]
    found = max(candidates, key=lambda separator: _known(_split(line, separator)), default=",")
    names = _split(line, found)
    return found if _is_ours(names) and _known(names) > _known(_split(line)) else None


def _foreign_separator(names: list[str]) -> str | None:
    """The separator of a table with other columns whose line has no comma outside of quotation marks."""
    return next((one for one in (";", "\t", "|") if len(names) == 1 and names[0].count(one) >= 2), None)


def _is_meant(line: str) -> bool:
    """Whether a line is meant to be the header, right or wrong."""
    names = _split(line)
    inside = _split(names[0]) if len(names) == 1 else names
    return _is_ours(names) or _is_ours(inside) or _other_separator(line) is not None


def _is_ours(names: list[str]) -> bool:
    """Whether ``names`` are meant to be our columns: a sentence or another program's table may have a few of them."""
    return _known(names) >= max(_TELLING_NAMES, len(names) / 2)


def _known(names: list[str]) -> int:
    """The number of columns among ``names``."""
    return len({_plain(name) for name in names} & {*COLUMNS})


def _explain_columns(names: list[str], columns: tuple[Column, ...]) -> str:
    missing: list[str] = [column for column in columns if column not in names]
    extra = [name for position, name in enumerate(names) if name not in columns or name in names[:position]]
    misspelt = _pair_misspelt(names, columns, missing, extra)
    sentences = [
        f"Column {names.index(wrong) + 1} of the header is called {quoted(wrong)} and should be {right}."
        for wrong, right in misspelt.items()
    ]
    missing = [column for column in missing if column not in misspelt.values()]
    extra = [name for name in extra if name not in misspelt]
    if len(missing) == 1:
        sentences.append(
            f"The column {missing[0]} is missing. Add it to the first line, and its value (or nothing) to each row."
        )
    elif missing:
        sentences.append(
            f"{_columns(missing)} are missing. Add them to the first line, and their values (or nothing) to each row."
        )
    sentences += _explain_extra(names, extra)
    if not sentences:
        at = next(i for i, (name, column) in enumerate(zip(names, columns, strict=False)) if name != column)
        sentences.append(
            f"The columns are out of order: column {at + 1} is {names[at]} and should be {columns[at]}. "
            "Move whole columns with their values: changing the names alone would import values into the wrong columns."
        )
    return " ".join(sentences)


def _explain_extra(names: list[str], extra: list[str]) -> Iterator[str]:
    """Sentences about extra columns; those without a name are named by their letters in a spreadsheet."""
    unnamed = [column_letters(at) for at, name in enumerate(names) if name in extra and not name.strip()]
    repeated = [name for name in dict.fromkeys(extra) if name in COLUMNS]
    named = [quoted(name) for name in dict.fromkeys(extra) if name.strip() and name not in repeated]
    for name in repeated:
        count = names.count(name)
        yield f"The column {name} is in your file {'twice' if count == 2 else f'{count} times'}. Keep only one of them."
    if unnamed:
        yield f"{_columns(unnamed)} of your spreadsheet {'has' if len(unnamed) == 1 else 'have'} no name."
    if named:
        yield f"{_columns(named[:5])} {'is' if len(named) == 1 else 'are'} not expected."
    if count := len(unnamed) + len(named):
        yield f"Delete {'it with its' if count == 1 else 'them with their'} values."


def _pair_misspelt(
    names: list[str], columns: tuple[Column, ...], missing: list[str], extra: list[str]
) -> dict[str, str]:
    """Pairs wrong names with missing columns, by position or by similarity."""
    pairs: dict[str, str] = {}
    for wrong in extra:
        left = [column for column in missing if column not in pairs.values()]
        in_place = [column for column in left if len(names) == len(columns) and columns[names.index(wrong)] == column]
        alike = difflib.get_close_matches(_plain(wrong), left, n=1)
        if in_place or alike:
            pairs[wrong] = (in_place or alike)[0]
    return pairs


def _columns(names: list[str]) -> str:
    return f"The column{'' if len(names) == 1 else 's'} {listed(names)}"


def _visible_part(name: str) -> str:
    """``name`` without invisible characters."""
    return "".join(character for character in name if unicodedata.category(character) not in {"Cc", "Cf", "Zs"})


def _plain(name: str) -> str:
    return _visible_part(name.strip().replace(" ", "_")).upper()
