"""Measures trained networks, with TensorFlow."""
