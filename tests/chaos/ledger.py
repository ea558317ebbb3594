"""The outcome of an import, and how it differs from a run of the same file without faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from app.extensions import db
from app.imports import ledger
from app.models import Import
from tests.chaos.files import File, Key
from tests.factories import failures, listed, look


class Shop(NamedTuple):
    """A seller, detached from any session."""

    id: int
    email: str


class Started(NamedTuple):
    """An import, detached from any session."""

    seller_id: int
    id: int
    public_id: object
    total: int

    @classmethod
    def of(cls, one: Import) -> Started:
        """The import ``one``."""
        return cls(one.seller_id, one.id, one.public_id, one.total)


class Outcome(NamedTuple):
    """The complete result of a file."""

    status: str
    counters: dict[str, int]
    #: The values of every listing; None if any of several rows may have created it.
    listings: dict[Key, tuple[str, ...] | None]
    #: Line and code.
    errors: frozenset[tuple[int, int]]
    #: The number of failed rows among those that create the same listing.
    repeated_errors: int


class Difference(NamedTuple):
    """How an outcome differs from what it should be."""

    lost: int
    doubled: int
    troubles: list[str]


def outcome(started: Started, file: File) -> Outcome:
    """The outcome of the import."""
    ended = look(started)
    listings = {one[:3]: None if one[:3] in file.repeated else one[3:] for one in listed(Shop(started.seller_id, ""))}
    errors = failures(started)
    certain = frozenset(error for error in errors if error[0] not in file.repeated_lines)
    counters = {name: getattr(ended, name) for name in ("total", "created", "updated", "unchanged", "failed")}
    return Outcome(str(ended.status), counters, listings, certain, len(errors) - len(certain))


def compare(found: Outcome, quiet: Outcome) -> Difference:
    """Rows, listings and errors that are missing or wrong, and those in excess."""
    values = {key for key in found.listings.keys() & quiet.listings if found.listings[key] != quiet.listings[key]}
    more = {name: found.counters[name] - quiet.counters[name] for name in quiet.counters}
    repeated = found.repeated_errors - quiet.repeated_errors
    lost = (
        len(quiet.listings.keys() - found.listings.keys())
        + len(values)
        + len(quiet.errors - found.errors)
        + max(0, -repeated)
        + sum(max(0, -by) for by in more.values())
    )
    doubled = (
        len(found.listings.keys() - quiet.listings.keys())
        + len(found.errors - quiet.errors)
        + max(0, repeated)
        + sum(max(0, by) for by in more.values())
    )
    troubles = [f"{name} is {by:+} beside the quiet run" for name, by in more.items() if by]
    if values:
        key = min(values)
        troubles.append(f"{len(values)} listings differ: {key}: {found.listings[key]}, not {quiet.listings[key]}")
    if found.status != quiet.status:
        troubles.append(f"the import is {found.status}, not {quiet.status}")
    return Difference(lost, doubled, troubles)


def book_faults(started: Started) -> Iterator[str]:
    """The faults in the ledger of an import that is not running."""
    db.session.rollback()
    yield from ledger.find_faults(db.session.get_one(Import, (started.seller_id, started.id)))
    db.session.remove()
