"""BlurPool2D under the name by which users import it; the code is in `layers`."""

from cnn_models.layers.blur import BlurPool2D

__all__ = ["BlurPool2D"]
