"""The functions that the page calls. Each answer depends only on the arguments of its call.

So any number of people can draw at the same time, and none sees another's drawing. The arguments come from a browser
and are checked; an error is answered with one sentence.
"""

import base64
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from cnn_models.brightness import brightnesses, network_input
from demo import drawing, inside
from demo.inside import Network
from demo.networks import DIGITS, DOODLES, EDGES, NetworkStore
from lab.data import datasets, quickdraw, strokes

Answer = dict[str, Any]


def catch_errors(answer: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    """Returns a function that answers `{"error": why}` instead of raising an exception."""

    @functools.wraps(answer)
    def checked(request: Any) -> Answer:
        try:
            return answer(request)
        except KeyError as error:
            return {"error": f"The call lacks {error}."}
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            return {"error": str(error)}

    return checked


class Digits:
    """Answers about drawn digits: how networks classify them, and why.

    Args:
        store: the trained networks.
    """

    def __init__(self, store: NetworkStore) -> None:
        self.store = store

    def networks(self, request: Any) -> Answer:
        """The networks trained on MNIST: `networks`, pairs of name and label, best first."""
        return {"networks": list(self.store.names(DIGITS).items())}

    def look(self, request: Any) -> Answer:
        """Classifies a drawing by several networks.

        Args:
            request: `drawing`, a `data:` URL; `shift`, pixels by which the picture is moved down and right; `networks`,
                at most two names.

        Returns:
            `empty`, whether the drawing has no ink; `scale`, pixels of the drawing per pixel of the picture, down and
            across; `networks`, for each network: `origin`, where on the drawing its input begins, down and across;
            `input`; `layers`; `probabilities`.

        Raises:
            ValueError: the request is invalid, or a network cannot be opened.
        """
        picture, shift = drawing.normalise(drawing.read(request["drawing"])), _shift(request["shift"])
        networks = [self.store.open(name) for name in checked_list(request["networks"], 2)]
        return {
            "empty": not picture.pixels.any(),
            "scale": picture.scale,
            "networks": [_look_inside(network, picture, shift) for network in networks],
        }

    def unit(self, request: Any) -> Answer:
        """Explains the value of one unit of a network.

        Args:
            request: `drawing` and `shift` as for `look`; `network`, a name; `layer` and `index`, see
                `inside.Network.unit`.

        Returns:
            `field` and `value` of the unit. If the value is a weighted sum, also the patch, kernel, sum, bias and
            activation, see `inside.WeightedSum`; numbers are texts with equal decimals.

        Raises:
            ValueError: the request is invalid, or a network cannot be opened.
        """
        picture, shift = drawing.normalise(drawing.read(request["drawing"])), _shift(request["shift"])
        network = self.store.open(request["network"])
        inputs = _inputs([_framed(drawing.moved(picture.pixels, *shift), network)])
        layer, index = whole(request["layer"]), [whole(i) for i in checked_list(request["index"], 3)]
        unit = network.unit(inputs, layer, index)
        answer: Answer = {"field": unit.field, "value": inside.written(unit.value)}
        weighted_sum = unit.weighted_sum
        if weighted_sum is None:
            return answer
        total = weighted_sum.products + weighted_sum.bias
        digits = inside.decimals([(total, weighted_sum.before), (weighted_sum.answer, unit.value)])
        numbers = {"sum": weighted_sum.products, "bias": weighted_sum.bias, "before": total}
        return answer | {
            "patch": packed(weighted_sum.patch),
            "kernel": packed(weighted_sum.kernel),
            "channels": weighted_sum.channels,
            "corner": weighted_sum.corner,
            "activation": weighted_sum.activation,
            "value": inside.written(unit.value, digits),
            **{name: inside.written(number, digits) for name, number in numbers.items()},
        }


class Doodles:
    """Answers about hand drawings: their class, and the most similar drawings.

    Args:
        store: the trained networks.
    """

    MOST_POINTS = 10_000
    SIMILAR = 6  # drawings to show

    def __init__(self, store: NetworkStore) -> None:
        self.store = store
        self._sample = functools.cache(lambda: datasets.load("quickdraw"))
        self._features = functools.lru_cache(maxsize=4)(self._training_features)
        self._examples = functools.cache(_examples)

    def networks(self, request: Any) -> Answer:
        """The networks trained on the sample of Quick, Draw!: `networks`, pairs of name and label, best first."""
        return {"networks": list(self.store.names(DOODLES).items())}

    def recognise(self, request: Any) -> Answer:
        """Classifies a drawing, and finds similar ones.

        Args:
            request: `strokes`, lists of points (x, y); `network`, a name.

        Returns:
            `classes`, the names of all classes; `input`; `top`, the three most probable classes with their
            probabilities; `like`, class and picture of the training drawings whose features have the largest cosine
            similarity. Without a stroke, `top` and `like` are empty.

        Raises:
            ValueError: the request is invalid, or the network cannot be opened.
        """
        picture, network, names = (
            self._picture(request["strokes"]),
            self.store.open(request["network"]),
            self._sample().names,
        )
        answer: Answer = {"classes": names, "input": packed(picture), "top": [], "like": []}
        if not picture.any():
            return answer
        features, logits = network.activations(_inputs([picture]))[-2:]
        probabilities = softmax(logits[0].astype(float))
        near = np.argsort(-self._features(network) @ _unit_length(features)[0], kind="stable")[: self.SIMILAR]
        train = self._sample().train
        return answer | {
            "top": [(names[i], probabilities[i]) for i in np.argsort(-probabilities, kind="stable")[:3]],
            "like": [(names[train.labels[i]], packed(train.images[i, ..., 0])) for i in near],
        }

    def example(self, request: Any) -> Answer:
        """Returns a drawing of the sample. Consecutive numbers give drawings of different classes.

        Args:
            request: `number`, from 0.

        Returns:
            `name` of its class and `strokes`, lists of points with coordinates from 0 to 255.
        """
        name, drawn = self._examples()[whole(request["number"]) % len(self._examples())]
        return {"name": name, "strokes": [stroke.tolist() for stroke in drawn.strokes]}

    def _picture(self, value: Any) -> np.ndarray:
        """The picture of strokes, uint8 `(28, 28)`; empty without a stroke."""
        lines = [strokes.stroke_of(line) for line in checked_list(value, self.MOST_POINTS) if line]
        if sum(map(len, lines)) > self.MOST_POINTS:
            raise ValueError(f"A drawing has at most {self.MOST_POINTS} points.")
        if not lines:
            return np.zeros((drawing.SIDE, drawing.SIDE), "uint8")
        return strokes.flat(tuple(lines))

    def _training_features(self, network: Network) -> np.ndarray:
        """The features of all training drawings, scaled to length 1, `(n, features)`."""
        pictures = self._sample().train.images[..., 0]
        parts = np.array_split(np.arange(len(pictures)), -(-len(pictures) // 500))
        return _unit_length(np.concatenate([network.activations(_inputs(pictures[part]))[-2] for part in parts]))


class Edges:
    """Answers about outlines: the digit that a network paints from an outline.

    Args:
        store: the trained networks.
    """

    def __init__(self, store: NetworkStore) -> None:
        self.store = store

    def networks(self, request: Any) -> Answer:
        """`networks`, pairs of name and label, best first; `reader`, the best network for digits, or None."""
        return {
            "networks": list(self.store.names(EDGES).items()),
            "reader": next(iter(self.store.names(DIGITS)), None),
        }

    def picture(self, request: Any) -> Answer:
        """Paints a digit from an outline.

        Args:
            request: `drawing`, a `data:` URL; `network`, a name; `reader`, the name of a network for digits, or None.

        Returns:
            `empty`, whether the drawing has no ink; `input`; `picture`; `read`, the digit that the reader recognises in
            the picture and its probability, or None without a reader.

        Raises:
            ValueError: the request is invalid, or a network cannot be opened.
        """
        edges = drawing.outline(drawing.read(request["drawing"]))
        made = self.store.open(request["network"]).activations(_inputs([edges]))[-1][0, ..., 0]
        picture = brightnesses(made)
        read = None
        if request["reader"] is not None:
            network = self.store.open(request["reader"])
            probabilities = softmax(network.activations(_inputs([_framed(picture, network)]))[-1][0].astype(float))
            read = int(probabilities.argmax()), float(probabilities.max())
        return {"empty": not edges.any(), "input": packed(edges), "picture": packed(picture), "read": read}


def packed(array: np.ndarray) -> Answer:
    """An array for the page: its shape, and its values as float32 in base64."""
    return {"shape": array.shape, "data": base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()}


def _examples() -> list[tuple[str, strokes.Drawing]]:
    """The drawings of the sample's ten classes with the class names: the first of each class, then the second, …"""
    drawn = quickdraw.drawings()
    return [(name, drawn[name][row]) for row in range(quickdraw.DRAWN) for name in quickdraw.SAMPLE]


def _unit_length(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _look_inside(network: Network, picture: drawing.Picture, shift: Sequence[int]) -> Answer:
    first, then = (_framed(drawing.moved(picture.pixels, *by), network) for by in ((0, 0), shift))
    answers = network.activations(_inputs([first, then]))
    layers = [
        {"name": layer.name, "type": type(layer).__name__, "sees": field.size, "values": packed(answer[1])}
        for layer, field, answer in zip(network.layers, network.fields, answers, strict=True)
    ]
    if any(shift):
        for layer, field, answer in zip(layers, network.fields, answers, strict=True):
            layer["moved"] = inside.correlations(answer[0], answer[1], field, shift)
    begins = [
        origin - scale * (move + _frame(network))
        for origin, scale, move in zip(picture.origin, picture.scale, shift, strict=True)
    ]
    probabilities = softmax(answers[-1][1].astype(float)).tolist()
    return {"origin": begins, "input": packed(then), "layers": layers, "probabilities": probabilities}


def _framed(pixels: np.ndarray, network: Network) -> np.ndarray:
    """A picture in the middle of a canvas of the network's size."""
    return np.pad(pixels, [(_frame(network), network.side - drawing.SIDE - _frame(network))] * 2)


def _frame(network: Network) -> int:
    """Width of the canvas around a picture, in pixels."""
    return (network.side - drawing.SIDE) // 2


def _inputs(pictures: Sequence[np.ndarray]) -> np.ndarray:
    return network_input(np.stack(pictures)[..., None].astype("float32"))


def _shift(value: Any) -> tuple[int, int]:
    down, right = (whole(pixels) for pixels in checked_list(value, 2))
    if max(abs(down), abs(right)) > drawing.SIDE:
        raise ValueError(f"A picture moves by at most {drawing.SIDE} pixels.")
    return down, right


def whole(value: Any) -> int:
    """A whole number; JSON may contain it as 3 or 3.0."""
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(value)
    raise ValueError(f"Expected a whole number, got {str(value)[:40]}.")


def checked_list(value: Any, longest: int) -> list[Any]:
    """A list of at most so many."""
    if not isinstance(value, list) or len(value) > longest:
        raise ValueError(f"Expected a list of at most {longest}.")
    return value
