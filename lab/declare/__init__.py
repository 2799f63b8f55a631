"""What an experiment, a recipe, a run and a claim are: plain data that imports nothing heavy."""
