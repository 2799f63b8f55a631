"""One axis at a time, against matrices: row i of a network's matrix is non-zero where unit i reads."""

import itertools
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_models.analysis.geometry.axis import Axis
from cnn_models.analysis.geometry.axis_changes import collapsed, merged, mixed, spread, through
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.geometry.meeting import meet
from cnn_models.analysis.geometry.sampling import Groups, Mirrored, Resampling, Rolled, Transposed, Window, same
from cnn_models.analysis.geometry.views import View, joined

TESTS = settings(deadline=None, max_examples=150, derandomize=True)


def stack(axis, *samplings):
    for sampling in samplings:
        axis = through(axis, sampling)
    return axis


def matrix(sampling, n):
    """The layer as a matrix of ones, from its definition: what adds to what."""
    match sampling:
        case Window(kernel, stride, dilation, before, after):
            taps = range(0, kernel * dilation, dilation)
            starts = range(-before, n + after - taps[-1], stride)
            return np.array([[sum(start + tap == i for tap in taps) for i in range(n)] for start in starts])
        case Transposed(kernel, stride, dilation, crop, extra):
            result = np.zeros((crop + (n - 1) * stride + max(extra, (kernel - 1) * dilation + 1), n), int)
            for position, tap in itertools.product(range(n), range(kernel)):
                result[position * stride + tap * dilation, position] = 1
            return result[crop : crop + (n - 1) * stride + extra]
        case Resampling(factor, 0):
            return np.repeat(np.eye(n, dtype=int), factor, axis=0)
        case Groups(positions, units):
            return np.kron(
                np.eye(n // positions, n // positions, dtype=int), np.ones((units, positions), int)
            ) @ np.eye(n // positions * positions, n, dtype=int)
    raise AssertionError(sampling)


def intervals(rows):
    """First and last non-zero column of every row; None for a row of zeros."""
    return [(int(hits[0]), int(hits[-1])) if len(hits := np.flatnonzero(row)) else None for row in rows]


def read(axis):
    return [interval if interval[0] <= interval[1] else None for interval in axis.units]


windows = st.builds(
    Window,
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    before=st.integers(-2, 3),
    after=st.integers(-2, 3),
)
transposed = st.builds(
    Transposed,
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    crop=st.integers(0, 2),
    extra=st.integers(1, 4),
)
groups = st.builds(Groups, positions=st.integers(1, 3), units=st.integers(1, 3))
samplings = st.one_of(windows, windows, transposed, st.builds(Resampling, factor=st.integers(1, 3)), groups)


@st.composite
def networks(draw, n):
    """An axis and its matrix over an input of n positions, after random layers and branches."""
    axis, rows = Axis.of_input(n), np.eye(n, dtype=int)
    for _ in range(draw(st.integers(1, 5))):
        layers = draw(st.lists(samplings, min_size=1, max_size=2))
        steps = [(axis, rows)]
        for sampling in layers:
            last, image = steps[-1]
            if 0 < sampling.length(len(image)) < 60:
                steps.append((through(last, sampling), matrix(sampling, len(image)) @ image))
        if draw(st.booleans()):
            axis, rows = steps[-1]
        else:
            count = min(len(image) for _, image in steps)
            cut = [(through(branch, Window(after=count - len(image))), image[:count]) for branch, image in steps]
            axis, rows = merged([branch for branch, _ in cut]), sum(image for _, image in cut)
    return axis, rows


@TESTS
@given(st.integers(1, 14).flatmap(networks))
def test_every_unit_reads_what_the_matrix_says(network):
    axis, rows = network
    assert read(axis) == intervals(rows)


@TESTS
@given(networks(400))
def test_the_closed_form_holds_far_from_the_borders(network):
    """Units in the middle of a long input cannot tell it from an endless one."""
    axis, _ = network
    middle = [i for i, unit in enumerate(read(axis)) if unit and unit[0] > 130 and unit[1] < 270]
    for i in middle:
        fields = [view.field(i) for view in axis.views]
        assert (min(first for first, _ in fields), max(last for _, last in fields)) == read(axis)[i]
    if axis.size is not None and len(middle) > 6 and len(axis.views) == 1:
        sizes = [last - first + 1 for first, last in map(read(axis).__getitem__, middle)]
        period = axis.views[0].period
        assert axis.size == max(sizes[:period])
        ends = [read(axis)[i][0] for i in middle]
        assert ends[period] - ends[0] == axis.stride * period


@TESTS
@given(
    st.lists(
        st.builds(Window, kernel=st.integers(1, 5), stride=st.integers(1, 3), before=st.integers(0, 3)), min_size=1
    )
)
def test_single_path_formula(layers):
    """Araujo, Norris, Sim 2019, equations 2 and 3: r = 1 + Σ (k - 1)·Π s, and the left end by padding."""
    axis = stack(Axis.of_input(None), *layers)
    strides = [math.prod(layer.stride for layer in layers[:depth]) for depth in range(len(layers) + 1)]
    assert axis.size == 1 + sum((layer.kernel - 1) * stride for layer, stride in zip(layers, strides, strict=False))
    assert axis.stride == strides[-1]
    assert axis.padding == sum(layer.before * stride for layer, stride in zip(layers, strides, strict=False))
    assert axis.centre == -axis.padding + (axis.size - 1) / 2


@pytest.mark.parametrize("depth", [0, 1, 2, 10, 150])
def test_stacks_of_3x3(depth):
    """Lecture slide "N сверточных слоев": N layers of 3×3 see 2N + 1 pixels; 150 see 300."""
    axis = stack(Axis.of_input(300), *[Window(3)] * depth)
    assert (axis.size, axis.stride, axis.padding) == (2 * depth + 1, 1, 0)
    assert (axis.size > axis.length) == (depth == 150)


def test_alexnet():
    """195 pixels, stride 32, padding 64 (google-research/receptive_field, table of alexnet_v2)."""
    pool, convolution = Window(3, 2), Window(3, before=1, after=1)
    layers = [Window(11, 4), pool, Window(5, before=2, after=2), pool, convolution, convolution, convolution, pool]
    axis = stack(Axis.of_input(None), *layers)
    assert (axis.size, axis.stride, axis.padding, axis.centres) == (195, 32, 64, (33.0,))


def test_dilation_doubles_the_field():
    """Kernels of 2 with dilation 1, 2, 4, 8, as in WaveNet (van den Oord et al. 2016): 16 positions."""
    causal = [Window(2, dilation=2**i, before=2**i) for i in range(4)]
    axis = stack(Axis.of_input(20), *causal)
    assert (axis.size, axis.padding, axis.centre) == (16, 15, -7.5)
    assert read(axis)[0] == (0, 0)
    assert read(axis)[19] == (4, 19)


@pytest.mark.parametrize("n", range(5, 13))
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (2, 2, 1), (5, 3, 1), (3, 1, 2)])
def test_same_padding(n, kernel, stride, dilation):
    """As many units as ⌈n/s⌉, and no more padding behind than in front, or one position more."""
    window = same(kernel, stride, dilation, n)
    assert window.length(n) == math.ceil(n / stride)
    assert window.after - window.before in (0, 1)
    unknown = same(kernel, stride, dilation, None)
    fronts = {same(kernel, stride, dilation, length).before for length in range(20, 40)}
    assert unknown.varies == (len(fronts) > 1)
    assert {unknown.resolved(length) == same(kernel, stride, dilation, length) for length in range(1, 20)} == {True}


def test_padding_of_an_unknown_size_is_undefined():
    strided = same(3, 2, 1, None)
    axis = stack(Axis.of_input(None), strided, Window(3, before=1, after=1))
    assert (axis.size, axis.stride) == (7, 2)
    assert (axis.padding, axis.centre, axis.centres, axis.units) == (None, None, (), None)


def test_branches_of_one_unknown_padding_still_compare():
    """A residual block behind it: both branches have the same unknown shift, so the size is known.

    Equal layers on the same input have the same shift, too.
    """
    trunk = through(Axis.of_input(None), same(3, 2, 1, None))
    block = merged([trunk, through(trunk, Window(3, before=1, after=1))])
    assert (block.size, block.stride, block.padding) == (7, 2, None)
    other = through(Axis.of_input(None), same(3, 2, 1, None))
    assert merged([trunk, through(other, Window(3, before=1, after=1))]).size == 7


def test_a_centre_that_depends_on_an_unknown_size_is_undefined():
    """Of an even size the 3×3 window begins at the input, of an odd one before it; the 1×1 has no padding."""
    image = Axis.of_input(None)
    both = merged([through(image, same(kernel, 2, 1, None)) for kernel in (3, 1)])
    assert (both.centres, both.centre, both.padding, both.aligned, both.stride) == ((), None, None, None, 2)
    known = [Axis.of_input(n) for n in (8, 9)]
    ends = [merged([through(axis, same(kernel, 2, 1, axis.length)) for kernel in (3, 1)]) for axis in known]
    assert [(axis.centres, axis.aligned) for axis in ends] == [((0.0, 1.0), False), ((0.0,), True)]
    deeper = stack(both, Window(3, before=1, after=1))
    assert (deeper.centres, deeper.aligned) == ((), None)
    faster = merged([through(image, same(3, 2, 1, None)), image])
    assert (faster.centres, faster.aligned) == ((), False)  # the strides differ, whatever the size


@pytest.mark.parametrize("n", [5, 8, 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (4, 4), (0, 4)])
def test_mirrored_borders(n, stride, before, after):
    """Against NumPy's `reflect`, which mirrors the positions' numbers."""
    kernel = before + after + 1
    window = Mirrored(kernel, stride, before=before, after=after)
    mirrored = np.pad(np.arange(n), (before, after), mode="reflect")
    expected = np.lib.stride_tricks.sliding_window_view(mirrored, kernel)[::stride]
    assert read(through(Axis.of_input(n), window)) == [(row.min(), row.max()) for row in expected]
    plain = Window(kernel, stride, before=before, after=after)
    assert through(Axis.of_input(n), window).views == through(Axis.of_input(n), plain).views


def test_groups():
    """Two groups of three units behind a 3×3 layer; the pattern repeats from group to group."""
    axis = stack(Axis.of_input(8), Window(3), Groups(3, 3))
    assert read(axis) == [(0, 4)] * 3 + [(3, 7)] * 3
    assert (axis.size, axis.stride, axis.padding, axis.centre) == (5, 1, 0, 2.0)
    assert stack(Axis.of_input(8), Groups(1, 1)) == Axis.of_input(8)


@pytest.mark.parametrize(
    "layers",
    [
        (Resampling(2), same(3, 2, 1, None)),  # an even number of units, whatever the size
        (Window(2, 3), same(3, 2, 1, None), Resampling(2), same(5, 3, 1, None)),
        (same(3, 2, 1, None), same(3, 2, 1, None), same(2, 3, 1, None)),
        (Transposed(3, 2, 1, crop=0, extra=3), same(4, 3, 1, None), Groups(2, 1)),
    ],
)
def test_every_remainder_of_an_unknown_size_is_told_apart(layers):
    """Each is the axis of that size, and what is defined is the same for all sizes."""
    unknown, known = (stack(Axis.of_input(None), *layers), [stack(Axis.of_input(n), *layers) for n in range(60, 132)])
    for name in ("size", "stride", "padding", "centres"):
        answers = {getattr(axis, name) for axis in known}
        assert getattr(unknown, name) == (answers.pop() if len(answers) == 1 else () if name == "centres" else None)


def test_too_many_remainders_are_undefined():
    axis = stack(Axis.of_input(None), *[same(5, 3, 1, None), same(4, 7, 1, None)] * 5)
    assert (axis.size, axis.stride, axis.centres) == (None, None, ())


def test_branches_that_do_not_align():
    """A 3×3 and a 1×1 of stride 2 over an even size: TensorFlow pads the first behind only."""
    image = Axis.of_input(8)
    block = merged([through(image, same(kernel, 2, 1, 8)) for kernel in (3, 1)])
    assert (block.size, block.stride, block.padding) == (3, 2, 0)
    assert (block.centres, block.centre) == ((0.0, 1.0), None)
    deeper = through(block, Window(3, before=1, after=1))
    assert (deeper.size, deeper.padding, deeper.centres) == (7, 2, (0.0, 1.0))


def test_branches_of_different_stride():
    """No single size or stride: both centres, and exactly what every unit reads."""
    image = Axis.of_input(9)
    both = merged([through(image, Window(3, 2)), through(image, Window(6))])
    assert (both.size, both.stride, both.padding, both.centre) == (None, None, None, None)
    assert both.centres == (1.0, 2.5)
    assert read(both) == [(0, 5), (1, 6), (2, 7), (3, 8)]
    assert sorted((view.stride, view.field(0)) for view in both.views) == [(1, (0, 5)), (2, (0, 2))]


def test_transposed_convolution_has_phases():
    """Kernel 3, stride 2: even units are reached by taps 0 and 2, odd units by tap 1 alone."""
    axis = through(Axis.of_input(4), Transposed(kernel=3, stride=2, dilation=1, crop=0, extra=2))
    assert read(axis) == [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)]
    assert (axis.size, axis.stride, axis.padding, axis.centres) == (2, Fraction(1, 2), 1, (-0.5,))


def test_units_that_nothing_reaches():
    """Kernel 1, stride 2: every other unit reads nothing."""
    axis = through(Axis.of_input(3), Transposed(kernel=1, stride=2, dilation=1, crop=0, extra=2))
    assert read(axis) == [(0, 0), None, (1, 1), None, (2, 2), None]
    assert (axis.size, axis.stride) == (1, Fraction(1, 2))


def test_upsampling_undone_by_pooling():
    """Twice the units and half of them again is the identity, with period 1."""
    axis = stack(Axis.of_input(6), Resampling(2), Window(2, 2))
    assert axis == Axis.of_input(6)


@pytest.mark.parametrize(("radius", "expected"), [(0, (1, 1)), (1, (1, 2)), (2, (0, 3)), (3, (-1, 4))])
def test_interpolation_reads_around_the_unit(radius, expected):
    """Unit 3 of an upsampling by two stands a quarter behind position 1."""
    taps = Resampling(2, radius).taps(3)
    assert (taps[0], taps[-1]) == expected


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 5])
def test_interpolation_on_top_of_a_position_reads_it_alone(radius):
    """The middle one of three units stands where the position stands, and the kernels are zero at the others."""
    assert tuple(Resampling(3, radius).taps(7)) == (2,)


def test_cropping_is_not_undone_by_padding():
    """Positions that were cut off stay unread, though the closed form, endless, does not know."""
    axis = stack(Axis.of_input(6), Window(before=-2), Window(before=2))
    assert read(axis) == [None, None, (2, 2), (3, 3), (4, 4), (5, 5)]
    assert (axis.size, axis.padding) == (1, 0)


def test_global_layers_see_what_is_left():
    """Pooling that drops the last row keeps it from everything behind."""
    axis = collapsed(stack(Axis.of_input(5), Window(2, 2)))
    assert (axis.size, axis.stride, axis.padding, axis.centre) == (4, None, 0, 1.5)
    assert axis.whole
    assert axis.size <= axis.length
    assert collapsed(Axis.of_input(None)).size is None


def test_broadcasting_a_global_branch():
    """Squeeze and excitation: everything is seen everywhere, and units keep their stride."""
    image = through(Axis.of_input(9), Window(3, 2))
    gated = merged([image, spread(collapsed(image), 4)])
    assert (gated.size, gated.stride, gated.padding, gated.centres) == (9, 2, 0, (4.0,))
    assert read(gated) == [(0, 8)] * 4
    assert stack(gated, Window(2, 2)).stride == 4
    assert mixed(image).units == gated.units


def test_broadcasting_one_local_unit():
    """One unit that sees little, added everywhere, moves unlike its partner: no single size."""
    image = Axis.of_input(6)
    both = merged([image, spread(through(image, Window(2, before=0, after=-4)), 6)])
    assert (both.size, both.stride, both.centres) == (None, None, (0.0, 0.5))
    assert read(both)[5] == (0, 5)


def test_a_branch_that_does_not_depend_on_the_input():
    image = Axis.of_input(4)
    assert merged([image, spread(Axis.unseen(4), 4)]) == image
    assert collapsed(Axis.unseen(4)).size == 0


def test_concatenation_along_an_axis():
    """One branch behind the other: no closed form, but what every unit reads, of its own branch only, and how much."""
    image = ReceptiveField.of_input({1: 3, 2: 5})
    wide = image.through({2: Window(3, before=1, after=1)})
    row = meet([image, wide], along=1, counts=[3, 3])
    assert row.unit((1, 2)) == ((1, 1), (2, 2))
    assert row.unit((4, 2)) == ((1, 1), (1, 3))
    assert (row.size, row.stride, row.centres) == ((1, 3), (None, 1), ((), (0.0,)))


def test_a_branch_that_reads_only_padding_adds_nothing():
    """Along one axis unit 0 of the second branch falls into the padding, so its other axis must not count."""
    image = ReceptiveField.of_input({1: 4, 2: 4})
    far = image.through({1: Window(3, before=1, after=1), 2: Window(1, before=2, after=-2)})
    both = meet([image, far])
    assert far.unit((1, 0)) is None
    assert both.unit((1, 0)) == ((1, 1), (0, 0))
    assert both.unit((1, 2)) == ((0, 2), (0, 2))
    assert both.through({1: Window(2)}).unit((1, 0)) == ((1, 2), (0, 0))
    assert both.through({1: Window(after=-3), 2: Window(after=-2)}).collapsed({1, 2}).size == (1, 2)


@pytest.mark.parametrize("fields", [((0, 0), (0, 0), (1, 1), (1, 1)), ((0, 2), (1, 3)), ((0, 0), (0, 1), (1, 2))])
def test_views_are_written_with_their_shortest_period(fields):
    view = View(fields, advance=len(fields) // 2 * 2 or 2)
    long = view.repeated(3 * view.period)
    assert long.reduced() == view.reduced()
    assert [long.field(i) for i in range(-7, 20)] == [view.field(i) for i in range(-7, 20)]


def test_joined_views_of_equal_centres_are_one():
    small, large = View(((0, 0),), 1), View(((-1, 1),), 1)
    assert joined([small, large]) == (large,)
    (aside,) = joined([small, View(((0, 1),), 1)])
    assert aside == View(((0, 1),), 1, paths=(small, View(((0, 1),), 1)))
    assert len(joined([small, View(((0, 0),), 2)])) == 2


def test_a_chain_of_causal_branches_reports_the_range_of_its_centres():
    """Thirty residual blocks as in WaveNet have 2³⁰ paths; the lowest and the highest centre are kept."""
    axis = Axis.of_input(5000)
    for dilation in [2**i for i in range(10)] * 3:
        axis = merged([axis, through(axis, Window(2, dilation=dilation, before=dilation))])
    assert (axis.size, axis.padding, axis.stride) == (3070, 3069, 1)
    assert (axis.centres, axis.centre) == ((-1534.5, 0.0), None)
    assert axis.units[4000] == (4000 - 3069, 4000)


def test_units_that_read_nothing_have_the_size_0_in_any_order():
    far = ReceptiveField.of_input({1: 3}).through({1: Window(before=3, after=-3)}).moved({1: 1}, shuffled={1})
    assert meet([far, far], along=1, counts=[3, 3]).size == (0,)


def test_a_field_of_two_axes():
    image = ReceptiveField.of_input({1: 6, 2: 8})
    field = image.through({1: Window(3), 2: Window(2, 2)})
    assert (field.size, field.stride, field.padding, field.centres) == ((3, 2), (1, 2), (0, 0), ((1.0,), (0.5,)))
    assert field.unit((3, 3)) == ((3, 5), (6, 7))
    with pytest.raises(IndexError):
        field.unit((4, 0))
    with pytest.raises(ValueError, match="2 indices"):
        field.unit((1,))
    with pytest.raises(ValueError, match="not known"):
        ReceptiveField.of_input({1: None}).unit((0,))


def test_branches_of_one_unit_are_not_broadcast():
    """Where all have one unit there is nothing to broadcast, and the stride stays."""
    image = ReceptiveField.of_input({1: 3})
    both = meet([image.through({1: Window(3)}), image.through({1: Window(1, before=-1, after=-1)})])
    assert (both.size, both.stride, both.centre) == ((3,), (1,), (1.0,))


def test_axes_that_a_merge_crosses():
    """A picture and its transpose: no closed form, but what every unit reads."""
    image = ReceptiveField.of_input({1: 4, 2: 4})
    crossed = meet([image, image.moved({1: 2, 2: 1})])
    assert (crossed.size, crossed.positions) == ((4, 4), ((1, 2), (1, 2)))
    with pytest.raises(ValueError, match="rearranged"):
        crossed.unit((0, 0))
    assert crossed.box({1: 0, 2: 3}) == ((0, 3), (0, 3))
    assert crossed.box({1: 2, 2: 2}) == ((2, 2), (2, 2))
    assert crossed.collapsed({1, 2}).size == (4, 4)


# Layouts: any reshape and permutation, against NumPy's.


@st.composite
def moves(draw):
    """A shape, and a chain of permutations, new shapes and layers along one axis."""
    sizes = draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=2))
    chain = []
    shape = (1, *sizes, 2)
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["permute", "reshape", "window", "mix", "collapse", "roll"]))
        if kind == "permute":
            order = draw(st.permutations(range(len(shape))))
            chain.append((kind, order))
            shape = tuple(shape[axis] for axis in order)
        elif kind == "reshape":
            factors = [prime for size in shape for prime in _primes(size)]
            factors = draw(st.permutations(factors)) if draw(st.booleans()) else factors
            cuts = sorted(draw(st.lists(st.integers(0, len(factors)), max_size=4)))
            groups = [factors[a:b] for a, b in itertools.pairwise([0, *cuts, len(factors)])]
            shape = tuple(math.prod(group) for group in groups)
            chain.append((kind, shape))
        else:
            axis = draw(st.integers(0, len(shape) - 1))
            chain.append((kind, axis))
            if kind == "collapse":
                shape = (*shape[:axis], 1, *shape[axis + 1 :])
    return sizes, chain


def _primes(number):
    for prime in (2, 3):
        if number % prime == 0 and number > 1:
            return [prime, *_primes(number // prime)]
    return []


@TESTS
@given(moves())
def test_every_unit_is_where_numpy_puts_it(plan):
    """Each unit as the set of positions that it reads, moved by NumPy; the hull of the set along each axis."""
    sizes, chain = plan
    field = ReceptiveField.of_input(dict(enumerate(sizes, start=1)))
    shape = (1, *sizes, 2)
    ends = [np.stack([place, place]) for place in np.indices(shape)[1:-1]]  # first and last, along each axis
    for kind, how in chain:
        if kind == "permute":
            field = field.moved({axis: place for place, axis in enumerate(how)})
            ends = [end.transpose(0, *(axis + 1 for axis in how)) for end in ends]
            shape = tuple(shape[axis] for axis in how)
            continue
        if kind == "reshape":
            field = field.reshaped(shape, how)
            ends = [end.reshape(2, *how) for end in ends]
            shape = how
            continue
        rows = {
            "window": lambda n: [list(range(max(i - 1, 0), min(i + 2, n))) for i in range(n)],
            "roll": lambda n: [[(i - 1) % n] for i in range(n)],
            "mix": lambda n: [list(range(n))] * n,
            "collapse": lambda n: [list(range(n))],
        }[kind](shape[how])
        if kind in ("window", "roll"):
            field = field.through({how: Window(3, before=1, after=1) if kind == "window" else Rolled(1)})
        else:
            field = field.mixed({how}) if kind == "mix" else field.collapsed({how})
        ends = [
            np.stack([hulls(end, rows, how, pick) for pick, end in zip((np.min, np.max), pair, strict=True)])
            for pair in ends
        ]
        shape = (*shape[:how], len(rows), *shape[how + 1 :])
    if any(line.axis.rearranged for part in field.parts for line in part):
        with pytest.raises(ValueError, match="rearranged"):  # not known, rather than guessed
            field.box(dict.fromkeys(range(len(shape)), 0))
        return
    for index in itertools.product(*map(range, shape)):
        expected = tuple((int(first[index]), int(last[index])) for first, last in ends)
        assert field.box(dict(enumerate(index))) == expected


def hulls(end, rows, axis, pick):
    """The lowest or highest end over the positions that each unit along an axis reads."""
    return np.stack([pick(end.take(row, axis), axis) for row in rows], axis)


def test_no_framework_is_imported():
    program = (
        "import sys, cnn_models.analysis.geometry.meeting\n"
        "heavy = {'keras', 'tensorflow', 'pandas', 'torch', 'jax'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
