"""Rules: how each kind of layer changes a receptive field.

A rule is a function. Its arguments are the call of a layer and the fields of the layer's inputs; it returns the field
of the layer's output. The rules of Keras's layers are in `cnn_models.analysis.layer_rules`.

A layer without a rule is an error; it is never treated as a 1×1 convolution. A subclass inherits its parent's rule
unless it overrides `call`. Pass a rule for a custom layer as `rules`:

    from cnn_models.analysis.rules import Rule
    from cnn_models.analysis.sampling import Window

    def blur(call, fields):                        # 3×3, stride 2, one pixel of padding
        window = Window(kernel=3, stride=2, before=1, after=1)
        return fields[0].through({1: window, 2: window})     # axes 1 and 2 of (batch, h, w, maps)

    receptive_field(model, rules={BlurPool: Rule(sees=blur)})
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cnn_models.analysis.fields import ReceptiveField
from cnn_models.analysis.graph import Call, find, unwrapped
from cnn_models.analysis.layer_rules import SEES, Sees

Macs = Callable[[Call], int | None]


class Rule(NamedTuple):
    """The rules of one kind of layer; all are optional.

    Attributes:
        sees: maps a call and the fields of its inputs to the field of its output.
        macs: maps a call to its number of multiply-accumulates for one picture.
        activation_macs: maps a call to the number of those that are matrix products of activations.
    """

    sees: Sees | None = None
    macs: Macs | None = None
    activation_macs: Macs | None = None


def sees(
    call: Call, fields: Sequence[ReceptiveField], rules: Mapping[type, Rule], *, with_channels: bool = False
) -> ReceptiveField:
    """Applies the rule of a layer.

    Args:
        call: the call of the layer.
        fields: the field of each input of the call.
        rules: rules for custom layers; they take precedence.
        with_channels: the fields include the axis of channels, which a custom rule need not handle. If the rule's
            number of units along an axis differs from Keras's, each unit is assumed to read the whole axis.

    Returns:
        The field of the call's output.

    Raises:
        TypeError: the layer has no rule; the message shows how to pass one.
        ValueError: the rule and Keras disagree about the shape of the output.
    """
    call = unwrapped(call)
    own = find(call.layer, rules)
    rule = own.sees if own and own.sees else find(call.layer, SEES)
    if rule is None:
        raise TypeError(_unknown(call))
    field = rule(call, fields)
    wrong = _miscounted(call, field)
    if with_channels:
        return field.collapsed(wrong)
    for position, (counted, stated) in wrong.items():
        raise ValueError(
            f"The rule of layer '{call.name}' ({type(call.layer).__name__}) gives {counted} units along axis "
            f"{position} of its output, but Keras gives {stated}: the rule is wrong."
        )
    return field


def _miscounted(call: Call, field: ReceptiveField) -> dict[int, tuple[int, int]]:
    """The axes of the output where the rule's number of units differs from Keras's: (the rule's, Keras's) by axis."""
    shape = call.outputs[0].shape
    wrong = {}
    for axis, position in zip(field.axes, field.positions, strict=True):
        if axis.units is None or position is None or axis.rearranged:
            continue
        stated = shape[position] if position < len(shape) else 0
        if stated is not None and len(axis.units) != stated:
            wrong[position] = (len(axis.units), stated)
    return wrong


def _unknown(call: Call) -> str:
    kind, shape = type(call.layer).__name__, call.inputs[0].shape
    return (
        f"Layer '{call.name}' is a {kind}, called on {shape}, and no rule says which of its inputs it sees.\n"
        f"Pass one. If it sees a 3×3 window of axes 1 and 2:\n"
        f"    from cnn_models.analysis.rules import Rule\n"
        f"    from cnn_models.analysis.sampling import Window\n"
        f"    rules = {{{kind}: Rule(sees=lambda call, fields: fields[0].through({{1: Window(3), 2: Window(3)}}))}}\n"
        f"    receptive_field(model, rules=rules)\n"
        f"If it works element by element: Rule(sees=lambda call, fields: fields[0])."
    )
