"""Questions to thousands of texts at once, answered from their bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


class Texts:
    """The texts of an Arrow array of strings without nulls."""

    def __init__(self, array: pa.StringArray) -> None:
        self.array = array

    @cached_property
    def _offsets(self) -> npt.NDArray[np.int32]:
        # An empty array may have no buffers.
        buffer = self.array.buffers()[1] if len(self.array) else bytes(4)
        offsets: npt.NDArray[np.int32] = np.frombuffer(buffer, np.int32)[self.array.offset :][: len(self.array) + 1]
        return offsets

    @cached_property
    def data(self) -> bytes:
        """The texts one after the other, in UTF-8."""
        buffer = self.array.buffers()[2]
        first, last = int(self._offsets[0]), int(self._offsets[-1])
        return bytes(memoryview(buffer)[first:last]) if last > first else b""

    @cached_property
    def _places(self) -> npt.NDArray[np.int32]:
        """The place in ``data`` at which each text begins, and the end."""
        places: npt.NDArray[np.int32] = self._offsets - self._offsets[0]
        return places

    @cached_property
    def sizes(self) -> npt.NDArray[np.int32]:
        """The size of each text in bytes."""
        return np.diff(self._offsets)

    def at(self, indices: Indices) -> list[str]:
        """Some of the texts."""
        return self.array.take(pa.array(indices)).to_pylist() if len(indices) else []

    @cached_property
    def is_filled(self) -> Mask:
        """For each text whether it is not empty."""
        return self.sizes > 0

    def empty(self) -> Indices:
        """The empty texts."""
        return np.flatnonzero(~self.is_filled)

    def longer_than(self, size: int) -> Indices:
        """The texts of more than ``size`` bytes."""
        return np.flatnonzero(self.sizes > size) if len(self.data) > size else _NONE

    def not_digits(self) -> Indices:
        """The texts with anything but the digits 0 to 9."""
        if not self.data or self.data.isdigit():
            return _NONE
        return self._owners(np.flatnonzero(self._bytes - np.uint8(ord("0")) > 9))

    def with_any(self, *marks: str) -> Indices:
        """The texts that contain any of these ``marks``."""
        return union(
            *(
                np.flatnonzero(pc.match_substring(self.array, mark).to_numpy(zero_copy_only=False))
                for mark in marks
                if holds(self.data, mark.encode())
            )
        )

    def guarded(self) -> Indices:
        """The texts that begin like a guard."""
        return self.beginning_with("=") if holds(self.data, b'="') else _NONE

    def beginning_with(self, mark: str) -> Indices:
        """The texts that begin with the ASCII character ``mark``."""
        return self._where(self._firsts == ord(mark)) if self.data else _NONE

    def at_odds(self) -> Indices:
        """The texts with anything but a visible ASCII character at their ends."""
        if not self.data:
            return _NONE
        lasts = self._bytes.take(self._places[1:] - 1, mode="clip")
        # In bytes, whose numbers have no negative ones, what is less than 0x21 becomes more than the rest.
        return self._where((self._firsts - _FIRST_VISIBLE > _VISIBLE) | (lasts - _FIRST_VISIBLE > _VISIBLE))

    @cached_property
    def _bytes(self) -> npt.NDArray[np.uint8]:
        """The bytes of ``data`` as numbers."""
        return np.frombuffer(self.data, np.uint8)

    @cached_property
    def _firsts(self) -> npt.NDArray[np.uint8]:
        """The first byte of each text; any byte for an empty one."""
        return self._bytes.take(self._places[:-1], mode="clip")

    def _where(self, is_wanted: Mask) -> Indices:
        """The non-empty texts for which ``is_wanted`` is true."""
        return np.flatnonzero(is_wanted & self.is_filled)

    def _owners(self, places: Indices) -> Indices:
        """The texts that have these places of ``data``, each once."""
        return np.unique(np.searchsorted(self._places, places, side="right") - 1)

    def replaced(self, at: Indices, texts: Sequence[str]) -> Texts:
        """These texts, with others ``at`` some indices."""
        if [*texts] == self.at(at):
            return self
        is_replaced = np.zeros(len(self.array), np.bool_)
        is_replaced[at] = True
        return Texts(pc.replace_with_mask(self.array, pa.array(is_replaced), pa.array(texts, pa.string())))

    def without(self, at: Indices) -> Texts:
        """These texts, where those ``at`` some indices count as empty ones."""
        if not len(at):
            return self
        texts = Texts(self.array)
        texts.is_filled[at] = False
        return texts

    def trimmed(self) -> Texts:
        """These texts without white space around them, as ``str.strip`` does it."""
        odd = self.at_odds()
        texts = self.array.take(pa.array(odd))
        trimmed = pc.utf8_trim_whitespace(texts)
        return self if trimmed.equals(texts) else self.replaced(odd, trimmed.to_pylist())

    def or_null(self) -> pa.StringArray:
        """The texts; null in place of empty ones."""
        validity = np.packbits(self.is_filled, bitorder="little")
        buffers = [pa.py_buffer(validity), pa.py_buffer(self._offsets), self.array.buffers()[2]]
        return pa.Array.from_buffers(pa.string(), len(self.array), buffers)

    def folded(self, fold: Callable[[str], str]) -> pa.StringArray:
        """What ``fold`` makes of each text. Of a trimmed ASCII text with single spaces, it makes lower case."""
        odd = self.with_any(*_NOT_SIMPLE)
        if not self.data.isascii():
            odd = union(odd, np.flatnonzero(~pc.string_is_ascii(self.array).to_numpy(zero_copy_only=False)))
        return Texts(pc.ascii_lower(self.array)).replaced(odd, [*map(fold, self.at(odd))]).array


def holds(data: bytes, mark: bytes) -> bool:
    """Whether ``mark`` is in ``data``. Looks for its single bytes first: that is a hundred times as fast."""
    return all(map(data.__contains__, mark)) and mark in data


def where(cells: pa.DictionaryArray, is_wanted: Callable[[str], bool]) -> Mask:
    """For each cell whether its text is wanted; asks once for each distinct one."""
    indices: Indices = cells.indices.to_numpy()
    return np.array([*map(is_wanted, cells.dictionary.to_pylist())], np.bool_)[indices]


def union(*parts: Indices) -> Indices:
    """All of these indices, each once and in order, as they are in each part."""
    filled = [part for part in parts if len(part)]
    if len(filled) < 2:
        return filled[0] if filled else _NONE
    return np.unique(np.concatenate(filled))


_NONE: Indices = np.empty(0, np.intp)
#: The first visible ASCII character, and how many follow it.
_FIRST_VISIBLE, _VISIBLE = np.uint8(0x21), np.uint8(0x7E - 0x21)
#: Two spaces in a row, other white space, and what a guard begins with.
_NOT_SIMPLE = ("  ", "\t", "\n", "\r", '="')
