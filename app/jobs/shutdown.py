"""The request to a process to stop: a flag that long jobs check between two steps."""

_requested = False


def request_shutdown(*_: object) -> None:
    """Ask the job of this process to stop after its step. Can be a signal handler."""
    global _requested
    _requested = True


def is_shutdown_requested() -> bool:
    """Whether the job of this process should stop after its step."""
    return _requested
