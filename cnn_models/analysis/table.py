"""The table of a model's layers, as data and as text."""

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One call of a layer. Tuples have one entry for each spatial axis of the input; None means undefined.

    Attributes:
        name: name of the layer, preceded by the names of the nested models that contain it.
        call: number of this call of the layer, from 0.
        type: class of the layer or operation.
        output_shape: shape of the output, without the batch.
        parameters: number of weights, trained or not; 0 in all calls but the first.
        macs: multiply-accumulates for one picture; None if they depend on an unknown size or the layer has no rule.
        activation_macs: the part of `macs` that is matrix products of activations, as in attention; None as above.
        memory_bytes: bytes of the output for one picture; None if they depend on an unknown size.
        receptive_field: size of a unit's field, in pixels of the input; it may exceed the input.
        stride: pixels of the input from one unit to the next.
        padding: pixels by which the first unit's field begins before the input.
        centres: centre of the first unit's field, in pixels; the lowest and highest centre of all paths if branches
            with different centres have met.
        beyond_input: whether a unit sees beyond the input along every axis.
        unproductive: whether a unit sees beyond the input along every axis, and so do the units that it reads. Such a
            layer adds no context (Richter et al. 2021, "Should you go deeper?", arXiv:2106.12307). Global layers see
            nothing beyond the input, so they are never unproductive.
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
    """The rows of a model's layers. Printing it gives an aligned table."""

    __slots__ = ()

    def frame(self) -> "pd.DataFrame":
        """The table as a data frame with one column for each attribute of `LayerRow`; tuples are text like `5×5`."""
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
    """A tuple as text, like `5×5`; two centres of one axis as `0|1`; undefined numbers as `?`."""
    return "×".join("|".join(map(_text, n)) or "?" if isinstance(n, tuple) else _text(n) for n in numbers)


def _text(cell: Any) -> str:
    return "?" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)
