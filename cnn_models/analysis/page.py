"""One HTML page of a model: its graph, a row for each layer, and the field of any unit drawn on a picture.

The page holds everything and asks no other host for anything; a picture that is opened in it stays on the machine.
"""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.inspector import Inspected, Inspection
from cnn_models.analysis.pictures import KINDS, check_picture
from cnn_models.analysis.table import LayerTable, as_text

TEMPLATE = Path(__file__).with_name("page.html")


def page(title: str, inspection: Inspection, table: LayerTable, picture: Path | None = None) -> str:
    """The page as text.

    Args:
        title: name of the model.
        inspection: its layers.
        table: their rows.
        picture: what fields are drawn on; None: a pattern.

    Raises:
        ValueError: the picture is of no kind that browsers show.
    """
    spans = _Spans()
    content = {
        "sides": _sides(inspection),
        "layers": _layers(inspection.layers, spans),
        "spans": spans.known,
        "picture": _embedded(picture),
        "notes": table.notes,
        "gated": table.gated,
        "attends": table.attends,
        "timed": table.timed,
        "totals": {name: table.total(name) for name in ("parameters", "weight_macs", "activation_macs")},
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    filled = TEMPLATE.read_text(encoding="utf-8").replace("{{title}}", html.escape(title))
    return filled.replace("{{content}}", text)


def _embedded(path: Path | None) -> str | None:
    if path is None:
        return None
    check_picture(path)
    return f"data:image/{KINDS[path.suffix.lower()]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _sides(inspection: Inspection) -> list[int] | None:
    """Height and width of the input; a sequence is one row high. None where fields cannot be drawn on a picture."""
    sides = [side for side in inspection.lengths.values() if side is not None]
    if len(sides) < len(inspection.lengths) or len(sides) not in (1, 2):
        return None
    return [1, *sides][-2:]


class _Spans:
    """What the units along an axis see, each list of intervals kept once: many layers have the same."""

    def __init__(self) -> None:
        self.known: list[list[list[int]]] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, first: np.ndarray, last: np.ndarray) -> int:
        """The place of these intervals in `known`."""
        key = first.tobytes() + b"|" + last.tobytes()
        if key not in self._numbers:
            self._numbers[key] = len(self.known)
            self.known.append([first.tolist(), last.tolist()])
        return self._numbers[key]


def _layers(layers: Sequence[Inspected], spans: _Spans) -> list[dict[str, Any]]:
    """The rows, with the numbers of the rows that each reads."""
    made: dict[int, int] = {}
    found = []
    for number, one in enumerate(layers):
        row, call = one.row, one.call
        sources = sorted({made[id(tensor)] for tensor in call.inputs if id(tensor) in made}) if call else []
        found.append(
            {
                "name": row.name,
                "type": row.type,
                "output": as_text(row.output_shape),
                "parameters": row.parameters,
                "macs": row.weight_macs,
                "attention": row.activation_macs,
                "field": as_text(row.receptive_field) + "*" * bool(row.beyond_input),
                "ungated": as_text(row.without_gates),
                "stride": as_text(row.stride),
                "ms": None if row.seconds is None else round(1e3 * row.seconds, 3),
                "reads": sources,
                "units": {
                    "with": _units(one.field, spans) if one.field else None,
                    "without": _units(one.without_gates, spans) if one.without_gates else None,
                },
            }
        )
        if call:
            made.update((id(tensor), number) for tensor in call.outputs)
    return found


def _units(field: ReceptiveField, spans: _Spans) -> list[int] | None:
    """For the height and the width of the input: which `spans` say what the units see; None where it is not known."""
    if field.unknown or len(field.axes) not in (1, 2):
        return None
    found = []
    for axis in field.axes:
        if axis.intervals is None or axis.rearranged:
            return None
        found.append(spans.number(axis.intervals.first, axis.intervals.last))
    if len(found) == 1:  # a sequence is drawn as a picture one row high
        found.insert(0, spans.number(np.zeros(1, np.int32), np.zeros(1, np.int32)))
    return found
