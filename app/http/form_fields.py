"""Fields of forms, read in one way by pages and API."""

import hashlib
import uuid
from collections.abc import Mapping

from werkzeug.exceptions import BadRequest, UnprocessableEntity

#: What a switch may say: what addresses of the API say, and what boxes of HTML forms do. A browser leaves the field
#: out where the box is not ticked.
_SWITCH = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}


class FormRefused(UnprocessableEntity):
    """A form has an unknown field, or an invalid value; the message says what to send instead."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"The field “{field}”: {message}")
        #: In the format of webargs, so that the API reports it in the same way.
        self.data = {"messages": {"form": {field: [message]}}}


def plain(text: str) -> str:
    """A text of a form without what browsers change in it, and without white space around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def mark_of(text: str) -> str:
    """A short mark of a text that a form shows, by which the form tells, when it comes back, what was changed in it."""
    return hashlib.blake2b(plain(text).encode(errors="surrogatepass"), digest_size=8).hexdigest()


def is_on(fields: Mapping[str, str], name: str) -> bool:
    """Whether the switch ``name`` is on in a submitted form. Raises FormRefused for an invalid value."""
    if name not in fields:
        return False
    try:
        return _SWITCH[fields[name]]
    except KeyError:
        raise FormRefused(name, f"Enter true or false, not “{fields[name]}”.") from None


def read_form_key(fields: Mapping[str, str]) -> uuid.UUID | None:
    """The key of a submitted form, or None. Raises BadRequest for an invalid one."""
    if not fields.get("form_key"):
        return None
    try:
        return uuid.UUID(fields["form_key"])
    except ValueError:
        raise BadRequest("The form_key is not a UUID.") from None
