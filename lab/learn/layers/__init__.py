"""What layers of networks tell of pictures and respond to, with TensorFlow."""
