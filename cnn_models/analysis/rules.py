"""Rules: how each kind of layer changes a receptive field.

A rule is a function. Its arguments are the call of a layer and the fields of the layer's inputs; it returns the field
of the layer's output. The rules of Keras's layers are in `cnn_models.analysis.layer_rules`.

A layer without a rule is opened: its `call` is followed on symbolic tensors (`cnn_models.analysis.opening`). One that
cannot be opened is unknown, and so is what depends on it; it is never treated as a 1×1 convolution. A subclass inherits
its parent's rule unless it overrides `call`. Pass a rule for a custom layer as `rules`:

    from cnn_models.analysis.rules import Rule
    from cnn_models.analysis.geometry.sampling import Window

    def blur(call, fields):                        # 3×3, stride 2, one pixel of padding
        window = Window(kernel=3, stride=2, before=1, after=1)
        return fields[0].through({1: window, 2: window})     # axes 1 and 2 of (batch, h, w, maps)

    receptive_field(model, rules={BlurPool: Rule(sees=blur)})
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras

from cnn_models.analysis.families.common import Sees, UnknownError
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.graph import Call, find, unwrapped
from cnn_models.analysis.layer_rules import SEES

Macs = Callable[[Call], int | None]


class Rule(NamedTuple):
    """The rules of one kind of layer; all are optional.

    Attributes:
        sees: maps a call and the fields of its inputs to the field of its output, or to one for each output.
        macs: maps a call to its number of multiply-accumulates for one picture.
        activation_macs: maps a call to the number of those that are matrix products of activations; None with `macs`:
            none are.
    """

    sees: Sees | None = None
    macs: Macs | None = None
    activation_macs: Macs | None = None


Rules = Mapping[type, Rule]


@dataclasses.dataclass(frozen=True)
class Missing:
    """A layer of which no rule says what it sees.

    Attributes:
        name: name of the layer.
        kind: name of its class.
        shape: shape of its first input.
        key: Python code that names the class, for a table of rules.
        window: Python code of a window of three units along each axis, which fits its output.
        use: how it is used, if only this use has no rule; otherwise empty.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    key: str
    window: str
    use: str = ""

    def __str__(self) -> str:
        return f"Layer '{self.name}' is a {self.kind}{self.use and f' {self.use}'}, called on {self.shape}"


def is_leaf(rules: Rules) -> Callable[[Any], bool]:
    """Whether a layer has a rule, so that it need not be opened."""
    known: dict[type, bool] = {}

    def leaf(layer: Any) -> bool:
        if type(layer) not in known:
            wraps = isinstance(layer, keras.layers.SpectralNormalization)
            known[type(layer)] = wraps or any(find(layer, table) is not None for table in (rules, SEES))
        return known[type(layer)]

    return leaf


def sees(
    call: Call, fields: Sequence[ReceptiveField], rules: Rules, *, with_channels: bool = False
) -> Sequence[ReceptiveField]:
    """Applies the rule of a layer.

    Args:
        call: the call of the layer.
        fields: the field of each input of the call.
        rules: rules for custom layers; they take precedence.
        with_channels: the fields include the axis of channels, which a custom rule need not handle. If the rule's
            number of units along an axis differs from Keras's, each unit is assumed to read the whole axis.

    Returns:
        The field of each output of the call.

    Raises:
        ValueError: the rule and Keras disagree about the shape of an output.
    """
    inner = unwrapped(call)
    count = len(call.outputs)
    own = find(inner.layer, rules)
    rule = own.sees if own and own.sees else find(inner.layer, SEES)
    unknown = [reason for field in fields for reason in field.unknown]
    if rule is None and any(field.depends for field in fields):
        unknown.append(_missing(inner))
    if unknown:
        return [fields[0].forgotten(unknown)] * count
    if rule is None:
        return [fields[0]] * count  # it does not depend on the input
    try:
        seen = rule(inner, fields)
    except UnknownError as error:
        return [fields[0].forgotten([_missing(inner, str(error))])] * count
    results = [seen] * count if isinstance(seen, ReceptiveField) else list(seen)
    return [_checked(inner, axis, field, with_channels) for axis, field in enumerate(results)]


def _missing(call: Call, use: str = "") -> Missing:
    kind = type(call.layer)
    key = kind.__name__ if isinstance(call.layer, keras.Layer) else repr(f"{kind.__module__}.{kind.__qualname__}")
    given, made = call.inputs[0].shape, call.outputs[0].shape
    size = "Window(3, before=1, after=1)" if given[1:-1] == made[1:-1] else "Window(3)"
    window = ", ".join(f"{axis}: {size}" for axis in range(1, max(call.rank - 1, 2)))
    return Missing(call.name, kind.__name__, tuple(given), key, f"{{{window}}}", use)


def _checked(call: Call, output: int, field: ReceptiveField, with_channels: bool) -> ReceptiveField:
    """The field of an output, if its numbers of units are those of Keras. One without elements sees nothing."""
    if 0 in call.outputs[output].shape:
        return ReceptiveField.unseen([axis.length for axis in field.axes])
    wrong = _miscounted(call.outputs[output].shape, field)
    if with_channels:
        return field.collapsed(wrong)
    for position, (counted, stated) in wrong.items():
        raise ValueError(
            f"The rule of layer '{call.name}' ({type(call.layer).__name__}) gives {counted} units along axis "
            f"{position} of its output, but Keras gives {stated}: the rule is wrong."
        )
    return field


def _miscounted(shape: Sequence[int | None], field: ReceptiveField) -> dict[int, tuple[int, int]]:
    """The axes of the output where the rule's number of units differs from Keras's: (the rule's, Keras's) by axis."""
    wrong = {}
    for digit in (digit for part in field.parts for line in part for digit in line.layout.digits):
        stated = shape[digit.place] if digit.place < len(shape) else 0
        if digit.place and digit.total is not None and stated is not None and digit.total != stated:
            wrong[digit.place] = (digit.total, stated)
    return wrong


def advice(missing: Sequence[Any]) -> str:
    """Says of which layers it is not known what they see, and how to pass rules for them."""
    uses: dict[tuple[str, str], Missing] = {}
    for each in missing:
        uses.setdefault((each.kind, each.use), each)
    names = "; ".join(map(str, uses.values()))
    same = "lambda call, fields: fields[0]"
    entries = ", ".join(f"{key}: Rule(sees={same}.through({window}))" for key, window in _windows(missing).items())
    return (
        f"{names}, and no rule says which of its inputs it sees.\n"
        f"Pass one. If it sees a window of three units along each axis of the picture:\n"
        f"    from cnn_models.rules import Rule\n"
        f"    from cnn_models.sampling import Window\n"
        f"    rules = {{{entries}}}\n"
        f"    receptive_field(model, rules=rules)\n"
        f"If it works element by element: Rule(sees={same})."
    )


def _windows(missing: Sequence[Missing]) -> dict[str, str]:
    """For each kind of layer, Python code of its class and of a window that fits its first use."""
    found: dict[str, str] = {}
    for each in missing:
        found.setdefault(each.key, each.window)
    return found
