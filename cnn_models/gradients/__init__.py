"""What the gradients of a network tell: its effective field, and pictures that its channels answer to most."""
