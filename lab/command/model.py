"""The commands that analyse one model without training it: `inspect` and `features`."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lab.command import options
from lab.errors import UsageError
from lab.learn import startup

if TYPE_CHECKING:
    import keras
    import numpy as np

    from cnn_models.gradients.maximisation import Maximised


def inspect(args: argparse.Namespace) -> None:
    """Prints the receptive field and cost of each layer of a model, and writes them as CSV."""
    options.writable_folder(args.results)
    model = _open(args.model)
    import cnn_models
    from lab.store.files import sole_writer, write_whole

    try:
        table = cnn_models.layer_table(model, source=args.source)
    except (TypeError, ValueError) as error:
        raise UsageError(_first_line(error)) from error
    path = args.results / f"inspect-{_model_name(args.model)}.csv"
    content = table.csv().encode()
    with sole_writer(path.parent):
        write_whole(path, lambda part: part.write_bytes(content))
    print(f"{table}\ntable: {path}")


def features(args: argparse.Namespace) -> None:
    """Draws the picture that each channel of a layer responds to most, in one SVG file."""
    path = _figure_path(args)
    model = _open(args.model)
    from cnn_models.gradients import maximisation, targets
    from lab.report.draw import channels

    try:
        channels.check_colours(targets.picture_shape(model)[-1])
        found = maximisation.maximise(
            model,
            args.layer,
            call=args.call,
            most=args.channels,
            seed=args.seed,
            low=args.low,
            high=args.high,
        )
        if (found.dead | found.broken).all():
            raise ValueError(
                f"No channel of layer '{args.layer}' has a picture: their responses are not finite, or no step of the "
                "ascent changes them, as when all weights are 0."
            )
        title = f"{_model_name(args.model)}, {args.layer}: channel, and its response to this picture"
        without = dict.fromkeys(_numbers(found.dead), "dead") | dict.fromkeys(_numbers(found.broken), "not finite")
        channels.write_sheet(path, title, found.pictures, found.after, without)
    except (TypeError, ValueError) as error:
        raise UsageError(_first_line(error)) from error
    _print_channels(args.layer, found)
    print(f"figure: {path}")


def _figure_path(args: argparse.Namespace) -> Path:
    """Where `features` writes its figure.

    Raises:
        UsageError: the arguments contradict each other, or the file cannot be written.
    """
    if None not in (args.low, args.high) and not args.low < args.high:
        raise UsageError(f"--low must be less than --high, got {args.low:g} and {args.high:g}.")
    name = f"features-{_model_name(args.model)}-{args.layer.replace('/', '-')}.svg"
    path: Path = args.output or args.results / name
    if path.suffix != ".svg":
        raise UsageError(f"--output is an SVG file, its name ends in .svg; got {path}.")
    if path.is_dir():
        raise UsageError(f"--output is an SVG file, but {path} is a folder.")
    options.writable_folder(path.parent)
    return path


def _print_channels(layer: str, found: "Maximised") -> None:
    """Prints the number of pictures, and which channels have an unusual one."""
    count, height, width = found.pictures.shape[:3]
    print(f"{count} channels of {layer}, {height}×{width} pixels each")
    for which, remark in (
        (found.dead, "dead, no picture changes their response"),
        (found.broken, "without a finite response, as their values overflow"),
        (found.silent, "silent, rectified to 0 even on their own picture"),
    ):
        if which.any():
            print(f"channels {', '.join(map(str, _numbers(which)))}: {remark}")


def _numbers(which: "np.ndarray") -> list[int]:
    """The indices at which a mask is true."""
    return which.nonzero()[0].tolist()


def _open(name: str) -> "keras.Model":
    """Opens a model by name or file. Errors that need no TensorFlow are reported before it is loaded."""
    from cnn_models import light_keras, loading

    try:
        loading.check(name)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with light_keras.without():
            startup.start_tensorflow()
            import keras  # noqa: F401  # with TensorFlow's own import of it

        return loading.open_model(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _first_line(error: Exception) -> str:
    """The first line of a message. Further lines show Python code, so a hint takes their place."""
    first, *more = str(error).splitlines() or [type(error).__name__]
    return f"{first} In Python you can pass one, see cnn_models/analysis/rules.py." if more else first


def _model_name(model: str) -> str:
    """A model's name for files and titles."""
    return Path(model).stem if model.endswith(".keras") else model
