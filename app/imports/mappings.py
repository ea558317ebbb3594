"""Saved mappings: a seller's answers for files with the same columns, under a name."""

import uuid
from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError

from app import audit
from app.audit import Action
from app.extensions import db
from app.imports.errors import ImportNotFound, TransitionRefused
from app.imports.foreign.mapping import Mapping, columns_hash, positions, signature
from app.models import SavedMapping
from app.queries.imports import mappings as queries

#: Longest name, in characters, and most mappings of a seller.
MAX_NAME = 120
MAX_MAPPINGS = 500


class MappingNotFound(ImportNotFound):
    """The seller has no such mapping."""


class NameRefused(TransitionRefused):
    """A mapping cannot have this name; the message is a sentence that says why."""


def list_saved(seller_id: int) -> list[SavedMapping]:
    """The seller's mappings by name."""
    return queries.list_all(seller_id)


def get(seller_id: int, public_id: uuid.UUID) -> SavedMapping:
    """The seller's mapping with this id. Raises MappingNotFound."""
    found = queries.find(seller_id, public_id)
    if found is None:
        raise MappingNotFound
    return found


def load(seller_id: int, name: str) -> Mapping:
    """The seller's mapping with this name. Raises MappingNotFound."""
    found = queries.find_by_name(seller_id, name)
    if found is None:
        raise MappingNotFound
    return Mapping.from_json(found.mapping)


def find_for(seller_id: int, columns: Sequence[str]) -> SavedMapping | None:
    """The mapping that this seller last used for files with these columns, in whatever order."""
    return queries.find_for_columns(seller_id, columns_hash(columns))


def save(seller_id: int, name: str, mapping: Mapping) -> SavedMapping:
    """Save a mapping; one with the same name is replaced. Raises NameRefused."""
    name = _plain_name(name)
    found = queries.find_by_name(seller_id, name)
    if found is None:
        if len(queries.list_all(seller_id)) >= MAX_MAPPINGS:
            raise NameRefused(f"You have {MAX_MAPPINGS} mappings already. Delete one that you do not need.")
        found = SavedMapping(seller_id=seller_id, name=name)
        db.session.add(found)
    found.columns = list(signature(mapping.columns))
    found.columns_hash = columns_hash(mapping.columns)
    found.mapping = mapping.for_other_files().to_json()
    audit.record(Action.SAVE_MAPPING, seller_id, detail=name)
    _commit(name)
    return found


def rename(seller_id: int, public_id: uuid.UUID, name: str) -> SavedMapping:
    """Give a mapping another name. Raises MappingNotFound and NameRefused."""
    found = get(seller_id, public_id)
    audit.record(Action.RENAME_MAPPING, seller_id, detail=f"{found.name} to {name}")
    found.name = _plain_name(name)
    _commit(name)
    return found


def delete(seller_id: int, public_id: uuid.UUID) -> None:
    """Delete a mapping; what was converted with it stays. Raises MappingNotFound."""
    found = get(seller_id, public_id)
    audit.record(Action.DELETE_MAPPING, seller_id, detail=found.name)
    db.session.delete(found)
    db.session.commit()


def export_text(seller_id: int, public_id: uuid.UUID) -> str:
    """A mapping as a text that can be read, kept and imported again. Raises MappingNotFound."""
    return Mapping.from_json(get(seller_id, public_id).mapping).to_text()


def import_text(seller_id: int, name: str, text: str) -> SavedMapping:
    """Save the mapping in a text. Raises NameRefused, and MappingInvalid if the text is none."""
    return save(seller_id, name, Mapping.from_text(text))


def find_missing(mapping: Mapping, columns: Sequence[str]) -> list[str]:
    """The columns that ``mapping`` uses of the file that it was made for, and that ``columns`` do not have."""
    return [name for name in mapping.used if not positions(columns, name)]


def _plain_name(name: str) -> str:
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not name:
        raise NameRefused("Give the mapping a name.")
    if len(name) > MAX_NAME:
        raise NameRefused(f"The name is longer than {MAX_NAME} characters.")
    return name


def _commit(name: str) -> None:
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        raise NameRefused(f"You have another mapping called “{name}”. Choose another name.") from None
