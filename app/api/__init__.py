"""The API: the pages' own commands and queries, in JSON, for programs that show a token."""

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from app.api import (
    catalog,
    conversions,
    downloads,
    errors,
    fixes,
    import_actions,
    imports,
    limits,
    listings,
    openapi,
    problems,
    reference,
)
from app.api.blueprint import blueprint
from app.extensions import csrf

#: Imported for the views that they put on the blueprint.
RESOURCES = (imports, conversions, import_actions, errors, fixes, downloads, listings, catalog)


def register(app: Flask) -> None:
    """Give ``app`` the API, the document that describes it, and the page on which people read that."""
    if isinstance(app.json, DefaultJSONProvider):
        # People read answers too: fields come in the order of their description, and letters as they are.
        app.json.sort_keys = False
        app.json.ensure_ascii = False
    limits.init_app(app)
    problems.init_app(app)
    # A browser sends no token by itself, so no other site can make it ask for anything.
    csrf.exempt(blueprint)
    openapi.register(app, blueprint)
    app.register_blueprint(reference.blueprint)
