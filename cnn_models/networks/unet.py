"""Networks for image-to-image translation: U-Net and patch discriminator (slide "Приложение: image to image").

Isola, Zhu, Zhou, Efros 2017, Image-to-image translation with conditional adversarial networks (pix2pix).
"""

from typing import Any

import keras
from keras import layers


def unet(
    *,
    name: str,
    input_shape: tuple[int, ...],
    channels: int = 1,
    filters: int = 8,
    most_filters: int = 64,
    skips: bool = True,
) -> keras.Model:
    """U-Net: an encoder halves the sides until one pixel is left, and a decoder doubles them again.

    At each size the decoder reads its own maps of the next smaller size and, with skips, the encoder's maps of this
    size (pix2pix, section 3.2.1). Without skips, all information passes through the one pixel. Sides need not be powers
    of two: halving rounds up, and the decoder crops after doubling.

    Parameters, for 28×28×1 with 8 filters (sizes 28, 14, 7, 4, 2, 1; maps 8, 16, 32, 64, 64, 64):
    encoder 80 + 2,064 + 8,224 + 32,832 + 65,600 + 65,600 = 174,400; decoder, (9·(below + skip) + 1)·maps:
    73,792 + 73,792 + 27,680 + 6,928 + 1,736 = 183,928; output 73: together 358,401. Without skips, the decoder
    has 36,928 + 36,928 + 18,464 + 4,624 + 1,160 = 98,104: together 272,577. With at most 24 maps (8, 16, 24, 24, 24,
    24): encoder 80 + 2,064 + 6,168 + 3 · 9,240 = 36,032; decoder 3 · 10,392 + 5,776 + 1,736 = 38,688; output 73:
    together 74,793.

    Deviations from the paper: it is smaller; it doubles by nearest-neighbour upsampling and a 3×3 convolution instead
    of a transposed convolution; it has no batch normalisation, and no dropout, which the paper keeps at test time as
    noise and finds of little effect. The output has no tanh: where targets are mostly black, tanh saturates at
    black before anything else is learned, and then has no gradient.

    Args:
        name: name of the model.
        input_shape: height, width and channels of an input; the values are brightnesses x/255 - 0.5.
        channels: number of channels of the output.
        filters: number of maps of the first layer; it doubles at every halving.
        most_filters: largest number of maps of a layer.
        skips: whether the decoder reads the encoder's maps.

    Returns:
        A model from `(batch, *input_shape)` to `(batch, height, width, channels)`. -1 is black, 1 is white; clip values
        beyond.
    """
    inputs = keras.Input(input_shape)
    x = _convolution(inputs, filters, 3, 1, "encode0")
    levels = [x]
    while max(x.shape[1:3]) > 1:
        maps = min(filters * 2 ** len(levels), most_filters)
        x = _convolution(x, maps, 4, 2, f"encode{len(levels)}")
        levels.append(x)
    for level in reversed(range(len(levels) - 1)):
        same_size = levels[level]
        x = layers.UpSampling2D(2, name=f"double{level}")(x)
        x = _cut(x, same_size.shape[1:3], f"cut{level}")
        if skips:
            x = layers.Concatenate(name=f"skip{level}")([x, same_size])
        x = _convolution(x, same_size.shape[-1], 3, 1, f"decode{level}")
    outputs = layers.Conv2D(channels, 3, padding="same", name="output")(x)
    return keras.Model(inputs, outputs, name=name)


def patch_discriminator(
    *, name: str, input_shape: tuple[int, ...], channels: int = 1, filters: int = 16
) -> keras.Model:
    """Judges for each patch of 15×15 pixels of an output, together with the input, if it is real (pix2pix, 3.2.2).

    Parameters, for one channel each and 16 filters: (9·2 + 1)·16 + (9·16 + 1)·32 + (9·32 + 1)·1 =
    304 + 4,640 + 289 = 5,233. Receptive field: 3, 7, 15 pixels.

    Args:
        name: name of the model.
        input_shape: height, width and channels of an input.
        channels: number of channels of an output.
        filters: number of maps of the first layer; the second has twice as many.

    Returns:
        A model from `[inputs, outputs]` to logits `(batch, ⌈height/4⌉, ⌈width/4⌉, 1)`.
    """
    inputs = keras.Input(input_shape, name="input")
    judged = keras.Input((*input_shape[:2], channels), name="judged")
    x = layers.Concatenate(name="pair")([inputs, judged])
    for number, maps in enumerate((filters, 2 * filters), start=1):
        x = layers.Conv2D(maps, 3, strides=2, padding="same", kernel_initializer="he_normal", name=f"judge{number}")(x)
        x = layers.LeakyReLU(0.2, name=f"leak{number}")(x)
    logits = layers.Conv2D(1, 3, padding="same", name="logits")(x)
    return keras.Model([inputs, judged], logits, name=name)


def _convolution(x: Any, maps: int, size: int, stride: int, name: str) -> Any:
    return layers.Conv2D(
        maps, size, strides=stride, padding="same", activation="relu", kernel_initializer="he_normal", name=name
    )(x)


def _cut(x: Any, sides: tuple[int, int], name: str) -> Any:
    """Crops maps to these sides, at the bottom and right."""
    surplus = tuple(have - want for have, want in zip(x.shape[1:3], sides, strict=True))
    if surplus == (0, 0):
        return x
    return layers.Cropping2D(((0, surplus[0]), (0, surplus[1])), name=name)(x)
