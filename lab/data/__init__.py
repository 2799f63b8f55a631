"""Data sets: fetched, verified, split. NumPy only."""
