"""Commands that look into one model without training it: `inspect` and `features`."""

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


def inspect(asked: argparse.Namespace) -> None:
    """What a model sees and costs, layer by layer."""
    options.writable(asked.results)
    model = _open(asked.model)
    import cnn_models
    from lab.report import tables

    try:
        table = cnn_models.layer_table(model, source=asked.source)
    except (TypeError, ValueError) as error:
        raise UsageError(_first_line(error)) from error
    path = asked.results / f"inspect-{_model_name(asked.model)}.csv"
    tables.write_csv(table.frame(), path)
    print(f"{table}\ntable: {path}")


def features(asked: argparse.Namespace) -> None:
    """Pictures of what each channel of a layer answers to."""
    if None not in (asked.low, asked.high) and not asked.low < asked.high:
        raise UsageError(f"--low must be less than --high, got {asked.low:g} and {asked.high:g}.")
    name = f"features-{_model_name(asked.model)}-{asked.layer.replace('/', '-')}.svg"
    path = asked.output or asked.results / name
    if path.suffix != ".svg":
        raise UsageError(f"--output is an SVG file, its name ends in .svg; got {path}.")
    if path.is_dir():
        raise UsageError(f"--output is an SVG file, and {path} is a folder.")
    options.writable(path.parent)
    model = _open(asked.model)
    from cnn_models.gradients import maximisation
    from lab.report import channels

    try:
        channels.check_colours(maximisation.picture_shape(model)[-1])
        found = maximisation.maximise(
            model,
            asked.layer,
            call=asked.call,
            most=asked.channels,
            seed=asked.seed,
            low=asked.low,
            high=asked.high,
        )
        if (found.dead | found.broken).all():
            raise ValueError(
                f"No channel of layer '{asked.layer}' has a picture: their answers are not finite, or no step of the "
                "ascent changes them, as where all weights are 0."
            )
        title = f"{_model_name(asked.model)}, {asked.layer}: channel, and its answer to this picture"
        without = dict.fromkeys(_numbers(found.dead), "dead") | dict.fromkeys(_numbers(found.broken), "not finite")
        channels.write_sheet(path, title, found.pictures, found.after, without)
    except (TypeError, ValueError) as error:
        raise UsageError(_first_line(error)) from error
    count, height, width = found.pictures.shape[:3]
    print(f"{count} channels of {asked.layer}, {height}×{width} pixels each")
    for which, remark in (
        (found.dead, "dead, no picture changes their answer"),
        (found.broken, "without a finite answer, as their values overflow"),
        (found.silent, "silent, rectified to 0 even on their own picture"),
    ):
        if which.any():
            print(f"channels {', '.join(map(str, _numbers(which)))}: {remark}")
    print(f"figure: {path}")


def _numbers(which: "np.ndarray") -> list[int]:
    return which.nonzero()[0].tolist()


def _open(name: str) -> "keras.Model":
    """A model that a user names; what its name or file alone shows is refused before TensorFlow is loaded."""
    from cnn_models import loading

    try:
        loading.check(name)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        startup.start_tensorflow()
        return loading.open_model(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _first_line(error: Exception) -> str:
    """What is wrong; further lines show what to write in Python."""
    first, *more = str(error).splitlines() or [type(error).__name__]
    return f"{first} In Python it can be given one, see cnn_models/analysis/rules.py." if more else first


def _model_name(model: str) -> str:
    return Path(model).stem if model.endswith(".keras") else model
