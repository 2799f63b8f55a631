"""The answers of the page's tab for photographs: how a network reads one, as it is or altered, and what a unit sees."""

import base64
from typing import Any

import numpy as np
from scipy.special import softmax

from cnn_models.brightness import network_input
from demo import png
from demo.answers import Answer, checked_list, packed, whole
from demo.inside import Network, written
from demo.networks import PHOTOGRAPHS, NetworkStore
from lab.data import cifar
from lab.learn.alterations import altered

SIDE = cifar.SHAPE[0]
# What the page offers to do to a photograph, by the words of its menu.
ALTERATIONS = {
    "as it is": None,
    "grey": "grey",
    "colours exchanged": "permuted_channels",
    "4×4 blocks of 8×8 pixels, shuffled": "blocks8",
    "8×8 blocks of 4×4 pixels, shuffled": "blocks4",
    "edges": "edges",
    "black and white": "two_tones",
}


class Photographs:
    """Answers about photographs of 32×32 pixels. No photograph is kept.

    Args:
        store: the trained networks.
    """

    def __init__(self, store: NetworkStore) -> None:
        self.store = store

    def networks(self, request: Any) -> Answer:
        """`networks` trained on CIFAR-10, pairs of name and label, best first; `alterations`; `classes`."""
        return {
            "networks": list(self.store.names(PHOTOGRAPHS).items()),
            "alterations": list(ALTERATIONS),
            "classes": cifar.CLASSES,
        }

    def sample(self, request: Any) -> Answer:
        """The photographs to choose from: `sheet`, a `data:` URL of ten in a row for each class, and `classes`."""
        content = base64.b64encode(cifar.SAMPLE.read_bytes()).decode()
        return {"sheet": png.PREFIX + content, "classes": cifar.CLASSES}

    def look(self, request: Any) -> Answer:
        """Classifies a photograph.

        Args:
            request: `picture`, a `data:` URL of 32×32 pixels; `alteration`, one of `ALTERATIONS`; `network`, a name.

        Returns:
            `input`, the picture as the network sees it, brightnesses 0…255; `layers`; `probabilities` of the classes.

        Raises:
            ValueError: the request is invalid, or the network cannot be opened.
        """
        network, picture = self.store.open(request["network"]), _shown(request)
        answers = network.activations(_inputs(picture))
        layers = [
            {"name": layer.name, "type": type(layer).__name__, "sees": field.size, "values": packed(answer[0])}
            for layer, field, answer in zip(network.layers, network.fields, answers, strict=True)
        ]
        return {
            "input": packed(picture),
            "layers": layers,
            "probabilities": softmax(answers[-1][0].astype(float)).tolist(),
        }

    def unit(self, request: Any) -> Answer:
        """Explains one unit.

        Args:
            request: as for `look`; and `layer` and `index`, see `inside.Network.unit`.

        Returns:
            `field`, first and last row and column that the unit sees, or None; and its `value`, as text.

        Raises:
            ValueError: the request is invalid, or the network cannot be opened.
        """
        network: Network = self.store.open(request["network"])
        index = [whole(number) for number in checked_list(request["index"], 3)]
        unit = network.unit(_inputs(_shown(request)), whole(request["layer"]), index)
        return {"field": unit.field, "value": written(unit.value)}


def read(url: object) -> np.ndarray:
    """Reads a picture that the page sent.

    Args:
        url: a `data:` URL of a PNG of 32×32 pixels; what is transparent is black.

    Returns:
        Brightnesses, uint8 `(32, 32, 3)`.

    Raises:
        ValueError: the argument is not such a URL.
    """
    return png.read(url, SIDE, "RGB")


def _shown(request: Any) -> np.ndarray:
    """The picture of a request as the network is shown it, uint8 `(32, 32, 3)`."""
    picture = read(request["picture"])
    if request["alteration"] not in ALTERATIONS:
        raise ValueError(f"There is no alteration '{str(request['alteration'])[:40]}'.")
    name = ALTERATIONS[request["alteration"]]
    return altered(picture[np.newaxis], name, seed=0)[0] if name else picture


def _inputs(picture: np.ndarray) -> np.ndarray:
    return network_input(picture[np.newaxis].astype("float32"))
