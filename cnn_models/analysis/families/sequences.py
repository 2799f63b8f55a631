"""Recurrent layers: a unit reads its own step and all before it."""

from collections.abc import Sequence

from cnn_models.analysis.families.common import Kinds, UnknownError, of_layers
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.geometry.meeting import meet
from cnn_models.analysis.geometry.sampling import Flipped, Prefix, Window, same
from cnn_models.analysis.graph import Call

STEPS = 1
"""The axis of time."""


def _recurrent(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField | Sequence[ReceptiveField]:
    """The outputs, and the last states if asked; with `go_backwards`, the steps are read and written from the end."""
    if call.rank != 3:
        raise UnknownError("of steps that are no vectors")
    layer = call.layer
    ranks = [len(tensor.shape) for tensor in call.inputs]
    steps, *initial = [field.collapsed({rank - 1}) for field, rank in zip(fields, ranks, strict=True)]
    last = meet([steps.collapsed({STEPS}), *initial])
    outputs = last
    if layer.return_sequences:
        if layer.go_backwards:
            size = call.inputs[0].shape[STEPS]
            if size is None:
                raise UnknownError("that goes backwards over steps of unknown number")
            steps = steps.through({STEPS: Flipped(size)})
        outputs = meet([steps.through({STEPS: Prefix()}), *initial])
    return [outputs, *[last] * (len(call.outputs) - 1)]


def _bidirectional(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Both directions together read all steps."""
    if call.layer.merge_mode is None or len(call.inputs) > 1 or call.rank != 3 or len(call.outputs) > 1:
        raise UnknownError("with several outputs or initial states")
    steps = fields[0].collapsed({2})
    return steps.mixed({STEPS}) if call.layer.forward_layer.return_sequences else steps.collapsed({STEPS})


def _convolutional(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """A ConvLSTM: with each step, the convolution of its state makes the field larger."""
    layer, steps = call.layer, call.inputs[0].shape[STEPS]
    if layer.return_sequences or len(call.outputs) > 1 or len(call.inputs) > 1 or steps is None:
        raise UnknownError("with sequences, states or steps of unknown number")
    first = layer.data_format == "channels_first"
    axes = range(3, call.rank) if first else range(2, call.rank - 1)
    cell = layer.cell
    given = fields[0].collapsed({2 if first else call.rank - 1}).collapsed({STEPS})
    sizes = list(zip(axes, cell.kernel_size, cell.strides, cell.dilation_rate, strict=True))
    padded = layer.padding == "same"
    state = given = given.through({axis: same(k, s, d, None) if padded else Window(k, s, d) for axis, k, s, d in sizes})
    for _ in range(steps - 1):  # the state is convolved without stride and dilation
        state = meet([given, state.through({axis: same(k, 1, 1, None) for axis, k, _, _ in sizes})])
    return state.moved({axis: axis - (axis > STEPS) for axis in range(call.rank)})


KINDS: Kinds = {
    _recurrent: of_layers("LSTM GRU SimpleRNN RNN"),
    _bidirectional: of_layers("Bidirectional"),
    _convolutional: of_layers("ConvLSTM1D ConvLSTM2D ConvLSTM3D"),
}
