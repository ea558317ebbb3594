"""Converts a foreign file into the import format: block by block, with where each line of it came from."""

import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.csvfile.columns import COLUMNS, HEADER, Column
from app.csvfile.contract import CONDITION_CODES, Condition, Mode
from app.csvfile.rows import whole
from app.extensions import db
from app.imports.foreign.block_converter import BlockConverter, Offers, Worked
from app.imports.foreign.bound import Bound, bytes_of, has_any
from app.imports.foreign.mapping import Mapping
from app.imports.foreign.reading import Reading, blocks
from app.imports.foreign.reasons import ADDED_PRICE, Outcome, Reason, reason
from app.imports.foreign.texts import find_unsaid, one_line
from app.queries.listings import listings

#: The header of a converted file, with its line end.
HEADER_LINE = f"{HEADER}\n".encode()

_CODES = dict(zip(CONDITION_CODES.values(), CONDITION_CODES, strict=True))
#: By the numbers of conditions, and of ``Offers.hidden``.
_CONDITIONS = pa.array(["", *(_CODES[one] for one in Condition)])
_HIDDEN = pa.array(["", "false", "true"])
_NOTHING = pa.scalar("", pa.string())
#: Where the id of the item begins in the key of a listing, counted in bits from the lowest.
_ITEM_BIT = 28


@dataclass(frozen=True)
class Converted:
    """What some consecutive rows of a foreign file came to. An array has an element for each row, unless it says so."""

    #: Lines of the import format in UTF-8, each with its line end, and none with a line break inside.
    data: bytes
    #: The line in the converted file of the first of them. The header is line 1.
    first_line: int
    #: For each of these lines the row it came from, as a position in the arrays below.
    from_rows: NDArray[np.int32]
    #: The first physical line of each row, or the row of the sheet.
    lines: NDArray[np.int64]
    #: Where its bytes begin in the text of the file, and how many there are.
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    #: What it came to: numbers of ``Outcome``.
    outcomes: NDArray[np.int8]
    #: Why: a position in ``reasons``, or -1.
    reason_at: NDArray[np.int32]
    reasons: list[Reason]
    #: Rows (as positions) and the lines of the converted file to which they were added. A row can make several lines
    #: and be added to others.
    added_rows: NDArray[np.int32]
    added_lines: NDArray[np.int32]
    #: What is to be decided, each with the number of rows that wait for it: a row can wait for several things.
    questions: list[tuple[Reason, int]] = field(default_factory=list)

    def outcome_counts(self) -> dict[Outcome, int]:
        """How many rows came to each outcome."""
        counts = np.bincount(self.outcomes, minlength=len(Outcome))
        return {outcome: int(counts[outcome]) for outcome in Outcome}


def convert(
    source: BinaryIO,
    reading: Reading,
    mapping: Mapping,
    seller_id: int,
    *,
    on_read: Callable[[int], None] = lambda _rows: None,
    most_blocks: int | None = None,
    only: NDArray[np.int64] | None = None,
) -> Iterator[Converted]:
    """Convert the file that was read as ``reading``, or as many of its first blocks.

    It is worked through once, and each block is laid by in a temporary file, until it is known which rows are for the
    same listing: the first of them gets the quantities of all. Memory holds some bytes a row for that. ``on_read`` is
    told the number of rows after each block; all are read before the first ``Converted`` comes. ``only``: the lines of
    the rows that are taken; the others just add their quantities to the listings of these.

    Reads the catalog and the seller's listings, and ends the session's transaction after each block, because the
    database would end one that waits for long.
    """
    bound = Bound(mapping, reading.columns)
    converter = BlockConverter(bound)
    with tempfile.TemporaryFile() as laid_by:
        keys, rows = _Keys(), 0
        for block in islice(blocks(source, reading), most_blocks):
            worked = converter.work(block)
            db.session.rollback()
            keys.add(worked.offers, None if only is None else np.isin(worked.lines[worked.offers.rows], only))
            pickle.dump(worked, laid_by, pickle.HIGHEST_PROTOCOL)
            rows += len(block)
            on_read(rows)
        merged = keys.merge()
        laid_by.seek(0)
        writer = _Writer(merged, converter.variants, find_unsaid(bound), seller_id)
        while writer.rows < rows:
            converted = writer.write(pickle.load(laid_by))
            db.session.rollback()
            yield converted


class _Merged:
    """Which offers are for the same listing, by their numbers in the order of the file."""

    def __init__(
        self,
        keys: NDArray[np.int64],
        quantities: NDArray[np.int32],
        prices: NDArray[np.int32],
        are_taken: NDArray[np.bool_] | None,
    ) -> None:
        #: For each that is the first the quantity of all.
        self.quantities = quantities
        #: For each the price of the first for its listing.
        self.prices = prices
        #: For each whether its listing is taken; None: all are.
        self.are_taken = are_taken
        firsts = np.arange(len(keys), dtype=np.int32)
        # A part after the other, so that little memory is needed beside what is kept.
        parts = keys.view(np.uint32)[:: keys.itemsize // 4] >> np.uint32(_ITEM_BIT)
        for part in range(1 << 32 - _ITEM_BIT):
            self._merge(np.flatnonzero(parts == part), keys, firsts)
        #: For each whether it is the first for its listing.
        self.is_first = firsts == np.arange(len(keys), dtype=np.int32)
        if are_taken is not None:
            self.is_first &= are_taken
        #: For each the line of the listing in the converted file.
        self.out_lines = (np.cumsum(self.is_first, dtype=np.int32) + np.int32(1))[firsts]

    def _merge(self, at: NDArray[np.int64], keys: NDArray[np.int64], firsts: NDArray[np.int32]) -> None:
        """Add up those offers that are ``at`` some numbers, and set which is the first for the listing of each."""
        if not len(at):
            return
        at = at[np.argsort(keys[at])]
        some = keys[at]
        starts = np.flatnonzero(np.concatenate([[True], some[1:] != some[:-1]]))
        if len(starts) == len(at):
            return
        first = np.minimum.reduceat(at, starts)
        # The sum may be more than a listing can hold, which its row is told when it is imported.
        sums = np.add.reduceat(self.quantities[at], starts, dtype=np.int64)
        self.quantities[first] = np.minimum(sums, np.iinfo(np.int32).max)
        counts = np.diff(starts, append=len(at))
        firsts[at] = np.repeat(first, counts)
        if self.are_taken is not None:
            self.are_taken[at] = np.repeat(np.logical_or.reduceat(self.are_taken[at], starts), counts)
        self.prices[at] = self.prices[firsts[at]]


class _Keys:
    """Collects what decides which offers are for the same listing."""

    def __init__(self) -> None:
        self._keys: list[NDArray[np.int64]] = []
        self._quantities: list[NDArray[np.int32]] = []
        self._prices: list[NDArray[np.int32]] = []
        self._are_taken: list[NDArray[np.bool_]] = []

    def add(self, offers: Offers, are_taken: NDArray[np.bool_] | None) -> None:
        """Add the offers of the next block, and which of them are taken (None: all)."""
        # The parts of the listing key, side by side in 64 bits.
        key = offers.item_ids.astype(np.int64) << _ITEM_BIT | offers.conditions.astype(np.int64) << 24 | offers.variants
        self._keys.append(key)
        self._quantities.append(offers.quantities)
        self._prices.append(offers.prices)
        if are_taken is not None:
            self._are_taken.append(are_taken)

    def merge(self) -> _Merged:
        """Which offers are for the same listing; what was collected is given away."""
        are_taken = _taken(self._are_taken) if self._are_taken else None
        return _Merged(_taken(self._keys), _taken(self._quantities), _taken(self._prices), are_taken)


def _taken(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The parts as one, which are not kept."""
    whole = np.concatenate(parts) if parts else np.empty(0, np.int64)
    parts.clear()
    return whole


class _Writer:
    """Writes the lines of the import format."""

    def __init__(self, merged: _Merged, variants: list[str], unsaid: dict[str, str], seller_id: int) -> None:
        self._merged = merged
        #: The columns in which an UPDATE gets what the listing has, with their fields.
        self._unsaid = unsaid
        self._variants = pa.array(variants, pa.string())
        self._seller_id = seller_id
        self._has_listings = listings.exists_for(seller_id)
        self._offers = 0
        self._next_line = 2
        #: The rows written so far.
        self.rows = 0

    def write(self, worked: Worked) -> Converted:
        """What the rows of the next block became."""
        offers, count = worked.offers, len(worked.offers.rows)
        here = slice(self._offers, self._offers + count)
        is_first, out_lines = self._merged.is_first[here], self._merged.out_lines[here]
        are_taken = np.full(count, True) if self._merged.are_taken is None else self._merged.are_taken[here]
        own, added, passed = map(np.flatnonzero, (is_first, ~is_first & are_taken, ~are_taken))
        self._offers += count
        self.rows += len(worked.lines)
        first_line, self._next_line = self._next_line, self._next_line + len(own)
        reasons = [*worked.reasons]
        if len(added):
            only_added = np.setdiff1d(offers.rows[added], offers.rows[own])
            worked.outcomes[only_added] = Outcome.ADDED
            whys, why_at = _why_added(self._merged.prices[here][added], offers.prices[added])
            worked.reason_at[offers.rows[added]] = len(reasons) + why_at
            worked.reason_at[offers.rows[own]] = -1
            reasons += whys
        if len(passed):
            only_passed = np.setdiff1d(offers.rows[passed], offers.rows[are_taken])
            worked.outcomes[only_passed], worked.reason_at[only_passed] = Outcome.LEFT_OUT, len(reasons)
            reasons.append(reason("had-before"))
        return Converted(
            self._lines(offers, own, self._merged.quantities[here][own]),
            first_line,
            offers.rows[own],
            worked.lines,
            worked.starts,
            worked.lengths,
            worked.outcomes,
            worked.reason_at,
            reasons,
            offers.rows[added],
            out_lines[added],
            worked.questions,
        )

    def _lines(self, offers: Offers, own: NDArray[np.int64], quantities: NDArray[np.int32]) -> bytes:
        if not len(own):
            return b""
        at = pa.array(own)
        variants = self._variants.take(pa.array(offers.variants[own]))
        texts = {name: texts.take(at) for name, texts in offers.texts.items()}
        columns = {
            Column.MODE.name: self._modes(offers, own, variants, texts),
            Column.URN.name: _quoted(offers.urns.take(at)),
            Column.CONDITION.name: _CONDITIONS.take(pa.array(offers.conditions[own])),
            Column.PRICE.name: pa.array(offers.prices[own]).cast(pa.string()),
            Column.QUANTITY.name: pa.array(quantities).cast(pa.string()),
            Column.VARIANTS.name: variants,
            Column.HIDDEN.name: _HIDDEN.take(pa.array(offers.hidden[own])),
            **{name: _quoted(pc.fill_null(cells, "")) for name, cells in texts.items()},
        }
        cells = [columns.get(name, _NOTHING) for name in COLUMNS]
        return as_lines(*cells)

    def _modes(
        self, offers: Offers, own: NDArray[np.int64], variants: pa.Array, texts: dict[str, pa.Array]
    ) -> pa.Array:
        """UPDATE where the seller has the listing, else CREATE.

        Sets those of the ``texts`` that an UPDATE would clear although the file says nothing of them: they stay.
        """
        modes = np.zeros(len(own), np.int8)
        if self._has_listings:
            keys = pa.table(
                {
                    "item_id": pa.array(offers.item_ids[own], pa.int32()),
                    "condition": pa.array(offers.conditions[own], pa.int16()),
                    "variants": variants,
                }
            )
            found = listings.find_texts(self._seller_id, keys, [*self._unsaid.values()])
            at = np.asarray(found["at"])
            modes[at] = 1
            places = np.full(len(own), -1)
            places[at] = np.arange(len(at))
            where = pa.array(places, mask=places < 0)
            for name, field_name in self._unsaid.items():
                # A line of the converted file is a row.
                present = one_line(whole(found[field_name])).take(where)
                texts[name] = pc.coalesce(texts[name], present) if name in texts else present
        return pa.array([Mode.CREATE.value, Mode.UPDATE.value]).take(pa.array(modes))


def as_lines(*cells: pa.Array | pa.Scalar) -> bytes:
    """Lines of CSV of these columns, whose values are quoted where they must be."""
    *others, last = cells
    return bytes_of(pc.binary_join_element_wise(*others, pc.binary_join_element_wise(last, "\n", ""), ",")).tobytes()


def _why_added(counting: NDArray[np.int32], own: NDArray[np.int32]) -> tuple[list[Reason], NDArray[np.intp]]:
    """The reasons of rows that were added to others, by the price that counts and their own; for each which it has."""
    own = np.where(own == counting, 0, own)
    pairs, at = np.unique(np.where(own, counting.astype(np.int64) << 32 | own, 0), return_inverse=True)
    return [
        reason(ADDED_PRICE, counts=_pounds(pair >> 32), own=_pounds(pair & 0xFFFFFFFF)) if pair else reason("added")
        for pair in pairs.tolist()
    ], at


def _pounds(pence: int) -> str:
    return f"£{pence / 100:,.2f}"


def _quoted(texts: pa.Array) -> pa.Array:
    """Texts without line breaks as cells of CSV."""
    if not has_any(texts, b'",'):
        return texts
    needs = pc.match_substring_regex(texts, '[",]')
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), texts)
