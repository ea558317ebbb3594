"""The words, URNs and names most similar to a wrong one."""

from collections.abc import Iterable
from difflib import SequenceMatcher

from app.csvfile.contract import NamedBy
from app.queries import items, items_by_set
from app.queries.items_by_set import NamedItem

#: Maximum number of choices offered.
MAX_CHOICES = 5
#: Steps of names that are compared with what the catalog has there, on one page. Each costs a statement and some
#: hundred comparisons, one or two milliseconds together.
_MAX_STEPS = 24
#: A step is compared with this many at most.
_MAX_COMPARED = 500
#: Minimum similarity of two words, from 0 to 1.
_ALIKE = 0.6


class NearestItems:
    """Finds items with similar names, in a bounded number of catalog look-ups."""

    def __init__(self) -> None:
        self._steps: dict[tuple[NamedBy, str], list[str]] = {}
        self._compared: dict[tuple[NamedBy, str], list[str]] = {}
        self._elsewhere: dict[str, list[NamedItem]] = {}

    def find(self, named_by: NamedBy, wanted: str) -> list[NamedItem]:
        """The items whose URN or ``name_key`` is most similar to ``wanted``, the most similar first."""
        steps = items.split_path(named_by, wanted)
        nearest = self._find_paths(named_by, "", steps) if steps else []
        found = items_by_set.describe(named_by, nearest) if nearest else {}
        return [item for value in nearest for item in found.get(value, ())]

    def find_in_other_sets(self, key: str) -> list[NamedItem]:
        """The items of the same game and name as ``name_key`` ``key``, those in the most similar sets first."""
        if key not in self._elsewhere:
            if len(self._elsewhere) >= _MAX_STEPS:
                return []
            game, wanted, name = items.split_path(NamedBy.NAME, key)
            keys = {game + one + name: one for one in self._known_steps(NamedBy.NAME, game)}
            found = items_by_set.describe(NamedBy.NAME, keys) if keys else {}
            # The separator is no part of what they have in common.
            nearest = sorted(found, key=lambda one: (-likeness(keys[one][:-1], wanted[:-1]), one))
            self._elsewhere[key] = [item for one in nearest for item in found[one]]
        return self._elsewhere[key]

    def _find_paths(self, named_by: NamedBy, path: str, steps: list[str]) -> list[str]:
        """Follow ``steps`` from ``path``, taking the most similar step where the catalog does not have one."""
        step, *rest = steps
        alike = self._alike_steps(named_by, path, step, 1 if rest else MAX_CHOICES)
        if not rest and alike:
            return [path + one for one in alike]
        for one in alike:
            if found := self._find_paths(named_by, path + one, rest):
                return found
        # Two steps may have lost the separator between them.
        for one in self._steps_at_start(named_by, path, step):
            if found := self._find_paths(named_by, path + one, [step[len(one) - 1 :], *rest]):
                return found
        return []

    def _alike_steps(self, named_by: NamedBy, path: str, step: str, limit: int) -> list[str]:
        known = self._known_steps(named_by, path)
        if step in known:
            return [step]
        if step.isdecimal():
            # Similar numbers belong to other cards; only leading zeros do not matter.
            return [one for one in known if one.isdecimal() and int(one) == int(step)]
        compared = (named_by, path + step)
        if compared not in self._compared:
            if len(self._compared) >= _MAX_STEPS:
                return []
            goes_on = items.goes_on(named_by, step)
            self._compared[compared] = closest(
                step, (one for one in known if items.goes_on(named_by, one) == goes_on), limit
            )
        return self._compared[compared]

    def _steps_at_start(self, named_by: NamedBy, path: str, step: str) -> list[str]:
        """The steps with which ``step`` begins, but for their separators; the longest first."""
        start = step.casefold()
        known = [one for one in self._known_steps(named_by, path) if 1 < len(one) <= len(step)]
        return sorted(
            (one for one in known if items.goes_on(named_by, one) and start.startswith(one[:-1].casefold())),
            key=lambda one: (-len(one), one),
        )

    def _known_steps(self, named_by: NamedBy, path: str) -> list[str]:
        if (named_by, path) not in self._steps:
            if len(self._steps) >= _MAX_STEPS:
                return []
            self._steps[named_by, path] = items.list_steps(named_by, path, limit=_MAX_COMPARED)
        return self._steps[named_by, path]


def closest(word: str, known: Iterable[str], limit: int, *, at_least: float = _ALIKE) -> list[str]:
    """The words of ``known`` most similar to ``word``, without those that are much less similar than the first."""
    matcher = SequenceMatcher(autojunk=False)
    folded = word.casefold()
    matcher.set_seq2(folded)
    alike: list[tuple[float, str]] = []
    for one in known:
        matcher.set_seq1(one.casefold())
        # The first two are fast upper bounds.
        if matcher.real_quick_ratio() >= at_least and matcher.quick_ratio() >= at_least:
            ratio = matcher.ratio()
            if ratio >= at_least:
                alike.append((ratio, one))
    alike.sort(key=lambda found: (-found[0], found[1]))
    return [one for ratio, one in alike[:limit] if ratio >= alike[0][0] - 0.1]


def likeness(one: str, other: str) -> float:
    """The similarity of two words, from 0 to 1."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
