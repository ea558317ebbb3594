"""Conversions: foreign files on their way into the import format."""

import uuid
from typing import Any

from flask import url_for

from app.api.authentication import seller_id
from app.api.blueprint import blueprint, can_fail
from app.api.schemas import Conversion as ConversionSchema
from app.api.serializers import row_counts
from app.http.uploads import storage_errors_as_503
from app.imports import conversions
from app.models import Conversion

_TAG = ["Conversions"]


@blueprint.get("/conversions/<uuid:public_id>", tags=_TAG)
@blueprint.response(200, ConversionSchema())
@can_fail(404)
def show_conversion(public_id: uuid.UUID) -> dict[str, Any]:
    """Show how far the conversion of a file is, and what has become of its rows.

    Poll this until its status is CONVERTED or FAILED. Once “importId” is there, go on with the import.
    """
    return show(conversions.get(seller_id(), public_id))


@blueprint.delete("/conversions/<uuid:public_id>", tags=_TAG)
@blueprint.response(204, description="It is cancelled and deleted.")
@can_fail(403, 404, 409)
def delete_conversion(public_id: uuid.UUID) -> None:
    """Cancel the conversion of a file, and delete the file. Not once it was imported or checked."""
    with storage_errors_as_503():
        conversions.delete(seller_id(), public_id)


def show(one: Conversion) -> dict[str, Any]:
    """A conversion; the fields are those of ``schemas``."""
    started = conversions.find_import(one)
    return {
        "id": one.public_id,
        "status": one.status,
        "done": one.done / 1000,
        "file_name": one.file_name,
        "mapping": one.mapping_name,
        "reason": one.reason,
        "guess": conversions.guess_of(one),
        **row_counts(one),
        "import_id": started and started.public_id,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "links": {
            "self": url_for("api.show_conversion", public_id=one.public_id),
            "html": url_for("match.show", public_id=one.public_id),
            "started": url_for("api.show_one", public_id=started.public_id) if started else None,
        },
    }
