"""The filter of My Imports in the query of a URL."""

from collections.abc import Mapping

from app.csvfile.contract import quoted
from app.http.query_filter import ParsedFilter, read_texts, right_values
from app.queries.imports.lookups import ImportFilter
from app.statuses import ImportKind, ImportStatus

#: Longer than any file name.
_MAX_LENGTHS = dict.fromkeys(("text", "status", "kind"), 255)
#: What ``status`` may say beside a status: what a seller has to do something about.
_ATTENTION = "attention"
_STATUSES = {status.value.lower(): status for status in ImportStatus}
_KINDS = {"imports": ImportKind.IMPORT, "checks": ImportKind.CHECK, "undos": ImportKind.UNDO}


def read_filter(args: Mapping[str, str]) -> ParsedFilter[ImportFilter]:
    """Parse the filter. Invalid fields are ignored, and reported as faults."""
    texts = read_texts(args, _MAX_LENGTHS)
    status, kind = texts["status"].lower(), texts["kind"].lower()
    faults: dict[str, str] = {}
    if status and status != _ATTENTION and status not in _STATUSES:
        faults["status"] = f"There is no status {quoted(texts['status'])}. Choose one from the list."
    if kind and kind not in _KINDS:
        faults["kind"] = f"{quoted(texts['kind'])} is neither imports nor checks nor undos. Choose one from the list."
    wanted = ImportFilter(
        words=tuple(dict.fromkeys(texts["text"].lower().split())),
        status=_STATUSES.get(status),
        kind=_KINDS.get(kind),
        needs_attention=status == _ATTENTION,
    )
    return ParsedFilter(wanted, right_values({**texts, "status": status, "kind": kind}, faults), faults)
