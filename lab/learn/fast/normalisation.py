"""Batch normalisation as one operation."""

import keras
import tensorflow as tf

BLOCK = 8  # channels that the operation takes at once; of others, as 18, it takes longer than Keras's layer


def fits(layer: keras.layers.Layer, maps: tf.TypeSpec) -> bool:
    """Whether `normalise` computes what this layer does to these maps in training, and takes less time for it."""
    return (
        type(layer) is keras.layers.BatchNormalization
        and len(maps.shape) == 4
        and layer.axis in (-1, 3)
        and maps.shape[3] % BLOCK == 0
        and layer.scale
        and layer.center
        and layer.trainable
        and not layer.synchronized
        and not layer.renorm
        and layer.compute_dtype != "float64"  # which the operation does not take
    )


def normalise(layer: keras.layers.BatchNormalization, maps: tf.Tensor) -> tf.Tensor:
    """What a batch normalisation makes of maps in training; its moving mean and variance move as by the layer itself.

    Keras computes mean, variance and result by operations of their own, and their gradients by more: a quarter of the
    time of this one (maps of 28×28×8, batch 128, with ReLU and gradients: 2.3 ms against 8.5).

    Args:
        layer: the layer, see `fits`.
        maps: `(batch, height, width, channels)`.

    Returns:
        Maps of the same shape, in the layer's precision.
    """
    maps = tf.cast(maps, tf.float32)  # as Keras does
    normal, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=maps,
        scale=tf.convert_to_tensor(layer.gamma),
        offset=tf.convert_to_tensor(layer.beta),
        mean=[],
        variance=[],
        epsilon=layer.epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(maps) // maps.shape[-1], tf.float32)
    variance *= (count - 1) / count  # the operation divides squares by count - 1, Keras by count
    for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + value * (1 - layer.momentum))
    return tf.cast(normal, layer.compute_dtype)
