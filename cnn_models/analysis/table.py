"""The table of a model's layers, as data and as text."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd


class Memory(NamedTuple):
    """For what memory is counted: a number of pictures, and the type of real numbers; None: the model's own types."""

    batch: int = 1
    dtype: str | None = None


DEFAULT = Memory()


class Weights(NamedTuple):
    """A number of parameters, the trainable part of them, and their size in bytes."""

    parameters: int
    trainable: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One call of a layer. Tuples have one entry for each spatial axis of the input; None means undefined.

    Attributes:
        name: name of the layer, preceded by the names of the nested models that contain it.
        call: number of this call of the layer, from 0; None: the layer is not called, but holds parameters.
        type: class of the layer or operation.
        output_shape: shape of the output, without the batch.
        parameters: number of weights, trained or not; 0 in all calls but the first.
        trainable: the part of them that is trained.
        weight_macs: products with a weight or constant, for one picture; None if they depend on an unknown size or the
            layer has no rule.
        activation_macs: matrix products of two activations, as in attention; None as above.
        weight_bytes: bytes of the parameters.
        activation_bytes: bytes of the outputs, see `LayerTable.memory`; None if they depend on an unknown size.
        receptive_field: size of a unit's field, in pixels of the input; it may exceed the input.
        without_gates: `receptive_field`, if products with tensors that depend on the whole input (squeeze and
            excitation) are left out.
        stride: pixels of the input from one unit to the next.
        padding: pixels by which the first unit's field begins before the input.
        centres: centre of the first unit's field, in pixels; the lowest and highest centre of all paths if branches
            with different centres have met.
        beyond_input: whether a unit sees beyond the input along every axis.
        unproductive: whether a unit sees beyond the input along every axis, and so do the units that it reads. Such a
            layer adds no context (Richter et al. 2021, "Should you go deeper?", arXiv:2106.12307). Global layers see
            nothing beyond the input, so they are never unproductive.
        seconds: how long the layer took by itself on this machine; None: not measured, or it cannot be run by itself.
        whole: whether every unit sees the whole input, gates aside, as after a global layer.
        missing: the layers up to this one of which no rule says what they see; then the field is not known.
    """

    name: str
    call: int | None
    type: str
    output_shape: tuple[int | None, ...]
    parameters: int
    trainable: int
    weight_macs: int | None
    activation_macs: int | None
    weight_bytes: int
    activation_bytes: int | None
    receptive_field: tuple[int | None, ...]
    without_gates: tuple[int | None, ...]
    stride: tuple[int | Fraction | None, ...]
    padding: tuple[int | None, ...]
    centres: tuple[tuple[float, ...], ...]
    beyond_input: bool | None
    unproductive: bool | None
    seconds: float | None = None
    whole: bool = False
    missing: tuple[object, ...] = ()

    @property
    def macs(self) -> int | None:
        """All multiply-accumulates for one picture."""
        counts = (self.weight_macs, self.activation_macs)
        return None if None in counts else sum(count for count in counts if count is not None)

    @classmethod
    def uncalled(cls, name: str, weights: Weights) -> "LayerRow":
        """The row of a layer that holds parameters and is not called."""
        return cls(
            name=name,
            call=None,
            type="not called",
            output_shape=(),
            parameters=weights.parameters,
            trainable=weights.trainable,
            weight_macs=0,
            activation_macs=0,
            weight_bytes=weights.bytes,
            activation_bytes=0,
            receptive_field=(),
            without_gates=(),
            stride=(),
            padding=(),
            centres=(),
            beyond_input=None,
            unproductive=None,
        )


class LayerTable(tuple[LayerRow, ...]):
    """The rows of a model's layers. Printing it gives an aligned table of at most 100 columns.

    Attributes:
        input_shape: the shape of the input that fields refer to, without the batch.
        memory: for which batch and type memory is counted.
    """

    input_shape: tuple[int | None, ...]
    memory: Memory

    def __new__(
        cls, rows: Iterable[LayerRow] = (), input_shape: Sequence[int | None] = (), memory: Memory = DEFAULT
    ) -> "LayerTable":
        """The table of some rows."""
        table = super().__new__(cls, rows)
        table.input_shape = tuple(input_shape)
        table.memory = memory
        return table

    @property
    def missing(self) -> tuple[object, ...]:
        """The layers of which no rule says what they see."""
        return tuple(dict.fromkeys(layer for row in self for layer in row.missing))

    def cells(self) -> list[dict[str, Any]]:
        """The rows as plain numbers and texts, by the names in `COLUMNS`; tuples are text like `5×5`."""
        return [_cells(row) for row in self]

    def total(self, name: str) -> int | None:
        """The sum of a column of counts; None if a count is not known."""
        counts = [getattr(row, name) for row in self]
        return None if None in counts else sum(counts)

    def csv(self) -> str:
        """The table as comma-separated values, with the columns of `cells`."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.cells())
        return text.getvalue()

    def frame(self) -> "pd.DataFrame":
        """The table as a data frame, with the columns of `cells`."""
        import pandas as pd

        frame = pd.DataFrame(self.cells(), columns=list(COLUMNS))
        counts = dict.fromkeys(("call", "macs", "weight_macs", "activation_macs", "activation_bytes"), "Int64")
        return frame.astype(counts | {"beyond_input": "boolean", "unproductive": "boolean"})

    def __repr__(self) -> str:
        return f"<LayerTable of {len(self)} rows, {sum(row.parameters for row in self):,} parameters>"

    def __str__(self) -> str:
        columns = [
            ["output", *(as_text(row.output_shape) for row in self), ""],
            self._counts("parameters", "parameters"),
            self._counts("MACs", "weight_macs"),
            *([self._counts("act. MACs", "activation_macs")] if self.attends else []),
            ["field", *(as_text(row.receptive_field) + "*" * bool(row.beyond_input) for row in self), ""],
            *([["no gates", *(as_text(row.without_gates) for row in self), ""]] if self.gated else []),
            ["stride", *(as_text(row.stride) for row in self), ""],
            *([self._milliseconds()] if self.timed else []),
        ]
        widths = [max(map(len, column)) for column in columns]
        room = WIDTH - sum(widths) - 2 * len(columns)
        named = [_shortened(f"{row.name} ({row.type})", max(room, 12)) for row in self]
        first = ["layer", *named, "total"]
        left = max(map(len, first))
        lines = [
            "  ".join([name.ljust(left), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))])
            for name, *cells in zip(first, *columns, strict=True)
        ]
        return "\n".join([line.rstrip() for line in lines] + self.notes)

    def _counts(self, heading: str, name: str) -> list[str]:
        """A column of counts with its total."""
        counts = [*(getattr(row, name) for row in self), self.total(name)]
        return [heading, *("?" if count is None else f"{count:,}" for count in counts)]

    @property
    def gated(self) -> bool:
        """Whether products with tensors that depend on the whole input change a field."""
        return any(row.without_gates != row.receptive_field for row in self)

    @property
    def attends(self) -> bool:
        """Whether a layer multiplies two activations."""
        return any(row.activation_macs != 0 for row in self)

    @property
    def timed(self) -> bool:
        """Whether seconds were measured."""
        return any(row.seconds is not None for row in self)

    def _milliseconds(self) -> list[str]:
        """A column of milliseconds with the sum of those that are known."""
        known = [row.seconds for row in self if row.seconds is not None]
        cells = ["" if row.call is None else "?" if row.seconds is None else f"{1e3 * row.seconds:.2f}" for row in self]
        return ["ms", *cells, f"{1e3 * sum(known):.2f}"]

    @property
    def largest_field(self) -> tuple[int, ...] | None:
        """The largest field, gates aside, of units that do not see every input whole, along each axis.

        None if it is not known.
        """
        local = [row.without_gates for row in self if row.without_gates and not row.whole]
        known = [tuple(size for size in field if size is not None) for field in local]
        if not known or any(len(mine) < len(field) for mine, field in zip(known, local, strict=True)):
            return None
        return tuple(map(max, zip(*known, strict=True)))

    def _fitting(self) -> list[str]:
        """For which inputs the layers are too many, or too few."""
        largest = self.largest_field
        if largest is None:
            return []
        beyond = [row.name for row in self if row.beyond_input]
        first = f"; of this one {len(beyond)} do, first {beyond[0]}" if beyond else ""
        aside = "Gates aside, layers" if self.gated else "Layers"
        return [
            f"{aside} see beyond inputs smaller than {as_text(largest)}{first}.",
            "Of larger inputs no unit sees everything, except behind a layer that reads all positions.",
        ]

    @property
    def notes(self) -> list[str]:
        """What the numbers are, and why some are missing, a sentence or two each."""
        batch, dtype = self.memory
        parameters, trainable = self.total("parameters"), self.total("trainable")
        notes = [
            f"Input {as_text(self.input_shape)}. MACs are for one picture; fields and strides are in its pixels.",
            f"Of {parameters:,} parameters, {trainable:,} are trainable.",
            f"Memory{f' in {dtype}' if dtype else ''}: parameters {_memory(self.total('weight_bytes'))}, "
            f"outputs of all layers for {batch} picture{'s' * (batch > 1)} {_memory(self.total('activation_bytes'))}.",
        ]
        if self.attends:
            notes.append("act. MACs: products of two activations; MACs: products with a weight.")
        if self.gated:
            notes.append("no gates: the field without products with a tensor that depends on the whole input.")
        if any(row.beyond_input for row in self):
            notes.append("*: the field is larger than the input.")
        notes += self._fitting()
        if self.timed:
            notes.append(
                f"ms: milliseconds of the layer by itself, run eagerly on {batch} random picture{'s' * (batch > 1)}; "
                "compiled, all take less."
            )
        if any(row.macs is None for row in self) and None in self.input_shape:
            notes.append(
                "?: it depends on the size of the input: give one, as input_shape=(224, 224, 3) or --input 224,224,3."
            )
        for layer in self.missing:
            notes.append(f"?: {layer}, and no rule says which of its inputs it sees.")
        return notes


WIDTH = 100


def _memory(size: int | None) -> str:
    return "?" if size is None else f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"


def _shortened(text: str, room: int) -> str:
    """A text without its middle, if it is longer than there is room."""
    if len(text) <= room:
        return text
    return f"{text[: room // 3]}…{text[len(text) - room + room // 3 + 1 :]}"


COLUMNS = (
    *("name", "call", "type", "output_shape", "parameters", "trainable", "macs", "weight_macs", "activation_macs"),
    *("weight_bytes", "activation_bytes", "receptive_field", "without_gates", "stride", "padding", "centres"),
    *("beyond_input", "unproductive", "whole", "seconds"),
)
"""The columns of a table: the attributes of `LayerRow`, but `missing` (see `LayerTable.missing`)."""


def _cells(row: LayerRow) -> dict[str, Any]:
    cells = {name: getattr(row, name) for name in COLUMNS}
    return {name: as_text(cell) if isinstance(cell, tuple) else cell for name, cell in cells.items()}


def as_text(numbers: Sequence[Any]) -> str:
    """A tuple as text, like `5×5`; two centres of one axis as `0|1`; undefined numbers as `?`."""
    return "×".join("|".join(map(_text, n)) or "?" if isinstance(n, tuple) else _text(n) for n in numbers)


def _text(cell: Any) -> str:
    return "?" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)
