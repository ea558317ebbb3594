"""The pages: every view parses its request, calls the core, and answers with a page or a redirect."""

from flask import Flask

from app.web import (
    account,
    bell,
    catalog,
    details,
    duplicates,
    errors,
    filters,
    fixes,
    headers,
    housekeeping,
    listings,
    mappings,
    menu,
    metrics,
    my_imports,
    notifications,
    ops,
    password_reset,
    queues,
    row_search,
    session,
    sign_in,
    static_files,
    tokens,
    undo,
    unprintable,
    upload,
    webhooks,
)
from app.web import help as help_pages
from app.web.match import routes as match


def register(app: Flask) -> None:
    """Register the pages with ``app``, their template filters, and the error pages."""
    for part in (session, filters, headers, unprintable, menu, static_files, errors):
        part.init_app(app)
    for module in (
        sign_in,
        password_reset,
        upload,
        match,
        mappings,
        my_imports,
        duplicates,
        row_search,
        details,
        fixes,
        undo,
        housekeeping,
        listings,
        catalog,
        account,
        tokens,
        webhooks,
        notifications,
        bell,
        help_pages,
        ops,
        metrics,
    ):
        app.register_blueprint(module.blueprint)
    queues.init_app(app)
