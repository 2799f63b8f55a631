"""Patches of pictures, also where they reach beyond one."""

import numpy as np

from lab.learn.layers.pictures import GREY, patches


def test_patches_are_grey_beyond_the_picture():
    image = np.arange(16, dtype="uint8").reshape(1, 4, 4, 1)
    (patch,) = patches(image, [((-1, 1), (2, 4))])
    assert patch[..., 0].tolist() == [[GREY] * 3, [2, 3, GREY], [6, 7, GREY]]
