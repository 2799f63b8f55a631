"""Layers and losses that Keras lacks; importing a module registers them for saved networks."""
