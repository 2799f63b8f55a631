"""The command `cnn-models`: what is known of a model without training it.

cnn-models inspect mine.keras
cnn-models inspect keras.applications.EfficientNetB0 --csv table.csv
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_models import light_keras, loading
from cnn_models.version import VERSION

if TYPE_CHECKING:
    from cnn_models.analysis.table import LayerTable

DTYPES = ("float16", "bfloat16", "float32", "float64")


def main(words: Sequence[str] | None = None) -> int:
    """Executes the command line; returns the exit status."""
    arguments = _parser().parse_args(words)
    try:
        loading.check(arguments.model)
        with light_keras.without():
            import cnn_models
            import cnn_models.analysis.inspector

        model = loading.open_model(arguments.model)
        table = cnn_models.layer_table(
            model,
            source=arguments.source,
            input_shape=arguments.input,
            batch=arguments.batch,
            dtype=arguments.dtype,
        )
    except (TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path, write in ((arguments.csv, _write_csv), (arguments.json, _write_json)):
        if path is not None:
            write(table, path)
    print(table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cnn-models", description=__doc__.partition("\n")[0])
    parser.add_argument("--version", action="version", version=VERSION)
    inspect = parser.add_subparsers(required=True).add_parser(
        "inspect", help="receptive field and cost of each layer of a model"
    )
    inspect.add_argument("model", help="a .keras file, a network of this package, or keras.applications.NAME")
    inspect.add_argument("--source", help="for a model with several inputs: the one that fields refer to")
    inspect.add_argument("--input", type=_shape, metavar="224,224,3", help="sizes of an input of unknown size")
    inspect.add_argument("--batch", type=_count, default=1, help="pictures whose memory is counted (default: 1)")
    inspect.add_argument("--dtype", choices=DTYPES, help="type of real numbers whose memory is counted")
    inspect.add_argument("--csv", type=Path, help="also write the table to this file")
    inspect.add_argument("--json", type=Path, help="also write the table to this file")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of pictures, got '{text}'")
    return int(text)


def _shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected sizes like 224,224,3, got '{text}'") from None


def _write_csv(table: "LayerTable", path: Path) -> None:
    path.write_text(table.csv(), encoding="utf-8", newline="")


def _write_json(table: "LayerTable", path: Path) -> None:
    path.write_text(json.dumps(table.cells(), ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
