"""A table of layers: numbers stay numbers, units are in the names, formatting comes last."""

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One call of a layer. Tuples have one entry a spatial axis of the input; None means undefined.

    Attributes:
        name: name of the layer, after those of the nested models around it.
        call: which call of the layer this is, from 0.
        type: class of the layer or operation.
        output_shape: shape of what it makes, without the batch.
        parameters: weights, trained or not; 0 in all but the first call.
        macs: multiply-accumulates for one picture; None if they depend on an unknown size, or if nothing says
            how often a layer multiplies.
        activation_macs: those of them that are matrix products of activations, as in attention; None as above.
        memory_bytes: size of what it makes for one picture; None if it depends on an unknown size.
        receptive_field: extent of what a unit sees, in pixels of the input; it may exceed the input.
        stride: pixels of the input from one unit to the next.
        padding: how far the first unit's field begins before the input, in pixels.
        centres: centre of the first unit's field; the lowest and the highest centre of the paths to
            it where branches that do not align have met.
        beyond_input: whether a unit sees beyond the input along every axis.
        unproductive: whether, besides, the units it reads already did: then the layer adds no context
            (Richter et al. 2021, "Should you go deeper?", arXiv:2106.12307). Global layers see the
            input and nothing beyond, so they are never unproductive.
    """

    name: str
    call: int
    type: str
    output_shape: tuple[int | None, ...]
    parameters: int
    macs: int | None
    activation_macs: int | None
    memory_bytes: int | None
    receptive_field: tuple[int | None, ...]
    stride: tuple[int | Fraction | None, ...]
    padding: tuple[int | None, ...]
    centres: tuple[tuple[float, ...], ...]
    beyond_input: bool | None
    unproductive: bool | None


class LayerTable(tuple[LayerRow, ...]):
    """The rows of a model's layers; as text when printed."""

    __slots__ = ()

    def frame(self) -> "pd.DataFrame":
        """The table as a data frame: one column an attribute of `LayerRow`, tuples as text like `5×5`."""
        import pandas as pd

        frame = pd.DataFrame(
            [_cells(row) for row in self], columns=[field.name for field in dataclasses.fields(LayerRow)]
        )
        counts = dict.fromkeys(("macs", "activation_macs", "memory_bytes"), "Int64")
        return frame.astype(counts | {"beyond_input": "boolean", "unproductive": "boolean"})

    def __str__(self) -> str:
        lines = [[field.name for field in dataclasses.fields(LayerRow)]]
        lines += [[f"{c:,}" if type(c) is int else _text(c) for c in _cells(row).values()] for row in self]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )


def _cells(row: LayerRow) -> dict[str, Any]:
    cells = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return {name: _times(cell) if isinstance(cell, tuple) else cell for name, cell in cells.items()}


def _times(numbers: tuple[Any, ...]) -> str:
    """`5×5`; several centres of one axis as `0|1`; `?` for what is undefined."""
    return "×".join("|".join(map(_text, n)) or "?" if isinstance(n, tuple) else _text(n) for n in numbers)


def _text(cell: Any) -> str:
    return "?" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)
