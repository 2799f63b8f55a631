"""Searches for recipes with KerasTuner: a search is a source of runs that any engine executes."""
