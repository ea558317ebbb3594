"""Names on every page the characters that HTML cannot have: failed rows are shown with whatever is in them."""

import re

from flask import Flask, Response

#: Control characters but for white space, and what Unicode will never assign to a character.
_NOT_HTML = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_NOT_HTML_BYTES = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xef\xb7[\x90-\xaf]|\xef\xbf[\xbe\xbf]")
_PICTURES, _DELETE = 0x2400, 0x7F


def init_app(app: Flask) -> None:
    """Look at every page of ``app``."""
    app.after_request(_name_unprintable)


def _name_unprintable(response: Response) -> Response:
    if response.mimetype == "text/html" and not response.is_streamed and not response.direct_passthrough:
        body = response.get_data()
        if _NOT_HTML_BYTES.search(body):
            response.set_data(_NOT_HTML.sub(_picture, body.decode()))
    return response


def _picture(found: re.Match[str]) -> str:
    """The sign of a control character, such as ␁; for the others the sign of what cannot be shown."""
    code = ord(found[0])
    return chr(_PICTURES + code) if code < ord(" ") else "␡" if code == _DELETE else "\ufffd"
