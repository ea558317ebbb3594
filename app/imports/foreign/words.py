"""The words of foreign files: conditions, languages, finishes, flags, and what stands for a set; data in ``data/``."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from app.csvfile.contract import CONDITION_CODES, GRADE_CODES, Condition
from app.imports.foreign.mapping import Kind, normal, plain

_DATA = Path(__file__).parent / "data"

#: The words that a finish cell can hold, and ``ignored``, which says nothing.
NORMAL, FOIL, HOLO, REVERSE = "normal", "foil", "holo", "reverse"
FIRST_EDITION, UNLIMITED, SIGNED = "first-edition", "unlimited", "signed"
_IGNORED = "ignored"
#: Minimum length of a language's name in a title.
_LANGUAGE = 5
#: How alike a word must be to one that it may be a misspelling of, which has at least so many letters.
_ALIKE, _SPELLED = 0.8, 4
_DIGIT = re.compile(r"\d")
#: A number of copies in front of a word: “2xGood”, “1 × NM”.
_COUNT = re.compile(r"[0-9]{1,6}\s*[xX×]\s*(?=[^\d\s])")


@cache
def load(name: str) -> dict[str, Any]:
    """A data file, read once: it must not be changed."""
    return tomllib.loads((_DATA / f"{name}.toml").read_text("utf-8"))


@cache
def _word_lists() -> dict[str, frozenset[str]]:
    return {key: frozenset(map(normal, words)) for key, words in load("words").items()}


def is_yes(word: str) -> bool:
    """Whether a flag is set; a word that is neither yes nor no is no."""
    return normal(word) in _word_lists()["true"]


def is_flag(word: str) -> bool:
    """Whether the word is a yes or a no."""
    return normal(word) in _word_lists()["true"] | _word_lists()["false"]


def cleaned(cell: str) -> str:
    """A trimmed cell; empty if it says nothing."""
    text = cell.strip()
    return "" if text.casefold() in _empty() else text


@cache
def _empty() -> frozenset[str]:
    return frozenset(load("words")["empty"])


def without_count(cell: str) -> str:
    """A cell without a number of copies in front of its word: “Good” of “2xGood”."""
    found = _COUNT.match(cell)
    return cell[found.end() :] if found else cell


def is_total(word: str) -> bool:
    """Whether a row that begins with this word adds others up."""
    return normal(word) in _word_lists()["total"]


def is_sealed(name: str) -> bool:
    """Whether a name is that of sealed product or a bundle, if it is no card of the catalog."""
    return bool(_sealed().search(plain(name)))


@cache
def _sealed() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(re.escape(plain(one)) for one in load('words')['sealed'])})\b")


def is_unopened(condition: str) -> bool:
    """Whether a condition is that of sealed product."""
    return normal(condition) in _word_lists()["unopened"]


def is_grade(condition: str) -> bool:
    """Whether a condition is the grade of a graded card: “PSA 10”."""
    first, _, rest = plain(condition).partition(" ")
    return first in _word_lists()["graders"] and (first == "graded" or bool(_DIGIT.search(rest)))


class Scale(NamedTuple):
    """A scale of conditions."""

    name: str
    #: The grade of each word, by ``normal``.
    grades: Mapping[str, Condition]
    #: The same by ``plain``.
    phrases: Mapping[str, Condition]


@cache
def scales() -> dict[str, Scale]:
    """All scales by their keys."""
    return {key: _scale(entry) for key, entry in load("conditions").items()}


def _scale(entry: dict[str, Any]) -> Scale:
    grades = {word: CONDITION_CODES[code] for code, words in entry.items() if code != "name" for word in words}
    return Scale(
        entry["name"],
        {normal(word): grade for word, grade in grades.items()},
        {plain(word): grade for word, grade in grades.items()},
    )


@cache
def common_scale() -> Scale:
    """The scale of files whose scale is not known: the words that mean the same in every scale that has them."""

    def shared(tables: Iterable[Mapping[str, Condition]]) -> dict[str, Condition]:
        found: dict[str, set[Condition]] = {}
        for table in tables:
            for word, grade in table.items():
                found.setdefault(word, set()).add(grade)
        return {word: next(iter(grades)) for word, grades in found.items() if len(grades) == 1 and not word.isdigit()}

    known = scales().values()
    return Scale("", shared(one.grades for one in known), shared(one.phrases for one in known))


def scale(key: str) -> Scale:
    """The scale with this key; empty: only the words that mean the same in all that have them."""
    return scales().get(key) or common_scale()


def explain(word: str, grade: Condition, key: str) -> str:
    """Why a word is this grade on the scale with this key; empty if it is called so by us, too, or is not alone."""
    known, own = scale(key), {normal(one.name): one for one in Condition}
    if known.grades.get(normal(word)) is not grade or normal(word) in (
        normal(grade.name),
        normal(GRADE_CODES[grade]),
    ):
        return ""
    order = sorted({*known.grades.values()})
    place = f"Grade {order.index(grade) + 1} of {len(order)} at {known.name}, best first."
    why = place if known.name else "All tools that have this word mean that."
    alike = next((own[one] for one in get_close_matches(normal(word), own, 1, _ALIKE) if own[one] is not grade), None)
    if alike is None:
        return why
    name = alike.name.replace("_", " ").capitalize()
    return f"{why} Our “{name}” is a {'lower' if alike > grade else 'higher'} grade."


def depends_on_scale(word: str) -> bool:
    """Whether a word is a condition in some scale, and different ones mean different grades by it."""
    return normal(word) not in common_scale().grades and any(normal(word) in one.grades for one in scales().values())


def guess_scale(words: Collection[str]) -> str:
    """The only scale that knows all these words, of those that are conditions at all; empty if several or none do."""
    known = {normal(word) for word in words if any(normal(word) in one.grades for one in scales().values())}
    fitting = {key: one for key, one in scales().items() if known <= one.grades.keys()}
    meanings = {tuple(one.grades[word] for word in sorted(known)) for one in fitting.values()}
    return next(iter(fitting), "") if len(meanings) == 1 and known - common_scale().grades.keys() else ""


@cache
def _languages() -> dict[str, str]:
    return {normal(word): code for code, words in load("languages").items() for word in words}


@cache
def language_names() -> dict[str, str]:
    """The languages by their codes, as people call them."""
    return {
        code: next(word for word in words if len(word) > 3 and word[0].isupper())
        for code, words in load("languages").items()
    }


def language(word: str) -> str | None:
    """The code of a language; None for a word that is not one."""
    return _languages().get(normal(word))


@cache
def _finish_phrases() -> dict[str, str]:
    table = load("finishes")
    keys = (key for key, words in table.items() if isinstance(words, list) and key != "in_titles")
    return {plain(word): key for key in keys for word in table[key]}


@cache
def _title_phrases() -> dict[str, str]:
    return {plain(word): _finish_phrases()[plain(word)] for word in load("finishes")["in_titles"]}


def languages_in(title: str) -> list[str]:
    """The languages that a longer text names; codes do not count there."""
    return [code for word in plain(title).split() if len(word) >= _LANGUAGE and (code := language(word))]


class Parsed(NamedTuple):
    """What the words of a cell say."""

    conditions: tuple[Condition, ...] = ()
    finishes: frozenset[str] = frozenset()
    languages: tuple[str, ...] = ()
    #: Words that mean nothing here.
    unknown: str = ""


@lru_cache(maxsize=20_000)
def parse_printing(text: str, scale_key: str | None = None, *, in_title: bool = False) -> Parsed:
    """The condition (where a scale is given), finish, edition and language in a cell, longest phrases first.

    ``in_title``: only words that mark a finish in any text count, and others are no fault.
    """
    tokens = plain(text).split()
    finishes = _title_phrases() if in_title else _finish_phrases()
    phrases: Mapping[str, Condition] = {} if scale_key is None else scale(scale_key).phrases
    conditions: list[Condition] = []
    found: set[str] = set()
    languages: list[str] = []
    unknown: list[str] = []
    at = 0
    while at < len(tokens):
        for size in range(min(6, len(tokens) - at), 0, -1):
            phrase = " ".join(tokens[at : at + size])
            if phrase in phrases:
                conditions.append(phrases[phrase])
            elif phrase in finishes:
                found.add(finishes[phrase])
            elif scale_key is not None and len(phrase) > 1 and (spoken := _languages().get(normal(phrase))):
                languages.append(spoken)
            else:
                continue
            at += size
            break
        else:
            unknown.append(tokens[at])
            at += 1
    return Parsed(
        tuple(conditions), frozenset(found - {_IGNORED}), tuple(languages), "" if in_title else " ".join(unknown)
    )


def alike(kind: Kind, word: str, scale_key: str = "") -> list[str]:
    """What a condition, language or finish that nobody knows may be meant as, as answers have it; the likest first.

    Only words that begin alike are compared: “unplayed” is no misspelling of “played”.
    """
    known: Mapping[str, str] = {}
    texts = [word]
    if kind is Kind.CONDITION:
        # What all tools mean alike that have the word, too.
        grades = {**common_scale().grades, **scale(scale_key).grades}
        known = {one: GRADE_CODES[grade] for one, grade in grades.items()}
        # The finish and language beside it are known.
        texts.append(parse_printing(word, scale_key).unknown)
    elif kind is Kind.LANGUAGE:
        known = _languages()
    elif kind is Kind.FINISH:
        known = {normal(phrase): key for phrase, key in _finish_phrases().items() if key != _IGNORED}
    found: dict[str, None] = {}
    for text in map(normal, texts):
        spelled = [one for one in known if len(one) >= _SPELLED and not one.isdigit() and one[0] == text[:1]]
        found.update(dict.fromkeys(known[one] for one in get_close_matches(text, spelled, cutoff=_ALIKE)))
    return [*found]
