"""Works through the blocks of a foreign file: decides for each row what it comes to, by distinct values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.csvfile.contract import MAX_QUANTITY
from app.imports.foreign import words
from app.imports.foreign.bound import Bound
from app.imports.foreign.fill import Filler
from app.imports.foreign.items import ItemCells, Items, Target, label
from app.imports.foreign.mapping import LEAVE_OUT, Field, How, Kind, Mapping, word_of
from app.imports.foreign.memo import Ints, Memo
from app.imports.foreign.money import Pricing
from app.imports.foreign.numbers import split_name
from app.imports.foreign.reasons import DECIDED, Outcome, Reason, ask, reason
from app.imports.foreign.shapes import Block, Note
from app.imports.foreign.texts import texts_of
from app.imports.foreign.traits import TraitReader, Traits, choose, special
from app.queries.items_by_set import NamedItem

_ITEM_FIELDS = {
    "urn": Field.URN,
    "cardmarket_id": Field.CARDMARKET_ID,
    "tcgplayer_id": Field.TCGPLAYER_ID,
    "game": Field.GAME,
    "set_name": Field.SET,
    "set_code": Field.SET_CODE,
    "number": Field.NUMBER,
    "name": Field.NAME,
    "title": Field.TITLE,
}
_TRAIT_FIELDS = (
    Field.CONDITION,
    Field.LANGUAGE,
    Field.FINISH,
    Field.REVERSE,
    Field.FIRST_EDITION,
    Field.SIGNED,
    Field.ALTERED,
    Field.PLAYSET,
    Field.HIDDEN,
    Field.SHOWN,
)
#: The fields among them whose words a seller decides.
_WORDS = {Kind.CONDITION: Field.CONDITION, Kind.FINISH: Field.FINISH, Kind.LANGUAGE: Field.LANGUAGE}
_QUANTITY_FIELDS = (Field.QUANTITY, Field.FOIL_QUANTITY, Field.FOIL_PART, Field.PLAYSET)
#: Copies in a playset.
_PLAYSET = 4
_QUANTITY = re.compile(
    r"x?\s*(-?[0-9]{1,3}(?:[,. '’][0-9]{3})+|-?[0-9]+)(?:[.,]0{1,2})?\s*(?:[x×]\s*(?:[^\d\s].*)?)?", re.IGNORECASE
)
#: Reasons, and targets, that are remembered, before all that was decided is forgotten.
_MOST_REASONS, _MOST_TARGETS = 20_000, 100_000
#: What is remembered of distinct combinations: with how many numbers each, and of what.
_MEMOS = {"items": (6, pa.string()), "pairs": (3, pa.int64()), "singles": (4, pa.int64())}
_SOLD_OUT = reason("quantity-zero")
#: Marks that no reason is given.
_NONE = -1
#: Two positions are one number: the first before the last 32 bits, the second in these.
_BITS = 32
_MASK = (1 << _BITS) - 1

_NOTES = {Note.TOTAL: "total", Note.HEADER: "header-again", Note.REMARK: "remark"}
_BROKEN = {
    Note.TOO_MANY_CELLS: "It has a value too many: perhaps a separator stands inside a value without quotation marks.",
    Note.BROKEN_QUOTES: "Its quotation marks are not closed where a value ends.",
}


class Offers(NamedTuple):
    """The listings that the rows of a block make; an element for each in each."""

    #: The position of its row in the block; in ascending order.
    rows: NDArray[np.int32]
    item_ids: NDArray[np.int32]
    urns: pa.StringArray
    conditions: NDArray[np.int8]
    #: Positions in ``BlockConverter.variants``.
    variants: NDArray[np.int32]
    prices: NDArray[np.int32]
    #: 0 where only a listing that its seller has can become sold out; its row is left out.
    quantities: NDArray[np.int32]
    #: 0 not told, 1 shown, 2 hidden.
    hidden: NDArray[np.int8]
    #: By column of the import format.
    texts: dict[str, pa.Array]


@dataclass(frozen=True)
class Worked:
    """What the rows of a block come to, before rows for one listing are added up."""

    lines: Ints
    starts: Ints
    lengths: Ints
    outcomes: NDArray[np.int8]
    #: Positions in ``reasons``, or -1.
    reason_at: NDArray[np.int32]
    reasons: list[Reason]
    offers: Offers
    #: What is to be decided, and in how many rows.
    questions: list[tuple[Reason, int]]
    #: See ``Converted``.
    remarks: list[tuple[Reason, int, int]]


class _Stage(NamedTuple):
    """Reasons that one part of the row gives, by their codes."""

    outcome: Outcome
    codes: Ints
    #: Whether a row may have such a reason and be sold out all the same.
    may_be_sold_out: bool = False


class _Offer(NamedTuple):
    """One of the listings that each row of a block makes."""

    outcomes: NDArray[np.int8]
    reasons: Ints
    #: Whether nothing but its quantity of 0 leaves it out, whatever its price.
    is_sold_out: NDArray[np.bool_]
    #: The codes of all that is open, a line for each stage.
    asked: Ints
    #: The codes of what its seller should look at, a line for each part of the row.
    remarks: Ints
    #: Places of items that were found; _NONE if there is not just one.
    items: Ints
    variants: Ints
    traits: Ints
    prices: Ints
    quantities: Ints


def _read_quantity(text: str) -> int | None:
    """The whole number in a cell; None if there is none."""
    found = _QUANTITY.fullmatch(text)
    return int(re.sub(r"[,. '’]", "", found[1])) if found else None


class _Listing(NamedTuple):
    """One of the listings that a row makes: which fields are its quantity and price, and what else is its finish."""

    quantity: Field
    price: Field
    finish: str


def _listings(mapping: Mapping) -> list[_Listing]:
    foils = next((to for to in (Field.FOIL_QUANTITY, Field.FOIL_PART) if to in mapping.sources), None)
    if foils is None:
        return [_Listing(Field.QUANTITY, Field.PRICE, "")]
    price = Field.FOIL_PRICE if Field.FOIL_PRICE in mapping.sources else Field.PRICE
    return [_Listing(Field.QUANTITY, Field.PRICE, words.NORMAL), _Listing(foils, price, words.FOIL)]


class BlockConverter:
    """Converts blocks by the rules of a mapping. What was decided for distinct cells before is remembered."""

    def __init__(self, bound: Bound) -> None:
        mapping = bound.mapping
        self._bound, self._mapping = bound, mapping
        sources = mapping.sources
        self._items = Items(mapping, set_in_path=bool(Field.SET in sources and sources[Field.SET].how == How.PATH))
        self._traits = TraitReader(mapping)
        self._pricing = Pricing(mapping)
        self._quantity_answers = mapping.answers.get(Kind.QUANTITY, {})
        self._fill = Filler(bound)
        self._item_group = bound.group(_ITEM_FIELDS.values())
        self._trait_group = bound.group(_TRAIT_FIELDS, (at for places in bound.filters for at in places))
        self._quantity_group = bound.group(_QUANTITY_FIELDS)
        self._listings = _listings(mapping)
        self._price_groups = [bound.group((one.price, Field.CURRENCY, Field.PLAYSET)) for one in self._listings]
        #: The distinct variants of listings, joined by ``|``.
        self.variants: list[str] = []
        self._variant_places: dict[str, int] = {}
        self._restart()

    def _restart(self) -> None:
        """Forget what was decided."""
        self._reasons: list[Reason] = []
        self._reason_places: dict[Reason, int] = {}
        self._targets: list[Target] = []
        #: One of the traits for each printing: their finishes and language, on which alone the variants depend.
        self._printings: list[Traits] = []
        self._printing_places: dict[object, int] = {}
        self._kinds: list[tuple[NamedItem, frozenset[str]]] = []
        self._kind_places: dict[object, int] = {}
        self._memos = {name: Memo(*kind) for name, kind in _MEMOS.items()}
        self._trait_memos = [Memo(7, pa.string()) for _ in self._listings]
        self._quantity_memos = [Memo(4, pa.string()) for _ in self._listings]
        self._price_memos = [Memo(4, pa.string()) for _ in self._listings]
        #: The items that were found, by their ids, and the ids and URNs of the first of them.
        self._item_places: dict[int, int] = {}
        self._item_urns: list[str] = []
        self._item_columns = np.empty(0, np.int32), pa.array([], pa.string())

    def work(self, block: Block) -> Worked:
        """What the rows of ``block``, the next one of the file, come to."""
        if len(self._reasons) > _MOST_REASONS or len(self._targets) > _MOST_TARGETS:
            self._restart()
        cells = self._fill(block.cells)
        count = len(block)
        targets = self._memos["items"].find(self._item_group.combine(cells), self._make_targets)
        notes = self._note_codes(block)
        offers = [self._offer(at, cells, targets, notes, count) for at in range(len(self._listings))]
        return self._finish(block, cells, offers)

    def for_sale(self, cells: pa.Table) -> NDArray[np.bool_]:
        """Which rows none of their own cells leaves out; whether they name a card is not looked at."""
        found = np.zeros(cells.num_rows, np.bool_)
        for at in range(len(self._listings)):
            quantities, traits = self._quantities(at, cells), self._traits_of(at, cells)
            found |= (quantities[:, 1] == _NONE) & (traits[:, 4] == _NONE)
        return found

    # What distinct cells come to.

    def _code(self, why: Reason | None) -> int:
        if why is None:
            return _NONE
        place = self._reason_places.setdefault(why, len(self._reasons))
        if place == len(self._reasons):
            self._reasons.append(why)
        return place

    def _decided(self, kind: Kind, *found: str) -> int:
        """The code of a remark on a row with one of these words, if its seller has decided what that means."""
        answers = self._mapping.answers.get(kind, {})
        word = next((one for one in found if one and word_of(kind, one) in answers), "")
        return self._code(reason(DECIDED, word=word) if word else None)

    def _make_targets(self, combinations: list[str]) -> list[tuple[int, ...]]:
        """For each the target, its item (_NONE if not just one), its kind, why it is left out or open, a remark."""
        group, fields = self._item_group, _ITEM_FIELDS
        cells = [self._item_cells(self._bound.values(group, group.split(one), fields.values())) for one in combinations]
        made: list[tuple[int, ...]] = []
        for one, target in zip(cells, self._items.resolve(cells), strict=True):
            self._targets.append(target)
            code = self._code(target.reason)
            is_one = len(target.items) == 1
            made.append(
                (
                    len(self._targets) - 1,
                    self._item(target.items[0]) if is_one else _NONE,
                    self._kind(target) if is_one else _NONE,
                    code if target.is_left_out else _NONE,
                    code if not target.is_left_out else _NONE,
                    max(
                        self._decided(Kind.ITEM, label(one)),
                        self._decided(Kind.SET, one.set_name, one.set_code, self._items.set_word(one)),
                        self._decided(Kind.GAME, one.game),
                        self._code(target.remark),
                    ),
                )
            )
        return made

    def _item_cells(self, values: dict[Field, str]) -> ItemCells:
        cells = ItemCells(**{name: values.get(to, "") for name, to in _ITEM_FIELDS.items()})
        name = self._mapping.sources.get(Field.NAME)
        if name and (name.how == How.IN_NAME or not cells.number):
            bare, number = split_name(cells.name)
            if number and not cells.number:
                cells = cells._replace(name=bare, number=number)
        return cells

    def _item(self, item: NamedItem) -> int:
        place = self._item_places.setdefault(item.id, len(self._item_urns))
        if place == len(self._item_urns):
            self._item_urns.append(item.urn)
        return place

    def _kind(self, target: Target) -> int:
        """All items of a kind have the same variants for the same traits."""
        (item,) = target.items
        key = (item.variants, item.game, item.name.isascii(), target.extras)
        place = self._kind_places.setdefault(key, len(self._kinds))
        if place == len(self._kinds):
            self._kinds.append((item, target.extras))
        return place

    def _make_traits(self, finish: str, combinations: list[str]) -> list[tuple[int, ...]]:
        """For each the printing, condition, HIDDEN, whether altered, left-out code, open code, a remark."""
        made: list[tuple[int, ...]] = []
        for combination in combinations:
            split = self._trait_group.split(combination)
            values = self._bound.values(self._trait_group, split, _TRAIT_FIELDS)
            filtered = [self._trait_group.at(split, places) for places in self._bound.filters]
            traits = self._traits.read(values, filtered, finish)
            made.append(
                (
                    self._printing(traits),
                    traits.condition or 0,
                    0 if traits.is_hidden is None else 1 + traits.is_hidden,
                    traits.is_altered,
                    self._code(traits.left_out),
                    self._code(traits.open),
                    max(self._decided(kind, words.without_count(values.get(to, ""))) for kind, to in _WORDS.items()),
                )
            )
        return made

    def _printing(self, traits: Traits) -> int:
        place = self._printing_places.setdefault((traits.finishes, traits.language), len(self._printings))
        if place == len(self._printings):
            self._printings.append(traits)
        return place

    def _make_prices(self, at: int, combinations: list[str]) -> list[tuple[int, ...]]:
        """For each the price in pence, why it is left out or open, and a remark."""
        made: list[tuple[int, ...]] = []
        group = self._price_groups[at]
        source = self._mapping.sources.get(Field.PRICE)
        constant = source.constant if source else ""
        for one in combinations:
            split = group.split(one)
            cells = group.at(split, self._bound.places.get(self._listings[at].price, ()))
            values = self._bound.values(group, split, (Field.CURRENCY, Field.PLAYSET))
            copies = self._copies(values)
            price = self._pricing.price([*cells, constant], values.get(Field.CURRENCY, ""), copies=copies)
            if isinstance(price, int):
                made.append((price, _NONE, _NONE, self._decided(Kind.PRICE, *cells)))
            else:
                code = self._code(price)
                made.append((0, _NONE, code, _NONE) if price.question else (0, code, _NONE, _NONE))
        return made

    def _make_quantities(self, at: int, combinations: list[str]) -> list[tuple[int, ...]]:
        """For each the quantity, why it is left out or open, and a remark."""
        group, to = self._quantity_group, self._listings[at].quantity
        made: list[tuple[int, ...]] = []
        for one in combinations:
            values = self._bound.values(group, group.split(one), _QUANTITY_FIELDS)
            foils = values.get(Field.FOIL_PART, "") if to is Field.QUANTITY else ""
            text = values.get(to, "")
            judged = self._judge_quantity(text, self._copies(values), foils)
            made.append((*judged, self._decided(Kind.QUANTITY, text)))
        return made

    def _copies(self, values: dict[Field, str]) -> int:
        return _PLAYSET if words.is_yes(values.get(Field.PLAYSET, "")) else 1

    def _judge_quantity(self, text: str, copies: int, foils: str) -> tuple[int, ...]:
        """``foils``: how many of the copies are foils, which are a listing of their own."""
        if not text and len(self._listings) > 1:
            # Nothing is told, so that nothing is sold out.
            return _NONE, self._code(_SOLD_OUT), _NONE
        if not text:
            return 0, _NONE, self._code(ask("quantity-missing", "quantity-missing", ""))
        quantity = _read_quantity(text)
        if quantity is None:
            answer = self._quantity_answers.get(word_of(Kind.QUANTITY, text), "")
            if answer == LEAVE_OUT:
                return 0, self._code(reason("answered", word=text)), _NONE
            quantity = _read_quantity(answer)
        if quantity is None:
            return 0, _NONE, self._code(ask("quantity-unreadable", Kind.QUANTITY, text))
        if quantity < 0:
            return 0, self._code(reason("quantity-negative", value=quantity)), _NONE
        # What cannot be read is asked with the foils.
        quantity -= _read_quantity(foils) or 0
        if quantity < 0:
            return 0, _NONE, self._code(ask("quantity-foils", "quantity", foils, count=text))
        if not quantity:
            return 0, self._code(_SOLD_OUT), _NONE
        if quantity * copies > MAX_QUANTITY:
            return 0, _NONE, self._code(ask("quantity-too-high", "quantity", text))
        return quantity * copies, _NONE, _NONE

    # What rows come to.

    def _quantities(self, at: int, cells: pa.Table) -> Ints:
        combined = self._quantity_group.combine(cells)
        return self._quantity_memos[at].find(combined, lambda some: self._make_quantities(at, some))

    def _traits_of(self, at: int, cells: pa.Table) -> Ints:
        combined, finish = self._trait_group.combine(cells), self._listings[at].finish
        return self._trait_memos[at].find(combined, lambda some: self._make_traits(finish, some))

    def _offer(self, at: int, cells: pa.Table, targets: Ints, notes: tuple[Ints, Ints], count: int) -> _Offer:
        quantities, traits = self._quantities(at, cells), self._traits_of(at, cells)
        combined = self._price_groups[at].combine(cells)
        prices = self._price_memos[at].find(combined, lambda some: self._make_prices(at, some))
        items, variants, pair_codes, finish_codes = self._specials(targets, traits)
        item_open = np.where(items == _NONE, targets[:, 4], _NONE)
        # A later stage gives way to an earlier one.
        stages = [
            _Stage(Outcome.LEFT_OUT, notes[0]),
            # Before all that its cells say: they may have shifted.
            _Stage(Outcome.OPEN, notes[1]),
            _Stage(Outcome.LEFT_OUT, traits[:, 4]),
            _Stage(Outcome.LEFT_OUT, quantities[:, 1], may_be_sold_out=True),
            _Stage(Outcome.LEFT_OUT, prices[:, 1]),
            _Stage(Outcome.LEFT_OUT, targets[:, 3]),
            _Stage(Outcome.OPEN, item_open),
            _Stage(Outcome.OPEN, traits[:, 5]),
            _Stage(Outcome.OPEN, pair_codes),
            _Stage(Outcome.OPEN, prices[:, 2], may_be_sold_out=True),
            _Stage(Outcome.OPEN, quantities[:, 2]),
        ]
        outcomes = np.full(count, Outcome.ROW, np.int8)
        reasons = np.full(count, _NONE, np.int64)
        is_sold_out = (quantities[:, 0] == 0) & (quantities[:, 1] == self._code(_SOLD_OUT))
        for stage in reversed(stages):
            is_met = stage.codes != _NONE
            outcomes[is_met] = stage.outcome
            reasons[is_met] = stage.codes[is_met]
            if not stage.may_be_sold_out:
                is_sold_out &= ~is_met
        asked = np.array([stage.codes for stage in stages if stage.outcome is Outcome.OPEN])
        remarks = np.array([targets[:, 5], traits[:, 6], prices[:, 3], quantities[:, 3], finish_codes])
        own = items, variants, traits, prices[:, 0], quantities[:, 0]
        return _Offer(outcomes, reasons, is_sold_out, asked, remarks, *own)

    def _specials(self, targets: Ints, traits: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """The item, the variants, why these are open, and a remark, for the targets and traits of each row."""
        items, kinds = targets[:, 1].copy(), targets[:, 2]
        found = self._memos["pairs"].find(pa.array((kinds << _BITS) | traits[:, 0]), self._make_pairs)
        variants, codes, remarks = found[:, 0].copy(), np.full(len(found), _NONE, np.int64), found[:, 2].copy()
        # The reasons of these name the card, or the finish tells which of several it is.
        special_ones = np.flatnonzero(found[:, 1])
        if len(special_ones):
            both = pa.array((targets[special_ones, 0] << _BITS) | traits[special_ones, 0])
            items[special_ones], variants[special_ones], codes[special_ones], remarks[special_ones] = (
                self._memos["singles"].find(both, self._make_singles).T
            )
        return items, variants, codes, remarks

    def _make_pairs(self, pairs: list[int]) -> list[tuple[int, ...]]:
        """For each kind of item and printing the variants, whether the item must be looked at, and a remark."""
        made: list[tuple[int, ...]] = []
        for pair in pairs:
            kind, printing = pair >> _BITS, pair & _MASK
            what = special(*self._kinds[kind], self._printings[printing]) if kind != _NONE else None
            if what is None or what.open:
                made.append((_NONE, 1, _NONE))
            else:
                made.append((self._variant(what.variants), 0, self._code(what.remark)))
        return made

    def _make_singles(self, pairs: list[int]) -> list[tuple[int, ...]]:
        """For each target and printing the item, the variants, why these are open, and a remark."""
        return [self._single(self._targets[pair >> _BITS], self._printings[pair & _MASK]) for pair in pairs]

    def _single(self, target: Target, traits: Traits) -> tuple[int, ...]:
        item = target.items[0] if len(target.items) == 1 else choose(target.items, traits)
        if item is None:
            return _NONE, _NONE, _NONE, _NONE
        what = special(item, target.extras, traits)
        variant = _NONE if what.open else self._variant(what.variants)
        return self._item(item), variant, self._code(what.open), self._code(what.remark)

    def _variant(self, variants: str) -> int:
        place = self._variant_places.setdefault(variants, len(self.variants))
        if place == len(self.variants):
            self.variants.append(variants)
        return place

    def _note_codes(self, block: Block) -> tuple[Ints, Ints]:
        """Why rows are left out or open by what the reader noted."""
        left_out, held = np.full(len(block), _NONE, np.int64), np.full(len(block), _NONE, np.int64)
        for at, note in block.notes.items():
            if note in _NOTES:
                left_out[at] = self._code(reason(_NOTES[note]))
            elif note in _BROKEN:
                held[at] = self._code(reason("irregular", note=_BROKEN[note]))
        return left_out, held

    def _finish(self, block: Block, cells: pa.Table, offers: Sequence[_Offer]) -> Worked:
        """Joins the listings that each row makes: it is open if one of them is, and left out if all are."""
        outcomes, reasons = offers[0].outcomes.copy(), offers[0].reasons.copy()
        for offer in offers[1:]:
            is_open = (offer.outcomes == Outcome.OPEN) & (outcomes != Outcome.OPEN)
            is_row = (offer.outcomes == Outcome.ROW) & (outcomes == Outcome.LEFT_OUT)
            outcomes[is_open], reasons[is_open] = Outcome.OPEN, offer.reasons[is_open]
            outcomes[is_row], reasons[is_row] = Outcome.ROW, _NONE
        is_held = outcomes == Outcome.OPEN
        rows = [np.flatnonzero(~is_held & ((one.outcomes == Outcome.ROW) | one.is_sold_out)) for one in offers]
        places = np.concatenate(rows)
        order = np.argsort(places, kind="stable")
        places = places[order]

        def joined(name: str) -> Ints:
            if len(offers) == 1:
                return np.asarray(getattr(offers[0], name)[rows[0]])
            return np.concatenate([getattr(offer, name)[at] for offer, at in zip(offers, rows, strict=True)])[order]

        items, traits = joined("items"), joined("traits")
        if len(self._item_columns[0]) < len(self._item_urns):
            self._item_columns = np.fromiter(self._item_places, np.int32), pa.array(self._item_urns, pa.string())
        ids, urns = self._item_columns
        local, reason_at = np.unique(reasons, return_inverse=True)
        has_none = len(local) > 0 and local[0] == _NONE
        return Worked(
            block.lines,
            block.starts,
            block.lengths,
            outcomes,
            (reason_at - 1 if has_none else reason_at).astype(np.int32),
            [self._reasons[one] for one in local.tolist() if one != _NONE],
            Offers(
                places.astype(np.int32),
                ids[items],
                urns.take(pa.array(items)),
                traits[:, 1].astype(np.int8),
                joined("variants").astype(np.int32),
                joined("prices").astype(np.int32),
                joined("quantities").astype(np.int32),
                traits[:, 2].astype(np.int8),
                texts_of(self._bound, cells, places, traits[:, 3] > 0),
            ),
            self._questions(outcomes, offers),
            self._remarks(outcomes, offers),
        )

    def _questions(self, outcomes: NDArray[np.int8], offers: Sequence[_Offer]) -> list[tuple[Reason, int]]:
        """What is to be decided in open rows, each with the number of rows."""
        held = np.flatnonzero(outcomes == Outcome.OPEN)
        if not len(held):
            return []
        # Nothing is asked about a listing that is left out, although another of its row is open.
        codes = np.concatenate(
            [np.where(offer.outcomes[held] == Outcome.OPEN, offer.asked[:, held], _NONE) for offer in offers]
        )
        return [(why, count) for why, count, _ in self._count(codes)]

    def _remarks(self, outcomes: NDArray[np.int8], offers: Sequence[_Offer]) -> list[tuple[Reason, int, int]]:
        """What is to be looked at in rows that become listings."""
        is_row = outcomes == Outcome.ROW
        return self._count(
            np.concatenate(
                [np.where(is_row & (offer.outcomes == Outcome.ROW), offer.remarks, _NONE) for offer in offers]
            )
        )

    def _count(self, codes: Ints) -> list[tuple[Reason, int, int]]:
        """The reasons with these codes, a column for each row: each with the number of rows and the first of them."""
        # Each once a row.
        at = np.nonzero(codes != _NONE)
        pairs = np.unique((codes[at] << _BITS) | at[1])
        distinct, firsts, counts = np.unique(pairs >> _BITS, return_index=True, return_counts=True)
        found = zip(distinct.tolist(), counts.tolist(), (pairs[firsts] & _MASK).tolist(), strict=True)
        return [(self._reasons[code], count, first) for code, count, first in found]
