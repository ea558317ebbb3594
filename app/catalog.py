"""Loading a catalog file: all of it, or nothing and a sentence about the first line that is wrong."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from app.csvfile.contract import MAX_ID_DIGITS, VARIANT_PATTERN, name_key
from app.extensions import db
from app.queries import items

#: Longest value that items are found by, in characters: an index entry takes at most 2,704 bytes.
_MAX_LENGTH = 200
_ID = re.compile(f"[0-9]{{1,{MAX_ID_DIGITS}}}")

HEADER = ["urn", "game", "set", "name", "number", "rarity", "variants", "cardmarket_ids", "tcgplayer_ids"]


class CatalogRejected(Exception):
    """The catalog file cannot be loaded; the message is a sentence that names the line."""


def load(path: Path) -> items.Replaced:
    """Load the file at ``path`` (``.csv`` or ``.csv.gz``) into the catalog, and commit.

    Items are recognised by their URN and updated in place. Items that are not in the file stay, because listings may
    refer to them. Raises CatalogRejected, having changed nothing.
    """
    try:
        with _open(path) as file:
            replaced = items.replace(_read(file))
        db.session.commit()
        # In a transaction of its own: on a cluster it cannot follow writes to tables that every node has a copy of.
        items.analyze()
        db.session.commit()
    except FileNotFoundError:
        raise CatalogRejected(f"There is no file {path}.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise CatalogRejected(f"{path} is not a whole gzip file.") from None
    except OSError as error:
        raise CatalogRejected(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CatalogRejected(f"{path} is not UTF-8 text.") from None
    finally:
        # Undoes what was written before an error; after success there is nothing left to undo.
        db.session.rollback()
    return replaced


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read(file: TextIO) -> Iterator[items.NewItem]:
    reader = csv.reader(file, strict=True)
    seen: dict[str, int] = {}
    line = 1
    try:
        if next(reader, None) != HEADER:
            raise CatalogRejected(f"Line 1 is not the header of a catalog. It must be: {','.join(HEADER)}")
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                item = _parse(cells, line)
                if item.urn in seen:
                    raise CatalogRejected(f"Line {line} has the URN {item.urn} again, which line {seen[item.urn]} has.")
                seen[item.urn] = line
                yield item
            line = reader.line_num + 1
    except csv.Error as error:
        raise CatalogRejected(f"Line {line} is not proper CSV: {error}.") from None
    if not seen:
        raise CatalogRejected("The file has no items below its header.")


def _parse(cells: list[str], line: int) -> items.NewItem:
    if len(cells) != len(HEADER):
        raise CatalogRejected(f"Line {line} has {len(cells)} values instead of {len(HEADER)}.")
    values = [cell.strip() for cell in cells]
    urn, game, set_name, name, number, rarity, variants, cardmarket_ids, tcgplayer_ids = values
    for column, value in zip(HEADER[:4], values, strict=False):
        if not value:
            raise CatalogRejected(f"Line {line} has no {column}.")
        if len(value) > _MAX_LENGTH:
            raise CatalogRejected(f"Line {line} has {len(value)} characters in {column}, {_MAX_LENGTH} are allowed.")
    if "\0" in "".join(values):
        raise CatalogRejected(f"Line {line} has a NUL byte in it.")
    return items.NewItem(
        urn=urn,
        game=game,
        set_name=set_name,
        name=name,
        number=number,
        rarity=rarity,
        variants=_split(variants, "variants", VARIANT_PATTERN, "a to z, digits and hyphens", line),
        name_key=name_key(game, set_name, name),
        cardmarket_ids=_ids(cardmarket_ids, "cardmarket_ids", line),
        tcgplayer_ids=_ids(tcgplayer_ids, "tcgplayer_ids", line),
    )


def _ids(text: str, column: str, line: int) -> list[int]:
    return [*map(int, _split(text, column, _ID, f"1 to {MAX_ID_DIGITS} digits", line))]


def _split(text: str, column: str, pattern: re.Pattern[str], rule: str, line: int) -> list[str]:
    """The parts of a value, each once. Raises CatalogRejected where one breaks the ``rule`` of its ``pattern``."""
    parts = [*dict.fromkeys(filter(None, text.split("|")))]
    for part in parts:
        if not pattern.fullmatch(part):
            raise CatalogRejected(f"Line {line} has “{part}” in {column}, which is not {rule}.")
    return parts
