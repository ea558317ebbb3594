"""The mapping: how the columns and words of one kind of file become the import format. Plain data, kept as JSON."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as Map
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from functools import lru_cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from app.csvfile.columns import REASON_COLUMNS

#: Changes whenever older JSON must be read differently.
VERSION = 1
#: Maximum size of a mapping as JSON, in characters.
MAX_JSON = 1_000_000

_REASONS = {name.lower() for name in REASON_COLUMNS}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DATED = re.compile(r"\(as of [^)]*\)", re.IGNORECASE)
_ACCENTS = re.compile("[\u0300-\u036f]+")
_NO_WORD = re.compile(r"[\W_]+")
#: Apostrophes are left out, and other signs become spaces.
_ASCII = {code: None if chr(code) == "'" else " " for code in range(128) if not chr(code).isalnum()}


class MappingInvalid(ValueError):
    """The text is not a mapping; the message is a sentence that says why."""


class Field(StrEnum):
    """What a column of a foreign file can be."""

    URN = "urn"
    CARDMARKET_ID = "cardmarket_id"
    #: The id of a product; never TCGplayer's SKU.
    TCGPLAYER_ID = "tcgplayer_id"
    GAME = "game"
    SET = "set"
    #: A short code for the set.
    SET_CODE = "set_code"
    #: The number of the card in its set.
    NUMBER = "number"
    NAME = "name"
    #: A text in which set, number and name all stand.
    TITLE = "title"
    CONDITION = "condition"
    LANGUAGE = "language"
    #: Finish or edition in words, or a flag for foil.
    FINISH = "finish"
    #: Flags.
    REVERSE = "reverse"
    FIRST_EDITION = "first_edition"
    SIGNED = "signed"
    ALTERED = "altered"
    #: A flag: the row sells four cards at once, for its price.
    PLAYSET = "playset"
    PRICE = "price"
    CURRENCY = "currency"
    QUANTITY = "quantity"
    #: A row with one of these makes two listings: what is no foil, and the foils. The foils are beside the quantity, or
    #: counted in it, too.
    FOIL_QUANTITY = "foil_quantity"
    FOIL_PART = "foil_part"
    FOIL_PRICE = "foil_price"
    #: Flags: buyers do not see the listing; buyers see it.
    HIDDEN = "hidden"
    SHOWN = "shown"
    COMMENT = "comment"
    NOTES = "notes"
    REFERENCE = "reference"


class How(StrEnum):
    """How a cell is read."""

    #: The value of the cell is the value of the field.
    PLAIN = "plain"
    #: Condition, edition, finish and language stand in one cell: “Near Mint 1st Edition Holofoil - Japanese”.
    GRAMMAR = "grammar"
    #: The known words in a longer text count, the others are ignored.
    SEARCH = "search"
    #: The number stands in the name: “Charizard ex - 223/197”.
    IN_NAME = "in_name"
    #: One of several steps or entries is the value: “Pokemon > Obsidian Flames, Singles”.
    PATH = "path"


class Joined(StrEnum):
    """How the cells of several columns become one value."""

    #: The first that is not empty, and for a price not 0.
    FIRST = "first"
    #: All that are not empty, separated by a space, or by a comma in texts.
    ALL = "all"


class FilterTest(StrEnum):
    """How a row filter compares a cell."""

    #: The cell is one of the words.
    IS = "is"
    #: The cell is none of the words; an empty one does not count.
    IS_NOT = "is_not"
    #: The cell is a flag that is set.
    IS_TRUE = "is_true"
    #: All of the columns are empty.
    IS_EMPTY = "is_empty"
    #: The cell begins with one of the words.
    BEGINS = "begins"


class Kind(StrEnum):
    """The kinds of words that a seller can be asked about, and answers are kept for."""

    SET = "set"
    GAME = "game"
    CONDITION = "condition"
    LANGUAGE = "language"
    FINISH = "finish"
    #: A card that its cells do not name clearly; the answer is a URN.
    ITEM = "item"
    #: What is no price or no quantity; the answer is read in its place. It holds for this file alone.
    PRICE = "price"
    QUANTITY = "quantity"


#: The answer that leaves the rows with a word out.
LEAVE_OUT = "-"
_AMOUNTS = (Kind.PRICE, Kind.QUANTITY)


@dataclass(frozen=True)
class Source:
    """Where the value of a field comes from.

    Columns are named as in the file's header; a name that ends in ``*`` stands for all that begin like it.
    """

    columns: tuple[str, ...] = ()
    #: The value where the columns have none; of a condition a code of ours, whatever the scale of the file.
    constant: str = ""
    how: How = How.PLAIN
    joined: Joined = Joined.FIRST
    #: What a seller should look at before it is used, as a sentence; empty: nothing.
    confirm: str = ""


@dataclass(frozen=True)
class RowFilter:
    """Leaves rows out that are not for sale."""

    columns: tuple[str, ...]
    match: FilterTest
    #: A slug of ``reasons``: why they are left out.
    reason: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class FillDown:
    """Columns that stand only in the first of several rows that have the same value in column ``by``."""

    columns: tuple[str, ...]
    by: str


@dataclass(frozen=True)
class Parents:
    """Columns that stand only in a row above, the parent: its column ``key`` is this row's column ``parent``.

    Instead, that can be ``id:`` and the parent's column ``id``.
    """

    columns: tuple[str, ...]
    parent: str
    key: str
    id: str
    #: The column that tells what a row is, and its words in a parent, in lower case.
    kind: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Money:
    """How prices are read."""

    #: The ISO code of prices that do not tell theirs; empty: not known.
    currency: str = ""
    #: The decimal sign of prices that can be read in two ways (``1.149``); empty: not known.
    decimal: str = ""
    #: Whether prices are in the smallest unit of the currency.
    minor: bool = False
    #: How many pounds one unit of a currency is, as a decimal number.
    rates: Map[str, str] = field(default_factory=dict)
    #: Whether the currency is only the likely one, which the seller has not confirmed.
    is_guess: bool = False

    @property
    def guess(self) -> str:
        """What was taken for granted, as a sentence; empty: nothing."""
        return (
            f"Most prices in the file do not show their currency: {self.currency} is a guess." if self.is_guess else ""
        )


@dataclass(frozen=True)
class Mapping:
    """How a file with these columns becomes the import format."""

    #: The columns of the file that it was made for.
    columns: tuple[str, ...] = ()
    sources: Map[Field, Source] = field(default_factory=dict)
    #: The recognised format; empty: none.
    format: str = ""
    #: The scale of conditions; empty: only words that mean the same in every scale are known.
    scale: str = ""
    money: Money = Money()
    filters: tuple[RowFilter, ...] = ()
    fill_down: FillDown | None = None
    parents: Parents | None = None
    #: For each kind the seller's answers: what a word (``word_of``) becomes, or LEAVE_OUT.
    answers: Map[Kind, Map[str, str]] = field(default_factory=dict)

    @property
    def used(self) -> list[str]:
        """The columns of the file that it was made for which it uses."""
        names = dict.fromkeys(name for source in self.sources.values() for name in source.columns)
        return [name for name in names if positions(self.columns, name)]

    def answer(self, kind: Kind, word: str, target: str) -> Mapping:
        """The mapping with one more answer."""
        of_kind = {**self.answers.get(kind, {}), word_of(kind, word): target}
        return replace(self, answers={**self.answers, kind: of_kind})

    def for_other_files(self) -> Mapping:
        """The mapping without answers that hold for its file alone: “ask” is not always the same price."""
        return replace(self, answers={kind: of_kind for kind, of_kind in self.answers.items() if kind not in _AMOUNTS})

    def with_source(self, to: Field, source: Source | None) -> Mapping:
        """The mapping with another source for a field; None: without one."""
        sources = {one: at for one, at in self.sources.items() if one != to}
        return replace(self, sources=sources if source is None else {**sources, to: source})

    def with_rates(self, rates: Map[str, str]) -> Mapping:
        """The mapping with these rates beside its own. Raises MappingInvalid for one that is no positive number."""
        for code, rate in rates.items():
            if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,12})?", rate) or not rate.strip("0."):
                raise MappingInvalid(f"The rate “{rate}” of {code} is not a number such as 0.79.")
        return replace(self, money=replace(self.money, rates={**self.money.rates, **rates}))

    def extends(self, before: Mapping, asked: Collection[tuple[str, str]]) -> bool:
        """Whether no row that ``before`` could read is read otherwise now.

        Then it answers no word but those that are ``asked``, each with its kind and as ``word_of`` has it, and sets
        just what was not known.
        """
        money, old = self.money, before.money
        rules, rules_before = ((one.filters, one.fill_down, one.parents) for one in (self, before))
        known = [(self.scale, before.scale), (money.currency, old.currency), (money.decimal, old.decimal)]
        answers, answers_before = self._flat_answers(), before._flat_answers()
        return (
            (*rules, money.minor) == (*rules_before, old.minor)
            and self.sources.keys() == before.sources.keys()
            and all(_is_filled(to, self.sources[to], one) for to, one in before.sources.items())
            and all(now == was or not was for now, was in known)
            and old.rates.items() <= money.rates.items()
            and answers_before.items() <= answers.items()
            and answers.keys() - answers_before.keys() <= {*asked}
        )

    def _flat_answers(self) -> dict[tuple[str, str], str]:
        return {(kind, word): to for kind, of_kind in self.answers.items() for word, to in of_kind.items()}

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, with the version."""
        return {"version": VERSION, **_plain(asdict(self))}

    @classmethod
    def from_json(cls, value: Any) -> Mapping:
        """The mapping in plain JSON values. Raises MappingInvalid."""
        if not isinstance(value, dict) or value.get("version") != VERSION:
            raise MappingInvalid(f"This is not a mapping of version {VERSION}.")
        made: Mapping = _read(cls, {name: one for name, one in value.items() if name != "version"}, "mapping")
        return made.with_rates(made.money.rates)

    @classmethod
    def from_text(cls, text: str) -> Mapping:
        """The mapping in a JSON text. Raises MappingInvalid."""
        if len(text) > MAX_JSON:
            raise MappingInvalid("The mapping is too long.")
        try:
            return cls.from_json(json.loads(text))
        except (json.JSONDecodeError, RecursionError) as error:
            raise MappingInvalid("The mapping is not JSON.") from error

    def to_text(self) -> str:
        """As JSON that people can read."""
        return json.dumps(self.to_json(), ensure_ascii=False, indent=2) + "\n"


def _is_filled(to: Field, source: Source, before: Source) -> bool:
    """Whether a source is as ``before``, but for the value of rows that were open because they had none."""
    if to in (Field.CONDITION, Field.PRICE) and not before.constant:
        source = replace(source, constant="")
    return replace(source, confirm="") == replace(before, confirm="")


@lru_cache(maxsize=20_000)
def plain(text: str) -> str:
    """``text`` as compared: without accents, in lower case, words separated by one space."""
    text = _CAMEL.sub(" ", text)
    if not text.isascii():
        bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
        text = _NO_WORD.sub(" ", unicodedata.normalize("NFC", bare.replace("’", "")).replace("'", ""))
    return " ".join(text.translate(_ASCII).casefold().split())


def normal(text: str) -> str:
    """A header or a word of a file as compared: without accents, case, spaces, punctuation and the date of an export.

    Files of one tool differ in that date, and a saved mapping fits them all. ``dictionary.normalise`` keeps it.
    """
    if "(" in text:
        text = _DATED.sub("", text)
    return plain(text).replace(" ", "") or text.strip().casefold()


def word_of(kind: str, word: str) -> str:
    """A word as answers keep it: normal, but for what stands for an amount, in which punctuation counts."""
    return word.strip() if kind in _AMOUNTS else normal(word)


def signature(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns of a file as a set: normal, sorted, without empty ones and those that fix-it files add."""
    found = {normal(column) for column in columns} - {""}
    return tuple(sorted(found - _REASONS if found >= _REASONS else found))


def find_reasons(columns: Sequence[str]) -> dict[str, int]:
    """Where the columns of a fix-it file (REASON_COLUMNS) stand; empty for another file."""
    found = {name: at for at, column in enumerate(columns) if (name := column.strip().upper()) in REASON_COLUMNS}
    return found if len(found) == len(REASON_COLUMNS) else {}


def columns_hash(columns: Iterable[str]) -> bytes:
    """Identifies the set of a file's columns, whatever their order: a SHA-256."""
    return hashlib.sha256("\x1f".join(signature(columns)).encode()).digest()


def positions(columns: Sequence[str], *names: str) -> list[int]:
    """Where the columns with these names (see ``Source``) stand among ``columns``, name by name."""
    return [
        at
        for name in names
        for at, column in enumerate(map(normal, columns))
        if (column.startswith(normal(name[:-1])) if name.endswith("*") else column == normal(name))
    ]


def _plain(value: Any) -> Any:
    """JSON values without what is empty, and without enums."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items() if one not in ("", (), {}, None, False)}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, StrEnum) else value


def _read(kind: Any, value: Any, at: str) -> Any:
    """A value of the type ``kind``; see ``Mapping.from_json``."""
    arguments = get_args(kind)
    if isinstance(kind, UnionType):
        return None if value is None else _read(arguments[0], value, at)
    if is_dataclass(kind):
        return _read_fields(kind, value, at)
    if get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)):
            raise MappingInvalid(f"{at} must be a list.")
        return tuple(_read(arguments[0], one, at) for one in value)
    if arguments:
        if not isinstance(value, dict):
            raise MappingInvalid(f"{at} must be an object.")
        return {_read(arguments[0], name, at): _read(arguments[1], one, f"{at}.{name}") for name, one in value.items()}
    try:
        if isinstance(value, str if kind is not bool else bool):
            return kind(value)
    except ValueError as error:
        raise MappingInvalid(f"{at} cannot be “{value}”.") from error
    raise MappingInvalid(f"{at} must be {'true or false' if kind is bool else 'a text'}.")


def _read_fields(kind: Any, value: Any, at: str) -> Any:
    if not isinstance(value, dict):
        raise MappingInvalid(f"{at} must be an object.")
    kinds = get_type_hints(kind)
    if unknown := sorted(set(map(str, value)) - {one.name for one in fields(kind)}):
        raise MappingInvalid(f"{at} has no “{unknown[0]}”.")
    try:
        return kind(**{name: _read(kinds[name], one, f"{at}.{name}") for name, one in value.items()})
    except TypeError as error:
        raise MappingInvalid(f"{at} is not complete.") from error
