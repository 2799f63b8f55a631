"""Does a fully connected net learn the same filter anew for every position? (slide "Не, так не работает!")."""

from cnn_models.zoo import Takes
from lab.declare.evidence import Answer, Difference, Evidence, Mean, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Canvas, Training, View

COPIES = "copies_beyond_half_turn_percent"
CHANCE = 3.1  # percent, the most that chance gives of 64 filters: 2/65, see `measure.beyond`


def _row(positions: str, about: str, label: str) -> Variant:
    # The learning rate is that of the same net in `shift`.
    view = View(canvas=Canvas(56, positions, moving=positions != "centre"))
    settings = Training("fc-64", epochs=15, learning_rate=0.01, examples=10_000, view=view)
    return Variant(positions, settings, about, label=label)


EXPERIMENT = Experiment(
    name="relearning",
    question="Does a fully connected net learn the same filter anew for every position?",
    expectation="Trained on digits anywhere, most of its first-layer filters are shifted copies of one another; "
    "trained on digits in the centre, fewer are.",
    sources=("slide: Не, так не работает!",),
    variants=(
        _row("everywhere", "digits lie elsewhere each time they are shown", "digits everywhere"),
        _row("centre", "digits lie in the centre", "digits in the centre"),
    ),
    work="experiments.relearning.measure.RelearningWork",
    takes=Takes(channels=1, why="as it compares filters of one channel"),
    compared=(),
    evidence=(
        Evidence(
            "fc-relearns",
            Answer(
                "Of the first-layer filters of a fully connected network that saw digits everywhere, {copies} are "
                "shifted copies of another filter; the claim would need at least half. "
                + f"Chance alone gives up to {CHANCE} %.",
                copies=Mean("everywhere", COPIES),
            ),
            checked="A filter counts as a shifted copy if, moved by 3 to 28 pixels, it matches another filter "
            "better than 99 % of filters match one turned by 180°.",
            core=(
                Statement("at least half of the filters are shifted copies", Mean("everywhere", COPIES).at_least(50)),
            ),
            limits=(
                Statement(
                    f"More filters are shifted copies than by chance ({CHANCE} %)",
                    Mean("everywhere", COPIES).above(CHANCE),
                ),
                Statement(
                    "More are when digits lie everywhere than when they lie in the centre",
                    Difference("everywhere", "centre", COPIES).above(0),
                ),
            ),
            rules="The share of a half was set before the runs; the control (a half turn instead of a quarter turn) "
            "was changed after runs had been seen, and so was what is core.",
            literature_for="d'Ascoli et al. 2019; Neyshabur 2020: a fully connected network can hold a convolution's "
            "filters, one copy per position.",
            literature_against="Neyshabur 2020: trained as usual, it does not find them; its filters stay diffuse.",
        ),
    ),
    columns=(
        "variant",
        "params",
        "test_error_percent_mean",
        "copies_beyond_half_turn_percent_mean",
        "copies_beyond_quarter_turn_percent_mean",
        "untrained_copies_percent_mean",
        "best_match_mean",
        "half_turn_match_mean",
        "quarter_turn_match_mean",
        "seeds",
        "train_seconds_mean",
    ),
    figure="experiments.relearning.figure.draw",
    reading="The 64 first-layer filters of 56×56 weights of the fully connected net in `shift`. A filter's best "
    "match is the largest normalised correlation with any other filter shifted by at least 3 pixels (and up "
    "to 28), nothing being known outside the frame. It counts as a shifted copy if it is better than 99 % of "
    "the same filters' best matches with others that are turned by 180° too, which leaves their power spectrum as "
    "it was. That is strict: a pattern that is its own mirror image at its centre is no copy beyond it. Turned by "
    "90° they lose the orientation that strokes prefer, so that unturned ones match better without being copies: "
    "that count is too high, and is shown beside. The control was a quarter turn at first, and was changed after "
    "runs had been seen; with it a net that saw digits in the centre only, and needs no copies, seemed to have some.",
    surprises="Next to nothing is left of the copies under a control that keeps what filters prefer: 4.7 ± 2.4 % of "
    "the filters, where chance gives up to 3.1 %, against 26 % with a quarter turn, which measured that bands mostly "
    "lie. The best pairs are long bands at different heights of the canvas, and shifted copies indeed, but they are "
    "few. What the net learns for different places is not visibly the same feature again: that it wastes its "
    "examples, `shift` and `sample-efficiency` show; that it does so by copies, this measure does not.",
)
