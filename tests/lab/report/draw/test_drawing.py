"""Figures at the size people see them: letters large enough, none over others, nothing told by colour alone."""

import itertools
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.transforms import Bbox

from lab.declare import catalogue
from lab.report.draw import drawing, figures
from lab.report.reference import REFERENCE
from lab.report.table import tables
from lab.store.records import Records
from tests.support.kept import KEPT

SEEN = 800  # pixels of width at which a figure must be readable
SMALLEST = 9  # pixels of height of its letters then


class TextRecorder(RendererAgg):
    """Draws as Agg does, and notes each line of text with the box that it fills, but for slanted ones."""

    def __init__(self, width, height, dpi):
        super().__init__(width, height, dpi)
        self.texts = []

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        width, height, descent = self.get_text_width_height_descent(s, prop, ismath)
        bottom = self.height - y - descent
        if angle == 0:
            self.texts.append((s, Bbox.from_bounds(x, bottom, width, height)))
        elif angle == 90:
            self.texts.append((s, Bbox.from_bounds(x - height, self.height - y, height, width)))


def texts(figure):
    """The lines of text that are really drawn, with their boxes in points."""
    figure.dpi = drawing.POINTS_PER_INCH
    with matplotlib.rc_context(drawing.STYLE):
        figure.draw_without_rendering()  # a first time for the layout
        recorder = TextRecorder(*(figure.get_size_inches() * figure.dpi), figure.dpi)
        figure.draw(recorder)
    return recorder.texts


def overlaps(found):
    """Pairs of texts that share more than the air around letters."""
    for (one, first), (other, second) in itertools.combinations(found, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        high = min(first.y1, second.y1) - max(first.y0, second.y0)
        if wide > 1 and high > 2:
            yield one, other


@pytest.mark.parametrize("name", KEPT)
def test_no_text_of_our_own_figures_lies_over_another(name):
    experiment = catalogue.find(name)
    figure = figures.chart(experiment, tables.read_of(experiment, REFERENCE / f"{name}.csv"), Records(REFERENCE))
    found = texts(figure)
    assert len(found) > 10
    assert list(overlaps(found)) == []


@pytest.mark.parametrize("name", [*KEPT, "benchmark", "summary"])
def test_letters_of_our_own_figures_are_large_enough(name):
    svg = (REFERENCE / f"{name}.svg").read_text()
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg).group(1))
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )?([\d.]+)px", svg)]
    assert sizes
    assert min(sizes) * SEEN / width >= SMALLEST


def test_series_differ_in_marker_and_line_too():
    shown = [drawing.series(number) for number in range(len(drawing.COLOURS))]
    assert len({one["marker"] for one in shown}) == len({str(one["ls"]) for one in shown}) == len(shown)


def test_labels_are_moved_apart_no_farther_than_needed():
    assert drawing.apart([], []) == []
    assert drawing.apart([0.1, 0.9], [0.2, 0.2]) == pytest.approx([0.1, 0.9])
    assert drawing.apart([0.5, 0.5], [0.2, 0.2]) == pytest.approx([0.4, 0.6])
    assert drawing.apart([0.5, 0.5], [0.1, 0.3]) == pytest.approx([0.4, 0.6])
    heights = [0.1, 0.2, 0.1, 0.1]
    found = drawing.apart([0.3, 0.31, 0.32, 0.9], heights)
    gaps = np.diff(found) - (np.array(heights[1:]) + heights[:-1]) / 2
    assert (gaps > -1e-12).all()
    assert found[-1] == pytest.approx(0.9)


def test_names_of_lines_that_end_together_stand_one_above_the_other():
    figure = drawing.sheet(3, "lines")
    axes = figure.subplots()
    for number, end in enumerate((1.0, 1.01, 1.02, 3.0)):
        axes.plot([0, 1], [0, end], label=f"line {number}", **drawing.series(number))
    assert [one for one, _ in texts(figure)].count("line 0") == 0
    drawing.name_lines(axes, 2)
    found = texts(figure)
    assert {f"line {number}" for number in range(4)} <= {text for text, _ in found}
    assert list(overlaps(found)) == []


def test_dots_say_their_numbers_and_have_no_interval_of_one_seed():
    parts = {"mean": [0.686, 27.52], "ci95_low": [0.6, np.nan], "ci95_high": [0.7, np.nan]}
    rows = pd.DataFrame({f"error_{part}": values for part, values in parts.items()})
    figure = drawing.sheet(3, "errors")
    axes = figure.subplots()
    drawing.dots([axes], rows, {"error": "error, %"}, ["first", "second"])
    found = dict(texts(figure))
    assert {"first", "second", "error, %", "0.69", "27.5"} <= set(found)
    assert found["first"].y0 > found["second"].y1
    mean, bars = drawing.interval(rows, "error", 100)
    assert mean.tolist() == pytest.approx([68.6, 2752])
    assert bars.tolist() == [pytest.approx([8.6, 0]), pytest.approx([1.4, 0])]


@pytest.mark.parametrize(
    ("counts", "words"), [((5, 5), "over 5 seeds"), ((3, 5), "over 3 to 5 seeds"), ((1, 1), "one seed")]
)
def test_what_bars_are_is_said(counts, words):
    assert drawing.seeds(pd.DataFrame({"seeds": counts})).endswith(words)
