"""Finds the games and sets of the catalog by what other tools call them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import NamedTuple

from app.imports.foreign import words
from app.imports.foreign.mapping import LEAVE_OUT, Kind, Mapping, normal, plain
from app.imports.foreign.reasons import SET_BY_CODE, SET_BY_NAME, Reason, reason
from app.queries import items_by_set
from app.queries.items_by_set import NamedSet

#: A code before the name of a set: “SV03: Obsidian Flames”, “XY - Evolutions”.
_CODED = re.compile(r"\s*([A-Za-z0-9.&]{1,8})\s*[:–-]\s+(.+)")
_STEPS = re.compile(r"[>,|/]")
#: Between game and set in an answer, and in a question about a name that only sets of other games have.
IN_GAME = " > "
_SUGGESTED = 5
_BY_CODE, _BY_NAME = reason(SET_BY_CODE), reason(SET_BY_NAME)
#: Words that are remembered.
_REMEMBERED = 20_000


class FoundSets(NamedTuple):
    """The sets that a word can mean."""

    sets: tuple[NamedSet, ...] = ()
    #: What is special about their cards, as a finish cell would say it.
    extras: frozenset[str] = frozenset()
    is_left_out: bool = False
    #: What is said of the rows: only the code or only the name in the word fits.
    remark: Reason | None = None


@cache
def _game_words() -> dict[str, str]:
    return {normal(word): game for game, entry in words.load("games").items() for word in (game, *entry["words"])}


@cache
def native_languages(game: str) -> frozenset[str]:
    """The languages whose printings are items of their own in a game, and so no variant."""
    entry = words.load("games").get(game)
    return frozenset(entry["native"] if entry else ["en"])


class Sets:
    """The sets of the catalog, by all their names, and what a mapping answers about them."""

    def __init__(self, mapping: Mapping) -> None:
        self._answers = mapping.answers.get(Kind.SET, {})
        self._game_answers = mapping.answers.get(Kind.GAME, {})
        self._by_name: defaultdict[str, list[NamedSet]] = defaultdict(list)
        #: All of them.
        self.known = items_by_set.list_sets()
        for one in self.known:
            self._by_name[normal(one.name)].append(one)
        self._games = {normal(one.game): one.game for one in self.known}
        #: The games that a word means; all if it is empty, None if it is unknown.
        self.games = lru_cache(maxsize=_REMEMBERED)(self._look_up_games)
        table = words.load("sets")
        self._aliases = self._of_table((alias, name) for name, several in table["names"].items() for alias in several)
        self._codes = self._of_table(table["codes"].items())
        self._extras = {normal(alias): frozenset({extra}) for alias, extra in table["with"].items()}
        self._found = lru_cache(maxsize=_REMEMBERED)(self._look_up)
        self._in_titles = self._title_names()

    def _of_table(self, pairs: Iterable[tuple[str, str]]) -> dict[str, list[NamedSet]]:
        there = ((normal(alias), self._by_name.get(normal(name), [])) for alias, name in pairs)
        return {alias: sets for alias, sets in there if sets}

    def _title_names(self) -> list[tuple[str, tuple[NamedSet, ...]]]:
        names = {plain(one.name): tuple(sets) for sets in self._by_name.values() for one in sets}
        for name, aliases in words.load("sets")["names"].items():
            if sets := self._by_name.get(normal(name)):
                names |= {plain(alias): tuple(sets) for alias in aliases if len(plain(alias).split()) > 1}
        return sorted(((f" {name} ", sets) for name, sets in names.items() if name), key=lambda one: -len(one[0]))

    def _look_up_games(self, word: str) -> frozenset[str] | None:
        key = normal(word)
        if not word:
            return frozenset(self._games.values())
        game = self._game_answers.get(key) or self._games.get(key) or _game_words().get(key, "")
        return frozenset({game}) if game in self._games.values() else None

    def is_game_left_out(self, word: str) -> bool:
        """Whether the seller leaves out the rows of this game."""
        return self._game_answers.get(normal(word)) == LEAVE_OUT

    def find(self, word: str, *, in_path: bool = False) -> FoundSets:
        """The sets that a word means. ``in_path``: one of its steps or entries does, the last one that can."""
        if not in_path:
            return self._found(word)
        for step in reversed(_STEPS.split(word)):
            if step.strip() and (found := self._found(step)).sets:
                return found
        return FoundSets()

    def _look_up(self, word: str) -> FoundSets:
        if answered := self._answered(word):
            return answered
        key = normal(word)
        coded = _CODED.fullmatch(word)
        names = [key, *([normal(coded[2])] if coded else [])]
        for name in names:
            if sets := self._by_name.get(name) or self._aliases.get(name):
                is_coded = name == key or coded is None or self._has_code(sets, coded[1])
                return FoundSets(
                    tuple(sets), self._extras.get(name, frozenset()), remark=None if is_coded else _BY_NAME
                )
        return self.find_code(coded[1])._replace(remark=_BY_CODE) if coded else self.find_code(word)

    def _has_code(self, sets: Sequence[NamedSet], code: str) -> bool:
        """Whether a code does not contradict these sets: it is that of one of them, or a series, without a number."""
        if not re.search("[0-9]", code):
            return True
        # A trainer gallery has the code of its set.
        names = tuple(plain(one.name) for one in self._codes.get(normal(code), ()))
        return any(plain(one.name).startswith(names) for one in sets)

    def _answered(self, word: str) -> FoundSets | None:
        """What the seller said that a name or code means."""
        answer = self._answers.get(normal(word))
        if not answer or answer == LEAVE_OUT:
            return FoundSets(is_left_out=True) if answer else None
        game, _, name = answer.rpartition(IN_GAME)
        return FoundSets(tuple(one for one in self._by_name.get(normal(name), ()) if game in ("", one.game)))

    def find_code(self, code: str) -> FoundSets:
        """The sets with this short code."""
        return self._answered(code) or FoundSets(tuple(self._codes.get(normal(code), ())))

    def parts_of(self, sets: Sequence[NamedSet]) -> list[NamedSet]:
        """Sets that are parts of others, such as their trainer galleries: their names begin with these."""
        wanted = [(one.game, f"{plain(one.name)} ") for one in sets]
        return [
            one
            for one in self.known
            if any(one.game == game and plain(one.name).startswith(name) for game, name in wanted)
        ]

    def in_title(self, title: str) -> tuple[NamedSet, ...]:
        """The sets whose names stand in a title, without those that are part of a longer one."""
        rest = f" {plain(title)} "
        found: dict[NamedSet, None] = {}
        for name, sets in self._in_titles:
            if name in rest:
                found.update(dict.fromkeys(sets))
                rest = rest.replace(name, "  ")
        return tuple(found)

    def nearest(self, word: str, likeness: float = 0.5) -> list[str]:
        """The names of sets that are spelled most similarly, as answers have them; the nearest first."""
        game, _, name = word.rpartition(IN_GAME)
        games = self.games(game) or frozenset(self._games.values())
        coded = _CODED.fullmatch(name)
        near = get_close_matches(normal(coded[2] if coded else name), self._by_name, _SUGGESTED, likeness)
        there = (one for key in near for one in self._by_name[key])
        return [f"{one.game}{IN_GAME}{one.name}" for one in there if one.game in games]
