"""An independent check of receptive fields: the extent of the non-zero gradient of a unit.

The model is cloned so that no gradient can cancel or vanish: positive weights, no biases, linear activations, averages
in place of max pooling, maxima, differences and products (a zero of the padding would make a product's gradient
vanish). It is in double precision, because the corners of a deep field have tiny gradients. The extent of the non-zero
gradient is then the receptive field. Nothing here uses the rules of `cnn_models.analysis`.
"""

import itertools

import keras
import numpy as np
import tensorflow as tf
from keras import layers

TWINS = {
    layers.MaxPooling1D: layers.AveragePooling1D,
    layers.MaxPooling2D: layers.AveragePooling2D,
    layers.MaxPooling3D: layers.AveragePooling3D,
    layers.GlobalMaxPooling1D: layers.GlobalAveragePooling1D,
    layers.GlobalMaxPooling2D: layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling3D: layers.GlobalAveragePooling3D,
    layers.Maximum: layers.Average,
    layers.Minimum: layers.Average,
    layers.Subtract: layers.Average,
    layers.Multiply: layers.Average,
}
ACTIVATIONS = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU)


def smooth(model, thin=False, dtype="float64"):
    """Returns the clone. `thin` reduces every layer to one channel, which changes no geometry."""

    def twin(layer):
        if not isinstance(layer, keras.Layer):
            return layer
        if isinstance(layer, ACTIVATIONS):
            return layers.Activation("linear", name=layer.name, dtype=dtype)
        config = layer.get_config() | {"dtype": dtype}
        if "activation" in config:
            config["activation"] = "linear"
        if thin:
            config |= {key: 1 for key in ("filters", "units", "groups") if key in config}
        return TWINS.get(type(layer), type(layer)).from_config(config)

    inputs = [keras.Input(batch_shape=tensor.shape, dtype=dtype) for tensor in model.inputs]
    clone = keras.models.clone_model(
        model, input_tensors=inputs[0] if len(inputs) == 1 else inputs, clone_function=twin, recursive=True
    )
    random = np.random.default_rng(0)
    for weight in clone.weights:
        if "kernel" in weight.path.rsplit("/", 1)[-1]:
            weight.assign(random.uniform(0.5, 1.5, weight.shape) / np.prod(weight.shape[:-1]))
    return clone


def extents(model, outputs, questions, shape, source=0, compiled=False):
    """Finds the part of the input that units depend on, from the gradient.

    Args:
        model: a model made by `smooth`.
        outputs: tensors of the model.
        questions: for each tensor a list of units. A unit maps axes of the tensor to indices; the other
            axes are summed over.
        shape: shape of the source input, without the batch.
        source: index of the input among the model's inputs.
        compiled: compile with XLA. On the CPU, XLA supports channels first and dilated transposed
            convolutions, which TensorFlow's kernels do not.

    Returns:
        For each tensor and unit, first and last index of the non-zero gradient along each axis of the
        input; None if the gradient is zero everywhere.
    """
    random = np.random.default_rng(1)
    batch = max(map(len, questions))
    dtype = model.inputs[source].dtype
    shapes = [shape if i == source else tensor.shape[1:] for i, tensor in enumerate(model.inputs)]
    values = [tf.constant(random.uniform(0.5, 1.5, (batch, *sizes)), dtype) for sizes in shapes]
    probe = keras.Model(model.inputs, outputs)

    def gradients():
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(values[source])
            results = probe(values if len(values) > 1 else values[0], training=False)
            results = results if isinstance(results, list | tuple) else [results]
            pairs = list(zip(results, questions, strict=True))
            sums = [tf.reduce_sum(result * _selection(result, units, random)) for result, units in pairs]
        return [tape.gradient(total, values[source], unconnected_gradients="zero") for total in sums]

    answers = tf.function(gradients, jit_compile=True)() if compiled else gradients()
    return [
        [_box(picture) for picture in answer.numpy()[: len(units)]]
        for answer, units in zip(answers, questions, strict=True)
    ]


def corners(shape, axes):
    """The units at all corners and in the middle of some axes of a tensor, as `questions` of `extents`."""
    places = [sorted({0, shape[axis] // 2, shape[axis] - 1}) for axis in axes]
    return [dict(zip(axes, unit, strict=True)) for unit in itertools.product(*places)]


def _selection(tensor, units, random):
    """Random weights at a unit, zero elsewhere: entry i of the batch selects unit i."""
    weights = np.zeros(tensor.shape, tensor.dtype.as_numpy_dtype)
    for i, unit in enumerate(units):
        place = tuple(unit.get(axis, slice(None)) for axis in range(1, len(tensor.shape)))
        weights[(i, *place)] = random.uniform(0.5, 1.5, weights[(i, *place)].shape)
    return weights


def _box(gradient):
    places = np.nonzero(gradient)
    return tuple((int(axis.min()), int(axis.max())) for axis in places) if len(places[0]) else None
