"""Finds the items that a card may be for which its cells alone do not say enough, such as a name without a set."""

from collections.abc import Sequence
from difflib import get_close_matches

from app.catalog_words import split_words, words_query
from app.csvfile.contract import fold
from app.imports.foreign.items import CANDIDATES, JOINT, candidates_of
from app.imports.foreign.numbers import is_number, name_keys, names_agree, numbers_agree, split_name
from app.imports.foreign.reasons import Candidate
from app.imports.foreign.sets import Sets
from app.queries import item_search
from app.queries.item_search import ItemFilter
from app.queries.items_by_set import NamedItem, NamedSet, find_in_sets, find_named

#: Items with the words of a name that are compared with the card.
_COMPARED = 200


def find(card: str) -> tuple[Candidate, ...]:
    """The items with the name of a card, as a question calls it (``items.label``): those with its number come first."""
    name, number, _ = _split(card)
    words = split_words(fold(name))
    found = item_search.find(ItemFilter(words=tuple(words)), limit=_COMPARED) if words else []
    alike = [one for one in found if names_agree(name, one.name)]
    alike.sort(key=lambda one: not numbers_agree(number, one.number))
    return candidates_of(alike)


def find_alike(card: str, sets: Sets) -> tuple[Candidate, ...]:
    """The items of the card's set whose names are spelled like its own, the likest first."""
    name, _, set_name = _split(card)
    by_name: dict[str, list[NamedItem]] = {}
    for _, item in find_in_sets(sets.find(set_name).sets if set_name else ()):
        by_name.setdefault(fold(item.name), []).append(item)
    alike = [one for known in get_close_matches(fold(name), by_name, CANDIDATES) for one in by_name[known]]
    return candidates_of(alike)


def find_homes(cards: Sequence[str]) -> list[set[NamedSet]]:
    """For each card the sets that have one of its name and number, all with one statement."""
    parts = [_split(card) for card in cards]
    found: list[set[NamedSet]] = [set() for _ in cards]
    for at, item in find_named([words_query(split_words(fold(name))) for name, _, _ in parts], limit=_COMPARED):
        name, number, _ = parts[at]
        if (not number or numbers_agree(number, item.number)) and name_keys(name) & name_keys(item.name):
            found[at].add(NamedSet(item.game, item.set_name))
    return found


def _split(card: str) -> tuple[str, str, str]:
    """The name, the number and the set of a card."""
    *_, last = parts = card.split(JOINT)
    number = parts.pop() if len(parts) > 1 and is_number(last) else ""
    name, in_name = split_name(parts.pop())
    return name, number or in_name, parts.pop() if parts else ""
