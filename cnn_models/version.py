"""The version of the package, in this place alone."""

VERSION = "1.0.0"
