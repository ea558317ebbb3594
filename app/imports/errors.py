"""The errors of commands, which pages, API and command line answer with a sentence."""

from app.csvfile.errors import FileRejected
from app.models import Import
from app.queries.imports.lookups import ImportNotFound as ImportNotFound


class TransitionRefused(Exception):
    """The import's status does not allow the action; the message is a sentence for the seller."""


class RowsMoved(TransitionRefused):
    """Failed rows that were to be taken up have meanwhile been corrected or taken up otherwise; nothing was created."""

    def __init__(self) -> None:
        super().__init__("Some of these rows have just been corrected or imported elsewhere. Check what is left.")


class KeyTaken(Exception):
    """An Idempotency-Key was used before with another file, or for another purpose."""


class ImportedBefore(Exception):
    """The seller has imported the same file before; nothing was created."""

    def __init__(self, earlier: Import) -> None:
        super().__init__(earlier.public_id)
        #: The newest import of the same file that is still stored, from which it can be imported again.
        self.earlier = earlier


class QuotaExceeded(FileRejected):
    """The seller has exceeded a quota; the file itself may be right."""

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        #: Seconds after which to try again.
        self.seconds = seconds
