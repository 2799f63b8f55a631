"""What each kind of Keras layer does to a receptive field.

A rule is a function of the call of a layer and of the fields of the tensors it reads; it returns the field
of the tensor it makes. Those of Keras's layers are in `cnn_models.analysis.layer_rules`.

A layer without a rule is an error, never taken for a 1×1. A subclass inherits its parent's rule unless it
has a `call` of its own. To give a layer a rule, pass `rules`:

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
    """What the analysis must know of a kind of layer.

    Attributes:
        sees: from a call and the fields of its inputs to the field of its output.
        macs: from a call to its multiply-accumulates for one picture. Without it those of an unknown layer are
            not known.
        activation_macs: those of them that are matrix products of activations.
    """

    sees: Sees | None = None
    macs: Macs | None = None
    activation_macs: Macs | None = None


def sees(
    call: Call, fields: Sequence[ReceptiveField], rules: Mapping[type, Rule], *, with_channels: bool = False
) -> ReceptiveField:
    """The field of what a call makes, from the fields of what it reads.

    Args:
        call: the call of a layer.
        fields: one for each tensor that it reads.
        rules: how to treat kinds of layers that are not known.
        with_channels: the fields have an axis of channels, of which a rule need not speak. An axis along which
            the rule gives another number of units than Keras is then one that each unit reads as a whole.

    Raises:
        TypeError: the layer is unknown; the message shows how to give it a rule.
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
    """The axes of a call's output along which its rule and Keras count the units differently: both counts."""
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
