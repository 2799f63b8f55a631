"""Opens a model by name or from a file, without running anybody's code.

Keras model files have executed code and read files in many versions, so: `.keras` only, safe mode
always, and what needs more is refused with the reason.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_models.zoo import MODELS, build, unknown

if TYPE_CHECKING:
    import keras

APPLICATIONS = "keras.applications."


def open_model(name: str) -> "keras.Model":
    """The model that a user names.

    Args:
        name: a network of the zoo (`lenet5`), one of Keras's (`keras.applications.ResNet50`, built
            without its head and with random weights), or the path of a `.keras` file.

    Returns:
        The model, uncompiled.

    Raises:
        ValueError: no such name or file, or a file that cannot be opened safely; the message says why.
    """
    if name in MODELS:
        return build(name)
    if name.startswith(APPLICATIONS):
        return _application(name.removeprefix(APPLICATIONS))
    path = Path(name)
    if path.suffix == ".keras" and path.exists():
        return _load(path)
    if path.suffix == ".keras":
        raise ValueError(f"There is no file {path}.")
    if path.suffix in (".h5", ".hdf5") or path.is_dir():
        raise ValueError(f"{path} is not a .keras file. Older formats can run code on loading; save it anew as .keras.")
    hint = " A Keras network is keras.applications.NAME, a file ends in .keras."
    raise ValueError(unknown("model", name, MODELS) + hint)


def _application(name: str) -> "keras.Model":
    import keras

    builders = {key: value for key, value in vars(keras.applications).items() if key[:1].isupper()}
    if name not in builders:
        raise ValueError(unknown("network of keras.applications", name, builders))
    # Width and height as published; the head would only add what sees everything.
    return builders[name](weights=None, include_top=False, input_shape=_published_shape(name))


def _published_shape(name: str) -> tuple[int, int, int]:
    side = {"InceptionV3": 299, "InceptionResNetV2": 299, "Xception": 299, "NASNetLarge": 331}.get(name, 224)
    return (side, side, 3)


def _load(path: Path) -> "keras.Model":
    import keras

    importlib.import_module("cnn_models.layers")  # registers the suite's own layers and losses
    importlib.import_module("cnn_models.losses")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())
        if "Lambda" in reason or "safe_mode" in reason:
            raise ValueError(f"{path} needs code of its own to be run (a Lambda layer); it is not opened.") from error
        raise ValueError(f"{path} cannot be opened: {type(error).__name__}: {reason[:300]}") from error
