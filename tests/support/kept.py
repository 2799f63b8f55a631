"""Of which experiments our own runs are kept in results/reference."""

from lab.declare import catalogue

# Whose own runs are still going on: they have no table yet.
PENDING: set[str] = set()
KEPT = [name for name in catalogue.names() if name not in PENDING]
