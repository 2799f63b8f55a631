"""Analysis by gradients: effective receptive fields, and the pictures that channels respond to most."""
