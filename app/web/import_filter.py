"""Which imports My Imports shows, as its address says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.csvfile.contract import quoted
from app.queries.imports import Filter
from app.statuses import ImportStatus

#: Longer than the name of any file.
_MAX_TEXT = 255

#: What ``status`` may say beside a status: what a seller has to do something about.
_ATTENTION = "attention"
_STATUSES = {status.value.lower(): status for status in ImportStatus}
_KINDS = {"imports": False, "checks": True}


@dataclass(frozen=True, slots=True)
class AskedImports:
    """A filter, and how it stands in addresses and in the form."""

    wanted: Filter
    #: By the names of the fields, as the form says them; only those that say something.
    values: Mapping[str, str]
    #: What cannot be made sense of, by the names of the fields, in a sentence each.
    faults: Mapping[str, str]

    @property
    def is_active(self) -> bool:
        """Whether anything is filtered out at all."""
        return self.wanted != Filter()


def read_filter(args: Mapping[str, str]) -> AskedImports:
    """The filter that an address asks for; what makes no sense in it is told as a fault and does not matter."""
    # No name has a NUL in it, and the database takes none.
    texts = {name: args.get(name, "").replace("\0", "").strip() for name in ("text", "status", "kind")}
    texts["text"] = texts["text"][:_MAX_TEXT]
    status, kind = texts["status"].lower(), texts["kind"].lower()
    faults: dict[str, str] = {}
    if status and status != _ATTENTION and status not in _STATUSES:
        faults["status"] = f"There is no status {quoted(texts['status'])}. Choose one of the list."
    if kind and kind not in _KINDS:
        faults["kind"] = f"{quoted(texts['kind'])} is neither imports nor checks. Choose one of the list."
    wanted = Filter(
        words=tuple(dict.fromkeys(texts["text"].lower().split())),
        status=_STATUSES.get(status),
        is_check=_KINDS.get(kind),
        needs_attention=status == _ATTENTION,
    )
    values = {"text": texts["text"], "status": status, "kind": kind}
    return AskedImports(wanted, {name: value for name, value in values.items() if value and name not in faults}, faults)
