"""Layers that work element by element or along an axis: activations, arithmetic, normalisations, reductions."""

from collections.abc import Sequence

import keras

from cnn_models.analysis.families.common import (
    Kinds,
    UnknownError,
    activated,
    axes_of,
    of_layers,
    of_operations,
    without,
)
from cnn_models.analysis.families.masks import routed, softmax_mask, softmax_rows
from cnn_models.analysis.families.movement import sliced
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.geometry.meeting import meet
from cnn_models.analysis.geometry.sampling import Groups, Prefix
from cnn_models.analysis.graph import Call


def _elementwise(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Element-wise layers and operations, with broadcasting.

    To a tensor with fewer axes, layers add axes behind the batch, and operations, as NumPy does, before all others.
    """
    shape = call.outputs[0].shape
    if len(fields) == 1 and call.inputs[0].shape == shape:
        return activated(call, fields[0])
    aligned = []
    for tensor, field in zip(call.inputs, fields, strict=True):
        shift = len(shape) - len(tensor.shape)
        first = 1 if isinstance(call.layer, keras.Layer) else 0
        places = {axis: axis + shift if axis >= first else axis for axis in range(len(tensor.shape))}
        aligned.append(field.moved(places) if shift else field)
    if all(tuple(tensor.shape[1:]) == tuple(shape[1:]) for tensor in call.inputs):
        return activated(call, meet(aligned))
    unseen = ReceptiveField.unseen([axis.length for axis in fields[0].axes])
    return activated(call, meet([*aligned, unseen], shape=shape))  # a constant may be larger than the tensors


def _reduction(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    axes = axes_of(call.layer.axis, call.rank)
    return fields[0].collapsed(axes).moved(without(call.rank, axes, getattr(call.layer, "keepdims", False)))


def _moments(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    axes = axes_of(call.layer.axes, call.rank)
    return fields[0].collapsed(axes).moved(without(call.rank, axes, call.layer.keepdims))


def _largest(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """keras.ops.top_k, along the last axis."""
    return fields[0].collapsed({call.rank - 1})


def _along_axis(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Normalisations and sorting: a unit reads all units along the layer's `axis`."""
    return fields[0].mixed(axes_of(call.layer.axis, call.rank))


def _softmax(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """As `_along_axis`; with a mask, a unit reads those that the mask admits."""
    if softmax_mask(call) is None:
        return _along_axis(call, fields)
    shape, seen = call.inputs[0].shape, softmax_rows(call)
    shifts = [call.rank - len(tensor.shape) for tensor in call.inputs]
    aligned = [field.moved({i: i + s for i in range(call.rank - s)}) for field, s in zip(fields, shifts, strict=True)]
    scores = meet(aligned, shape=shape)
    return scores.mixed({call.rank - 1}) if seen is None else meet([routed(scores, seen, call.rank)], shape=shape)


def _group_normalisation(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Mean and variance, also at inference, are taken over one group along `axis` and all positions of other axes."""
    (axis,) = axes_of(call.layer.axis, call.rank)
    members = call.inputs[0].shape[axis] // call.layer.groups
    others = [other for other in range(1, call.rank) if other != axis]
    return fields[0].mixed(others).through({axis: Groups(members, members)})


def _fourier(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Transforms of the last axis, or of the last two; real and imaginary parts are tensors of their own."""
    count = 2 if "2" in type(call.layer).__name__ else 1
    axes = range(call.rank - count, call.rank)
    whole = meet(fields)
    return whole.mixed(axes) if call.outputs[0].shape == call.inputs[0].shape else whole.collapsed(axes)


def _cumulative(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    if call.layer.axis is None and call.rank > 1:
        raise UnknownError("of a flattened tensor")
    return fields[0].through({axis: Prefix() for axis in axes_of(call.layer.axis, call.rank)})


def _gated_halves(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """keras.ops.glu: one half along an axis times the sigmoid of the other."""
    (axis,) = axes_of(call.layer.axis, call.rank)
    size = call.inputs[0].shape[axis]
    halves = (slice(None), slice(None)) if size is None else (slice(0, size // 2), slice(size // 2, size))
    return meet([sliced(fields[0], axis, half, size) for half in halves])


KINDS: Kinds = {
    _elementwise: [
        *of_layers("Add Subtract Multiply Average Maximum Minimum"),
        *of_layers("Activation ReLU LeakyReLU PReLU ELU Identity Masking"),
        *of_layers("BatchNormalization Rescaling Normalization ActivityRegularization"),
        *of_layers("Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D"),
        *of_layers("AlphaDropout GaussianDropout GaussianNoise"),
        # Augmentation: the identity at inference.
        *of_layers("RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomElasticTransform"),
        *of_layers("RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert"),
        *of_layers("RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear"),
        *of_layers("RandomTranslation RandomZoom MixUp CutMix AugMix RandAugment"),
        *of_operations("numpy", "Add Subtract Multiply Divide DivideNoNan TrueDivide FloorDivide Power Mod Fmod"),
        *of_operations("numpy", "Maximum Minimum Fmax Fmin Negative Absolute Abs Fabs Square Sqrt Cbrt Reciprocal"),
        *of_operations("numpy", "Exp Exp2 Expm1 Log Log2 Log10 Log1p Logaddexp Logaddexp2 Sin Cos Tan Sinh Cosh Tanh"),
        *of_operations("numpy", "Arcsin Arccos Arctan Arctan2 Arcsinh Arccosh Arctanh Sinc Hypot Heaviside I0"),
        *of_operations("numpy", "Sign Signbit Floor Ceil Trunc Round Clip NanToNum Where Copy Array"),
        *of_operations("numpy", "Equal NotEqual Less LessEqual Greater GreaterEqual Isclose Isfinite Isinf Isnan"),
        *of_operations("numpy", "LogicalAnd LogicalOr LogicalNot LogicalXor BitwiseAnd BitwiseOr BitwiseXor"),
        *of_operations("numpy", "BitwiseNot BitwiseInvert Real Imag Conj Conjugate Angle Deg2rad Rad2deg"),
        *of_operations("math", "Rsqrt Erf Erfc Erfinv"),
        *of_operations("core", "Cast SaturateCast StopGradient ConvertToTensor"),
        *of_operations(
            "nn", "Relu Relu6 Sigmoid SparseSigmoid LogSigmoid HardSigmoid Silu HardSilu Gelu Elu Selu Celu"
        ),
        *of_operations("nn", "LeakyRelu Softplus Softsign SoftShrink HardShrink TanhShrink HardTanh Squareplus"),
        *of_operations("nn", "SparsePlus Threshold BatchNorm"),
        *(f"keras.src.activations.activations.{name}" for name in ("ReLU", "Mish")),
        *(f"keras.src.applications.convnext.{name}" for name in ("LayerScale", "StochasticDepth")),
        "keras.src.applications.inception_resnet_v2.CustomScaleLayer",
    ],
    _along_axis: [
        *of_layers("LayerNormalization RMSNormalization UnitNormalization"),
        *of_operations("nn", "Softmax LogSoftmax Sparsemax Normalize LayerNorm RMSNorm"),
        *of_operations("numpy", "Sort Argsort"),
    ],
    _softmax: of_layers("Softmax"),
    _group_normalisation: of_layers("GroupNormalization"),
    _reduction: [
        *of_operations("numpy", "Mean Max Min Sum Prod Std Var Amax Amin Any All Median Average Argmax Argmin Ptp"),
        *of_operations("numpy", "CountNonzero Nanmean Nanmax Nanmin Nansum Nanprod Nanstd Nanvar Nanmedian"),
        *of_operations("math", "Logsumexp"),
        *of_operations("linalg", "Norm"),
    ],
    _moments: of_operations("nn", "Moments"),
    _largest: of_operations("math", "TopK"),
    _fourier: of_operations("math", "FFT FFT2 IFFT2 RFFT IRFFT"),
    _cumulative: of_operations("numpy", "Cumsum Cumprod"),
    _gated_halves: of_operations("nn", "Glu"),
}
