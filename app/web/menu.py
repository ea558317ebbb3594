"""The menu of all pages, and which entry is current."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from flask import Flask, request, url_for


class Entry(NamedTuple):
    """A page in the menu."""

    endpoint: str
    text: str
    icon: str
    #: The part of the text for which a phone has room, if not for all of it.
    short: str = ""

    @property
    def path(self) -> str:
        """Its path."""
        return _find_path(self.endpoint, request.script_root)


@lru_cache
def _find_path(endpoint: str, _below: str) -> str:
    # A page asks for each a dozen times.
    return url_for(endpoint)


@dataclass(frozen=True, slots=True)
class Group:
    """Entries under a heading.

    On a phone there is room for six signs. There a group that has a sign of its own is that sign alone, which leads to
    its first page, and its pages lead to each other.
    """

    name: str
    entries: tuple[Entry, ...] = ()
    #: Left out on a phone.
    minor: tuple[Entry, ...] = ()
    icon: str | None = None
    is_for_operators: bool = False

    @property
    def paths(self) -> list[str]:
        """The paths of its pages."""
        return [entry.path for entry in (*self.entries, *self.minor)]


MENU = (
    Group(
        "Imports",
        (
            Entry("my_imports.index", "My Imports", "list", "Imports"),
            Entry("upload.form", "Upload CSV", "upload", "Upload"),
        ),
        minor=(
            Entry("match.form", "Match your file", "columns"),
            Entry("row_search.index", "Find a row", "find"),
        ),
    ),
    Group(
        "Listings",
        minor=(Entry("listings.index", "My Listings", "tag"), Entry("catalog.index", "Catalog", "search")),
        icon="tag",
    ),
    Group(
        "Settings",
        minor=(
            Entry("my_account.show", "Account", "person"),
            Entry("tokens.index", "API tokens", "key"),
            Entry("webhooks.index", "Webhooks", "hook"),
            Entry("notifications.form", "Notifications", "bell"),
            Entry("mappings.index", "Saved mappings", "columns"),
        ),
        icon="gear",
    ),
    Group("Operators", (Entry("ops.index", "Operations", "pulse"),), is_for_operators=True),
    Group(
        "Help",
        minor=(
            Entry("help.csv", "Build a CSV", "file"),
            Entry("help.matching", "About matching", "columns"),
            Entry("help.errors", "Fix errors", "question"),
            Entry("api_reference.show", "Use the API", "code"),
        ),
        icon="question",
    ),
)


def init_app(app: Flask) -> None:
    """Let templates draw the menu."""
    app.jinja_env.globals.update(MENU=MENU, path_in_menu=path_in_menu)


def path_in_menu() -> str | None:
    """The path of the menu entry closest above the requested page, if any."""
    here = request.script_root + request.path
    above = [path for group in MENU for path in group.paths if f"{here}/".startswith(f"{path}/")]
    return max(above, key=len, default=None)
