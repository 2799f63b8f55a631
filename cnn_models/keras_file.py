"""Finds faults of a file that should be a Keras model, without importing Keras.

A `.keras` file is a zip archive of `config.json`, `metadata.json` and `model.weights.h5`.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
SHORTEST_CODE = 40  # characters of Python code in base64; shorter texts are other values
LONGEST = 300  # characters of a message of Keras
MEMBERS = (CONFIG, METADATA, WEIGHTS)
HDF5, ZIP, LFS = b"\x89HDF\r\n\x1a\n", b"PK", b"version https://git-lfs"
OLD = "Older formats can run code on loading; save the model as .keras, with model.save()."


def fault(path: Path) -> str | None:
    """Says in one or two sentences why a file is not a complete `.keras` file; None if it is one.

    The check reads the config, but not the weights, which may be large (see `damaged`).
    """
    if path.is_dir():
        return _folder_fault(path)
    if not path.exists():
        ending = "" if path.suffix == ".keras" else f", and by its name it is not a .keras file. {OLD}"
        return f"There is no file {path}{ending or '.'}"
    try:
        with path.open("rb") as file:
            start = file.read(1024)
        if start.startswith(HDF5):
            name = "" if path.suffix in (".h5", ".hdf5") else ", whatever its name ends in"
            return f"{path} is not a .keras file but an HDF5 file{name}. {OLD}"
        if path.suffix != ".keras":
            return f"{path} is not a .keras file: its name must end in .keras. {OLD}"
        return _start_fault(path, start) or _archive_fault(path)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}."


def _folder_fault(path: Path) -> str:
    """Says what kind of folder this is."""
    if (path / "saved_model.pb").exists():
        return f"{path} is a folder in TensorFlow's SavedModel format, not a .keras file. {OLD}"
    if (path / CONFIG).exists():
        return f"{path} is an unzipped Keras model. Save it as one file, with model.save('{path.stem}.keras')."
    return f"{path} is a folder, not a .keras file."


def _start_fault(path: Path, start: bytes) -> str | None:
    """Says what is wrong with the first bytes of a file; None if it is a zip archive."""
    if not start:
        return f"{path} is empty (0 bytes). Save or copy it again."
    if start.startswith(LFS):
        return f"{path} is a pointer of Git LFS, not the model itself. Fetch it with `git lfs pull`."
    if start.startswith(ZIP):
        return None
    kind = "text" if _is_text(start) else "something else"
    return f"{path} is not a .keras file, which is a zip archive, but {kind}. Save the model with model.save()."


def _is_text(start: bytes) -> bool:
    text = start.decode("utf-8", errors="ignore")  # the last character may be incomplete
    return len(text.encode()) > len(start) - 4 and all(one.isprintable() or one in "\r\n\t\f" for one in text)


def _archive_fault(path: Path) -> str | None:
    """Says what is wrong with the archive's members or its config; None if nothing is."""
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [name for name in MEMBERS if name not in archive.namelist()]
            if missing:
                return f"{path} is a zip archive but no Keras model: {' and '.join(missing)} is missing."
            if not isinstance(json.loads(archive.read(CONFIG)), dict):
                return f"{path} is not a Keras model: its {CONFIG} does not describe one."
    except zipfile.BadZipFile:
        return (
            f"{path} is damaged or was cut short ({path.stat().st_size:,} bytes): its zip archive is not complete. "
            "Save or copy it again."
        )
    except (ValueError, RecursionError, NotImplementedError, RuntimeError, EOFError) as error:
        return f"{path} is damaged: its {CONFIG} cannot be read ({type(error).__name__})."
    return None


def damaged(path: Path) -> str | None:
    """Says which member of the archive is damaged; None if none is. Reads the whole file."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = archive.testzip()
    except Exception:  # a damaged archive can raise many kinds of errors
        name = "archive"
    if name is None:
        return None
    return f"{path} is damaged: the checksum of its {name} is not the one it was saved with. Save or copy it again."


def config(path: Path) -> dict[str, Any]:
    """The config of the model in a file without a fault."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(CONFIG))


def keras_version(path: Path) -> str:
    """The version of Keras that saved a file without a fault."""
    with zipfile.ZipFile(path) as archive:
        return str(json.loads(archive.read(METADATA)).get("keras_version", "unknown"))


def one_line(said: object) -> str:
    """A message of Keras in one line: without line breaks and bold type, and cut after `LONGEST` characters."""
    text = " ".join(re.sub(r"\x1b\[[\d;]*m", "", str(said)).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def lambdas(part: Any) -> list[str]:
    """The names of the layers whose config contains Python code (a lambda, saved as base64 text)."""
    return list(dict.fromkeys(layer for each, layer in _parts(part, "") if _is_code(each)))


def _is_code(part: Any) -> bool:
    if isinstance(part, dict):
        return part.get("class_name") == "__lambda__"
    # A list of code, defaults and closure, from an activation or an old Lambda layer. Marshalled code begins with 4w.
    return len(part) == 3 and isinstance(part[0], str) and part[0].startswith("4w") and len(part[0]) > SHORTEST_CODE


def own_classes(part: Any) -> Iterator[tuple[str, str]]:
    """Yields the classes and functions of a config that do not belong to Keras: registered name and layer name."""
    for values, layer in _parts(part, ""):
        if not isinstance(values, dict) or not isinstance(values.get("class_name"), str):
            continue
        # The config of a function is its registered name.
        registered = values.get("config" if values["class_name"] == "function" else "registered_name")
        module = values.get("module") or ""
        if isinstance(registered, str) and not f"{module}.".startswith("keras."):
            yield registered, layer


def _parts(part: Any, layer: str) -> Iterator[tuple[Any, str]]:
    """Yields every object and list of a config, each with the name of the layer that contains it."""
    if isinstance(part, dict):
        inner = part.get("config")
        if isinstance(inner, dict) and isinstance(inner.get("name"), str) and "dtype" in inner:
            layer = inner["name"]
    if isinstance(part, dict | list):
        yield part, layer
        for each in part.values() if isinstance(part, dict) else part:
            yield from _parts(each, layer)
