"""Converts a foreign file into the import format: block by block, with where each line of it came from."""

import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.csvfile.columns import COLUMNS, HEADER, Column
from app.csvfile.contract import CONDITION_CODES, Mode
from app.csvfile.rows import whole
from app.extensions import db
from app.imports.foreign.block_converter import BlockConverter, Offers, Outcomes
from app.imports.foreign.bound import Bound, bytes_of, has_any
from app.imports.foreign.mapping import Mapping
from app.imports.foreign.reading import blocks
from app.imports.foreign.reasons import ADDED_PRICE, Outcome, Reason, reason
from app.imports.foreign.shapes import Reading
from app.imports.foreign.spill import Spill
from app.imports.foreign.texts import find_unsaid, one_line
from app.queries.listings import listings

#: The header of a converted file, with its line end.
HEADER_LINE = f"{HEADER}\n".encode()

#: By the numbers of conditions, and of ``Offers.hidden``.
_CONDITIONS = pa.array(["", *CONDITION_CODES])
_HIDDEN = pa.array(["", "false", "true"])
_NOTHING = pa.scalar("", pa.string())
#: An offer, by its number in the file: the key of its listing, the number of the first for that and the line that this
#: becomes, the quantity, at the first in the end that of all, the price of the first, and whether the listing is taken.
_OFFER = np.dtype(
    {
        "names": ["key", "number", "first", "out_line", "quantity", "price", "is_taken"],
        "formats": ["i8", "i4", "i4", "i4", "i4", "i4", "?"],
    },
    align=True,
)
#: In how many parts that is done.
_PARTS = 64


@dataclass(frozen=True)
class Converted(Outcomes):
    """What some consecutive rows of a foreign file came to, and the lines that came of them."""

    #: Lines of the import format in UTF-8, each with its line end, and none with a line break inside.
    data: bytes
    #: The line in the converted file of the first of them. The header is line 1.
    first_line: int
    #: For each of these lines the row it came from, as a position.
    from_rows: NDArray[np.int32]
    #: Rows (as positions) and the lines of the converted file to which they were added. A row can make several lines
    #: and be added to others.
    added_rows: NDArray[np.int32]
    added_lines: NDArray[np.int32]
    #: How many of the lines set the quantity of a listing to 0.
    sold_out: int


def convert(
    source: BinaryIO,
    reading: Reading,
    mapping: Mapping,
    seller_id: int,
    *,
    on_read: Callable[[int], None] = lambda _rows: None,
    only: NDArray[np.int64] | None = None,
) -> Iterator[Converted]:
    """Convert the file that was read as ``reading``.

    It is worked through once, and each block is laid by in a temporary file, until it is known which rows are for the
    same listing: the first of them gets the quantities of all. What decides that is in another. ``on_read`` is told
    the number of rows after each block; all are read before the first ``Converted`` comes. ``only``: the lines of the
    rows that are taken; the others just add their quantities to the listings of these.

    Reads the catalog and the seller's listings, and ends the session's transaction after each block, because the
    database would end one that waits for long.
    """
    bound = Bound(mapping, reading.columns)
    converter = BlockConverter(bound)
    with tempfile.TemporaryFile() as laid_by, tempfile.TemporaryFile() as spilled:
        merger, count = _Merger(Spill(spilled, _OFFER)), 0
        for block in blocks(source, reading):
            rows, offers = converter.work(block)
            offers = _find_sold_out(offers, converter.variants, seller_id, only)
            db.session.rollback()
            merger.add(offers, None if only is None else np.isin(rows.lines[offers.rows], only))
            pickle.dump((rows, offers), laid_by, pickle.HIGHEST_PROTOCOL)
            count += len(block)
            on_read(count)
        laid_by.seek(0)
        writer = _Writer(converter.variants, find_unsaid(bound), seller_id)
        for merged in merger.merge():
            rows, offers = pickle.load(laid_by)
            converted = writer.write(rows, offers, merged)
            db.session.rollback()
            yield converted


def _keys(offers: Offers, at: NDArray[np.int64], variants: pa.Array) -> pa.Table:
    """The keys of the listings of the offers with these numbers."""
    return pa.table(
        {
            "item_id": pa.array(offers.item_ids[at], pa.int32()),
            "condition": pa.array(offers.conditions[at], pa.int16()),
            "variants": variants,
        }
    )


def _find_sold_out(offers: Offers, variants: Sequence[str], seller_id: int, only: NDArray[np.int64] | None) -> Offers:
    """The offers without those of 0 copies, but for those whose listing has copies: it sells out, and keeps its price.

    With ``only`` there is none: all that the seller decides is how rows that were left out or open become listings.
    """
    is_kept = offers.quantities > 0
    nothing = np.flatnonzero(~is_kept)
    if not len(nothing):
        return offers
    prices = offers.prices.copy()
    if only is None:
        names = pa.array(variants, pa.string()).take(pa.array(offers.variants[nothing]))
        found = listings.find_texts(seller_id, _keys(offers, nothing, names), ["quantity", "price"])
        has_copies = np.array([quantity != "0" for quantity in found["quantity"].to_pylist()], np.bool_)
        at = nothing[np.asarray(found["at"])]
        prices[at] = np.array(found["price"].to_pylist(), np.int32)
        is_kept[at[has_copies]] = True
    kept = np.flatnonzero(is_kept)
    own: list[Any]
    *own, texts = offers._replace(prices=prices)
    return Offers._make([*(of.take(kept) for of in own), {name: of.take(kept) for name, of in texts.items()}])


class _Merger:
    """Finds out which offers are for the same listing, of which the first gets the quantities of all."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill

    def add(self, offers: Offers, are_taken: NDArray[np.bool_] | None) -> None:
        """Add the offers of the next block, and which of them are taken (None: all)."""
        entries = np.zeros(len(offers.rows), _OFFER)
        # The parts of the listing key, side by side in 64 bits.
        entries["key"] = offers.item_ids.astype(np.int64) << 28 | offers.conditions.astype(np.int64) << 24
        entries["key"] |= offers.variants
        entries["number"] = len(self._spill) + np.arange(len(entries))
        entries["quantity"], entries["price"] = offers.quantities, offers.prices
        entries["is_taken"] = True if are_taken is None else are_taken
        self._spill.add(entries, (offers.item_ids % _PARTS).astype(np.uint8))

    def merge(self) -> Iterator[NDArray[np.void]]:
        """What is known of the offers of each block in the end."""
        is_first = np.zeros(len(self._spill), np.bool_)
        for entries in self._spill.parts():
            _merge(entries)
            is_first[entries["first"]] = entries["is_taken"]
        # Eight in a byte, with the number of those before.
        bits = np.packbits(is_first, bitorder="little")
        counts = np.bitwise_count(bits)
        before = np.cumsum(counts, dtype=np.int32) - counts
        del is_first, counts
        for entries in self._spill:
            entries = entries[np.argsort(entries["number"])]
            at, lower = entries["first"] >> 3, (1 << (entries["first"] & 7)) - 1
            entries["out_line"] = 2 + before[at] + np.bitwise_count(bits[at] & lower.astype(np.uint8))
            yield entries


def _merge(entries: NDArray[np.void]) -> None:
    """Add up the offers for each listing, all of which are among ``entries``, in the order of the file."""
    if not len(entries):
        return
    # An offer of no copies is the first only where there is no other.
    order = np.argsort(entries["key"] << 1 | (entries["quantity"] == 0), kind="stable")
    keys = entries["key"][order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    # The sum may be more than a listing can hold, which its row is told when it is imported.
    sums = np.add.reduceat(entries["quantity"][order], starts, dtype=np.int64)
    entries["quantity"][order[starts]] = np.minimum(sums, np.iinfo(np.int32).max)
    counts = np.diff(starts, append=len(order))
    firsts = np.repeat(order[starts], counts)
    entries["first"][order], entries["price"][order] = entries["number"][firsts], entries["price"][firsts]
    entries["is_taken"][order] = np.repeat(np.logical_or.reduceat(entries["is_taken"][order], starts), counts)


class _Writer:
    """Writes the lines of the import format."""

    def __init__(self, variants: list[str], unsaid: dict[str, str], seller_id: int) -> None:
        #: The columns in which an UPDATE gets what the listing has, with their fields.
        self._unsaid = unsaid
        self._variants = pa.array(variants, pa.string())
        self._seller_id = seller_id
        self._has_listings = listings.exists_for(seller_id)
        self._next_line = 2

    def write(self, rows: Outcomes, offers: Offers, merged: NDArray[np.void]) -> Converted:
        """What the rows of the next block became, with what was found out about its offers."""
        are_taken = merged["is_taken"]
        is_first = merged["first"] == merged["number"]
        is_added = ~is_first & are_taken & (offers.quantities > 0)
        own, added, passed = map(np.flatnonzero, (is_first & are_taken, is_added, ~are_taken))
        sold_out = own[offers.quantities[own] == 0]
        rows.outcomes[offers.rows[sold_out]] = Outcome.ROW
        first_line, self._next_line = self._next_line, self._next_line + len(own)
        if len(added):
            only_added = np.setdiff1d(offers.rows[added], offers.rows[own])
            rows.outcomes[only_added] = Outcome.ADDED
            whys, why_at = _why_added(merged["price"][added], offers.prices[added])
            rows.reason_at[offers.rows[added]] = len(rows.reasons) + why_at
            rows.reasons.extend(whys)
        rows.reason_at[offers.rows[own]] = -1
        if len(passed):
            only_passed = np.setdiff1d(offers.rows[passed], offers.rows[are_taken])
            rows.outcomes[only_passed], rows.reason_at[only_passed] = Outcome.LEFT_OUT, len(rows.reasons)
            rows.reasons.append(reason("had-before"))
        return Converted(
            **vars(rows),
            data=self._lines(offers, own, merged["quantity"][own]),
            first_line=first_line,
            from_rows=offers.rows[own],
            added_rows=offers.rows[added],
            added_lines=merged["out_line"][added],
            sold_out=len(sold_out),
        )

    def _lines(self, offers: Offers, own: NDArray[np.int64], quantities: NDArray[np.int32]) -> bytes:
        if not len(own):
            return b""
        at = pa.array(own)
        variants = self._variants.take(pa.array(offers.variants[own]))
        texts = {name: texts.take(at) for name, texts in offers.texts.items()}
        columns = {
            Column.MODE.name: self._modes(offers, own, variants, texts),
            Column.URN.name: quoted(offers.urns.take(at)),
            Column.CONDITION.name: _CONDITIONS.take(pa.array(offers.conditions[own])),
            Column.PRICE.name: pa.array(offers.prices[own]).cast(pa.string()),
            Column.QUANTITY.name: pa.array(quantities).cast(pa.string()),
            Column.VARIANTS.name: variants,
            Column.HIDDEN.name: _HIDDEN.take(pa.array(offers.hidden[own])),
            **{name: quoted(pc.fill_null(cells, "")) for name, cells in texts.items()},
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
            keys = _keys(offers, own, variants)
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


def quoted(texts: pa.Array) -> pa.Array:
    """Texts as cells of CSV."""
    if not has_any(texts, b'",\r\n'):
        return texts
    needs = pc.match_substring_regex(texts, '[",\r\n]')
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), texts)
