"""The foreign file behind a converted import: its lines, texts and columns in place of those of the converted file.

Everything that shows or sends rows of an import asks here, and does as ever where there is no foreign file. The lines
stay known for as long as the import does; the texts go with its file.
"""

import codecs
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

from app.csvfile.columns import Column, Role
from app.csvfile.records import Cell, find_cells
from app.humanize import counted
from app.import_fields import ImportState
from app.imports.foreign.encodings import decode
from app.imports.foreign.items import ITEM_FIELDS
from app.imports.foreign.mapping import Field, Mapping, positions
from app.imports.foreign.origins import REPORT_HEADER, Origins, Place, iter_texts, keys_of
from app.imports.foreign.reasons import of_many
from app.imports.foreign.shapes import Reading
from app.models import Conversion
from app.queries import ImportKey
from app.queries.imports import conversions, row_errors
from app.queries.imports.row_errors import ANY, ErrorFilter, RecordedError
from app.storage import current_storage, iter_range

_T = TypeVar("_T")

#: Rows whose places are looked up at once.
_ROWS_AT_ONCE = 5_000

_ITEM = tuple(ITEM_FIELDS.values())
_VARIANTS = (Field.LANGUAGE, Field.FINISH, Field.REVERSE, Field.FIRST_EDITION, Field.SIGNED, Field.ALTERED)
#: What the values of a column of the converted file are made of.
_FIELDS: dict[str, tuple[Field, ...]] = {
    **dict.fromkeys((column for column in Column if column.spec.role is Role.NAMES_ITEM), _ITEM),
    Column.CONDITION: (Field.CONDITION,),
    Column.PRICE: (Field.PRICE, Field.FOIL_PRICE, Field.CURRENCY),
    Column.QUANTITY: (Field.QUANTITY, Field.FOIL_QUANTITY, Field.FOIL_PART, Field.PLAYSET),
    Column.VARIANTS: _VARIANTS,
    Column.HIDDEN: (Field.HIDDEN, Field.SHOWN),
    Column.COMMENT: (Field.COMMENT,),
    Column.NOTES: (Field.NOTES,),
    Column.REFERENCE: (Field.REFERENCE,),
}
#: What stands for characters that an encoding does not have.
_PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "…": "...", "×": "x"})


class OwnRow(NamedTuple):
    """The row of the foreign file that a converted row comes from."""

    line: int
    #: The lines of the rows that were added to it.
    added: list[int]
    #: Its text without its line ending; empty if the file has been deleted.
    text: str


class FailedPage(NamedTuple):
    """Failed rows of a converted import, and how far they were looked through."""

    errors: list[RecordedError]
    #: The line in the converted file of the last row that was looked at.
    reached: int


class SellerFile:
    """The foreign file of a conversion."""

    def __init__(self, one: Conversion) -> None:
        self.reading = Reading.from_json(one.reading)
        self.file_size, self.storage_key = one.file_size, one.storage_key
        #: Whether its texts are still stored.
        self.has_text = one.source_removed_at is None and one.text_key is not None
        self.files = keys_of(one.seller_id, one.public_id, one.attempt)
        scan = one.scan or {}
        #: Whether its import has only some of its rows: those of another import that are retried.
        self.is_part: bool = scan.get("is_part", False)
        #: Rows of the converted file.
        self.lines = one.lines
        self.report_size: int = scan.get("report_size", 0)
        #: For each batch, the line on which it begins.
        self.first_lines: list[int] = scan.get("first_lines", [])
        #: Where its text is stored, and how many bytes that has.
        self.text_key, self.text_size = str(one.text_key), scan.get("text_size", 0)
        self._head_size = one.head_size
        apart = one.added + one.left_out + one.undecided
        self.origins = Origins(current_storage().read, self.files, lines=one.lines, apart=apart)
        mapping = Mapping() if one.mapping is None else Mapping.from_json(one.mapping)
        self._columns = {column: self._find_columns(mapping, fields) for column, fields in _FIELDS.items()}

    def _find_columns(self, mapping: Mapping, fields: Iterable[Field]) -> list[int]:
        names = (name for field in fields if (source := mapping.sources.get(field)) for name in source.columns)
        return [*dict.fromkeys(positions(self.reading.columns, *names))]

    def name(self, column: str) -> str:
        """What the seller calls a column: theirs that it is made of, or its own name if it is made of none."""
        return ", ".join(self.reading.columns[at] for at in self._columns.get(column, ())) or column

    def list_columns(self, column: str) -> list[int]:
        """The positions of the columns that one of the converted file is made of."""
        return self._columns.get(column, [])

    # Rows -------------------------------------------------------------------------------------------------------------

    def find_lines(self, out_lines: Iterable[int]) -> dict[int, int]:
        """The line that each of these converted lines comes from."""
        return {out_line: place.line for out_line, place in self.origins.find(out_lines).items()}

    def find_rows(self, out_lines: Collection[int]) -> dict[int, OwnRow]:
        """The row that each of these converted lines comes from."""
        places, added = self.origins.find(out_lines), self.origins.find_added(out_lines)
        texts = map(self.decode, self.read_texts(places.values())) if self.has_text else [""] * len(places)
        return {
            out_line: OwnRow(place.line, [other.line for other in added.get(out_line, ())], text)
            for (out_line, place), text in zip(places.items(), texts, strict=True)
        }

    def find_added(self, out_lines: Collection[int]) -> dict[int, list[int]]:
        """The lines of the rows that were added to each of these converted lines."""
        return {at: [place.line for place in places] for at, places in self.origins.find_added(out_lines).items()}

    def find_cells(self, text: str) -> list[Cell]:
        """The values of a row and where they stand in its text."""
        return find_cells(text, self.reading.separator, self.reading.quote)

    def tell(self, errors: Sequence[RecordedError]) -> list[RecordedError]:
        """``errors`` as the seller is to be told them: with the lines, columns and texts of their own file."""
        named = [fact["line"] for error in errors for fact in error.facts or () if "line" in fact]
        rows = self.find_rows({*(error.line for error in errors), *named})
        return [
            error._replace(
                line=rows[error.line].line,
                columns=[column and self.name(column) for column in error.columns],
                facts=error.facts and [self._own_facts(fact, rows) for fact in error.facts],
                row=rows[error.line].text or error.row,
            )
            for error in errors
        ]

    @staticmethod
    def _own_facts(facts: dict[str, Any], rows: dict[int, OwnRow]) -> dict[str, Any]:
        row = rows.get(facts.get("line", 0))
        return facts if row is None else {**facts, "line": row.line}

    def iter_failed(self, key: ImportKey, *, after_line: int = 0, wanted: ErrorFilter = ANY) -> Iterator[FailedPage]:
        """The failed rows that match a filter whose lines and text are those of this file, page by page."""
        asked = self.translate(wanted)
        for page in row_errors.iter_pages(key, after_line=after_line, wanted=asked):
            lines = [error.line for error in page]
            holding = {*lines} if asked.text == wanted.text else self.find_text(lines, wanted.text)
            yield FailedPage([error for error in page if error.line in holding], lines[-1])

    def iter_failed_lines(self, key: ImportKey, *, wanted: ErrorFilter = ANY) -> Iterator[list[int]]:
        """The lines in the converted file of the rows that ``iter_failed`` gives."""
        asked = self.translate(wanted)
        for lines in row_errors.iter_lines(key, wanted=asked):
            holding = {*lines} if asked.text == wanted.text else self.find_text(lines, wanted.text)
            yield [line for line in lines if line in holding]

    def find_text(self, out_lines: Iterable[int], text: str) -> set[int]:
        """Those of these converted lines in whose own row a text stands, in any case. Raises OSError."""
        places, wanted = self.origins.find(out_lines), text.casefold()
        texts = map(self.decode, self.read_texts(places.values()))
        return {line for line, own in zip(places, texts, strict=True) if wanted in own.casefold()}

    def translate(self, wanted: ErrorFilter) -> ErrorFilter:
        """A filter whose lines are those of this file, for the lines of the converted one.

        It has no text where rows are searched as they stand in this file (``iter_failed``).
        """
        wanted = wanted._replace(text="" if self.has_text else wanted.text)
        if wanted.lines is None:
            return wanted
        first, last = wanted.lines
        apart = self.origins.find_apart(first) if first == last else None
        out_lines = (apart.out_line, apart.out_line) if apart else self.origins.find_out_lines(first, last)
        # No row is on line 0.
        return wanted._replace(lines=out_lines or (0, 0))

    # Files ------------------------------------------------------------------------------------------------------------

    @cached_property
    def head(self) -> bytes:
        """The text above the first row: the header, with what stands above it. Raises OSError."""
        return current_storage().read(self.text_key, 0, self._head_size) if self._head_size else b""

    @property
    def ending(self) -> bytes:
        """What ends a line of the text."""
        return b"\r\n" if self.head.endswith(b"\r\n") else self.reading.line_end.encode()

    def decode(self, data: bytes) -> str:
        """A row of the text. Nothing that is stored fails here: what is no character shows as one that says so."""
        encoding = self.reading.encoding if self.reading.is_text else "utf-8"
        return data.decode(errors="replace") if encoding == "utf-8" else decode(data, encoding)

    def encode(self, text: str) -> bytes:
        """``text`` beside a row of the text."""
        encoding = self.reading.encoding if self.reading.is_text else "utf-8"
        try:
            return text.encode(encoding)
        except UnicodeEncodeError:
            return text.translate(_PLAIN).encode(encoding, "replace")

    def iter_source(self) -> Iterator[bytes]:
        """The file as it was uploaded. Raises OSError."""
        return iter_range(current_storage(), self.storage_key, 0, self.file_size)

    def iter_rows(self, out_lines: Iterable[int]) -> Iterator[bytes]:
        """The rows that these converted lines come from, with those that were added to them, each once.

        They are given byte for byte, without their line endings, in the order of the file but for those that were
        added, which follow the row that they were added to.
        """
        last = -1
        for some in batched(out_lines):
            places, added = self.origins.find(some), self.origins.find_added(some)
            found = dict.fromkeys(chain.from_iterable((place, *added.get(at, ())) for at, place in places.items()))
            # A row that became several lines may be in two parts.
            yield from self.read_texts([place for place in found if place.start != last])
            last = next(reversed(found)).start if found else last

    def read_texts(self, places: Collection[Place]) -> Iterator[bytes]:
        """The bytes of these rows in the text. Raises OSError."""
        return iter_texts(current_storage().read, self.text_key, places)

    def iter_report(self) -> Iterator[str]:
        """The report's line of each row, in the order of the file. Raises OSError."""
        rest = b""
        for piece in iter_range(current_storage(), self.files.report, 0, self.report_size):
            *whole, rest = (rest + piece).split(b"\n")
            yield from map(bytes.decode, whole[1:] if piece.startswith(REPORT_HEADER) else whole)

    def as_own(self, texts: Iterable[bytes]) -> Iterator[bytes]:
        """Pieces of the text in the encoding of the file: of a workbook or an archive they are the text itself."""
        encoding = self.reading.encoding
        if self.reading.is_text or encoding == "utf-8":
            yield from texts
            return
        decoder = codecs.getincrementaldecoder("utf-8")()
        encoder = codecs.getincrementalencoder(encoding)("replace")
        if encoding.startswith("utf-16"):
            yield encoder.encode("\ufeff")
        for piece in texts:
            yield encoder.encode(decoder.decode(piece))


def batched(some: Iterable[_T], size: int = _ROWS_AT_ONCE) -> Iterator[list[_T]]:
    """The same in lists of ``size``, the last of which may be shorter; as in ``itertools`` from Python 3.12 on."""
    coming = iter(some)
    while found := [*islice(coming, size)]:
        yield found


def find(key: ImportKey) -> SellerFile | None:
    """The foreign file behind an import; None if its file was uploaded in the import format."""
    found = conversions.find_of_import(key)
    return None if found is None else SellerFile(found)


def name_column(own: SellerFile | None, column: str) -> str:
    """What the seller calls a column of their import, if it was converted from ``own``; empty for the whole row."""
    return column if own is None or not column else own.name(column)


def find_many(seller_id: int, public_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, SellerFile]:
    """The foreign files behind those of these imports that have one."""
    found = conversions.find_of_imports(seller_id, public_ids) if public_ids else {}
    return {public_id: SellerFile(one) for public_id, one in found.items()}


class FileLedger(NamedTuple):
    """What became of the rows of the foreign file behind an import."""

    of: Conversion

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why rows were left out or are undecided, with their number, the most frequent first."""
        return [(of_many(slug), count) for slug, count in sorted(self.of.reasons.items(), key=lambda each: -each[1])]

    def say(self, one: ImportState) -> str:
        """All rows of the file of the import ``one``, each counted once."""
        would = "would be " if one.is_check else ""
        of_import = [
            (one.successful, f"{would}imported"),
            (one.failed, "would fail" if one.is_check else "failed"),
            (one.not_processed, "not processed"),
        ]
        apart = [
            (self.of.added, "added to another row"),
            (self.of.left_out, "left out"),
            (self.of.undecided, "left out because something about them is undecided"),
        ]
        if self.of.lines != self.of.converted:
            # The import counts listings, and the file rows.
            of_import = [(self.of.converted, f"became {self.of.lines:,} listings ({_joined(of_import)})")]
        return f"{counted(self.of.rows, 'row')}: {_joined([*of_import, *apart])}."


def _joined(counts: Iterable[tuple[int, str]]) -> str:
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


def get_ledger(key: ImportKey) -> FileLedger | None:
    """What became of the rows of the foreign file behind an import; None if there is none."""
    found = conversions.find_of_import(key)
    return None if found is None else FileLedger(found)


def own_lines(key: ImportKey, out_lines: Collection[int]) -> dict[int, int]:
    """The line that each of these lines of an import has in the file that its seller has uploaded."""
    own = find(key) if out_lines else None
    return own.find_lines(out_lines) if own else {line: line for line in out_lines}
