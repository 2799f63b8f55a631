"""Handlers for Ctrl-C and SIGTERM that end a call cleanly."""

import _signal  # type: ignore[import-not-found]  # `signal` takes as long to import as Python to start
import os
from collections.abc import Callable, Iterable
from types import FrameType

Handler = Callable[[int, FrameType | None], object]
AGAIN_SECONDS = 0.05
IMPORTER = "<frozen importlib._bootstrap>"


def end_at_once() -> None:
    """From here on Ctrl-C ends the process with one line. For the start of a process, before it does any work."""

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, b"\nInterrupted before anything started.\n")
        os._exit(128 + number)

    _set(end)


def end_silently() -> None:
    """From here on Ctrl-C ends the process silently. For the end of a process, after all its work."""
    _set(_signal.SIG_DFL)


def end_by_exception() -> None:
    """From here on Ctrl-C raises a KeyboardInterrupt, which is Python's default."""
    end_silently()
    _set(_signal.default_int_handler, (_signal.SIGINT,))


def _set(handler: Handler | int, numbers: Iterable[int] = (_signal.SIGINT, _signal.SIGTERM)) -> None:
    for number in numbers:
        handle(number, handler)


def handle(number: int, handler: Handler | int) -> None:
    """From here on a signal calls this handler, unless the shell that started this process has it ignored."""
    if _signal.getsignal(number) is not _signal.SIG_IGN:  # as it does with Ctrl-C for background jobs
        _signal.signal(number, handler)


def between_imports(handler: Handler) -> Handler:
    """Returns a signal handler that calls `handler` only when no import is in progress.

    An exception raised during an import can get lost: some compiled modules clear it, others replace it
    by an ImportError. The interrupted call would then go on, or end with a traceback.

    Args:
        handler: a handler as `signal.signal` takes it; it may raise.
    """

    def wait(number: int, frame: FrameType | None) -> None:
        if _importing(frame):
            import signal
            import threading

            main = threading.main_thread().ident  # only a signal to this thread ends what it waits for
            again = threading.Timer(AGAIN_SECONDS, signal.pthread_kill, [main, number])
            again.daemon = True
            again.start()
        else:
            handler(number, frame)

    return wait


def _importing(frame: FrameType | None) -> bool:
    """Whether an import is in progress in this frame or one that called it."""
    while frame:
        if frame.f_code.co_filename == IMPORTER:
            return True
        frame = frame.f_back
    return False
