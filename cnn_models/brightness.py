"""Brightnesses as networks take them, and back; of arrays of NumPy, TensorFlow and PyTorch alike."""

from typing import Any

import numpy as np

LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue (Rec. 709)


def network_input(brightnesses: Any) -> Any:
    """Brightnesses 0…255 to x/255 - 0.5 (slide "Как применить к картинке нейросеть?"), of any shape.

    Args:
        brightnesses: numbers of the type that the network takes; whole numbers of NumPy become float64.
    """
    return brightnesses / 255 - 0.5


def brightnesses(values: np.ndarray) -> np.ndarray:
    """From -1, black, to 1, white, to brightnesses 0…255, uint8 of the same shape; what is beyond is cut off."""
    return np.round(127.5 * (np.clip(values, -1, 1) + 1)).astype("uint8")
