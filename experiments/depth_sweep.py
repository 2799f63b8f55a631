"""What more layers of 3×3 see, cost and gain (slide "Да и одного сверточного слоя мало!")."""

from typing import TYPE_CHECKING, Any

from experiments.lab.claims import Above, Evidence, FactAtLeast, Part
from experiments.lab.spec import Canvas, Experiment, Training, Variant

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from experiments.lab.records import Records

ERROR = "test_error_percent"
SIDE = 32  # pixels of the canvas
SMALL, LARGE = 14, 30  # side of a digit's frame, whose digit is 20/28 of it: 10 and 21 pixels
FIELD = "receptive_field_pixels"
PLAIN_8 = 17  # pixels that eight plain layers see
LEARNING_RATE = LR
LABELS = {
    "plain": "plain",
    "residual": "residual",
    "stride": "stride 2 every 4 layers",
    "pooling": "pooling every 4 layers",
    "wide": "plain, as many parameters as 16 layers",
}
# Rows by family and size of the object: depths.
DEPTHS: dict[tuple[str, int], tuple[int, ...]] = {
    ("plain", SMALL): (1, 2, 4, 8, 12, 16),
    ("plain", LARGE): (1, 2, 4, 8, 12, 16),
    ("residual", LARGE): (8, 16),
    ("stride", LARGE): (4, 8, 16),
    ("pooling", LARGE): (4, 8, 16),
    ("wide", LARGE): (2, 4, 8),
}


def _row(family: str, depth: int, side: int) -> Variant:
    settings = Training(
        f"wide-plain-{depth}" if family == "wide" else f"deep-{family}-{depth}",
        epochs=3,
        batch_size=32,
        learning_rate=LEARNING_RATE,
        examples=3_000,
        canvas=Canvas(SIDE, object_side=side),
        field_layer="last",
        gradient_norms=True,
    )
    # Deeper plain nets stand beside four layers, others beside the plain net of their depth.
    against = _name("plain", 4 if family == "plain" else depth, side)
    name = _name(family, depth, side)
    return Variant(name, settings, f"{LABELS[family]}, digits of {side}×{side}", against=against if against != name else None)


def _name(family: str, depth: int, side: int) -> str:
    return f"{family}-{depth}" + ("-small" if side == SMALL else "")


def draw(experiment: Experiment, frame: "pd.DataFrame", records: "Records") -> "Figure | None":
    """Error against depth by growth, error against the field by size of the object, gradients by layer."""
    from matplotlib.figure import Figure

    if f"{ERROR}_mean" not in frame:
        return None
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    by_depth, by_field, by_layer = figure.subplots(1, 3)
    for place, family in enumerate(LABELS):
        _draw_curve(by_depth, frame, family, LARGE, "depth", place, LABELS[family])
    by_depth.set_xlabel("layers of 3×3 (log scale)")
    by_depth.set_title(f"a digit of {LARGE}×{LARGE} on a canvas of {SIDE}×{SIDE}", size=10)
    for place, side in enumerate((SMALL, LARGE)):
        _draw_curve(by_field, frame, "plain", side, "receptive_field_pixels", place, f"digit of {side}×{side}")
        by_field.axvline(side * 20 / 28, color="0.6", ls=(":", "--")[place], lw=1)
    by_field.set_xlabel("receptive field, pixels (log scale); lines: the digit's own size")
    by_field.set_title("plain layers, by size of the digit", size=10)
    for axes in (by_depth, by_field):
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_ylim(bottom=0)
        axes.set_ylabel("test error, %; bars: 95 % interval")
        axes.grid(color="0.92")
        axes.legend(frameon=False, fontsize=8)
    _draw_gradients(by_layer, experiment, records)
    return figure


def _draw_curve(axes: Any, frame: "pd.DataFrame", family: str, side: int, along: str, place: int, label: str) -> None:
    from experiments.lab.figures import COLOURS, MARKERS

    depths = {_name(family, depth, side): depth for depth in DEPTHS[family, side]}
    rows = frame[frame["variant"].isin(depths)].drop_duplicates("variant")
    if rows.empty:
        return
    rows = rows.assign(depth=rows["variant"].map(depths)).sort_values("depth")
    mean, low, high = (rows[f"{ERROR}_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
    style = {"color": COLOURS[place], "marker": MARKERS[place], "ms": 5, "capsize": 2}
    axes.errorbar(rows[along], mean, yerr=[mean - low, high - mean], label=label, **style)


def _draw_gradients(axes: Any, experiment: Experiment, records: "Records") -> None:
    """Norms of the gradient by layer of the deepest nets, geometric means over seeds."""
    import numpy as np

    from experiments.lab.figures import COLOURS, MARKERS

    shown = {_name(family, 16, LARGE): family for family in ("plain", "residual")}
    kept = [record for record in records.of(experiment.name) if record.get("gradient_norms")]
    for place, (variant, family) in enumerate(shown.items()):
        for when, style in (("before", "-"), ("after", "--")):
            norms = [
                record["gradient_norms"][when]
                for record in kept
                if record["specification"]["variant"] == variant and record["gradient_norms"][when]
            ]
            if norms:
                mean = np.exp(np.mean(np.log(np.maximum(norms, 1e-12)), axis=0))
                label = f"{family}, {when} training"
                layers = range(1, len(mean) + 1)
                axes.plot(layers, mean, color=COLOURS[place], marker=MARKERS[place], ms=3, ls=style, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("layer, first to last (17: logits)")
    axes.set_ylabel("norm of the loss's gradient in its kernel (log scale)")
    axes.set_title("16 layers", size=10)
    axes.grid(color="0.92")
    if axes.lines:
        axes.legend(frameon=False, fontsize=8)


EXPERIMENT = Experiment(
    name="depth-sweep",
    question="What does more depth buy, a larger field or a better function, and where does it stop paying?",
    expectation="Error falls until the field covers the object, later for a larger object; then it stops, and plain nets "
    "of many layers learn worse than residual ones.",
    sources=(
        "slide: Да и одного сверточного слоя мало!",
        "slide: N сверточных слоев",
        "slide: Нужно растить поле обзора быстрее!",
        "He et al. 2016, Deep residual learning for image recognition",
        "Araujo, Norris and Sim 2019, Computing receptive fields of convolutional neural networks",
    ),
    variants=tuple(_row(family, depth, side) for (family, side), depths in DEPTHS.items() for depth in depths),
    compared=(ERROR,),
    evidence=(
        Evidence(
            "depth",
            parts=(
                Part("two layers err less than one", Above("plain-1", "plain-2", ERROR, 0, " points")),
                Part("four layers err less than two", Above("plain-2", "plain-4", ERROR, 0, " points")),
                Part("eight layers err less than four", Above("plain-4", "plain-8", ERROR, 0, " points")),
                Part("sixteen layers err less than eight", Above("plain-8", "plain-16", ERROR, 0, " points")),
                Part(
                    "with as many parameters, sixteen narrow layers err less than two wide ones",
                    Above("wide-2", "plain-16", ERROR, 0, " points"),
                ),
            ),
            reproduced_if="each doubling of the number of layers, from one to sixteen, errs less, and depth beats width",
            contradicted_if="no doubling errs less, and width beats depth",
            literature_for="Simonyan and Zisserman 2015: more layers of 3×3 err less, from 11 to 19.",
            literature_against="He et al. 2016: plain nets of 34 layers err more than of 18, as they are harder to train, "
            "and residual connections mend it.",
        ),
        Evidence(
            "rf-faster",
            parts=(
                Part("eight layers with strides see over twice the pixels", FactAtLeast("stride-8", FIELD, 2 * PLAIN_8)),
                Part("eight layers with pooling see over twice the pixels", FactAtLeast("pooling-8", FIELD, 2 * PLAIN_8)),
                Part("four with strides err less than four without", Above("plain-4", "stride-4", ERROR, 0, " points")),
                Part("four with pooling err less than four without", Above("plain-4", "pooling-4", ERROR, 0, " points")),
            ),
            reproduced_if="with strides or with pooling eight layers see over twice as many pixels as without, and four "
            "layers err less on a digit that four plain layers cannot see whole",
            contradicted_if="neither sees more, nor errs less",
            literature_for="Araujo, Norris and Sim 2019: the field grows by the product of strides.",
            literature_against="Luo et al. 2016: the effective field is smaller than the theoretical one.",
        ),
    ),
    columns=(
        "variant",
        "params",
        "macs",
        "receptive_field_pixels",
        "effective_field_pixels_mean",
        "test_error_percent_mean",
        "test_error_percent_minus_baseline_mean",
        "comparison",
        "gradient_first_to_last_mean",
        "train_seconds_mean",
        "seeds",
        "diverged",
    ),
    figure="experiments.depth_sweep.draw",
    reading="Digits scaled to 30×30 (\"small\": 14×14) lie anywhere, whole, on a canvas of 32×32; nets learn from 3,000. "
    "Logits are read at each position and averaged, so that nothing but a layer's field tells what a position "
    "knows. Widths are 8 maps; \"wide\" nets have as many parameters as 16 layers of 8. The gradient's ratio is of the "
    "norms in the first and the last kernel before training. Plain nets are compared with four layers, others with "
    "the plain net of their depth.",
)
