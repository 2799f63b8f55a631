"""Digits that may lie anywhere: nets trained at some positions, tested at all (slide "Не, так не работает!")."""

from lab.declare.evidence import Answer, Difference, Evidence, Mean, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.rates import Rates
from lab.declare.recipe import Canvas, Distortion, Measures, Training, View

SIDE = 56
CENTRE_SHIFT = 4.0  # pixels that augmentation moves a digit about the centre, either way
# Nets by name: the model, its epochs, steps an epoch, learning rate (chosen where digits move everywhere), what it is.
# All have 201,000 to 202,000 parameters. The fully connected net gets four times the steps, 40 passes over 8,000 digits
# against 10, which it needs to learn moving digits: the claim says that it fails, so its rows have to be its best.
NETS: dict[str, tuple[str, int, int | None, float, str]] = {
    "fc": ("fc-64", 10, 250, 0.01, "fully connected"),
    "flatten": ("conv-flatten", 10, None, 0.03, "convolution, flattened"),
    "global-max": ("conv-global-max", 10, None, 0.01, "convolution, global max pooling"),
}
POSITIONS = ("centre", "left", "everywhere")
EVERYWHERE = "test_everywhere_error_percent"


def _row(net: str, positions: str, moving: bool) -> Variant:
    model, epochs, steps, learning_rate, about = NETS[net]
    around_centre = moving and positions == "centre"
    settings = Training(
        model,
        epochs=epochs,
        learning_rate=learning_rate,
        examples=8_000,
        steps_per_epoch=steps,
        distortion=Distortion(shift_pixels=CENTRE_SHIFT) if around_centre else None,
        view=View(canvas=Canvas(SIDE, positions, moving=moving and not around_centre)),
        measures=Measures(position_grid=9),
    )
    # Augmentation is measured against the same net without; nets without it against pooling over all positions.
    against = row_name(net, positions, False) if moving else row_name("global-max", positions, False)
    name = row_name(net, positions, moving)
    return Variant(
        name, settings, f"{about}; {where_learned(positions, moving)}", against=against if against != name else None
    )


def row_name(net: str, positions: str, moving: bool) -> str:
    """The name of a net's row for the positions it learned from."""
    return f"{net}-{positions}{'-moving' if moving else ''}"


def where_learned(positions: str, moving: bool) -> str:
    """Those positions in words."""
    place = {"centre": "centre", "left": "left half", "everywhere": "everywhere"}[positions]
    return f"{place}, moving" if moving else place


VARIANTS = tuple(_row(net, positions, moving) for positions in POSITIONS for moving in (False, True) for net in NETS)

EXPERIMENT = Experiment(
    name="shift",
    question="Which networks read a digit where they have never seen one, and what does augmentation change?",
    expectation="A fully connected network fails where it has seen no digit. A convolution with a maximum over all "
    "positions does not; a convolution before a flattened layer lies between. Augmentation matters more than pooling.",
    sources=(
        "slide: Не, так не работает!",
        "slide: Давайте вспомним инвариантность к сдвигу!",
        "Kauderer-Abrams 2017, Quantifying translation-invariance in convolutional neural networks",
        "Biscione and Bowers 2021, Convolutional neural networks are not invariant to translation, but can learn to be",
    ),
    variants=VARIANTS,
    rates=Rates(
        (0.003, 0.01, 0.03, 0.1),
        like={
            row_name(net, positions, moving): row_name(net, "everywhere", True)
            for net in NETS
            for positions in POSITIONS
            for moving in (False, True)
            if (positions, moving) != ("everywhere", True)
        },
    ),
    compared=("test_error_percent", EVERYWHERE, "consistency_with_centre_percent"),
    evidence=(
        Evidence(
            "fc-fails-elsewhere",
            Answer(
                "Trained on centred digits only, a fully connected network misreads {fc} of digits placed anywhere "
                "on the canvas, where guessing misreads 90 %; a convolutional network {flat} if its maps are "
                "flattened and {pooled} with global max pooling.",
                flat=Mean("flatten-centre", EVERYWHERE),
                fc=Mean("fc-centre", EVERYWHERE),
                pooled=Mean("global-max-centre", EVERYWHERE),
            ),
            checked="Networks with equally many parameters learn from digits at some positions of a canvas of 56×56 "
            "pixels, in ten passes over 8,000 digits, the fully connected network in forty, and read digits at all "
            "positions.",
            core=(
                Statement(
                    "a fully connected network that saw digits in the centre misreads over half of those anywhere",
                    Mean("fc-centre", EVERYWHERE).above(50),
                ),
                Statement(
                    "it misreads over 30 points more than a convolution with a maximum over all positions",
                    Difference("fc-centre", "global-max-centre", EVERYWHERE).above(30),
                ),
                Statement(
                    "when both saw digits in the left half only, it misreads over 20 points more",
                    Difference("fc-left", "global-max-left", EVERYWHERE).above(20),
                ),
            ),
            limits=(
                Statement(
                    "A convolution alone is not enough: before a flattened layer it misreads over half of them too",
                    Mean("flatten-centre", EVERYWHERE).above(50),
                ),
                Statement(
                    "Showing the fully connected network digits everywhere lowers its error by over 30 points",
                    Difference("fc-centre", "fc-everywhere-moving", EVERYWHERE).above(30),
                ),
            ),
            rules="Bounds were set before the runs. Statements that the slide does not make (what a flattened layer or "
            "augmentation does) became limits after their numbers had been seen. Those runs had five passes for all "
            "and were withdrawn as evidence: passes and the grid of rates were changed before any run with them. The "
            "grid then got its largest rate, on validation digits, as one network was best at the largest of the first "
            "three.",
            literature_for="Biscione and Bowers 2021: fully connected networks do not generalise to unseen positions.",
            literature_against="Kauderer-Abrams 2017: augmentation matters more than architecture; Azulay and Weiss "
            "2019, Biscione and Bowers 2021: convolutional networks are not invariant by themselves.",
        ),
    ),
    columns=(
        "variant",
        "params",
        "macs",
        "learning_rate",
        "test_error_percent_mean",
        "test_everywhere_error_percent_mean",
        "test_everywhere_error_percent_minus_baseline_mean",
        "comparison",
        "worst_position_error_percent_mean",
        "consistency_with_centre_percent_mean",
        "seeds",
        "train_seconds_mean",
    ),
    figure="experiments.shift.figure.draw",
    reading="Digits of 28×28 pixels lie on a black canvas of 56×56. Networks learn digits in the centre, in the left "
    "half (the digit's middle is left of the canvas's middle) or everywhere. A digit keeps the place that was drawn "
    "for it, or moves: it lies elsewhere each time it is shown (in the centre: shifted by up to 4 pixels). The test "
    "error is on test digits placed as in training, without moving; the error everywhere is on the same digits "
    "anywhere on the canvas. Maps, worst position and consistency (the share of digits read as in the centre) are of "
    "the first 500 test digits at 9×9 places. The figure's maps are of networks whose digits did not move. The three "
    "networks have one learning rate each, chosen where digits move everywhere.",
    surprises="Reversed: that augmentation does not mend the fully connected network. In the first runs, of five "
    "passes, it had not fitted its own training digits (31 % misread everywhere, 33 % in training). Now it has forty "
    "passes, and a learning rate chosen by the grid: shown digits that move everywhere it misreads 13.4 % of the test "
    "digits anywhere, where it misread 88.0 % after digits in the centre only. It then errs as often on the digits it "
    "learned from (13.9 %): for fewer errors it would need more passes, or more than 64 hidden units. The "
    "convolutions get further: 3.0 % before a flattened layer and 1.7 % with the global maximum. A digit that never "
    "moves is learned by heart instead: one place for each of 8,000 digits leaves the fully connected network with "
    "32.8 %, and no error in training. A convolution alone carries over little: after digits in the centre only, the "
    "flattened one misreads 84.7 % of digits anywhere, 3 points fewer than the fully connected network; after digits "
    "in the left half it misreads 33 %, the fully connected network 55 %. The global maximum does better, but it is "
    "not invariant either (8.5 %, and 42 % at its worst place); moving the digits about the centre by four pixels "
    "helps it as well. That augmentation matters more than pooling is not so in general: pooling with centred digits "
    "only misreads 4.9 points fewer (2.3 to 7.6) than the fully connected network with digits moving everywhere, and "
    "the flattened convolution with digits moving everywhere 5.5 points fewer (2.9 to 8.1) than pooling with centred "
    "digits only. Found before the runs: with black at −0.5 the fully connected network learned nothing on the canvas "
    "at any learning rate tried, as thousands of black pixels push each hidden unit the same way until its ReLU dies. "
    "So it gets 0.5 added first; its rows are its better case.",
)
