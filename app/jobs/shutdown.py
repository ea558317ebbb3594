"""The request to a process to stop: a flag that long jobs check between two steps."""

import signal

_requested = False


def request_shutdown(*_: object) -> None:
    """Ask the job of this process to stop after its step. Can be a signal handler."""
    global _requested
    _requested = True


def is_shutdown_requested() -> bool:
    """Whether the job of this process should stop after its step."""
    return _requested


def listen_for_shutdown(number: signal.Signals) -> None:
    """Have the signal ``number`` call request_shutdown in this process and in those it forks."""
    signal.signal(number, request_shutdown)
