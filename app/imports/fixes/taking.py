"""Takes up failed rows, each once: corrected, as they are, or recognised in an uploaded file."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from app.csvfile.cells import split_records
from app.csvfile.columns import REASON_COLUMNS, Layout
from app.csvfile.errors import FileRejected
from app.csvfile.header import layout_of
from app.csvfile.reader import Block, read_blocks
from app.extensions import db
from app.imports.errors import RowsMoved
from app.imports.fixes import slices
from app.imports.foreign.mapping import find_reasons
from app.imports.reports import seller_file
from app.imports.reports.seller_file import SellerFile, batched
from app.models import Import
from app.queries import ImportKey
from app.queries.imports import corrections, lookups, row_errors
from app.queries.imports.corrections import Standing
from app.statuses import CorrectionState, TakenUpAs
from app.storage import current_storage, iter_range

#: A file without line numbers is compared with at most this many failed rows of an import, of at most so many imports.
_MOST_COMPARED = 20_000
_MOST_IMPORTS = 10


class Taking:
    """Takes up the rows of ``parent`` that are open, or those that are right; see ``creation.TakesRows``.

    It must be made before the rows are read.
    """

    def __init__(self, parent: ImportKey, state: CorrectionState) -> None:
        self._parent, self._state = parent, state
        self._standing = corrections.get(parent)

    def prepare(self, created: Import) -> None:
        """Lock the corrections, which must be those that were read."""
        standing = corrections.lock(self._parent)
        if (standing.version, standing.answering) != (self._standing.version, None):
            raise RowsMoved
        is_right = self._state is CorrectionState.RIGHT
        created.taken_up_as = TakenUpAs.FIX if is_right else TakenUpAs.RETRY
        created.part = corrections.count_parts(self._parent) + 1
        self._standing = standing

    def take(self, created: Import) -> None:
        """Take the rows up."""
        standing = self._standing
        count = corrections.take(self._parent, created.id, self._state)
        if self._state is CorrectionState.RIGHT:
            standing = standing._replace(correct=0)
        else:
            corrections.forget_values(self._parent)
            standing = standing._replace(open_corrected=0, is_surveyed=True)
        if count != created.total:
            raise RowsMoved
        _save_taken(self._parent, standing, count)


def _save_taken(parent: ImportKey, standing: Standing, count: int) -> None:
    corrections.save(parent, standing._replace(version=standing.version + 1, taken=standing.taken + count))


class TakingLines:
    """Takes up the failed rows of ``parent`` on some lines, which stand on other lines in the file of a new import."""

    def __init__(self, parent: ImportKey, lines: Mapping[int, int]) -> None:
        self.parent, self._lines = parent, lines
        self._standing = Standing()

    def prepare(self, created: Import) -> None:
        """Lock the corrections. Raises RowsMoved while an answer is being applied."""
        self._standing = corrections.lock(self.parent)
        if self._standing.answering is not None:
            raise RowsMoved
        created.taken_up_as = TakenUpAs.UPLOAD
        # The import of a checked file belongs to the check.
        if created.parent_id == self.parent.import_id:
            created.part = corrections.count_parts(self.parent) + 1

    def take(self, created: Import) -> None:
        """Take the rows up."""
        before = corrections.look_at(self.parent, self._lines)
        if self._standing.is_surveyed:
            layout = layout_of(lookups.get_source(self.parent).header)
            rows = slices.of_lines(self.parent, self._lines, layout)
            corrections.uncount_values(self.parent, rows.open().tally())
        if corrections.take_lines(self.parent, created.id, self._lines) != len(self._lines):
            raise RowsMoved
        _save_taken(self.parent, self._standing.without(before.free), len(self._lines))


class StoredFile(NamedTuple):
    """A file that has been checked and stored."""

    storage_key: str
    header: str
    #: Where its rows end, in bytes.
    end: int
    total: int


def recognise(seller_id: int, file: StoredFile, own: SellerFile | None = None) -> TakingLines | None:
    """What takes up the failed rows that are in an uploaded file; None if there are none.

    They are recognised by the columns of a fix-it file, or because they are byte for byte those of an import, as they
    failed or as they were corrected. ``own`` is the foreign file that it was converted from. Raises FileRejected if any
    of them has been taken up before, or if they belong to several imports. Ends the session's transaction: reading the
    file may take longer than one may sit idle.
    """
    db.session.rollback()
    if own and (reasons := find_reasons(own.reading.columns)):
        return _by_own_lines(seller_id, own, reasons)
    layout = layout_of(file.header)
    if layout.ignored:
        return _by_lines(seller_id, file, layout)
    if file.total > _MOST_COMPARED:
        return None
    return _by_texts(seller_id, file, layout)


class _Noted:
    """What the rows of a fix-it file say of themselves."""

    def __init__(self) -> None:
        #: The ids of imports.
        self.owners: set[str] = set()
        #: For each line of the import, the lines of the file that are about it.
        self.lines: dict[int, list[int]] = {}

    def add(self, at: int, line: str, owner: str) -> None:
        """Add the row on line ``at``."""
        line, owner = line.strip(), owner.strip()
        if line.isdecimal() and len(line) < 10 and owner:
            self.owners.add(owner)
            self.lines.setdefault(int(line), []).append(at)


def _by_lines(seller_id: int, file: StoredFile, layout: Layout) -> TakingLines | None:
    noted = _Noted()
    for block in _read(file, layout):
        for at, cells in zip(block.lines.tolist(), split_records(_texts(block)), strict=False):
            reasons = dict(zip(REASON_COLUMNS, cells[len(layout.columns) :], strict=False))
            noted.add(at, reasons.get("LINE", ""), reasons.get("IMPORT", ""))
    parent = _find_owner(seller_id, noted.owners)
    return parent and _take_noted(parent, {line: places[0] for line, places in noted.lines.items()})


def _by_own_lines(seller_id: int, own: SellerFile, reasons: Mapping[str, int]) -> TakingLines | None:
    """As ``_by_lines``: the lines are those of the foreign file behind the import that the rows failed in."""
    noted = _Noted()
    for some in batched(range(2, own.lines + 2)):
        places = own.origins.find(some)
        for at, text in zip(places, own.read_texts(places.values()), strict=True):
            cells = dict(enumerate(cell.value for cell in own.find_cells(own.decode(text))))
            noted.add(at, cells.get(reasons["LINE"], ""), cells.get(reasons["IMPORT"], ""))
    parent = _find_owner(seller_id, noted.owners)
    if parent is None:
        return None
    lines: dict[int, int] = {}
    before = seller_file.find(parent.key)
    for failed in row_errors.iter_lines(parent.key):
        for line, own_line in (before.find_lines(failed) if before else dict(zip(failed, failed, strict=True))).items():
            if places_left := noted.lines.get(own_line):
                lines[line] = places_left.pop(0)
    return _take_noted(parent, lines)


def _find_owner(seller_id: int, owners: set[str]) -> _Parent | None:
    if len(owners) > 1:
        raise FileRejected(
            "The file has failed rows of several imports. Upload the rows of each import in a file of their own."
        )
    return _find(seller_id, *owners)


def _take_noted(parent: _Parent, lines: Mapping[int, int]) -> TakingLines | None:
    found = corrections.look_at(parent.key, lines)
    if found.taken:
        (first,) = seller_file.own_lines(parent.key, found.taken[:1]).values()
        raise _taken_before(first, len(found.taken) - 1, parent.name)
    known = {line: at for line, at in lines.items() if line not in {*found.unknown}}
    return TakingLines(parent.key, known) if known else None


class _Parent(NamedTuple):
    key: ImportKey
    name: str


def _find(seller_id: int, public_id: str = "") -> _Parent | None:
    """The import with this id that has failed rows, any of which may be taken up."""
    try:
        found = lookups.get_with_counters(seller_id, uuid.UUID(public_id))
    except (ValueError, lookups.ImportNotFound):
        return None
    if found.of.errors_removed_at is not None or not found.failed or found.of.is_check:
        return None
    key = ImportKey(seller_id, found.of.id)
    if found.of.finished_at is None or corrections.has_old_retry(key):
        return None
    return _Parent(key, found.of.name or found.of.file_name)


def _taken_before(first: int, others: int, name: str) -> FileRejected:
    more = f" and {others:,} more" if others else ""
    return FileRejected(
        f"Line {first:,} of {name}{more} {'have' if others else 'has'} already been imported in another way. Delete "
        f"{'these rows' if others else 'this row'} from the file, or delete its columns {', '.join(REASON_COLUMNS)} to "
        "import all rows of it once more."
    )


def _by_texts(seller_id: int, file: StoredFile, layout: Layout) -> TakingLines | None:
    asked = {"fewest": file.total, "most": _MOST_COMPARED, "limit": _MOST_IMPORTS}
    candidates = [
        one for one in lookups.list_with_failed(seller_id, **asked) if layout_of(one.header).columns == layout.columns
    ]
    if not candidates:
        return None
    lines: list[int] = []
    texts: list[str] = []
    for block in _read(file, layout):
        texts += _texts(block)
        lines += block.lines[:-1].tolist()
    for one in candidates:
        key = ImportKey(seller_id, one.id)
        if corrections.has_old_retry(key):
            continue
        if found := corrections.find_same_texts(key, texts):
            return TakingLines(key, {line: lines[at] for at, line in found.items()})
    return None


def _read(file: StoredFile, layout: Layout) -> Iterator[Block]:
    start = len(file.header.encode())
    pieces = iter_range(current_storage(), file.storage_key, start, file.end)
    return read_blocks(pieces, offset=start, line=2, layout=layout)


def _texts(block: Block) -> list[str]:
    texts: list[str] = block.rows(np.arange(len(block))).to_pylist()
    return texts
