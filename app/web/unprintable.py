"""Names on every page the characters that HTML cannot have: failed rows are shown with whatever is in them."""

import re

from flask import Flask, Response

from app.csvfile.visible import with_signs

#: Control characters but for white space, and what Unicode will never assign to a character.
_NOT_HTML_BYTES = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xef\xb7[\x90-\xaf]|\xef\xbf[\xbe\xbf]")


def init_app(app: Flask) -> None:
    """Look at every page of ``app``."""
    app.after_request(_name_unprintable)


def _name_unprintable(response: Response) -> Response:
    if response.mimetype == "text/html" and not response.is_streamed and not response.direct_passthrough:
        body = response.get_data()
        if _NOT_HTML_BYTES.search(body):
            response.set_data(with_signs(body.decode()))
    return response
