"""A listener for tests that counts events."""

import collections


class Counting:
    """Counts an engine's events by kind, and skipped runs by their reason."""

    def __init__(self):
        self.events = collections.Counter()

    def progress(self, run, event):
        self.events["progress"] += 1

    def kept(self, run, record):
        self.events["kept"] += 1

    def ended(self, run, record):
        self.events["ended"] += 1

    def skipped(self, run, reason):
        self.events[reason] += 1

    def failed(self, run, reason, again):
        self.events["again" if again else "failed"] += 1
