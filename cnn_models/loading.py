"""Opens a model by name or from a file, without running code from the file.

In many versions of Keras, a model file could execute code or read other files. So only `.keras` files are opened, only
in safe mode; a file that needs more is refused with the reason. Errors that can be found without Keras are raised
before Keras is imported, which takes seconds.
"""

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_models import keras_file
from cnn_models.names import unknown
from cnn_models.zoo import MODELS, build

if TYPE_CHECKING:
    import keras

APPLICATIONS = "keras.applications."
# The networks of Keras 3.15, so that a name can be checked without importing Keras.
# fmt: off
NETWORKS = (
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge", "DenseNet121", "DenseNet169",
    "DenseNet201", "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4",
    "EfficientNetB5", "EfficientNetB6", "EfficientNetB7", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2",
    "EfficientNetV2B3", "EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S", "InceptionResNetV2", "InceptionV3",
    "MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small", "NASNetLarge", "NASNetMobile", "ResNet101",
    "ResNet101V2", "ResNet152", "ResNet152V2", "ResNet50", "ResNet50V2", "VGG16", "VGG19", "Xception",
)
# fmt: on
ENDINGS = (".keras", ".h5", ".hdf5", ".pb", ".json", ".tflite", ".onnx", ".pt", ".pth", ".zip")


def open_model(name: str) -> "keras.Model":
    """Opens the model that a user names.

    Args:
        name: a network of the zoo (`lenet5`), one of Keras's (`keras.applications.ResNet50`, built
            without its head and with random weights), or the path of a `.keras` file.

    Returns:
        The uncompiled model.

    Raises:
        ValueError: there is no such name or file, or the file cannot be opened safely; the message says why.
    """
    check(name)
    if name in MODELS:
        return build(name)
    if name.startswith(APPLICATIONS):
        return _application(name.removeprefix(APPLICATIONS))
    return _load(Path(name))


def check(name: str) -> None:
    """Checks a name or file without importing Keras.

    Args:
        name: the argument of `open_model`.

    Raises:
        ValueError: there is no such name or file, or the file is not a complete `.keras` file or contains code.
    """
    if name in MODELS:
        return
    if name.startswith(APPLICATIONS):
        if name.removeprefix(APPLICATIONS) not in NETWORKS:
            raise ValueError(unknown("network of keras.applications", name.removeprefix(APPLICATIONS), NETWORKS))
        return
    path = Path(name)
    if path.suffix.lower() not in ENDINGS and len(path.parts) < 2 and not path.exists():
        hint = " A Keras network is keras.applications.NAME, a file ends in .keras."
        raise ValueError(unknown("model", name, MODELS, [APPLICATIONS + each for each in NETWORKS]) + hint)
    if fault := keras_file.fault(path):
        raise ValueError(fault)
    if names := keras_file.lambdas(keras_file.config(path)):
        raise ValueError(
            f"{path} contains Python code (a lambda in layer {', '.join(names)}); it is not opened. "
            "Replace the lambda by a layer or a named function, and save the model again."
        )


def _application(name: str) -> "keras.Model":
    import keras

    # Width and height as published. Without the head, whose layers would see the whole picture anyway.
    return getattr(keras.applications, name)(weights=None, include_top=False, input_shape=_published_shape(name))


def _published_shape(name: str) -> tuple[int, int, int]:
    side = {"InceptionV3": 299, "InceptionResNetV2": 299, "Xception": 299, "NASNetLarge": 331}.get(name, 224)
    return (side, side, 3)


def _load(path: Path) -> "keras.Model":
    import keras

    register()
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ValueError(_reason(path, error)) from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path} holds a {type(model).__name__}, not a model.")
    return model


def register() -> None:
    """Imports the layers and losses of this package. This registers them with Keras."""
    from cnn_models import layers

    for module in pkgutil.iter_modules(layers.__path__, f"{layers.__name__}."):
        importlib.import_module(module.name)


def _reason(path: Path, error: Exception) -> str:
    """Says in one line why Keras did not open a file."""
    import keras

    if damage := keras_file.damaged(path):
        return damage
    unregistered: dict[str, str] = {}
    for name, layer in keras_file.own_classes(keras_file.config(path)):
        if keras.saving.get_registered_object(name) is None:
            unregistered.setdefault(name, layer)
    if unregistered:
        classes = ", ".join(f"{name} (layer '{layer}')" for name, layer in unregistered.items())
        return (
            f"{path} cannot be opened: these classes are not registered: {classes}. In Python, decorate them with "
            "@keras.saving.register_keras_serializable(), import their module, then call cnn_models.open_model()."
        )
    said = str(error)
    if "Lambda" in said or "safe_mode" in said:
        return f"{path} contains Python code (a Lambda layer); it is not opened."
    saved, ours = keras_file.keras_version(path), keras.__version__
    versions = "" if saved == ours else f" It was saved by Keras {saved}, this is {ours}."
    said = keras_file.one_line(said.rpartition("Exception encountered: ")[2])  # the text before it is the config
    return f"{path} cannot be opened: {type(error).__name__}: {said}{versions}"
