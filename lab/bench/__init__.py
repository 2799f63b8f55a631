"""Measures the speed of this suite and of the alternatives."""
