"""KerasTuner's search for recipes."""
