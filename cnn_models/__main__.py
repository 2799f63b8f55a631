"""The command `cnn-models`: what is known of a model without training it.

cnn-models inspect mine.keras --html mine.html
cnn-models field mine.keras --layer conv3
cnn-models features mine.keras --layer conv3
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_models import light_keras, loading
from cnn_models.version import VERSION

if TYPE_CHECKING:
    import keras
    import numpy as np

DTYPES = ("float16", "bfloat16", "float32", "float64")
NOISE = 20  # pictures of noise over which an effective field is the mean
REPEATS = 5  # how often each layer is timed


def main(words: Sequence[str] | None = None) -> int:
    """Executes the command line; returns the exit status."""
    arguments = _parser().parse_args(words)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow would say what it found no GPU with
    try:
        loading.check(arguments.model)
        _check_files(arguments)
        with light_keras.without():
            import cnn_models.analysis.inspector  # noqa: F401  # and with it Keras

        arguments.execute(loading.open_model(arguments.model), arguments)
    except (TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _inspect(model: "keras.Model", arguments: argparse.Namespace) -> None:
    """Prints a row for each layer, and writes the files that are asked for."""
    from cnn_models.analysis.inspector import inspect
    from cnn_models.analysis.page import page
    from cnn_models.analysis.table import LayerTable, Memory

    memory = Memory(arguments.batch, arguments.dtype)
    repeats = REPEATS if arguments.time else 0
    found = inspect(model, source=arguments.source, input_shape=arguments.input, memory=memory, repeats=repeats)
    table = LayerTable((one.row for one in found.layers), found.input_shape, memory)
    texts: dict[str, Callable[[], str]] = {
        "csv": table.csv,
        "json": lambda: json.dumps(table.cells(), ensure_ascii=False, indent=1),
        "html": lambda: page(_name(arguments.model), found, table, arguments.picture),
    }
    for kind, text in texts.items():
        if (path := getattr(arguments, kind)) is not None:
            _write(path, text())
    print(table)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error


def _features(model: "keras.Model", arguments: argparse.Namespace) -> None:
    """Writes the picture that each channel of a layer responds to most, side by side."""
    import numpy as np

    from cnn_models.gradients.maximisation import maximise

    found = maximise(model, arguments.layer, most=arguments.channels)
    useless = {"dead": found.dead, "not finite": found.broken, "silent": found.silent}
    for word, which in useless.items():
        if which.any():
            print(f"channels {', '.join(map(str, np.flatnonzero(which)))}: {word}")
    _save(np.nan_to_num(found.pictures) / 2 + 0.5, arguments)


def _field(model: "keras.Model", arguments: argparse.Namespace) -> None:
    """Prints the exact field of a layer beside the effective one, and writes the gradient as a picture."""
    import numpy as np

    from cnn_models.analysis.inspector import receptive_field
    from cnn_models.analysis.table import as_text
    from cnn_models.gradients.effective import effective_side, gradient_of_layer
    from cnn_models.gradients.targets import picture_shape, with_size

    model = with_size(model, arguments.layer, None)
    height, width, colours = (side or 1 for side in picture_shape(model))  # all known, by now
    shown = {f"{NOISE} pictures of noise": np.random.default_rng(0).normal(size=(NOISE, height, width, colours))}
    if arguments.pictures:
        shown["your pictures"] = _opened(arguments.pictures, (height, width), colours)
    found = {}
    for words, pictures in shown.items():
        field, found[words] = gradient_of_layer(model, arguments.layer, pictures.astype("float32"))
    ungated = receptive_field(model, arguments.layer, gates=False).size
    aside = f" ({as_text(ungated)} but for gates)" if ungated != field.size else ""
    print(f"{arguments.layer} sees {as_text(field.size)} pixels, exactly{aside}.")
    for words, gradient in found.items():
        side = effective_side(gradient)
        print(f"In effect, on {words}: {side:.1f} pixels a side, where the gradient is over 4.55 % of its largest.")
    maps = [gradient / max(gradient.max(), 1e-30) for gradient in found.values()]
    _save(np.stack(maps)[..., np.newaxis], arguments)


def _opened(files: Sequence[Path], size: tuple[int | None, ...], colours: int) -> "np.ndarray":
    """Pictures from files, at the size of a model's input, with values from -0.5 to 0.5."""
    import keras
    import numpy as np

    mode = {1: "grayscale", 3: "rgb", 4: "rgba"}.get(colours)
    if mode is None:
        raise ValueError(f"Pictures of {colours} channels cannot be read from files: leave out --pictures.")
    try:
        opened = [keras.utils.load_img(file, color_mode=mode, target_size=size) for file in files]
        return np.stack([keras.utils.img_to_array(one) for one in opened]) / 255 - 0.5
    except (ImportError, OSError) as error:  # Pillow says why a file is no picture
        raise ValueError(f"A picture cannot be opened: {error}") from error


def _save(pictures: "np.ndarray", arguments: argparse.Namespace) -> None:
    """Writes pictures `(n, height, width, colours)` from 0 black to 1 white side by side, as one file."""
    import keras
    import numpy as np

    path = arguments.output or Path(f"{arguments.command}-{_name(arguments.model)}-{_flat(arguments.layer)}.png")
    count, height, width, colours = pictures.shape
    columns = min(8, count)
    rows = -(-count // columns)
    zoom = max(1, 96 // max(height, width))
    sheet = np.ones((rows * (height + 1), columns * (width + 1), colours), "float32")
    for number, one in enumerate(pictures):
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        sheet[top : top + height, left : left + width] = one
    try:
        keras.utils.save_img(path, 255 * sheet.repeat(zoom, 0).repeat(zoom, 1), scale=False)
    except (ImportError, OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be written: {error}") from error
    print(f"picture: {path}")


def _check_files(arguments: argparse.Namespace) -> None:
    """Refuses files that are not there, or cannot be written, before anything slow is done.

    Raises:
        ValueError: it says which.
    """
    from cnn_models.analysis.pictures import check_picture

    for name in ("csv", "json", "html", "output"):
        path = getattr(arguments, name, None)
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            raise ValueError(f"--{name} is a file in a folder that is there; got {path}.")
        if name == "output" and path is not None and path.suffix != ".png":
            raise ValueError(f"--output is a picture, its name ends in .png; got {path}.")
    if getattr(arguments, "picture", None) and arguments.html is None:
        raise ValueError("--picture is the picture of a page: say with --html which file that is.")
    for path in filter(None, (getattr(arguments, "picture", None), *(getattr(arguments, "pictures", None) or ()))):
        check_picture(path)


def _name(model: str) -> str:
    return Path(model).stem if model.endswith(".keras") else model


def _flat(layer: str) -> str:
    return layer.replace("/", "-")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cnn-models", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, dest="command")
    inspect = _command(commands, "inspect", "receptive field and cost of each layer of a model", _inspect)
    inspect.add_argument("--source", help="for a model with several inputs: the one that fields refer to")
    inspect.add_argument("--input", type=_shape, metavar="224,224,3", help="sizes of an input of unknown size")
    inspect.add_argument("--batch", type=_count, default=1, help="pictures whose memory is counted (default: 1)")
    inspect.add_argument("--dtype", choices=DTYPES, help="type of real numbers whose memory is counted")
    inspect.add_argument("--time", action="store_true", help="also run each layer, to say how long it takes here")
    inspect.add_argument("--csv", type=Path, help="also write the table to this file")
    inspect.add_argument("--json", type=Path, help="also write the table to this file")
    inspect.add_argument("--html", type=Path, help="also write a page: point at a picture to see the field of a unit")
    inspect.add_argument("--picture", type=Path, help="the picture of that page")
    field = _command(commands, "field", "effective receptive field of a layer beside the exact one", _field)
    field.add_argument("--pictures", type=Path, nargs="+", help="measure on these pictures, too, not on noise alone")
    features = _command(commands, "features", "the picture that each channel of a layer responds to most", _features)
    features.add_argument("--channels", type=_count, default=64, help="the first so many channels (default: 64)")
    for command in (field, features):
        command.add_argument("--layer", required=True, help="name of the layer, inside a model as backbone/conv1")
        command.add_argument("--output", type=Path, help="the picture to write, a .png")
    return parser


def _command(commands: Any, name: str, about: str, execute: Callable[..., None]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    parser.add_argument("model", help="a .keras file, a network of this package, or keras.applications.NAME")
    parser.set_defaults(execute=execute)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got '{text}'")
    return int(text)


def _shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected sizes like 224,224,3, got '{text}'") from None


if __name__ == "__main__":
    sys.exit(main())
