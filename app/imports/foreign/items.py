"""Finds the items that rows mean: by URN, by ids, by set and number, by set and name, in this order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from os.path import commonprefix
from string import ascii_lowercase
from typing import NamedTuple

from app.csvfile.contract import NamedBy
from app.imports.foreign import words
from app.imports.foreign.mapping import LEAVE_OUT, Field, How, Kind, Mapping, Source, normal, plain
from app.imports.foreign.numbers import (
    comparable,
    is_id,
    name_keys,
    names_agree,
    number_keys,
    numbers_agree,
    split_name,
    title_numbers,
)
from app.imports.foreign.reasons import Candidate, Reason, ask, reason
from app.imports.foreign.sets import IN_GAME, FoundSets, Sets
from app.queries import items_by_set
from app.queries.item_search import FoundItem
from app.queries.items_by_set import NamedItem, NamedSet

#: Candidates that are shown with a question.
CANDIDATES = 8
#: Cards that are remembered of a set that the catalog does not have, of how many sets, and in how many characters.
_CARDS, _SETS, _LONGEST = 20, 500, 80
#: Between the parts of a card's label.
JOINT = " · "
#: Items of sets, and ids, that are remembered, before all are forgotten.
_REMEMBERED = 50_000


class ItemCells(NamedTuple):
    """The cells of a row that say which item it is, empty where there is none."""

    urn: str = ""
    cardmarket_id: str = ""
    tcgplayer_id: str = ""
    game: str = ""
    set_name: str = ""
    set_code: str = ""
    number: str = ""
    name: str = ""
    title: str = ""


#: Their fields.
ITEM_FIELDS = {name: Field.SET if name == "set_name" else Field(name) for name in ItemCells._fields}


class Target(NamedTuple):
    """What the cells come to."""

    #: One if they name it; several if more must be known, with the reason.
    items: tuple[NamedItem, ...] = ()
    #: What the set's name says of the cards, as a finish cell would say it.
    extras: frozenset[str] = frozenset()
    #: Why there is not just one.
    reason: Reason | None = None
    is_left_out: bool = False
    #: What its seller should know of the set by which it was found.
    remark: Reason | None = None


class _Keyed(NamedTuple):
    """The items that the keys of a row name: those that do not contradict what else it says, and all."""

    agreeing: tuple[NamedItem, ...] = ()
    all: tuple[NamedItem, ...] = ()


class _Set(NamedTuple):
    by_number: dict[str, list[NamedItem]]
    by_name: dict[str, list[NamedItem]]
    all: list[NamedItem]


class Items:
    """Finds items; what was found before is remembered."""

    def __init__(self, mapping: Mapping) -> None:
        self.sets = Sets(mapping)
        self._answers = mapping.answers.get(Kind.ITEM, {})
        self._set_in_path = mapping.sources.get(Field.SET, Source()).how is How.PATH
        self._loaded: dict[NamedSet, _Set] = {}
        self._by_id: dict[tuple[NamedBy, int], list[NamedItem]] = {}
        self._by_urn: dict[str, NamedItem] = {}
        #: By sets that the catalog does not have.
        self._cards: dict[str, set[str]] = {}

    def resolve(self, cells: Sequence[ItemCells]) -> list[Target]:
        """What each of ``cells`` comes to, with at most one statement for each way to name items."""
        found = [self._find_sets(one) for one in cells]
        self._load(cells)
        keyed = [self._by_key(one, sets) for one, sets in zip(cells, found, strict=True)]
        # Mostly an id decides, and no set is needed.
        self._load_sets(
            one for key, sets in zip(keyed, found, strict=True) if len(key.agreeing) != 1 for one in sets.sets
        )
        targets = [self._target(*one) for one in zip(cells, found, keyed, strict=True)]
        self._forget()
        return targets

    def _find_sets(self, cells: ItemCells) -> FoundSets:
        found = FoundSets()
        if cells.set_name:
            found = self.sets.find(cells.set_name, in_path=self._set_in_path)
        if not found.sets and not found.is_left_out and cells.set_code:
            found = self.sets.find_code(cells.set_code)
        if not found.sets and cells.title:
            found = FoundSets(self.sets.in_title(cells.title))
        games = self.sets.games(cells.game)
        if games is None or not found.sets:
            return found
        there = tuple(one for one in found.sets if one.game in games)
        # What is answered about a name in one game says nothing of the same name in another.
        return found._replace(sets=there) if there else self.sets.find(self.set_word(cells))

    def set_word(self, cells: ItemCells) -> str:
        """What a question about the set of a row calls it: with the game, where other games have such a set."""
        word = cells.set_name or cells.set_code
        return f"{cells.game}{IN_GAME}{word}" if cells.game and self.sets.find(word).sets else word

    def _load(self, cells: Sequence[ItemCells]) -> None:
        urns = {one.urn for one in cells if one.urn}
        if self._answers:
            urns |= {self._answers.get(normal(label(one)), LEAVE_OUT) for one in cells} - {LEAVE_OUT}
        if missing := urns - self._by_urn.keys():
            self._by_urn |= {item.urn: item for item in items_by_set.find_by_urns(missing)}
        unseen = {named for one in cells for named in _ids(one)} - self._by_id.keys()
        self._by_id |= {named: [] for named in unseen}
        for way in {way for way, _ in unseen}:
            for external_id, item in items_by_set.find_by_ids(way, {one for of, one in unseen if of is way}):
                self._by_id[way, external_id].append(item)

    def _load_sets(self, wanted: Iterable[NamedSet]) -> None:
        missing = {*wanted} - self._loaded.keys()
        self._loaded |= {one: _Set(defaultdict(list), defaultdict(list), []) for one in missing}
        for of_set, item in items_by_set.find_in_sets(missing):
            entry = self._loaded[of_set]
            entry.all.append(item)
            for key in number_keys(item.number):
                entry.by_number[key].append(item)
            for key in name_keys(item.name):
                entry.by_name[key].append(item)
        for one in missing:
            _add_bare(self._loaded[one].by_number)

    def _forget(self) -> None:
        if sum(len(one.all) for one in self._loaded.values()) > _REMEMBERED:
            self._loaded.clear()
        for found in (self._by_id, self._by_urn):
            if len(found) > _REMEMBERED:
                found.clear()

    def _target(self, cells: ItemCells, found: FoundSets, keyed: _Keyed) -> Target:
        if self._answers and (answer := self._answers.get(normal(label(cells)))):
            if answer == LEAVE_OUT:
                return Target(reason=reason("answered", word=label(cells)), is_left_out=True)
            if answer in self._by_urn:
                return Target((self._by_urn[answer],), found.extras)
        if not any(cells):
            return Target(reason=reason("item-missing"))
        if keyed.agreeing:
            target = self._one_of(cells, keyed.agreeing)
        elif keyed.all:
            target = self._disagreement(cells, [*keyed.all, *self._in_sets(cells, found)])
        else:
            target = self._by_title(cells, found) or self._by_set(cells, found)
        if not target.items and not target.is_left_out and words.is_sealed(cells.name or cells.title):
            return Target(reason=reason("sealed"), is_left_out=True)
        return target._replace(extras=found.extras, remark=None if keyed.agreeing else found.remark)

    def _by_key(self, cells: ItemCells, found: FoundSets) -> _Keyed:
        """The items that the URN or the ids name, none if the catalog does not have them."""
        if cells.urn in self._by_urn:
            return _Keyed((self._by_urn[cells.urn],))
        hits = [items for named in _ids(cells) if (items := self._by_id[named])]
        if not hits:
            return _Keyed()
        candidates = self._narrow(hits[0], cells, found)
        if len(hits) > 1:
            in_both = [one for one in candidates if one in hits[1]]
            if not in_both:
                return _Keyed((), (*candidates, *hits[1]))
            candidates = in_both
        return _Keyed(tuple(one for one in candidates if _agrees(cells, one)), tuple(candidates))

    def _narrow(self, candidates: list[NamedItem], cells: ItemCells, found: FoundSets) -> list[NamedItem]:
        """The candidates that fit what else the row says, as far as any do."""
        sets = set(found.sets)
        fits = (
            [not cells.number or numbers_agree(cells.number, one.number) for one in candidates],
            [not cells.name or names_agree(cells.name, one.name) for one in candidates],
            [not sets or NamedSet(one.game, one.set_name) in sets for one in candidates],
        )
        left = [*range(len(candidates))]
        for test in fits:
            left = [at for at in left if test[at]] or left
        return [candidates[at] for at in left]

    def _in_sets(self, cells: ItemCells, found: FoundSets) -> list[NamedItem]:
        keys = number_keys(cells.number)
        return [item for one in found.sets for key in keys for item in self._loaded[one].by_number.get(key, ()) if key]

    def _by_title(self, cells: ItemCells, found: FoundSets) -> Target | None:
        """The item whose set, number and name all stand in the title; None if not just one is that."""
        if not cells.title or not found.sets:
            return None
        text = f" {plain(cells.title)} "
        hits = {
            item
            for one in found.sets
            for key in title_numbers(cells.title)
            for item in self._loaded[one].by_number.get(key, ())
            if f" {plain(item.name)} " in text
        }
        return Target((hits.pop(),)) if len(hits) == 1 else None

    def _by_set(self, cells: ItemCells, found: FoundSets) -> Target:
        """What set and number, or set and name, come to."""
        if found.is_left_out or self.sets.is_game_left_out(cells.game):
            word = (cells.set_name or cells.set_code) if found.is_left_out else cells.game
            return Target(reason=reason("answered", word=word), is_left_out=True)
        if unknown := self._unknown(cells, found):
            return unknown
        hits = self._in_sets(cells, found) or self._in_parts(cells, found)
        loaded = [self._loaded[one] for one in found.sets]
        named = [item for one in loaded for key in name_keys(cells.name) for item in one.by_name.get(key, ())]
        if not cells.number:
            hits = named
        elif hits:
            agreeing = [
                one for one in hits if not comparable(cells.name, one.name) or names_agree(cells.name, one.name)
            ]
            if not agreeing:
                return self._disagreement(cells, [*hits, *named])
            hits = agreeing
        elif named:
            return self._disagreement(cells, named)
        if not hits:
            return Target(reason=ask("item-unknown", Kind.ITEM, label(cells)))
        return self._one_of(cells, hits)

    def _unknown(self, cells: ItemCells, found: FoundSets) -> Target | None:
        if words.is_total(cells.name) and not cells.set_name and not cells.number:
            return Target(reason=reason("total"), is_left_out=True)
        if self.sets.games(cells.game) is None:
            return Target(reason=ask("game-unknown", Kind.GAME, cells.game))
        if found.sets:
            return None
        if cells.set_name or cells.set_code:
            word = self.set_word(cells)
            return Target(reason=ask("set-unknown", Kind.SET, word, card=self._card_of(word, cells)))
        return Target(reason=ask("item-unknown", Kind.ITEM, label(cells)))

    def _card_of(self, word: str, cells: ItemCells) -> str:
        """The card of a row, if it is one of the first of a set that the catalog does not have; else empty."""
        card = JOINT.join(filter(None, (cells.name, cells.number)))[:_LONGEST]
        if not card or (len(self._cards) >= _SETS and word not in self._cards):
            return ""
        cards = self._cards.setdefault(word, set())
        if len(cards) < _CARDS:
            cards.add(card)
        return card if card in cards else ""

    def _in_parts(self, cells: ItemCells, found: FoundSets) -> list[NamedItem]:
        """The items of sets that are parts of the named one, with its number and name."""
        if not cells.number or number_keys(cells.number)[0].isdigit():
            return []
        parts = self.sets.parts_of(found.sets)
        self._load_sets(parts)
        return [
            item
            for item in self._in_sets(cells, found._replace(sets=tuple(parts)))
            if not cells.name or names_agree(cells.name, item.name)
        ]

    def _one_of(self, cells: ItemCells, items: Sequence[NamedItem]) -> Target:
        different = tuple(dict.fromkeys(items))
        if len(different) == 1:
            return Target(different)
        candidates = candidates_of(different)
        return Target(
            different, reason=ask("item-ambiguous", Kind.ITEM, label(cells), candidates, count=len(different))
        )

    def _disagreement(self, cells: ItemCells, items: Sequence[NamedItem]) -> Target:
        first = items[0]
        found = f"{first.name}, {first.set_name} {first.number}"
        candidates = candidates_of(dict.fromkeys(items))
        return Target(reason=ask("item-disagrees", Kind.ITEM, label(cells), candidates, found=found))


def _add_bare(by_number: dict[str, list[NamedItem]]) -> None:
    """Add the numbers without the letters that all numbers of a set begin with: 22 for HR-22."""
    shared = commonprefix([*by_number])
    if prefix := shared[: len(shared) - len(shared.lstrip(ascii_lowercase))]:
        by_number |= {key.removeprefix(prefix): items for key, items in by_number.items()}


def label(cells: ItemCells) -> str:
    """The card as its cells call it: what a question about it and its answer are known by."""
    if cells.title and not cells.name:
        return cells.title
    ids = f"Cardmarket {cells.cardmarket_id}" if cells.cardmarket_id else ""
    ids = ids or (f"TCGplayer {cells.tcgplayer_id}" if cells.tcgplayer_id else "")
    described = (cells.set_name or cells.set_code, cells.name, cells.number)
    return JOINT.join(filter(None, (cells.urn or ids, *described)))


def _ids(cells: ItemCells) -> list[tuple[NamedBy, int]]:
    ids = ((NamedBy.CARDMARKET_ID, cells.cardmarket_id), (NamedBy.TCGPLAYER_ID, cells.tcgplayer_id))
    return [(way, int(text)) for way, text in ids if is_id(text)]


def _agrees(cells: ItemCells, item: NamedItem) -> bool:
    """Whether what a row says beside an id does not contradict the item."""
    name = split_name(cells.name)[0] if cells.name else ""
    if comparable(name, item.name) and not (names_agree(name, item.name) or names_agree(cells.name, item.name)):
        return False
    return not cells.number or not item.number or numbers_agree(cells.number, item.number)


def candidates_of(items: Iterable[NamedItem | FoundItem]) -> tuple[Candidate, ...]:
    """The first of these items, as a question shows them."""
    return tuple(
        Candidate(one.urn, one.set_name, one.name, one.number, one.rarity, tuple(sorted(one.variants)))
        for one in islice(items, CANDIDATES)
    )
