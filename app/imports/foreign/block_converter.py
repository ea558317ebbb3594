"""Works through the blocks of a foreign file: decides for each row what it comes to, by distinct values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.csvfile.contract import MAX_QUANTITY
from app.imports.foreign import words
from app.imports.foreign.bound import Bound, Group
from app.imports.foreign.fill import Filler
from app.imports.foreign.items import ITEM_FIELDS, ItemCells, Items, Target, label
from app.imports.foreign.mapping import LEAVE_OUT, Field, How, Kind, Mapping, word_of
from app.imports.foreign.memo import Ints, Memo, Numbered
from app.imports.foreign.money import Pricing
from app.imports.foreign.numbers import split_name
from app.imports.foreign.reasons import DECIDED, Outcome, Reason, ask, reason
from app.imports.foreign.shapes import Block, Note
from app.imports.foreign.texts import texts_of
from app.imports.foreign.traits import TRAIT_FIELDS, TraitReader, Traits, choose, special
from app.queries.items_by_set import NamedItem

#: The kinds of words that a seller decides, each of which is called like its field.
_WORDS = (Kind.CONDITION, Kind.FINISH, Kind.LANGUAGE)
_QUANTITY_FIELDS = (Field.QUANTITY, Field.FOIL_QUANTITY, Field.FOIL_PART, Field.PLAYSET)
#: Copies in a playset.
_PLAYSET = 4
_QUANTITY = re.compile(
    r"x?\s*(-?[0-9]{1,3}(?:[,. '’][0-9]{3})+|-?[0-9]+)(?:[.,]0{1,2})?\s*(?:[x×]\s*(?:[^\d\s].*)?)?", re.IGNORECASE
)
#: Reasons, and targets, that are remembered, before all that was decided is forgotten.
_MOST_REASONS, _MOST_TARGETS = 20_000, 100_000
_SOLD_OUT = reason("quantity-zero")
#: Marks that no reason is given.
_NONE = -1
#: Two positions are one number (``_joined``): the first before the last 32 bits, the second in these.
_BITS = 32
_MASK = (1 << _BITS) - 1

#: Why rows are left out by what the reader noted, and open.
_NO_ROWS = {Note.TOTAL: reason("total"), Note.HEADER: reason("header-again"), Note.REMARK: reason("remark")}
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
class Outcomes:
    """What some consecutive rows of a foreign file come to. An array has an element for each row."""

    #: The first physical line of each row, or the row of the sheet.
    lines: Ints
    #: Where its bytes begin in the text of the file, and how many there are.
    starts: Ints
    lengths: Ints
    #: Numbers of ``Outcome``.
    outcomes: NDArray[np.int8]
    #: Why: a position in ``reasons``, or -1.
    reason_at: NDArray[np.int32]
    reasons: list[Reason]
    #: What is to be decided, each with the number of rows that wait for it: a row can wait for several things.
    questions: list[tuple[Reason, int]]
    #: What its seller should look at, each with the number of rows, and the first of them, as a position.
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


@dataclass
class _Listing:
    """One of the listings that a row makes: which fields are its quantity and price, and what else is its finish."""

    quantity: Field
    price: Field
    finish: str = ""
    #: What was decided of distinct cells before.
    quantities: Memo = field(default_factory=lambda: Memo(4, pa.string()))
    prices: Memo = field(default_factory=lambda: Memo(4, pa.string()))
    traits: Memo = field(default_factory=lambda: Memo(7, pa.string()))


def _listings(mapping: Mapping) -> list[_Listing]:
    foils = next((to for to in (Field.FOIL_QUANTITY, Field.FOIL_PART) if to in mapping.sources), None)
    if foils is None:
        return [_Listing(Field.QUANTITY, Field.PRICE)]
    price = Field.FOIL_PRICE if Field.FOIL_PRICE in mapping.sources else Field.PRICE
    return [_Listing(Field.QUANTITY, Field.PRICE, words.NORMAL), _Listing(foils, price, words.FOIL)]


class BlockConverter:
    """Converts blocks by the rules of a mapping. What was decided for distinct cells before is remembered."""

    def __init__(self, bound: Bound) -> None:
        mapping = bound.mapping
        self._bound, self._mapping = bound, mapping
        self._items = Items(mapping)
        self._trait_reader = TraitReader(mapping)
        self._pricing = Pricing(mapping)
        self._fill = Filler(bound)
        self._item_group = bound.group(ITEM_FIELDS.values())
        self._trait_group = bound.group(TRAIT_FIELDS, (at for places in bound.filters for at in places))
        self._quantity_group = bound.group(_QUANTITY_FIELDS)
        #: The distinct variants of listings, joined by ``|``.
        self.variants = Numbered[str]()
        self._restart()

    def _restart(self) -> None:
        """Forget what was decided."""
        self._listings = _listings(self._mapping)
        self._reasons = Numbered[Reason]()
        self._targets: list[Target] = []
        #: One of the traits for each printing: their finishes and language, on which alone the variants depend.
        self._printings = Numbered[Traits]()
        #: One of the items of each kind, with what its set says of it: all have the same variants for the same traits.
        self._kinds = Numbered[tuple[NamedItem, frozenset[str]]]()
        self._target_memo = Memo(6, pa.string())
        self._pair_memo, self._single_memo = Memo(3, pa.int64()), Memo(4, pa.int64())
        #: The items that were found, and the ids and URNs of the first of them.
        self._found = Numbered[NamedItem]()
        self._found_columns = np.empty(0, np.int32), pa.array([], pa.string())

    def work(self, block: Block) -> tuple[Outcomes, Offers]:
        """What the rows of ``block``, the next one of the file, come to, before those for one listing are added up."""
        if len(self._reasons) > _MOST_REASONS or len(self._targets) > _MOST_TARGETS:
            self._restart()
        cells = self._fill(block.cells)
        targets = self._target_memo.find(self._item_group.combine(cells), self._make_targets)
        notes = self._note_codes(block)
        return self._finish(block, cells, [self._offer(one, cells, targets, notes) for one in self._listings])

    def for_sale(self, cells: pa.Table) -> NDArray[np.bool_]:
        """Which rows none of their own cells leaves out; whether they name a card is not looked at."""
        found = np.zeros(cells.num_rows, np.bool_)
        for one in self._listings:
            found |= (self._quantities(one, cells)[:, 1] == _NONE) & (self._traits(one, cells)[:, 4] == _NONE)
        return found

    # What distinct cells come to.

    def _code(self, why: Reason | None) -> int:
        return _NONE if why is None else self._reasons.number(why, why)

    def _decided(self, kind: Kind, *found: str) -> int:
        """The code of a remark on a row with one of these words, if its seller has decided what that means."""
        answers = self._mapping.answers.get(kind, {})
        word = next((one for one in found if one and word_of(kind, one) in answers), "")
        return self._code(reason(DECIDED, word=word) if word else None)

    def _make_targets(self, combinations: list[str]) -> list[tuple[int, ...]]:
        cells = [self._item_cells(one) for one in combinations]
        return [self._target(*one) for one in zip(cells, self._items.resolve(cells), strict=True)]

    def _item_cells(self, combination: str) -> ItemCells:
        group = self._item_group
        values = self._bound.values(group, group.split(combination), ITEM_FIELDS.values())
        cells = ItemCells(**{name: values.get(to, "") for name, to in ITEM_FIELDS.items()})
        name = self._mapping.sources.get(Field.NAME)
        if name and (name.how == How.IN_NAME or not cells.number):
            bare, number = split_name(cells.name)
            if number and not cells.number:
                cells = cells._replace(name=bare, number=number)
        return cells

    def _target(self, cells: ItemCells, target: Target) -> tuple[int, ...]:
        """The target, its item (_NONE if not just one), its kind, why it is left out or open, a remark."""
        self._targets.append(target)
        item = kind = _NONE
        if len(target.items) == 1:
            (only,) = target.items
            item = self._found.number(only, only.id)
            key = (only.variants, only.game, only.name.isascii(), target.extras)
            kind = self._kinds.number((only, target.extras), key)
        code = self._code(target.reason)
        left_out, is_open = (code, _NONE) if target.is_left_out else (_NONE, code)
        remark = max(
            self._decided(Kind.ITEM, label(cells)),
            self._decided(Kind.SET, cells.set_name, cells.set_code, self._items.set_word(cells)),
            self._decided(Kind.GAME, cells.game),
            self._code(target.remark),
        )
        return len(self._targets) - 1, item, kind, left_out, is_open, remark

    def _trait(self, finish: str, combination: str) -> tuple[int, ...]:
        """The printing, condition, HIDDEN, whether altered, why it is left out or open, a remark."""
        split = self._trait_group.split(combination)
        values = self._bound.values(self._trait_group, split, TRAIT_FIELDS)
        filtered = [self._trait_group.at(split, places) for places in self._bound.filters]
        traits = self._trait_reader.read(values, filtered, finish)
        return (
            self._printings.number(traits, (traits.finishes, traits.language)),
            traits.condition or 0,
            0 if traits.is_hidden is None else 1 + traits.is_hidden,
            traits.is_altered,
            self._code(traits.left_out),
            self._code(traits.open),
            max(self._decided(kind, words.without_count(values.get(Field(kind), ""))) for kind in _WORDS),
        )

    def _price(self, group: Group, price: Field, combination: str) -> tuple[int, ...]:
        """The price in pence, why it is left out or open, and a remark."""
        split = group.split(combination)
        cells = group.at(split, self._bound.places.get(price, ()))
        values = self._bound.values(group, split, (Field.CURRENCY, Field.PLAYSET))
        source = self._mapping.sources.get(Field.PRICE)
        told = [*cells, source.constant if source else ""]
        found = self._pricing.price(told, values.get(Field.CURRENCY, ""), copies=self._copies(values))
        return self._amount(found, self._decided(Kind.PRICE, *cells))

    def _quantity(self, to: Field, combination: str) -> tuple[int, ...]:
        """The quantity, why it is left out or open, and a remark."""
        values = self._bound.values(self._quantity_group, self._quantity_group.split(combination), _QUANTITY_FIELDS)
        # Foils among the copies are a listing of their own.
        foils = values.get(Field.FOIL_PART, "") if to is Field.QUANTITY else ""
        text = values.get(to, "")
        if not text and len(self._listings) > 1:
            # Nothing is told, so that nothing is sold out.
            return _NONE, self._code(_SOLD_OUT), _NONE, _NONE
        found = self._judge_quantity(text, self._copies(values), foils)
        return self._amount(found, self._decided(Kind.QUANTITY, text))

    def _amount(self, found: int | Reason, remark: int) -> tuple[int, ...]:
        """The numbers of a price or a quantity. A reason with a question leaves the row open, another one out."""
        if isinstance(found, int):
            return found, _NONE, _NONE, remark
        code = self._code(found)
        return (0, _NONE, code, _NONE) if found.question else (0, code, _NONE, _NONE)

    def _copies(self, values: dict[Field, str]) -> int:
        return _PLAYSET if words.is_yes(values.get(Field.PLAYSET, "")) else 1

    def _judge_quantity(self, text: str, copies: int, foils: str) -> int | Reason:
        if not text:
            return ask("quantity-missing", "quantity-missing", "")
        quantity = _read_quantity(text)
        if quantity is None:
            answer = self._mapping.answers.get(Kind.QUANTITY, {}).get(word_of(Kind.QUANTITY, text), "")
            if answer == LEAVE_OUT:
                return reason("answered", word=text)
            quantity = _read_quantity(answer)
        if quantity is None:
            return ask("quantity-unreadable", Kind.QUANTITY, text)
        if quantity < 0:
            return reason("quantity-negative", value=quantity)
        # What cannot be read is asked with the foils.
        quantity -= _read_quantity(foils) or 0
        if quantity < 0:
            return ask("quantity-foils", "quantity", foils, count=text)
        if quantity * copies > MAX_QUANTITY:
            return ask("quantity-too-high", "quantity", text)
        return quantity * copies or _SOLD_OUT

    # What rows come to.

    def _quantities(self, listing: _Listing, cells: pa.Table) -> Ints:
        combined = self._quantity_group.combine(cells)
        return listing.quantities.find(combined, lambda some: [self._quantity(listing.quantity, one) for one in some])

    def _traits(self, listing: _Listing, cells: pa.Table) -> Ints:
        combined = self._trait_group.combine(cells)
        return listing.traits.find(combined, lambda some: [self._trait(listing.finish, one) for one in some])

    def _prices(self, listing: _Listing, cells: pa.Table) -> Ints:
        group = self._bound.group((listing.price, Field.CURRENCY, Field.PLAYSET))
        combined = group.combine(cells)
        return listing.prices.find(combined, lambda some: [self._price(group, listing.price, one) for one in some])

    def _offer(self, listing: _Listing, cells: pa.Table, targets: Ints, notes: tuple[Ints, Ints]) -> _Offer:
        quantities, traits = self._quantities(listing, cells), self._traits(listing, cells)
        prices = self._prices(listing, cells)
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
        outcomes = np.full(len(targets), Outcome.ROW, np.int8)
        reasons = np.full(len(targets), _NONE, np.int64)
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
        pairs = pa.array(_joined(kinds, traits[:, 0]))
        found = self._pair_memo.find(pairs, lambda some: [self._pair(*_split(one)) for one in some])
        variants, codes, remarks = found[:, 0].copy(), np.full(len(found), _NONE, np.int64), found[:, 2].copy()
        # The reasons of these name the card, or the finish tells which of several it is.
        at = np.flatnonzero(found[:, 1])
        if len(at):
            singles = pa.array(_joined(targets[at, 0], traits[at, 0]))
            items[at], variants[at], codes[at], remarks[at] = self._single_memo.find(
                singles, lambda some: [self._single(*_split(one)) for one in some]
            ).T
        return items, variants, codes, remarks

    def _pair(self, kind: int, printing: int) -> tuple[int, ...]:
        """For a kind of item and a printing the variants, whether the item must be looked at, and a remark."""
        what = special(*self._kinds[kind], self._printings[printing]) if kind != _NONE else None
        if what is None or what.open:
            return _NONE, 1, _NONE
        return self.variants.number(what.variants, what.variants), 0, self._code(what.remark)

    def _single(self, at: int, printing: int) -> tuple[int, ...]:
        """For a target and a printing the item, the variants, why these are open, and a remark."""
        target, traits = self._targets[at], self._printings[printing]
        item = target.items[0] if len(target.items) == 1 else choose(target.items, traits)
        if item is None:
            return _NONE, _NONE, _NONE, _NONE
        what = special(item, target.extras, traits)
        variant = _NONE if what.open else self.variants.number(what.variants, what.variants)
        return self._found.number(item, item.id), variant, self._code(what.open), self._code(what.remark)

    def _note_codes(self, block: Block) -> tuple[Ints, Ints]:
        """Why rows are left out or open by what the reader noted."""
        left_out, held = np.full(len(block), _NONE, np.int64), np.full(len(block), _NONE, np.int64)
        for at, note in block.notes.items():
            if note in _NO_ROWS:
                left_out[at] = self._code(_NO_ROWS[note])
            elif note in _BROKEN:
                held[at] = self._code(reason("irregular", note=_BROKEN[note]))
        return left_out, held

    def _finish(self, block: Block, cells: pa.Table, offers: Sequence[_Offer]) -> tuple[Outcomes, Offers]:
        """Joins the listings that each row makes: it is open if one of them is, and left out if all are."""
        outcomes, reasons = offers[0].outcomes.copy(), offers[0].reasons.copy()
        for offer in offers[1:]:
            is_open = (offer.outcomes == Outcome.OPEN) & (outcomes != Outcome.OPEN)
            is_row = (offer.outcomes == Outcome.ROW) & (outcomes == Outcome.LEFT_OUT)
            outcomes[is_open], reasons[is_open] = Outcome.OPEN, offer.reasons[is_open]
            outcomes[is_row], reasons[is_row] = Outcome.ROW, _NONE
        asked = self._count(Outcome.OPEN, outcomes, offers, [one.asked for one in offers])
        # Only some of all reasons are given here. The first is none.
        codes, reason_at = np.unique(np.append(reasons, _NONE), return_inverse=True)
        return (
            Outcomes(
                block.lines,
                block.starts,
                block.lengths,
                outcomes,
                (reason_at[:-1] - 1).astype(np.int32),
                [self._reasons[code] for code in codes[1:].tolist()],
                [(why, count) for why, count, _ in asked],
                self._count(Outcome.ROW, outcomes, offers, [one.remarks for one in offers]),
            ),
            self._offers(cells, outcomes, offers),
        )

    def _offers(self, cells: pa.Table, outcomes: NDArray[np.int8], offers: Sequence[_Offer]) -> Offers:
        """The listings that rows make, and those that may become sold out."""
        is_held = outcomes == Outcome.OPEN
        rows = [np.flatnonzero(~is_held & ((one.outcomes == Outcome.ROW) | one.is_sold_out)) for one in offers]
        places = np.concatenate(rows)
        order = np.argsort(places, kind="stable")
        places = places[order]

        def chosen(name: str) -> Ints:
            parts = [getattr(offer, name)[at] for offer, at in zip(offers, rows, strict=True)]
            return np.concatenate(parts)[order]

        ids, urns = self._found_columns
        if new := self._found[len(ids) :]:
            ids = np.append(ids, np.array([one.id for one in new], np.int32))
            urns = pa.concat_arrays([urns, pa.array([one.urn for one in new], pa.string())])
            self._found_columns = ids, urns
        items, traits = chosen("items"), chosen("traits")
        return Offers(
            places.astype(np.int32),
            ids[items],
            urns.take(pa.array(items)),
            traits[:, 1].astype(np.int8),
            chosen("variants").astype(np.int32),
            chosen("prices").astype(np.int32),
            chosen("quantities").astype(np.int32),
            traits[:, 2].astype(np.int8),
            texts_of(self._bound, cells, places, traits[:, 3] > 0),
        )

    def _count(
        self, outcome: Outcome, outcomes: NDArray[np.int8], offers: Sequence[_Offer], codes: Sequence[Ints]
    ) -> list[tuple[Reason, int, int]]:
        """The reasons of rows and offers with this outcome, each with the number of rows and the first of them.

        ``codes``: those of each offer, a column for each row.
        """
        # Nothing is asked about a listing that is left out, although another of its row is open.
        there = [
            np.where((outcomes == outcome) & (offer.outcomes == outcome), own, _NONE)
            for offer, own in zip(offers, codes, strict=True)
        ]
        given = np.concatenate(there)
        # Each once a row.
        at = np.nonzero(given != _NONE)
        pairs = np.unique(_joined(given[at], at[1]))
        distinct, firsts, counts = np.unique(pairs >> _BITS, return_index=True, return_counts=True)
        found = zip(distinct.tolist(), counts.tolist(), (pairs[firsts] & _MASK).tolist(), strict=True)
        return [(self._reasons[code], count, first) for code, count, first in found]


def _joined(first: Ints, second: Ints) -> Ints:
    return (first << _BITS) | second


def _split(pair: int) -> tuple[int, int]:
    return pair >> _BITS, pair & _MASK
