"""What a row of a foreign file came to, and why, as data; sentences are made where they are shown."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from app.imports.foreign.mapping import Kind


class Outcome(IntEnum):
    """What a row of the file came to."""

    #: A row of the converted file.
    ROW = 0
    #: Its quantity was added to another row for the same listing.
    ADDED = 1
    #: It is not for sale.
    LEFT_OUT = 2
    #: Something must be decided first.
    OPEN = 3

    @property
    def word(self) -> str:
        """As reports have it."""
        return self.name.lower().replace("_", "-")


class Candidate(NamedTuple):
    """An item that an open row may mean."""

    urn: str
    set_name: str
    name: str
    number: str
    rarity: str
    variants: tuple[str, ...]


class Question(NamedTuple):
    """What is to be decided: equal for all rows that one answer decides."""

    #: A kind of word, or ``rate``, ``currency``, ``decimal``, ``scale``, ``condition-missing``, ``price-missing``, ….
    kind: str
    #: The word as it is in the file, or the card with what its cells say.
    word: str


class Reason(NamedTuple):
    """Why a row came to its outcome."""

    #: A key of SENTENCES.
    slug: str
    #: What the sentence tells, as pairs of name and value.
    facts: tuple[tuple[str, str], ...] = ()
    #: Only for an open row that an answer decides.
    question: Question | None = None
    candidates: tuple[Candidate, ...] = ()

    @property
    def sentence(self) -> str:
        """For the seller."""
        sentence = SENTENCES.get(self.slug, "It is not for sale, so it is left out.")
        return sentence.format_map(dict(self.facts))


def reason(slug: str, **facts: object) -> Reason:
    """A reason that no answer changes."""
    return Reason(slug, tuple((name, str(value)) for name, value in facts.items()))


def ask(slug: str, kind: Kind | str, word: str, candidates: tuple[Candidate, ...] = (), **facts: object) -> Reason:
    """A reason that an answer about ``word`` decides."""
    return reason(slug, word=word, **facts)._replace(question=Question(str(kind), word), candidates=candidates)


def of_many(slug: str) -> str:
    """The reason of several rows, without what differs between them."""
    return _OF_MANY.get(slug) or SENTENCES.get(slug) or slug.replace("-", " ").capitalize()


#: Why a row was added to a listing whose price is not its own.
ADDED_PRICE = "added-price"
#: Remarks on rows that become listings: its seller has decided what a word means; nothing was said of its finish;
#: what was said of its edition is no variant; only the code or the name of its set fits.
DECIDED, NOT_NORMAL, NOT_MARKED = "decided", "not-normal", "not-marked"
SET_BY_CODE, SET_BY_NAME = "set-by-code", "set-by-name"

SENTENCES: Mapping[str, str] = {
    # Left out.
    "graded": "A graded card: the catalog has no grades, so it is left out.",
    "proxy": "A proxy is not sold, so it is left out.",
    "wanted": "A card that is wanted, not owned, so it is left out.",
    "deck": "A card of a deck, so it is left out.",
    "auction": "An auction, not a fixed price, so it is left out.",
    "sealed": "Sealed product or a bundle, no single card, so it is left out.",
    "parent": "A row that only holds its variations together, so it is left out.",
    "picture": "A row that only adds a picture, so it is left out.",
    "total": "A total, not a card, so it is left out.",
    "remark": "A title, a remark or the end of an export, not a card, so it is left out.",
    "header-again": "The header once more, so it is left out.",
    "quantity-zero": "The quantity is 0, so it is left out.",
    "quantity-negative": "The quantity {value} takes copies away, so it is left out.",
    "had-before": "The import before had it already, so it is left out.",
    "answered": "You decided to leave out the rows with “{word}”.",
    # Added to another row.
    "added": "Its quantity was added to the row for the same listing.",
    ADDED_PRICE: "Its quantity was added to the row for the same listing, whose price counts: {counts}, not {own}.",
    # Remarks.
    DECIDED: "You decided what “{word}” is.",
    NOT_NORMAL: "The catalog does not have this card as normal, so it becomes {finish}.",
    NOT_MARKED: "The catalog does not mark unlimited copies of this card, so its listing does not say it.",
    SET_BY_CODE: "Its set is taken by the code: the catalog does not have the name behind it.",
    SET_BY_NAME: "Its set is taken by the name: the code before it is not known for this set.",
    # Open.
    "condition-missing": "No condition is given.",
    "condition-unknown": "“{word}” is not a condition that we know.",
    "condition-scale": "“{word}” means different grades in different tools. Choose the scale of the file, or a grade.",
    "language-unknown": "“{word}” is not a language that we know.",
    "language-not-there": "The catalog has {item} in no {language} printing.",
    "finish-unknown": "“{word}” is not a finish or printing that we know.",
    "finish-not-there": "The catalog has {item} not as {word}.",
    "price-missing": "No price is given.",
    "price-unreadable": "“{word}” is not a price.",
    "price-decimal": "“{word}” can be read in two ways. Choose the decimal sign.",
    "price-fraction": "“{word}” is not a whole number of pence or cents.",
    "price-too-low": "“{word}” comes to less than a penny.",
    "price-too-high": "“{word}” comes to more than a listing may cost.",
    "currency-unknown": "The file does not say which currency its prices are in.",
    "rate-missing": "There is no rate for {word}.",
    "quantity-missing": "No quantity is given.",
    "quantity-unreadable": "“{word}” is not a quantity.",
    "quantity-foils": "There cannot be {word} foils among {count} copies.",
    "quantity-too-high": "“{word}” is more than a listing may have.",
    "game-unknown": "The catalog has no game “{word}”.",
    "set-unknown": "The catalog has no set “{word}”.",
    "item-missing": "Nothing in the row names a card.",
    "item-unknown": "The catalog has no such card: {word}.",
    "item-ambiguous": "{word} can be {count} different cards.",
    "item-disagrees": "What the row says does not agree: {word} is {found} in the catalog.",
    "irregular": "The row cannot be read: {note}",
}

#: What is said of many rows, whose sentences name the word of each.
_OF_MANY: Mapping[str, str] = {
    "quantity-negative": "A quantity below 0 takes copies away.",
    "answered": "You decided to leave these rows out.",
    ADDED_PRICE: "The row for the same listing has another price, which counts.",
    "condition-unknown": "The condition is not one that we know.",
    "condition-scale": "The condition means different grades in different tools.",
    "language-unknown": "The language is not one that we know.",
    "language-not-there": "The catalog does not have the card in this language.",
    "finish-unknown": "The finish or printing is not one that we know.",
    "finish-not-there": "The catalog does not have the card in this finish.",
    "price-unreadable": "The price cannot be read.",
    "price-decimal": "The price can be read in two ways.",
    "price-fraction": "The price is not a whole number of pence or cents.",
    "price-too-low": "The price comes to less than a penny.",
    "price-too-high": "The price comes to more than a listing may cost.",
    "rate-missing": "There is no rate for the currency.",
    "quantity-unreadable": "The quantity cannot be read.",
    "quantity-foils": "There cannot be more foils than copies.",
    "quantity-too-high": "The quantity is more than a listing may have.",
    "game-unknown": "The catalog does not have the game.",
    "set-unknown": "The catalog does not have the set.",
    "item-unknown": "The catalog does not have the card.",
    "item-ambiguous": "Several cards match.",
    "item-disagrees": "What the row says of its card does not agree.",
    "irregular": "The row cannot be read.",
}
