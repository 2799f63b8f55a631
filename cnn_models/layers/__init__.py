"""Layers and losses that Keras lacks. Importing a module registers its classes, so that saved networks open."""
