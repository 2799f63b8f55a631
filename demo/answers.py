"""What the page asks for, each in one call that depends on nothing but its arguments.

So any number of people can draw at once, and none sees another's drawing. What comes from a page is
data to be checked: whatever is wrong with it is with_errors in one sentence.
"""

import base64
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnn_models.brightness import brightnesses, network_input
from demo import drawing, inside
from demo.inside import Network
from demo.networks import DIGITS, DOODLES, EDGES, Shelf
from lab.data import datasets, quickdraw, strokes

Answer = dict[str, Any]


def with_errors(answer: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    """Lets a call that asks for what is not there answer `{"error": why}` instead of raising."""

    @functools.wraps(answer)
    def checked(asked: Any) -> Answer:
        try:
            return answer(asked)
        except KeyError as error:
            return {"error": f"The call lacks {error}."}
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            return {"error": str(error)}

    return checked


class Digits:
    """Answers about drawn digits: what networks make of them, and why.

    Args:
        shelf: where the networks lie.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def networks(self, asked: Any) -> Answer:
        """The networks that read MNIST's digits: pairs of name and label, the best first."""
        return {"networks": list(self.shelf.listed(DIGITS).items())}

    def look(self, asked: Any) -> Answer:
        """What networks make of a drawing.

        Args:
            asked: `drawing`, a `data:` URL; `shift`, pixels down and right by which its picture is
                moved; `networks`, names.

        Returns:
            `empty`, whether there is no ink; `scale`, pixels of the drawing to one of the picture; and
            for each network its `origin`, where on the drawing its input begins (both down and
            across), its `input`, `layers` and `probabilities`.
        """
        picture, shift = drawing.normalise(drawing.read(asked["drawing"])), _shift(asked["shift"])
        networks = [self.shelf.open(name) for name in _list(asked["networks"], 2)]
        return {
            "empty": not picture.pixels.any(),
            "scale": picture.scale,
            "networks": [_seen(network, picture, shift) for network in networks],
        }

    def unit(self, asked: Any) -> Answer:
        """How one unit of a network comes to its value.

        Args:
            asked: `drawing` and `shift` as for `look`; `network`, a name; `layer` and `index`, see
                `inside.Network.unit`.
        """
        picture, shift = drawing.normalise(drawing.read(asked["drawing"])), _shift(asked["shift"])
        network = self.shelf.open(asked["network"])
        inputs = _inputs([_framed(drawing.moved(picture.pixels, *shift), network)])
        layer, index = _whole(asked["layer"]), [_whole(i) for i in _list(asked["index"], 3)]
        unit = network.unit(inputs, layer, index)
        answer: Answer = {"field": unit.field, "value": inside.written(unit.value)}
        weighed = unit.weighed
        if weighed is None:
            return answer
        total = weighed.products + weighed.bias
        digits = inside.decimals([(total, weighed.before), (weighed.answer, unit.value)])
        numbers = {"sum": weighed.products, "bias": weighed.bias, "before": total}
        return answer | {
            "patch": packed(weighed.patch),
            "kernel": packed(weighed.kernel),
            "channels": weighed.channels,
            "corner": weighed.corner,
            "activation": weighed.activation,
            "value": inside.written(unit.value, digits),
            **{name: inside.written(number, digits) for name, number in numbers.items()},
        }


class Doodles:
    """Answers about hand drawings: what they are, and which others are most like them."""

    MOST_POINTS = 10_000
    LIKE = 6

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._sample = functools.cache(lambda: datasets.load("quickdraw"))
        self._features = functools.lru_cache(maxsize=4)(self._learned)
        self._examples = functools.cache(_examples)

    def networks(self, asked: Any) -> Answer:
        """The networks that know the sample's classes: pairs of name and label, the best first."""
        return {"networks": list(self.shelf.listed(DOODLES).items())}

    def recognise(self, asked: Any) -> Answer:
        """What a network makes of a drawing.

        Args:
            asked: `strokes`, lists of points (x, y); `network`, a name.

        Returns:
            `classes`, names; `input`; `top`, the three likeliest names and their probabilities; `like`,
            names and pictures of those drawings of the sample that it learned from whose features are
            nearest, by the cosine. The last two are empty without a stroke.
        """
        picture, network, names = self._drawn(asked["strokes"]), self.shelf.open(asked["network"]), self._sample().names
        answer: Answer = {"classes": names, "input": packed(picture), "top": [], "like": []}
        if not picture.any():
            return answer
        features, logits = network.activations(_inputs([picture]))[-2:]
        probabilities = _softmax(logits[0])
        near = np.argsort(-self._features(network) @ _unit_length(features)[0], kind="stable")[: self.LIKE]
        train = self._sample().train
        return answer | {
            "top": [(names[i], probabilities[i]) for i in np.argsort(-probabilities, kind="stable")[:3]],
            "like": [(names[train.labels[i]], packed(train.images[i, ..., 0])) for i in near],
        }

    def example(self, asked: Any) -> Answer:
        """A drawing of the sample, class after class.

        Args:
            asked: `number`, from 0.

        Returns:
            `name` of its class and `strokes`, lists of points from 0 to 255.
        """
        name, drawn = self._examples()[_whole(asked["number"]) % len(self._examples())]
        return {"name": name, "strokes": [stroke.tolist() for stroke in drawn.strokes]}

    def _drawn(self, asked: Any) -> np.ndarray:
        lines = [strokes.stroke_of(line) for line in _list(asked, self.MOST_POINTS) if line]
        if sum(map(len, lines)) > self.MOST_POINTS:
            raise ValueError(f"A drawing has at most {self.MOST_POINTS} points.")
        if not lines:
            return np.zeros((drawing.SIDE, drawing.SIDE), "uint8")
        return strokes.flat(strokes.Drawing("", "", False, tuple(lines)))

    def _learned(self, network: Network) -> np.ndarray:
        """Features of all drawings that were learned from, each of length 1, `(n, features)`."""
        pictures = self._sample().train.images[..., 0]
        parts = np.array_split(np.arange(len(pictures)), -(-len(pictures) // 500))
        return _unit_length(np.concatenate([network.activations(_inputs(pictures[part]))[-2] for part in parts]))


class Edges:
    """Answers about outlines: the picture that a network makes of one."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def networks(self, asked: Any) -> Answer:
        """The networks that make digits of edges, as pairs of name and label, and the best `reader` of digits."""
        return {
            "networks": list(self.shelf.listed(EDGES).items()),
            "reader": next(iter(self.shelf.listed(DIGITS)), None),
        }

    def picture(self, asked: Any) -> Answer:
        """The picture that a network makes of an outline.

        Args:
            asked: `drawing`, a `data:` URL; `network`, a name; `reader`, one of a network of digits, or None.

        Returns:
            `empty`, whether there is no ink; `input`; `picture`; `read`, the digit that the reader reads in
            it and its probability, None without a reader.
        """
        edges = drawing.outline(drawing.read(asked["drawing"]))
        made = self.shelf.open(asked["network"]).activations(_inputs([edges]))[-1][0, ..., 0]
        picture = brightnesses(made)
        read = None
        if asked["reader"] is not None:
            network = self.shelf.open(asked["reader"])
            probabilities = _softmax(network.activations(_inputs([_framed(picture, network)]))[-1][0])
            read = int(probabilities.argmax()), float(probabilities.max())
        return {"empty": not edges.any(), "input": packed(edges), "picture": packed(picture), "read": read}


def packed(array: np.ndarray) -> Answer:
    """An array as the page unpacks it: its shape, and float32 in base64, to the last bit."""
    return {"shape": array.shape, "data": base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()}


def _examples() -> list[tuple[str, strokes.Drawing]]:
    """The sample's drawings of its ten classes, one of each, then the next of each."""
    drawn = quickdraw.drawings()
    return [(name, drawn[name][row]) for row in range(quickdraw.DRAWN) for name in quickdraw.SAMPLE]


def _unit_length(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _seen(network: Network, picture: drawing.Picture, shift: Sequence[int]) -> Answer:
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
    probabilities = _softmax(answers[-1][1]).tolist()
    return {"origin": begins, "input": packed(then), "layers": layers, "probabilities": probabilities}


def _framed(pixels: np.ndarray, network: Network) -> np.ndarray:
    """A picture in the middle of a canvas of the network's size."""
    return np.pad(pixels, [(_frame(network), network.side - drawing.SIDE - _frame(network))] * 2)


def _frame(network: Network) -> int:
    return (network.side - drawing.SIDE) // 2


def _inputs(pictures: Sequence[np.ndarray]) -> np.ndarray:
    return network_input(np.stack(pictures)[..., None].astype("float32"))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(float) - logits.max())
    return powers / powers.sum()


def _shift(asked: Any) -> tuple[int, int]:
    down, right = (_whole(pixels) for pixels in _list(asked, 2))
    if max(abs(down), abs(right)) > drawing.SIDE:
        raise ValueError(f"A picture moves by at most {drawing.SIDE} pixels.")
    return down, right


def _whole(asked: Any) -> int:
    """A whole number, which JSON may write as 3 or 3.0."""
    if type(asked) is int or (type(asked) is float and asked.is_integer()):
        return int(asked)
    raise ValueError(f"Expected a whole number, got {str(asked)[:40]}.")


def _list(asked: Any, longest: int) -> list[Any]:
    if not isinstance(asked, list) or len(asked) > longest:
        raise ValueError(f"Expected a list of at most {longest}.")
    return asked
