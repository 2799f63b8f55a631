"""What each family of layers and operations reads: one module a family, one function a rule."""
