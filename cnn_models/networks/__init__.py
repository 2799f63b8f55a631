"""The builders of the zoo's networks, one module per family."""
