"""The later imports that should be undone before an import, so that its undo can take all of it back."""

from collections.abc import Iterable
from typing import NamedTuple

from app.imports.reports import progress
from app.imports.reports.progress import ImportProgress, RelatedImports
from app.queries.imports import undo_listings
from app.statuses import ImportKind


class LaterImport(NamedTuple):
    """An import that should be undone first."""

    one: ImportProgress
    #: The listings that it was the last to change, of those that the earlier import created or updated.
    changed: int
    #: Rows of the earlier import's file that it has imported: its fixes, a retry, or the fixes of these.
    imported: int


def list_undo_first(one: ImportProgress, related: RelatedImports, *, kept: int) -> list[LaterImport]:
    """The imports to undo before ``one``, newest first, if an undo of it would keep so many listings.

    Those that cannot be undone are left out.
    """
    changed = undo_listings.count_changed(one.key) if kept else {}
    imported = {
        each.key.import_id: each.created + each.updated
        for each in _list_heirs(one, progress.list_kin(one, related))
        if not each.is_undone
    }
    found = progress.list_by_id(one.key.seller_id, {*changed, *imported})
    return [
        LaterImport(each, changed.get(each.key.import_id, 0), imported.get(each.key.import_id, 0))
        for each, its_related in zip(reversed(found), reversed(progress.list_related(found)), strict=True)
        if its_related.can_undo
    ]


def _list_heirs(one: ImportProgress, kin: Iterable[ImportProgress]) -> list[ImportProgress]:
    """The imports among its ``kin``, oldest first, that have rows of ``one``, or of imports that have."""
    family = {one.key.import_id}
    heirs = []
    for each in kin:
        if each.kind is ImportKind.IMPORT and each.parent_id in family:
            family.add(each.key.import_id)
            heirs.append(each)
    return heirs
