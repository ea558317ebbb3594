"""Deletes old files, failed rows and imports. The periodic tasks call it, for a few seconds at a time."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from time import monotonic

from app import diagnosis
from app.config import current_settings
from app.extensions import DATABASE_ERRORS, db
from app.imports.foreign.origins import keys_of
from app.models import Conversion
from app.queries import ConversionKey, ImportKey, cluster
from app.queries.imports import chunk_scratch, conversions, housekeeping, retention
from app.queries.imports.retention import StoredFile
from app.storage import current_storage

log = logging.getLogger(__name__)

#: The supervisor does nothing else meanwhile, so the rest is left to the next tick.
_SECONDS = 3.0
_FOUND_AT_ONCE = 100
_KEYS_AT_ONCE = 500
#: Only files whose keys have this form are deleted: others in the storage do not belong to Sluice.
_OUR_KEY = re.compile(r"([0-9]{1,9})/[0-9a-f-]{36}(\.csv|\.source|-[0-9]+\.(csv|origins|apart|added|report|text))")
#: How long a foreign file is kept that its seller neither imports nor checks.
_DRAFTS_KEPT_DAYS = 1


#: An unfinished upload older than this many seconds cannot be in progress any more.
_UPLOAD_GIVEN_UP_AFTER_SECONDS = 24 * 3600.0


def clean_storage() -> None:
    """Delete what dead processes have left of uploads in the storage. Raises OSError."""
    removed = current_storage().clean(older_than_seconds=_UPLOAD_GIVEN_UP_AFTER_SECONDS)
    removed += remove_unneeded(older_than_seconds=_UPLOAD_GIVEN_UP_AFTER_SECONDS)
    if removed:
        log.info("%s files without an import removed from the storage", removed)


class _Run:
    """A run of some seconds. It passes over the sellers whose node of a database cluster it finds away."""

    def __init__(self) -> None:
        self._ends_at = monotonic() + _SECONDS
        self._away: set[int] = set()

    @property
    def is_over(self) -> bool:
        """Whether the rest is left to the next run."""
        return monotonic() > self._ends_at

    def remove(
        self,
        find: Callable[..., list[ImportKey]],
        delete_some: Callable[[ImportKey], bool],
        finish: Callable[[ImportKey], None] = lambda _: None,
    ) -> bool:
        """Delete something of each import that ``find`` finds; false if the time is over. Commits."""
        while found := find(limit=_FOUND_AT_ONCE, without=[*self._away]):
            for key in (one for one in found if one.seller_id not in self._away):
                with self._passing_over(key.seller_id):
                    while delete_some(key):
                        db.session.commit()
                        if self.is_over:
                            return False
                    finish(key)
                    db.session.commit()
            if self.is_over:
                return len(found) < _FOUND_AT_ONCE
        return True

    @contextmanager
    def _passing_over(self, seller_id: int) -> Iterator[None]:
        began = monotonic()
        try:
            yield
        except DATABASE_ERRORS as error:
            if diagnosis.of_node(error) is None:
                raise
            db.session.rollback()
            self._away |= cluster.find_beside(seller_id)
            # Others do not pay for the wait.
            self._ends_at += monotonic() - began
            log.warning("retention waits for a database node", extra={"seller": seller_id}, exc_info=True)


def remove_old() -> bool:
    """Delete what has exceeded its retention. Returns whether nothing is left to delete. Raises OSError.

    What lies on a node of a database cluster that is away is left to the next run. Earlier values are asked for on all
    nodes at once, so they come last.
    """
    settings, run = current_settings(), _Run()
    if not _remove_sources(settings.keep_sources_days, run):
        return False
    for days, find, *delete in (
        (
            settings.keep_errors_days,
            retention.find_old_errors,
            retention.delete_some_errors,
            retention.mark_errors_removed,
        ),
        (settings.keep_imports_days, retention.find_old_imports, _delete_some, retention.delete_import),
        (settings.keep_undo_days, retention.find_old_earlier_values, retention.forget_some_earlier_values),
    ):
        if days and not run.remove(partial(find, days=days), *delete):
            return False
    return True


def _remove_sources(days: int, run: _Run) -> bool:
    if not days:
        return True
    storage = current_storage()
    while old := retention.find_old_sources(days=days, limit=_FOUND_AT_ONCE):
        for file in old:
            if run.is_over:
                return False
            if retention.give_up_source(file, days=days):
                # Committed before the file is deleted, so that nobody relies on it. If this process dies here,
                # remove_unneeded finds it.
                db.session.commit()
                storage.delete(file.storage_key)
                log.info("source removed", extra={"seller": file.seller_id, "storage_key": file.storage_key})
            else:
                db.session.rollback()
    return True


def _delete_some(key: ImportKey) -> bool:
    """Delete some of what chunks have written about an import. Returns whether there was any."""
    return (
        retention.delete_some_errors(key) or chunk_scratch.forget_some(key) or retention.forget_some_earlier_values(key)
    )


def remove_deleted() -> bool:
    """Remove what is stored of the imports that their sellers have deleted. Returns whether nothing is left to remove.

    Raises OSError. What lies on a node of a database cluster that is away is left to the next run.
    """
    return _Run().remove(housekeeping.find_deleted, _delete_some, _remove_rest)


def _remove_rest(key: ImportKey) -> None:
    retention.mark_errors_removed(key)
    files = housekeeping.let_go_of_source(key)
    # Committed before the file is deleted, so that nobody relies on it (see ``_remove_sources``).
    db.session.commit()
    for file in retention.find_unneeded(files):
        current_storage().delete(file.storage_key)
    housekeeping.drop_deleted(key)
    db.session.commit()
    log.info("deleted import removed", extra={"key": key})


def remove_conversions() -> bool:
    """Remove drafts that nobody has touched for a day, and what no import needs of other foreign files.

    Returns whether nothing is left to remove. Raises OSError.
    """
    ends_at = monotonic() + _SECONDS
    for find, give_up in (
        (partial(conversions.find_old_drafts, days=_DRAFTS_KEPT_DAYS), conversions.let_go),
        (conversions.find_without_sources, conversions.give_up_sources),
        (conversions.find_without_imports, conversions.drop),
    ):
        while found := find(limit=_FOUND_AT_ONCE):
            for one in found:
                if not remove_conversion(one, give_up) or monotonic() > ends_at:
                    return False
    return True


def remove_conversion(one: Conversion, give_up: Callable[[ConversionKey], bool]) -> bool:
    """Give a conversion up, or its files, and delete those that nothing needs then. Returns false if it is needed.

    Commits. Raises OSError; what could not be deleted, ``remove_unneeded`` finds.
    """
    key, public_id = ConversionKey(one.seller_id, one.id), one.public_id
    names = {one.storage_key, *keys_of(one.seller_id, public_id, one.attempt)} | ({one.text_key} - {None})
    if not give_up(key):
        db.session.rollback()
        return False
    db.session.commit()
    for file in retention.find_unneeded([StoredFile(key.seller_id, str(name)) for name in names]):
        current_storage().delete(file.storage_key)
    db.session.rollback()
    log.info("foreign file removed", extra={"conversion": key})
    return True


def remove_unneeded(*, older_than_seconds: float) -> int:
    """Delete the stored files that belong to nothing: an upload or a conversion died at its end, or was deleted.

    Returns their number. Raises OSError.
    """
    storage = current_storage()
    keys = storage.list_keys(older_than_seconds=older_than_seconds)
    count = 0
    while some := list(islice(keys, _KEYS_AT_ONCE)):
        ours = [StoredFile(int(match[1]), key) for key in some if (match := _OUR_KEY.fullmatch(key))]
        for file in retention.find_unneeded(ours):
            storage.delete(file.storage_key)
            count += 1
        db.session.rollback()
    return count
