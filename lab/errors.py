"""The errors that a user meets: what cannot be done, and what is not there yet."""


class UsageError(ValueError):
    """What the user asked for cannot be done; the message says why and what to do. Exit code 2."""


class Unavailable(Exception):
    """A run needs what another experiment has yet to give; the message says which. It is skipped."""
