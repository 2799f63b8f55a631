"""Pictures of channels beside each other."""

import numpy as np

from lab.report.draw.channels import mosaic


def test_a_mosaic_keeps_its_pictures():
    image = np.arange(16, dtype="uint8").reshape(1, 4, 4, 1)
    sheet = mosaic(np.stack([image[0]] * 3), columns=2)
    assert sheet.shape == (9, 9, 1)
    np.testing.assert_array_equal(sheet[5:, :4], image[0])
    assert (sheet[5:, 5:] == 255).all()
