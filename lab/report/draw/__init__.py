"""Draws figures from tables alone, by matplotlib."""
