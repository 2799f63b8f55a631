"""Training and measuring, with TensorFlow."""
