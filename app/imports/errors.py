"""Why a command cannot be carried out: the errors that pages, API and command line answer with a sentence."""

from __future__ import annotations

from app.csvfile.errors import FileRejected
from app.models import Import


class ImportNotFound(Exception):
    """The seller has no such import."""


class TransitionRefused(Exception):
    """The button does not fit the state of the import; the message is a sentence for the seller."""


class KeyTaken(Exception):
    """An Idempotency-Key comes with another file, or for another purpose, than the first time."""


class ImportedBefore(Exception):
    """The bytes of an upload are those of an import that the seller has made already; nothing was started."""

    def __init__(self, earlier: Import) -> None:
        super().__init__(earlier.public_id)
        #: The newest import of these bytes whose file is still kept, so that it can be started from there.
        self.earlier = earlier


class TooMuch(FileRejected):
    """The seller has sent too much lately; the file itself may be right."""

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        #: When it makes sense to try again.
        self.seconds = seconds
