"""Signals that end a call in order."""

import _signal  # type: ignore[import-not-found]  # beneath `signal`, which takes as long to import as Python to start
import os
from collections.abc import Callable, Iterable
from types import FrameType

Handler = Callable[[int, FrameType | None], object]
AGAIN_SECONDS = 0.05
IMPORTER = "<frozen importlib._bootstrap>"


def end_at_once() -> None:
    """From here on Ctrl-C ends the process with one line: for its first moments, in which there is nothing to lose."""

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, b"\nInterrupted. Nothing was begun.\n")
        os._exit(128 + number)

    _set(end)


def end_silently() -> None:
    """From here on Ctrl-C ends the process without a word: for its last moments, in which all is done."""
    _set(_signal.SIG_DFL)


def end_by_exception() -> None:
    """From here on Ctrl-C raises a KeyboardInterrupt, as Python has it."""
    end_silently()
    _set(_signal.default_int_handler, (_signal.SIGINT,))


def _set(handler: Handler | int, numbers: Iterable[int] = (_signal.SIGINT, _signal.SIGTERM)) -> None:
    for number in numbers:
        if _signal.getsignal(number) is not _signal.SIG_IGN:  # by a shell, for what it starts in its background
            _signal.signal(number, handler)


def between_imports(handler: Handler) -> Handler:
    """A handler of signals that waits for the end of an import under way, and may then raise.

    An exception in the middle of an import can be lost, or become another: compiled modules clear it, and
    some replace it by an ImportError. Then a call that was interrupted would go on, or end with a traceback.

    Args:
        handler: as `signal.signal` takes it.
    """

    def wait(number: int, frame: FrameType | None) -> None:
        if _importing(frame):
            import signal
            import threading

            main = threading.main_thread().ident  # whose waiting a signal to another thread would not end
            again = threading.Timer(AGAIN_SECONDS, signal.pthread_kill, [main, number])
            again.daemon = True
            again.start()
        else:
            handler(number, frame)

    return wait


def _importing(frame: FrameType | None) -> bool:
    while frame:
        if frame.f_code.co_filename == IMPORTER:
            return True
        frame = frame.f_back
    return False
