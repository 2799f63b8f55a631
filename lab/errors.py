"""The errors that stop a call or a run with a message for the user."""


class UsageError(ValueError):
    """The user's request cannot be done; the message says why and what to do. The exit code is 2."""


class Unavailable(Exception):
    """A run needs the output of another run that does not exist yet; the message names it. The run is skipped."""
