"""Finds the items that a card may be for which its cells alone do not say enough, such as a name without a set."""

from __future__ import annotations

from app.catalog_words import split_words
from app.csvfile.contract import fold
from app.imports.foreign.items import CANDIDATES, JOINT
from app.imports.foreign.numbers import is_number, names_agree, numbers_agree, split_name
from app.imports.foreign.reasons import Candidate
from app.queries import item_search
from app.queries.item_search import FoundItem, ItemFilter

#: Items with the words of a name that are compared with the card.
_COMPARED = 200


def find(card: str) -> tuple[Candidate, ...]:
    """The items with the name of a card, as a question calls it (``items.label``): those with its number come first."""
    *_, last = parts = card.split(JOINT)
    number = parts.pop() if len(parts) > 1 and is_number(last) else ""
    name, in_name = split_name(parts[-1])
    number = number or in_name
    words = split_words(fold(name))
    found = item_search.find(ItemFilter(words=tuple(words)), limit=_COMPARED) if words else []
    alike = [one for one in found if names_agree(name, one.name)]
    alike.sort(key=lambda one: not numbers_agree(number, one.number))
    return tuple(map(_candidate, alike[:CANDIDATES]))


def _candidate(item: FoundItem) -> Candidate:
    return Candidate(item.urn, item.set_name, item.name, item.number, item.rarity, tuple(item.variants))
