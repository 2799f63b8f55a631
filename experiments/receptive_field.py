"""How far a layer sees, in theory and in effect (slides "N сверточных слоев", "Нужно растить поле обзора быстрее!")."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.declare import catalogue
from lab.declare.evidence import AtLeast, Equals, Evidence, Finding, Outcome, Part
from lab.declare.experiment import Experiment, Variant
from lab.declare.run import Run
from lab.errors import Unavailable

if TYPE_CHECKING:
    import keras
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from lab.declare.work import Report
    from lab.store.records import Attachment, Record, Records

SIDE = 300  # pixels of the lecture's cat
CHANNELS = 8  # of every layer of a stack
LARGEST_EFFECTIVE = 400  # pixels; beyond, a stack's gradient is not measured
GROWTHS = {
    "plain": "3×3 after 3×3",
    "stride": "3×3 with stride 2 every time",
    "pooling": "3×3, then 2×2 pooling, every time",
    "dilation": "3×3, dilation doubling every time",
}
DEPTHS = {
    "plain": (1, 2, 3, 4, 5, 7, 8, 10, 20, 50, 100, 149, 150),
    "stride": tuple(range(1, 9)),
    "pooling": tuple(range(1, 9)),
    "dilation": tuple(range(1, 9)),
}


@dataclasses.dataclass(frozen=True)
class Stack:
    """`depth` convolutions of 3×3 with ReLU, growing by one of `GROWTHS`."""

    growth: str
    depth: int


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network that another experiment trained as one of its variants, looked at in one of its layers."""

    trained_by: str
    trained_as: str
    trained_on: str
    layer: str

    def needs(self, run: Run) -> tuple[Run, ...]:
        """The run that trains it, with the recipe that its experiment declares: any other is another network."""
        declared = catalogue.find(self.trained_by).named[self.trained_as]
        return (Run(self.trained_by, self.trained_as, self.trained_on, declared.settings, run.seed),)


@dataclasses.dataclass(frozen=True)
class Named:
    """A network by the name `cnn_models.open_model` knows it by, and the layer to look at."""

    name: str
    layer: str


class FieldWork:
    """Reads the theoretical field off the model's graph, and measures the effective one by its gradient."""

    def __init__(self, records: "Records") -> None:
        from lab.learn.devices import one_thread

        one_thread()
        self.records = records

    def execute(self, run: Run, report: "Report") -> "tuple[Record, Attachment | None]":
        """Measures one stack or trained network with one seed; see `lab.declare.work.Work`."""
        from cnn_models.gradients.effective import effective_side
        from lab.learn.training import set_seed

        set_seed(run.seed)
        gradient: np.ndarray | None = None
        match run.settings:
            case Trained():
                facts, gradient = self._trained(run, run.settings)
            case Stack():
                facts, gradient = _stack(run.settings)
            case _:
                facts = _named(run.settings)
        metrics = {} if gradient is None else {"effective_field_pixels": effective_side(gradient)}
        outcome = {"status": "finished", "facts": facts, "metrics": metrics}
        return outcome, None if gradient is None or run.seed else _kept(gradient)

    def _trained(self, run: Run, settings: Trained) -> "tuple[dict[str, Any], np.ndarray]":
        import keras

        import cnn_models
        from cnn_models.gradients.effective import gradient_of_centre
        from lab.data import datasets

        model = cnn_models.open_model(str(self._network(run, settings)))
        field = cnn_models.receptive_field(model, settings.layer)
        images = datasets.load(settings.trained_on).validation.images[:500]
        inputs = images / 255.0 - 0.5
        facts = {"params": model.count_params(), "receptive_field_pixels": _pixels(field.size)}
        return facts, gradient_of_centre(keras.Model(model.inputs, model.get_layer(settings.layer).output), inputs)

    def _network(self, run: Run, settings: Trained) -> Path:
        """The trained network of this seed, from its record."""
        (needed,) = run.needs
        record = self.records.find(needed)
        if record is None:
            raise Unavailable(
                f"no network of {settings.trained_as}, seed {run.seed}, trained on {settings.trained_on} as declared "
                f"(EPOCHS={needed.settings.epochs}): make {settings.trained_by} first"
            )
        if record["status"] != "finished":
            raise Unavailable(f"{settings.trained_as}, seed {run.seed}, diverged in training")
        return self.records.attachment(record, "network")


def _stack(settings: Stack) -> "tuple[dict[str, Any], np.ndarray | None]":
    import numpy as np

    import cnn_models
    from cnn_models.gradients.effective import gradient_of_centre

    model = stack(settings.growth, settings.depth, None)
    field = cnn_models.receptive_field(model)
    size = _pixels(field.size)
    facts = {
        "params": model.count_params(),
        "receptive_field_pixels": size,
        "stride_pixels": _pixels(field.stride),
        "reaches_300": int(size >= SIDE),
    }
    if size > LARGEST_EFFECTIVE:
        return facts, None
    # Large enough for the middle unit's field to lie within, wherever strides put it.
    side = size + 4 * facts["stride_pixels"]
    pictures = np.random.default_rng(0).normal(size=(1, side, side, 1)).astype("float32")
    return facts, gradient_of_centre(model, pictures)


def _named(settings: Named) -> dict[str, Any]:
    import cnn_models

    model = cnn_models.open_model(settings.name)
    field = cnn_models.receptive_field(model, settings.layer)
    size, stride = _pixels(field.size), _pixels(field.stride)
    return {"params": model.count_params(), "receptive_field_pixels": size, "stride_pixels": stride}


def _pixels(along_axes: tuple[Any, ...]) -> int:
    """A size or stride along the first axis; the networks here are alike along both."""
    assert along_axes[0] is not None, "every network here has a definite field"
    return int(along_axes[0])


def stack(growth: str, depth: int, side: int | None) -> "keras.Model":
    """`depth` convolutions of 3×3 on pictures `(side, side, 1)`, with He-normal weights and ReLU."""
    import keras

    layers: list[Any] = [keras.Input((side, side, 1))]
    for number in range(depth):
        layers.append(
            keras.layers.Conv2D(
                CHANNELS,
                3,
                strides=2 if growth == "stride" else 1,
                dilation_rate=2**number if growth == "dilation" else 1,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
            )
        )
        if growth == "pooling":
            layers.append(keras.layers.MaxPooling2D(2))
    return keras.Sequential(layers)


def _kept(gradient: "np.ndarray") -> "Attachment | None":
    """The gradient, scaled to 0…255, for the heat map; large ones are left out."""
    import numpy as np

    from lab.store.records import Attachment

    if gradient.shape[0] > LARGEST_HEAT_MAP:
        return None
    levels = np.round(255 * gradient / max(gradient.max(), 1e-30)).astype("uint8")
    return Attachment(".npz", lambda path: np.savez_compressed(path, allow_pickle=False, gradient=levels))


def draw(experiment: Experiment, frame: "pd.DataFrame", records: "Records") -> "Figure | None":
    """Growth by depth, heat maps of effective fields, and networks' fields to scale on the cat."""
    from matplotlib.figure import Figure

    from lab.data import datasets
    from lab.report import figures

    if frame.empty:
        return None
    # Columns that the chosen rows do not have: only networks, say, or only what is too large to measure.
    frame = frame.reindex(columns=[*frame, *(column for column in DRAWN if column not in frame)])
    figure = Figure(figsize=(10, 11.5))
    rows: Any = figure.subfigures(3, 1, height_ratios=(5, 3, 5.3))
    _draw_growth(rows[0].subplots(), frame)
    maps = figures.arrays(experiment, records)
    _draw_heat_maps(rows[1], {name: maps[name]["gradient"] for name in HEAT_MAPS if name in maps}, frame)
    _draw_on_cat(rows[2].subplots(1, 2), frame, datasets.cat())
    return figure


def _draw_growth(axes: Any, frame: "pd.DataFrame") -> None:
    from lab.report.figures import COLOURS, MARKERS

    for (growth, label), colour, marker in zip(GROWTHS.items(), COLOURS, MARKERS, strict=False):
        rows = frame[frame["growth"] == growth].sort_values("depth", kind="stable")
        axes.plot(rows["depth"], rows["receptive_field_pixels"], marker=marker, color=colour, ms=5, label=label)
        measured = rows.dropna(subset=["effective_field_pixels_mean"])
        mean, low, high = (measured[f"effective_field_pixels_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
        style = {"color": colour, "marker": marker, "ls": ":", "mfc": "none", "ms": 5, "capsize": 2}
        axes.errorbar(measured["depth"], mean, yerr=[mean - low, high - mean], **style)
    axes.axhline(SIDE, color="black", lw=1)
    axes.annotate("300 pixels: the lecture's cat", (1, SIDE), xytext=(0, 4), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1, 2, 4, 8, 20, 50, 150], ["1", "2", "4", "8", "20", "50", "150"])
    axes.set_yticks([3, 10, 30, 100, 300], ["3", "10", "30", "100", "300"])
    axes.minorticks_off()
    axes.grid(color="0.92")
    axes.set_xlabel("layers of 3×3 (log scale)")
    axes.set_ylabel("side of the field, pixels (log scale)")
    axes.set_title("filled: field in theory; hollow: effective field at initialisation, 95 % interval", size=10)
    axes.set_ylim(1.8, 700)
    axes.legend(frameon=False, loc="lower right")


def _draw_heat_maps(figure: Any, maps: "dict[str, np.ndarray]", frame: "pd.DataFrame") -> None:
    if not maps:
        return
    theoretical = frame.set_index("variant")["receptive_field_pixels"]
    for axes, (name, gradient) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        axes.imshow(gradient, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        size = theoretical[name]
        low = (gradient.shape[0] - size) / 2 - 0.5
        axes.add_patch(_square(low, low, size, edgecolor="white", ls="--"))
        axes.set_title(f"{name}\n{int(size)}×{int(size)} in theory (dashed)", size=9)
        axes.set_axis_off()


def _draw_on_cat(pair: Any, frame: "pd.DataFrame", cat: "np.ndarray") -> None:
    """Fields of networks as squares about the middle of the cat, small ones left, large ones right."""
    from lab.report.figures import COLOURS

    networks = frame[frame["growth"].isna() & ~frame["variant"].str.startswith("trained")]
    networks = networks.sort_values("receptive_field_pixels", kind="stable")
    small = networks["receptive_field_pixels"] <= 40
    for axes, rows, reach in ((pair[0], networks[small], 30), (pair[1], networks[~small], 260)):
        axes.imshow(cat, extent=(-SIDE / 2, SIDE / 2, SIDE / 2, -SIDE / 2))
        for number, (_, row) in enumerate(rows.iterrows()):
            size, colour = row["receptive_field_pixels"], COLOURS[number % len(COLOURS)]
            axes.add_patch(_square(-size / 2, -size / 2, size, edgecolor=colour))
            axes.annotate(
                f"{row['variant']} {int(size)}",
                (-size / 2, -size / 2),
                xytext=(2, -9 if number % 2 else 2),
                textcoords="offset points",
                size=8,
                color="black",
                bbox={"fc": "white", "ec": colour, "pad": 1},
            )
        axes.set_xlim(-reach, reach)
        axes.set_ylim(reach, -reach)
        axes.set_xlabel("pixels from the middle of the 300×300 cat")


def _square(x: float, y: float, side: float, **style: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), side, side, fill=False, lw=1.8, **style)


def _grows_linearly(table: "pd.DataFrame") -> Finding:
    """Every plain stack's field against 2N + 1."""
    rows = table[table["growth"] == "plain"] if "growth" in table else table
    if rows.empty:
        return Finding(Outcome.MISSING, "no plain stack was run")
    wrong = rows[rows["receptive_field_pixels"] != 2 * rows["depth"] + 1]
    outcome = Outcome.FAILS if len(wrong) else Outcome.HOLDS
    span = f"from {rows['depth'].min():.0f} to {rows['depth'].max():.0f}"
    return Finding(outcome, f"{len(rows) - len(wrong)} of {len(rows)} depths {span}")


def _needs_fewer(growth: str) -> Part:
    """The smallest depth whose field reaches 300, against the plain stack's."""

    def judge(table: "pd.DataFrame") -> Finding:
        needed = {name: layers_needed(table, name) for name in ("plain", growth)}
        if None in needed.values():
            return Finding(Outcome.MISSING, f"no stack reaches {SIDE} in this table")
        outcome = Outcome.HOLDS if needed[growth] < needed["plain"] else Outcome.FAILS  # type: ignore[operator]
        return Finding(outcome, f"{needed[growth]} layers, plain {needed['plain']}")

    return Part(f"{GROWTHS[growth]}: fewer layers reach 300", judge)


def layers_needed(table: "pd.DataFrame", growth: str) -> int | None:
    """The smallest measured depth of this growth whose theoretical field reaches 300 pixels."""
    if "growth" not in table:
        return None
    depths = table.loc[(table["growth"] == growth) & (table["reaches_300"] == 1), "depth"]
    return None if depths.empty else int(depths.min())


DRAWN = ("growth", "depth", *(f"effective_field_pixels_{part}" for part in ("mean", "ci95_low", "ci95_high")))
LARGEST_HEAT_MAP = 130  # pixels
HEAT_MAPS = ("plain-5", "plain-20", "plain-50", "stride-5", "trained-lenet5-relu")
NETWORKS = {
    "lenet1": "h4",
    "lenet5": "s4",
    "keras.applications.VGG16": "block5_pool",
    "keras.applications.MobileNet": "conv_pw_13_relu",
    "keras.applications.ResNet50": "conv5_block3_out",
}

EXPERIMENT = Experiment(
    name="receptive-field",
    question="How many layers does it take to see 300×300 pixels, in theory and in effect?",
    expectation="N layers of 3×3 see 2N+1 pixels, so 300 need 150; stride and pooling need far fewer.",
    sources=(
        "slide: N сверточных слоев",
        "slide: Нужно растить поле обзора быстрее!",
        "Araujo, Norris, Sim 2019, Computing receptive fields of convolutional neural networks (Distill)",
        "Luo et al. 2016, Understanding the effective receptive field in deep convolutional neural networks",
    ),
    variants=(
        *(
            Variant(f"{growth}-{depth}", Stack(growth, depth), GROWTHS[growth])
            for growth, depths in DEPTHS.items()
            for depth in depths
        ),
        *(Variant(name.rsplit(".", 1)[-1], Named(name, layer), "network") for name, layer in NETWORKS.items()),
        Variant("trained-lenet5-relu", Trained("lenet", "lenet5-relu", "mnist", "s4"), "LeNet-5, trained"),
    ),
    dataset="none",
    work="experiments.receptive_field.FieldWork",
    reads_runs=True,
    figure="experiments.receptive_field.draw",
    evidence=(
        Evidence(
            "rf-linear",
            parts=(
                Part("N layers of 3×3 see 2N+1 pixels", _grows_linearly),
                Part("149 layers do not reach 300", Equals("plain-149", "receptive_field_pixels", 299)),
                Part("150 layers do", Equals("plain-150", "receptive_field_pixels", 301)),
                Part("what 150 layers see in effect is 300 too", AtLeast("plain-150", "effective_field_pixels", 300)),
            ),
            reproduced_if="the field is 2N+1 at every depth, 150 layers are the first to reach 300, and they do so in "
            "effect as well",
            contradicted_if="none of this is so",
            literature_for="Araujo, Norris, Sim 2019: r = Σ (k − 1)·Π s + 1.",
            literature_against="Luo et al. 2016: the effective field is Gaussian and grows only with the square root "
            "of depth, so that 150 layers are a lower bound.",
        ),
        Evidence(
            "rf-faster",
            parts=(_needs_fewer("stride"), _needs_fewer("pooling")),
            reproduced_if="stacks with stride, and with pooling, reach 300 pixels with fewer layers than plain ones",
            contradicted_if="neither does",
            literature_for="Araujo, Norris, Sim 2019: strides multiply.",
        ),
    ),
    columns=(
        "variant",
        "params",
        "receptive_field_pixels",
        "effective_field_pixels_mean",
        "stride_pixels",
        "seeds",
    ),
    reading="The effective field is the side of the square of as many pixels as have more than 4.55 % of the largest "
    "gradient of the middle unit (Luo et al. 2016), at initialisation, one draw of the weights a seed; of the trained "
    "LeNet-5, on 500 validation digits.",
)
