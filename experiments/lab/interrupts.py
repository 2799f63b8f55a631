"""Signals that end a call in order."""

import signal
import threading
from collections.abc import Callable
from types import FrameType

Handler = Callable[[int, FrameType | None], object]
AGAIN_SECONDS = 0.05
IMPORTER = "<frozen importlib._bootstrap>"


def between_imports(handler: Handler) -> Handler:
    """A handler of signals that waits for the end of an import under way, and may then raise.

    An exception in the middle of an import can be lost, or become another: compiled modules clear it, and
    some replace it by an ImportError. Then a call that was interrupted would go on, or end with a traceback.

    Args:
        handler: as `signal.signal` takes it.
    """

    def wait(number: int, frame: FrameType | None) -> None:
        if _importing(frame):
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
