"""Does a fully connected net learn the same filter anew for every position? (slide "Не, так не работает!")."""

from typing import TYPE_CHECKING

from experiments.lab.claims import Above, AtLeast, Evidence, Part
from experiments.lab.spec import Canvas, Experiment, Training, Variant

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from experiments.lab.records import Records

COPIES = "shifted_copies_percent"


def _row(positions: str, about: str) -> Variant:
    # The learning rate is that of the same net in `shift`.
    settings = Training(
        "fc-64", epochs=15, learning_rate=0.01, examples=10_000, canvas=Canvas(56, positions, positions != "centre")
    )
    return Variant(positions, settings, about)


def draw(experiment: Experiment, frame: "pd.DataFrame", records: "Records") -> "Figure | None":
    """How well filters are matched by shifts of others, beside the controls, and the best matched pairs."""
    from experiments.lab import figures

    kept = figures.arrays(experiment, records)
    if not kept:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.2 + 2.4 * len(kept)), layout="constrained")
    parts = figure.subfigures(1 + len(kept), 1, height_ratios=[3, *[2.2] * len(kept)], squeeze=False)[:, 0]
    axes = parts[0].subplots()
    for number, (variant, arrays) in enumerate(kept.items()):
        for name, style in (("trained", "-"), ("control", "--"), ("untrained", ":")):
            values = sorted(arrays[name].tolist())
            shares = [100 * (1 - place / len(values)) for place in range(len(values))]
            label = f"{variant}: {'shifted, turned by 90°' if name == 'control' else name}"
            axes.step(values, shares, style, color=figures.COLOURS[number], where="post", label=label)
    axes.set_xlabel("best match of a filter with another one, shifted (normalised correlation)")
    axes.set_ylabel("share of filters matched\nat least as well, %")
    axes.grid(color="0.92")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    for part, (variant, arrays) in zip(parts[1:], kept.items(), strict=True):
        where = "in the centre" if variant == "centre" else variant
        part.suptitle(f"trained on digits {where}: best matched pairs", size=10)
        for axes, pair, match, shift in zip(
            part.subplots(1, len(arrays["pairs"])), arrays["pairs"], arrays["matches"], arrays["shifts"], strict=True
        ):
            axes.imshow(pair, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_title(f"{match:.2f}, shifted by {shift[0]:+d}, {shift[1]:+d}", size=8)
            axes.set_axis_off()
    return figure


EXPERIMENT = Experiment(
    name="relearning",
    question="Does a fully connected net learn the same filter anew for every position?",
    expectation="Trained on digits anywhere, most of its first-layer filters are shifted copies of one another; "
    "trained on digits in the centre, fewer are.",
    sources=("slide: Не, так не работает!",),
    variants=(
        _row("everywhere", "digits lie elsewhere each time they are shown"),
        _row("centre", "digits lie in the centre"),
    ),
    work="experiments._relearning.RelearningWork",
    compared=(),
    evidence=(
        Evidence(
            "fc-relearns",
            parts=(
                Part(
                    "trained on digits anywhere, more filters are shifted copies of another than by chance (1 %)",
                    AtLeast("everywhere", COPIES, 1, " %"),
                ),
                Part("and more than when trained in the centre", Above("everywhere", "centre", COPIES, 0, " points")),
                Part("at least half are", AtLeast("everywhere", COPIES, 50, " %")),
            ),
            reproduced_if="at least half of the first-layer filters of a net trained on digits anywhere match another "
            "one, shifted, better than 99 % of filters match one that is turned by 90° as well, and more do so than in "
            "a net trained on digits in the centre",
            contradicted_if="they match no better than chance, nor than in a net trained in the centre",
            literature_for="d'Ascoli et al. 2019; Neyshabur 2020: a fully connected net can hold a convolution's "
            "filters, one copy a position.",
            literature_against="Neyshabur 2020: trained as usual, it does not find them; its filters stay diffuse.",
        ),
    ),
    columns=(
        "variant",
        "params",
        "test_error_percent_mean",
        "shifted_copies_percent_mean",
        "untrained_copies_percent_mean",
        "best_match_mean",
        "control_match_mean",
        "seeds",
        "train_seconds_mean",
    ),
    figure="experiments.relearning.draw",
    reading="The 64 first-layer filters of 56×56 weights of the fully connected net in `shift`. A filter's best "
    "match is the largest normalised correlation with any other filter shifted by at least 3 pixels (and up "
    "to 28), nothing being known outside the frame. It counts as a shifted copy if it is better than 99 % of "
    "the same filters' best matches with others that are turned by 90° too: as smooth and as local, but no "
    "copies.",
    surprises="A quarter of the filters are shifted copies of another by this measure, where chance gives one in a "
    "hundred and the net that saw the centre only one in nine: relearning is real, but most filters are no "
    "copies. Nor are the copies the strokes and corners that a convolution learns: they are long bands, most "
    "of them lying, at different heights of the canvas. (The net trained in the centre is no clean control: "
    "its filters all fill the same 20×20 pixels, so small shifts of one resemble another.)",
)
